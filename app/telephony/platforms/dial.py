"""A platform without conferences: the caller's own leg dials the counsellor (Somleng).

It executes few verbs, reports only the end of a leg, and its lists ignore filters: they hold all
calls, the newest first.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from app.abilities import Ability
from app.calls.models import Call
from app.calls.states import Direction
from app.routing.models import Offer
from app.telephony import steps as plain
from app.telephony.answers import Answer, Dial, RingsAgain
from app.telephony.platforms import dialling
from app.telephony.platforms.base import CannotDo, Platform, only
from app.telephony.provider.client import LIVE, NEWEST, PAGE, ProviderLeg, instant, legs_of
from app.telephony.steps import Step
from app.work import Work

# A caller's leg asks again after N seconds: a counsellor may be there.
_ASKS_AGAIN_AFTER = 4
# No call is longer than this.
_LONGEST_CALL = timedelta(hours=24)


class DialPlatform(Platform):
    """The caller's leg asks for words every few seconds, and gets a dial when it is time."""

    # A rule for repeating a request would be ignored, and signed as part of the address.
    recordings = ("wav", "audio/wav")

    def executable(self, steps: list[Step]) -> list[Step]:
        """Return the steps without pause and waiting room.

        A pause becomes a silent wait for a key: it takes as long, and when it has run out the
        platform asks us again.
        """
        made: list[Step] = []
        for step, following in zip(steps, [*steps[1:], None], strict=False):
            match step:
                case plain.Pause():
                    if isinstance(following, plain.GoTo):
                        seconds = min(step.seconds, _ASKS_AGAIN_AFTER)
                        made.append(plain.Ask([], following.path, seconds))
                case plain.Ask():
                    made.append(replace(step, spoken=_short(step.spoken)))
                case plain.Wait():
                    made.append(plain.GoTo(step.hears))
                case plain.Leave():
                    made.append(plain.GoTo(step.then))
                case _:
                    made.append(step)
        return made

    async def connect(self, work: Work, call: Call, offer: Offer, sid: str) -> Answer:
        """Free the counsellor's phone, so that the caller's leg can dial it.

        A call-back is dialled from the counsellor's own leg.
        """
        await dialling.note_pressed(work, offer, sid)
        if call.direction == Direction.OUTBOUND:
            return await dialling.dial_callback(work, call, offer)
        return RingsAgain()

    async def reach(self, work: Work, call: Call) -> Dial | None:
        return await dialling.dial_now(work, call)

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
        """Ring an address; the platform knows neither a limit of seconds nor machines."""
        leg = await self.ask(
            lambda c: c.calls.create(
                to=to,
                from_=from_,
                url=self.document_address(document),
                method="POST",
                status_callback=self.callback(told),
            )
        )
        return str(leg.sid)

    async def add(self, conference: str, **how: Any) -> str:
        raise CannotDo(Ability.ADD)

    async def hold(self, conference_sid: str, sid: str, *, held: bool, music: str) -> None:
        raise CannotDo(Ability.HOLD)

    async def is_held(self, conference_sid: str, sid: str) -> bool:
        raise CannotDo(Ability.HOLD)

    async def mute(
        self, conference_sid: str, sid: str, *, muted: bool, coach: str | None = None
    ) -> None:
        raise CannotDo(Ability.MUTE)

    async def set_end_on_exit(self, conference_sid: str, sid: str, *, ends: bool) -> None:
        raise CannotDo(Ability.ASK_BY_KEY)

    async def participants(self, conference_sid: str) -> dict[str, str]:
        raise CannotDo(Ability.SHOW_TALKS)

    async def find_conference(self, name: str) -> str | None:
        return None

    async def live_legs(self) -> list[ProviderLeg]:
        newest = await self.ask(lambda c: legs_of(c.calls.list(limit=1000, page_size=1000)))
        return [leg for leg in newest if leg.status in LIVE]

    async def ended_rings(self, since: datetime, until: datetime) -> list[ProviderLeg]:
        found = await self.ask(
            lambda c: legs_of(list(_until_older(c.calls.stream(page_size=PAGE), since)))
        )
        return [leg for leg in found if leg.rang_in(since, until)]

    async def find_leg(self, *, to: str, since: datetime, known: set[str]) -> str | None:
        newest = await self.ask(lambda c: legs_of(c.calls.list(limit=NEWEST, page_size=NEWEST)))
        found = [
            leg.sid
            for leg in newest
            if leg.to == to and leg.direction == "outbound-api" and leg.since >= since
        ]
        return only(found, known)

    async def find_message(self, *, to: str, since: datetime, known: set[str]) -> str | None:
        newest = await self.ask(lambda c: c.messages.list(limit=NEWEST, page_size=NEWEST))
        found = [str(one.sid) for one in newest if one.to == to and _sent_since(one, since)]
        return only(found, known)


def _short(spoken: list[plain.Spoken]) -> list[plain.Spoken]:
    """Drop the pauses and play the sound once: the caller's leg has to ask again soon."""
    once = plain.WaitingSound(1)
    return [
        once if isinstance(part, plain.WaitingSound) else part
        for part in spoken
        if not isinstance(part, plain.Pause)
    ]


def _until_older(found: Any, since: datetime) -> Iterator[Any]:
    """Yield the calls of a list, newest first, as long as one can have ended after `since`."""
    for call in found:
        began = instant(call.date_created)
        if began is not None and began < since - _LONGEST_CALL:
            return
        yield call


def _sent_since(message: Any, since: datetime) -> bool:
    at = instant(message.date_sent or message.date_created)
    return at is not None and at >= since
