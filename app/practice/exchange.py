"""The exchange: its numbers, its legs, and what happens to them."""

import asyncio
import contextlib
import io
import wave
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.clock import Clock
from app.practice.account import Flow
from app.practice.conferences import Conferences
from app.practice.interpreter import Interpreter
from app.practice.knobs import Knobs
from app.practice.legs import Ending, Leg
from app.practice.people import Caller, Phone
from app.practice.profiles import TWILIO, Profile
from app.practice.rooms import Message, Recording, Room
from app.practice.signal import Signal
from app.practice.speech import SILENCE, Sound, read_wav
from app.practice.switchboard import RingResult, Switchboard
from app.practice.telegram import Telegram
from app.practice.texts import Texts
from app.practice.voices import Voices
from app.practice.webhooks import Sender
from app.practice.wire import Fields, Sids, rfc2822

_GEO = ("City", "State", "Zip", "Country")
# The event words of a subscription, for each status.
_EVENT_OF = {"initiated": "initiated", "ringing": "ringing", "in-progress": "answered"}
# The provider rings longer than it was asked to, by this many seconds.
_RING_BUFFER = 5.0
# How many calls an account may begin in a second, unless it has asked for more.
CALLS_PER_SECOND = 1.0
# How fast words are spoken.
LETTERS_PER_SECOND = 15.0
# The SIP code for a browser that is not there: "temporarily unavailable".
_NOT_REGISTERED = 480
# The length that is assumed for a sound that the exchange cannot measure, in seconds.
_SOME_SOUND = 3.0


@dataclass
class Number:
    """A number of ours at the exchange, and the addresses that it calls."""

    voice_url: str
    fallback_url: str | None = None
    status_callback: str | None = None
    sms_url: str | None = None


def _seconds_of(sound: bytes) -> float:
    """Return how long a WAV file plays; for other files, a guess."""
    try:
        with wave.open(io.BytesIO(sound)) as file:
            return float(file.getnframes()) / float(file.getframerate())
    except (wave.Error, EOFError):
        return _SOME_SOUND


class Exchange:
    """One account. `faults` collects everything that the real provider would complain about."""

    def __init__(
        self,
        clock: Clock,
        account_sid: str,
        auth_token: str,
        seed: int = 1,
        profile: Profile = TWILIO,
    ) -> None:
        self.clock, self.profile = clock, profile
        self.account_sid, self.auth_token = account_sid, auth_token
        self.knobs = Knobs()
        self.faults: list[str] = []
        self.sender = Sender(auth_token, self.knobs, self.faults, profile)
        # Every REST request with its answer: method, path, form, status, body.
        self.asked: list[tuple[str, str, dict[str, list[str]], int, Any]] = []
        self.sids = Sids(seed, uuids=profile.uuids)
        self.numbers: dict[str, Number] = {}
        self.phones: dict[str, Phone] = {}
        self.legs: dict[str, Leg] = {}
        # Legs whose document waits for keys, by their sid.
        self.gathering: dict[str, Leg] = {}
        self.rooms: dict[str, Room] = {}
        self.recordings: dict[str, Recording] = {}
        self.messages: dict[str, Message] = {}
        # Calls that the account may begin in a second; further calls wait as `queued`.
        self.calls_per_second = CALLS_PER_SECOND
        self.next_slot = clock.now()
        # How fast words are spoken to a leg without sound.
        self.letters_per_second = LETTERS_PER_SECOND
        # Keys that may use the interface besides the account itself, with their secrets.
        self.api_keys: dict[str, str] = {}
        # Verified numbers that the account may show, and flows that the provider hosts for it.
        self.caller_ids: set[str] = set()
        self.flows: dict[str, Flow] = {}
        self.allows_flows = True
        # The length of each sound that a document plays, in seconds, by its address.
        self.sounds: dict[str, float] = {}
        self._recorded: dict[str, Sound] = {}
        # Only where sound is carried: see `carry_sound`.
        self.voices: Voices | None = None
        self.switchboard: Switchboard | None = None
        self.conferences = Conferences(self)
        self.texts = Texts(self)
        self.telegram = Telegram(self)
        self.signal = Signal(self)
        self._tasks: set[asyncio.Task[Any]] = set()
        # Callbacks that are held back until another one overtakes them.
        self._held: list[Callable[[], Awaitable[None]]] = []

    # -- tasks ----------------------------------------------------------------------------

    def spawn(self, doing: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.faults.append(f"the exchange failed: {task.exception()!r}")

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.switchboard is not None:
            await self.switchboard.close()
        await self.sender.close()

    def carry_sound(self, addresses: list[str] | None = None) -> None:
        """Carry sound, and let pages register. It needs the extra `demo` and the real clock.

        `addresses`: where a browser reaches this machine; 127.0.0.1 unless given.
        """
        self.voices = Voices(self, addresses)
        self.switchboard = Switchboard(self, self.voices)

    def flow_url(self, sid: str) -> str:
        """Return the address of a flow, for use as a number's address."""
        return f"https://webhooks.twilio.com/v1/Accounts/{self.account_sid}/Flows/{sid}"

    def flow_at(self, url: str | None) -> Flow | None:
        """Return the flow at an address, or None."""
        return next((flow for flow in self.flows.values() if self.flow_url(flow.sid) == url), None)

    # -- what people do -------------------------------------------------------------------

    def ring(self, from_: str, to: str, caller: Caller | None = None) -> Leg:
        """Let a caller ring one of our numbers."""
        return self._ring(from_, to, caller, self.numbers[to])

    def ring_at(
        self, from_: str, to: str, caller: Caller, voice_url: str, status_callback: str
    ) -> Leg:
        """Let a caller ring given webhook addresses instead of one of our numbers."""
        return self._ring(from_, to, caller, Number(voice_url, None, status_callback))

    def _ring(self, from_: str, to: str, caller: Caller | None, number: Number) -> Leg:
        leg = Leg(
            sid=self.sids.new("CA"),
            account=self.account_sid,
            from_=from_,
            to=to,
            direction="inbound",
            person=caller or Caller(),
            created_at=self.clock.now(),
            status="ringing",
            status_callback=number.status_callback,
            fallback_url=number.fallback_url if self.profile.second_chances else None,
        )
        self.legs[leg.sid] = leg
        if self.voices is not None:
            self.voices.give_mouth(leg)
        leg.program = self.spawn(Interpreter(self, leg).run(number.voice_url))
        return leg

    def press(self, leg: Leg, digits: str) -> None:
        """Press keys on a leg's phone."""
        for digit in digits:
            leg.digits.put_nowait(digit)

    async def hang_up(self, leg: Leg) -> None:
        """Hang up a leg's phone."""
        await self.end_leg(leg, "completed" if leg.answered_at else "no-answer", "person")

    def phone_at(self, address: str) -> Phone:
        """Return the phone at an address. An address where no phone is cannot be reached.

        A browser has a telephone only while a page of its person is registered.
        """
        if address not in self.phones and address.startswith("client:"):
            return Phone(unreachable=True)
        return self.phones.setdefault(address, Phone(unreachable=True))

    # -- the life of a leg ----------------------------------------------------------------

    def answer(self, leg: Leg) -> None:
        """Mark a leg as answered."""
        if leg.answered_at is None:
            leg.answered_at = self.clock.now()
            self.set_status(leg, "in-progress")

    def set_status(self, leg: Leg, status: str) -> None:
        """Set a status and send its callback if subscribed. Every status counts in the sequence."""
        leg.status = status
        leg.story.append((self.clock.now(), f"is {status}"))
        event = _EVENT_OF.get(status, "completed")
        sequence, leg.sequence = leg.sequence, leg.sequence + 1
        if event != "completed" and (leg.direction == "inbound" or not self.profile.progress):
            return
        if leg.status_callback and event in leg.status_events:
            self.call_back(leg.status_callback, self._status_fields(leg, sequence), status)

    def _status_fields(self, leg: Leg, sequence: int) -> Fields:
        fields = [
            *self.leg_fields(leg),
            ("Timestamp", rfc2822(self.clock.now())),
            ("CallbackSource", "call-progress-events"),
            ("SequenceNumber", str(sequence) if self.profile.progress else "0"),
        ]
        if leg.over:
            fields += [
                ("CallDuration", str(leg.seconds)),
                ("Duration", str(-(-leg.seconds // 60))),
            ]
            codes = {"completed": 200, "busy": 486, "failed": 404, "no-answer": 487}
            code = leg.sip_code or codes.get(leg.status)
            if code:
                fields.append(("SipResponseCode", str(code)))
        return fields

    def leg_fields(self, leg: Leg) -> Fields:
        """Return the fields that every request about a leg carries, blanks and doubles included."""
        fields = [
            ("CallSid", leg.sid),
            ("AccountSid", leg.account),
            ("From", leg.from_),
            ("To", leg.to),
            ("Caller", leg.from_),
            ("Called", leg.to),
            ("CallStatus", leg.status),
            ("ApiVersion", "2010-04-01"),
            ("Direction", leg.direction),
        ]
        if leg.direction == "inbound" and self.profile.rooms:
            fields.append(("CallToken", "{}"))
            for side in ("From", "To", "Caller", "Called"):
                fields += [(side + part, "") for part in _GEO[:3]]
                fields.append((side + "Country", "RS" if "o" in side else ""))
        return fields

    def call_back(self, url: str, fields: Fields, what: str) -> None:
        """Send a callback on its own: it may overtake others, come twice, late, or never."""
        path = url.split("#")[0] + " " + what
        if self.knobs.fires("lose", path):
            return
        delay = self.knobs.fires("delay", path)
        copies = 2 if self.knobs.fires("duplicate", path) else 1

        async def deliver() -> None:
            if delay is not None:
                await self.clock.sleep(delay.seconds)
            await self.sender.call_back(url, fields)

        if self.knobs.fires("reorder", path):
            self._held.append(deliver)
            self.spawn(self._release_later(deliver))
            return
        held, self._held = self._held, []

        async def deliver_and_release() -> None:
            await deliver()
            for earlier in held:
                await earlier()

        self.spawn(deliver_and_release())
        for _ in range(copies - 1):
            self.spawn(deliver())

    async def _release_later(self, deliver: Callable[[], Awaitable[None]]) -> None:
        """Deliver a held callback after two seconds, even if no other has overtaken it."""
        await self.clock.sleep(2)
        if deliver in self._held:
            self._held.remove(deliver)
            await deliver()

    async def end_leg(self, leg: Leg, status: str, ending: Ending) -> None:
        """End a leg, and run the hooks of what it was doing."""
        if leg.over:
            return
        leg.ended_at, leg.ending = self.clock.now(), ending
        hooks = list(reversed(leg.on_hang_up))
        self._stop_program(leg)
        self.set_status(leg, status)
        if self.switchboard is not None and self.voices is not None:
            await self.switchboard.end(leg)
            await self.voices.forget(leg)
        for hook in hooks:
            await self._quietly(hook())

    async def redirect(self, leg: Leg, url: str) -> None:
        """Send a leg to another document, as the REST interface does."""
        hooks = list(reversed(leg.on_redirect))
        self._stop_program(leg)
        leg.story.append((self.clock.now(), "is sent elsewhere"))
        leg.program = self.spawn(Interpreter(self, leg).run(url))
        for hook in hooks:
            await self._quietly(hook())

    def _stop_program(self, leg: Leg) -> None:
        program, leg.program = leg.program, None
        leg.on_hang_up.clear()
        leg.on_redirect.clear()
        if program is not None and program is not asyncio.current_task():
            program.cancel()

    async def _quietly(self, doing: Awaitable[None]) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await doing

    # -- ringing out ----------------------------------------------------------------------

    def ring_out(self, leg: Leg, then: Callable[[], Awaitable[None]]) -> None:
        """Ring a phone; when it is answered, run `then`."""
        self.legs[leg.sid] = leg
        leg.program = self.spawn(self._ring_out(leg, then))

    async def _wait_for_slot(self) -> None:
        """Wait until the account may begin another leg: they begin one after the other."""
        begins = max(self.next_slot, self.clock.now())
        self.next_slot = begins + timedelta(seconds=1 / self.calls_per_second)
        wait = (begins - self.clock.now()).total_seconds()
        if wait > 0:
            await self.clock.sleep(wait)

    async def _ring_out(self, leg: Leg, then: Callable[[], Awaitable[None]]) -> None:
        phone = leg.person
        assert isinstance(phone, Phone)
        if leg.direction == "outbound-api" and self.profile.paced:
            await self._wait_for_slot()
        await self.clock.sleep(0.1)
        self.set_status(leg, "initiated")
        if phone.unreachable and leg.to.startswith("client:"):
            await self._ring_pages(leg, then)
            return
        if phone.unreachable:
            await self.end_leg(leg, "failed", "never_answered")
            return
        if phone.busy or self._talks(phone):
            await self.end_leg(leg, "busy", "never_answered")
            return
        await self.clock.sleep(0.2)
        phone.rung += 1
        self.set_status(leg, "ringing")
        patience = leg.timeout + _RING_BUFFER
        if phone.picks_up is None or phone.picks_up > patience:
            await self.clock.sleep(patience)
            await self.end_leg(leg, "no-answer", "never_answered")
            return
        await self.clock.sleep(phone.picks_up)
        self.answer(leg)
        await then()

    async def _ring_pages(self, leg: Leg, then: Callable[[], Awaitable[None]]) -> None:
        """Ring the telephone in a person's page. Where no page is registered, nothing rings."""
        result = RingResult.NO_PAGE
        if self.switchboard is not None:
            if self.switchboard.rings_at(leg):
                self.set_status(leg, "ringing")
            result = await self.switchboard.ring(leg, leg.timeout + _RING_BUFFER)
        if result is RingResult.ANSWERED:
            self.answer(leg)
            await then()
            return
        if result is RingResult.NO_PAGE:
            leg.sip_code = _NOT_REGISTERED
        await self.end_leg(
            leg, "busy" if result is RingResult.REJECTED else "no-answer", "never_answered"
        )

    def _talks(self, phone: Phone) -> bool:
        """Return whether the phone is in a call and takes only one call at a time."""
        return self.profile.one_call_per_phone and any(
            leg.person is phone and leg.answered_at and not leg.over for leg in self.legs.values()
        )

    def plan_end_of_talk(self, leg: Leg) -> None:
        """Plan how a connected phone ends its talk: its line dies, or its owner hangs up."""
        phone = leg.person
        if not isinstance(phone, Phone):
            return
        if phone.drops_after is not None and phone.drops > 0:
            phone.drops -= 1
            self.spawn(self._end_later(leg, phone.drops_after, dies=True))
        elif phone.hangs_up_after is not None:
            self.spawn(self._end_later(leg, phone.hangs_up_after, dies=False))

    async def _end_later(self, leg: Leg, seconds: float, *, dies: bool) -> None:
        await self.clock.sleep(seconds)
        if dies:
            await self.let_die(leg)
        else:
            await self.end_leg(leg, "completed", "person")

    async def let_die(self, leg: Leg) -> None:
        """Break the line to a phone; neither side has hung up."""
        leg.sip_code = 408
        await self.end_leg(leg, "failed", "person")

    # -- sounds ---------------------------------------------------------------------------

    async def length_of(self, url: str) -> float:
        """Return how long a sound plays, in seconds. It is fetched once, as by the provider."""
        if url not in self.sounds:
            sound = await self.sender.fetch_sound(url)
            if sound is None:
                self.faults.append(f"a sound could not be played: {url}")
            self.sounds[url] = _seconds_of(sound or b"")
            if self.voices is not None:
                self._recorded[url] = read_wav(sound or b"")
        return self.sounds[url]

    def recorded(self, url: str) -> Sound:
        """Return a sound whose length was asked for, if sound is carried."""
        return self._recorded.get(url, SILENCE)

    # -- recordings -----------------------------------------------------------------------

    def keep_recording(self, leg: Leg, seconds: int) -> Recording:
        recording = Recording(self.sids.new("RE"), leg.sid, seconds, self.clock.now())
        self.recordings[recording.sid] = recording
        return recording

    def queue_time(self, since: Any) -> str:
        waited: timedelta = self.clock.now() - since
        return str(int(waited.total_seconds()))
