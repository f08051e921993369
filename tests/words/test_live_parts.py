"""The desk, the call bar and the parts of the team say what goes on in their reader's language.

The walk through every page (`tests/browser/test_every_page.py`) sees a helpline in which no call
rings. Here each part is read while one does: an offer, a talk, a caller who waits, a call for
help, wrap-up, a written conversation; in English that is longer, and from the right.
"""

from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from app.calls.lines import finding_lines
from app.calls.models import Call
from app.chats import opening
from app.chats.left import left
from app.contacts.models import Contact
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.demo.writing import a_child
from app.jobs.transaction import transaction
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.access.rows import add_message
from tests.support.access.states import ALARM_OF_A_LINE, DANGER
from tests.support.identity.emergency import sent
from tests.support.long_words import LONG, read_in_page, sentences_of, speak_longer
from tests.support.pages.direction import bare_runs
from tests.support.pages.left import codes_in, dates_in, hidden_english, in_english
from tests.support.profile import WHOLE, nightly
from tests.support.routes import addresses_of, routes, rows_of_every_kind
from tests.support.talks import act, agrees, waits

FROM_RIGHT = "ar"
# The parts are the same in both: from the right they are read by night.
_LANGUAGES = (LONG, FROM_RIGHT) if WHOLE else (LONG,)
_BELOW = ("/board/", "/team/strip", "/team/people")
_PAGES = {"/", "/team"}
# Says what a talk does not change, or what the parts say, too: it is read first, and again when
# there is much to say.
_STILL = {
    "/",
    "/board/tasks",
    "/board/callbacks",
    "/board/messages",
    "/board/team-messages",
    "/board/alarms",
    "/board/dangers",
    "/board/referrals",
    "/board/emergencies",
    "/board/counts",
    "/board/counts/own",
    "/team",
    "/team/people/{person_id}/state",
}
# Says who is in a talk.
_OF_TALKS = {
    "/board/desk",
    "/board/frame",
    "/board/talks",
    "/board/talks/count",
    "/board/calls/{call_id}/ask",
    "/team/strip",
    "/team/people",
}
# What is no text, and what never ends.
_NOT_READ = {"/board/live", "/board/messages/{message_id}/audio", "/board/chats/media/{media_id}"}
# What needs rows of its own.
_ELSEWHERE = {
    "/board/chats/{call_id}/ring": "a child who writes from a number: tests/dashboard",
    "/board/messages/written/{call_id}": "a message that was left: tests/dashboard",
    "/board/chats/{call_id}/ring/{message_number}": "a number that a child wrote: tests/dashboard",
    "/board/chats/{call_id}/translations": "with an engine: tests/dashboard",
}


# Says a word only with rows of its own.
_SILENT = {"/board/chats/{call_id}/caller": "a child who writes from a number: tests/dashboard"}


class Parts:
    """Reads every part of the desk, as it is now, in each language."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.opened: set[str] = set()
        # Which of them have said a word, and how often each was refused or not there.
        self.spoke: set[str] = set()
        self.refused = Counter[str]()
        self.faults: set[str] = set()
        self._said: dict[str, set[str]] = {one: set() for one in _LANGUAGES}
        self._seen: set[tuple[str, str]] = set()
        self._english = {one: sentences_of(one) for one in _LANGUAGES}

    async def read(self, state: str, *readers: Counsellor, **rows: str) -> None:
        """Read what a talk may change, and all that was not there before."""
        paths = {one.path for one in routes(self.stage)}
        below = {one for one in paths if one.startswith(_BELOW)} | _PAGES
        await self.read_some(below - (_STILL & self.opened), state, *readers, **rows)

    async def read_some(
        self, paths: set[str], state: str, *readers: Counsellor, **rows: str
    ) -> None:
        """Read these paths, as these readers see them now."""
        known = {name: [one] for name, one in rows.items()}
        asked = [
            (route.path, address)
            for route in routes(self.stage)
            if route.path in paths - _NOT_READ and "GET" in (route.methods or ())
            for address in addresses_of(self.stage, route, known, [])
        ]
        for language in _LANGUAGES:
            await self._all_read(language)
            for who in readers:
                for path, address in asked:
                    await self._open(f"{state}, {language}", who, language, path, address)

    async def _all_read(self, language: str) -> None:
        async with transaction(self.stage.ground, PROGRAM) as work:
            for staff in await work.session.scalars(select(Staff)):
                await accounts.choose_page_language(work, staff, language)
        self.stage.ground.memory.forget("everything")

    async def _open(
        self, where: str, who: Counsellor, language: str, path: str, address: str
    ) -> None:
        url = self.stage.settings.public_url + address
        answer = await self.stage.client.get(url, headers={"Cookie": who.cookie_header})
        if answer.status_code in (403, 404) or path in _ELSEWHERE:
            self.refused[path] += 1
            return
        assert answer.status_code in (200, 204), (where, address, answer.text)
        self.opened.add(path)
        if not answer.text.strip() or (address, answer.text) in self._seen:
            return
        self._seen.add((address, answer.text))
        said = set(read_in_page(f"<html><body>{answer.text}</body></html>"))
        if said:
            self.spoke.add(path)
        said -= self._said[language]
        self._said[language] |= said
        left = said & self._english[language]
        if language == LONG:
            left |= in_english([*said]) | dates_in(said) | codes_in(said)
            left |= hidden_english(answer.text)
        else:
            left |= set(bare_runs(answer.text))
        self.faults |= {f"{where} {who.staff.name} {address}: {one}" for one in left}


@nightly
async def test_what_goes_on_is_said_in_the_language_of_its_reader(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By day no template says anything outside of a catalogue (test_pages)."""
    speak_longer(folder, monkeypatch)
    await stage.let_write()
    ana = await stage.add_counsellor("ana", chats=2)
    boss = await stage.add_counsellor("vera", role=Role.SUPERVISOR, state=None)
    parts = Parts(stage)
    leg = stage.ring("+381601234567")
    await stage.advance(2)
    stage.exchange.press(leg, "9")
    await stage.advance(2)
    assert await ana.offer()
    call = {"call_id": str((await stage.call_of(leg))["id"]), "person_id": str(ana.id)}
    await parts.read("offered", boss, ana, **call)
    assert (await ana.accept()).status_code == 200
    await stage.advance(2)
    other = await waits(stage, from_="+381641110002")
    await parts.read("in a talk", ana, boss, **call)
    await ana.do("hold")
    await act(ana, {"id": call["call_id"]}, "call-for-help", status=200)
    await parts.read("a call for help", ana, boss, **call)
    await ana.do("resume")
    await _three_talk(stage, parts, ana, boss, call)
    await _much_is_there(stage, ana, boss)
    much = {*_STILL, "/board/alerts"}
    await parts.read_some(much, "much is there", ana, boss, **call)
    await stage.exchange.hang_up(other)
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    assert await ana.presence() == "wrap_up"
    await parts.read("wrap-up", ana, **call)
    await _chat(stage, parts, ana, boss)
    there = {one.path for one in routes(stage) if "GET" in (one.methods or ())}
    board = {one for one in there if one.startswith(_BELOW)} | _PAGES
    mute = board - _NOT_READ - parts.spoke
    assert mute == {*_ELSEWHERE, *_SILENT}, {one: parts.refused[one] for one in mute}
    assert not parts.faults, "\n".join(sorted(parts.faults))


async def _chat(stage: Stage, parts: Parts, ana: Counsellor, boss: Counsellor) -> None:
    await ana.be("available")
    child = a_child(stage)
    await child.open()
    await child.say("Zdravo")
    await stage.settle()
    await parts.read("a chat is offered", ana, call_id=child.id)
    assert (await ana.accept()).status_code == 200
    await child.say("Dolazim")
    await stage.settle()
    await parts.read("in a chat", ana, boss, call_id=child.id)
    await parts.read_some({"/"}, "in a chat", ana)
    assert (await child.ask("POST", "/conversation/end")).status_code < 300
    await stage.settle()
    await parts.read("the child has left", ana, call_id=child.id)


async def _much_is_there(stage: Stage, ana: Counsellor, boss: Counsellor) -> None:
    """A call-back, messages, alarms, a danger, a referral and an emergency wait for a person."""
    await agrees(stage)
    await rows_of_every_kind(stage, ana)
    nada = await stage.add_counsellor("nada", role=Role.SUPERVISOR, state=None)
    await sent(stage, nada, "/emergency", kind="accounts", ground="Niko ne može da uđe.")
    told = await boss.ask("POST", "/team/messages", {"to": str(ana.id), "words": "Zdravo"})
    assert told.status_code == 201, told.text
    async with transaction(stage.ground, PROGRAM) as work:
        line = await finding_lines.any_line(work)
        assert line is not None
        written = await opening.open_conversation(
            work, line, language="sr", danger=False, client_key=uuid4().hex
        )
        await left.leave_message(work, written.call.id, text="Javite se", client_key=uuid4().hex)
        spoken = await work.session.scalar(select(Call).where(Call.outcome.is_not(None)))
        assert spoken is not None
        await add_message(work, uuid4(), spoken.id)
        contact = await work.session.scalar(select(Contact).limit(1))
        assert contact is not None
        await work.session.execute(text(ALARM_OF_A_LINE), {"id": uuid4(), "now": work.now})
        values = {"id": uuid4(), "now": work.now, "contact": contact.id, "owner": ana.id}
        await work.session.execute(text(DANGER), values)
    stage.ground.memory.forget("everything")


async def _three_talk(
    stage: Stage, parts: Parts, ana: Counsellor, boss: Counsellor, call: dict[str, str]
) -> None:
    """A colleague is asked, and a supervisor listens."""
    mila = await stage.add_counsellor("mila", shift=False)
    this = {"id": call["call_id"]}
    await act(ana, this, "transfer", {"counsellor_id": str(mila.id), "warm": True})
    await parts.read_some(_OF_TALKS, "a colleague is asked", ana, mila, boss, **call)
    await stage.advance(4)
    olga = await stage.add_counsellor("olga", role=Role.SUPERVISOR, shift=False, state="break")
    await act(olga, this, "listen")
    await parts.read_some(_OF_TALKS, "a consult, and a listener", ana, mila, olga, **call)
    (row,) = await stage.rows("SELECT count(*) FROM participants WHERE state = 'in'")
    assert row["count"] >= 2, "both are in the talk"
