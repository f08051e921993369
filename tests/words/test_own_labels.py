"""A helpline corrects the labels of the shipped definitions, also in Serbian, which they write."""

from pathlib import Path
from typing import Any

import pytest

from app import words
from app.administration import languages
from app.cli import languages as commands
from app.definitions.trees import label_in
from app.demo.stage import Stage
from app.staff.roles import Role
from app.words import catalogues
from app.words.catalogues import CatalogueKind
from app.work import Work
from tests.support.command_line import typed_on
from tests.support.profile import by_day, nightly
from tests.support.program.quiet import QuietStage
from tests.support.referrals import page
from tests.support.waiting import until

pytestmark = pytest.mark.whole

LABELS = CatalogueKind.DEFINITIONS
_HEAD = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
GIRL = {"en": "Girl", "sr": "Devojčica"}


@pytest.fixture(autouse=True)
def _shipped_afterwards() -> Any:
    """What a test imports is said by its process until it ends."""
    yield
    catalogues.use({})


def _po(english: str, text: str, context: str = "") -> str:
    named = f'msgctxt "{context}"\n' if context else ""
    return f'{_HEAD}{named}msgid "{english}"\nmsgstr "{text}"\n'


@nightly
async def test_a_form_is_read_in_the_words_that_were_imported_on_the_page(stage: Stage) -> None:
    """By day a program imports them."""
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    iva = await stage.add_counsellor("iva")
    written = await iva.ask("POST", "/contacts", {"channel": "email", "answers": {}})
    record = f"/contacts/{written.json()['id']}"
    await page(stage, iva, "/page-language", language="sr")
    assert "Devojčica" in (await page(stage, iva, record)).text
    saved = (await page(stage, mila, f"/admin/languages/sr/{LABELS}.po")).text
    assert 'msgid "Girl"\nmsgstr "Devojčica"' in saved
    edited = saved.replace('msgstr "Devojčica"', 'msgstr "Curica"')
    taken = await stage.client.post(
        f"{stage.settings.public_url}/admin/languages",
        data={"language": "sr", "kind": str(LABELS)},
        files={"catalogue": ("definitions-sr.po", edited.encode(), "text/x-gettext-translation")},
        headers={"Cookie": mila.cookie_header, "origin": stage.settings.public_url},
        follow_redirects=False,
    )
    assert taken.status_code == 303, taken.text
    await until(lambda: label_in(GIRL, "sr") == "Curica")
    shown = (await page(stage, mila, "/admin/languages")).text
    assert f"/admin/languages/sr/{LABELS}.po" in shown
    form = (await page(stage, iva, record)).text
    assert "Curica" in form
    assert "Devojčica" not in form
    await page(stage, iva, "/page-language", language="sr-Cyrl")
    assert "Цурица" in (await page(stage, iva, record)).text
    await page(stage, mila, "/admin/languages/1/take-back", back="yes")
    await until(lambda: label_in(GIRL, "sr") == "Devojčica")
    assert "Девојчица" in (await page(stage, iva, record)).text


async def test_a_program_imports_labels_of_a_form(
    quiet: QuietStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    made = await quiet.client.post(
        f"{quiet.settings.public_url}/api/v1/languages/sr/{LABELS}",
        content=_po("Girl", "Curica").encode(),
        headers={"Cookie": mila.cookie_header, "Content-Type": "text/x-gettext-translation"},
    )
    assert made.status_code == 201, made.text
    # To read the catalogues of all languages takes a second.
    with monkeypatch.context() as patch:
        patch.setattr(words, "written", lambda: ("sr", "sr-Cyrl"))
        listed = (await mila.ask("GET", "/languages")).json()["translations"]
    (serbian,) = (one for one in listed if (one["language"], one["kind"]) == ("sr", LABELS))
    assert serbian["own"] == made.json()["id"]
    assert serbian["translated"] == serbian["messages"] > 500
    await until(lambda: label_in(GIRL, "sr") == "Curica")
    await mila.ask("POST", f"/languages/own/{made.json()['id']}/take-back", {})
    await until(lambda: label_in(GIRL, "sr") == "Devojčica")


async def test_commands_import_and_export_labels(
    work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    types = typed_on(work, monkeypatch, commands.app, commands)
    file = tmp_path / "sr.po"
    file.write_text(_po("Girl", "Curica"))
    await types("import", "sr", LABELS, str(file))
    await types("export", "sr", LABELS, "--file", str(file))
    assert 'msgid "Girl"\nmsgstr "Curica"' in file.read_text()
    await languages.learn(work)
    assert label_in(GIRL, "sr") == "Curica"
    (own,) = await languages.all_own(work)
    await types("take-back", str(own.id))
    await languages.learn(work)
    assert label_in(GIRL, "sr") == "Devojčica"


async def test_a_label_with_two_serbian_texts_is_corrected_in_each_alone(work: Work) -> None:
    thing, person = {"en": "Other", "sr": "Drugo"}, {"en": "Other", "sr": "Neko drugi"}
    given = _po("Other", "Nešto drugo") + _po("Other", "Druga osoba", "Neko drugi").replace(
        _HEAD, "\n"
    )
    done = await languages.import_catalogue(work, "sr", LABELS, given.encode(), reviewed=False)
    assert done.translated == 2
    await languages.learn(work)
    assert label_in(thing, "sr") == "Nešto drugo"
    assert label_in(person, "sr") == "Druga osoba"
    assert label_in(person, "sr-Cyrl") == "Друга особа"


async def test_the_words_of_a_countrys_own_files_stay(work: Work) -> None:
    given = _po("Girl", "Curica").encode()
    await languages.import_catalogue(work, "sr", LABELS, given, reviewed=False)
    await languages.learn(work)
    assert label_in({"en": "Girl", "sr": "Devojka"}, "sr") == "Devojka"
    assert label_in({"en": "Our own question", "sr": "Devojčica"}, "sr") == "Devojčica"
    # A country whose files name no Serbian is read in that of the catalogue.
    assert label_in({"en": "Girl", "mk": "Девојче"}, "sr") == "Curica"


@pytest.mark.parametrize(("sent", "read"), by_day([("one label", False), ("whole", True)]))
async def test_a_few_words_that_were_read_do_not_make_the_others_read(
    work: Work, monkeypatch: pytest.MonkeyPatch, sent: str, read: bool
) -> None:
    # To read the catalogues of all languages takes a second.
    monkeypatch.setattr(words, "written", lambda: ("sr", "sr-Cyrl"))
    whole = catalogues.exported("sr", LABELS)
    given = whole if sent == "whole" else _po("Girl", "Curica")
    await languages.import_catalogue(work, "sr", LABELS, given.encode(), reviewed=True)
    of = {(one.language, one.kind): one for one in await languages.translations(work)}
    assert of["sr", LABELS].reviewed is read
    assert of["sr-Cyrl", LABELS].reviewed is read
    assert not of["sr", CatalogueKind.PAGES].reviewed
