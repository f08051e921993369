"""The walk through every page: which version of a page each reader sees that others have not."""

import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import lxml.html
from playwright.async_api import Page

from app import words
from app.demo.stage import Stage
from app.staff.roles import Role
from app.web.access import COOKIE
from app.words import pages
from tests.support.long_words import LONG, read_in
from tests.support.pages.addresses import Pattern
from tests.support.pages.direction import bare_runs
from tests.support.pages.left import IN_ENGLISH, hidden_english
from tests.support.pages.readers import NAMES, Reader

_FRAMED = re.compile(r'<body class="framed"')
# Around it each reader has their own frame.
_DESK = "/"
_FROM_RIGHT = [one for one in words.written() if words.about(one).right_to_left]


@dataclass(frozen=True)
class Version:
    """A page as one reader sees it.

    `is_first`: no reader before has seen it in any version, nor another page of its route.
    `is_framed`: it has the frame around it in which a click on a link changes the page.
    """

    reader: Reader
    pattern: str
    address: str
    is_first: bool
    is_framed: bool
    html: str


@dataclass
class Walk:
    stage: Stage
    addresses: dict[Pattern, list[str]]
    language: str
    # What answered well, whether it is a page or a part of one.
    opened: set[str] = field(default_factory=set)
    # By (reader, pattern).
    seen: set[tuple[str, str]] = field(default_factory=set)
    # A page that this many readers have read is not asked for by the others.
    most_readers: int = 99
    # What is shown the wrong way round on pages that are read from the right, by its address.
    bare: list[str] = field(default_factory=list)
    # What is in English and marked as English, and no data, by its address.
    hidden: set[str] = field(default_factory=set)
    _read: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _routes: set[str] = field(default_factory=set)
    _readers: Counter[str] = field(default_factory=Counter)

    async def versions(self, readers: Sequence[Reader]) -> AsyncIterator[Version]:
        """Yield each page, and each version of it in which a reader reads something new."""
        for reader in readers:
            for pattern, addresses in self.addresses.items():
                if pattern in self.opened and pattern not in self._read:
                    # A part of a page, or a file, is opened once.
                    continue
                if self._readers[pattern] >= self.most_readers and pattern != _DESK:
                    continue
                found = await self._found(reader, pattern, addresses)
                if found is None:
                    continue
                self.seen.add((reader.name, pattern))
                self._readers[pattern] += 1
                is_first = pattern.route not in self._routes
                self._routes.add(pattern.route)
                if self._is_new(pattern, found[1]):
                    is_framed = _FRAMED.search(found[1]) is not None
                    yield Version(reader, pattern, found[0], is_first, is_framed, found[1])

    async def _found(
        self, reader: Reader, pattern: str, addresses: list[str]
    ) -> tuple[str, str] | None:
        """Return the first of these addresses that is a page for the reader, and its text."""
        for address in addresses:
            url = self.stage.settings.public_url + address
            answer = await self.stage.client.get(url, headers=reader.headers)
            if answer.status_code == 200:
                self.opened.add(pattern)
                is_html = answer.headers.get("content-type", "").startswith("text/html")
                if is_html and answer.text.strip() and self.language in _FROM_RIGHT:
                    self.bare += [f"{address}: {one}" for one in bare_runs(answer.text)]
                if is_html and self.language == LONG and pattern not in IN_ENGLISH:
                    self.hidden |= {f"{address}: {one}" for one in hidden_english(answer.text)}
                return (address, answer.text) if "<main" in answer.text else None
            if answer.status_code != 404:
                # It is not the row: the reader may not open any.
                break
        return None

    def _is_new(self, pattern: str, html: str) -> bool:
        """Return whether a page says what it has not said before, or what is around it does."""
        page = lxml.html.fromstring(html)
        (main,) = page.xpath("//main")
        main.drop_tree()
        for title in page.xpath("//title"):
            title.drop_tree()
        inside, around = self._texts(main), self._texts(page)
        new = inside - self._read[pattern] or around - self._read[""]
        self._read[pattern] |= inside
        self._read[""] |= around
        return bool(new)

    @cached_property
    def _who(self) -> re.Pattern[str]:
        """Match the names and roles of readers."""
        with pages.spoken_in(self.language):
            roles = [pages.code_words(role) for role in Role]
        return re.compile("|".join(re.escape(one) for one in (*NAMES, *roles)))

    def _texts(self, part: lxml.html.HtmlElement) -> set[str]:
        return {_plain(one, self._who) for one in read_in(part)}


def _plain(text: str, who: re.Pattern[str]) -> str:
    """Return a text without what differs from one look to the next: numbers and who reads."""
    return who.sub("", re.sub(r"\d+", "0", text))


# A click on a link to an address, in rows of a density; then the main part of the page is another.
_FOLLOW = """
async ([address, density]) => {
  document.documentElement.dataset.density = density;
  const before = document.getElementById("main");
  const link = document.createElement("a");
  link.href = address;
  document.body.append(link);
  link.click();
  link.remove();
  for (const began = Date.now(); ; ) {
    const now = document.getElementById("main");
    if (now && now !== before && location.pathname + location.search === address) return true;
    if (Date.now() - began > 30000) return false;
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}
"""


class Browsing:
    """One page of a browser, in which one reader after another opens their pages."""

    def __init__(self, page: Page, stage: Stage) -> None:
        self.page = page
        self._stage = stage
        # Whose frame is around the page that is open, if any.
        self._frame_of: Reader | None = None

    async def open(self, one: Version, density: str, *, anew: bool) -> None:
        """Open an address as a reader, who may have no session, in rows of a density.

        By a link from the page before, if it has the frame of the same reader; `anew`: never so.
        """
        if one.is_framed and one.reader == self._frame_of and not anew:
            followed = await self.page.evaluate(_FOLLOW, [one.address, density])
            assert followed, f"{one.reader.name}: a link does not lead to {one.address}"
            return
        self._frame_of = one.reader if one.is_framed else None
        await self.page.context.clear_cookies(name=COOKIE)
        url = self._stage.settings.public_url
        cookies = [{"name": "density", "value": density, "url": url}]
        if one.reader.token:
            cookies.append({"name": COOKIE, "value": one.reader.token, "url": url})
        await self.page.context.add_cookies(cookies)  # type: ignore[arg-type]
        await self.page.goto(url + one.address)
