"""A third language is one folder: a call, letters, paper and pages speak it, and no file changes.

Its texts are those of English with a mark before each, so that what is said in another language
can be heard.
"""

import io
import re
import shutil
import subprocess
from datetime import time, timedelta
from functools import lru_cache
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from pypdf import PdfReader

from app import definitions, words
from app.calls.lines import finding_lines, line_languages
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.errors import Invalid
from app.jobs.transaction import transaction
from app.practice.people import Phone
from app.staff.models import Staff
from app.staff.roles import Role
from app.words import pages
from app.words.catalogues import SHIPPED
from app.work import PROGRAM
from scripts import page_words
from tests.support.contacts import completed
from tests.support.definitions.sets import with_short_form, zipped
from tests.support.mail import Mail, code_in, link_in
from tests.support.package.wheels import BUNDLES, ROOT, copy_sources
from tests.support.profile import WHOLE, nightly
from tests.support.program.quiet import QuietStage
from tests.support.referrals import (
    ADDRESSES,
    OVERRIDE,
    add_agency,
    by_hand,
    click,
    page,
    phone,
    referral_of,
)
from tests.support.talks import text_message

LINE = "+38111116111"
DUTY = "+381113000001"
MARK = "Zz "
# The folder as it is shipped: tests exchange that of `words` for a copy.
_WORDS = words.FOLDER
_DEFINITIONS = Path(definitions.__file__).parent / "data"


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _marked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_marked(inner) for inner in value]
    return MARK + value if isinstance(value, str) else value


@pytest.fixture
def spoken(folder: Path) -> Path:
    """A language `hu`, made by copying the folder of English."""
    made = folder / "hu"
    shutil.copytree(folder / "en", made)
    for file, text in _marked_words().items():
        (made / file).write_text(text)
    about = yaml.safe_load((made / "language.yaml").read_text())
    about |= {"name": "Magyar", "locale": "hu", "trouble": MARK + about["trouble"]}
    (made / "language.yaml").write_text(yaml.safe_dump(about, allow_unicode=True))
    words.forget()
    words.check()
    return made


@pytest.fixture
def hungarian(spoken: Path) -> Path:
    """Such a language, in which the pages are written, too."""
    (spoken / "pages.po").write_bytes(_marked_catalogue())
    pages.forget()
    return spoken


@lru_cache(maxsize=1)
def _marked_words() -> dict[str, str]:
    return {
        file: yaml.safe_dump(
            _marked(yaml.safe_load((_WORDS / "en" / file).read_text())), allow_unicode=True
        )
        for file in ("prompts.yaml", "letters.yaml")
    }


@lru_cache(maxsize=1)
def _marked_catalogue() -> bytes:
    """Return a catalogue of all that the pages say: of what each catalogue holds (test_pages)."""
    catalogue = Catalog(locale="hu", fuzzy=False)
    for message in page_words.read("sr"):
        if isinstance(message.id, str) and message.id:
            catalogue.add(message.id, MARK + message.id, flags=message.flags)
        elif message.id:
            catalogue.add(message.id, tuple(MARK + form for form in message.id))
    out = io.BytesIO()
    write_po(out, catalogue)
    return out.getvalue()


async def add_to_line(stage: Stage, language: str) -> str:
    async with transaction(stage.ground, PROGRAM) as work:
        line = await finding_lines.line_of_number(work, LINE)
        assert line is not None
        digit = await line_languages.add_language(work, line, language)
    stage.ground.memory.forget("everything")
    return digit


async def test_a_whole_call_is_spoken_in_it(spoken: Path, stage: Stage) -> None:
    digit = await add_to_line(stage, "hu")
    assert digit == "3"
    stage.exchange.phones["+38164999001"] = vera_phone = Phone(picks_up=2, presses="1")
    leg = stage.ring("+381601234567")
    await stage.until(lambda: leg.has_heard(f"{MARK}English: press 3"), what="the menu")
    before = len(leg.heard)
    stage.exchange.press(leg, digit)
    await stage.advance(40)
    said = [heard.text for heard in leg.heard[before:]]
    assert len(said) > 2
    assert [text for text in said if not text.startswith(MARK)] == []
    vera = await stage.add_counsellor("vera", endpoint="+38164999001", languages="hu")
    await stage.advance(20)
    assert (await stage.call_of(leg))["state"] == "connected"
    assert any(MARK in heard.text for heard in vera_phone.heard)
    await vera.do("hold")
    await stage.advance(20)
    assert leg.has_heard(f"{MARK}Your counsellor will be back")
    await stage.exchange.hang_up(leg)
    await stage.advance(60)


@nightly
async def test_that_no_counsellor_is_there_is_said_in_it_with_the_time(
    hungarian: Path, stage: Stage
) -> None:
    """By day a whole call is spoken in it."""
    await add_to_line(stage, "hu")
    await stage.add_counsellor(
        "night",
        recurrence="FREQ=DAILY",
        starts_at=time(22),
        minutes=480,
        timezone="Europe/Belgrade",
        state=None,
    )
    leg = stage.ring("+381601234568")
    await stage.until(lambda: leg.has_heard(f"{MARK}English: press 3"), what="the menu")
    stage.exchange.press(leg, "3")
    await stage.advance(30)
    assert leg.has_heard(f"{MARK}No counsellor is here right now. We are open again {MARK}at 22:00")
    await stage.exchange.hang_up(leg)
    await stage.advance(10)


@nightly
async def test_an_agency_reads_and_hears_it(spoken: Path, night: Stage, post: Mail) -> None:
    """By day a whole call is spoken in it, and the page of an agency in its language."""
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", languages=("hu", "en"), phones=(DUTY,), **ADDRESSES)
    duty = phone(night, DUTY)
    sms = phone(night, ADDRESSES["sms"])
    made = await by_hand(ana, override=OVERRIDE, send=True, answers={"child.name": "Jovana"})
    await night.until(lambda: bool(post.messages), what="the e-mail arrives")
    await night.advance(60)
    assert duty.heard
    assert all(MARK in heard.text for heard in duty.heard)
    letter = post.messages[0][1]
    found = await referral_of(ana, made["id"])
    assert f"{MARK}Referral {found['code']}: please reply" in letter
    assert f"{MARK}Your link for the next step" in letter
    assert any(MARK in heard.text for heard in sms.texts)

    path = link_in(letter)
    shown = (await click(night, path)).text
    assert '<html lang="hu" dir="ltr"' in shown
    for text in ("Urgency", "We accept it and will act", "received by you", "shelter"):
        assert MARK + text in shown
    refused = await click(night, path + "/step", {"kind": "reject", "name": "M", "reason": "x"})
    assert f"{MARK}Choose why you cannot take it." in refused.text
    proven = await click(night, path + "/code", {"code": code_in(sms.texts[-1].text)})
    paper = await click(night, path + "/form", {}, as_=proven)
    assert paper.headers["content-type"] == "application/pdf", paper.text
    assert f"{MARK}Written confirmation" in _text(paper.content)
    done = await click(night, path + "/step", {"kind": "accept", "name": "Mira"})
    following = await click(night, done.headers["location"])
    assert f"{MARK}Thank you. We have recorded that you accept it." in following.text
    assert f"{MARK}This link has already been used." in (await click(night, path)).text


@pytest.mark.skipif(not WHOLE, reason="with TESTS=whole: to read every message takes seconds")
def test_the_command_makes_the_catalogues_of_a_new_language(tmp_path: Path) -> None:
    """In a copy of the sources, with the packages that are installed here."""
    copy_sources(tmp_path)
    for name in BUNDLES:
        shutil.copytree(ROOT / name, tmp_path / name, dirs_exist_ok=True)
    (tmp_path / ".venv").mkdir()
    for part in ("bin", "lib", "pyvenv.cfg"):
        (tmp_path / ".venv" / part).symlink_to(ROOT / ".venv" / part)
    installed = "cat requirements.lock installer.lock pyproject.toml | cksum > .venv/.stamp"
    subprocess.run(["bash", "-c", installed], cwd=tmp_path, check=True)
    folder = tmp_path / "app/words/sl"
    shutil.copytree(words.FOLDER / "en", folder)
    command = ["scripts/catalogues", "sl"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    for line, kind in zip(done.stdout.splitlines(), SHIPPED, strict=True):
        with open(folder / f"{kind}.po", "rb") as file:
            made = [one for one in read_po(file) if one.id]
        assert len(made) > 500
        assert line == f"app/words/sl/{kind}.po: {len(made)} to translate"


@nightly
async def test_a_case_is_printed_and_the_pages_are_read_in_it(
    hungarian: Path, stage: Stage
) -> None:
    """By day the catalogues are compared with what pages and papers say (test_pages)."""
    ana = await stage.add_counsellor("ana")
    contact_id = await completed(ana)
    case = (await ana.ask("POST", "/cases", {"contacts": [contact_id]})).json()["id"]
    to = {"recipient": "Court", "ground": "court_order", "reason": "Order 12/30"}
    body = {"purpose": "court", "sections": ["case"], "dates": True, "language": "hu", **to}
    made = await ana.ask("POST", f"/cases/{case}/print", body)
    assert f"{MARK}Confidential: for Court only" in _text(made.content)

    assert "Desk" in (await page(stage, ana, "/")).text
    assert (await page(stage, ana, "/page-language", language="hu")).status_code == 303
    board = (await page(stage, ana, "/")).text
    assert '<html lang="hu"' in board
    assert f"{MARK}You now" in board
    assert f"{MARK}All saved" in board
    assert (await stage.rows("SELECT page_language FROM staff"))[0]["page_language"] == "hu"
    record = (await page(stage, ana, f"/cases/{case}")).text
    assert f"{MARK}Follow-ups" in record
    # A refusal is read in it as well; a program reads English.
    refused = await ana.ask("GET", f"/cases/{contact_id}")
    assert refused.json()["detail"] == f"{MARK}Not found, or you do not have access."
    missing = await stage.client.get(stage.settings.public_url + "/api/v1/me")
    assert missing.json()["detail"] == "Sign in first."
    wrong = await page(stage, ana, "/page-language", language="xx")
    assert wrong.status_code == 422


@lru_cache(maxsize=1)
def _defined() -> set[str]:
    """Return the English words of forms, categories and places, which have no third language."""
    texts: set[str] = set()

    def read(value: Any) -> None:
        if isinstance(value, dict):
            for inner in value.values():
                read(inner)
        elif isinstance(value, list):
            for inner in value:
                read(inner)
        elif isinstance(value, str):
            texts.add(value)

    for file in _DEFINITIONS.glob("*.yaml"):
        read(yaml.safe_load(file.read_text()))
    return texts


_READ = re.compile(r"<(h1|h2|summary|figcaption|th|dt|dd|li|p)\b[^>]*>(.*?)</\1>", re.DOTALL)
_ALT = re.compile(r' alt="([^"]+)"')


def _unmarked(shown: str) -> list[str]:
    """Return what a reader of a page reads that is in no catalogue, names and numbers apart."""
    found = [re.sub(r"<[^>]*>", " ", text) for _tag, text in _READ.findall(shown)]
    texts = [" ".join(unescape(text).split()) for text in (*found, *_ALT.findall(shown))]
    return [
        text
        for text in texts
        if re.search(r"[^\W\d_]{2,}", text) and MARK.strip().lower() not in text.lower()
    ]


@nightly
async def test_a_report_is_read_and_printed_in_it(hungarian: Path, stage: Stage) -> None:
    boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR)
    # Three of a kind: rounding to a multiple of three leaves them as they are.
    for _each in range(3):
        await completed(boss)
    assert (await page(stage, boss, "/page-language", language="hu")).status_code == 303
    # In the month after, so that it holds something, and is over.
    stage.stepped.move_to(stage.clock.now() + timedelta(days=40))
    await boss.sign_in()
    for name in ("daily", "monthly", "agencies"):
        await _is_read_and_printed(stage, boss, name)


async def _is_read_and_printed(stage: Stage, boss: Counsellor, name: str) -> None:
    shown = await page(stage, boss, f"/reports/{name}?day=2030-01-14")
    assert shown.status_code == 200
    main = shown.text[shown.text.index("<main") :]
    with pages.spoken_in("hu"):
        days = [pages.weekday_name(number) for number in range(7)]
    known = ("boss", "2029. ", "2030. ", "csv", *days)
    unmarked = [text for text in _unmarked(main) if not text.startswith(known)]
    # A category stands with its group before it.
    defined = _defined()
    assert [text for text in unmarked if not set(text.split(": ")) <= defined] == [], name
    if name == "monthly":
        assert "Violence: Bullying" in unmarked
    paper = await page(stage, boss, f"/reports/{name}.pdf?day=2030-01-14")
    printed = _text(paper.content)
    for text in ("At a glance", "Where every call went", "What the numbers mean", "as of"):
        assert MARK + text in printed, (name, text)


@nightly
async def test_a_counsellor_with_only_a_phone_is_answered_in_it(
    hungarian: Path, stage: Stage
) -> None:
    """By day a whole call is spoken in it."""
    vera = await stage.add_counsellor("vera", endpoint="+38164999001", state=None)
    async with transaction(stage.ground, PROGRAM) as work:
        staff = await work.session.get(Staff, vera.id)
        assert staff is not None
        staff.page_language = "hu"
    answer = await text_message(stage, "+38164999001", f"{MARK}break")
    code = re.search(r"\d{6}", answer.text)
    assert code
    answer = await text_message(stage, "+38164999001", code[0])
    assert f"{MARK}You are on a break now." in answer.text
    assert await vera.presence() == "break"
    await add_to_line(stage, "hu")
    assert (
        f"{MARK}We cannot read messages at this number."
        in (await text_message(stage, "+381601234567", "x")).text
    )


async def test_a_line_and_an_agency_are_refused_a_language_without_words(quiet: QuietStage) -> None:
    for language, said in (("hu", "There are no words"), ("sr", "already"), ("zzz", "code")):
        with pytest.raises(Invalid, match=said):
            await add_to_line(quiet, language)
    with pytest.raises(Invalid, match="the program cannot write in hu; add one of: ar, bg, bs, en"):
        await add_agency(quiet, "h", "shelter", languages=("hu",), email="a@house.example")


def _text(content: bytes) -> str:
    text = " ".join(p.extract_text() for p in PdfReader(BytesIO(content)).pages)
    return " ".join(text.split())


@nightly
async def test_a_refused_upload_of_definitions_is_read_in_it(hungarian: Path, stage: Stage) -> None:
    """By day what is refused is read in English (tests/country)."""
    _say_also(
        hungarian,
        "%(name)s: %(what)s",
        "must be one of: %(known)s",
        "begin with one of %(kinds)s and a name",
    )
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    assert (await page(stage, mila, "/page-language", language="hu")).status_code == 303
    wrong = with_short_form(("means: kind", "means: sort"))
    sent = zipped({**wrong, "note.yaml": "hello: there\n"})
    refused = await stage.client.post(
        stage.settings.public_url + "/admin/definitions",
        data={"name": "ours"},
        files={"archive": ("ours.zip", sent, "application/zip")},
        headers={"Cookie": mila.cookie_header, "origin": stage.settings.public_url},
    )
    said = [unescape(text) for text in re.findall(r"<td>(\D[^<]*)</td>", refused.text)]
    assert len(said) == 2, refused.text
    shape = f"{MARK}sections.0.fields.0.means: {MARK}must be one of: 'kind', "
    assert any(text.startswith(shape) for text in said)
    assert any(text.startswith(f"{MARK}begin with one of `form:`{MARK}, ") for text in said)
    headers = {"Cookie": mila.cookie_header, "Content-Type": "application/zip"}
    checked = await stage.client.post(
        stage.settings.public_url + "/api/v1/definitions/check", content=sent, headers=headers
    )
    assert sorted(one["words"] for one in checked.json()["problems"]) == sorted(said)
    taken = await stage.client.post(
        stage.settings.public_url + "/api/v1/definitions/sets?name=x", content=sent, headers=headers
    )
    assert taken.status_code == 422
    assert all(text in taken.json()["detail"] for text in said)


def _say_also(language: Path, *texts: str) -> None:
    """Add messages to the catalogue of a language, with their mark."""
    path = language / "pages.po"
    with path.open("rb") as file:
        catalogue = read_po(file, locale="hu")
    for text in texts:
        catalogue.add(text, MARK + text)
    with path.open("wb") as file:
        write_po(file, catalogue)
    pages.forget()
