"""What the team page shows of each person. The values are made only here."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.abilities import EndpointKind
from app.calls.log_kinds import Cause
from app.dashboard.views import STATE_WORDS, language_words
from app.routing import telephones
from app.routing.models import PresenceState, TelephoneState
from app.routing.rota.on_duty import OnShift
from app.routing.supervision.team import TeamMember
from app.words.pages import N_, _, code_words, list_words, said

# What a supervisor may choose for another person, and the words of the choice.
CHOICES = (
    (PresenceState.AVAILABLE, N_("Available")),
    (PresenceState.BREAK, N_("On a break")),
    (PresenceState.OFF_DUTY, N_("Off duty")),
)
_TELEPHONES = {
    EndpointKind.CLIENT: N_("a program"),
    EndpointKind.PHONE: N_("a phone"),
    EndpointKind.SIP: N_("a SIP phone"),
}
_WELL = (TelephoneState.READY, TelephoneState.RINGING, TelephoneState.TALKING)
_BUSY = (PresenceState.OFFERED, PresenceState.ON_CALL)
# The browser did not answer, so the counsellor's second phone rings, or has the call.
_AT_TELEPHONE = (Cause.TELEPHONE_RINGS_INSTEAD, Cause.TAKEN_AT_TELEPHONE)
PRESENT = (
    PresenceState.AVAILABLE,
    PresenceState.OFFERED,
    PresenceState.ON_CALL,
    PresenceState.WRITING,
    PresenceState.WRAP_UP,
    PresenceState.BREAK,
)


@dataclass(frozen=True)
class PersonRow:
    id: UUID
    name: str
    state: str
    state_words: str
    # Since when they are in it. The page counts on by itself, so it makes no other row.
    seconds: int = field(compare=False)
    # What they are in: a line, a colleague's talk, or why they are away.
    about: str
    practice: bool
    training: bool
    telephone: str
    telephone_well: bool
    missed: int
    # Their written conversations now, and how many they can have at once.
    conversations: int
    at_once: int
    languages: str
    on_shift: bool
    # They are signed in for duty.
    present: bool
    after_call: str

    @property
    def worries(self) -> bool:
        """Return whether a person who should get calls gets none."""
        if self.state == PresenceState.AVAILABLE:
            # Without a telephone, children can still write to them.
            return not self.telephone_well and not self.at_once
        return self.state == PresenceState.AWAY or (self.on_shift and not self.present)


def person_row(person: TeamMember, shifts: dict[UUID, OnShift], now: datetime) -> PersonRow:
    """Return one person of the team as the grid shows them."""
    presence, staff = person.presence, person.staff
    state = PresenceState(presence.state) if presence else PresenceState.OFF_DUTY
    since = presence.since if presence else None
    words, well = _telephone(person)
    after = presence.after_call if presence else None
    return PersonRow(
        id=staff.id,
        name=staff.name,
        state=state.value,
        state_words=_("In a colleague's talk") if person.helps else said(STATE_WORDS[state]),
        seconds=max(0, int((now - since).total_seconds())) if since else 0,
        about=_about(person, state),
        practice=person.practice,
        training=staff.training,
        telephone=words,
        telephone_well=well,
        missed=person.missed,
        conversations=person.conversations,
        at_once=staff.chats_at_once,
        languages=list_words(language_words(code) for code in staff.languages)
        or _("all languages"),
        on_shift=staff.id in shifts,
        present=state in PRESENT,
        after_call=said(STATE_WORDS[PresenceState(after)]) if after else "",
    )


def _about(person: TeamMember, state: PresenceState) -> str:
    if person.line is not None:
        return person.line
    if state is PresenceState.AWAY and person.presence is not None:
        return code_words(person.presence.cause)
    return ""


def _telephone(person: TeamMember) -> tuple[str, bool]:
    """Return what rings, and whether it can."""
    presence = person.presence
    if presence is not None and presence.state in _BUSY and presence.cause in _AT_TELEPHONE:
        return code_words(presence.cause), True
    kind = EndpointKind(person.staff.endpoint_kind)
    if kind is not EndpointKind.BROWSER:
        return said(_TELEPHONES[kind]), True
    state = person.telephone or TelephoneState.OFF
    return said(telephones.WORDS[state]), state in _WELL
