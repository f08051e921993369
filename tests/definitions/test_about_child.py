"""A report of what is held leaves out each answer that may be about another person."""

import pytest

from app.country.whole import problems_of
from app.definitions.about_child import is_of_others, listed
from app.definitions.folder import folder_with
from app.definitions.forms import Form
from app.definitions.library import load
from tests.support.definitions.sets import changed, with_short_form

FORMS = list(load(None).forms.values())
# The personal answers without a meaning that are left out of every report. One that is neither
# here nor in `about_child.yaml` is new: decide whose it is.
OF_OTHERS = {
    "case": {
        *(f"household.{code}" for code in ("name", "relationship", "phone")),
        *(f"concern.{code}" for code in ("name", "relationship", "why")),
    },
}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.form)
def test_each_personal_answer_of_a_shipped_form_is_of_the_child_or_of_others(form: Form) -> None:
    found = {
        f"{section.code}.{field.code}": is_of_others(form, section, field)
        for section in form.sections
        for field in section.fields
        if field.personal is not None and field.means is None
    }
    of_others = {path for path, is_of in found.items() if is_of}
    assert of_others == OF_OTHERS.get(form.form, set())
    assert found.keys() - of_others == set(listed().get(form.form, ()))


def test_nothing_of_a_member_of_the_household_or_a_person_of_concern_is_the_childs() -> None:
    (form,) = [form for form in FORMS if form.form == "case"]
    whole = {
        section.code
        for section in form.sections
        if all(is_of_others(form, section, field) for field in section.fields)
    }
    assert whole == {"household", "concern"}


def test_a_countrys_own_question_is_the_childs_if_it_says_so() -> None:
    (form,) = [form for form in FORMS if form.form == "case"]
    section = form.section("plan")
    assert section is not None
    own = section.fields[0].model_copy(update={"code": "own"})
    assert is_of_others(form, section, own)
    assert not is_of_others(form, section, own.model_copy(update={"about": "child"}))


def test_an_option_of_the_form_says_that_the_child_itself_is_in_contact() -> None:
    by_name = {one.form: one for one in FORMS}
    short, form = by_name["short"], by_name["contact"]
    assert short.by_child({"note.who": "child"}) is True
    assert short.by_child({"note.who": "adult"}) is False
    # Nothing was chosen, or what no longer is an option.
    assert short.by_child({}) is short.by_child({"note.who": "x"}) is None
    chosen = {one.code: one.is_child for one in form.options_of(form.meaning("kind")[0][1])}
    assert [code for code, is_child in chosen.items() if is_child] == ["child"]
    # A country calls it as it likes.
    option = form.options_of(form.meaning("kind")[0][1])[0]
    assert option.model_copy(update={"code": "dete", "child": True}).is_child
    none_is = [
        one.model_copy(update={"child": False})
        for one in short.options_of(short.meaning("kind")[0][1])
    ]
    assert not any(one.is_child for one in none_is)
    # Where none is the child, the others do not say that it is another.
    section, field = short.meaning("kind")[0]
    own = section.model_copy(
        update={
            "fields": [
                one if one is not field else one.model_copy(update={"options": none_is})
                for one in section.fields
            ]
        }
    )
    fields = {name: getattr(short, name) for name in Form.model_fields}
    unmarked = Form(**fields | {"sections": [own]})
    assert {unmarked.by_child({"note.who": who}) for who in ("child", "adult")} == {None}
    # A form that does not ask says nothing.
    assert all(one.by_child({}) is None for one in FORMS)


def test_a_new_form_says_which_option_of_who_is_in_contact_is_the_child() -> None:
    files = with_short_form()
    form = files["form-brief.yaml"]
    own = changed(form, ("{code: child, label", "{code: dete, label"))

    def problems(text: str, *, is_new: bool = True) -> list[str]:
        folder = folder_with(files | {"form-brief.yaml": text})
        return [str(one) for one in problems_of(folder, is_new=is_new)]

    (problem,) = problems(own)
    assert problem.startswith("form-brief.yaml:12: ")
    assert "no option of 'note.who' is the child itself: add `child: true`" in problem
    assert problems(own.replace("{code: dete,", "{code: dete, child: true,")) == []
    # Another question cannot say it.
    (problem,) = problems(form.replace('{code: "yes", cue', '{code: "yes", child: true, cue'))
    assert problem == "form-brief.yaml:16: note.danger.child: there is no such key here"
    # What was imported before is used as it is.
    assert problems(own, is_new=False) == []
