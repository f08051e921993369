"""Telephones in pages at the exchange: who rings, who hears whom, and what ends a leg."""

import asyncio
import io
import json
import wave
from collections.abc import AsyncIterator

import psutil
import pytest
import websockets
from hypothesis.strategies import (
    dictionaries,
    fixed_dictionaries,
    integers,
    none,
    one_of,
    recursive,
    sampled_from,
)

from app.clock import SystemClock
from app.demo.served import Served, free_port
from app.demo.stage import ACCOUNT, LINE, TOKEN
from app.practice import voices
from app.practice.exchange import Exchange
from app.practice.legs import Leg
from app.practice.people import Caller
from app.practice.rest.app import rest_app
from app.practice.rooms import Participant
from app.practice.speech import RATE, Sound, read_wav, spoken
from app.practice.voices import Talker, loudness
from tests.support.calls.tones import tone
from tests.support.page import SECRET, PhonePage, mint, share_at
from tests.support.profile import WHOLE, nightly
from tests.support.program.made_up import TEXT, changed, tried
from tests.support.waiting import until

pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(not voices.available(), reason="sound needs the extra `demo` (aiortc)"),
]


class Board:
    """An exchange that carries sound, on a port of its own."""

    def __init__(self) -> None:
        self.x = Exchange(SystemClock(), ACCOUNT, TOKEN)
        self.x.api_keys["SK1"] = SECRET
        self.x.carry_sound()
        self.port = free_port()

    def page(self, identity: str = "c_ana", **token: str) -> PhonePage:
        url = f"ws://127.0.0.1:{self.port}/signal"
        return PhonePage(url, mint(identity, ACCOUNT, **token))  # type: ignore[arg-type]

    def leg(self, to: str, person: Caller | None = None, timeout: float = 5) -> Leg:
        now = self.x.clock.now()
        made = Leg(
            self.x.sids.new("CA"),
            ACCOUNT,
            LINE,
            to,
            "outbound-dial",
            person or self.x.phone_at(to),
            now,
            timeout=timeout,
        )
        self.x.legs[made.sid] = made
        return made

    def ring(self, identity: str = "c_ana", timeout: float = 5) -> Leg:
        """Ring a page, and let it join the conference `room` when it answers."""
        leg = self.leg(f"client:{identity}", timeout=timeout)

        async def join() -> None:
            self.join(leg)

        self.x.ring_out(leg, join)
        return leg

    def join(self, leg: Leg, coaches: str | None = None) -> Participant:
        room = self.x.conferences.open("room", None, frozenset())
        made = Participant(leg, leg.to, False, True, coaches=coaches)
        self.x.conferences.join(room, made)
        return made

    def child(self, hertz: float | None = 440, speech: list[str] | None = None) -> Leg:
        sound = None if hertz is None else tone(hertz, 1.0)
        child = self.leg(LINE, Caller(tone=sound, speech=speech or []))
        child.status = "in-progress"
        assert self.x.voices is not None
        self.x.voices.give_mouth(child)
        self.join(child)
        return child

    def heard(self, leg: Leg, seconds: float = 0.5) -> Sound:
        assert self.x.voices is not None
        return self.x.voices.ears[leg.sid].last(seconds)


@pytest.fixture
async def board(anyio_backend: str) -> AsyncIterator[Board]:
    made = Board()
    served = Served(rest_app(made.x), made.port)
    await served.start()
    yield made
    await made.x.close()
    await served.stop()
    assert made.x.faults == []


async def test_a_browser_without_a_registered_page_does_not_ring(board: Board) -> None:
    leg = board.ring()
    await until(lambda: leg.over, every=0.02)
    assert (leg.status, leg.sip_code) == ("no-answer", 480)
    assert "is ringing" not in [what for _, what in leg.story]
    async with board.page():
        # Connected, but it has not registered.
        leg = board.ring()
        await until(lambda: leg.over, every=0.02)
        assert leg.status == "no-answer"


async def test_tokens_that_do_not_let_a_page_in(board: Board) -> None:
    url = f"ws://127.0.0.1:{board.port}/signal"
    for token, code in [
        ("nonsense", 31204),
        (mint("c_ana", ACCOUNT, key="SK2"), 31204),
        (mint("c_ana", "AC" + "9" * 32), 31201),
        (mint("c_ana", ACCOUNT, lives=-5), 20104),
        (mint("c_ana", ACCOUNT, grants={"identity": "c_ana", "voice": {}}), 31204),
    ]:
        async with PhonePage(url, token) as page:
            assert (await page.wait_for("error"))["error"]["code"] == code
            await page.say("register", media={"audio": True})
            assert board.x.switchboard is not None
            assert board.x.switchboard.pages_of("c_ana") == []


@nightly
async def test_both_hear_each_other_and_only_what_the_conference_allows(board: Board) -> None:
    """By day two browsers do, also on hold and muted (tests/browser/test_telephone.py)."""
    async with board.page() as page:
        await page.register()
        child, leg = board.child(), board.ring()
        await page.answer(await page.wait_for("invite"))
        await until(lambda: share_at(board.heard(child), 1000) > 0.9, every=0.02)
        await until(lambda: share_at(page.last(0.5), 440) > 0.9, every=0.02)
        found = board.x.conferences.of_leg(child)
        assert found is not None
        conference, caller = found
        counsellor = conference.participants[leg.sid]

        board.x.conferences.hold(conference, caller, True)
        await until(lambda: loudness(board.heard(child)) == 0, every=0.02)
        await until(lambda: loudness(page.last(0.3)) < 0.001, every=0.02)
        board.x.conferences.hold(conference, caller, False)
        await until(lambda: share_at(board.heard(child), 1000) > 0.9, every=0.02)

        board.x.conferences.take_part(conference, counsellor, True, None)
        await until(lambda: loudness(board.heard(child)) == 0, every=0.02)
        # The child goes on talking to a counsellor who is muted.
        page.heard.clear()
        await until(lambda: len(page.last(1.0)) == RATE, every=0.02)
        assert share_at(page.last(0.5), 440) > 0.9
        board.x.conferences.take_part(conference, counsellor, False, None)

        await board.x.end_leg(child, "completed", "person")
        await page.say("hangup", callsid=leg.sid)
        await until(lambda: leg.over, every=0.02)
        assert (leg.status, leg.ending) == ("completed", "person")


async def test_a_whisper_reaches_only_the_one_who_is_coached(board: Board) -> None:
    async with board.page() as page:
        await page.register()
        child, leg = board.child(hertz=300), board.ring()
        await page.answer(await page.wait_for("invite"))
        await until(lambda: leg.status == "in-progress", every=0.02)
        chief = board.leg("client:c_chief", Caller(tone=tone(2000, 1.0)))
        assert board.x.voices is not None
        board.x.voices.give_mouth(chief)
        board.join(chief, coaches=leg.sid)
        await until(lambda: share_at(page.last(0.5), 2000) > 0.3, every=0.02)
        assert share_at(board.heard(child), 2000) < 0.01
        await until(lambda: share_at(board.heard(chief), 1000) > 0.3, every=0.02)


async def test_the_first_of_two_pages_gets_the_call(board: Board) -> None:
    async with board.page() as first, board.page() as second:
        await first.register()
        await second.register()
        leg = board.ring()
        await first.wait_for("invite")
        invite = await second.wait_for("invite")
        await second.answer(invite)
        await first.wait_for("cancel")
        await until(lambda: leg.status == "in-progress", every=0.02)


async def test_a_page_declines_a_ring_and_a_ring_that_times_out_is_cancelled(board: Board) -> None:
    async with board.page() as page:
        await page.register()
        leg = board.ring()
        await page.say("reject", callsid=(await page.wait_for("invite"))["callsid"])
        await until(lambda: leg.over, every=0.02)
        assert leg.status == "busy"
        leg = board.ring(timeout=-4)
        await page.wait_for("invite")
        await page.wait_for("cancel")
        await until(lambda: leg.over, every=0.02)
        assert leg.status == "no-answer"
        leg = board.ring()
        await page.wait_for("invite")
        await board.x.end_leg(leg, "canceled", "api")
        await page.wait_for("cancel")


@nightly
async def test_a_page_that_has_lost_its_socket_gets_its_call_back(board: Board) -> None:
    """By day a page in a browser does, after a reload (tests/browser/test_telephone.py)."""
    async with board.page() as page:
        await page.register()
        child, leg = board.child(), board.ring()
        invite = await page.wait_for("invite")
        await page.answer(invite)
        await until(lambda: share_at(board.heard(child), 1000) > 0.9, every=0.02)
        assert board.x.switchboard is not None
        await board.x.switchboard.drop_sockets()
        async with board.page() as again:
            await again.register()
            await again.say("invite", callsid=leg.sid, sdp="", reconnect=invite["reconnect"])
            assert (await again.wait_for("answer"))["reconnect"] == invite["reconnect"]
            await asyncio.sleep(2.5)
            assert not leg.over
            assert share_at(board.heard(child), 1000) > 0.9
            await again.say("dtmf", callsid=leg.sid, dtmf="7")
            assert await asyncio.wait_for(leg.digits.get(), 5) == "7"
        # Gone for good: its line has died.
        await until(lambda: leg.over, every=0.02)
        assert (leg.status, leg.sip_code) == ("failed", 408)


def test_a_caller_answers_when_spoken_to() -> None:
    talker = Talker(Caller(speech=["Zdravo.", "Da, čujem vas."]))
    quiet, loud = tone(0, 0.02), tone(300, 0.02)
    first, second = spoken("Zdravo.", "sr"), spoken("Da, čujem vas.", "sr")
    assert loudness(first) > 0.01

    def listen(frame: Sound, seconds: float) -> float:
        """Let the caller listen; return how long they spoke meanwhile."""
        said = 0.0
        for _ in range(round(seconds * 50)):
            said += 0.02 if talker.next_frame() is not None else 0.0
            talker.hear(frame, in_talk=True)
        return said

    assert listen(quiet, 0.7) == 0
    assert listen(quiet, len(first) / RATE + 1) == pytest.approx(len(first) / RATE, abs=0.05)
    assert listen(loud, 2) == 0
    assert listen(quiet, 1.1) == 0
    assert listen(quiet, len(second) / RATE + 1) == pytest.approx(len(second) / RATE, abs=0.05)
    assert talker.finished


def test_sounds_of_our_documents_are_read() -> None:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\x10\x00" * 16_000)
    assert len(read_wav(made.getvalue())) == RATE
    assert len(read_wav(b"no sound")) == 0


# -- made-up words ---------------------------------------------------------------------------

SDP = (
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=setup:active\r\n"
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\n"
    "a=rtpmap:111 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n"
)
VALUES = recursive(
    one_of(none(), integers(), TEXT, changed(SDP)),
    lambda inner: dictionaries(TEXT, inner, max_size=3),
    max_leaves=4,
)
KINDS = sampled_from("listen register answer reject hangup reinvite invite dtmf message x".split())


async def test_any_words_of_a_page_leave_the_signalling_working(board: Board) -> None:
    async with board.page("c_ana") as page:
        await page.register()
        board.ring("c_ana", timeout=60)
        invite = await page.wait_for("invite")

        messages = fixed_dictionaries(
            {},
            optional={
                "type": one_of(KINDS, VALUES),
                "payload": one_of(
                    VALUES,
                    fixed_dictionaries(
                        {"callsid": one_of(sampled_from([invite["callsid"]]), VALUES)},
                        optional={"sdp": changed(SDP), "dtmf": VALUES, "content": VALUES},
                    ),
                ),
            },
        )
        # By another socket, as a page of the same person.
        async with websockets.connect(f"ws://127.0.0.1:{board.port}/signal") as socket:
            listen = {"token": page.token, "reconnectTimeout": 2, "browserinfo": {}}
            await socket.send(json.dumps({"type": "listen", "payload": listen}))

            async def say(message: object) -> None:
                await socket.send(json.dumps(message))
                await asyncio.sleep(0)

            async def say_text(words: str) -> None:
                await socket.send(words)

            await tried(messages, say, 60 if WHOLE else 15)
            await tried(one_of(TEXT, changed('{"type": "register"}')), say_text, 20 if WHOLE else 5)
            # It still answers.
            await socket.send(json.dumps({"type": "listen", "payload": {"token": "no"}}))
            async with asyncio.timeout(10):
                while "error" not in (await socket.recv()):
                    pass
    # The next page rings and answers.
    async with board.page("c_mila") as page:
        await page.register()
        ringing = board.ring("c_mila")
        await page.answer(await page.wait_for("invite"))
        async with asyncio.timeout(10):
            while ringing.status != "in-progress":
                await asyncio.sleep(0.01)
    # Each odd message is noted, so that a test of the pages would fail by it.
    assert board.x.faults
    board.x.faults.clear()


async def test_a_line_that_is_closed_while_it_is_opened_leaves_no_socket_open() -> None:
    before = psutil.Process().net_connections("udp")
    for turns in range(12):
        line = voices.PageLine()
        opened = asyncio.ensure_future(line.offer())
        for _ in range(turns):
            await asyncio.sleep(0)
        await line.close()
        await opened
    assert psutil.Process().net_connections("udp") == before
