"""A helpline translates the scenarios of practice calls itself: exported, imported, taken back."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from app.administration import languages
from app.administration.models import OwnCatalogue
from app.cli import languages as commands
from app.dashboard.training.practice_views import missing_names
from app.errors import Invalid
from app.staff.log_kinds import AuditLog
from app.training import practices, scenarios
from app.words import catalogues, practice
from app.words.catalogues import CatalogueKind
from app.work import Work
from tests.support.calls.conversations import a_chat_line
from tests.support.command_line import typed_on
from tests.support.verbs import a_counsellor, logged

pytestmark = pytest.mark.whole

MARK = "Zz "
ROW = "prank.opens.1"


@pytest.fixture(autouse=True)
def _without_croatian(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Croatian as a language whose scenarios are not translated yet."""
    known = tuple(one for one in practice.with_folder() if one != "hr")
    monkeypatch.setattr(practice, "with_folder", lambda: known)
    scenarios.forget()
    yield
    catalogues.use({})
    monkeypatch.undo()
    scenarios.forget()


async def _translated(work: Work, but: str = "") -> bytes:
    """Return the file of Croatian with every sentence translated, but one."""
    given = read_po(io.StringIO(await languages.export(work, "hr", "practice")))
    made = Catalog(locale="hr")
    for one in given:
        if one.id:
            text = "" if one.context == but else f"{MARK}{one.id}"
            made.add(one.id, text, context=one.context)
    out = io.BytesIO()
    write_po(out, made)
    return out.getvalue()


async def _import(work: Work, sent: bytes) -> OwnCatalogue:
    row = await languages.import_catalogue(work, "hr", "practice", sent, reviewed=False)
    await languages.learn(work)
    return row


async def test_a_child_rings_in_a_language_that_a_helpline_has_translated(work: Work) -> None:
    await a_chat_line(work)
    ana = await a_counsellor(work, "ana")
    work.settings.practice_exchange = "http://127.0.0.1:1"
    with pytest.raises(Invalid):
        await practices.start(work, ana, "prank", "hr")
    row = await _import(work, await _translated(work))
    assert scenarios.languages() == ("en", *sorted({*practice.with_folder(), "hr"}))
    played = practices.script_of(await practices.start(work, ana, "prank", "hr"))
    assert all(one.in_("hr").startswith(MARK) for one in played.opens)
    assert scenarios.common().again.in_("hr").startswith(MARK)
    (_, said) = next(one for one in logged(work) if one[0] == AuditLog.WORDS_IMPORTED)
    assert isinstance(said, dict)
    assert (said["before"], said["after"]["kind"]) == ({}, "practice")
    await languages.take_back(work, row.id)
    await languages.learn(work)
    assert "hr" not in scenarios.languages()


async def test_a_language_that_lacks_a_sentence_is_not_offered(work: Work) -> None:
    await _import(work, await _translated(work, but=ROW))
    assert "hr" not in scenarios.languages()
    assert missing_names() == ["Croatian"]
    there = len(scenarios.english())
    found = catalogues.progress("hr", CatalogueKind.PRACTICE)
    assert (found.translated, found.messages) == (there - 1, there)
    # What is there is handed out again, for the rest to be translated.
    again = read_po(io.StringIO(await languages.export(work, "hr", "practice")))
    left = [one.context for one in again if one.id and not one.string]
    assert left == [ROW]


async def test_a_helpline_corrects_a_sentence_that_is_shipped(work: Work) -> None:
    source = scenarios.english()[ROW]
    made = Catalog(locale="sr")
    made.add(source, "Halo, picerija?", context=ROW)
    out = io.BytesIO()
    write_po(out, made)
    await languages.import_catalogue(work, "sr", "practice", out.getvalue(), reviewed=False)
    await languages.learn(work)
    prank = scenarios.scenarios()["prank"]
    assert prank.opens[0].in_("sr") == "Halo, picerija?"
    assert prank.opens[0].in_("sr-Cyrl") == "Хало, пицерија?"
    assert prank.ending.says.in_("sr") != prank.ending.says.in_("en")


# The key, the English and the text of a sentence, and why it is refused.
_WRONG: tuple[tuple[str | None, str | None, str, str], ...] = (
    ("prank.opens.9", "Hi.", "Bok.", "there is no text prank.opens.9"),
    (ROW, "Something else.", "Bok.", "the English of prank.opens.1 is another one now"),
    (ROW, None, "x" * 401, "at most 400 characters"),
    (ROW, None, "a\nb", "must be one line"),
    (ROW, None, "  ", "is empty"),
    (None, "Hi.", "Bok.", "there is no key"),
)


async def test_a_wrong_sentence_is_refused_with_its_line(work: Work) -> None:
    for context, source, text, why in _WRONG:
        made = Catalog(locale="hr")
        made.add(source or scenarios.english()[ROW], text, context=context)
        out = io.BytesIO()
        write_po(out, made)
        with pytest.raises(Invalid, match=why) as refused:
            await languages.import_catalogue(work, "hr", "practice", out.getvalue(), reviewed=False)
        assert "line " in str(refused.value)


async def test_it_is_listed_and_exported_on_the_command_line(
    work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    types = typed_on(work, monkeypatch, commands.app, commands)
    there = len(scenarios.english())
    rows = [one.split("\t")[:3] for one in (await types("list")).output.splitlines()]
    assert ["sr", "practice", f"{there} of {there}"] in rows
    assert ["hr", "practice", f"0 of {there}"] in rows
    file = tmp_path / "hr.po"
    await types("export", "hr", "practice", "--file", str(file))
    assert f'msgctxt "{ROW}"' in file.read_text("utf-8")
    assert "#. The child says it" in file.read_text("utf-8")
