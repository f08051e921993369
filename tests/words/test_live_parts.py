"""The desk, the call bar and the parts of the team say what goes on in their reader's language.

The walk through every page (`tests/browser/test_every_page.py`) sees a helpline in which no call
rings. Here each part is read while one does: an offer, a talk, a caller who waits, a call for
help, wrap-up, a written conversation; in English that is longer, and from the right.
"""

from pathlib import Path

import pytest
from sqlalchemy import select

from app.demo.stage import Counsellor, Stage
from app.demo.writing import a_child
from app.jobs.transaction import transaction
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.long_words import LONG, read_in_page, sentences_of, speak_longer
from tests.support.pages.direction import bare_runs
from tests.support.pages.left import codes_in, dates_in, hidden_english, in_english
from tests.support.routes import addresses_of, routes
from tests.support.talks import act, waits

FROM_RIGHT = "ar"
_BELOW = ("/board/", "/team/strip", "/team/people")
_PAGES = {"/", "/team"}
# Says the same whatever goes on: it is read once.
_STILL = {
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
# What is no text, and what never ends.
_NOT_READ = {"/board/live", "/board/messages/{message_id}/audio", "/board/chats/media/{media_id}"}
# What needs rows of its own.
_ELSEWHERE = {
    "/board/chats/{call_id}/ring": "a child who writes from a number: tests/dashboard",
    "/board/messages/written/{call_id}": "a message that was left: tests/dashboard",
    "/board/chats/{call_id}/ring/{message_number}": "a number that a child wrote: tests/dashboard",
    "/board/chats/{call_id}/translations": "with an engine: tests/dashboard",
}


class Parts:
    """Reads every part of the board, as it is now, in both languages."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.opened: set[str] = set()
        self.faults: set[str] = set()
        self._said: dict[str, set[str]] = {LONG: set(), FROM_RIGHT: set()}
        self._seen: set[tuple[str, str]] = set()
        self._english = {one: sentences_of(one) for one in (LONG, FROM_RIGHT)}

    async def read(self, state: str, *readers: Counsellor, **rows: str) -> None:
        """Read all that these readers may see now."""
        still = _STILL & self.opened
        for language in (LONG, FROM_RIGHT):
            await self._all_read(language)
            for who in readers:
                for route in routes(self.stage):
                    path = route.path
                    read = path in _PAGES or path.startswith(_BELOW)
                    if read and "GET" in (route.methods or ()) and path not in still | _NOT_READ:
                        known = {name: [one] for name, one in rows.items()}
                        for address in addresses_of(self.stage, route, known, []):
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
            return
        assert answer.status_code in (200, 204), (where, address, answer.text)
        self.opened.add(path)
        if not answer.text.strip() or (address, answer.text) in self._seen:
            return
        self._seen.add((address, answer.text))
        said = set(read_in_page(f"<html><body>{answer.text}</body></html>"))
        said -= self._said[language]
        self._said[language] |= said
        left = said & self._english[language]
        if language == LONG:
            left |= in_english([*said]) | dates_in(said) | codes_in(said)
            left |= hidden_english(answer.text)
        else:
            left |= set(bare_runs(answer.text))
        self.faults |= {f"{where} {who.staff.name} {address}: {one}" for one in left}


async def test_what_goes_on_is_said_in_the_language_of_its_reader(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    await act(ana, {"id": call["call_id"]}, "panic", status=200)
    await parts.read("a call for help", ana, boss, **call)
    await stage.exchange.hang_up(other)
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    assert await ana.presence() == "wrap_up"
    await parts.read("wrap-up", ana, **call)
    await _chat(stage, parts, ana, boss)
    there = {one.path for one in routes(stage) if "GET" in (one.methods or ())}
    board = {one for one in there if one.startswith(_BELOW)} - _NOT_READ
    assert board - parts.opened == set(_ELSEWHERE)
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
    assert (await child.ask("POST", "/conversation/end")).status_code < 300
    await stage.settle()
    await parts.read("the child has left", ana, call_id=child.id)
