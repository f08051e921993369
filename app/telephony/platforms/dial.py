"""A platform without conferences: the caller's own leg dials the counsellor (Somleng).

It executes few verbs, reports only the end of a leg, and its lists ignore filters: they hold all
calls, the newest first.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.abilities import Ability
from app.calls.labels import AnyLabel
from app.calls.models import Call
from app.calls.states import Direction
from app.jobs.names import Task
from app.retention.data_requests.kinds import Copy
from app.routing.models import Offer
from app.telephony import steps as plain
from app.telephony.answers import Answer, Dial, RingsAgain, Wait, Whisper
from app.telephony.platforms import dialling
from app.telephony.platforms.base import CannotDo, Platform, only
from app.telephony.provider.client import LIVE, NEWEST, PAGE, ProviderLeg, instant, legs_of
from app.telephony.provider.signature import Signed
from app.telephony.script import Scene
from app.telephony.silence import is_silent
from app.telephony.steps import Join, Step
from app.work import Work

# Seconds after which a caller's leg asks again: a counsellor may be there.
_ASKS_AGAIN_AFTER = 4
# No call is longer than this.
_LONGEST_CALL = timedelta(hours=24)


class DialPlatform(Platform):
    """The caller's leg asks for words every few seconds, and gets a dial when it is time."""

    # A rule for repeating a request would be ignored, and signed as part of the address.
    recordings = ("wav", "audio/wav")

    def executable(self, steps: list[Step]) -> list[Step]:
        """Return the steps without pause, waiting room and key on a phone that is rung.

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
                case plain.Ring():
                    made.append(replace(step, screen=""))
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

    def wait(self, *, entry: int, step: int) -> Wait:
        return Wait(entry=entry, step=step, short=True)

    def whisper(self, *, attempt: int, again: bool, proof: bool) -> Whisper:
        return Whisper(attempt=attempt, again=again, dialled=True, proof=proof)

    def enter(self, room: UUID, label: AnyLabel, then: str) -> Join | None:
        return None

    # -- what follows a dial ------------------------------------------------------------------

    async def is_stale(self, work: Work, answer: Answer) -> bool:
        return await dialling.is_stale(work, answer)

    async def with_address(self, work: Work, answer: Answer, scene: Scene | None) -> Scene | None:
        return await dialling.with_address(work, answer, scene)

    def repeated(self, signed: Signed) -> str:
        return dialling.result_in_address(signed)

    async def has_begun_again(self, work: Work, call: Call) -> None:
        await dialling.leave_counsellor(work, call)

    def rings_partner(self, work: Work, call: Call) -> None:
        dialling.watch_partner(work, call)

    def partner_left(self, work: Work, call: Call, signed: Signed) -> None:
        dialling.note_partner(work, call, signed)

    async def is_fetched(self, work: Work, call: Call) -> bool:
        # The caller's own leg asks for the next document as soon as its dial is over.
        return await is_silent(work, call)

    async def pressed_leg_over(self, work: Work, call: Call, offer: Offer, at: datetime) -> bool:
        await dialling.pressed_leg_over(work, call, offer, at)
        return True

    def follows(self, work: Work, offer: Offer) -> bool:
        work.defer(Task.SETTLE_DIALLED, offer_id=str(offer.id))
        return True

    def holds_no_message(self, signed: Signed) -> bool:
        # Silence is recorded, too.
        return signed.fields.get("RecordingDuration") == "0"

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

    # -- at the provider ----------------------------------------------------------------------

    @property
    def legs_a_second(self) -> float | None:
        return None

    async def set_up_waiting_room(self) -> int | None:
        return None

    async def keep_flow(self, name: str, definition: dict[str, Any]) -> str:
        raise CannotDo(Ability.FLOWS)

    async def find_copies(self, numbers: list[str], calls: Collection[str] = ()) -> list[Copy]:
        raise CannotDo(Ability.DELETE_COPIES)

    async def delete_recording(self, recording_sid: str) -> None:
        raise CannotDo(Ability.DELETE_RECORDINGS)

    # -- lists --------------------------------------------------------------------------------

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
