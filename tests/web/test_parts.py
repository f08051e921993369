"""Parts that many readers see alike: one making for all, and none is left with an old one."""

import asyncio
import json
from collections.abc import Hashable
from dataclasses import dataclass, field

import pytest

from app.database.bus import Bus
from app.database.topics import Topic
from app.staff.models import Staff
from app.staff.roles import Permission, Role
from app.web import parts as module
from app.web.parts import Part, Parts, View, own, team_of
from app.web.together import Together
from app.words import pages
from app.work import PROGRAM, Work
from tests.support.verbs import a_counsellor
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATHERED", "OWN_GATHERED", "AT_ONCE", "AGAIN_AFTER"):
        monkeypatch.setattr(module, name, 0.005)
    monkeypatch.setattr(module, "SOON", 0.4)


@dataclass(eq=False)
class Page:
    got: list[str] = field(default_factory=list)

    def hand(self, address: str, said: bytes) -> None:
        _, data = said.decode().strip().split("\n")
        told = json.loads(data.removeprefix("data: "))
        assert told["address"] == address
        self.got.append(told["html"])


@dataclass
class Made:
    """A part whose content the test sets, and how often it was made."""

    text: str = "one"
    times: int = 0
    fails: bool = False
    scopes: list[Hashable] = field(default_factory=list)
    actors: list[object] = field(default_factory=list)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_go_on.set()

    async def __call__(self, work: Work, scope: Hashable) -> str:
        self.times += 1
        self.scopes.append(scope)
        self.actors.append(work.actor)
        found = f"{self.text} in {pages.reader()}"
        await self.may_go_on.wait()
        if self.fails:
            raise OSError("the database is away")
        return found


def offered(work: Work, part: Part) -> tuple[Bus, Parts]:
    bus = Bus("")
    found = Parts(work.ground, bus)
    found.offer(part)
    return bus, found


def a_part(made: Made, **values: object) -> Part:
    topics = frozenset({Topic.QUEUE.value})
    return Part("/p", Permission.SEE_QUEUE, made, topics, **values)  # type: ignore[arg-type]


async def test_a_change_is_made_once_and_sent_to_all(work: Work) -> None:
    made, crowd = Made(), [Page() for _ in range(50)]
    bus, parts = offered(work, a_part(made))
    ana = await a_counsellor(work, "ana")
    for page in crowd:
        parts.open(ana, parts.readable(ana, ["/p"]), page)
    await until(lambda: all(page.got == ["one in en"] for page in crowd), every=0.005)
    assert made.times == 1
    made.text = "two"
    for _ in range(5):
        bus.publish_here(Topic.QUEUE)
    await until(lambda: all(page.got == ["one in en", "two in en"] for page in crowd), every=0.005)
    assert made.times == 2


async def test_what_has_not_changed_is_not_sent_but_a_new_page_gets_it(work: Work) -> None:
    made, first, second = Made('<b data-up="3">x</b>'), Page(), Page()
    bus, parts = offered(work, a_part(made))
    ana = await a_counsellor(work, "ana")
    parts.open(ana, parts.readable(ana, ["/p"]), first)
    await until(lambda: bool(first.got), every=0.005)
    # The seconds count on in the page.
    made.text = '<b data-up="4">x</b>'
    bus.publish_here(Topic.QUEUE)
    parts.open(ana, parts.readable(ana, ["/p"]), second)
    await until(lambda: bool(second.got), every=0.005)
    assert first.got == ['<b data-up="3">x</b> in en']
    assert second.got == ['<b data-up="4">x</b> in en']


async def test_a_change_while_it_is_made_is_not_lost(work: Work) -> None:
    made, page = Made(), Page()
    bus, parts = offered(work, a_part(made))
    ana = await a_counsellor(work, "ana")
    made.may_go_on.clear()
    parts.open(ana, parts.readable(ana, ["/p"]), page)
    await until(lambda: made.times == 1, every=0.005)
    made.text = "two"
    bus.publish_here(Topic.QUEUE)
    await asyncio.sleep(0.05)
    assert made.times == 1, "never two at once"
    made.may_go_on.set()
    await until(lambda: page.got == ["one in en", "two in en"], every=0.005)


async def test_a_change_in_the_moment_in_which_a_page_comes(work: Work) -> None:
    """The event loop of the server keeps no time for a wait of nothing."""
    made, page = Made(), Page()
    bus, parts = offered(work, a_part(made))
    ana = await a_counsellor(work, "ana")
    copies = parts.open(ana, parts.readable(ana, ["/p"]), page)
    for copy in copies:
        copy.has_changed(Topic.QUEUE)
    bus.publish_here(Topic.QUEUE)
    await until(lambda: page.got == ["one in en"], every=0.005)
    assert made.times == 1


async def test_a_part_that_could_not_be_made_is_made_again(work: Work) -> None:
    made, page = Made(fails=True), Page()
    _, parts = offered(work, a_part(made))
    ana = await a_counsellor(work, "ana")
    parts.open(ana, parts.readable(ana, ["/p"]), page)
    await until(lambda: made.times == 2, every=0.005)
    assert page.got == []
    made.fails = False
    await until(lambda: page.got == ["one in en"], every=0.005)


async def test_after_a_lost_connection_every_part_is_made_again(work: Work) -> None:
    made, page = Made(), Page()
    bus, parts = offered(work, a_part(made))
    ana = await a_counsellor(work, "ana")
    parts.open(ana, parts.readable(ana, ["/p"]), page)
    await until(lambda: bool(page.got), every=0.005)
    made.text = "two"
    bus.publish_here(Topic.EVERYTHING)
    await until(lambda: page.got == ["one in en", "two in en"], every=0.005)


async def test_some_changes_are_shown_at_most_once_in_a_while(work: Work) -> None:
    made, page = Made(), Page()
    bus, parts = offered(work, a_part(made, soon=frozenset({Topic.CALLS.value})))
    ana = await a_counsellor(work, "ana")
    parts.open(ana, parts.readable(ana, ["/p"]), page)
    await until(lambda: bool(page.got), every=0.005)
    made.text = "two"
    for _ in range(10):
        bus.publish_here(Topic.CALLS)
        await asyncio.sleep(0.005)
    assert made.times == 1
    await until(lambda: page.got == ["one in en", "two in en"], every=0.005)
    assert made.times == 2


async def test_each_scope_and_language_has_a_copy_of_its_own(work: Work) -> None:
    made, team = Made(), [await a_counsellor(work, name) for name in ("ana", "boris", "vera")]
    team[1].team, team[2].page_language = "north", "sr"
    _, parts = offered(work, a_part(made, scope=team_of))
    crowd = [Page() for _ in team]
    for who, page in zip(team, crowd, strict=True):
        parts.open(who, parts.readable(who, ["/p"]), page)
    await until(lambda: all(page.got for page in crowd), every=0.005)
    assert [page.got for page in crowd] == [["one in en"], ["one in en"], ["one in sr"]]
    assert sorted(map(str, made.scopes)) == ["", "", "north"]
    assert set(made.actors) == {PROGRAM}


async def test_an_own_part_is_made_as_its_reader(work: Work) -> None:
    made, page = Made(), Page()
    _, parts = offered(work, a_part(made, scope=own))
    ana = await a_counsellor(work, "ana")
    copies = parts.open(ana, parts.readable(ana, ["/p"]), page)
    await until(lambda: bool(page.got), every=0.005)
    assert [actor.staff_id for actor in made.actors] == [ana.id]  # type: ignore[attr-defined]
    parts.close(copies, page)
    assert not parts.copies


@dataclass
class Drawings:
    """A view of a part: the role of its reader, and how often it was read and drawn."""

    read: list[str] = field(default_factory=list)
    drawn: list[Hashable] = field(default_factory=list)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_go_on.set()

    async def view(self, work: Work, made: object, staff: Staff) -> Hashable:
        await self.may_go_on.wait()
        self.read.append(staff.name)
        return staff.role

    def draw(self, made: object, view: Hashable) -> str:
        self.drawn.append(view)
        return f"{made} for {view}"


async def test_what_a_team_sees_almost_alike_is_made_once_and_drawn_for_each_view(
    work: Work,
) -> None:
    made, drawings = Made(), Drawings()
    views = View(drawings.view, drawings.draw)
    _, parts = offered(work, a_part(made, scope=team_of, views=views))
    team = [await a_counsellor(work, name) for name in ("ana", "boris", "vera", "nada", "ina")]
    team[1].role, team[3].team, team[4].page_language = Role.SUPERVISOR.value, "north", "sr"
    crowd = [(who, Page()) for who in team for _ in range(10)]
    for who, page in crowd:
        parts.open(who, parts.readable(who, ["/p"]), page)
    await until(lambda: all(page.got for _, page in crowd), every=0.005)
    for who, page in crowd:
        assert page.got == [f"one in {who.page_language or 'en'} for {who.role}"], who.name
    # Ana and Boris with Vera's team, Nada's team, and Ina's language: three makings.
    assert made.times == 3
    assert sorted(drawings.read) == ["ana", "boris", "ina", "nada", "vera"]
    assert sorted(map(str, drawings.drawn)) == ["counsellor"] * 3 + ["supervisor"]


async def test_a_reader_whose_view_changes_gets_it_and_the_others_get_nothing(work: Work) -> None:
    made, drawings = Made(), Drawings()
    bus, parts = offered(work, a_part(made, views=View(drawings.view, drawings.draw)))
    ana, vera = await a_counsellor(work, "ana"), await a_counsellor(work, "vera")
    of_ana, of_vera = Page(), Page()
    for who, page in ((ana, of_ana), (vera, of_vera)):
        parts.open(who, parts.readable(who, ["/p"]), page)
    await until(lambda: bool(of_ana.got and of_vera.got), every=0.005)
    vera.role = Role.SUPERVISOR.value
    bus.publish_here(Topic.QUEUE)
    await until(lambda: of_vera.got[-1] == "one in en for supervisor", every=0.005)
    assert of_ana.got == ["one in en for counsellor"]


async def test_a_page_that_comes_while_views_are_read_gets_its_own(work: Work) -> None:
    made, drawings = Made(), Drawings()
    _, parts = offered(work, a_part(made, views=View(drawings.view, drawings.draw)))
    ana, vera = await a_counsellor(work, "ana"), await a_counsellor(work, "vera")
    vera.role = Role.SUPERVISOR.value
    of_ana, of_vera = Page(), Page()
    drawings.may_go_on.clear()
    parts.open(ana, parts.readable(ana, ["/p"]), of_ana)
    await until(lambda: made.times == 1, every=0.005)
    parts.open(vera, parts.readable(vera, ["/p"]), of_vera)
    drawings.may_go_on.set()
    await until(lambda: bool(of_vera.got), every=0.005)
    assert of_vera.got == ["one in en for supervisor"]
    assert of_ana.got == ["one in en for counsellor"]


async def test_a_part_needs_its_permission(work: Work) -> None:
    _, parts = offered(work, a_part(Made()))
    ana = await a_counsellor(work, "ana")
    # A page that another version has made may name others, too: it keeps its stream.
    assert [part.address for part in parts.readable(ana, ["/p", "/q"])] == ["/p"]
    auditor = Staff(id=ana.id, role=Role.AUDITOR.value)
    assert parts.readable(auditor, ["/p"]) == []


async def test_what_many_ask_together_is_one_question(anyio_backend: str) -> None:
    asked: list[set[int]] = []

    async def read(keys: set[int]) -> dict[int, str]:
        asked.append(keys)
        await asyncio.sleep(0.02)
        return {key: str(key) for key in keys if key != 3}

    together = Together(read)
    first = [asyncio.create_task(together.of(key)) for key in range(5)]
    await asyncio.sleep(0.015)
    # The first question is under way: it cannot know what this one is about.
    later = asyncio.create_task(together.of(1))
    # A reader who leaves takes nothing away from the others.
    first[0].cancel()
    assert await asyncio.gather(*first[1:], later) == ["1", "2", None, "4", "1"]
    assert asked == [{0, 1, 2, 3, 4}, {1}]
