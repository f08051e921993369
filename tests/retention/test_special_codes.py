"""Codes about health, sexual violence, origin and the like: where they are kept, and where not.

They are counted, so they are kept as codes: sealed in the record, which its readers open, and in
the facts of the statistics. No column that can be read without the keys holds them.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Text, cast, select, text

from app import tables
from app.calls import models as calls
from app.contacts import completing, contacts, reading_contacts
from app.contacts.models import Contact
from app.contacts.records import Opened
from app.contacts.registry import library_of, sheet_of
from app.contacts.saving import Change
from app.contacts.special_codes import NotAdmitted, admit, categories_of, codes_of
from app.contacts.states import ContactChannel
from app.database.base import SEALED
from app.definitions import in_force
from app.definitions.forms import Meaning
from app.definitions.risk import Urgency
from app.definitions.special import marks
from app.jobs.transaction import flush
from app.privacy.keys import CannotOpen, keys_in_program
from app.referrals import services
from app.referrals.consent.consenting import Agreed
from app.referrals.consent.rules import GivenBy, How, Scope
from app.referrals.counted import MEMBER_BYTES
from app.referrals.directory.agencies import save_agency
from app.referrals.directory.entries import Entry
from app.referrals.models import Consent, Referral
from app.referrals.opening.opening import Wish, refer
from app.referrals.opening.sending import send
from app.referrals.scopes import lock_referral
from app.referrals.services import ask_for, asked_by
from app.referrals.states import OpenedHow, Sector, Service
from app.referrals.trail import By, Via
from app.retention.kinds import DataKind
from app.retention.records import erase_records
from app.sealing.places import sealed_places, values_of
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.statistics.counting.referral_figures import ReferralsBy, referral_figures
from app.statistics.facts import days
from app.statistics.facts.facts import COLUMNS, day_bounds, facts_of
from app.statistics.facts.facts import SEALED as SEALED_FACTS
from app.statistics.facts.questions import read_questions
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.planted import as_person, readable_in
from tests.support.retention.columns import BY_RULE
from tests.support.retention.erasing import facts
from tests.support.retention.written_once import once
from tests.support.verbs import a_line, a_supervisor

pytestmark = pytest.mark.whole

# What is planted: the question's path in a contact, and a code of it.
CODES = {
    "child.a1.disability": "psychosocial",
    "child.a1.groups": "lgbtqi",
    "child.a1.harm": "witnessed",
    "danger.signs": "sexual_violence",
    "actions.taken": "mental_health",
}
CATEGORY = "V-SEXUAL"
IN_THE_RECORD = {f"{table}.sealed" for table in ("contacts", "cases", "referrals")} | {
    "completed_versions.sealed",
    "earlier_answers.sealed",
}
# By these its readers see them in a list, and why an urgency was set.
BESIDE = {f"{table}.categories_sealed" for table in ("contacts", "cases", "referrals")} | {
    "urgency_decisions.reason_sealed"
}
# Which services a referral asks for, and which ones a consent names.
OF_SERVICES = {"referrals.services_sealed", "consents.for_what_sealed"}
# The definitions say what the codes mean.
DEFINED = {"definitions.text", "definition_sets.files"}
# Services that tell of a child's health. The directory, which is about agencies, has them in clear;
# nothing else does that is beside a child.
SERVICES = (Service.MENTAL_HEALTH, Service.DISABILITY_SUPPORT)
# With the sector of the agency, and with the changes of the directory.
DIRECTORY = {"agencies.services", "agencies.sector", "audit_entries.detail"}


@once
async def with_codes(work: Work) -> tuple[Staff, Contact]:
    """A contact, a case and a referral in which these codes are answers."""
    answers: dict[str, Any] = {path: [code] for path, code in CODES.items()}
    told = {**planted.CHILD, **answers, "contact.categories": [CATEGORY]}
    # Asked for a child with a disability.
    told["separation.offered"] = ["outreach"]
    await a_line(work)
    boss = await a_supervisor(work)
    contact = await planted.a_contact(work, boss, await planted.a_call(work), told)
    # An answer of an earlier stretch of writing, which is kept.
    contact = await completing.reopen(work, boss, contact.id, "Once more.")
    _, saved = await contacts.save(
        work, boss, contact.id, [Change("child.a1.disability", ["none"], contact.revision)]
    )
    assert saved.refused == {}
    await planted.a_case(work, boss, contact)
    referral = await planted.an_open_referral(work, boss, contact)
    await planted.close_referral(work, referral)
    await _refer_to_special_services(work, boss, contact)
    await flush(work)
    return boss, contact


@pytest.fixture
async def told(work: Work) -> Work:
    await with_codes(work)
    return work


async def _refer_to_special_services(work: Work, boss: Staff, contact: Contact) -> None:
    """Refer the child for its mind, and for a disability, with consent to these services."""
    psy = Entry(
        "psy", "Psy", Sector.MENTAL_HEALTH, SERVICES, languages=("en",), email="a@psy.example"
    )
    await save_agency(work, psy)
    as_person(work, boss)
    agreed = Agreed(GivenBy.CHILD, How.SPOKEN, (Scope.SERVICES,), for_what=SERVICES)
    wish = Wish(Urgency.URGENT, OpenedHow.BY_HAND, services=SERVICES, consent=agreed)
    made = await refer(work, boss, wish)
    await work.session.flush()
    for one in made:
        locked = await lock_referral(work, one.id)
        locked.contact_id = contact.id
        asked = asked_by(work, locked).service
        ask_for(work, locked, asked, [Service.DISABILITY_SUPPORT])
        await send(work, locked, By(Via.BY_HAND))


async def _sealed_in(work: Work, code: str) -> set[str]:
    """Return the columns in which a code is found with the keys."""
    found = set()
    for place in sealed_places(tables.metadata):
        columns = ", ".join(dict.fromkeys(place.also()))
        rows = await work.session.execute(
            text(
                f"SELECT {columns}, {place.column} AS stored FROM {place.table} "
                f"WHERE {place.column} IS NOT NULL"
            )
        )
        for row in rows.mappings():
            for path, value in values_of(place, row["stored"]).items():
                opened = work.keys.open(value, **place.bound_to(dict(row), path))
                if f'"{code}"'.encode() in opened:
                    found.add(place.name)
    return found


@pytest.mark.situation(by=with_codes)
async def test_special_codes_are_in_the_record_and_in_no_log_list_or_message(told: Work) -> None:
    """A reader of the database without the keys finds none of them, in any column."""
    for code in (*CODES.values(), CATEGORY):
        assert await _readable_in(told, code) == set(), code
        where = await _sealed_in(told, code)
        assert "completed_versions.sealed" in where, code
        assert where <= IN_THE_RECORD | BESIDE | (OF_SERVICES if code in SERVICES else set()), code
    # It was really there, and the search finds what is not sealed.
    assert "earlier_answers.sealed" in await _sealed_in(told, "psychosocial")
    assert "contacts.categories_sealed" in await _sealed_in(told, CATEGORY)
    assert "contacts.answers" in await readable_in(told, "about_child")


async def _readable_in(work: Work, code: str) -> set[str]:
    """Look for a code where it is no definition, and not in the directory."""
    directory = DIRECTORY if code in SERVICES else set()
    return await readable_in(work, code) - DEFINED - directory


@pytest.mark.situation(by=with_codes)
async def test_the_service_of_a_referral_is_readable_nowhere_without_the_keys(
    told: Work,
) -> None:
    """In no column of any table, those of the job store with them."""
    for code in SERVICES:
        assert await readable_in(told, code) - DEFINED <= DIRECTORY, code
        assert await _sealed_in(told, code) >= OF_SERVICES, code
        others = await told.session.scalars(_OTHER_TABLES)
        for name in others.all():
            has = f"SELECT EXISTS (SELECT FROM {name} t WHERE strpos(t::text, :code) > 0)"
            assert not await told.session.scalar(text(has), {"code": code.value}), name
    entries = select(AuditEntry.subject).where(
        cast(AuditEntry.detail, Text).contains(SERVICES[0].value)
    )
    assert set(await told.session.scalars(entries)) == {"agency:psy"}


# Tables that the models do not have.
_OTHER_TABLES = text(
    "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables"
    " WHERE table_type = 'BASE TABLE' AND table_name <> ALL (:known)"
    " AND table_schema NOT IN ('pg_catalog', 'information_schema')"
).bindparams(known=list(tables.metadata.tables))


@pytest.mark.situation(by=with_codes)
async def test_services_of_referrals_and_consents_have_one_length(
    told: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many they are, and whatever they are called. Those of a list are opened together."""
    asked = (await told.session.scalars(select(Referral))).all()
    opened_together, trips = told.keys.open_together, []

    def counted(values: Any) -> list[bytes]:
        trips.append(len(values))
        return opened_together(values)

    monkeypatch.setattr(told.keys, "open_together", counted)
    told.opened_codes.clear()
    assert len(services.asked_by_all(told, asked)) == 3
    assert trips == [3]
    assert {len(asked_by(told, one).first) for one in asked} == {0, 1}
    (one, *_) = asked
    ask_for(told, one, Service.DISABILITY_SUPPORT, list(Service))
    assert asked_by(told, one) == (Service.DISABILITY_SUPPORT, tuple(Service))
    assert {len(one.services_sealed) for one in asked} == {30 + services.LENGTH}
    consents = await told.session.scalars(select(Consent.for_what_sealed))
    named = {len(one) for one in consents if one is not None}
    every = services.seal_for_what(told, uuid4(), Service)["for_what_sealed"]
    assert named == {len(every)} == {30 + 16 + services.LENGTH}


@pytest.mark.situation(by=with_codes)
async def test_figures_by_service_are_those_of_the_referrals_after_an_erasure_too(
    told: Work,
) -> None:
    async def counted() -> list[tuple[str, int, int]]:
        since, until = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
        found, every = await referral_figures(told, since, until, ReferralsBy.SERVICE)
        _, by_state = await referral_figures(told, since, until, ReferralsBy.STATE)
        assert every == by_state
        return [
            (one.value, one.numbers["opened"], len(one.members) // MEMBER_BYTES) for one in found
        ]

    # Those of the helpline's own list, and one that was closed.
    expected = [(one.value, 1, 1) for one in (*sorted(SERVICES), Service.SHELTER)]
    assert await counted() == sorted(expected)
    ids = list(await told.session.scalars(select(Referral.id)))
    assert len(await erase_records(told, DataKind.REFERRALS, ids, 1)) == 3
    assert await counted() == sorted(expected)


@pytest.mark.situation(by=with_codes)
async def test_codes_of_one_question_have_one_length(told: Work) -> None:
    """The length of what is sealed tells nothing: not even whether there is a disability."""
    rows = (await told.session.scalars(select(Contact))).all()
    sheet = sheet_of(told, rows[0])
    lengths = {
        len(sealed) for row in rows for p, sealed in row.sealed.items() if sheet.is_special(p)
    }
    assert len(lengths) == 1
    assert {len(row.categories_sealed or b"") for row in rows} == {30 + 128}


@pytest.mark.situation(by=with_codes)
async def test_codes_are_opened_only_after_the_log_says_so(told: Work) -> None:
    contact = (await told.session.scalars(select(Contact))).one()
    boss = contact.owner_id
    other = Work(told.session, told.now, PROGRAM, told.ground)
    for opening in (codes_of, categories_of):
        with pytest.raises(NotAdmitted):
            opening(other, contact)
    stranger = uuid4()
    other.actor = type(other.actor)(told.actor.kind, stranger)
    told.ground.kept["readings"].work = other
    await admit(other, contact)
    assert codes_of(other, contact)["danger.signs"] == ["sexual_violence"]
    assert categories_of(other, contact) == ["V", CATEGORY]
    await flush(other)
    written = select(AuditEntry.action).where(AuditEntry.actor == str(stranger))
    assert list(await told.session.scalars(written)) == [AuditLog.CODES_READ]
    # A form that is saved again and again is one reading.
    again = Work(told.session, told.now, other.actor, told.ground)
    told.ground.kept["readings"].work = again
    await admit(again, contact)
    await flush(again)
    assert len(list(await told.session.scalars(written))) == 1
    assert stranger != boss


@pytest.mark.situation(by=with_codes)
async def test_other_keys_open_no_special_code(told: Work) -> None:
    contact = (await told.session.scalars(select(Contact))).one()
    other = keys_in_program([(1, b"x" * 32)], "another secret")
    for path, value in values_of(_place("contacts", "sealed"), contact.sealed).items():
        with pytest.raises(CannotOpen):
            other.open(value, table="contacts", column=path, row=contact.id)


def _place(table: str, column: str) -> Any:
    (found,) = [
        one for one in sealed_places(tables.metadata) if (one.table, one.column) == (table, column)
    ]
    return found


@pytest.mark.situation(by=with_codes)
async def test_kept_facts_hold_what_was_told_sealed(told: Work) -> None:
    """A row of a kept day names the call: what was told in it can be read with the keys alone."""
    contact = (await told.session.scalars(select(Contact))).one()
    call = await told.session.get(calls.Call, contact.call_id)
    assert call is not None
    day = call.opened_at.astimezone(UTC).date()
    raw: Any = (await (await told.session.connection()).get_raw_connection()).driver_connection
    library, asked = library_of(told.ground), read_questions(in_force.folder_of(told.ground))
    assert await days.keep(told.ground, raw, day, library, asked, told.now)
    for code in (*CODES.values(), CATEGORY):
        assert await _readable_in(told, code) == set(), code
    look = days.Reading(told.ground, raw, told.now, library, asked)
    kept = (await look.kept(day, day, sorted(COLUMNS)))[day][1]
    begins, ends = day_bounds(day)
    _, counted = await facts_of(raw, begins, ends, library, asked, told.keys)
    assert kept == counted, "what is kept says the same as the record"
    assert CATEGORY in (kept["categories"].words or [])
    await flush(told)
    read = select(AuditEntry.subject).where(AuditEntry.action == AuditLog.FACTS_READ)
    assert f"facts:{day}" in set(await told.session.scalars(read))


@pytest.mark.situation(by=with_codes)
async def test_facts_without_the_keys_say_nothing_of_what_was_told(told: Work) -> None:
    raw: Any = (await (await told.session.connection()).get_raw_connection()).driver_connection
    library, asked = library_of(told.ground), read_questions(in_force.folder_of(told.ground))
    since, until = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
    _, columns = await facts_of(raw, since, until, library, asked, None)
    assert columns["categories"].words == ["?"]
    assert CATEGORY in ((await facts(told))["categories"][1])


async def test_facts_of_calls_have_no_special_code(work: Work) -> None:
    """A file of single calls has the parts of the call alone; what was told needs an approval."""
    form = library_of(work.ground).form_for("contact")
    special = {"disabilities", "groups", "residence", "categories", "danger_signs", "actions"}
    named = {
        field.code
        for section in form.sections
        for field in section.fields
        if field.means in marks().meanings
    }
    assert {"disability", "groups", "residence"} <= named
    assert {COLUMNS[name].part for name in special} == {"record"}
    assert special <= SEALED_FACTS <= set(COLUMNS)
    columns = {column.name for column in calls.Call.__table__.columns}
    assert not columns & {*named, *special}


def test_a_fact_that_is_made_of_an_answer_is_sealed_when_it_is_kept() -> None:
    plain = {
        "contact",
        "contact_id",
        "closed_as",
        "purpose",
        "kind",
        "place",
        "urgency",
        "suggested",
    }
    of_records = {name for name, column in COLUMNS.items() if column.part == "record"}
    assert of_records - SEALED_FACTS == plain


async def test_what_a_later_form_marks_is_sealed_with_the_next_saving(work: Work) -> None:
    """Answers from before a mark are sealed, too, and no earlier answer is left readable."""
    boss = await a_supervisor(work)
    as_person(work, boss)
    contact, _ = await contacts.create_contact(
        work, boss, channel=ContactChannel.EMAIL, changes=planted.changes_of(planted.CHILD)
    )
    await flush(work)
    contact = await work.session.get_one(Contact, contact.id)
    contact.answers = {**contact.answers, "child.a1.groups": ["roma"]}
    await work.session.flush()
    work.now += timedelta(hours=1)
    changes = [
        Change("contact.settlement", "urban", contact.revision),
        Change("child.a1.groups", ["minority"], contact.revision),
    ]
    _, saved = await contacts.save(work, boss, contact.id, changes[:1])
    assert not saved.conflicts
    assert not saved.refused
    await flush(work)
    assert "child.a1.groups" not in contact.answers
    assert codes_of(work, contact)["child.a1.groups"] == ["roma"]
    await contacts.save(work, boss, contact.id, changes[1:])
    await flush(work)
    assert await readable_in(work, '"roma"') - DEFINED == set()


@pytest.mark.situation(by=with_codes)
async def test_the_signs_of_an_urgency_are_read_with_the_contact(told: Work) -> None:
    contact = (await told.session.scalars(select(Contact))).one()
    (decided,) = await reading_contacts.urgency_history(Opened(told, contact))
    assert "sexual_violence" in decided.cues
    assert planted.WORD in decided.reason
    detail = await told.session.scalars(text("SELECT detail::text FROM record_events"))
    assert not any("sexual_violence" in json.dumps(one) for one in detail)


def test_the_columns_with_special_codes_go_with_their_record() -> None:
    ruled = {name for some in BY_RULE.values() for name in some}
    for name in IN_THE_RECORD:
        table = name.partition(".")[0]
        assert name in ruled or f"{table}.*" in ruled
    for name in BESIDE:
        table, column = name.split(".")
        assert tables.metadata.tables[table].columns[column].info[SEALED] == "bytes"


def test_each_meaning_that_is_special_is_one() -> None:
    means: tuple[Meaning, ...] = ("disability", "access_needs", "groups", "residence")
    assert set(means) <= set(marks().meanings)
