"""A platform with conferences: caller, counsellor and others meet in one (Twilio)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from app.calls.labels import AnyLabel
from app.calls.models import Call
from app.retention.data_requests.kinds import Copy, CopyKind
from app.routing.models import Offer
from app.telephony.answers import Answer, Dial, JoinCounsellor, Wait, Whisper
from app.telephony.messaging.whatsapp.carrier import CARRIER as WHATSAPP
from app.telephony.platforms.base import Platform, only
from app.telephony.provider.client import LIVE, PAGE, ProviderLeg, legs_of
from app.telephony.steps import WAITING_ROOM, Join, Step
from app.work import Work

_LEG_EVENTS = ["initiated", "ringing", "answered", "completed"]
_CONFERENCE_EVENTS = ["start", "end", "join", "leave", "hold", "mute"]
# From this rate of calls a second on, no leg has to wait.
_UNLIMITED = 50.0
# The largest queue that the provider has; its own default is a hundred.
LARGEST_QUEUE = 5000


class ConferencePlatform(Platform):
    """The counsellor enters the conference first; then the caller is fetched into it."""

    # A request that failed is repeated. A document is asked for three times within its fifteen
    # seconds, because a caller waits for it; a callback can take longer.
    document_again = "#rc=2&rp=ct,rt,5xx&ct=1500&rt=4500&tt=14500"
    callback_again = "#rc=3&rp=ct,rt,5xx&ct=2000&rt=5000"
    recording_events: ClassVar = {"recording_status_callback_event": "completed absent"}

    def executable(self, steps: list[Step]) -> list[Step]:
        return steps

    async def connect(self, work: Work, call: Call, offer: Offer, sid: str) -> Answer:
        return JoinCounsellor(offer_id=offer.id, room_id=offer.room)

    async def reach(self, work: Work, call: Call) -> Dial | None:
        return None

    def wait(self, *, entry: int, step: int) -> Wait:
        return Wait(entry=entry, step=step)

    def whisper(self, *, attempt: int, again: bool, proof: bool) -> Whisper:
        return Whisper(attempt=attempt, again=again, proof=proof)

    def enter(self, room: UUID, label: AnyLabel, then: str) -> Join | None:
        return Join(room, label, then, ends_for_all=False, star_ends=False)

    @property
    def legs_a_second(self) -> float | None:
        rate = self.settings.calls_per_second
        return rate if rate < _UNLIMITED else None

    async def set_up_waiting_room(self) -> int | None:
        await self.set_queue_size(WAITING_ROOM, LARGEST_QUEUE)
        return LARGEST_QUEUE

    async def find_copies(self, numbers: list[str], calls: Collection[str] = ()) -> list[Copy]:
        found: list[Copy] = []
        for number in numbers:
            found += await self.calls_with(number)
            # The provider lists what came by WhatsApp under an address of its own.
            for address in (number, WHATSAPP.prefix + number):
                found += await self.messages_with(address)
        listed = [one.sid for one in found if one.kind is CopyKind.CALL]
        for sid in dict.fromkeys([*calls, *listed]):
            found += await self.copies_of_call(sid)
        return found

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
        more = {"machine_detection": "Enable"} if tell_machines else {}
        leg = await self.ask(
            lambda c: c.calls.create(
                to=to,
                from_=from_,
                url=self.document_address(document),
                method="POST",
                status_callback=self.callback(told),
                status_callback_event=_LEG_EVENTS,
                timeout=seconds,
                **more,
            )
        )
        return str(leg.sid)

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
        more: dict[str, Any] = {"coaching": True, "call_sid_to_coach": coach} if coach else {}
        if heard is not None:
            more |= {"machine_detection": "Enable", "amd_status_callback": self.callback(heard)}
        participant = await self.ask(
            lambda c: c.conferences(conference).participants.create(
                to=to,
                from_=from_,
                label=label,
                timeout=seconds,
                muted=muted,
                beep="false",
                early_media=False,
                start_conference_on_enter=True,
                end_conference_on_exit=ends,
                wait_url=self.document_address(hold),
                status_callback=self.callback(told),
                status_callback_event=_LEG_EVENTS,
                conference_status_callback=self.callback(conference_told),
                conference_status_callback_event=_CONFERENCE_EVENTS,
                **more,
            )
        )
        return str(participant.call_sid)

    async def hold(self, conference_sid: str, sid: str, *, held: bool, music: str) -> None:
        await self._update(
            conference_sid,
            sid,
            hold=held,
            hold_url=self.document_address(music),
            hold_method="POST",
        )

    async def is_held(self, conference_sid: str, sid: str) -> bool:
        found = await self.ask(lambda c: c.conferences(conference_sid).participants(sid).fetch())
        return bool(found.hold)

    async def mute(
        self, conference_sid: str, sid: str, *, muted: bool, coach: str | None = None
    ) -> None:
        more = {"call_sid_to_coach": coach} if coach is not None else {}
        await self._update(conference_sid, sid, muted=muted, coaching=coach is not None, **more)

    async def set_end_on_exit(self, conference_sid: str, sid: str, *, ends: bool) -> None:
        await self._update(conference_sid, sid, end_conference_on_exit=ends)

    async def _update(self, conference_sid: str, sid: str, **changes: Any) -> None:
        await self.ask(lambda c: c.conferences(conference_sid).participants(sid).update(**changes))

    async def participants(self, conference_sid: str) -> dict[str, str]:
        found = await self.ask(lambda c: c.conferences(conference_sid).participants.list(limit=50))
        return {str(p.call_sid): str(p.label or "") for p in found if p.status == "connected"}

    async def find_conference(self, name: str) -> str | None:
        found = await self.ask(lambda c: c.conferences.list(friendly_name=name, limit=20))
        return next((str(c.sid) for c in found if c.status != "completed"), None)

    async def live_legs(self) -> list[ProviderLeg]:
        return await self.ask(
            lambda c: [
                leg
                for status in LIVE
                for leg in legs_of(c.calls.list(status=status, limit=1000, page_size=1000))
            ]
        )

    async def ended_rings(self, since: datetime, until: datetime) -> list[ProviderLeg]:
        found = await self.ask(
            lambda c: legs_of(
                list(c.calls.stream(end_time_after=since, end_time_before=until, page_size=PAGE))
            )
        )
        return [leg for leg in found if leg.rang_in(since, until)]

    async def find_leg(self, *, to: str, since: datetime, known: set[str]) -> str | None:
        found = await self.ask(
            lambda c: legs_of(c.calls.list(to=to, start_time_after=since, limit=20))
        )
        return only([leg.sid for leg in found], known)

    async def find_message(self, *, to: str, since: datetime, known: set[str]) -> str | None:
        found = await self.ask(lambda c: c.messages.list(to=to, date_sent_after=since, limit=20))
        return only([str(one.sid) for one in found], known)
