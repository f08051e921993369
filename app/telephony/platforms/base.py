"""The contract of a telephony platform: what the program asks of it, and what it may refuse.

A platform says what it can do in `abilities`. A verb that needs an ability which the platform does
not have raises `CannotDo` and sends nothing; areas ask for the ability first and refuse in words.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from app.abilities import Ability
from app.calls.models import Call
from app.outbox.responses import Refused
from app.routing.models import Offer
from app.telephony.answers import Answer, Dial
from app.telephony.provider.client import Provider, ProviderLeg
from app.telephony.steps import Step
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
        label: str,
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
