"""The report of what is held about a person: what the law lets them see, as PDF and as JSON.

What is about another person is left out and said to be; free text that may name another person is
marked, so that the officer reads it before it is handed over. Names of staff, notes and reasons of
the helpline's own work are left out.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, select

from app import words
from app.calls.caller_rows import CallerFlag, CallerWish
from app.calls.lines.line_rows import Line
from app.calls.models import Call, VoiceMessage
from app.contacts.cases.models import CaseDocument, FollowUp
from app.contacts.cases.printing import follow_up_words, in_words
from app.contacts.models import Case, Contact, Filled, Profile
from app.contacts.records import Opened
from app.contacts.registry import library_of, sheet_of
from app.definitions.about_child import is_of_others
from app.definitions.answers import Answers, Sheet
from app.definitions.forms import Field, Meaning, Section
from app.definitions.trees import label_in
from app.paper import print_page
from app.privacy.hash_kinds import HashOf
from app.referrals.directory.models import Agency
from app.referrals.models import Disclosure, Referral
from app.retention.data_requests.kinds import (
    ITEM_WORDS,
    KEEP_WORDS,
    PERSON_WORDS,
    AskingPerson,
    ItemKind,
    Keep,
)
from app.retention.data_requests.models import DataRequest, RequestItem
from app.retention.data_requests.own_calls import OF_CALLER, by_hidden_reporter
from app.retention.data_requests.parts import Block, Paper
from app.retention.data_requests.requests import items_of, sought_of
from app.retention.data_requests.written import conversations
from app.retention.rules import read_rules
from app.routing.callbacks.callback_rows import Callback
from app.staff.audit import write_reading
from app.staff.log_beginnings import beginning_of
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.words import days as day_forms
from app.words.pages import _, code_words, list_words, ngettext, said, spoken_in
from app.work import Work

_TEMPLATE = Path(__file__).parent.parent / "data" / "report.typ"
_OF_CALLER: frozenset[Meaning] = OF_CALLER | {"reporter_agrees"}
_FREE = frozenset({"narrative", "other"})
_MODELS: dict[ItemKind, tuple[Any, AuditLog]] = {
    ItemKind.CONTACT: (Contact, AuditLog.CONTACT_READ),
    ItemKind.CASE: (Case, AuditLog.CASE_READ),
    ItemKind.REFERRAL: (Referral, AuditLog.REFERRAL_READ),
}


async def files_of(page: dict[str, Any]) -> dict[str, bytes]:
    """Return the files of a report, by their format."""
    pdf = await print_page(_TEMPLATE, page)
    return {"pdf": pdf, "json": json.dumps(page, ensure_ascii=False, indent=1).encode()}


async def read_all(work: Work, request: DataRequest) -> dict[str, Any]:
    """Return what the report says. Each record that is opened is logged first."""
    language = await _language_of(work, request)
    zone = ZoneInfo(library_of(work.ground).country.timezone)
    keys = {
        key
        for number in sought_of(work, request).numbers
        for key in work.keys.match_keys(HashOf.CALLER, number)
    }
    paper = Paper(work, AskingPerson(request.person), language, zone, keys)
    items = await items_of(work, request)
    shown = {
        kind: [item.subject_id for item in items if item.kind == kind and item.keep is None]
        for kind in ItemKind
    }
    with spoken_in(language):
        sections = [
            *await _of_number(paper, shown),
            *[
                section
                for kind in (ItemKind.CONTACT, ItemKind.CASE, ItemKind.REFERRAL)
                for section in await _of_records(paper, kind, shown[kind])
            ],
            *await _told(paper, shown),
            await _log(paper, shown),
            _left_out(paper, items),
        ]
        return {
            "title": _("What is held about a person: %(code)s", code=request.code),
            "direction": words.direction(language),
            "printed": _("Made %(at)s", at=paper.at(work.now)),
            "confidential": _("Confidential: for the person alone"),
            "head": [
                {"label": _("Who asks"), "value": said(PERSON_WORDS[paper.person])},
                {"label": _("Asked"), "value": paper.at(request.asked_at)},
            ],
            "intro": await _intro(work),
            "sections": [
                {
                    "title": title,
                    "blocks": [
                        {"title": one.title, "lines": one.lines, "notes": one.notes}
                        for one in blocks
                    ],
                }
                for title, blocks in sections
                if blocks
            ],
        }


async def _language_of(work: Work, request: DataRequest) -> str:
    """Return the language of the officer's pages; for the command line, English."""
    found = await work.session.scalar(
        select(Staff.page_language).where(Staff.id == request.asked_by)
    )
    return found or words.SOURCE


async def _intro(work: Work) -> list[str]:
    """Return what the law wants said beside the data itself."""
    rules = (await read_rules(work)).days
    kept = [
        ngettext(
            "%(what)s: %(num)s day", "%(what)s: %(num)s days", days, what=code_words(kind.value)
        )
        for kind, days in rules.items()
        if days is not None
    ]
    return [
        _(
            "The helpline keeps this to talk with the person, to help, and to refer to services "
            "that help. Counts without names are made of it."
        ),
        _(
            "How long it is kept: %(rules)s. Everything else: until it is asked to be erased.",
            rules="; ".join(kept) or "–",
        ),
        _(
            "The person may ask for it to be put right, to be used less, or to be erased, and may "
            "complain to the authority for data protection."
        ),
        _(
            "The telephony provider keeps the date, the numbers and the length of calls and texts. "
            "Agencies that were told something keep their own: whom to ask is said below."
        ),
    ]


# -- the number ----------------------------------------------------------------------------------


async def _of_number(
    paper: Paper, shown: dict[ItemKind, list[UUID]]
) -> list[tuple[str, list[Block]]]:
    return [
        (_("Calls"), await _calls(paper, shown[ItemKind.CALL])),
        (_("Written conversations"), await conversations(paper, shown[ItemKind.CALL])),
        (_("Voice messages"), await _messages(paper, shown[ItemKind.VOICE_MESSAGE])),
        (_("Call-backs"), await _callbacks(paper, shown[ItemKind.CALLBACK])),
        (_("Notes about the number"), await _flags(paper, shown)),
        (_("Profiles"), await _profiles(paper, shown)),
    ]


async def _calls(paper: Paper, ids: list[UUID]) -> list[Block]:
    rows = await paper.work.session.execute(
        select(Call, Line.name)
        .join(Line, Line.id == Call.line_id, isouter=True)
        .where(Call.id.in_(ids))
        .order_by(Call.opened_at)
    )
    blocks = []
    for call, line in rows:
        block = Block(paper.at(call.opened_at))
        if call.caller_number_sealed is not None and await _may_have_number(paper, call):
            await write_reading(
                paper.work, AuditLog.CALLER_NUMBER_OPENED, str(call.id), reason="by_law"
            )
            number = paper.work.keys.open(
                call.caller_number_sealed, table="calls", column="caller_number_sealed", row=call.id
            )
            block.say(_("Number"), number.decode())
        block.say(_("Line"), line)
        block.say(_("How it ended"), code_words(call.outcome) if call.outcome else "")
        block.say(_("Answered"), paper.at(call.answered_at))
        block.say(_("Ended"), paper.at(call.ended_at))
        block.say(_("Language"), call.language)
        blocks.append(block)
    return blocks


async def _may_have_number(paper: Paper, call: Call) -> bool:
    """Return whether the number of a call was looked for, and is not of a reporter who is hidden.

    A record leads to calls of other people: their numbers are not told by it.
    """
    if call.caller_key not in paper.keys:
        return False
    hides = paper.person is not AskingPerson.CALLER
    return not (hides and await by_hidden_reporter(paper.work, call.id))


async def _messages(paper: Paper, ids: list[UUID]) -> list[Block]:
    rows = await paper.work.session.scalars(
        select(VoiceMessage).where(VoiceMessage.id.in_(ids)).order_by(VoiceMessage.created_at)
    )
    blocks = []
    for message in rows:
        block = Block(paper.at(message.created_at))
        block.say(_("Seconds"), message.seconds)
        there = message.audio_sealed is not None
        block.say(_("Sound"), _("kept; a copy is given on request") if there else _("erased"))
        blocks.append(block)
    return blocks


async def _callbacks(paper: Paper, ids: list[UUID]) -> list[Block]:
    rows = await paper.work.session.scalars(
        select(Callback).where(Callback.id.in_(ids)).order_by(Callback.agreed_at)
    )
    blocks = []
    for row in rows:
        block = Block(paper.at(row.agreed_at))
        block.say(_("Agreed for"), f"{paper.at(row.window_from)} – {paper.at(row.window_until)}")
        block.say(_("State"), code_words(row.state))
        block.say(_("Attempts"), row.attempts)
        blocks.append(block)
    return blocks


async def _flags(paper: Paper, shown: dict[ItemKind, list[UUID]]) -> list[Block]:
    blocks = []
    flags = await paper.work.session.scalars(
        select(CallerFlag)
        .where(CallerFlag.id.in_(shown[ItemKind.FLAG]))
        .order_by(CallerFlag.made_at)
    )
    for flag in flags:
        block = Block(paper.at(flag.made_at))
        block.say(_("Flag"), code_words(flag.kind))
        block.say(_("Until"), paper.at(flag.lifted_at or flag.expires_at))
        reason = paper.work.keys.open(
            flag.reason_sealed, table="caller_flags", column="reason_sealed", row=flag.id
        ).decode()
        block.say(_("Why"), reason, marked=True)
        blocks.append(block)
    wishes = await paper.work.session.scalars(
        select(CallerWish)
        .where(CallerWish.id.in_(shown[ItemKind.WISH]))
        .order_by(CallerWish.made_at)
    )
    for wish in wishes:
        block = Block(paper.at(wish.made_at))
        block.say(_("Wish about a counsellor"), code_words(wish.wish))
        blocks.append(block)
    return blocks


async def _profiles(paper: Paper, shown: dict[ItemKind, list[UUID]]) -> list[Block]:
    # Of its contacts those that are shown are counted.
    of_it = and_(Contact.profile_id == Profile.id, Contact.id.in_(shown[ItemKind.CONTACT]))
    rows = await paper.work.session.execute(
        select(Profile.code, Profile.created_at, func.count(Contact.id))
        .join(Contact, of_it, isouter=True)
        .where(Profile.id.in_(shown[ItemKind.PROFILE]))
        .group_by(Profile.id)
        .order_by(Profile.created_at)
    )
    blocks = []
    for code, made_at, contacts in rows:
        block = Block(code)
        block.say(_("Since"), paper.at(made_at))
        block.say(_("Contacts"), contacts)
        blocks.append(block)
    return blocks


# -- records -------------------------------------------------------------------------------------


async def _of_records(
    paper: Paper, kind: ItemKind, ids: list[UUID]
) -> list[tuple[str, list[Block]]]:
    model, purpose = _MODELS[kind]
    rows = await paper.work.session.scalars(
        select(model).where(model.id.in_(ids)).order_by(model.opened_at)
    )
    found = []
    for record in rows.all():
        await write_reading(paper.work, purpose, f"{kind.value}:{record.id}", reason="by_law")
        blocks = _answers(paper, Opened(paper.work, record))
        if kind is ItemKind.CASE and paper.person is not AskingPerson.CALLER:
            blocks += await _of_case(paper, Opened(paper.work, record))
        found.append((f"{said(ITEM_WORDS[kind])} {record.code}", blocks))
    return found


def _answers(paper: Paper, opened: Opened[Any]) -> list[Block]:
    record: Filled = opened.record
    sheet, answers = sheet_of(paper.work, record), opened.answers()
    head = Block(_("The record"))
    head.say(_("Begun"), paper.at(record.opened_at))
    blocks, left = [head], 0
    may_have = may_see(sheet, answers, paper.person)
    for section in sheet.form.sections:
        entries = sheet.entries(answers, section) if section.repeats else [None]
        for number, entry in enumerate(entries, 1):
            prefix = f"{section.code}.{entry}." if entry else f"{section.code}."
            title = label_in((section.entry if entry else None) or section.title, paper.language)
            block = Block(f"{title} {number}" if entry else title)
            for one in section.fields:
                path = prefix + one.code
                if path not in answers:
                    continue
                label = label_in(one.label, paper.language)
                if not may_have(section, one):
                    left += 1
                    continue
                value = in_words(sheet, one, answers[path], paper.language)
                block.say(label, value, path=path, marked=one.personal in _FREE)
            if block.lines:
                blocks.append(block)
    children = sheet.form.children
    several = len(sheet.entries(answers, children)) if children is not None else 0
    if several > 1:
        head.notes.append(
            ngettext(
                "It is about %(num)s child: black out what is about another one.",
                "It is about %(num)s children: black out what is about the others.",
                several,
            )
        )
    if left:
        head.notes.append(
            ngettext(
                "%(num)s answer is left out: it may be about another person.",
                "%(num)s answers are left out: they may be about other people.",
                left,
            )
        )
    return blocks


def may_see(
    sheet: Sheet, answers: Answers, person: AskingPerson
) -> Callable[[Section, Field], bool]:
    """Return a test for the answers that a person may see of a record.

    The child sees what is about them; a guardian what the family may have; another caller only what
    they said about themselves. Who reported is told if they agreed.
    """
    if person is AskingPerson.CALLER:
        return lambda _, one: one.means in _OF_CALLER
    agrees = answers.get(sheet.form.path_of("reporter_agrees") or "") == "yes"
    family = person is AskingPerson.GUARDIAN
    return lambda section, one: (
        not is_of_others(sheet.form, section, one)
        and (one.means not in OF_CALLER or (agrees and not family))
        and not (family and "family" in one.not_for)
    )


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


# -- who was told, and who read ------------------------------------------------------------------


async def _told(paper: Paper, shown: dict[ItemKind, list[UUID]]) -> list[tuple[str, list[Block]]]:
    """Say what each agency was told, and whom to ask there: they hold their own copies."""
    if paper.person is AskingPerson.CALLER:
        return []
    rows = await paper.work.session.execute(
        select(Disclosure, Agency, Referral)
        .join(Agency, Agency.id == Disclosure.agency_id)
        .join(Referral, Referral.id == Disclosure.referral_id)
        .where(Disclosure.referral_id.in_(shown[ItemKind.REFERRAL]))
        .order_by(Disclosure.id)
    )
    told: list[Block] = []
    whom: dict[UUID, Block] = {}
    for disclosure, agency, referral in rows:
        sheet = sheet_of(paper.work, referral)
        block = Block(f"{agency.name}, {paper.at(disclosure.at)}")
        block.say(_("Referral"), referral.code)
        labels = [_label(sheet, path, paper.language) for path in disclosure.fields]
        block.say(_("What it was told"), list_words(labels))
        block.say(_("On which ground"), code_words(disclosure.ground))
        told.append(block)
        if agency.id not in whom:
            whom[agency.id] = one = Block(agency.name)
            one.say(_("E-mail"), agency.email)
            one.say(_("What it holds"), _("a copy of its own, under its own law"))
    return [
        (_("What agencies were told"), told),
        (_("Whom to ask at the agencies"), list(whom.values())),
    ]


def _label(sheet: Sheet, path: str, language: str) -> str:
    found = sheet.form.find(path)
    return label_in(found[1].label, language) if found else path


async def _log(paper: Paper, shown: dict[ItemKind, list[UUID]]) -> tuple[str, list[Block]]:
    """Count what staff did with the rows: what and when, and never who.

    For the child alone: that a number was flagged, or a record held, tells others too much.
    """
    if paper.person is not AskingPerson.CHILD:
        return "", []
    subjects = [
        *(str(id_) for id_ in shown[ItemKind.CALL]),
        *(f"{kind.value}:{id_}" for kind in _MODELS for id_ in shown[kind]),
        *(f"profile:{id_}" for id_ in shown[ItemKind.PROFILE]),
    ]
    rows = await paper.work.session.execute(
        select(AuditEntry.action, func.count(), func.min(AuditEntry.at), func.max(AuditEntry.at))
        .where(AuditEntry.subject.in_(subjects))
        .group_by(AuditEntry.action)
        .order_by(func.min(AuditEntry.at))
    )
    block = Block(_("How often"))
    if (begins := await beginning_of(paper.work.session)) is not None:
        block.say(_("The log begins on"), paper.at(begins.at))
    for action, count, first, last in rows:
        block.say(code_words(action), f"{count} ({paper.at(first)} – {paper.at(last)})")
    return _("What was done with it"), [block] if block.lines else []


def _left_out(paper: Paper, items: list[RequestItem]) -> tuple[str, list[Block]]:
    """Count what is not shown, for the child alone.

    A guardian, or another caller from the same telephone, is not even told that it exists.
    """
    block = Block(_("Not shown"))
    for kind in ItemKind if paper.person is AskingPerson.CHILD else ():
        for keep in Keep:
            count = len([one for one in items if one.kind == kind and one.keep == keep])
            if count:
                block.say(said(ITEM_WORDS[kind]), f"{count}: {said(KEEP_WORDS[keep])}")
    return _("What is left out"), [block] if block.lines else []
