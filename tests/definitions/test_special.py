"""Special categories of data (GDPR, article 9): what is marked, what follows, what is asked for."""

from pathlib import Path

import pytest

from app.country.whole import problems_of
from app.definitions.datafile import BadDefinition
from app.definitions.folder import Folder, folder_with, read_folder
from app.definitions.library import SHIPPED, load
from app.definitions.special import marks, special_codes, special_cues
from tests.support.contacts import own_tree
from tests.support.definitions.tried import FORM, with_field

pytestmark = pytest.mark.whole

TREE = (
    own_tree(
        "code: HOME-ABUSE, counts_as: V-SEXUAL, label: {en: Abuse}",
        "code: HOME-QUARREL, counts_as: FR-GENERAL, label: {en: Quarrel}",
    )
    + """  - code: FAITH
    special: belief
    label: {en: Faith}
    inside:
      - {code: FAITH-CULT, counts_as: FR-OTHER, label: {en: A cult}}
"""
)


def _country(tree: str = TREE, form: str = "") -> Folder:
    text = (SHIPPED / "country.yaml").read_text()
    files = {
        "country.yaml": text.replace("categories: chi", "categories: own"),
        "own.yaml": tree,
    }
    return folder_with(files | ({"tried.yaml": form} if form else {}))


def test_every_special_code_exists_in_the_shipped_forms() -> None:
    library = load(None)
    codes = set(library.framework.paths())
    for listed in marks().categories["chi"].values():
        assert set(listed) <= codes
    for name, questions in marks().questions.items():
        (form,) = [form for form in library.forms.values() if form.form == name]
        for path in questions:
            assert form.find(path) or form.find(path.replace(".", ".a1.")), path
    special = special_codes(library.framework)
    # Groups stand for what is inside them; bullying and school say nothing about health.
    assert {"MH-SUICIDE", "PH-HIV", "S-ORIENTATION", "V-SEXUAL", "DE-BELIEFS"} <= set(special)
    assert not {"V-BULLYING", "EO-SCHOOL", "FR-GENERAL", "V"} & set(special)
    assert set(special_cues(library.framework)) == {"suicide", "self_harm", "sexual_violence"}


def test_the_shipped_forms_seal_what_is_special() -> None:
    library = load(None)
    sheet = library.sheet_for("contact")
    assert sheet.special == {
        "contact.categories",
        "danger.signs",
        "child.disability",
        "child.residence",
        "child.groups",
        "child.nationality",
        "child.school",
        "child.harm",
        "actions.taken",
    }
    assert sheet.is_special("child.a1.disability")
    assert not sheet.is_special("child.a1.access_needs"), "a text is sealed as personal"
    assert sheet.is_sealed("child.a1.access_needs")
    assert not sheet.is_sealed("child.a1.age")


def test_a_country_is_asked_to_mark_what_counts_as_special() -> None:
    (problem,) = problems_of(_country(), is_new=True)
    assert str(problem).startswith("own.yaml:12: 'HOME-ABUSE' counts as 'V-SEXUAL'")
    assert "add `special: sexual`" in str(problem)
    marked = TREE.replace("counts_as: V-SEXUAL", "counts_as: V-SEXUAL, special: sexual")
    assert problems_of(_country(marked), is_new=True) == []
    # A set that was imported before goes on, and what it says is sealed anyway.
    assert problems_of(_country()) == []
    library = load(_country())
    assert "contact.categories" in library.sheet_for("contact").special
    assert special_codes(library.categories) == {"FAITH": "belief", "FAITH-CULT": "belief"}


def test_a_country_is_asked_to_mark_a_question_whose_answers_are_such_signs() -> None:
    line = (
        "      - {code: cuts, type: choice, label: {en: Cuts}, %s"
        "options: [{code: yes, cue: self_harm, label: {en: Yes}}]}\n"
    )
    form = FORM.strip() + "\n" + line
    marked = TREE.replace("counts_as: V-SEXUAL", "counts_as: V-SEXUAL, special: sexual")
    (problem,) = problems_of(_country(marked, form % ""), is_new=True)
    assert "the answers to 'a.cuts' are special (health)" in str(problem)
    assert problems_of(_country(marked, form % "special: health, "), is_new=True) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "{code: ill, type: text, personal: other, special: health, label: {en: Ill}}",
            "free text is sealed as personal",
        ),
        ("{code: ill, type: yes_no, special: wealth, label: {en: Ill}}", "special"),
    ],
)
def test_a_mark_that_cannot_be_is_refused(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(BadDefinition, match=words):
        load(read_folder(with_field(tmp_path, line)))


def test_what_lists_show_cannot_be_special(tmp_path: Path) -> None:
    with_field(tmp_path, "{code: ill, type: yes_no, label: {en: Ill}}")
    file = tmp_path / "tried.yaml"
    file.write_text(file.read_text().replace("means: place,", "means: place, special: origin,"))
    with pytest.raises(BadDefinition, match="'place' is shown in lists"):
        load(read_folder(tmp_path))


def test_a_mark_holds_for_every_version_of_a_form(tmp_path: Path) -> None:
    with_field(tmp_path, "{code: ill, type: yes_no, label: {en: Ill}}")
    first = tmp_path / "tried.yaml"
    marked = first.read_text().replace("type: yes_no,", "type: yes_no, special: health,")
    (tmp_path / "tried-2.yaml").write_text(marked.replace("version: 1", "version: 2"))
    library = load(read_folder(tmp_path))
    chosen = (("chi", 1), ("rs", 1))
    assert library.sheet(("tried", 1), *chosen).is_special("a.ill")
    assert library.sheet(("tried", 2), *chosen).is_special("a.ill")
