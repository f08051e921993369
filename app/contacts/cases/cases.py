"""Cases: several contacts about the same children, with people, a plan, notes and a team."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from app.contacts.cases.follow_ups import add_follow_up, country_rules, ring_again
from app.contacts.cases.models import CaseContact, FollowUp
from app.contacts.cases.people import add_member, colleague_of, end_requests, works_on
from app.contacts.consent import withdrawals
from app.contacts.consent.same_child import link_child
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case, Contact
from app.contacts.reading_contacts import open_contact
from app.contacts.records import Opened, is_contact, open_record
from app.contacts.registry import beginning, library_of, sheet_of, workflow_of
from app.contacts.saving import Change, Saved, merged, save_answers
from app.contacts.scopes import (
    check_contact_writable,
    let_case_read,
    let_work,
    lock_writable,
    readable,
    reads_contact,
    take_back_reading,
)
from app.contacts.sealed_answers import present
from app.contacts.special_codes import codes_read
from app.contacts.states import FollowUpAbout, Subject
from app.definitions.answers import Answers, NotAnAnswer
from app.definitions.risk import Risk, rises
from app.definitions.workflow import Move
from app.errors import Conflict, Invalid, Message, NotFound
from app.staff import receiving
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

# What a case takes over from the contact that it is opened from, child by child.
_CHILD = ("child_name", "child_age", "child_gender")
# Signs in a contact that a child may be separated from its family.
_SEPARATION_CUES = frozenset({"under_three", "separation"})


async def open_case(work: Work, staff: Staff, contact_ids: list[UUID]) -> Case:
    """Open a case from some contacts, and copy what they say about the children.

    If a child may be separated from its family, the case begins with a follow-up that asks
    where the child is. Raises NotFound.
    """
    await receiving.check_receives(work, staff)
    for contact_id in contact_ids:
        await check_contact_writable(work, staff, contact_id)
    opened = [await open_contact(work, staff, contact_id) for contact_id in contact_ids]
    flow = library_of(work.ground).workflow
    case = Case(
        **beginning(work, "case"),
        owner_id=staff.id,
        team=staff.team,
        workflow=flow.workflow,
        workflow_version=flow.version,
        status=flow.start.code,
        answers={},
        sealed={},
        versions={},
        revision=0,
        headline_words="",
        place_path=[],
        separation_risk=False,
    )
    work.session.add(case)
    await work.session.flush()
    await let_work(work, case, staff.id)
    note_event(work, Subject.CASE, case.id, RecordLog.OPENED, owner_id=str(staff.id))
    taken: Answers = {}
    copied: list[tuple[UUID, str, str]] = []
    for contact in opened:
        await _link(work, staff, case, contact.record)
        here, children = _taken_over(work, case, contact, len(taken))
        taken = {**here, **taken}
        copied += [(contact.id, there, entry) for there, entry in children.items()]
    if taken:
        saved = await save_answers(work, case, merged(taken), new=True)
        if saved.refused:
            # The form has no room for all of them: the log says so.
            questions = sorted(saved.refused)
            note_event(
                work, Subject.CASE, case.id, RecordLog.NOT_ALL_COPIED, questions=questions[:100]
            )
    await _link_children(work, case, copied)
    for contact in opened:
        withdrawals.hear_again(work, contact.record)
    return case


async def may_be_separated(work: Work, record: Contact | Case) -> bool:
    """Return whether the answers say that a child may be separated from its family: by a sign of
    it, or because the form asked about staying with the family."""
    sheet, answers = sheet_of(work, record), await codes_read(work, record)
    if _SEPARATION_CUES & set(sheet.cues(answers)):
        return True
    return is_contact(record) and any(
        question.shown and question.section.shows == "family_support"
        for question in sheet.asked(answers)
    )


async def _look_after_family(work: Work, staff: Staff, case: Case) -> None:
    """Give a case at risk of separation a follow-up that asks where the child is."""
    if case.separation_risk:
        return
    case.separation_risk = True
    days = country_rules(work.ground).separation_follow_up_days
    await add_follow_up(work, case, staff, FollowUpAbout.SEPARATION, days=days)


async def lock_open(work: Work, staff: Staff, case_id: UUID) -> Case:
    """Lock a case that the person works on and that is not closed. Raises NotFound, Conflict."""
    case = await lock_writable(work, staff, Case, case_id)
    if workflow_of(work, case).status(case.status).ends:
        raise Conflict("The case is closed. A supervisor can open it again.")
    return case


async def _link_children(work: Work, case: Case, copied: list[tuple[UUID, str, str]]) -> None:
    """Record that the children copied into a new case are those of its contacts."""
    sheet = sheet_of(work, case)
    section = sheet.form.children
    entries = set(sheet.entries(present(case), section)) if section is not None else set()
    for contact_id, there, entry in copied:
        if entry in entries:
            await link_child(work, case.id, entry, contact_id, there)


def _taken_over(
    work: Work, case: Case, opened: Opened[Contact], number: int
) -> tuple[Answers, dict[str, str]]:
    """Return the answers of a contact under the questions of a case that mean the same; and for
    each child of the contact, the entry of the case that it became.

    The entries are numbered from `number` + 1.
    """
    there, here = sheet_of(work, opened.record), sheet_of(work, case)
    answers, taken = opened.answers(), {}
    children: dict[str, str] = {}
    for meaning in ("headline", "categories", "place"):
        source, target = there.form.path_of(meaning), here.form.path_of(meaning)
        if source and target and source in answers:
            taken[target] = answers[source]
    for section in there.form.sections:
        for entry in there.entries(answers, section) if section.repeats else []:
            number += 1
            for field in section.fields:
                path = f"{section.code}.{entry}.{field.code}"
                if field.means not in _CHILD or path not in answers:
                    continue
                for target_section, target_field in here.form.meaning(field.means):
                    key = f"{target_section.code}.k{number}"
                    if section is there.form.children and target_section is here.form.children:
                        children[entry] = f"k{number}"
                    taken[key] = number
                    taken[f"{key}.{target_field.code}"] = answers[path]
    return {path: value for path, value in taken.items() if _fits(here, path, value)}, children


def _fits(sheet: Any, path: str, value: Any) -> bool:
    try:
        sheet.check(path, value)
    except NotAnAnswer:
        return False
    return True


async def open_case_record(work: Work, staff: Staff, case_id: UUID) -> Opened[Case]:
    """Open a case that the person may read; the reading is logged first. Raises NotFound."""
    return await open_record(work, staff, Case, case_id, AuditLog.CASE_READ)


async def save(
    work: Work, staff: Staff, case_id: UUID, changes: list[Change]
) -> tuple[Case, Saved]:
    """Write answers into a case. Raises NotFound, Conflict."""
    case = await lock_open(work, staff, case_id)
    saved = await save_answers(work, case, changes)
    withdrawals.hear(work, case, saved)
    if saved.saved and await may_be_separated(work, case):
        await _look_after_family(work, staff, case)
    return case, saved


async def _link(work: Work, staff: Staff, case: Case, contact: Contact) -> None:
    result: Any = await work.session.execute(
        pg_insert(CaseContact)
        .values(case_id=case.id, contact_id=contact.id, linked_at=work.now)
        .on_conflict_do_nothing()
    )
    if result.rowcount:
        await let_case_read(work, case, contact)
        note_event(
            work, Subject.CASE, case.id, RecordLog.CONTACT_LINKED, contact_id=str(contact.id)
        )
    if await may_be_separated(work, contact):
        await _look_after_family(work, staff, case)


async def unlink_contact(work: Work, staff: Staff, case_id: UUID, contact_id: UUID) -> Case:
    """Take a contact out of a case. Colleagues who read it only for the case lose access."""
    case = await lock_open(work, staff, case_id)
    result: Any = await work.session.execute(
        delete(CaseContact).where(
            CaseContact.case_id == case.id, CaseContact.contact_id == contact_id
        )
    )
    if not result.rowcount:
        raise NotFound("There is no such contact in this case.")
    note_event(work, Subject.CASE, case.id, RecordLog.CONTACT_UNLINKED, contact_id=str(contact_id))
    await take_back_reading(work, contact_id=contact_id)
    return case


async def link_contact(work: Work, staff: Staff, case_id: UUID, contact_code: str) -> Case:
    """Add a contact to a case, by its code. Raises NotFound."""
    case = await lock_open(work, staff, case_id)
    contact = await work.session.scalar(
        readable(Contact, staff).where(Contact.code == contact_code.strip().upper())
    )
    if contact is None:
        raise NotFound("Not found, or you do not have access: check the code of the contact.")
    # Everyone on the case will read the contact, so its owner or a supervisor has to add it.
    await check_contact_writable(work, staff, contact.id)
    await _link(work, staff, case, contact)
    return case


def check_move(work: Work, staff: Staff, case: Case, to: str, reason: str) -> Move:
    """Check that a person may move a case on, and any reason needed. Raises Invalid, Conflict."""
    flow = workflow_of(work, case)
    move: Move | None = next(
        (m for m in flow.moves_from(case.status, staff.role) if m.to == to), None
    )
    if move is None:
        possible = [m.to for m in flow.moves_from(case.status, staff.role)]
        raise Conflict(
            "From %(status)s you can move the case to %(possible)s.",
            status=case.status,
            possible=possible or Message("no status"),
        )
    if move.needs_reason and not reason.strip():
        raise Invalid("Write the reason.")
    if flow.status(to).ends:
        _check_outcomes(work, case)
    return move


async def apply_move(work: Work, case: Case, to: str, reason: str) -> None:
    """Move a locked case on. The move was checked, and approved where the workflow requires it."""
    flow = workflow_of(work, case)
    before, case.status = case.status, to
    if flow.status(before).ends and not flow.status(to).ends:
        await ring_again(work, case)
    if flow.status(to).ends:
        await end_requests(work, case)
    case.closed_at = work.now if flow.status(to).ends else None
    note_event(
        work,
        Subject.CASE,
        case.id,
        RecordLog.STATUS_CHANGED,
        words=reason.strip()[:2000] or None,
        before=before,
        after=to,
    )


def _check_outcomes(work: Work, case: Case) -> None:
    """Check that each child has an outcome before the case is closed. Raises Conflict."""
    form, answers = sheet_of(work, case).form, present(case)
    section = form.children
    if section is None or not form.meaning("child_outcome"):
        return
    entries = sheet_of(work, case).entries(answers, section)
    open_ = [
        str(number)
        for number, entry in enumerate(entries, 1)
        if not any(path in answers for path in form.paths_of("child_outcome", entry))
    ]
    if open_:
        raise Conflict(
            "Record the outcome for child %(children)s first: each child of the case has its "
            "own outcome.",
            children=open_,
        )


async def set_risk(work: Work, staff: Staff, case_id: UUID, risk: Risk, reason: str) -> Case:
    """Set how great the risk is, and why; its history stays in the log. A rise without a
    referral alarms a person. Raises Invalid, NotFound.
    """
    if not reason.strip() or len(reason) > 4000 or "\x00" in reason:
        raise Invalid("Write why you set this risk, in at most 4000 characters.")
    case = await lock_writable(work, staff, Case, case_id)
    before, case.risk = case.risk, risk.value
    if rises(before, risk):
        case.risk_rose_at = work.now
    elif before != risk.value:
        case.risk_rose_at = None
    note_event(
        work,
        Subject.CASE,
        case.id,
        RecordLog.RISK_SET,
        words=reason.strip(),
        before=before,
        after=risk.value,
    )
    return case


async def set_follow_up(
    work: Work,
    staff: Staff,
    case_id: UUID,
    about: FollowUpAbout,
    due_on: date,
    words: str,
    *,
    name: str = "",
    goal: str = "",
    provider: str = "",
) -> FollowUp:
    """Set a follow-up for the person, or for a colleague, who works on the case from then on.
    `goal` is the entry of the plan that an intervention is for, `provider` who does it.

    Raises NotFound, Invalid, and NotAllowed for a colleague whom only the owner or a supervisor
    can add to the case.
    """
    owner = staff
    if name.strip() and name.strip() != staff.name:
        owner = await colleague_of(work, name)
    else:
        await receiving.check_receives(work, staff)
    case = await lock_open(work, staff, case_id)
    if goal:
        _check_goal(work, case, goal)
    if owner is not staff and not await works_on(work, case, owner):
        # Only its owner or a supervisor decides who works on a case.
        await add_member(work, staff, case_id, name)
    return await add_follow_up(
        work, case, owner, about, due_on=due_on, words=words, goal=goal, provider=provider
    )


def _check_goal(work: Work, case: Case, goal: str) -> None:
    sheet = sheet_of(work, case)
    sections = [section for section, _ in sheet.form.meaning("goal")]
    if not any(goal in sheet.entries(present(case), section) for section in sections):
        raise Invalid("There is no such goal in the plan of the case.")


async def add_note(work: Work, staff: Staff, case_id: UUID, text: str) -> None:
    """Add a sealed note to the case's log. Raises Invalid, NotFound."""
    if not text.strip() or len(text) > 20_000 or "\x00" in text:
        raise Invalid("Write a note of 1 to 20000 characters.")
    case = await lock_writable(work, staff, Case, case_id)
    note_event(work, Subject.CASE, case.id, RecordLog.NOTE, words=text)


async def contacts_in(work: Work, staff: Staff, case: Case) -> list[Contact]:
    """Return the contacts of a case that the person may read, newest first."""
    return list(
        await work.session.scalars(
            select(Contact)
            .join(CaseContact, CaseContact.contact_id == Contact.id)
            .where(CaseContact.case_id == case.id, reads_contact(staff))
            .order_by(Contact.taken_at.desc())
        )
    )


async def all_contacts_of(work: Work, case: Case) -> list[Contact]:
    """Return all contacts of a case, for a check that reveals nothing of what they say."""
    return list(
        await work.session.scalars(
            select(Contact)
            .join(CaseContact, CaseContact.contact_id == Contact.id)
            .where(CaseContact.case_id == case.id)
        )
    )


async def cases_with(work: Work, staff: Staff, contact: Contact) -> list[Case]:
    """Return the cases that a contact is in and that the person may read."""
    return list(
        await work.session.scalars(
            readable(Case, staff)
            .where(
                Case.id.in_(select(CaseContact.case_id).where(CaseContact.contact_id == contact.id))
            )
            .order_by(Case.opened_at)
        )
    )
