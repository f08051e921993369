"""The phone that rings if a person's browser does not answer: chosen, proven and given up by
the person. It rings for no call before it is proven."""

from app.abilities import EndpointKind
from app.dialling import outward
from app.errors import Conflict, Invalid
from app.people import connection_tests
from app.privacy import ends
from app.routing import offers
from app.staff import former_addresses, phone_proofs
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.sessions import accounts_changed
from app.work import Work


class InACallNow(Conflict):
    default = "You have a call now. Change your phone after it."


async def choose(work: Work, person: Staff, number: str) -> str:
    """Choose the phone that rings if the browser does not answer, and let it be rung now.

    Return the code that proves it: entered at that phone within the call. Choosing the same
    number again rings it again; a number that was proven stays proven. Raises Conflict for a person
    whose calls do not ring in the browser, InACallNow, Invalid, NotDialled, DialledTooOften and
    TooMany.
    """
    staff = await _locked(work, person)
    chosen = await outward.read_number(work, number)
    if not chosen.startswith("+"):
        raise Invalid("Enter the whole number of a phone, with + and the country code.")
    if chosen != staff.second_phone:
        await _store(work, staff, chosen)
    code = await phone_proofs.make_code(work, staff)
    await connection_tests.ring_to_prove(work, staff, chosen)
    return code


async def give_up(work: Work, person: Staff) -> None:
    """Let only the browser ring. Raises InACallNow."""
    staff = await _locked(work, person)
    if staff.second_phone is not None:
        await _store(work, staff, None)


async def _locked(work: Work, person: Staff) -> Staff:
    staff = await work.session.get_one(
        Staff, person.id, with_for_update=True, populate_existing=True
    )
    if staff.endpoint_kind != EndpointKind.BROWSER:
        raise Conflict("Your calls ring on your phone already, not in the browser.")
    if await offers.offer_in_hand(work, staff.id) is not None:
        raise InACallNow()
    return staff


async def _store(work: Work, staff: Staff, number: str | None) -> None:
    before = staff.second_phone
    proven = await phone_proofs.is_proven(work, staff)
    await former_addresses.note(work, staff, [before], proven=proven)
    staff.second_phone = number
    await phone_proofs.forget_pairing(work, staff)
    staff.revision += 1
    await work.session.flush()
    write_entry(
        work,
        AuditLog.SECOND_PHONE_SET,
        str(staff.id),
        before=ends.of_number(before) or None,
        after=ends.of_number(number) or None,
    )
    accounts_changed(work)
