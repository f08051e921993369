"""For the report: the records about the person, and which agencies were told of them.

A record about several children belongs to each of them. The report has the entry of the child who
asks, if it is known which that is, and nothing that may be about the others or about all of them.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.contacts.cases.models import CaseDocument, FollowUp
from app.contacts.cases.printing import follow_up_words, in_words
from app.contacts.models import Case, Contact, Filled
from app.contacts.records import Opened
from app.contacts.registry import sheet_of
from app.contacts.sealed_answers import present
from app.definitions.answers import Sheet
from app.definitions.forms import Section
from app.definitions.trees import label_in
from app.referrals.consent.grounds import ground_words
from app.referrals.directory.models import Agency
from app.referrals.models import Disclosure, Referral
from app.retention.data_requests.children import count_children, entries_left, places_of
from app.retention.data_requests.kinds import ITEM_WORDS, READ_BECAUSE, AskingPerson, ItemKind
from app.retention.data_requests.reports.parts import Block, Paper
from app.retention.data_requests.reports.seen_answers import may_see
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.words import days as day_forms
from app.words.pages import _, list_words, ngettext, said

RECORDS: dict[ItemKind, tuple[Any, AuditLog]] = {
    ItemKind.CONTACT: (Contact, AuditLog.CONTACT_READ),
    ItemKind.CASE: (Case, AuditLog.CASE_READ),
    ItemKind.REFERRAL: (Referral, AuditLog.REFERRAL_READ),
}
_FREE = frozenset({"narrative", "other"})


async def records(paper: Paper, kind: ItemKind, ids: list[UUID]) -> list[tuple[str, list[Block]]]:
    """Return what the person may see of records. Each reading is logged first."""
    model, purpose = RECORDS[kind]
    counts = await count_children(paper.work, {kind: ids})
    rows = await paper.work.session.scalars(
        select(model).where(model.id.in_(ids)).order_by(model.opened_at)
    )
    found = []
    for record in rows.all():
        several = max(counts[record.id], paper.children.get(record.id, 0)) > 1
        head = Block(_("The record"))
        head.say(_("Begun"), paper.at(record.opened_at))
        blocks = [head]
        entries = await _entries(paper, record, several=several)
        if entries is None or entries or paper.person is AskingPerson.CALLER:
            await write_reading(
                paper.work, purpose, f"{kind.value}:{record.id}", reason=READ_BECAUSE
            )
            opened = Opened(paper.work, record)
            blocks += _answers(paper, opened, head, entries)
            if kind is ItemKind.CASE and paper.person is AskingPerson.CHILD and not several:
                blocks += await _of_case(paper, opened)
        head.notes += _notes(paper, entries)
        found.append((f"{said(ITEM_WORDS[kind])} {record.code}", blocks))
    return found


async def _entries(paper: Paper, record: Any, *, several: bool) -> set[str] | None:
    """Return which entries of a record are of the one who asks; None: all of it is about them.

    `several`: it tells of several children, or did when it was found: what is left of it then may
    be about another. If the entry of the one who asks is gone, none is theirs. A referral is about
    one child of a contact: all of it is theirs, or nothing.
    """
    if not isinstance(record, Referral):
        return await _of_filled(paper, record, several=several)
    if record.code in paper.codes:
        return {""} if several else None
    if record.contact_id is None:
        return set() if several else None
    contact = await paper.work.session.get_one(Contact, record.contact_id)
    theirs = await _of_filled(paper, contact, several=several)
    if theirs is None:
        return None
    return {""} if record.child_entry in theirs else set()


async def _of_filled(paper: Paper, record: Filled, *, several: bool) -> set[str] | None:
    asked = paper.entries.get(record.code, [])
    # Which entry was meant by a place may not be kept.
    is_one_meant = bool(asked or places_of(record.code, paper.codes))
    if not is_one_meant and not several:
        return None
    left = await entries_left(paper.work, record, asked, paper.numbers, paper.codes)
    is_gone = is_one_meant and not left and record.erased_at is None
    return left or set() if several or is_gone else None


def _answers(
    paper: Paper, opened: Opened[Any], head: Block, entries: set[str] | None
) -> list[Block]:
    """Return the answers that the person may see. `entries`: of a record about several children."""
    sheet, answers = sheet_of(paper.work, opened.record), opened.answers()
    may_have = may_see(sheet.form, answers, paper.person)
    blocks, left = [], 0
    for section in sheet.form.sections:
        for number, entry in enumerate(
            sheet.entries(answers, section) if section.repeats else [""], 1
        ):
            prefix = f"{section.code}.{entry}." if entry else f"{section.code}."
            title = label_in((section.entry if entry else None) or section.title, paper.language)
            block = Block(f"{title} {number}" if entry else title)
            is_theirs = _is_theirs(paper, sheet, section, entry, entries)
            for one in section.fields:
                path = prefix + one.code
                if path not in answers:
                    continue
                if not is_theirs or not may_have(section, one):
                    left += 1
                    continue
                value = in_words(sheet, one, answers[path], paper.language)
                # The headline is a line that the counsellor has written freely, too.
                marked = one.personal in _FREE or one.means == "headline"
                block.say(label_in(one.label, paper.language), value, path=path, marked=marked)
            if block.lines:
                blocks.append(block)
    # A guardian, who may be the one who hurts the child, is not told how much there is.
    if left and paper.person is not AskingPerson.GUARDIAN:
        head.notes.append(
            ngettext(
                "%(num)s answer is left out: it may be about another person.",
                "%(num)s answers are left out: they may be about other people.",
                left,
            )
        )
    return blocks


def _is_theirs(
    paper: Paper, sheet: Sheet, section: Section, entry: str, entries: set[str] | None
) -> bool:
    """Return whether what a section asks is about the person who asks, and no other child."""
    if entries is None or paper.person is AskingPerson.CALLER:
        return True
    if sheet.form.record == "referral":
        return True
    return section is sheet.form.children and entry in entries


def _notes(paper: Paper, entries: set[str] | None) -> list[str]:
    """Return what the report says of a record as a whole."""
    match paper.person:
        case AskingPerson.CALLER:
            return []
        case AskingPerson.GUARDIAN:
            return [_("This shows only who the child is. Everything else is left out.")]
    if entries is None:
        return []
    if entries:
        return [_("It is about several children. Only what is about the one who asks is shown.")]
    return [_("It is about several children, and it is not known which of them asks.")]


async def _of_case(paper: Paper, opened: Opened[Case]) -> list[Block]:
    blocks = []
    documents = await paper.work.session.scalars(
        select(CaseDocument)
        .where(CaseDocument.case_id == opened.id, CaseDocument.removed_at.is_(None))
        .order_by(CaseDocument.at)
    )
    for document in documents:
        block = Block(_("Document"))
        name = opened.words(
            document.name_sealed, table="case_documents", column="name_sealed", row=document.id
        )
        block.say(_("Name"), name, marked=True)
        block.say(_("Added"), paper.at(document.at))
        block.say(_("Content"), _("kept; a copy is given on request"))
        blocks.append(block)
    rows = await paper.work.session.scalars(
        select(FollowUp).where(FollowUp.case_id == opened.id).order_by(FollowUp.due_on)
    )
    for row in rows:
        block = Block(_("Follow-up"))
        block.say(_("Due"), day_forms.day(row.due_on, paper.language))
        block.say(_("What"), follow_up_words(row.about, paper.language))
        block.say(_("Result"), follow_up_words(row.result, paper.language) if row.result else "")
        blocks.append(block)
    return blocks


# -- who was told --------------------------------------------------------------------------------


async def told(paper: Paper, ids: list[UUID]) -> list[tuple[str, list[Block]]]:
    """Say what each agency was told, and whom to ask there: they hold their own copies.

    Nor is it said that an agency was told what the person may not see. A guardian, who may be the
    one who hurts the child, is not told who helps it.
    """
    if paper.person is not AskingPerson.CHILD:
        return []
    rows = await paper.work.session.execute(
        select(Disclosure, Agency, Referral)
        .join(Agency, Agency.id == Disclosure.agency_id)
        .join(Referral, Referral.id == Disclosure.referral_id)
        .where(Disclosure.referral_id.in_(ids))
        .order_by(Disclosure.id)
    )
    counts = await count_children(paper.work, {ItemKind.REFERRAL: ids})
    found: list[Block] = []
    whom: dict[UUID, Block] = {}
    for disclosure, agency, referral in rows:
        several = max(counts[referral.id], paper.children.get(referral.id, 0)) > 1
        if await _entries(paper, referral, several=several) == set():
            continue
        block = Block(f"{agency.name}, {paper.at(disclosure.at)}")
        block.say(_("Referral"), referral.code)
        block.say(_("What it was told"), list_words(_labels(paper, referral, disclosure.fields)))
        block.say(_("On which ground"), ground_words(disclosure.ground))
        found.append(block)
        if agency.id not in whom:
            whom[agency.id] = one = Block(agency.name)
            one.say(_("E-mail"), agency.email)
            one.say(_("What it holds"), _("a copy of its own, under its own law"))
    return [
        (_("What agencies were told"), found),
        (_("Whom to ask at the agencies"), list(whom.values())),
    ]


def _labels(paper: Paper, referral: Referral, paths: list[str]) -> list[str]:
    form = sheet_of(paper.work, referral).form
    may_have = may_see(form, present(referral), paper.person)
    found = [one for path in paths if (one := form.find(path)) is not None]
    return [
        label_in(field.label, paper.language)
        for section, field, _entry in found
        if may_have(section, field)
    ]
