"""Words of danger that were imported and mark nothing are named, with the reason."""

from typing import Any

import pytest

from app.administration import languages
from app.administration.models import OwnCatalogue
from app.administration.unmarked import Why, unmarked
from app.chats.noticing import danger_in
from app.cli import commands
from app.cli import languages as of_languages
from app.words import catalogues
from app.words.catalogues import CatalogueKind
from app.work import Work
from tests.support.command_line import typed_on
from tests.support.verbs import a_line

pytestmark = pytest.mark.whole

TOLD = CatalogueKind.PROMPTS_AND_LETTERS


@pytest.fixture(autouse=True)
def _shipped_afterwards() -> Any:
    yield
    catalogues.use({})


async def _stored(work: Work, language: str, *said: str) -> OwnCatalogue:
    """A list as an earlier version took it, when the English was another one."""
    text = catalogues.written("sr", {("of then", "chats.danger"): "\n".join(said)})
    row = OwnCatalogue(
        language=language,
        kind=TOLD.value,
        text=text,
        translated=1,
        reviewed=True,
        imported_at=work.now,
        imported_by=None,
    )
    work.session.add(row)
    await work.session.flush()
    return row


async def test_words_of_danger_that_mark_nothing_are_named_with_the_reason(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_line(work)
    assert await unmarked(work) == []
    await _stored(work, "sr", "zdravo", "nož", "a\u0301", "crna rupa", "ja sam")
    # No line speaks this one, and the program has no words of that one.
    await _stored(work, "sq", "gropa e zezë")
    await _stored(work, "hu", "fekete lyuk")
    of_another = await _stored(work, "en", "x" * 10_001)
    await languages.learn(work)
    for word in ("crna rupa", "nož"):
        assert danger_in(f"tu je {word}", ["sr"]) == word
    assert danger_in("zdravo, ja sam", ["sr"]) is None
    assert await unmarked(work) == [
        ("en", Why.NOT_READ, ["x" * 10_001]),
        ("hu", Why.NOT_SPOKEN, ["fekete lyuk"]),
        ("sq", Why.NOT_SPOKEN, ["gropa e zezë"]),
        ("sr", Why.COMMON, ["zdravo", "ja sam"]),
        ("sr", Why.TOO_SHORT, ["a\u0301"]),
    ]
    of_another.taken_back_at = work.now
    # How much of each is translated is another matter: to read all catalogues takes a second.
    monkeypatch.setattr(catalogues, "progress", lambda *_: catalogues.Progress(0, 0))
    types = typed_on(work, monkeypatch, commands.app, commands, of_languages)
    listed = (await types("language", "list")).output
    assert "marks nothing\tsr\tcommon\tzdravo, ja sam\n" in listed
    steps = (await types("first-steps")).output
    common = "They are common words, and would mark almost every message."
    assert f"danger_words\tto do\t{common} sr: zdravo, ja sam\n" in steps
    assert steps.count("danger_words") == 4
