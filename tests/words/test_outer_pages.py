"""Pages that are opened without an account, and errors, in every language of the pages.

The pages behind the sign-in are tried in a browser (`tests/browser/test_every_page.py`).
"""

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import lxml.html
import pytest
from sqlalchemy import text

from app import words
from app.dashboard.records import lists
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff import accounts
from app.staff.models import Staff
from app.web.limits import Limiter
from app.words import pages
from app.work import PROGRAM
from tests.support.long_words import KEPT, LONG, PHRASE, read_in_page, sentences_of, speak_longer
from tests.support.mail import Mail
from tests.support.profile import WHOLE, by_day, nightly
from tests.support.program.quiet import QuietStage
from tests.support.referrals import sent_link

NIL = UUID(int=0)
# Names of this test's rows, and of the software.
_NAMES = re.compile("Plavi telefon|Safe House")
_SPEAKS = text("UPDATE agencies SET languages = :languages")


def _faults(where: str, language: str, html: str, english: set[str]) -> list[str]:
    """Return what is left in English, and what the page says wrongly of its own language."""
    about, page = words.about(language), lxml.html.fromstring(html)
    found = []
    if page.get("lang") != about.locale.replace("_", "-"):
        found.append(f"{where} in {language}: lang={page.get('lang')}")
    if (page.get("dir") == "rtl") != about.right_to_left:
        found.append(f"{where} in {language}: dir={page.get('dir')}")
    said = set(read_in_page(html))
    left = said & english
    if language == LONG:
        left |= {one for one in said if PHRASE.search(KEPT.sub("", _NAMES.sub("", one)))}
    return found + [f"{where} in {language}: {one}" for one in sorted(left)]


class _Browser:
    """A browser that prefers a language, with a session or without."""

    def __init__(self, stage: Stage, language: str, who: Counsellor | None = None) -> None:
        self._stage, self._language, self._who = stage, language, who
        self._english = sentences_of(language)
        self.faults: list[str] = []

    async def opens(self, path: str, status: int, form: dict[str, str] | None = None) -> None:
        public = self._stage.settings.public_url
        headers = {"accept-language": self._language, "origin": public}
        if self._who is not None:
            # A reader with an account reads its language, whatever the browser prefers.
            headers |= {"accept-language": "en", "cookie": self._who.cookie_header}
        method = "GET" if form is None else "POST"
        answer = await self._stage.client.request(
            method, public + path, headers=headers, data=form, follow_redirects=False
        )
        self._stage.client.cookies.clear()
        where = f"{method} {path} ({answer.status_code})"
        if answer.status_code != status:
            self.faults.append(f"{where}: not {status}")
        self.faults += _faults(where, self._language, answer.text, self._english)


def _spoken() -> list[str]:
    """Return the languages that are tried: by day one longer and one from the right."""
    every = pages.page_languages()
    assert {pages.SOURCE, LONG, "ar"} <= set(every)
    return list(every) if WHOLE else [LONG, "ar"]


async def _refuses(*_given: Any) -> bool:
    return False


async def _allows(*_given: Any) -> bool:
    return True


async def test_before_the_sign_in_a_page_speaks_the_language_of_the_browser(
    quiet: QuietStage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speak_longer(folder, monkeypatch)
    browsers = [_Browser(quiet, language) for language in _spoken()]
    for browser in browsers:
        await browser.opens("/setup", 200)
        with monkeypatch.context() as patch:
            patch.setattr(Limiter, "hit", _allows)
            await browser.opens("/setup", 200, {"code": "wrong", "name": "Mila"})
    await quiet.add_counsellor("ana", state=None, shift=False)
    for browser in browsers:
        await browser.opens("/login", 200)
        await browser.opens("/welcome", 200)
        await browser.opens("/no-such-page", 404)
        with monkeypatch.context() as patch:
            patch.setattr(Limiter, "hit", _refuses)
            await browser.opens("/setup", 429, {"code": "wrong", "name": "Mila"})
    faults = [one for browser in browsers for one in browser.faults]
    assert faults == [], "\n".join(faults)


@nightly
async def test_an_error_speaks_the_language_of_the_account(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By day errors speak that of the browser, and pages that of the account."""
    speak_longer(folder, monkeypatch)
    ana = await stage.add_counsellor("ana", state=None, shift=False)
    faults = []

    async def broken(*_given: Any) -> None:
        raise RuntimeError

    # By day a language from the right is tried before the sign-in.
    for language in by_day(_spoken()):
        async with transaction(stage.ground, PROGRAM) as work:
            staff = await work.session.get(Staff, ana.id)
            assert staff is not None
            await accounts.choose_page_language(work, staff, language)
        stage.ground.memory.forget("everything")
        browser = _Browser(stage, language, ana)
        await browser.opens("/admin/people", 403)
        await browser.opens(f"/cases/{NIL}", 404)
        await browser.opens("/no-such-page", 404)
        await browser.opens("/cases/not-an-id", 422)
        with monkeypatch.context() as patch:
            patch.setattr(lists, "list_values", broken)
            await browser.opens("/cases", 500)
        faults += browser.faults
    assert faults == [], "\n".join(faults)


async def test_the_page_of_an_agency_speaks_its_language_and_else_that_of_the_browser(
    night: Stage, post: Mail
) -> None:
    ana = await night.add_counsellor("ana")
    _, path = await sent_link(night, post, ana)
    faults = []
    for language in words.written() if WHOLE else ("ar",):
        async with transaction(night.ground, PROGRAM) as work:
            await work.session.execute(_SPEAKS, {"languages": [language]})
        mine = words.letters(language, "agency_page")
        left = {
            said for key, said in words.letters("en", "agency_page").items() if said != mine[key]
        }
        for address, browser, status in ((path, "en", 200), ("/r/nothing", language, 404)):
            answer = await night.client.get(
                night.settings.public_url + address, headers={"accept-language": browser}
            )
            assert answer.status_code == status
            faults += _faults(address, language, answer.text, left)
    assert faults == [], "\n".join(faults)
