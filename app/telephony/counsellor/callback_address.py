"""The address that is rung for a call-back, and the number that the phone shows."""

from app.calls.models import Call
from app.settings import Settings
from app.work import Work


def callback_address(settings: Settings, number: str, line_number: str) -> tuple[str, str]:
    """Return the address to ring for a call-back, and the number that the phone shows.

    Telephony platforms cannot withhold the number. A gateway of the helpline's own can, for a call
    from `anonymous`, the name that RFC 3323 (4.1.1.3) gives to a caller who withholds theirs.
    """
    if settings.callback_gateway is not None:
        return f"sip:{number}@{settings.callback_gateway}", "anonymous"
    return number, settings.callback_from or line_number


async def number_of(work: Work, call: Call) -> str:
    """Return the number to call back; empty once it is forgotten."""
    if call.caller_number_sealed is None:
        return ""
    return work.keys.open(
        call.caller_number_sealed, table="calls", column="caller_number_sealed", row=call.id
    ).decode()
