"""A language of practice calls is one folder; it is complete, or the program does not start."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from app import words
from app.training import practices, scenarios
from app.words import BadWords
from app.work import Work
from tests.support.calls.conversations import a_chat_line
from tests.support.verbs import a_counsellor

MARK = "Zz "


@pytest.fixture
def hungarian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of practice calls of a new language, made from that of Serbian."""
    copy = tmp_path / "words"
    shutil.copytree(words.FOLDER, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    made = copy / "hu" / "practice"
    made.mkdir(parents=True)
    for file in (copy / "sr" / "practice").iterdir():
        texts = yaml.safe_load(file.read_text())
        marked = {place: MARK + text for place, text in texts.items()}
        (made / file.name).write_text(yaml.safe_dump(marked, allow_unicode=True))
    # The pages have no such language: which ones they have is known before the folder is there.
    assert "hu" not in words.languages()
    monkeypatch.setattr(words, "FOLDER", copy)
    scenarios.forget()
    yield made
    monkeypatch.undo()
    scenarios.forget()


async def test_a_child_rings_in_a_language_that_is_one_folder(hungarian: Path, work: Work) -> None:
    await a_chat_line(work)
    ana = await a_counsellor(work, "ana")
    work.settings.practice_exchange = "http://127.0.0.1:1"
    practice = await practices.start(work, ana, "prank", "hu")
    await work.session.flush()
    await work.session.refresh(practice)
    assert practice.language == "hu"
    played = practices.script_of(practice)
    assert all(one.in_("hu").startswith(MARK) for one in played.opens)
    assert scenarios.common().again.in_("hu").startswith(MARK)


def test_a_language_that_is_not_complete_is_refused_with_its_file(hungarian: Path) -> None:
    file = hungarian / "prank.yaml"
    whole = yaml.safe_load(file.read_text())
    lacks = {place: text for place, text in whole.items() if place != "opens.1"}
    for texts in (lacks, whole | {"opens.7": "Szia!"}, whole | {"opens.1": " "}, None):
        if texts is None:
            file.unlink()
        else:
            file.write_text(yaml.safe_dump(texts, allow_unicode=True))
        scenarios.forget()
        with pytest.raises(BadWords, match=r"app/words/hu/practice/prank\.yaml"):
            scenarios.scenarios()
