"""Execute TwiML on a leg, by the provider's rules for which document follows."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.practice.flows import FlowPlayer
from app.practice.legs import Bridge, Leg
from app.practice.people import Caller, Phone
from app.practice.rooms import Participant, Room, WaitingLeg
from app.practice.twiml import IN_CONFERENCE_WAIT, IN_QUEUE, Verb
from app.practice.webhooks import Answered, Unanswered
from app.practice.wire import Fields

if TYPE_CHECKING:
    from app.practice.exchange import Exchange

# How long the provider lets a leg live, in seconds, unless the request sets another limit.
LONGEST_LEG = 14_400.0


@dataclass
class Next:
    """The document that comes next."""

    url: str
    fields: Fields = field(default_factory=list)


class LeftRoom(Exception):
    """Raised by a `<Leave>` in a waiting room's document."""


class Interpreter:
    def __init__(self, exchange: "Exchange", leg: Leg) -> None:
        self._x, self._leg = exchange, leg
        self._clock = exchange.clock

    async def run(self, url: str, fields: Fields | None = None) -> None:
        """Run documents, starting at an address, until the leg ends."""
        following: Next | None = Next(url, fields or [])
        while following is not None:
            document = await self._fetch(following)
            if document is None:
                self._leg.hears("An application error has occurred. Goodbye.", self._clock.now())
                self._x.faults.append("a leg was dropped: neither document nor fallback")
                await self._x.end_leg(self._leg, "completed", "error")
                return
            following = await self.execute(document.verbs, document.url)
            if self._leg.over:
                return
        await self._x.end_leg(self._leg, "completed", "ran_out")

    async def _fetch(self, what: Next) -> Answered | None:
        """Return the document, or the fallback's, or None. Every fetch tries the primary first."""
        leg = self._leg
        try:
            return await self._x.sender.fetch(
                what.url, self._x.leg_fields(leg) + what.fields, leg.cookies
            )
        except Unanswered as error:
            leg.story.append((self._clock.now(), f"no document: {error.code}"))
            if not leg.fallback_url:
                return None
            extra = [("ErrorCode", str(error.code)), ("ErrorUrl", error.url)]
        flow = self._x.flow_at(leg.fallback_url)
        if flow is not None:
            return await FlowPlayer(self, flow).run()
        try:
            fields = self._x.leg_fields(leg) + what.fields + extra
            return await self._x.sender.fetch(leg.fallback_url, fields, leg.cookies)
        except Unanswered:
            return None

    async def fetch_once(self, url: str) -> Answered:
        """Return a document without trying a fallback. Raises Unanswered."""
        return await self._x.sender.fetch(url, self._x.leg_fields(self._leg), self._leg.cookies)

    # -- verbs ----------------------------------------------------------------------------

    async def execute(self, verbs: list[Verb], url: str) -> Next | None:
        """Run verbs. Return the next document, or None if the verbs ran out."""
        for verb in verbs:
            if verb.name == "Reject":
                status = "busy" if verb.get("reason") == "busy" else "no-answer"
                await self._x.end_leg(self._leg, status, "rejected")
                return None
            self._x.answer(self._leg)
            following = await self._perform(verb, url)
            if following is not None or self._leg.over:
                return following
        self._x.answer(self._leg)
        return None

    async def _perform(self, verb: Verb, url: str) -> Next | None:
        match verb.name:
            case "Say" | "Play" | "Pause":
                await self._speak(verb)
            case "Gather":
                return await self._gather(verb, url)
            case "Redirect":
                if self._x.profile.redirect_pause:
                    await self._clock.sleep(self._x.profile.redirect_pause)
                return Next(verb.text or url)
            case "Hangup":
                await self._x.end_leg(self._leg, "completed", "hangup")
            case "Leave" if self._leg.waits_in is not None:
                raise LeftRoom
            case "Record":
                return await self._record(verb, url)
            case "Enqueue":
                return await self._enqueue(verb)
            case "Dial":
                return await self._dial(verb)
        return None

    async def _speak(self, verb: Verb) -> None:
        if verb.name == "Pause":
            await self._clock.sleep(float(verb.get("length", "1")))
            return
        with self._sounding():
            if verb.name == "Say":
                self._leg.hears(verb.text, self._clock.now())
                await self._say(verb)
            else:
                self._leg.hears(f"[{verb.text}]", self._clock.now())
                for _ in range(int(verb.get("loop", "1"))):
                    await self._play(verb.text)

    async def _say(self, verb: Verb) -> None:
        """Speak words for as long as that takes, aloud where sound is carried."""
        voices, seconds = self._x.voices, None
        if voices is not None:
            seconds = await voices.say(self._leg, verb.text, verb.get("language"))
        silently = max(0.5, len(verb.text) / self._x.letters_per_second)
        try:
            await self._clock.sleep(seconds or silently)
        finally:
            if voices is not None:
                voices.hush(self._leg)

    async def _play(self, url: str) -> None:
        length = await self._x.length_of(url)
        if self._x.voices is not None:
            self._x.voices.play(self._leg, self._x.recorded(url))
        try:
            await self._clock.sleep(length)
        finally:
            if self._x.voices is not None:
                self._x.voices.hush(self._leg)

    @contextlib.contextmanager
    def _sounding(self) -> Iterator[None]:
        """Note that the person hears or says something while the block runs."""
        began = self._clock.now()
        self._leg.hears_since.append(began)
        try:
            yield
        finally:
            self._leg.hears_since.remove(began)
            self._leg.heard_from.append((began, self._clock.now()))

    async def _gather(self, verb: Verb, url: str) -> Next | None:
        leg = self._leg
        while not leg.digits.empty():
            leg.digits.get_nowait()
        if isinstance(leg.person, Phone) and leg.person.presses is not None:
            asked = " ".join(c.text for c in verb.children if c.name == "Say")
            self._x.spawn(self._press_later(leg.person, asked))
        self._x.gathering[leg.sid] = leg
        try:
            digits = await self._digits(verb)
        finally:
            del self._x.gathering[leg.sid]
        action = verb.get("action") or url
        if not digits and not verb.flag("actionOnEmptyResult", False):
            return None
        if not self._x.profile.second_chances:
            return Next(action, [("Digits", digits)] if digits else [])
        return Next(action, [("Digits", digits), ("FinishedOnKey", "")])

    async def _press_later(self, phone: Phone, asked: str) -> None:
        await self._clock.sleep(phone.press_after)
        key = phone.presses
        named = re.findall(r"(?:press|pritisnite) (\d)", asked.lower())
        if phone.understands and named and key not in named:
            key = named[0]
        if not self._leg.over and key is not None:
            self._x.press(self._leg, key)

    async def _digits(self, verb: Verb) -> str:
        """Collect digits while the nested words are spoken and for the timeout after them."""
        most = int(verb.get("numDigits", "1000"))
        finish = verb.get("finishOnKey", "#")
        timeout = float(verb.get("timeout", "5"))

        async def spoken_and_waited() -> None:
            for child in verb.children:
                await self._speak(child)
            await self._clock.sleep(timeout)

        digits = ""
        while len(digits) < most:
            patience = asyncio.ensure_future(
                spoken_and_waited() if not digits else self._clock.sleep(timeout)
            )
            digit = await self._race(self._leg.digits.get(), patience)
            if digit is None or digit == finish:
                break
            digits += digit
        return digits

    async def _race(self, wanted: Awaitable[str], patience: "asyncio.Future[None]") -> str | None:
        """Return what was wanted, or None if patience runs out first."""
        task = asyncio.ensure_future(wanted)
        try:
            both: set[asyncio.Future[Any]] = {task, patience}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if patience.done():
                patience.result()
            return None
        finally:
            task.cancel()
            patience.cancel()

    # -- recording ------------------------------------------------------------------------

    async def _record(self, verb: Verb, url: str) -> Next | None:
        """Record a message. Silence is not recorded, and the next verb follows."""
        leg, caller = self._leg, self._leg.person
        assert isinstance(caller, Caller)
        longest = int(verb.get("maxLength", "3600"))
        spoken = min(caller.message_seconds, longest)
        leg.story.append((self._clock.now(), "hears the tone"))
        with self._sounding():
            return await self._record_message(verb, url, caller, spoken)

    async def _record_message(
        self, verb: Verb, url: str, caller: Caller, spoken: int
    ) -> Next | None:
        action = verb.get("action") or url
        began = self._clock.now()
        # On Somleng, silence is a recording as well, the action is not told of keys, and it is not
        # requested once the caller has hung up.
        tells = self._x.profile.second_chances

        async def cut_off() -> None:
            said = min(int((self._clock.now() - began).total_seconds()), spoken)
            if said >= 1:
                fields = self._keep(verb, said)
                if tells:
                    await self._tell_action(action, [*fields, ("Digits", "hangup")])

        with self._hooks(hang_up=cut_off):
            if spoken <= 0:
                await self._clock.sleep(float(verb.get("timeout", "5")))
                return None if tells else Next(action, self._keep(verb, 0))
            caller.message_seconds = 0
            await self._clock.sleep(spoken)
        fields = self._keep(verb, spoken)
        if caller.hangs_up_after_message:
            self._x.spawn(self._hang_up_soon())
        return Next(action, [*fields, ("Digits", "#")] if tells else fields)

    async def _hang_up_soon(self) -> None:
        await self._clock.sleep(1)
        await self._x.hang_up(self._leg)

    def _keep(self, verb: Verb, seconds: int) -> Fields:
        recording = self._x.keep_recording(self._leg, seconds)
        base = f"https://api.twilio.com/2010-04-01/Accounts/{self._leg.account}"
        fields = [
            ("RecordingUrl", f"{base}/Recordings/{recording.sid}"),
            ("RecordingDuration", str(seconds)),
        ]
        named = [*fields, ("RecordingSid", recording.sid)]
        told = verb.get("recordingStatusCallback")
        if told and "completed" in verb.get("recordingStatusCallbackEvent", "completed"):
            self._x.call_back(
                told,
                [
                    ("AccountSid", self._leg.account),
                    ("CallSid", self._leg.sid),
                    *named,
                    ("RecordingStatus", "completed"),
                    ("RecordingChannels", "1"),
                    ("RecordingSource", "RecordVerb"),
                ],
                "recording",
            )
        return named if self._x.profile.second_chances else fields

    async def _tell_action(self, action: str, extra: Fields) -> None:
        """Request an action after the leg has ended; its answer is not executed."""
        if not action:
            return
        fields = self._x.leg_fields(self._leg) + extra
        with contextlib.suppress(Unanswered):
            await self._x.sender.fetch(action, fields, self._leg.cookies)

    # -- the waiting room -----------------------------------------------------------------

    async def _enqueue(self, verb: Verb) -> Next | None:
        leg, action = self._leg, verb.get("action")
        room = self._x.rooms.setdefault(verb.text, Room(self._x.sids.new("QU"), verb.text))
        if len(room.members) >= room.size:
            return Next(action, [("QueueResult", "queue-full")]) if action else None
        waiting = WaitingLeg(leg, self._clock.now())
        room.members.append(waiting)
        leg.waits_in = room.name
        leg.story.append((self._clock.now(), "enters the waiting room"))

        def left(result: str) -> Fields:
            leg.waits_in = None
            if waiting in room.members:
                room.members.remove(waiting)
                room.waits.append((self._clock.now() - waiting.since).total_seconds())
            leg.story.append((self._clock.now(), f"leaves the waiting room: {result}"))
            time = self._x.queue_time(waiting.since)
            return [("QueueResult", result), ("QueueSid", room.sid), ("QueueTime", time)]

        async def hung_up() -> None:
            await self._tell_action(action, left("hangup"))

        async def redirected() -> None:
            await self._tell_action(action, left("redirected"))

        with self._hooks(hang_up=hung_up, redirect=redirected):
            result = await self._wait_in(room, waiting, verb)
        if leg.over:
            return None
        fields = left(result)
        return Next(action, fields) if action else None

    async def _wait_in(self, room: Room, waiting: WaitingLeg, verb: Verb) -> str:
        """Play the waiting room's documents again and again until the caller leaves."""
        url = verb.get("waitUrl")
        if not url:
            await asyncio.Event().wait()
        following = Next(url)
        while True:
            fields = [
                ("QueuePosition", str(room.position(waiting.leg))),
                ("QueueSid", room.sid),
                ("QueueTime", self._x.queue_time(waiting.since)),
                ("AvgQueueTime", str(int(sum(room.waits) / max(1, len(room.waits))))),
                ("CurrentQueueSize", str(len(room.members))),
                ("MaxQueueSize", str(room.size)),
            ]
            try:
                document = await self._x.sender.fetch(
                    following.url,
                    self._x.leg_fields(self._leg) + following.fields + fields,
                    self._leg.cookies,
                    allowed=IN_QUEUE,
                )
                began = self._clock.now()
                then = await self.execute(document.verbs, document.url)
            except LeftRoom:
                return "leave"
            except Unanswered:
                return "error"
            if self._leg.over:
                return "hangup"
            if then is None and self._clock.now() == began:
                self._x.faults.append("a waiting room's document takes no time")
                await self._clock.sleep(1)
            following = then or Next(url)

    # -- conferences ----------------------------------------------------------------------

    async def _dial(self, verb: Verb) -> Next | None:
        noun, action = verb.children[0], verb.get("action")
        if noun.name in ("Number", "Sip"):
            return await self._dial_number(verb, noun)

        def dialled() -> Fields:
            # For a conference, the provider tells neither the other leg nor a duration.
            return [("DialCallStatus", "answered")]

        async def hung_up() -> None:
            self._x.conferences.leave(self._leg, "participant_hung_up")
            await self._tell_action(action, dialled())

        async def redirected() -> None:
            self._x.conferences.leave(self._leg, "participant_updated_via_api")

        with self._hooks(hang_up=hung_up, redirect=redirected):
            await self.confer(
                noun.text,
                label=noun.get("participantLabel"),
                starts=noun.flag("startConferenceOnEnter", True),
                ends=noun.flag("endConferenceOnExit", False),
                callback=noun.get("statusCallback") or None,
                events=frozenset(noun.get("statusCallbackEvent", "start end").split(" ")),
                wait_url=noun.get("waitUrl"),
                star=verb.flag("hangupOnStar", False),
                limit=float(verb.get("timeLimit", str(LONGEST_LEG))),
                muted=noun.flag("muted", False),
                coaches=noun.get("coach") or None,
            )
        if self._leg.over:
            return None
        return Next(action, dialled()) if action else None

    async def _dial_number(self, verb: Verb, noun: Verb) -> Next | None:
        """Ring one number. The person who answers hears the noun's document first.

        If the document runs out without hanging up, the two are connected.
        """
        leg, action = self._leg, verb.get("action")
        child = Leg(
            sid=self._x.sids.new("CA"),
            account=leg.account,
            from_=verb.get("callerId") or leg.from_,
            to=noun.text,
            direction="outbound-dial",
            person=self._x.phone_at(noun.text),
            created_at=self._clock.now(),
            timeout=float(verb.get("timeout", "30")),
            parent=leg.sid,
        )
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def ended() -> None:
            if not over.done():
                over.set_result(None)

        async def lifted() -> None:
            await self._screen_and_connect(child, noun.get("url"))

        async def hung_up() -> None:
            await self._x.end_leg(child, "completed" if child.answered_at else "canceled", "api")
            said = self._dial_result(child)
            if self._x.profile.second_chances:
                await self._tell_action(action, said)

        child.on_hang_up.append(ended)
        self._x.ring_out(child, lifted)
        with self._sounding(), self._hooks(hang_up=hung_up, redirect=hung_up):
            await over
        if leg.over:
            return None
        said = self._dial_result(child)
        return Next(action, said) if action else None

    async def _screen_and_connect(self, child: Leg, url: str | None) -> None:
        """Let the dialled person hear a document; connect the two if it does not hang up."""
        screen = Interpreter(self._x, child)
        following = Next(url) if url else None
        while following is not None:
            document = await screen._fetch(following)
            if document is None:
                await self._x.end_leg(child, "completed", "error")
                return
            following = await screen.execute(document.verbs, document.url)
            if child.over:
                return
        self._leg.bridges.append(Bridge(child, self._clock.now()))
        self._leg.story.append((self._clock.now(), "talks with a number that was dialled"))
        self._x.plan_end_of_talk(child)

    def _dial_result(self, child: Leg) -> Fields:
        """Return what the verb's action is told about the dialled leg, and end its bridge."""
        bridge = next((b for b in self._leg.bridges if b.other is child), None)
        if bridge is not None:
            bridge.until = bridge.until or self._clock.now()
            seconds = int((bridge.until - bridge.since).total_seconds())
            talked = ("DialCallDuration", str(seconds))
            return [("DialCallSid", child.sid), ("DialCallStatus", "completed"), talked]
        # Answered and never connected: the screening declined the call.
        status = "no-answer" if child.status in ("completed", "canceled") else child.status
        if not self._x.profile.second_chances:
            return [("DialCallStatus", status)]
        return [("DialCallSid", child.sid), ("DialCallStatus", status)]

    async def confer(
        self,
        name: str,
        *,
        label: str,
        starts: bool,
        ends: bool,
        callback: str | None,
        events: frozenset[str],
        wait_url: str,
        star: bool = False,
        limit: float = LONGEST_LEG,
        muted: bool = False,
        coaches: str | None = None,
    ) -> None:
        """Join a conference and stay until the leg leaves it."""
        conference = self._x.conferences.open(name, callback, events)
        participant = Participant(self._leg, label, ends, starts, muted=muted, coaches=coaches)
        if coaches is not None and coaches not in conference.participants:
            self._x.faults.append("a participant coaches a leg that is not in the conference")
        self._x.conferences.join(conference, participant)
        if conference.status == "init" and wait_url:
            participant.wait_program = self._x.spawn(self.play_to(wait_url))
        out_of_time = self._x.spawn(self._leave_after(limit, participant))
        try:
            with self._sounding():
                await self._until_out(participant, star=star)
        finally:
            out_of_time.cancel()

    async def _leave_after(self, limit: float, participant: Participant) -> None:
        """End a dial after its limit, even in the middle of a talk."""
        await self._clock.sleep(limit)
        if not participant.out.done():
            self._x.conferences.leave(self._leg, "participant_hung_up")

    async def _until_out(self, participant: Participant, *, star: bool) -> None:
        if not star:
            await participant.out
            return
        while not self._leg.digits.empty():
            self._leg.digits.get_nowait()
        while not participant.out.done():
            digit = await self._race(self._leg.digits.get(), _until(participant.out))
            if digit == "*":
                self._x.conferences.leave(self._leg, "participant_hung_up")
        await participant.out

    async def play_to(self, url: str) -> None:
        """Play a document to a participant who is alone in a conference, or held.

        It plays once, unless it redirects.
        """
        following: Next | None = Next(url)
        while following is not None:
            try:
                document = await self._x.sender.fetch(
                    following.url,
                    self._x.leg_fields(self._leg),
                    self._leg.cookies,
                    allowed=IN_CONFERENCE_WAIT,
                )
            except Unanswered:
                return
            following = await self.execute(document.verbs, document.url)

    # -- hooks ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _hooks(
        self,
        hang_up: Callable[[], Awaitable[None]] | None = None,
        redirect: Callable[[], Awaitable[None]] | None = None,
    ) -> Iterator[None]:
        leg = self._leg
        if hang_up:
            leg.on_hang_up.append(hang_up)
        if redirect:
            leg.on_redirect.append(redirect)
        try:
            yield
        finally:
            for hooks, hook in ((leg.on_hang_up, hang_up), (leg.on_redirect, redirect)):
                if hook in hooks:
                    hooks.remove(hook)


def _until(out: "asyncio.Future[str]") -> "asyncio.Future[None]":
    async def wait() -> None:
        await asyncio.shield(out)

    return asyncio.ensure_future(wait())
