"""The small view values that the pages show. They are made only here."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from app.calls.caller_rows import WishKind
from app.calls.callers import History
from app.calls.log_kinds import Cause
from app.calls.models import VoiceMessage
from app.calls.states import Direction, MessageState
from app.chats.left.answering import Left
from app.contacts.models import Contact
from app.routing import telephones
from app.routing.callbacks.callback_rows import Callback, CallbackState
from app.routing.callbacks.choices import Who
from app.routing.in_hand import Conversation, InHand
from app.routing.models import OfferState, PresenceState, TelephoneState
from app.routing.waiting.places_in_queue import WaitingCall
from app.words.pages import N_, _, code_words, instant_words, language_name, said

STATE_WORDS = {
    PresenceState.OFF_DUTY: N_("Off duty"),
    PresenceState.AVAILABLE: N_("Available"),
    PresenceState.OFFERED: N_("Ringing"),
    PresenceState.ON_CALL: N_("On a call"),
    PresenceState.WRITING: N_("Writing with children"),
    PresenceState.WRAP_UP: N_("Writing up"),
    PresenceState.BREAK: N_("On a break"),
    PresenceState.AWAY: N_("Away"),
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
    practice: bool


@dataclass(frozen=True)
class ChatOfferCard:
    """A conversation that is offered: it rings like a call, and looks and sounds apart from one."""

    id: UUID
    line: str
    language: str
    danger: bool
    returned: bool
    waited: int
    seconds_left: int
    # What the child wrote speaks of danger, and which words: a suggestion.
    alarming: bool = False
    danger_words: str = ""


@dataclass(frozen=True)
class CallCard:
    call_id: UUID
    line: str
    language: str
    danger: bool
    connected: bool
    # Put on hold, and whether the provider says so.
    held: bool
    on_hold: bool
    # While the caller is on hold, another participant talks with the counsellor.
    aside: bool
    muted: bool
    # Taken at the counsellor's second phone, because the browser did not answer.
    at_telephone: bool
    # The line to the counsellor was lost, and their phone rings again.
    lost: bool
    # The talk has nearly reached the platform's limit, and moves to new legs.
    long: bool
    advice: str
    seconds: int
    practice: bool

    @property
    def microphone_off(self) -> bool:
        """Return whether the page must be silent: nothing that it says is for the caller.

        Between the wish to hold and the provider's word the caller could still hear it. Once the
        caller is on hold, a colleague who was asked first must hear it.
        """
        under_way = self.held != self.on_hold
        return self.muted or under_way or (self.held and not self.aside)


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
    # Why no call is offered although the counsellor is available: their telephone.
    telephone: str = ""
    # A supervisor set the state, and not the counsellor.
    by_supervisor: bool = False


@dataclass(frozen=True)
class KeyQuestion:
    """A question to a caller who cannot speak."""

    code: str
    # For the counsellor; then what the caller hears, in the language of the call.
    words: str
    heard: str
    language: str
    recorded: bool


@dataclass(frozen=True)
class CallerCard:
    """What is known of a caller. It holds neither an identity nor the reason of a flag."""

    # How often this number has called before.
    before: int
    last: str | None
    flags: list[str]
    contacts: list[tuple[UUID, str, str]]
    others: int
    # What the caller asked for: whom, and never whom.
    wishes: list[tuple[str, str]]
    # The contact at hand, and how many earlier ones may be opened for a reason.
    contact_id: UUID | None
    closed: int


@dataclass(frozen=True)
class WaitingRow:
    call_id: UUID
    line: str
    language: str
    seconds: int
    priority: str
    being_offered: bool
    # What a child wrote speaks of danger, and which words, if the reader may read them.
    alarming: bool = False
    danger_words: str = ""


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


@dataclass(frozen=True)
class LeftRow:
    """A message that a child left in writing, in the inbox."""

    call_id: UUID
    line: str
    language: str
    danger: bool
    # Words in it speak of danger.
    alarming: bool
    danger_words: str
    at: str
    answered: bool
    owner: str
    waits: int
    # The child has the code, or a carrier brings it the answer.
    answerable: bool
    # By what the child wrote, if not on the page.
    channel: str


def caller_card(
    history: History,
    readable: list[Contact],
    others: int,
    wishes: list[tuple[WishKind, str]],
    contact: Contact | None,
    closed: int,
) -> CallerCard:
    return CallerCard(
        history.calls,
        history.last_at.isoformat() if history.last_at else None,
        [flag.value for flag in sorted(history.flags)],
        [(c.id, c.code, c.headline or "") for c in readable],
        others,
        [(kind.value, name) for kind, name in wishes],
        contact.id if contact else None,
        closed,
    )


def language_words(code: str | None) -> str:
    """Return the name of a caller's language, in the reader's language."""
    return language_name(code) if code else _("not chosen")


def _seconds(since: datetime | None, now: datetime) -> int:
    return max(0, int((now - since).total_seconds())) if since else 0


def desk_view(
    desk: InHand,
    contact: Contact | None,
    now: datetime,
    on_phone: bool,
    limit: int,
    back: Callback | None = None,
    aside: bool = False,
) -> DeskView:
    """Return the counsellor's own part of the desk.

    `aside`: while the caller is on hold, another participant talks with the counsellor.
    """
    presence = desk.presence
    state = PresenceState(presence.state) if presence else PresenceState.OFF_DUTY
    until = presence.until_at if presence else None
    far = desk.shift_ends_at is None or desk.shift_ends_at.year > 9000
    return DeskView(
        state=state.value,
        words=said(STATE_WORDS[state]),
        cause=code_words(presence.cause) if presence and state is PresenceState.AWAY else "",
        seconds=_seconds(presence.since, now) if presence else 0,
        seconds_left=max(0, int((until - now).total_seconds())) if until else None,
        after_call=presence.after_call if presence else None,
        on_shift=desk.shift_ends_at is not None,
        shift_ends=None if far or not desk.shift_ends_at else desk.shift_ends_at.isoformat(),
        offer=_offer_card(desk, now, on_phone, limit, back) if desk.ringing else None,
        call=_call_card(desk, now, back, aside) if desk.offer and not desk.ringing else None,
        contact=_contact_card(contact) if contact and _writing(desk, state) else None,
        telephone=_telephone(desk, on_phone),
        by_supervisor=presence is not None and presence.cause == Cause.SUPERVISOR_CHOICE,
    )


def _telephone(desk: InHand, on_phone: bool) -> str:
    presence, state = desk.presence, desk.telephone
    if on_phone or presence is None or presence.state != PresenceState.AVAILABLE:
        return ""
    return "" if state is TelephoneState.READY else said(telephones.WORDS[state])


def _writing(desk: InHand, state: PresenceState) -> bool:
    # Only during the talk and just after it: a key must never close an older draft.
    return state is PresenceState.WRAP_UP or (desk.offer is not None and not desk.ringing)


def _contact_card(contact: Contact) -> ContactCard:
    return ContactCard(
        contact.id, contact.code, contact.headline or "", contact.urgency is not None
    )


# What a counsellor has to know before a phone at the child's home is answered.
_BACK_ADVICE = {
    "caller": N_(
        "Only the child may know of this call. Do not mention the helpline until you know "
        "who has answered. If it is not the child, say that you have dialled a wrong number, "
        "and hang up."
    ),
    "anyone": N_(
        "Anyone at home may answer. Ask for the child by name if you know it. Say who you "
        "are when the child is on the line, or if you are asked."
    ),
}


def _advice(back: Callback | None) -> str:
    return said(_BACK_ADVICE[back.who]) if back is not None else ""


def _offer_card(
    desk: InHand, now: datetime, on_phone: bool, limit: int, back: Callback | None
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
        back=call.direction == Direction.OUTBOUND,
        advice=_advice(back),
        waited=_seconds(call.queued_at, now),
        seconds_left=max(0, int((offer.expires_at - now).total_seconds())),
        limit=limit,
        on_phone=on_phone or offer.second_at is not None,
        practice=desk.practice,
    )


def chat_offer_card(one: Conversation, words: str, now: datetime) -> ChatOfferCard:
    """Return the card of an offered conversation. `words`: those that speak of danger."""
    return ChatOfferCard(
        id=one.offer.id,
        line=one.line,
        language=language_words(one.call.language),
        danger=one.call.danger,
        returned=one.call.returned > 0,
        waited=_seconds(one.call.queued_at, now),
        seconds_left=max(0, int((one.offer.expires_at - now).total_seconds())),
        alarming=one.call.alarming,
        danger_words=words,
    )


def _call_card(desk: InHand, now: datetime, back: Callback | None, aside: bool) -> CallCard:
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
        on_hold=call.on_hold,
        aside=aside,
        muted=offer.muted_at is not None,
        at_telephone=offer.second_at is not None,
        lost=offer.lost_at is not None,
        long=offer.carried_at is not None,
        advice=_advice(back),
        seconds=_seconds(offer.connected_at if connected else offer.accepted_at, now),
        practice=desk.practice,
    )


# How many of the waiting callers a page lists: those who are served next. It gives the number of
# the rest: no reader goes through three hundred rows, and every open page gets them with each
# change.
WAITING_SHOWN = 20


def waiting_row(call: WaitingCall, words: str, now: datetime) -> WaitingRow:
    """Return the row of a waiting caller. It says the priority in words, not only in colour.

    `words`: those that speak of danger, if the reader may read them.
    """
    priority = _("in danger") if call.danger else _("was cut off") if call.returned else ""
    if call.back:
        priority = _("call-back")
    return WaitingRow(
        call_id=call.id,
        line=call.line,
        language=language_words(call.language),
        seconds=_seconds(call.queued_at, now),
        priority=priority,
        being_offered=call.being_offered,
        alarming=call.alarming,
        danger_words=words,
    )


@dataclass(frozen=True)
class CallbackRow:
    """An agreed call-back, with its window and the seconds since it was agreed."""

    id: UUID
    call_id: UUID
    line: str
    language: str
    when: str
    only: bool
    attempts: int
    trying: bool
    given_up: bool
    # The call-back was answered, and the counsellor has not said by whom.
    spoken: bool
    late: bool
    waits: int


def callback_row(row: Callback, line: str, zone: str, now: datetime) -> CallbackRow:
    begin, end = (at.astimezone(ZoneInfo(zone)) for at in (row.window_from, row.window_until))
    until = f"{end:%H:%M}" if begin.date() == end.date() else instant_words(end)
    return CallbackRow(
        row.id,
        row.call_id,
        line,
        language_words(row.language),
        f"{instant_words(begin)}–{until}",
        row.who == Who.CALLER,
        row.attempts,
        row.state == CallbackState.TRYING,
        row.state == CallbackState.GIVEN_UP,
        row.state == CallbackState.SPOKEN,
        row.window_until < now and row.state != CallbackState.SPOKEN,
        _seconds(row.agreed_at, now),
    )


def left_row(one: Left, names: dict[UUID, str], now: datetime) -> LeftRow:
    return LeftRow(
        call_id=one.call_id,
        line=one.line,
        language=language_words(one.language),
        danger=one.danger,
        alarming=one.alarming,
        danger_words=one.danger_words,
        at=one.left_at.isoformat(),
        answered=one.answered,
        owner=names.get(one.owner_id, "") if one.owner_id else "",
        waits=_seconds(one.left_at, now),
        answerable=one.answerable,
        channel=one.channel.value if one.channel.is_carried else "",
    )


def message_row(message: VoiceMessage, names: dict[UUID, str], now: datetime) -> MessageRow:
    return MessageRow(
        id=message.id,
        call_id=message.call_id,
        at=message.created_at.isoformat(),
        seconds=message.seconds or 0,
        ready=message.state == MessageState.IMPORTED,
        owner=names.get(message.owner_id, "") if message.owner_id else "",
        waits=_seconds(message.created_at, now),
    )
