"""Codes about health, sexual violence, origin and the like: where they are kept, and where not.

They are counted, so they are kept as codes: in the record, which its readers open, and in the facts
of the statistics. No log, no list of others, no message and no event holds them.
"""

from typing import Any

import pytest

from app.calls import models as calls
from app.contacts.records import library_of
from app.definitions.forms import SPECIAL, Meaning
from app.jobs.transaction import flush
from app.retention.columns import BY_RULE
from app.statistics.facts.facts import COLUMNS
from app.work import Work
from tests.support import planted
from tests.support.planted import readable_in
from tests.support.verbs import a_line, a_supervisor

# What is planted: the meaning of the question, its path in a contact, and a code of it.
CODES: dict[Meaning, tuple[str, str]] = {
    "disability": ("child.a1.disability", "psychosocial"),
    "groups": ("child.a1.groups", "lgbtqi"),
}
CATEGORY = "V-SEXUAL"
IN_THE_RECORD = {
    f"{table}.answers" for table in ("contacts", "cases", "referrals", "completed_versions")
}
# By these its readers find the record, within their scope.
FOUND_BY = {f"{table}.category_codes" for table in ("contacts", "cases", "referrals")}
# The definitions say what the codes mean.
DEFINED = {"definitions.text", "definition_sets.files"}


@pytest.fixture
async def told(work: Work, monkeypatch: pytest.MonkeyPatch) -> Work:
    """A contact, a case and a referral in which these codes are answers."""
    answers: dict[str, Any] = {path: [code] for path, code in CODES.values()}
    told = {**planted.CHILD, **answers, "contact.categories": [CATEGORY]}
    # Asked for a child with a disability.
    told["separation.offered"] = ["outreach"]
    monkeypatch.setattr(planted, "CHILD", told)
    await a_line(work)
    boss = await a_supervisor(work)
    contact = await planted.a_contact(work, boss, await planted.a_call(work))
    await planted.a_case(work, boss, contact)
    referral = await planted.an_open_referral(work, boss, contact)
    await planted.close_referral(work, referral)
    await flush(work)
    return work


async def test_special_codes_are_in_the_record_and_in_no_log_list_or_message(told: Work) -> None:
    for code in (*(code for _, code in CODES.values()), CATEGORY):
        where = await readable_in(told, code)
        assert "contacts.answers" in where, code
        assert where - DEFINED <= IN_THE_RECORD | FOUND_BY, code


async def test_facts_of_calls_have_no_special_code(work: Work) -> None:
    """A file of single calls has the parts of the call alone; what was told needs an approval."""
    form = library_of(work.ground).form_for("contact")
    named = {
        field.code: field.means
        for section in form.sections
        for field in section.fields
        if field.means in SPECIAL
    }
    assert set(CODES) <= set(named.values()) <= SPECIAL
    special = {"disabilities", "groups", "residence", "categories"}
    assert {COLUMNS[name].part for name in special} == {"record"}
    columns = {column.name for column in calls.Call.__table__.columns}
    assert not columns & {*named, *special}


def test_the_columns_with_special_codes_go_with_their_record() -> None:
    ruled = {name for some in BY_RULE.values() for name in some}
    for name in IN_THE_RECORD:
        table = name.partition(".")[0]
        assert name in ruled or f"{table}.*" in ruled
