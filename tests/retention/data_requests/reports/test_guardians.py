"""The person who asks for a child may be the one who hurts it: a guardian reads who the child is,
of every form."""

import json
from typing import get_args

import pytest
from sqlalchemy import select

from app.contacts.saving import save_answers
from app.definitions.forms import Form, Meaning
from app.definitions.library import load
from app.jobs.transaction import flush
from app.referrals.directory.models import Agency
from app.referrals.models import Disclosure, Referral
from app.retention.data_requests import requests
from app.retention.data_requests.kinds import AskingPerson, ItemKind, RequestKind
from app.retention.data_requests.reports import report
from app.retention.data_requests.reports.seen_answers import FOR_GUARDIAN, may_see
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.planted import WORD, as_person
from tests.support.retention.requested import NUMBER, a_person, approved

pytestmark = [pytest.mark.usefixtures("readings_at_once"), pytest.mark.whole]

FORMS = list(load(None).forms.values())
# All that a guardian may see, by form. A new question is left out until it is named here and in
# `FOR_GUARDIAN`: the developer who names it thinks of the child whose parent reads it.
SHOWN = {
    "contact": {
        *(f"child.{code}" for code in ("name", "age", "age_is", "birth_date")),
        *(f"child.{code}" for code in ("language", "interpreter")),
    },
    "case": {"child.name", "child.age", "child.born_on"},
    "referral": {
        *(f"child.{code}" for code in ("name", "age", "age_is", "birth_date", "identifier")),
        *(f"child.{code}" for code in ("language", "interpreter")),
    },
    "short": set(),
}
# What a child has told, where it is, whom it fears and who was told: in no form is it a guardian's.
NEVER: set[Meaning] = {
    *("child_words", "child_wants", "found_at", "place_now", "place", "home_address"),
    *("child_phone", "school", "safe_to_contact", "how_to_contact", "withheld_from", "why"),
    *("summary", "danger_signs", "suspect", "perpetrator", "categories", "headline", "kind"),
    *("reporter", "reporter_role", "caller_relationship", "actions", "living", "groups"),
    *("disability", "child_gender", "child_outcome", "goal", "consent_family", "household"),
}


def shown_of(form: Form) -> set[str]:
    may_have = may_see(form, {}, AskingPerson.GUARDIAN)
    return {
        f"{section.code}.{field.code}"
        for section in form.sections
        for field in section.fields
        if may_have(section, field)
    }


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.form}-{form.version}")
def test_each_question_of_a_shipped_form_is_named_for_guardians_or_left_out(form: Form) -> None:
    assert shown_of(form) == SHOWN[form.form]


def test_a_new_question_or_meaning_is_left_out() -> None:
    assert FOR_GUARDIAN.issubset(get_args(Meaning))
    assert not FOR_GUARDIAN & NEVER
    (form,) = [one for one in FORMS if one.form == "referral"]
    every = {field.means for section in form.sections for field in section.fields}
    for section in form.sections:
        for number, field in enumerate(section.fields):
            for meaning in (None, *(every & NEVER)):
                own = field.model_copy(update={"means": meaning, "personal": None, "not_for": []})
                fields = [*section.fields[:number], own, *section.fields[number + 1 :]]
                new = section.model_copy(update={"fields": fields})
                assert not may_see(form, {}, AskingPerson.GUARDIAN)(new, own)


def test_what_a_form_keeps_from_the_family_is_left_out_also_if_it_is_named() -> None:
    (form,) = [one for one in FORMS if one.form == "contact"]
    ((section, field),) = form.meaning("child_name")
    kept = field.model_copy(update={"not_for": ["family"]})
    assert not may_see(form, {}, AskingPerson.GUARDIAN)(section, kept)


@pytest.mark.situation
async def test_a_guardian_reads_of_released_records_who_the_child_is_and_no_more(
    work: Work,
) -> None:
    boss, _, _ = await a_person(work)
    referral = (await work.session.scalars(select(Referral))).one()
    answers = {
        "child.found_at": f"{WORD} aunt",
        "child.phone": "+381641112223",
        "child.school": f"{WORD} school",
        "child.language": "Romani",
        "family.caregiver_informed": "no",
        "family.why_not": f"{WORD} fears them",
        "danger.suspected": f"{WORD} father",
        "danger.dangers": f"{WORD} dog",
        "wishes.own_words": f"{WORD} said",
        "wishes.wants": f"{WORD} wants",
    }
    await save_answers(work, referral, planted.changes_of(answers))
    disclosure = (await work.session.scalars(select(Disclosure))).one()
    work.session.add(
        Disclosure(
            referral_id=referral.id,
            agency_id=disclosure.agency_id,
            at=work.now,
            how="phone",
            ground="vital_interests",
            fields=["child.name", "child.found_at", "danger.suspected"],
        )
    )
    await flush(work)
    as_person(work, boss)
    request = await requests.find(
        work, boss, RequestKind.ACCESS, AskingPerson.GUARDIAN, f"{NUMBER}, {referral.code}"
    )
    rows = await requests.items_of(work, request)
    wanted = {(ItemKind(one.kind), one.subject_id): None for one in rows}
    assert {ItemKind.CONTACT, ItemKind.CASE, ItemKind.REFERRAL, ItemKind.FLAG} <= {
        kind for kind, _ in wanted
    }
    await requests.set_kept(work, boss, request.id, wanted)
    await approved(work, boss, request)
    work.actor = PROGRAM
    page = await report.read_all(work, request)
    told_of = json.dumps(page, ensure_ascii=False)
    blocks = [block for section in page["sections"] for block in section["blocks"]]
    lines = [line for block in blocks for line in block["lines"]]
    assert {line["value"] for line in lines if WORD in line["value"]} == {f"{WORD} child"}
    assert told_of.count(WORD) == told_of.count(f"{WORD} child") > 2
    assert "Romani" in told_of
    agency = await work.session.get_one(Agency, disclosure.agency_id)
    told = (str(agency.email), f"{agency.name}, ", "Agencies", "vital interests")
    for hidden in (NUMBER, "+381641112223", *told, "can be found", "suspected", "Follow-up"):
        assert hidden not in told_of, hidden
    assert "Document" not in told_of
    # Not even how much is left out.
    assert "This shows only who the child is" in told_of
    assert "are left out" not in told_of
