"""Definitions: what ships is whole, and what is wrong is refused with its file and line."""

from pathlib import Path

import pytest

from app.contacts.states import NON_COUNSELLING
from app.definitions.answers import Answers
from app.definitions.checking import read_form
from app.definitions.datafile import BadDefinition
from app.definitions.folder import read_folder
from app.definitions.library import SHIPPED, Shelf, load
from tests.support.contacts import TREE, own_country
from tests.support.definitions.tried import FORM, with_field


def test_the_shipped_categories_are_complete_and_labelled() -> None:
    library = load(None)
    framework = library.framework
    assert len(framework.nodes) == 11
    # Ten groups of counselling and one of none, each with its catch-all.
    assert all(node.inside[-1].code.endswith("-OTHER") for node in framework.nodes)
    assert set(NON_COUNSELLING.values()) <= set(framework.choices())
    assert library.categories.unmapped() == []
    for node, _ in framework.walk():
        assert set(node.label) == {"en", "sr"}


def test_a_second_form_shows_how_a_country_changes_it(tmp_path: Path) -> None:
    text = (SHIPPED / "country.yaml").read_text()
    (tmp_path / "country.yaml").write_text(
        text.replace("contact_form: contact", "contact_form: short")
    )
    library = load(read_folder(tmp_path))
    form = library.form_for("contact")
    assert (form.form, len(form.sections)) == ("short", 1)
    sheet = library.sheet(("short", 2), ("chi", 1), ("rs", 1))
    assert [m.path for m in sheet.missing({"note.danger": "yes"})] == [
        "note.who",
        "note.about",
        "note.words",
    ]
    assert [name for name, _ in sheet.columns()["record"]][-1] == "what_was_said"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{code: b, type: text, label: {en: B}}", "16: free text is sealed"),
        ("{code: b, type: choice, label: {en: B}}", "16: a choice needs options"),
        ("{code: b, type: choice, label: {en: B}, options_from: nope}", "there is no list 'nope'"),
        ("{code: b, type: choice, label: {en: B}, options: []}", "nothing to choose from"),
        ("{code: age, type: date, label: {en: B}}", "16: field 'age' appears twice"),
        ("{code: b, type: date, label: {}}", "label"),
        ("{code: b, type: date, label: {sr: B}}", "16: the words in en are missing"),
        ("{code: b, type: datum, label: {en: B}}", "16: sections.0.fields.5.type"),
        ("{code: b, type: date, label: {en: B}, colour: red}", "there is no such key here"),
        ("{code: b, type: date, label: {en: B}, column: a_age}", "is used by a.age"),
        (
            "{code: b, type: date, label: {en: B}, shown_when: {field: a.nope, filled: true}}",
            "16: there is no field 'a.nope'",
        ),
        (
            "{code: b, type: date, label: {en: B}, shown_when: {field: a.kind, is: z}}",
            "16: a.kind can never be z",
        ),
        (
            "{code: b, type: date, label: {en: B}, shown_when: {field: a.kind, below: 3}}",
            "a.kind is not a number",
        ),
        (
            "{code: b, type: date, label: {en: B}, shown_when: {field: a.b, filled: true}}",
            "16: these show one another: a.b → a.b",
        ),
        (
            "{code: b, type: date, label: {en: B}, shown_when: {all: [{field: a.kind, is: x}, "
            "{field: a.kind, is: y}]}}",
            "16: no answers ever show a.b",
        ),
        (
            "{code: b, type: date, label: {en: B}, shown_when: {field: a.age, at_least: 26}}",
            "no answers ever show a.b",
        ),
        (
            "{code: b, type: date, label: {en: B}, shown_when: {field: a.kind, is: x}, "
            "required_when: {field: a.kind, is: y}}",
            "no answers ever make a.b required",
        ),
        (
            "{code: b, type: choice, label: {en: B}, options: [{code: x, cue: meteor, "
            "label: {en: X}}]}",
            "there is no cue 'meteor'",
        ),
        (
            "{code: b, type: text, personal: name, means: headline, label: {en: B}}",
            "only one field can mean",
        ),
        ("{code: b, type: date, label: &x {en: B}, hint: *x}", "anchors and aliases"),
        ("{code: b, code: c, type: date, label: {en: B}}", "appears here twice"),
        ("{code: b, type: text, personal: name, label: {en: B}, at_most: -1}", "at_most of 1"),
        ("{code: b, type: whole_number, label: {en: B}, at_least: 3000000000}", "at_least"),
        ("{code: b, type: date, means: child_age, label: {en: B}}", "must be of type whole_number"),
        ("{code: b, type: date, label: {en: B}, shown_when: {all: []}}", "16: "),
        ("{[a, b]: c, type: date, label: {en: B}}", "16: a key must be a word"),
        ("{code: b, type: [", "17: a value is expected here"),
    ],
)
def test_a_bad_form_is_refused_with_its_line(tmp_path: Path, line: str, words: str) -> None:
    """By itself: to read all shipped forms before it takes twenty times as long."""
    shipped = load()
    refers_to = (shipped.categories, shipped.places, shipped.risk.codes())
    text = (with_field(tmp_path, line) / "tried.yaml").read_text()
    with pytest.raises(BadDefinition) as refused:
        read_form(text, "tried.yaml", *refers_to, shipped.mapped(shipped.categories))
    assert str(refused.value).startswith("tried.yaml:")
    assert words in str(refused.value)


def test_a_dead_end_behind_another_question_is_found(tmp_path: Path) -> None:
    folder = with_field(
        tmp_path,
        "{code: b, type: yes_no, label: {en: B}, shown_when: {field: a.kind, is: x}}\n"
        '      - {code: c, type: date, label: {en: C}, shown_when: {all: [{field: a.b, is: "yes"}, '
        "{field: a.kind, is: y}]}}",
    )
    with pytest.raises(BadDefinition, match=r"tried.yaml:17: no answers ever show a\.c"):
        load(read_folder(folder))


def test_an_unmapped_code_is_a_work_item(tmp_path: Path) -> None:
    library = load(read_folder(own_country(tmp_path, TREE)))
    assert [node.code for node in library.categories.unmapped()] == ["HOME-COLD"]


def test_a_form_may_speak_of_the_framework_and_means_what_counts_as_it(tmp_path: Path) -> None:
    tree = TREE.replace("counts_as: V-PHYSICAL", "counts_as: V-SEXUAL").replace(
        "label: {en: Cold}", "label: {en: Cold}, counts_as: FR-CARE"
    )
    library = load(read_folder(own_country(tmp_path, tree)))
    sheet = library.sheet(("contact", 3), ("own", 1), ("rs", 1))
    assert sheet.cues({"contact.categories": ["HOME-BEATEN"]}) == ["sexual_violence"]
    answers: Answers = {"contact.kind": "child", "contact.categories": ["HOME-COLD"]}
    assert "separation.offered" in [q.path for q in sheet.asked(answers) if q.shown]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("V-PHYSICAL", "V-NOPE", "own.yaml:11: counts_as 'V-NOPE': chi has no such category"),
        ("HOME-COLD", "HOME-BEATEN", "is also in line 11"),
        ("maps_to_version: 1\n", "", "maps_to and maps_to_version together"),
        ("maps_to: chi", "maps_to: nope", "there is no tree 'nope'"),
    ],
)
def test_a_bad_mapping_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(BadDefinition) as refused:
        load(read_folder(own_country(tmp_path, TREE.replace(old, new))))
    assert words in str(refused.value)


FLOW = """
workflow: tried
version: 1
languages: [en]
statuses:
  - {code: a, label: {en: A}, starts: true}
  - {code: b, label: {en: B}}
  - {code: c, label: {en: C}, ends: true}
moves:
  - {from: a, to: b, by: [counsellor]}
  - {from: b, to: c, by: [counsellor]}
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("from: b, to: c", "from: a, to: c", "tried.yaml:6: a case in 'b' can never be closed"),
        ("from: a, to: b", "from: a, to: c", "no case ever gets to 'b'"),
        ("to: b", "to: z", "tried.yaml:9: there is no status 'z'"),
        (", starts: true", "", "exactly one status has `starts: true`"),
        (", ends: true", "", "could never be closed"),
        ("[counsellor]}\n  - {from: b", "[nobody]}\n  - {from: b", "tried.yaml:9: moves.0.by.0"),
    ],
)
def test_a_bad_workflow_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    (tmp_path / "tried.yaml").write_text(FLOW.strip().replace(old, new, 1) + "\n")
    with pytest.raises(BadDefinition) as refused:
        load(read_folder(tmp_path))
    assert words in str(refused.value)


def test_the_same_version_in_two_files_is_refused(tmp_path: Path) -> None:
    text = (SHIPPED / "form-short.yaml").read_text()
    for name in ("again.yaml", "once.yaml"):
        (tmp_path / name).write_text(text)
    with pytest.raises(BadDefinition, match=r"short version 2 is also in again\.yaml"):
        load(read_folder(tmp_path))


def test_a_countrys_own_definition_counts_whatever_version_the_program_brings(
    tmp_path: Path,
) -> None:
    """A newer program may bring a higher version, or the same one: neither takes its place."""
    text = (SHIPPED / "form-short.yaml").read_text().replace("version: 2", "version: 1", 1)
    (tmp_path / "short.yaml").write_text(text)
    library = load(read_folder(tmp_path))
    assert library.newest(Shelf.FORMS, "short").version == 1
    assert ("short", 2) in library.forms, "records that were written with it stay readable"


def test_every_mistake_of_every_file_is_named(tmp_path: Path) -> None:
    text = (SHIPPED / "form-short.yaml").read_text().replace("version: 2", "version: 3", 1)
    for old, new in (("cue: danger_now", "cue: dangers"), (", personal: narrative", "")):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "form.yaml").write_text(text)
    (tmp_path / "tried.yaml").write_text(FORM.strip().replace("type: place", "type: narrative"))
    with pytest.raises(BadDefinition) as refused:
        load(read_folder(tmp_path))
    found = [(one.source, one.line) for one in refused.value.all()]
    assert found[:2] == [("form.yaml", 16), ("form.yaml", 17)]
    assert {source for source, _ in found} == {"form.yaml", "tried.yaml"}
