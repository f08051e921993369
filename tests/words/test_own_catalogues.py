"""A helpline corrects a translation itself: exported, edited, imported, and taken back."""

import asyncio
import json
import re
import threading
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app import words
from app.administration import languages
from app.administration.models import OwnCatalogue
from app.chats.noticing import danger_in
from app.cli import languages as commands
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.errors import Invalid
from app.jobs.transaction import transaction
from app.staff.roles import Role
from app.words import catalogues, merging, pages
from app.words.catalogues import CatalogueKind
from app.words.chats import chat_words
from app.work import PROGRAM, Work
from tests.support.command_line import typed_on
from tests.support.profile import by_day, nightly
from tests.support.referrals import page

pytestmark = pytest.mark.whole


@pytest.fixture(autouse=True)
def _shipped_afterwards() -> Any:
    """What a test imports is said by its process until it ends."""
    yield
    catalogues.use({})


async def _administrator(stage: Stage) -> Counsellor:
    return await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)


async def _import(
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


@nightly
async def test_a_translation_counts_until_it_is_taken_back(stage: Stage) -> None:
    """By day programs and commands do so, and the next caller hears it."""
    mila = await _administrator(stage)
    await page(stage, mila, "/page-language", language="sr")
    before = (await page(stage, mila, "/admin/languages")).text
    assert "<h1>Jezici</h1>" in before
    saved = await page(stage, mila, "/admin/languages/sr/pages.po")
    assert 'msgid "Languages"\nmsgstr "Jezici"' in saved.text
    edited = saved.text.replace('msgstr "Jezici"', 'msgstr "Jezici kuće"')
    assert edited != saved.text
    taken = await _import(stage, mila, edited)
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
    assert [row["action"] for row in logged] == ["words_imported", "words_taken_back"]
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
        # A sign of percent by itself: a page says `text % values`.
        (_po("Languages", "100 %"), "Correct these places: 4: %"),
        (_po("Languages", "50 % od svih"), "Correct these places: 4: %"),
        (_po("Languages", "50 % sigurno"), "Correct these places: 4: %"),
        (_po("from %(name)s", "%(name)s % za"), "Correct these places: 4: %"),
        (_po("from %(name)s", "%(name)s %(name)x"), "Correct these places: 4: %"),
        (_po("Languages", "Zovi 061 234"), "line 4: “061234” is a number or an address"),
        (_po("No page says this.", "x"), "translates no message"),
        (_po("Languages", ""), "translates no message"),
        ("not a catalogue", "This is not a catalogue of gettext: line 1 cannot be read"),
        (b"\xff\xfe\x00", "must be written in UTF-8"),
        (b"", "translates no message"),
    ],
)
async def test_a_wrong_file_changes_nothing(work: Work, sent: str | bytes, said: str) -> None:
    given = sent.encode() if isinstance(sent, str) else sent
    with pytest.raises(Invalid) as refused:
        await languages.import_catalogue(work, "sr", CatalogueKind.PAGES, given, reviewed=False)
    assert said in refused.value.detail
    assert await languages.all_own(work) == []


async def test_what_a_request_reads_of_catalogues_keeps_no_password_or_pin_waiting(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These are compared in the threads of the loop, which any number of files could take."""
    threads = dict[str, str]()
    for of, name in (
        (catalogues, "progress"),
        (catalogues, "exported"),
        (catalogues, "check"),
        (merging, "merged"),
        (merging, "without"),
    ):

        def seen(*given: Any, does: Any = getattr(of, name), name: str = name, **named: Any) -> Any:
            threads[name] = threading.current_thread().name
            # To read the catalogues of all languages takes a second.
            return catalogues.Progress(0, 0) if name == "progress" else does(*given, **named)

        monkeypatch.setattr(of, name, seen)
    given, kind = _po("Girl", "Curica").encode(), CatalogueKind.DEFINITIONS
    takes = partial(languages.import_catalogue, work, "sr", kind, reviewed=False)
    first = await takes(given)
    await takes(given)
    await languages.export(work, "sr", kind)
    await languages.translations(work)
    await languages.take_back(work, first.id)
    assert threads == dict.fromkeys(
        ("progress", "exported", "check", "merged", "without"), "catalogues_0"
    )


@nightly
async def test_a_page_says_what_is_wrong_in_a_file_and_what_has_no_catalogue(stage: Stage) -> None:
    mila = await _administrator(stage)
    answer = await _import(stage, mila, _po("Go on", "<script>x</script>"))
    assert answer.status_code == 200
    assert "Correct these places: 4: </script>, <script>" in unescape(answer.text)
    # Nor is there a catalogue of these.
    for language, said in [
        ("sr-Cyrl", "made of those in its other script"),
        ("en", "English is written in the program"),
        ("xx", "There are no words in this language"),
    ]:
        answer = await _import(stage, mila, _po("Languages", "x"), language=language)
        assert said in answer.text
    assert (await page(stage, mila, "/admin/languages/sr/sounds.po")).status_code == 404
    assert await stage.rows("SELECT 1 FROM own_catalogues") == []


def test_a_message_that_no_page_can_say_is_said_as_shipped() -> None:
    """One that was kept before it was checked: the page that takes it back has to open."""
    label = ("sr", CatalogueKind.DEFINITIONS), _po("Girl", "<b>Curica")
    wrong = [
        _po("from %(name)s", "50 % sa %(name)s"),
        _po("from %(name)s", "sa %(ime)s"),
        _po("Languages", "100 %"),
    ]
    for text in by_day(wrong):
        catalogues.use(dict([(("sr", CatalogueKind.PAGES), text), label]))
        with pages.spoken_in("sr"):
            assert pages._("from %(name)s", name="x") == "sa jezika x"
            assert pages._("Languages") == "Jezici"
            assert pages.label_words("Girl", "sr") == "Devojčica"
        with pages.spoken_in("sr-Cyrl"):
            assert pages._("Languages") == "Језици"
    # A label is shown as it is.
    labels = _po("Girl", "100 % devojčica")
    assert catalogues.check("sr", CatalogueKind.DEFINITIONS, labels).translated == 1
    catalogues.use({("sr", CatalogueKind.DEFINITIONS): labels})
    assert pages.label_words("Girl", "sr") == "100 % devojčica"
    # Two signs in a message are said as one.
    assert catalogues.check("sr", CatalogueKind.PAGES, _po("Languages", "10 %%")).translated == 1


@nightly
async def test_a_program_imports_and_exports_a_translation(stage: Stage) -> None:
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
    # A list of an earlier version: it is named on the page, too.
    assert (await mila.ask("GET", "/languages")).json()["unmarked"] == []
    await _stored_earlier(stage)
    listed = (await mila.ask("GET", "/languages")).json()["unmarked"]
    assert listed == [{"language": "sr", "why": "common", "words": ["zdravo"]}]
    shown = (await page(stage, mila, "/admin/languages")).text
    assert ">zdravo</td>" in shown
    assert "They are common words, and would mark almost every message." in shown


async def _stored_earlier(stage: Stage) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        row = OwnCatalogue(
            language="sr",
            kind=TOLD.value,
            text=_told(chats__danger="zdravo"),
            translated=1,
            reviewed=True,
            imported_at=work.now,
            imported_by=None,
        )
        work.session.add(row)


async def test_commands_import_and_export_a_translation(
    work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    types = typed_on(work, monkeypatch, commands.app, commands)
    file = tmp_path / "sr.po"
    for text in ("Jezici sveta", "Jezici kuće"):
        file.write_text(_po("Languages", text))
        decided = ("--reviewed", "--meanwhile", "replace")
        await types("import", "sr", "pages", str(file), *decided)
    await types("export", "sr", "pages", "--file", str(file))
    assert 'msgstr "Jezici kuće"' in file.read_text()
    # To read the catalogues of all languages takes a second.
    with monkeypatch.context() as patch:
        patch.setattr(words, "written", lambda: ("sr", "sr-Cyrl"))
        shown = (await types("list")).output
    assert "sr\tpages" in shown
    assert shown.count("imported") == 2
    (newest, *_) = await languages.all_own(work)
    await types("take-back", str(newest.id))
    # The one before counts again.
    await types("export", "sr", "pages", "--file", str(file))
    assert 'msgstr "Jezici sveta"' in file.read_text()
    await types("take-back", str(newest.id), fails=True)


# -- prompts and letters --------------------------------------------------------------------------

TOLD = CatalogueKind.PROMPTS_AND_LETTERS


def _told(**changed: str) -> str:
    """Return a catalogue of these keys, each with its English; `__` stands for a dot."""
    english = words.texts_of("en")
    parts = ['msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n']
    for name, text in changed.items():
        key = name.replace("__", ".")
        source = json.dumps(english[key], ensure_ascii=False)
        said = json.dumps(text, ensure_ascii=False)
        parts.append(f'msgctxt "{key}"\nmsgid {source}\nmsgstr {said}\n')
    return "\n".join(parts)


async def _takes(work: Work, text: str, language: str = "sr") -> None:
    await languages.import_catalogue(work, language, TOLD, text.encode(), reviewed=True)
    await languages.learn(work)


async def test_what_is_told_comes_from_the_catalogue_until_it_is_taken_back(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = words.prompt("sr", "comfort")
    own = _told(
        prompts__comfort="Dobro je što zoveš.",
        times__days__1="u prvi ponedeljak",
        letters__duty_phone__bye="Prijatno.",
        letters__duty_words__break="pauza\npredah",
        child__page__send="Pošalji nam",
        chats__beginnings="Čujem te kad kažeš",
        chats__danger="crna rupa",
        language__trouble="Ostani tu.",
    )
    await _takes(work, own)
    assert words.prompt("sr", "comfort") == "Dobro je što zoveš."
    assert words.prompt("sr-Cyrl", "comfort") == "Добро је што зовеш."
    assert words.prompt("sr", "greeting") == words.texts_of("sr")["prompts.greeting"]
    assert words.times_of("sr").days[:2] == ("u prvi ponedeljak", "u utorak")
    assert words.letter("sr", "duty_phone", "bye") == "Prijatno."
    assert words.letters("sr", "duty_words")["break"] == ["pauza", "predah"]
    assert words.child_texts("sr")["page"]["send"] == "Pošalji nam"
    assert words.child_texts("sr-Cyrl")["page"]["send"] == "Пошаљи нам"
    assert chat_words("sr").beginnings == ("Čujem te kad kažeš",)
    assert danger_in("to je crna rupa", ["sr"]) == "crna rupa"
    assert danger_in("hoću da se ubijem", ["sr"]), "a translation takes no word of danger away"
    assert words.about("sr").trouble == "Ostani tu."
    # To read the catalogues of all languages takes a second.
    with monkeypatch.context() as patch:
        patch.setattr(words, "written", lambda: ("sr",))
        of = {(one.language, one.kind): one for one in await languages.translations(work)}
    assert of["sr", TOLD].progress.translated == of["sr", TOLD].progress.messages > 400
    # Eight texts that were read do not make the others read.
    assert not of["sr", TOLD].reviewed
    (row,) = await languages.all_own(work)
    assert row.translated == 8
    await languages.take_back(work, row.id)
    await languages.learn(work)
    assert words.prompt("sr", "comfort") == shipped
    assert chat_words("sr").beginnings != ("Čujem te kad kažeš",)
    assert danger_in("to je crna rupa", ["sr"]) is None


@pytest.mark.parametrize("language", [one for one in words.languages() if one != "en"])
def test_what_is_exported_can_be_imported_as_it_is(language: str) -> None:
    """Every shipped text keeps to the rules: placeholders, lengths, words of one meaning."""
    out = catalogues.exported(language, TOLD)
    done = catalogues.check(language, TOLD, out)
    assert done.translated == done.messages == len(words.texts_of("en"))
    catalogues.use({(language, TOLD): out})
    assert words.own_texts(language) == words.texts_of(language)
    assert 'msgctxt "prompts.greeting"' in out


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (
            _told(prompts__greeting="Zdravo."),
            "line 5: prompts.greeting must hold exactly these placeholders: {line}",
        ),
        (_told(prompts__greeting="{line:>9}"), "must hold exactly these placeholders: {line}"),
        (_told(prompts__comfort="{line}"), "prompts.comfort must hold no placeholder in braces"),
        (_told(prompts__comfort=" "), "prompts.comfort is empty"),
        (_told(chats__danger="a\nnož"), "chats.danger: “a” is too short; write at least 2 letters"),
        (_told(chats__danger="nož\nne"), "“ne” is in too many harmless sentences"),
        (
            _told(prompts__comfort="Pozovi 0.6 1-٢٣٤ 5."),
            "prompts.comfort: “0612345” is a number or an address that the English does not have",
        ),
        (_told(child__page__send="Piši na Zlo.Example/a"), "“zlo.example/a” is a number or an a"),
        (_told(letters__message__withdrawn="https://x.y"), "“https://x.y” is a number or an addr"),
        (_told(prompts__comfort="Piši @mi\u200bna"), "“@mina” is a number or an address"),
        (_told(prompts__comfort="Dva\nreda"), "prompts.comfort must be one line"),
        (_told(prompts__comfort="Zvono\t"), "prompts.comfort must be one line"),
        (_told(prompts__comfort="a" * 1501), "may have at most 1500 characters"),
        (
            _told(letters__message__withdrawn="š" * 269),
            "letters.message.withdrawn is sent by SMS: it may take at most 4 parts, and takes 5",
        ),
        (
            _told(letters__duty_words__break="pauza\nAVAILABLE"),
            "letters.duty_words.break: “available” has another meaning in English",
        ),
        (
            _told(letters__duty_words__break="zvrk", letters__duty_words__off_duty="zvrk"),
            "“zvrk” has another meaning in Srpski",
        ),
        (_told(prompts__comfort="x").replace("good", "bad"), "the English of prompts.comfort is"),
        (_told(prompts__comfort="x").replace("s.comf", "s.conf"), "no text prompts.confort"),
        (_po("Languages", "Jezici"), "line 4: there is no key (msgctxt) here"),
        (_told(prompts__comfort=""), "translates no message"),
        (
            _told(prompts__comfort="x").replace("msgctxt", "#, fuzzy\nmsgctxt"),
            "translates no message",
        ),
    ],
)
async def test_a_text_that_cannot_be_told_is_refused(work: Work, sent: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        await _takes(work, sent)
    assert said in refused.value.detail
    assert await languages.all_own(work) == []


async def test_a_text_whose_english_has_changed_since_is_not_said(work: Work) -> None:
    """As after an update of the program: the old text may mean something else."""
    old = _told(prompts__comfort="Staro.", prompts__hold="Odmah.").replace("good", "bad")
    catalogues.use({("sr", TOLD): old})
    assert words.own_texts("sr") == {"prompts.hold": "Odmah."}
    # Words of danger translate nothing: they count until they are taken back.
    catalogues.use({("sr", TOLD): _told(chats__danger="crna rupa").replace("kill", "kiss")})
    assert words.own_texts("sr") == {"chats.danger": "crna rupa"}


async def test_the_next_caller_hears_what_was_imported_on_the_page(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    mila = await _administrator(stage)
    saved = await page(stage, mila, f"/admin/languages/sr/{TOLD}.po")
    greeting = json.dumps(words.prompt("sr", "greeting"), ensure_ascii=False)
    edited = saved.text.replace(greeting, '"Ćao, zoveš {line}."')
    assert edited != saved.text
    assert (await _import(stage, mila, edited, kind=TOLD)).status_code == 303
    # Each process follows within real time, which the clock of the stage does not wait for.
    async with asyncio.timeout(60):
        while words.prompt("sr", "greeting") != "Ćao, zoveš {line}.":
            await asyncio.sleep(0.05)
    leg = stage.ring("+381601234567")
    await stage.until(lambda: leg.has_heard("Ćao, zoveš Plavi telefon."), what="the new words")
    await stage.exchange.hang_up(leg)
    # To read the catalogues of all languages takes a second.
    monkeypatch.setattr(words, "written", lambda: ("sr", "sr-Cyrl"))
    shown = (await page(stage, mila, "/admin/languages")).text
    assert f"/admin/languages/sr/{TOLD}.po" in shown
