"""A page's telephone without a browser: the messages of the provider's SDK, and `aiortc` for sound.

It shows that the exchange keeps to the protocol; what the SDK itself does with it is tried in
`tests/browser`.
"""

import asyncio
import json
import time
from fractions import Fraction
from typing import Any

import jwt
import numpy as np
import websockets

from app.practice.speech import RATE, Sound
from app.practice.voices import FRAME
from tests.support.calls.tones import tone

SECRET = "the secret of an API key, long enough for its hash"


def mint(identity: str, account: str, *, key: str = "SK1", lives: int = 600, **more: Any) -> str:
    """Return a token as the provider's SDK makes it."""
    claims = {
        "iss": key,
        "sub": account,
        "exp": int(time.time()) + lives,
        "grants": {"identity": identity, "voice": {"incoming": {"allow": True}}},
        **more,
    }
    return jwt.encode(claims, SECRET, "HS256")


class PhonePage:
    """One page, with a microphone that plays a tone."""

    def __init__(self, url: str, token: str, hertz: float = 1000) -> None:
        self._url, self.token, self._hertz = url, token, hertz
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.heard: list[Sound] = []
        self._peer: Any = None
        self._socket: Any = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "PhonePage":
        self._socket = await websockets.connect(self._url)
        self._tasks.append(asyncio.create_task(self._read()))
        listen = {"token": self.token, "reconnectTimeout": 2, "browserinfo": {}}
        await self.say("listen", **listen)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._peer is not None:
            await self._peer.close()
        await self._socket.close()
        for task in self._tasks:
            task.cancel()

    async def say(self, type_: str, **payload: Any) -> None:
        await self._socket.send(json.dumps({"type": type_, "payload": payload, "version": "1.6"}))

    async def _read(self) -> None:
        async for text in self._socket:
            if text.strip():
                message = json.loads(text)
                self.told.append((message["type"], message["payload"]))

    async def wait_for(self, type_: str, within: float = 10) -> dict[str, Any]:
        """Return the first message of a kind that was not yet read, and forget it."""
        async with asyncio.timeout(within):
            while True:
                for one in self.told:
                    if one[0] == type_:
                        self.told.remove(one)
                        return one[1]
                await asyncio.sleep(0.01)

    async def register(self) -> None:
        await self.wait_for("connected")
        await self.say("register", media={"audio": True})
        await self.wait_for("ready")

    async def answer(self, invite: dict[str, Any]) -> None:
        """Answer a call: play the tone, and keep what is heard."""
        from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

        self._peer = peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.on("track", lambda track: self._tasks.append(asyncio.create_task(self._hear(track))))
        await peer.setRemoteDescription(RTCSessionDescription(invite["sdp"], "offer"))
        peer.addTrack(microphone(self._hertz))
        await peer.setLocalDescription(await peer.createAnswer())
        await self.say("answer", callsid=invite["callsid"], sdp=peer.localDescription.sdp)

    async def _hear(self, track: Any) -> None:
        from aiortc.mediastreams import MediaStreamError
        from av.audio.resampler import AudioResampler

        resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        try:
            while True:
                for part in resampler.resample(await track.recv()):
                    self.heard.append(part.to_ndarray()[0].astype(np.int16))
        except MediaStreamError:
            return

    def last(self, seconds: float) -> Sound:
        """Return what the page has heard lately."""
        whole = np.concatenate(self.heard) if self.heard else np.zeros(0, np.int16)
        return whole[-int(seconds * RATE) :]


def microphone(hertz: float) -> Any:
    """Return a track that plays a tone in real time."""
    from aiortc.mediastreams import MediaStreamTrack
    from av import AudioFrame

    wave = tone(hertz, 1.0)

    class Microphone(MediaStreamTrack):
        kind = "audio"

        def __init__(self) -> None:
            super().__init__()
            self._began, self._at = time.monotonic(), 0

        async def recv(self) -> Any:
            await asyncio.sleep(max(0.0, self._began + self._at / RATE - time.monotonic()))
            at = self._at % len(wave)
            frame = AudioFrame(format="s16", layout="mono", samples=FRAME)
            frame.planes[0].update(wave[at : at + FRAME].tobytes())
            frame.sample_rate, frame.pts, frame.time_base = RATE, self._at, Fraction(1, RATE)
            self._at += FRAME
            return frame

    return Microphone()


def share_at(sound: Sound, hertz: float) -> float:
    """Return which share of a sound's power is near a frequency, from 0 to 1."""
    if not len(sound):
        return 0.0
    power = np.abs(np.fft.rfft(sound.astype(np.float64))) ** 2
    at = np.fft.rfftfreq(len(sound), 1 / RATE)
    total = float(power.sum())
    return float(power[np.abs(at - hertz) <= 25].sum()) / total if total else 0.0
