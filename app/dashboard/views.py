"""The small view values that the pages show. They are made only here."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from app.calls.callers import History
from app.calls.models import VoiceMessage
from app.contacts.models import Contact
from app.routing.callbacks import Callback
from app.routing.desk import Desk
from app.routing.models import OfferState, PresenceState
from app.routing.queue import WaitingCall

STATE_WORDS = {
    PresenceState.OFF_DUTY: "Off duty",
    PresenceState.AVAILABLE: "Available",
    PresenceState.OFFERED: "Ringing",
    PresenceState.ON_CALL: "On a call",
    PresenceState.WRAP_UP: "Writing up",
    PresenceState.BREAK: "On a break",
    PresenceState.AWAY: "Away",
}
LANGUAGE_WORDS = {
    "sr": "Serbian",
    "en": "English",
    "hr": "Croatian",
    "bg": "Bulgarian",
    "ro": "Romanian",
    "mk": "Macedonian",
    "sq": "Albanian",
    "hu": "Hungarian",
}


@dataclass(frozen=True)
class OfferCard:
    id: UUID
    call_id: UUID
    line: str
    language: str
    danger: bool
    returned: bool
    # A call-back: we ring the caller when a counsellor accepts it.
    back: bool
    # Who may answer the phone, and what to say.
    advice: str
    waited: int
    seconds_left: int
    limit: int
    on_phone: bool


@dataclass(frozen=True)
class CallCard:
    call_id: UUID
    line: str
    language: str
    danger: bool
    connected: bool
    held: bool
    muted: bool
    # The line to the counsellor was lost, and their phone rings again.
    lost: bool
    # The talk has nearly reached the platform's limit, and moves to new legs.
    long: bool
    advice: str
    seconds: int


@dataclass(frozen=True)
class ContactCard:
    id: UUID
    code: str
    headline: str
    decided: bool


@dataclass(frozen=True)
class DeskView:
    state: str
    words: str
    cause: str
    seconds: int
    seconds_left: int | None
    after_call: str | None
    on_shift: bool
    shift_ends: str | None
    offer: OfferCard | None
    call: CallCard | None
    contact: ContactCard | None


@dataclass(frozen=True)
class CallerCard:
    """What is known of a caller. It holds neither an identity nor the reason of a flag."""

    before: str
    last: str | None
    flags: list[str]
    contacts: list[tuple[UUID, str, str]]
    others: int


@dataclass(frozen=True)
class WaitingRow:
    line: str
    language: str
    seconds: int
    priority: str
    being_offered: bool


@dataclass(frozen=True)
class MessageRow:
    id: UUID
    call_id: UUID
    at: str
    seconds: int
    ready: bool
    # Who is responsible for it, and for how many seconds it has waited.
    owner: str
    waits: int


def caller_card(history: History, readable: list[Contact], others: int) -> CallerCard:
    times = "once" if history.calls == 1 else f"{history.calls} times"
    return CallerCard(
        times if history.calls else "",
        history.last_at.isoformat() if history.last_at else None,
        [flag.value.replace("_", " ") for flag in sorted(history.flags)],
        [(c.id, c.code, c.headline or "") for c in readable],
        others,
    )


def language_words(code: str | None) -> str:
    return LANGUAGE_WORDS.get(code or "", code or "not chosen")


def _seconds(since: datetime | None, now: datetime) -> int:
    return max(0, int((now - since).total_seconds())) if since else 0


def desk_view(
    desk: Desk,
    contact: Contact | None,
    now: datetime,
    on_phone: bool,
    limit: int,
    back: Callback | None = None,
) -> DeskView:
    """Return the counsellor's own part of the board."""
    presence = desk.presence
    state = PresenceState(presence.state) if presence else PresenceState.OFF_DUTY
    until = presence.until_at if presence else None
    far = desk.shift_ends_at is None or desk.shift_ends_at.year > 9000
    return DeskView(
        state=state.value,
        words=STATE_WORDS[state],
        cause=presence.cause if presence and state is PresenceState.AWAY else "",
        seconds=_seconds(presence.since, now) if presence else 0,
        seconds_left=max(0, int((until - now).total_seconds())) if until else None,
        after_call=presence.after_call if presence else None,
        on_shift=desk.shift_ends_at is not None,
        shift_ends=None if far or not desk.shift_ends_at else desk.shift_ends_at.isoformat(),
        offer=_offer_card(desk, now, on_phone, limit, back) if desk.ringing else None,
        call=_call_card(desk, now, back) if desk.offer and not desk.ringing else None,
        contact=_contact_card(contact) if contact and _writing(desk, state) else None,
    )


def _writing(desk: Desk, state: PresenceState) -> bool:
    # Only during the talk and just after it: a key must never close an older draft.
    return state is PresenceState.WRAP_UP or (desk.offer is not None and not desk.ringing)


def _contact_card(contact: Contact) -> ContactCard:
    return ContactCard(
        contact.id, contact.code, contact.headline or "", contact.urgency is not None
    )


# What a counsellor has to know before a phone at the child's home is answered.
_BACK_ADVICE = {
    "caller": "Only the child may know of this call. Do not mention the helpline until you know "
    "who has answered. If it is not the child, say that you have dialled a wrong number, and hang "
    "up.",
    "anyone": "Anyone at home may answer. Ask for the child by name if you know it. Say who you "
    "are when the child is on the line, or if you are asked.",
}


def _advice(back: Callback | None) -> str:
    return _BACK_ADVICE[back.who] if back is not None else ""


def _offer_card(
    desk: Desk, now: datetime, on_phone: bool, limit: int, back: Callback | None
) -> OfferCard:
    offer, call = desk.offer, desk.call
    assert offer is not None
    assert call is not None
    return OfferCard(
        id=offer.id,
        call_id=call.id,
        line=desk.line,
        language=language_words(call.language),
        danger=call.danger,
        returned=call.returned > 0,
        back=call.direction == "outbound",
        advice=_advice(back),
        waited=_seconds(call.queued_at, now),
        seconds_left=max(0, int((offer.expires_at - now).total_seconds())),
        limit=limit,
        on_phone=on_phone,
    )


def _call_card(desk: Desk, now: datetime, back: Callback | None) -> CallCard:
    offer, call = desk.offer, desk.call
    assert offer is not None
    assert call is not None
    connected = offer.state == OfferState.CONNECTED
    return CallCard(
        call_id=call.id,
        line=desk.line,
        language=language_words(call.language),
        danger=call.danger,
        connected=connected,
        held=call.held_at is not None,
        muted=offer.muted_at is not None,
        lost=offer.lost_at is not None,
        long=offer.carried_at is not None,
        advice=_advice(back),
        seconds=_seconds(offer.connected_at if connected else offer.accepted_at, now),
    )


def waiting_row(call: WaitingCall, now: datetime) -> WaitingRow:
    """Return the row of a waiting caller. It says the priority in words, not only in colour."""
    priority = "in danger" if call.danger else "was cut off" if call.returned else ""
    if call.back:
        priority = "call-back"
    return WaitingRow(
        line=call.line,
        language=language_words(call.language),
        seconds=_seconds(call.queued_at, now),
        priority=priority,
        being_offered=call.being_offered,
    )


@dataclass(frozen=True)
class CallbackRow:
    """A promised call-back, with its window and the seconds since it was agreed."""

    id: UUID
    call_id: UUID
    line: str
    language: str
    when: str
    only: bool
    tries: int
    trying: bool
    given_up: bool
    # The call-back was answered, and the counsellor has not said by whom.
    spoken: bool
    late: bool
    waits: int


def callback_row(row: Callback, line: str, zone: str, now: datetime) -> CallbackRow:
    begin, end = (at.astimezone(ZoneInfo(zone)) for at in (row.window_from, row.window_until))
    until = f"{end:%H:%M}" if begin.date() == end.date() else f"{end:%a %d %b %H:%M}"
    return CallbackRow(
        row.id,
        row.call_id,
        line,
        language_words(row.language),
        f"{begin:%a %d %b %H:%M}–{until}",
        row.who == "caller",
        row.tries,
        row.state == "trying",
        row.state == "given_up",
        row.state == "spoken",
        row.window_until < now and row.state != "spoken",
        _seconds(row.agreed_at, now),
    )


def message_row(message: VoiceMessage, names: dict[UUID, str], now: datetime) -> MessageRow:
    return MessageRow(
        id=message.id,
        call_id=message.call_id,
        at=message.created_at.isoformat(),
        seconds=message.seconds or 0,
        ready=message.state == "imported",
        owner=names.get(message.owner_id, "") if message.owner_id else "",
        waits=_seconds(message.created_at, now),
    )
