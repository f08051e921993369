"""Sound: what each leg says, and what the conference lets every other leg hear.

A page talks by WebRTC (`aiortc`); a scripted caller speaks sentences or plays a tone. Every 20 ms
the mixer takes a frame from each of them and gives each the sum of what they may hear: nothing
while a talk is on hold, nothing of a muted participant, a coach only for the one who is coached.

It needs the extra `demo` and the real clock. Without it the legs are silent, as on paper.
"""

import asyncio
import contextlib
import importlib.util
import socket
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from app.practice.people import Caller
from app.practice.scripted import Scripted, ScriptedMouth
from app.practice.speech import RATE, SILENCE, Sound, spoken

if TYPE_CHECKING:
    from app.practice.exchange import Exchange
    from app.practice.legs import Leg

FRAME = RATE // 50
_TICK = 0.02
# A mixer that falls behind by more than this starts afresh instead of hurrying, in seconds.
_TOO_LATE = 0.5
# Frames that wait in front of a listener or behind a microphone; older ones are dropped.
_BUFFERED = 15
# How much of what a leg has heard is kept, in frames of 20 ms.
_REMEMBERED = 50 * 60
_QUIET: Sound = np.zeros(FRAME, np.int16)
# How loud a frame must be to count as speech: the root of its mean square, 1 for the loudest.
_SPEECH = 0.012
# How much of a louder noise is learned in 20 ms: a fan is known after some ten seconds.
_LEARNS = 0.002


def available() -> bool:
    """Return whether this machine has what carries sound: the extra `demo`."""
    return importlib.util.find_spec("aiortc") is not None


def loudness(sound: Sound) -> float:
    """Return the root mean square of a sound, 1 for the loudest that fits."""
    if not len(sound):
        return 0.0
    return float(np.sqrt(np.mean(np.square(sound.astype(np.float32) / 32_768))))


class Mouth:
    """What a leg that is no page says: one sound after the other."""

    def __init__(self) -> None:
        self._sound, self._at = SILENCE, 0

    @property
    def speaks(self) -> bool:
        return self._at < len(self._sound)

    def say(self, sound: Sound) -> None:
        self._sound, self._at = sound, 0

    def hush(self) -> None:
        self._sound, self._at = SILENCE, 0

    def next_frame(self) -> Sound | None:
        """Return the next 20 ms, or None in silence."""
        if not self.speaks:
            return None
        frame = self._sound[self._at : self._at + FRAME]
        self._at += FRAME
        return frame if len(frame) == FRAME else np.pad(frame, (0, FRAME - len(frame)))


class Talker(Mouth):
    """A scripted caller: speaks the next line when the other side has spoken and is silent again.

    If the other side says nothing at all for `PATIENCE` seconds, the caller goes on. A steady noise
    behind the microphone is learned, and is no speech.
    """

    BEGINS, ANSWERS, PATIENCE, HEARD = 0.8, 1.2, 8.0, 0.2

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self._caller, self._line = caller, 0
        self._heard = self._silent = self._noise = 0.0
        self._tone = caller.tone

    @property
    def finished(self) -> bool:
        return self._line >= len(self._caller.speech) and not self.speaks

    def hear(self, frame: Sound, *, in_talk: bool) -> None:
        """Hear 20 ms, and speak if it is time."""
        if not in_talk:
            self._heard = self._silent = 0.0
            self.hush()
            return
        if self._tone is not None:
            if not self.speaks:
                self.say(self._tone)
            return
        level = loudness(frame)
        spoken_to = level >= max(_SPEECH, 3 * self._noise)
        self._noise += (level - self._noise) * (_LEARNS if level > self._noise else 0.5)
        if spoken_to and self._line > 0:
            self._heard += _TICK
            self._silent = 0.0
        else:
            self._silent += _TICK
        if self.speaks or self._line >= len(self._caller.speech):
            return
        if self._silent < self._wait():
            return
        self.say(spoken(self._caller.speech[self._line], self._caller.language))
        self._line += 1
        self._heard = 0.0
        self._silent = -len(self._sound) / RATE

    def _wait(self) -> float:
        if self._line == 0:
            return self.BEGINS
        return self.ANSWERS if self._heard >= self.HEARD else self.PATIENCE


@dataclass
class Ear:
    """What a leg has heard lately."""

    frames: deque[Sound] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def last(self, seconds: float) -> Sound:
        wanted = list(self.frames)[-max(1, round(seconds / _TICK)) :]
        return np.concatenate(wanted) if wanted else SILENCE


class Voices:
    """All sound of one exchange."""

    def __init__(self, exchange: "Exchange", addresses: list[str] | None = None) -> None:
        self._x = exchange
        self.lines: dict[str, PageLine] = {}
        self.mouths: dict[str, Talker | ScriptedMouth] = {}
        self.ears: dict[str, Ear] = {}
        self._prompts: dict[str, Mouth] = {}
        self._legs: dict[str, Leg] = {}
        self._mixing: asyncio.Task[None] | None = None
        self._addresses = addresses or ["127.0.0.1"]

    # -- who takes part -------------------------------------------------------------------

    def give_mouth(self, leg: "Leg") -> None:
        """Let a scripted caller speak and hear."""
        if isinstance(leg.person, Scripted):
            self.mouths[leg.sid] = ScriptedMouth(leg.person)
            self._add(leg)
        elif isinstance(leg.person, Caller) and (leg.person.speech or leg.person.tone is not None):
            self.mouths[leg.sid] = Talker(leg.person)
            self._add(leg)

    async def page_line(self) -> "PageLine":
        """Open the sound of a page for a leg that rings."""
        _offer_addresses(self._addresses)
        return PageLine()

    def connect(self, leg: "Leg", line: "PageLine") -> None:
        """Let a page that has answered speak and hear."""
        self.lines[leg.sid] = line
        self._add(leg)

    def _add(self, leg: "Leg") -> None:
        self._legs[leg.sid] = leg
        self.ears.setdefault(leg.sid, Ear())
        self._prompts.setdefault(leg.sid, Mouth())
        if self._mixing is None or self._mixing.done():
            self._mixing = self._x.spawn(self._mix())

    async def forget(self, leg: "Leg") -> None:
        """Remove a leg that has ended. What it has heard is kept with its caller, for tests."""
        self.mouths.pop(leg.sid, None)
        self._prompts.pop(leg.sid, None)
        line = self.lines.pop(leg.sid, None)
        self._legs.pop(leg.sid, None)
        if line is not None:
            await line.close()

    # -- prompts --------------------------------------------------------------------------

    async def say(self, leg: "Leg", words: str, language: str) -> float | None:
        """Begin to speak a prompt to a leg that hears. Return its length in seconds, or None."""
        if leg.sid not in self._legs:
            return None
        return self.play(leg, await asyncio.to_thread(spoken, words, language or "en"))

    def play(self, leg: "Leg", sound: Sound) -> float | None:
        """Begin to play a sound to a leg that hears. Return its length in seconds, or None."""
        prompt = self._prompts.get(leg.sid)
        if prompt is None or not len(sound):
            return None
        prompt.say(sound)
        return len(sound) / RATE

    def hush(self, leg: "Leg") -> None:
        """Stop what is being said to a leg."""
        if leg.sid in self._prompts:
            self._prompts[leg.sid].hush()

    # -- mixing ---------------------------------------------------------------------------

    async def _mix(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while self._legs:
            due += _TICK
            late = loop.time() - due
            if late > _TOO_LATE:
                due = loop.time()
            elif late < 0:
                await asyncio.sleep(-late)
            self._tick()
            if late >= 0:
                await asyncio.sleep(0)

    def _tick(self) -> None:
        said: dict[str, Sound] = {}
        for sid, line in self.lines.items():
            frame = line.next_frame()
            if frame is not None:
                said[sid] = frame
        for sid, mouth in self.mouths.items():
            frame = mouth.next_frame()
            if frame is not None:
                said[sid] = frame
        for sid, leg in list(self._legs.items()):
            parts = [said[other] for other in self._heard_by(leg) if other in said]
            prompt = self._prompts[sid].next_frame()
            if prompt is not None:
                parts.append(prompt)
            frame = _sum(parts)
            self.ears[sid].frames.append(frame)
            if sid in self.lines:
                self.lines[sid].hear(frame)
            elif (ear := self.mouths.get(sid)) is not None:
                in_talk = self._talks(leg)
                if isinstance(ear, ScriptedMouth):
                    ear.hear(loudness(frame), in_talk=in_talk)
                else:
                    ear.hear(frame, in_talk=in_talk)

    def _talks(self, leg: "Leg") -> bool:
        """Return whether a leg is in a talk, even if the other side is muted at the moment."""
        if leg.talks_with is not None or any(x.talks_with is leg for x in self._legs.values()):
            return True
        found = self._x.conferences.of_leg(leg)
        if found is None or found[0].status != "in-progress":
            return False
        return not any(one.held for one in found[0].participants.values())

    def _heard_by(self, leg: "Leg") -> Iterator[str]:
        """Yield the legs that a leg may hear now."""
        if leg.talks_with is not None:
            yield leg.talks_with.sid
            return
        for bridged in self._legs.values():
            if bridged.talks_with is leg:
                yield bridged.sid
        found = self._x.conferences.of_leg(leg)
        if found is None or found[0].status != "in-progress" or found[1].held:
            return
        for sid, other in found[0].participants.items():
            if sid == leg.sid or other.held or other.muted:
                continue
            if other.coaches is None or other.coaches == leg.sid:
                yield sid


def _sum(parts: list[Sound]) -> Sound:
    if not parts:
        return _QUIET
    if len(parts) == 1:
        return parts[0]
    whole = np.sum([part.astype(np.int32) for part in parts], axis=0)
    mixed: Sound = np.clip(whole, -32_768, 32_767).astype(np.int16)
    return mixed


# -- pages ------------------------------------------------------------------------------------


def own_addresses() -> list[str]:
    """Return where a browser on this machine can reach the exchange.

    Firefox does not talk to 127.0.0.1, so the machine's own address is there as well, if it has
    one. Nothing is sent to find it: a UDP socket is only pointed outside.
    """
    found = ["127.0.0.1"]
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        found.append(str(probe.getsockname()[0]))
    return list(dict.fromkeys(found))


def _offer_addresses(addresses: list[str]) -> None:
    """Let aioice offer these addresses; by itself it never offers 127.0.0.1."""
    from aioice import ice

    ice.get_host_addresses = lambda use_ipv4, use_ipv6: list(addresses)


class PageLine:
    """The sound of one page in one leg."""

    def __init__(self) -> None:
        self._said: deque[Sound] = deque(maxlen=_BUFFERED)
        self._heard: asyncio.Queue[Sound] = asyncio.Queue(_BUFFERED)
        self._peer: Any = None
        self._reader: asyncio.Task[None] | None = None
        # When the last packet of the page came, on the loop's clock.
        self.heard_of = asyncio.get_running_loop().time()
        self.packets = 0
        # What opens sockets is not ended in the middle: nothing would close them.
        self._opening, self._is_closed = asyncio.Lock(), False
        # Set once the connection has failed; a new offer of the page clears it.
        self.lost = asyncio.Event()

    async def offer(self) -> str:
        """Return the description that invites the page."""
        async with self._opening:
            peer = self._new_peer()
            peer.addTrack(track_of(self._heard))
            await peer.setLocalDescription(await peer.createOffer())
            await self._close_if_over(peer)
        return str(peer.localDescription.sdp)

    async def take_answer(self, sdp: str) -> None:
        """Take the page's answer to our offer."""
        from aiortc import RTCSessionDescription

        await self._peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def answer(self, sdp: str) -> str:
        """Answer an offer of the page, which has lost its connection, with a new one of ours.

        The library cannot restart a connection, so the page gets another one with the same sound.
        """
        from aiortc import RTCSessionDescription

        async with self._opening:
            old, reader = self._peer, self._reader
            peer = self._new_peer()
            await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
            peer.addTrack(track_of(self._heard))
            await peer.setLocalDescription(await peer.createAnswer())
            await self._close_if_over(peer)
        if reader is not None:
            reader.cancel()
        if old is not None:
            await old.close()
        return str(peer.localDescription.sdp)

    def _new_peer(self) -> Any:
        from aiortc import RTCConfiguration, RTCPeerConnection

        # Left out, the library would ask a public server for our address.
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peer = peer
        self.lost.clear()

        def on_track(track: Any) -> None:
            self._reader = asyncio.ensure_future(self._read(track))

        def on_state() -> None:
            if peer is self._peer and peer.connectionState in ("failed", "closed"):
                self.lost.set()

        peer.on("track", on_track)
        peer.on("connectionstatechange", on_state)
        return peer

    async def _read(self, track: Any) -> None:
        from aiortc.mediastreams import MediaStreamError
        from av.audio.resampler import AudioResampler

        resampler = AudioResampler(format="s16", layout="mono", rate=RATE, frame_size=FRAME)
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                self.packets += 1
                self.heard_of = asyncio.get_running_loop().time()
                for part in resampler.resample(frame):
                    self._said.append(part.to_ndarray()[0].astype(np.int16))

    @property
    def silent_for(self) -> float:
        """Return the seconds since the page's last packet."""
        return asyncio.get_running_loop().time() - self.heard_of

    def cut(self) -> None:
        """Close the sockets of the sound, as a network does that has changed. For tests."""
        transport = self._peer.getTransceivers()[0].sender.transport.transport
        for protocol in transport._connection._protocols:
            protocol.transport.close()

    def next_frame(self) -> Sound | None:
        """Return the next 20 ms of the microphone, or None if nothing has come."""
        return self._said.popleft() if self._said else None

    def hear(self, frame: Sound) -> None:
        """Send 20 ms to the page. What it does not receive in time is dropped."""
        if self._heard.full():
            self._heard.get_nowait()
        self._heard.put_nowait(frame)

    async def close(self) -> None:
        self._is_closed = True
        if self._reader is not None:
            self._reader.cancel()
        async with self._opening:
            peer, self._peer = self._peer, None
        if peer is not None:
            await peer.close()

    async def _close_if_over(self, peer: Any) -> None:
        if self._is_closed:
            await peer.close()


def track_of(source: "asyncio.Queue[Sound]") -> Any:
    """Return a track that sends what the mixer puts into a queue."""
    from aiortc.mediastreams import MediaStreamTrack
    from av import AudioFrame

    class Sent(MediaStreamTrack):
        kind = "audio"

        def __init__(self) -> None:
            super().__init__()
            self._at = 0

        async def recv(self) -> Any:
            sound = await source.get()
            frame = AudioFrame(format="s16", layout="mono", samples=len(sound))
            frame.planes[0].update(sound.tobytes())
            frame.sample_rate, frame.pts = RATE, self._at
            frame.time_base = Fraction(1, RATE)
            self._at += len(sound)
            return frame

    return Sent()
