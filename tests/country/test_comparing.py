"""What a set changes is said in words; what may alter the meaning of a code is marked."""

from collections.abc import Sequence

import pytest

from app.country.comparing import compare
from app.country.whole import problems_of, whole_of
from app.definitions.folder import Folder, folder_with
from tests.support.definitions.sets import NEXT, changed, shipped, with_short_form
from tests.support.profile import WHOLE


def said(before: Folder | None, after: Folder | None, language: str = "en") -> dict[str, bool]:
    assert problems_of(after) == []
    found = compare(whole_of(before), whole_of(after), language)
    assert not found.more
    return {f"{one.where}: {one.words}": one.caution for one in found.changes}


BRIEF = folder_with(with_short_form())


def later(*changes: tuple[str, str]) -> Folder:
    return folder_with(with_short_form(NEXT, *changes))


def test_the_same_files_change_nothing() -> None:
    assert said(None, None) == {}
    assert said(BRIEF, BRIEF) == {}


# What is written instead of what, what is said of it, and whether a code may mean another thing.
_CHANGES = (
    ("{en: Headline,", "{en: In one line,", "“Headline” is now called “In one line”", True),
    ("sr: Naslov", "sr: U jednom redu", "“Naslov” is now called “U jednom redu”", True),
    (
        "{code: adult, label: {en: Adult, sr: Odrasli}}",
        "{code: adult, label: {en: Adult, sr: Odrasli}}, {code: peer, label: {en: A, sr: B}}",
        "“Who rings”: new answer “A”.",
        False,
    ),
    (
        ', {code: "no", label: {en: "No", sr: Ne}}',
        "",
        "the answer “No” can no longer be chosen",
        False,
    ),
    ("cue: danger_now, ", "", "“Yes” is no longer the same sign of danger", True),
    (
        "{code: adult, label: {en: Adult, sr: Odrasli}}",
        "{code: adult, child: true, label: {en: Adult, sr: Odrasli}}",
        "“Who rings”: whether “Adult” means the child itself changes.",
        True,
    ),
    ("code: district,", "code: county,", "No longer asked: “District”.", False),
    ("means: summary, ", "", "it meant summary to the program, and now means -", True),
    (
        "type: choice, label: {en: In danger now, sr: U opasnosti sada}",
        "type: choice, hint: {en: H, sr: H}, label: {en: In danger now, sr: U opasnosti sada}",
        "“In danger now”: this changes: hint.",
        False,
    ),
    (
        "about, type: categories, means: categories, required: true",
        "about, type: categories, means: categories",
        "“About”: when it must be answered changes",
        False,
    ),
)


# By day half of them at once, of different questions; to check a form takes longer than to compare.
@pytest.mark.parametrize(
    "changes", [(one,) for one in _CHANGES] if WHOLE else [_CHANGES[0::2], _CHANGES[1::2]]
)
def test_each_change_of_a_form_is_said(changes: Sequence[tuple[str, str, str, bool]]) -> None:
    found = said(BRIEF, later(*((old, new) for old, new, _, _ in changes)))
    for _, _, words, caution in changes:
        (one,) = [text for text in found if words in text]
        assert one.startswith("Form of a contact: ")
        assert found[one] is caution
    assert any("brief 2 is followed by brief 3" in text for text in found)


def test_a_meaning_that_nothing_has_any_more_is_named() -> None:
    line = shipped("form-short.yaml").splitlines()[-1] + "\n"
    found = said(BRIEF, later((line, "")))
    (one,) = [text for text in found if "“What was said”" in text]
    assert "(summary) no longer get it" in one
    assert found[one]


def test_a_question_in_another_language() -> None:
    found = said(BRIEF, later(("{en: Headline,", "{en: In one line,")), "sr")
    assert any("“Headline” is now called “In one line”" in text for text in found)
    gone = said(BRIEF, later(("code: district,", "code: county,")), "sr")
    assert any("No longer asked: “Okrug”." in text for text in gone)


def test_categories_places_signs_and_the_protocol() -> None:
    text = shipped("places-rs.yaml")
    place = next(line for line in text.splitlines() if "RS-23" in line)
    after = folder_with(
        {
            "places.yaml": changed(text, ("version: 1", "version: 2"), (place + "\n", "")),
            "risk.yaml": changed(
                shipped("risk.yaml"),
                ("version: 1", "version: 2"),
                ("runaway, urgency: urgent", "runaway, urgency: immediate"),
            ),
            "country.yaml": changed(shipped("country.yaml"), ("protocol: rs", "protocol: general")),
        }
    )
    found = said(None, after)
    assert found["Country: protocol: “rs” becomes “general”."] is False
    (gone,) = [one for one in found if one.startswith("Places: Gone") and "RS-23" in one]
    assert found[gone]
    urgency = "“has run away”: it suggested urgent, and now suggests immediate."
    assert found[f"Signs of danger: {urgency}"]
    assert any(one.startswith("Protocol: urgencies[") for one in found)
