"""The addresses that we hand to the provider. Opaque ids only."""

from urllib.parse import urlencode
from uuid import UUID

from app.settings import Settings


def call_path(call_id: UUID | str, step: str, **query: object) -> str:
    return _path(f"/telephony/calls/{call_id}/{step}", query)


def offer_path(offer_id: UUID | str, step: str, **query: object) -> str:
    return _path(f"/telephony/offers/{offer_id}/{step}", query)


def duty_path(attempt_id: UUID | str, step: str, **query: object) -> str:
    return _path(f"/telephony/duty/{attempt_id}/{step}", query)


def participant_path(participant_id: UUID | str, step: str, **query: object) -> str:
    return _path(f"/telephony/participants/{participant_id}/{step}", query)


def alarm_path(attempt_id: UUID | str, step: str, **query: object) -> str:
    return _path(f"/telephony/alarms/{attempt_id}/{step}", query)


def message_path(attempt_id: UUID | str) -> str:
    return f"/telephony/messages/{attempt_id}/status"


def chat_path(sent_id: UUID | str, step: str) -> str:
    return f"/telephony/chats/{sent_id}/{step}"


def telegram_path(account_id: UUID | str) -> str:
    return f"/telephony/telegram/{account_id}"


def test_path(test_id: UUID | str, step: str) -> str:
    return f"/telephony/tests/{test_id}/{step}"


def leg_path(leg_id: UUID | str) -> str:
    return f"/telephony/legs/{leg_id}/status"


def _path(path: str, query: dict[str, object]) -> str:
    return path + ("?" + urlencode(query) if query else "")


def public(settings: Settings, path: str) -> str:
    """Return the absolute address of a path of ours."""
    return settings.public_url.rstrip("/") + path
