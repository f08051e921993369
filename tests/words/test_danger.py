"""A list of words of danger marks cries for help, and not everything that a child writes."""

from collections.abc import Iterator
from itertools import count

import pytest

from app import words
from app.chats.noticing import danger_in, may_alarm
from app.errors import Message
from app.words import danger, folding
from app.words.chats import chat_words


@pytest.fixture
def _poisoned() -> Iterator[None]:
    """A list as it was imported before: nothing is left of one word, a letter of another, and one
    is a greeting."""
    words.use({"sr": {danger.KEY: "\u0301\u0301\na\u0301\n \u0301\nzdravo\ncrna rupa"}})
    chat_words.cache_clear()
    yield
    words.use({})
    chat_words.cache_clear()


@pytest.mark.parametrize("language", words.languages())
def test_every_shipped_list_keeps_to_the_rule(language: str) -> None:
    shipped = words.shipped_texts(language)[danger.KEY].split("\n")
    assert danger.problem_of(language, "\n".join(shipped)) is None
    assert all(danger.stem(one) for one in shipped)
    assert [one for one in shipped if danger.common_in(language, one)] == []
    assert len(danger.common(language)) > 200
    # It would also if its words were new: together they are in few harmless sentences.
    of = danger.pattern(tuple(shipped))
    assert of is not None
    sentences = danger.harmless_folded(language)
    found = [plain for plain in sentences if of.search(plain)]
    assert len(found) * 2 * danger.ONE_IN <= len(sentences)


@pytest.mark.parametrize(
    ("language", "word"),
    [
        ("ar", "دم"),  # blood
        ("ar", "سم"),  # poison
        ("hr", "ubi"),
        ("hr", "kés\nvér"),  # of children who write Hungarian: knife, blood
        ("sr", "umr\nmrtav"),
        ("bg", "кръв\nбой"),
        ("sr", "nož\nkrv\nopasn\npolicij\nnasilj\nstrah"),
        ("en", "want to die\nhe touches me\nhits me\nhe is in my room\nhe comes at night"),
        ("sr", "bojim ga se\non je ovde"),
    ],
)
def test_short_words_of_danger_are_taken(language: str, word: str) -> None:
    assert danger.problem_of(language, word) is None


def test_a_word_of_two_letters_is_found_as_a_whole_word_only() -> None:
    of = danger.pattern(("دم", "krv"))
    assert of is not None
    assert of.search("هناك دم")
    assert of.search("krvari")
    assert not of.search("دمية"), "a doll"


@pytest.mark.parametrize(
    ("language", "word", "said"),
    [
        ("sr", "\u0301\u0301", "is too short"),
        ("sr", "a\u0301", "is too short"),
        ("sr", "!!", "is too short"),
        ("sr", "ne", "“ne” is in too many harmless sentences"),
        ("sr", "nož\nje", "“je” is in too many harmless sentences"),
        ("hr", "što", "is in too many harmless sentences"),
        ("ar", "لا", "is in too many harmless sentences"),
        ("bg", "да", "is in too many harmless sentences"),
        # Many words that are in a few each.
        ("sr", "niko\nuput", "is in too many harmless sentences"),
        # A greeting that the program itself hardly says, and the beginning of one.
        ("sr", "zdravo", "“zdravo” is in too many harmless sentences"),
        ("sr", "HEJ", "“HEJ” is in too many harmless sentences"),
        ("sr", "nož\npozdr", "as in “pozdrav”"),
        ("ar", "مرحبا", "is in too many harmless sentences"),
        ("en", "i am\nI feel", "“i am” is in too many harmless sentences"),
        ("en", "my name", "is in too many harmless sentences"),
        ("sr", "NEKO", "is in too many harmless sentences"),
        ("sr", "ja sam", "is in too many harmless sentences"),
        ("sr", "osećam", "is in too many harmless sentences"),
        ("en", "hello", "is in too many harmless sentences"),
        # A line with both languages has the words of both looked for.
        ("sq", "zdravo", "as in “zdravo”"),
        ("ro", "se", "is in too many harmless sentences"),
    ],
)
def test_words_that_would_mark_everything_are_refused(language: str, word: str, said: str) -> None:
    problem = danger.problem_of(language, word)
    assert isinstance(problem, Message)
    assert said in str(problem)


def test_a_list_is_checked_in_work_that_grows_with_it_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done, given = list[str](), count(1)

    def counted(text: str) -> tuple[str, list[int]]:
        done.append(text)
        return folding.folded(text)

    def work_of(number: int, *more: str) -> int:
        done.clear()
        # Words that are in no sentence, so that each language is looked through.
        new = [f"qx{next(given)}" for _ in range(number - len(more))]
        assert bool(danger.problem_of("sr", "\n".join([*new, *more]))) == bool(more)
        return len(done)

    danger.problem_of("sr", "crnarupa")
    monkeypatch.setattr(danger, "folded", counted)
    few, many = work_of(50), work_of(danger.MOST)
    assert many <= 50 + 3 * danger.MOST
    assert few <= 50 + 3 * 50
    # Nor are the words looked for one by one to name that which is in too many sentences.
    assert work_of(danger.MOST, "niko", "uput") <= 50 + 3 * danger.MOST


def test_a_list_has_no_more_entries_than_its_check_is_made_for() -> None:
    most = [f"qx{number}" for number in range(danger.MOST)]
    assert danger.problem_of("sr", "\n".join(most)) is None
    problem = danger.problem_of("sr", "\n".join([*most, "noviji"]))
    assert str(problem) == "chats.danger may have at most 500 entries"


@pytest.mark.usefixtures("_poisoned")
@pytest.mark.parametrize(
    "text", ["", " ", "\u0301", "\u0301\u0301", " \u0301 ", "!?", "\u200d", "dobro je", "ana je tu"]
)
def test_nothing_but_words_of_danger_marks_a_message(text: str) -> None:
    assert danger_in(f"zdravo {text}", ["sr"]) is None
    assert danger_in(text, ["sr"]) is None
    assert not may_alarm(text)
    assert danger_in("to je crna rupa", ["sr"]) == "crna rupa", "the rest of a list still counts"


@pytest.mark.parametrize(
    "word", ["crn(a", "crna|dobro", "crn.rupa", "crna+", "[abcz]drav", "crna\\w*"]
)
def test_an_imported_word_is_looked_for_as_it_is_written_and_is_no_pattern(word: str) -> None:
    """Whatever signs it has: none of them finds, or keeps from finding, another text."""
    found = danger.pattern((word,))
    assert found is not None
    assert found.search(folding.folded(f"to je {word} danas")[0])
    for other in ("dobro jutro", "crna rupa", "crnxrupa", "crnaaa", "zdravo svima"):
        assert not found.search(other), other
