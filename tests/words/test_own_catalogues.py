"""A helpline corrects a translation itself: taken out, edited, taken in, and taken back."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.cli import languages as commands
from app.country import languages
from app.demo.stage import Counsellor, Stage
from app.staff.roles import Role
from app.words import catalogues
from app.work import Work
from tests.support.command_line import typed_on
from tests.support.referrals import page


@pytest.fixture(autouse=True)
def _shipped_afterwards() -> Any:
    """What a test takes in is said by its process until it ends."""
    yield
    catalogues.use({})


async def _administrator(stage: Stage) -> Counsellor:
    return await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)


async def _take_in(
    stage: Stage, who: Counsellor, text: str | bytes, *, language: str = "sr", kind: str = "pages"
) -> httpx2.Response:
    sent = text.encode() if isinstance(text, str) else text
    return await stage.client.post(
        f"{stage.settings.public_url}/admin/languages",
        data={"language": language, "kind": kind},
        files={"catalogue": ("pages-sr.po", sent, "text/x-gettext-translation")},
        headers={"Cookie": who.cookie_header, "origin": stage.settings.public_url},
        follow_redirects=False,
    )


def _po(source: str, text: str) -> str:
    return (
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        f'msgid "{source}"\nmsgstr "{text}"\n'
    )


async def test_a_translation_counts_until_it_is_taken_back(stage: Stage) -> None:
    mila = await _administrator(stage)
    await page(stage, mila, "/page-language", language="sr")
    before = (await page(stage, mila, "/admin/languages")).text
    assert "<h1>Jezici</h1>" in before
    saved = await page(stage, mila, "/admin/languages/sr/pages.po")
    assert 'msgid "Languages"\nmsgstr "Jezici"' in saved.text
    edited = saved.text.replace('msgstr "Jezici"', 'msgstr "Jezici kuće"')
    assert edited != saved.text
    taken = await _take_in(stage, mila, edited)
    assert taken.status_code == 303, taken.text
    await stage.settle()
    shown = (await page(stage, mila, "/admin/languages")).text
    assert "<h1>Jezici kuće</h1>" in shown
    # In the other script, too.
    await page(stage, mila, "/page-language", language="sr-Cyrl")
    assert "<h1>Језици куће</h1>" in (await page(stage, mila, "/admin/languages")).text
    number = re.search(r"/admin/languages/(\d+)/take-back", shown)
    assert number
    await page(stage, mila, number[0], back="yes")
    await stage.settle()
    await page(stage, mila, "/page-language", language="sr")
    assert "<h1>Jezici</h1>" in (await page(stage, mila, "/admin/languages")).text
    logged = await stage.rows(
        "SELECT action, detail FROM audit_entries WHERE subject = 'words:sr' ORDER BY id"
    )
    assert [row["action"] for row in logged] == ["words_taken_in", "words_taken_back"]
    assert logged[0]["detail"]["before"] == logged[1]["detail"]["after"] == {}
    assert logged[0]["detail"]["after"]["translated"] > 3000


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (
            _po("There is no line %(number)s.", "Nema linije."),
            "Correct these places: 4: %(number)s",
        ),
        (_po("Go on", "<script>x</script>"), "Correct these places: 4: </script>, <script>"),
        # A page would take these as its own HTML.
        (_po("Languages", "<IMG src=x onerror=a()>"), "Correct these places: 4: < >"),
        (_po("Languages", '\\" onclick=\\"a()'), 'Correct these places: 4: "'),
        (_po("from %(name)s", "%(name)s<form action=/x "), "Correct these places: 4: <"),
        (_po("Languages", "Jezici &lt;b&gt;"), "Correct these places: 4: &"),
        (_po("No page says this.", "x"), "translates no message"),
        (_po("Languages", ""), "translates no message"),
        ("not a catalogue", "This is not a catalogue of gettext: line 1 cannot be read"),
        (b"\xff\xfe\x00", "must be written in UTF-8"),
        (b"", "translates no message"),
    ],
)
async def test_a_wrong_file_changes_nothing(stage: Stage, sent: str | bytes, said: str) -> None:
    mila = await _administrator(stage)
    answer = await _take_in(stage, mila, sent)
    assert answer.status_code == 200
    assert said in unescape(answer.text)
    assert await stage.rows("SELECT 1 FROM own_catalogues") == []


async def test_what_has_no_catalogue_is_refused(stage: Stage) -> None:
    mila = await _administrator(stage)
    for language, said in [
        ("sr-Cyrl", "made of those in its other script"),
        ("en", "English is written in the program"),
        ("xx", "There are no words in this language"),
    ]:
        answer = await _take_in(stage, mila, _po("Languages", "x"), language=language)
        assert said in answer.text
    assert (await page(stage, mila, "/admin/languages/sr/sounds.po")).status_code == 404


async def test_programs_do_the_same(stage: Stage) -> None:
    mila = await _administrator(stage)
    listed = (await mila.ask("GET", "/languages")).json()
    serbian = next(
        one for one in listed["translations"] if (one["language"], one["kind"]) == ("sr", "pages")
    )
    assert serbian["translated"] == serbian["messages"] > 3000
    assert serbian["reviewed"] is False
    made = await stage.client.post(
        f"{stage.settings.public_url}/api/v1/languages/sr/pages?reviewed=true",
        content=_po("Languages", "Jezici sveta").encode(),
        headers={"Cookie": mila.cookie_header, "Content-Type": "text/x-gettext-translation"},
    )
    assert made.status_code == 201, made.text
    assert made.json()["reviewed"] is True
    file = await mila.ask("GET", "/languages/sr/pages.po")
    assert 'msgstr "Jezici sveta"' in file.text
    back = await mila.ask("POST", "/languages/own/1/take-back", {})
    assert back.status_code == 200
    assert (await mila.ask("POST", "/languages/own/1/take-back", {})).status_code == 409
    assert (await mila.ask("POST", "/languages/own/9/take-back", {})).status_code == 404


async def test_commands_do_the_same(
    work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    types = typed_on(work, monkeypatch, commands.app, commands)
    file = tmp_path / "sr.po"
    for text in ("Jezici sveta", "Jezici kuće"):
        file.write_text(_po("Languages", text))
        await types("import", "sr", "pages", str(file), "--reviewed")
    await types("export", "sr", "pages", "--file", str(file))
    assert 'msgstr "Jezici kuće"' in file.read_text()
    shown = (await types("list")).output
    assert "sr\tpages" in shown
    assert shown.count("taken in") == 2
    (newest, *_) = await languages.all_own(work)
    await types("take-back", str(newest.id))
    # The one before counts again.
    await types("export", "sr", "pages", "--file", str(file))
    assert 'msgstr "Jezici sveta"' in file.read_text()
    await types("take-back", str(newest.id), fails=True)
