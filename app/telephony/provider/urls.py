"""The addresses that we hand to the provider. Opaque ids only."""

from urllib.parse import urlencode
from uuid import UUID

from app.settings import Settings

# The provider repeats a request that failed. A document is asked for three times within its
# fifteen seconds, because a caller waits for it; a callback can take longer.
_DOCUMENT_AGAIN = "#rc=2&rp=ct,rt,5xx&ct=1500&rt=4500&tt=14500"
_CALLBACK_AGAIN = "#rc=3&rp=ct,rt,5xx&ct=2000&rt=5000"


def call_path(call_id: UUID | str, step: str, **query: object) -> str:
    return _path(f"/telephony/calls/{call_id}/{step}", query)


def offer_path(offer_id: UUID | str, step: str, **query: object) -> str:
    return _path(f"/telephony/offers/{offer_id}/{step}", query)


def duty_path(attempt_id: UUID | str, step: str, **query: object) -> str:
    return _path(f"/telephony/duty/{attempt_id}/{step}", query)


def party_path(party_id: UUID | str, step: str, **query: object) -> str:
    return _path(f"/telephony/parties/{party_id}/{step}", query)


def alarm_path(attempt_id: UUID | str, step: str, **query: object) -> str:
    return _path(f"/telephony/alarms/{attempt_id}/{step}", query)


def message_path(attempt_id: UUID | str) -> str:
    return f"/telephony/messages/{attempt_id}/status"


def leg_path(leg_id: UUID | str) -> str:
    return f"/telephony/legs/{leg_id}/status"


def _path(path: str, query: dict[str, object]) -> str:
    return path + ("?" + urlencode(query) if query else "")


def public(settings: Settings, path: str) -> str:
    """Return the absolute address of a path of ours."""
    return settings.public_url.rstrip("/") + path


def document_address(settings: Settings, path: str) -> str:
    """Return the absolute address of a document, with the rule by which a request is repeated.

    Somleng ignores such a rule, and would sign it as part of the address.
    """
    return public(settings, path) + (_DOCUMENT_AGAIN if settings.has_conferences else "")


def callback(settings: Settings, path: str) -> str:
    """Return the absolute address of a callback, with the rule by which it is repeated.

    Somleng ignores such a rule, and would sign it as part of the address.
    """
    return public(settings, path) + (_CALLBACK_AGAIN if settings.has_conferences else "")
