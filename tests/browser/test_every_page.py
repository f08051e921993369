"""Every page, with rows, is usable by all, and in other languages.

One language is English with accents that is longer by 40 %: nothing of any page is left in English
or shown as a code. A page is opened that has many kinds of parts which none of those opened before
had: by a link from the last of them, some in compact rows, and it is not too wide. One of them is
read at 400 % without scrolling sideways, and nothing that has the focus is covered; the next is
tried by axe in one look, the one after it in the next look. What the others say is read without a
browser. In Arabic the rota is opened, and the numbers of some pages are read.

With `TESTS=whole` every page in every language is opened and tried with axe at three widths as
every reader of something new, and is loaded anew, English in both themes. `PICTURES=<folder>` keeps
a picture of each page.
"""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import lxml.html
import pytest
from playwright.async_api import Page, expect

from app import words
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Role
from app.words import pages
from app.work import PROGRAM
from tests.support.axe import AXE, FRAME, LOOKS, ZOOMED, faults, faults_zoomed, too_wide
from tests.support.browser import MUTE, visit
from tests.support.long_words import LONG, add_long_language, read_in, sentences_of
from tests.support.pages.addresses import page_addresses
from tests.support.pages.direction import bare_runs
from tests.support.pages.left import OF_FILES, READ, codes_in, dates_in, in_english
from tests.support.pages.readers import Reader, every_reader, people_of_every_role, seen
from tests.support.pages.rows import rows_for_pages
from tests.support.pages.walk import Browsing, Version, Walk
from tests.support.profile import WHOLE, by_day

PICTURES = os.environ.get("PICTURES")
WIDTHS = tuple(dict.fromkeys(width for _, width in LOOKS))
_BY_DAY = [look for look in LOOKS if look[1] in (max(WIDTHS), min(WIDTHS))]
# What its lines say is proven by `tests/words/test_logged_values.py`. By day they tell how the rows
# of this test were made, in words of its own.
_LOG = "/admin/log"
# By day a page is opened in the browser that has this many kinds of parts which none of those
# opened before had,
_NEW_PARTS = 12
# and at least this many pages are.
_LEAST_OPENED = 10
# By day one page of this many is read in Arabic.
_IN_ARABIC = 5


@pytest.fixture
def words_folder(language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A copy of the words with the long language, if that is one that is read."""
    if language != LONG:
        yield
        return
    copy = tmp_path / "words"
    shutil.copytree(words.FOLDER, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.setattr(words, "FOLDER", copy)
    add_long_language(copy)
    yield
    monkeypatch.undo()
    words.forget()
    pages.forget()


async def _reads(stage: Stage, who: Counsellor, language: str) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        staff = await work.session.get(Staff, who.id)
        assert staff is not None
        await accounts.choose_page_language(work, staff, language)
    stage.ground.memory.forget("everything")


def _tried(language: str, place: int, turn: int) -> list[tuple[str, int]]:
    """Return the looks in which the page at a place of the walk is tried.

    One of four, the widest or the narrowest, or none if it is read at 400 % alone. With
    `TESTS=whole` the three widths, in one theme and the next page in the other. In English all six:
    colours do not depend on the language.
    """
    if not WHOLE:
        return [_BY_DAY[turn // 2 % len(_BY_DAY)]] if _is_for_axe(turn) else []
    return LOOKS if language == "en" else LOOKS[place % 2 :: 2]


def _is_for_axe(turn: int) -> bool:
    """Return whether axe tries the page of a turn; by day every other one is zoomed instead."""
    return WHOLE or turn % 2 == 1


def _density(turn: int) -> str:
    """Return how high the rows are in a turn: in each look now so, now so."""
    pair = turn // 2
    return ("comfortable", "compact")[(pair + pair // len(_BY_DAY)) % 2]


class _Eye:
    """Looks at pages at three widths, with axe and at 400 %.

    What stands around every page of a reader is looked at on the first of them in each look; with
    `TESTS=whole` on each page.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        # By (reader, theme, width).
        self._seen: set[tuple[str, str, int]] = set()

    def _besides(self, one: Version, theme: str, width: int) -> str:
        key = (one.reader.name, theme, width)
        if not one.is_framed or WHOLE or key not in self._seen:
            self._seen |= {key} if one.is_framed else set()
            return ""
        return FRAME

    async def looks(
        self, one: Version, where: str, looks: list[tuple[str, int]], *, with_axe: bool
    ) -> list[str]:
        """Return what is wrong with the page that is open, and what axe finds."""
        page = self._page
        found: list[str] = []
        if WHOLE or not with_axe:
            besides = self._besides(one, "", ZOOMED["width"])
            found += await faults_zoomed(page, where, besides, stays=True)
        for width in WIDTHS:
            themes = [theme for theme, tried in looks if tried == width]
            if not themes and not WHOLE:
                # It is as narrow at 400 %; what fits into the narrowest fits into the others.
                continue
            await page.set_viewport_size({"width": width, "height": 900})
            for theme in themes:
                # Colours that are on their way from one theme to the other are not looked at.
                await page.emulate_media(
                    color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce"
                )
                if with_axe:
                    besides = self._besides(one, theme, width)
                    found += await faults(page, f"{where} {width} {theme}", besides)
                if PICTURES:
                    name = f"{where} {width} {theme}".replace("/", "-")
                    await page.screenshot(
                        caret="initial", path=str(Path(PICTURES) / f"{name}.png"), full_page=True
                    )
            if not themes or not with_axe:
                found += await too_wide(page, f"{where} {width}")
        return found


# By night the walk in English alone takes most of an hour.
@pytest.mark.timeout(5400 if WHOLE else 900)
@pytest.mark.parametrize("language", by_day([LONG, *words.written()]))
async def test_every_page_in_another_language(
    words_folder: None, live: Stage, page: Page, language: str
) -> None:
    people = await people_of_every_role(live)
    addresses = await page_addresses(live, await rows_for_pages(live, people))
    # Once for all pages: it is longer than all else that is sent to the browser.
    await page.add_init_script(path=AXE)
    await page.add_init_script(MUTE)
    walk = Walk(live, addresses, language, most_readers=99 if WHOLE else 1)
    readers = await every_reader(live, people, language)
    found = await _walk(walk, page, readers)
    found += [f"{language}: shown from the wrong side: {one}" for one in walk.bare]
    found += [f"{language}: in English, and says so: {one}" for one in sorted(walk.hidden)]
    assert set(addresses) - walk.opened == set(), "opened by no reader"
    assert {name for name, _ in walk.seen} == {one.name for one in readers}
    if not WHOLE:
        found += await _bare_in_arabic(live, people[Role.SUPERVISOR], addresses.values())
    assert not found, "\n".join(found)


async def _bare_in_arabic(
    stage: Stage, boss: Counsellor, addresses: Iterable[list[str]]
) -> list[str]:
    """Return what is shown from the wrong side on some pages that a supervisor may read."""
    await _reads(stage, boss, "ar")
    found, read = list[str](), 0
    for address, *_ in list(filter(None, addresses))[::_IN_ARABIC]:
        answer = await stage.client.get(
            f"{stage.settings.public_url}{address}", headers={"Cookie": boss.cookie_header}
        )
        if answer.status_code == 200 and "<html" in answer.text:
            read += 1
            found += [f"ar {address}: {one}" for one in bare_runs(answer.text)]
    assert read >= 8
    return found


async def _walk(walk: Walk, page: Page, readers: list[Reader]) -> list[str]:
    """Return what is wrong with any page."""
    language = walk.language
    # Pages without a sign-in are read in the language of the browser.
    await page.set_extra_http_headers({"Accept-Language": f"{language};q=0.9, en;q=0.5"})
    english = sentences_of(language)
    browsing, eye = Browsing(page, walk.stage), _Eye(page)
    found: list[str] = []
    known: set[str] = set()
    place = opened = 0
    async for one in walk.versions(readers):
        place += 1
        # By day, how many pages were opened before it.
        turn = place // 2 if WHOLE else opened
        density = _density(turn)
        where = f"{language} {one.reader.name} {density} {one.address}"
        # A wallboard speaks the language of who made it.
        is_wall = one.address.startswith("/wall/")
        is_read = not is_wall and (WHOLE or one.pattern != _LOG)
        if _is_only_read(one, known):
            found += _read(one, where, language, english, _said(one.html)) if is_read else []
            continue
        opened += 1
        await browsing.open(one, density, anew=WHOLE)
        await expect(page.locator("main")).to_be_visible()
        if not is_wall:
            html = page.locator("html")
            await expect(html).to_have_attribute("lang", _locale(language))
            right_to_left = words.about(language).right_to_left
            assert (await html.get_attribute("dir") == "rtl") == right_to_left, where
        if is_read:
            found += _read(one, where, language, english, await page.evaluate(READ))
        looks = _tried(language, place, turn)
        found += await eye.looks(one, where, looks, with_axe=_is_for_axe(turn))
    assert WHOLE or opened >= _LEAST_OPENED, "too few pages have new kinds of parts"
    return found


def _is_only_read(one: Version, known: set[str]) -> bool:
    """Return whether a page is not opened: its parts are like those of the pages before.

    The kinds of its parts are `known` from then on, if it is. A page without a frame speaks the
    language of the browser.
    """
    if WHOLE:
        return False
    new = _parts(one.html) - known
    if one.is_framed and (len(new) < _NEW_PARTS or not one.is_first):
        return True
    known |= new
    return False


def _parts(html: str) -> set[str]:
    """Return the kinds of parts of a page: elements, each with one of its classes."""
    (main,) = lxml.html.fromstring(html).xpath("//main")
    return {
        f"{one.tag}.{name}"
        for one in main.iter("*")
        for name in one.get("class", "").split() or [""]
    }


def _said(html: str) -> list[str]:
    """Return what a page says, without a browser."""
    page = lxml.html.fromstring(html)
    for typed in page.xpath("//textarea"):
        typed.drop_tree()
    return read_in(page)


def _locale(language: str) -> str:
    return words.about(language).locale.replace("_", "-")


def _read(one: Version, where: str, language: str, english: set[str], said: list[str]) -> list[str]:
    """Return what a page that says this says in another language than its reader's."""
    left = english.intersection(said)
    found = [f"{where}: in English: {text}" for text in left]
    if language == LONG:
        unknown = in_english(said) - english
        found += [f"{where}: known to no catalogue: {text}" for text in unknown]
        found += [f"{where}: as programs write it: {text}" for text in dates_in(said)]
        if one.pattern not in OF_FILES:
            found += [f"{where}: a code: {text}" for text in codes_in(said)]
    return found


async def test_names_places_and_times_are_those_of_the_reader(live: Stage, page: Page) -> None:
    """Names in the order of their language, places below their region, times of the helpline."""
    await names_stand_in_the_order_of_the_readers_language(live, page)
    await places_stand_in_order_below_their_region(live, page)
    await a_time_is_the_helplines_and_says_so_to_a_reader_elsewhere(live, page)


async def names_stand_in_the_order_of_the_readers_language(live: Stage, page: Page) -> None:
    names = ["Đorđe", "Džo", "Dragan", "Ćira", "Čeda", "Cveta"]
    for name in names:
        await live.add_counsellor(name, state=None, shift=False)
    mila = await live.add_counsellor("Zora", role=Role.ADMINISTRATOR, state=None, shift=False)
    shown = page.locator(".people-table tbody th")
    for language, sorted_ in [
        ("sr", ["Cveta", "Čeda", "Ćira", "Dragan", "Džo", "Đorđe", "Zora"]),
        ("en", ["Čeda", "Ćira", "Cveta", "Đorđe", "Dragan", "Džo", "Zora"]),
    ]:
        await _reads(live, mila, language)
        await visit(page, live, mila, "/admin/people")
        await expect(shown).to_have_text(sorted_)
        # By a link, the page comes into the frame: its names are in order before it is shown.
        await page.get_by_role("link", name=re.compile("^(Rota|Raspored)$")).first.click()
        await expect(page.locator("#week [data-person] .who")).to_have_text(sorted_[:-1])
    # Of all languages this one has the longest days: they stand beside each other.
    await _reads(live, mila, "ar")
    await page.set_viewport_size({"width": 1280, "height": 900})
    await visit(page, live, mila, "/roster")
    await expect(page.locator("#week thead .today small")).to_be_visible()
    assert await too_wide(page, "the rota in Arabic") == []
    await expect(page.locator("html")).to_have_attribute("lang", _locale("ar"))
    await expect(page.locator("html")).to_have_attribute("dir", "rtl")
    assert await faults_zoomed(page, "the rota in Arabic") == []
    for address in ("/roster", "/admin/lines"):
        assert bare_runs(await seen(live, mila, address)) == [], address


async def places_stand_in_order_below_their_region(live: Stage, page: Page) -> None:
    olga = await live.add_counsellor("olga", role=Role.REFERRAL_OFFICER, state=None, shift=False)
    await _reads(live, olga, "sr")
    await visit(page, live, olga, "/agencies")
    options = page.locator('select[name="place"] option:not([value=""])')
    await expect(options.first).to_have_text("Beograd")
    shown = [text.strip() for text in await options.all_inner_texts()]
    assert [one for one in shown if not one.startswith("–")] == [
        "Beograd",
        "Inostranstvo",
        "Južna i istočna Srbija",
        "Kosovo i Metohija",
        "Šumadija i zapadna Srbija",
        "Vojvodina",
        "Nepoznato",
    ]
    assert shown[shown.index("Vojvodina") + 1 : -1] == [
        "– Južnobački okrug",
        "– Južnobanatski okrug",
        "– Severnobački okrug",
        "– Severnobanatski okrug",
        "– Srednjobanatski okrug",
        "– Sremski okrug",
        "– Zapadnobački okrug",
    ]


async def a_time_is_the_helplines_and_says_so_to_a_reader_elsewhere(
    live: Stage, page: Page
) -> None:
    mila = await live.add_counsellor("mila", role=Role.AUDITOR, state=None, shift=False)
    shown = page.locator("main time[data-clock]").first
    devtools = await page.context.new_cdp_session(page)
    said = []
    for zone in ("Europe/Belgrade", "Asia/Tokyo"):
        await devtools.send("Emulation.setTimezoneOverride", {"timezoneId": zone})
        await visit(page, live, mila, "/admin/log")
        await expect(shown).to_have_attribute("data-said", "yes")
        said.append((await shown.inner_text()).strip())
    here, elsewhere = said
    assert re.search(r"\d\d:\d\d(:\d\d)?$", here), here
    assert re.fullmatch(re.escape(here[:5]) + r".* (CES?T|GMT\+[12])", elsewhere), elsewhere
