"""Erasing records: what tells of a child goes, the row with what is counted stays.

The answers that figures are made of stay: codes and whole numbers of questions that are
not personal. Sealed answers, free text, dates, the headline, the keyed hashes by which names are
found, documents, notes and reasons go. A column that cannot be empty gets the seal of nothing.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import Column, bindparam, delete, select, update
from sqlalchemy.orm import InstrumentedAttribute

from app.calls.models import CallQuestion
from app.contacts.cases.models import CaseDocument, CaseFlag, CaseRequest, FollowUp
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import (
    Case,
    CompletedVersion,
    Contact,
    EarlierAnswer,
    Filled,
    MatchKey,
    Opening,
    RecordEvent,
    UrgencyDecision,
)
from app.contacts.registry import sheet_of
from app.contacts.states import Subject
from app.database.base import SEALED
from app.database.logs import WITH_SEALS, Why, change_rows
from app.definitions.answers import Sheet
from app.definitions.forms import is_entry
from app.errors import UnknownDefinition
from app.log import log
from app.referrals.channels.models import AgencyCase, Attempt, Delivery
from app.referrals.models import Consent, Dispatch, Notice, Recipient, Referral
from app.retention.kinds import DataKind, HeldKind
from app.retention.models import LegalHold
from app.routing.alarm_rows import Alarm
from app.routing.participants.participants import Participant
from app.staff.emergency_rows import Emergency
from app.statistics.models import Export
from app.work import Work

# Answers of these types are codes or numbers; figures are made of them.
_COUNTED = frozenset({"choice", "choices", "yes_no", "place", "categories", "whole_number"})
# Whether a value is there says something else in these tables: an override, a person outside, a
# file about single persons.
_NEVER_NULL = frozenset({Consent.__tablename__, Participant.__tablename__, Export.__tablename__})
MODELS: dict[DataKind, tuple[Any, HeldKind]] = {
    DataKind.CONTACTS: (Contact, HeldKind.CONTACT),
    DataKind.DRAFTS: (Contact, HeldKind.CONTACT),
    DataKind.CASES: (Case, HeldKind.CASE),
    DataKind.REFERRALS: (Referral, HeldKind.REFERRAL),
}


def counted(sheet: Sheet, answers: dict[str, Any]) -> dict[str, Any]:
    """Return the answers that stay: those of which figures are made."""
    return {path: value for path, value in answers.items() if _is_counted(sheet, path)}


def _is_counted(sheet: Sheet, path: str) -> bool:
    section, _, entry = path.partition(".")
    listed = sheet.form.section(section)
    if listed is not None and listed.repeats and is_entry(entry):
        # That there is a child, and its place in the list.
        return True
    found = sheet.form.find(path)
    return found is not None and found[1].personal is None and found[1].type in _COUNTED


async def erase_records(
    work: Work, kind: DataKind, ids: list[UUID], days: int | None
) -> list[UUID]:
    """Erase what tells of a child in locked records. Return which were erased.

    `days` is the rule; None: the person asked for it. A record whose form this server
    has not read is left as it is.
    """
    model, held = MODELS[kind]
    erased = []
    records = await work.session.scalars(
        select(model).where(model.id.in_(ids)).execution_options(populate_existing=True)
    )
    for record in records.all():
        try:
            sheet = sheet_of(work, record)
        except UnknownDefinition:
            log().warning("a record is not erased: its form is not known here", area="retention")
            continue
        _erase_answers(work, record, sheet)
        await _erase_versions(work, record, sheet)
        detail: dict[str, Any] = {} if days is None else {"days": days}
        note_event(work, Subject(held), record.id, RecordLog.ERASED, **detail)
        erased.append(record.id)
    await work.session.flush()
    if erased:
        await _erase_beside(work, held, erased)
        await _BESIDE[kind](work, erased)
    return erased


def _erase_answers(work: Work, record: Filled, sheet: Sheet) -> None:
    record.answers = counted(sheet, record.answers)
    # Special codes are counted; they stay as they are sealed. A date or a text that another version
    # of the form asks for as codes is not: it goes as all others do.
    record.sealed = {
        path: value
        for path, value in record.sealed.items()
        if sheet.is_special(path) and _is_counted(sheet, path)
    }
    record.headline, record.headline_words, record.categories_sealed = None, "", None
    record.erased_at = work.now


async def _erase_versions(work: Work, record: Filled, sheet: Sheet) -> None:
    """Erase the versions of a contact that were completed."""
    if not isinstance(record, Contact):
        return
    # The log gives up words only of a record that is erased.
    await work.session.flush()
    versions = await work.session.execute(
        select(CompletedVersion.number, CompletedVersion.answers).where(
            CompletedVersion.contact_id == record.id
        )
    )
    await change_rows(
        work.session,
        Why.ERASING,
        CompletedVersion.__tablename__,
        [
            (
                {"contact_id": record.id, "number": number},
                {"answers": counted(sheet, answers), "sealed": {}},
            )
            for number, answers in versions.all()
        ],
    )


async def _erase_beside(work: Work, held: HeldKind, ids: list[UUID]) -> None:
    """Erase what every kind of record has: earlier answers, hashes of names, words of its log.

    The rows of the log stay, and so does its chain: it holds only the digest of the words.
    """
    await change_rows(
        work.session,
        Why.ERASING,
        EarlierAnswer.__tablename__,
        [
            ({"subject_kind": held.value, "subject_id": one}, {"answer": None, "sealed": None})
            for one in ids
        ],
    )
    await work.session.execute(
        delete(MatchKey)
        .where(MatchKey.subject_kind == held.value, MatchKey.subject_id.in_(ids))
        .execution_options(synchronize_session=False)
    )
    await empty(work, RecordEvent.words_sealed, RecordEvent.subject_id, ids)
    await empty(work, LegalHold.reason_sealed, LegalHold.subject_id, ids)
    # Why nothing more was to be done about a danger.
    await empty(work, Alarm.words_sealed, Alarm.subject_id, ids)
    for column in (Emergency.ground_sealed, Emergency.review_sealed):
        await empty(work, column, Emergency.subject_id, ids)


async def _erase_of_contacts(work: Work, ids: list[UUID]) -> None:
    await empty(work, UrgencyDecision.reason_sealed, UrgencyDecision.contact_id, ids)
    await empty(work, Opening.reason_sealed, Opening.contact_id, ids)
    # What the caller answered by key.
    calls = await work.session.scalars(select(Contact.call_id).where(Contact.id.in_(ids)))
    await empty(
        work, CallQuestion.answer_sealed, CallQuestion.call_id, [one for one in calls if one]
    )


async def _erase_of_cases(work: Work, ids: list[UUID]) -> None:
    await empty(work, CaseFlag.words_sealed, CaseFlag.case_id, ids)
    await empty(work, CaseRequest.reason_sealed, CaseRequest.case_id, ids)
    for column in (FollowUp.words_sealed, FollowUp.provider_sealed, FollowUp.result_sealed):
        await empty(work, column, FollowUp.case_id, ids)
    for sealed in (CaseDocument.name_sealed, CaseDocument.content_sealed):
        await empty(work, sealed, CaseDocument.case_id, ids)
    await work.session.execute(
        update(CaseDocument)
        .where(CaseDocument.case_id.in_(ids), CaseDocument.removed_at.is_(None))
        .values(removed_at=work.now)
        .execution_options(synchronize_session=False)
    )


async def _erase_of_referrals(work: Work, ids: list[UUID]) -> None:
    await empty(work, Consent.words_sealed, Consent.referral_id, ids)
    await empty(work, Dispatch.place_sealed, Dispatch.referral_id, ids)
    await empty(work, Dispatch.words_sealed, Dispatch.referral_id, ids)
    await empty(work, Attempt.payload_sealed, Attempt.referral_id, ids)
    # Where a person was reached: of an agency or of our own staff.
    await work.session.execute(
        update(Attempt)
        .where(Attempt.referral_id.in_(ids))
        .values(target="")
        .execution_options(synchronize_session=False)
    )
    await work.session.execute(
        update(Delivery)
        .where(Delivery.referral_id.in_(ids))
        .values(detail={})
        .execution_options(synchronize_session=False)
    )
    await work.session.execute(
        update(Notice)
        .where(Notice.referral_id.in_(ids))
        .values(detail={})
        .execution_options(synchronize_session=False)
    )
    # Which fields of the case their system refused.
    await work.session.execute(
        update(AgencyCase)
        .where(
            AgencyCase.recipient_id.in_(select(Recipient.id).where(Recipient.referral_id.in_(ids)))
        )
        .values(problem="")
        .execution_options(synchronize_session=False)
    )


_BESIDE: dict[DataKind, Callable[[Work, list[UUID]], Any]] = {
    DataKind.CONTACTS: _erase_of_contacts,
    DataKind.DRAFTS: _erase_of_contacts,
    DataKind.CASES: _erase_of_cases,
    DataKind.REFERRALS: _erase_of_referrals,
}


async def empty(
    work: Work,
    column: InstrumentedAttribute[Any],
    of: InstrumentedAttribute[Any],
    ids: list[UUID],
) -> None:
    """Empty a sealed column of the rows that belong to these records."""
    stored: Column[Any] = column.property.columns[0]
    table = stored.table
    rows = table.update().where(of.in_(ids), stored.is_not(None))
    bound = table.c[stored.info.get("row", "id")]
    needs_value = not stored.nullable or table.name in _NEVER_NULL
    assert stored.info[SEALED] == "bytes"
    is_log = table.name in WITH_SEALS
    if not needs_value and is_log:
        emptied = [({of.key: one}, {stored.name: None}) for one in ids]
        await change_rows(work.session, Why.ERASING, table.name, emptied)
        return
    if not needs_value:
        await work.session.execute(rows.values({stored.name: None}))
        return
    keys = list(await work.session.scalars(select(bound).where(of.in_(ids), stored.is_not(None))))
    if keys:
        nothing = [
            {
                "bound_to": key,
                "nothing": work.keys.seal(b"", table=table.name, column=stored.name, row=key),
            }
            for key in keys
        ]
        if is_log:
            sealed = [
                ({bound.name: one["bound_to"]}, {stored.name: one["nothing"]}) for one in nothing
            ]
            await change_rows(work.session, Why.ERASING, table.name, sealed)
            return
        connection = await work.session.connection()
        await connection.execute(
            table.update()
            .where(bound == bindparam("bound_to"))
            .values({stored.name: bindparam("nothing")}),
            nothing,
        )
