"""The pictures of the documents are taken from the program, and show it as it is.

`scripts/docs --pictures` takes them, and `TESTS=whole` compares them. A picture carries the words
that its page had, so a change of the page is noticed, and another font is not. All show one morning
of an invented helpline, the same in every run.
"""

import asyncio
import json
import os
import random
import re
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from app.clock import SystemClock
from app.contacts import registry
from app.demo.counsellor import Counsellor
from app.demo.stage import MONDAY, Stage, stage_on
from app.practice import voices
from app.routing import own_presence
from app.routing.models import PresenceState
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import Actor, ActorKind, Work
from tests.support.browser import HERS, at, available, press, ring
from tests.support.profile import WHOLE
from tests.support.random_life.days import plan_day
from tests.support.random_life.life import LINES, Life, Step

pytestmark = [
    pytest.mark.skipif(
        not voices.available(), reason="sound needs the extra `demo` (aiortc) at the exchange"
    ),
    pytest.mark.skipif(
        not (WHOLE or os.environ.get("TAKE_PICTURES")), reason="compared with TESTS=whole"
    ),
]

DOCS = Path(__file__).parent.parent.parent / "docs"
SIZE: ViewportSize = {"width": 1280, "height": 680}
_WORDS = b"tEXtWords\x00"
# The last chunk of every PNG file.
_END = b"\x00\x00\x00\x00IEND\xae\x42\x60\x82"


def with_words(picture: bytes, words: str) -> bytes:
    """Add the words of the page to a picture, as a chunk of text."""
    chunk = _WORDS + json.dumps(words).encode("ascii")
    length, check = struct.pack(">I", len(chunk) - 4), struct.pack(">I", zlib.crc32(chunk))
    return picture.removesuffix(_END) + length + chunk + check + _END


def words_of(picture: bytes) -> str:
    """Return the words of the page from which a picture was taken; empty if it has none."""
    _, found, rest = picture.partition(_WORDS)
    return str(json.JSONDecoder().raw_decode(rest.decode("ascii", "replace"))[0]) if found else ""


def size_of(picture: bytes) -> ViewportSize:
    width, height = struct.unpack(">II", picture[16:24])
    return {"width": width, "height": height}


# The same for a page: times of today are shown without their day.
PAGE_FROM_MONDAY = """
const real = Date, ahead = new Date(%r) - Date.now();
globalThis.Date = class extends real {
  constructor(...given) { if (given.length) super(...given); else super(real.now() + ahead); }
  static now() { return real.now() + ahead; }
};
"""


class FromMonday(SystemClock):
    """Runs as the machine's clock does, from a Monday morning on."""

    def __init__(self) -> None:
        self._ahead = MONDAY - super().now()

    def now(self) -> datetime:
        return super().now() + self._ahead


# Who is on duty on which days, from which hour on, for eight hours.
ROTA = (
    ("Ana", "MO,TU,WE,TH,FR", 8),
    ("Boris", "MO,TU,WE,TH", 8),
    ("Iva", "MO,SA,SU", 8),
    ("Vera", "MO,TU,WE,TH,FR", 16),
    ("Mira", "TU,WE,TH,FR,SA,SU", 0),
)


@dataclass
class House:
    stage: Stage
    people: dict[str, Counsellor]

    def __getitem__(self, name: str) -> Counsellor:
        return self.people[name]


@pytest.fixture
async def house(
    database: str, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    """A helpline with people, their rota, and the calls of its last two days."""
    monkeypatch.setattr(registry, "secrets", random.Random(7))
    async with stage_on(database, clock=FromMonday(), sound=True, with_server=False) as stage:
        await stage.add_line()
        people = {}
        for name, days, begins in ROTA:
            people[name] = await stage.add_counsellor(
                name,
                languages="sr" if name in ("Boris", "Iva") else "sr,en",
                state=None,
                recurrence=f"FREQ=WEEKLY;BYDAY={days}",
                starts_at=time(begins),
                minutes=480,
                timezone="Europe/Belgrade",
                first_on=date(2029, 12, 31),
            )
        for name, role in (("Jelena", Role.SUPERVISOR), ("Marko", Role.ADMINISTRATOR)):
            people[name] = await stage.add_counsellor(name, role=role, shift=False, state=None)
        await _live_two_days(stage, [people[name].staff for name in ("Boris", "Vera", "Mira")])
        await stage.ground.database.close()
        await stage.start_server()
        yield House(stage, people)


async def _live_two_days(stage: Stage, staff: list[Staff]) -> None:
    """Let random calls of two days come, of which a report tells."""
    (line,) = await stage.rows("SELECT id FROM lines")
    begins = MONDAY.replace(hour=0) - timedelta(days=2)
    async with stage.ground.database.sessions() as session:
        work = Work(session, begins, Actor(ActorKind.PROGRAM), stage.ground)
        life = Life(stage.ground, work, seed=4, staff=staff)
        life.lines = dict.fromkeys([*LINES, "+38111000000"], line["id"])
        for calls in (14, 20):
            day = work.now
            await plan_day(life, day, calls)
            life.work.now = day
            for hour in range(24):
                life.later(hour * 3600, _all_are(PresenceState.AVAILABLE))
            await life.live(day + timedelta(days=1))
        await _all_are(PresenceState.OFF_DUTY)(life)
        await life.commit()


def _all_are(state: PresenceState) -> Step:
    async def step(life: Life) -> None:
        for one in life.staff:
            life.work.actor = Actor(ActorKind.PERSON, one.id)
            person = await life.work.session.get_one(Staff, one.id)
            await own_presence.choose_presence(life.work, person, state)

    return step


class Album:
    """Takes the pictures; or finds those whose page has other words by now."""

    def __init__(self) -> None:
        self.changed: list[str] = []

    async def picture(self, page: Page, name: str) -> None:
        """Take a picture when the page has come to rest, or wait until the page is like its
        picture. Parts of a page come one after the other."""
        await expect(page.locator("#connection")).to_have_text("● live")
        file, words, before = DOCS / f"{name}.png", await _words_on(page), ""
        if os.environ.get("TAKE_PICTURES"):
            while words != before:
                await asyncio.sleep(1)
                words, before = await _words_on(page), words
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(with_words(await page.screenshot(animations="disabled"), words))
        picture = file.read_bytes()
        for _ in range(50):
            if (size_of(picture), _without_times(words_of(picture))) == (SIZE, words):
                return
            await asyncio.sleep(0.2)
            words = await _words_on(page)
        told = _without_times(words_of(picture))
        pairs = enumerate(zip(words, told, strict=False))
        same = next((n for n, (one, other) in pairs if one != other), min(len(words), len(told)))
        parts = [repr(text[max(0, same - 30) : same + 60]) for text in (words, told)]
        self.changed.append(f"{file.name}: {parts[0]} and not {parts[1]}")


async def _words_on(page: Page) -> str:
    """Return the words of a page, without its times."""
    words = re.sub(r"\s+", " ", await page.locator("body").inner_text())
    return _without_times(re.sub(r"\d+:\d\d(:\d\d)?", "0:00", words).strip())


def _without_times(words: str) -> str:
    """Leave out how long something waits: it goes on while the page is opened."""
    return re.sub(r"\d+ h \d+ min", "0 h 00 min", words)


WRITTEN: dict[str, Any] = {
    "contact.kind": "child",
    "contact.headline": "Does not want to go home after school",
    "contact.categories": ["V-PHYSICAL"],
    "contact.place": "RS-BG",
    "child.a1": 1,
    "child.a1.age": 14,
    "child.a1.age_is": "told",
    "child.a1.gender": "boy",
    "wishes.safe_to_contact": "yes",
    "consent.not_asked_because": "He asked only to be heard.",
    "actions.taken": ["listening"],
    "actions.summary": "He talks to his aunt first, and calls again on Monday.",
}


async def _has_work(ana: Counsellor) -> None:
    """A case with a follow-up that is due today, and a contact that is not finished."""

    async def asks(path: str, **body: Any) -> Any:
        answer = await ana.ask("POST", path, body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    written = await asks("/contacts", channel="email", answers=WRITTEN)
    case = await asks("/cases", contacts=[written["id"]])
    due = MONDAY.date().isoformat()
    await asks(f"/cases/{case['id']}/follow-ups", about="call_back", due_on=due)
    draft = WRITTEN | {"contact.headline": "Asks how to help a friend who is bullied"}
    await asks("/contacts", channel="email", answers=draft)


async def _a_counsellor_works(house: House, page: Page, album: Album) -> None:
    """A child in danger rings, and Ana writes while they talk."""
    stage, ana, boris = house.stage, house["Ana"], house["Boris"]
    await _has_work(ana)
    await house["Iva"].be("break")
    await boris.be("available")
    await ring(stage, from_="+381641290001")
    while await boris.offer() is None:
        await stage.clock.sleep(0.05)
    (await boris.accept()).raise_for_status()
    await at(page, stage, ana, "/")
    await available(page)
    await ring(stage, digit="9")
    await expect(page.locator("#offer")).to_contain_text("A caller in danger")
    await expect(page.locator("#queue")).to_contain_text("is being offered")
    await expect(page.locator("#presence")).to_contain_text("Ringing")
    await expect(page.locator("#desk .offer")).to_be_visible()
    await album.picture(page, "board")

    await press(page, "a")
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    await expect(page.locator("[data-record][data-ready]")).to_have_count(1)
    await page.locator("#f-contact-kind").select_option("child")
    await page.locator("#f-contact-headline").fill("Is threatened by older pupils after school")
    await page.keyboard.press("Tab")
    await page.keyboard.type("zadirk")
    await page.keyboard.press("Enter")
    await expect(page.locator(".combo .chips")).to_have_text("Bullying ×")
    await page.keyboard.press("Escape")
    await expect(page.locator(".caller .guidance")).to_contain_text("Bullying")
    await expect(page.locator("#saving")).to_have_text("All saved")
    await expect(page.locator("#telephone")).to_have_attribute("data-state", "talking")
    await page.evaluate("scrollTo(0, 0)")
    await album.picture(page, "pictures/talk")


async def _a_supervisor_looks(house: House, page: Page, album: Album) -> None:
    stage, jelena = house.stage, house["Jelena"]
    await at(page, stage, jelena, "/team")
    await expect(page.locator("#talks-box li")).to_have_count(2)
    await album.picture(page, "pictures/team")
    await at(page, stage, jelena, "/roster")
    await expect(page.locator("#week .duty").first).to_be_visible()
    await album.picture(page, "pictures/rota")
    yesterday = MONDAY.date() - timedelta(days=1)
    await at(page, stage, jelena, f"/reports/daily?day={yesterday}")
    await expect(page.locator(".headlines > div")).to_have_count(5)
    await album.picture(page, "pictures/report")


async def test_the_pictures_of_the_documents_show_the_program(
    house: House, chromium: Browser
) -> None:
    album = Album()
    for_all: dict[str, Any] = {
        "viewport": SIZE,
        "timezone_id": "Europe/Belgrade",
        "locale": "en-GB",
        **HERS,
    }
    hers, others = [await chromium.new_context(**for_all) for _ in range(2)]
    for context in (hers, others):
        await context.add_init_script(PAGE_FROM_MONDAY % MONDAY.isoformat())
    await _a_counsellor_works(house, await hers.new_page(), album)
    page = await others.new_page()
    await _a_supervisor_looks(house, page, album)
    (line,) = await house.stage.rows("SELECT id FROM lines")
    await at(page, house.stage, house["Marko"], f"/admin/lines/{line['id']}")
    await album.picture(page, "pictures/line")
    for leg in house.stage.exchange.legs.values():
        if not leg.over:
            await house.stage.exchange.hang_up(leg)
    for context in (hers, others):
        await context.close()
    again = "changed since their pictures were taken; run scripts/docs --pictures"
    assert not album.changed, f"{again}: {album.changed}"
