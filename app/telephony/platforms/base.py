"""The contract of a telephony platform: what the program asks of it, and what it may refuse.

A platform says what it can do in `abilities`. A verb that needs an ability which the platform does
not have sends nothing: it raises `CannotDo`, or returns None where the platform has none of what it
asks for. Areas below this edge ask for the ability first, in `app/calls/platform.py`, and refuse in
words; at this edge the platform itself decides.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from app.abilities import Ability
from app.calls.labels import AnyLabel
from app.calls.models import Call
from app.outbox.responses import Refused
from app.retention.data_requests.kinds import Copy
from app.routing.models import Offer
from app.telephony.answers import Answer, Dial, Wait, Whisper
from app.telephony.provider.client import Provider, ProviderLeg
from app.telephony.provider.signature import Signed
from app.telephony.script import Scene
from app.telephony.steps import Join, Step
from app.work import Work


class CannotDo(Refused):
    """The platform does not have the ability that a verb needs."""

    def __init__(self, ability: Ability) -> None:
        super().__init__(f"the platform cannot {ability.value}")


class Platform(Provider, ABC):
    """A telephony platform. `Provider` holds the requests that are the same everywhere."""

    # What a recording's callback is asked to report, besides its end.
    recording_events: ClassVar[Mapping[str, str]] = {}

    def need(self, ability: Ability) -> None:
        """Raise CannotDo if the platform does not have the ability."""
        if not self.abilities.can(ability):
            raise CannotDo(ability)

    # -- documents -----------------------------------------------------------------------------

    @abstractmethod
    def executable(self, steps: list[Step]) -> list[Step]:
        """Return the same steps in terms that the platform executes."""

    # -- a caller and a counsellor -------------------------------------------------------------

    @abstractmethod
    async def connect(self, work: Work, call: Call, offer: Offer, sid: str) -> Answer:
        """Return what a counsellor's phone hears that has pressed 1: the way into the talk.

        `sid` is the leg of that phone. Call and offer are locked, and the offer is accepted.
        """

    @abstractmethod
    async def reach(self, work: Work, call: Call) -> Dial | None:
        """Return the answer by which a waiting caller's leg reaches the counsellor who is there.

        None where the caller is fetched, or while no counsellor is ready.
        """

    @abstractmethod
    def wait(self, *, entry: int, step: int) -> Wait:
        """Return the next words of a wait; short ones where a document cannot be interrupted."""

    @abstractmethod
    def whisper(self, *, attempt: int, again: bool, proof: bool) -> Whisper:
        """Return the question to a counsellor's phone: key 1 takes the call."""

    @abstractmethod
    def enter(self, room: UUID, label: AnyLabel, then: str) -> Join | None:
        """Return the step by which a phone that hears a document of ours enters a talk.

        None where it cannot be done.
        """

    # -- what documents lead to: nothing more has to be done, unless they dial ------------------

    async def is_stale(self, work: Work, answer: Answer) -> bool:
        """Return whether an earlier answer may not be given again, because its offer is over."""
        return False

    async def with_address(self, work: Work, answer: Answer, scene: Scene | None) -> Scene | None:
        """Return the scene with the address that an answer rings, which is kept in no log."""
        return scene

    def repeated(self, signed: Signed) -> str:
        """Return what the address of a repeated request has to say, which its fields do not."""
        return ""

    async def has_begun_again(self, work: Work, call: Call) -> None:
        """Put the record right before a caller who is already on the line starts over."""

    def rings_partner(self, work: Work, call: Call) -> None:
        """Follow the partner's phone, which the caller's next document rings."""

    def partner_left(self, work: Work, call: Call, signed: Signed) -> None:
        """Note what the end of the ring at the partner's phone says about the talk there."""

    async def is_fetched(self, work: Work, call: Call) -> bool:
        """Return whether a caller who waits again has to be fetched by a request."""
        return True

    async def pressed_leg_over(self, work: Work, call: Call, offer: Offer, at: datetime) -> bool:
        """Handle the end of a leg in which the counsellor pressed 1.

        Return whether that is all: the end of the leg is not the end of the talk.
        """
        return False

    def follows(self, work: Work, offer: Offer) -> bool:
        """Have the talk of an accepted offer looked for, if no conference can be asked for it.

        Return whether that was done.
        """
        return False

    def holds_no_message(self, signed: Signed) -> bool:
        """Return whether a recording of a voice message has not a word in it."""
        return False

    # -- at the provider -----------------------------------------------------------------------

    @property
    @abstractmethod
    def legs_a_second(self) -> float | None:
        """How many legs the account may begin in a second; None if that is not limited."""

    @abstractmethod
    async def set_up_waiting_room(self) -> int | None:
        """Set up the provider's queue. Return how many callers it takes; None without one."""

    @abstractmethod
    async def find_copies(self, numbers: list[str], calls: Collection[str] = ()) -> list[Copy]:
        """Return the provider's records of calls and texts with these numbers, and the recordings
        and legs that belong to those and to `calls`: ids of the provider. One may come twice."""

    # -- requests ------------------------------------------------------------------------------

    @abstractmethod
    async def ring(
        self,
        *,
        to: str,
        from_: str,
        document: str,
        told: str,
        seconds: int,
        tell_machines: bool = False,
    ) -> str:
        """Ring an address; the phone that answers hears a document of ours. Return the leg's id.

        `tell_machines`: the document is told whether a person or a machine has answered, where
        the platform can tell.
        """

    @abstractmethod
    async def add(
        self,
        conference: str,
        *,
        to: str,
        from_: str,
        label: AnyLabel,
        told: str,
        conference_told: str,
        hold: str,
        seconds: int,
        muted: bool = False,
        coach: str | None = None,
        ends: bool = False,
        heard: str | None = None,
    ) -> str:
        """Ring a participant straight into a conference. Return the id of their leg.

        `coach`: the only leg that hears them. `ends`: when they leave, the conference is over for
        all. `heard`: the path that is told whether a person or a machine answered; the talk begins
        before that.
        """

    @abstractmethod
    async def hold(self, conference_sid: str, sid: str, *, held: bool, music: str) -> None:
        """Hold a participant, or resume."""

    @abstractmethod
    async def is_held(self, conference_sid: str, sid: str) -> bool:
        """Return whether a participant is on hold."""

    @abstractmethod
    async def mute(
        self, conference_sid: str, sid: str, *, muted: bool, coach: str | None = None
    ) -> None:
        """Set whether a participant is heard by all, by one leg, or not at all."""

    @abstractmethod
    async def set_end_on_exit(self, conference_sid: str, sid: str, *, ends: bool) -> None:
        """Set whether a conference ends for all when this participant leaves."""

    @abstractmethod
    async def participants(self, conference_sid: str) -> dict[str, str]:
        """Return the legs in a conference, ids with labels; without those that are still rung."""

    @abstractmethod
    async def find_conference(self, name: str) -> str | None:
        """Return the id of the live conference of that name, even if only one person is in it."""

    # -- lists ---------------------------------------------------------------------------------

    @abstractmethod
    async def live_legs(self) -> list[ProviderLeg]:
        """Return all legs that ring or talk on our account now, the newest thousand of each."""

    @abstractmethod
    async def ended_rings(self, since: datetime, until: datetime) -> list[ProviderLeg]:
        """Return the inbound legs that ended in `[since, until]`, all pages of them."""

    @abstractmethod
    async def find_leg(self, *, to: str, since: datetime, known: set[str]) -> str | None:
        """Return the one unknown leg to an address since then, by id; None if not exactly one."""

    @abstractmethod
    async def find_message(self, *, to: str, since: datetime, known: set[str]) -> str | None:
        """Return the one unknown SMS to a number since then, by id; None if not exactly one."""


def only(sids: list[str], known: set[str]) -> str | None:
    """Return the one id that is not known; None if there is not exactly one."""
    new = [sid for sid in sids if sid not in known]
    return new[0] if len(new) == 1 else None
