"""The report of what is held about a person: what the law lets them see, as PDF and as JSON.

What is about another person is left out and said to be; free text that may name another person is
marked, so that the officer reads it before it is handed over. Names of staff, notes and reasons of
the helpline's own work are left out.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, select

from app import words
from app.calls.asked import QUESTIONS
from app.calls.caller_rows import CallerFlag, CallerWish
from app.calls.lines.line_rows import Line
from app.calls.models import Call, VoiceMessage
from app.contacts.models import Contact, Profile
from app.contacts.registry import library_of
from app.paper import print_page
from app.privacy.hash_kinds import HashOf
from app.retention.data_requests.changed_since.before_report import leave_out
from app.retention.data_requests.children import UNKNOWN
from app.retention.data_requests.copies import calls_at_provider
from app.retention.data_requests.kinds import (
    COPY_WORDS,
    ITEM_WORDS,
    KEEP_WORDS,
    PERSON_WORDS,
    READ_BECAUSE,
    AskingPerson,
    CopyKind,
    ItemKind,
    Keep,
)
from app.retention.data_requests.models import DataRequest, RequestItem
from app.retention.data_requests.own_calls import by_hidden_reporter
from app.retention.data_requests.reports.parts import Block, Paper
from app.retention.data_requests.reports.shown_records import RECORDS, records, told
from app.retention.data_requests.reports.written_conversations import conversations
from app.retention.data_requests.requests import items_of
from app.retention.data_requests.searched import Sought, sought_of
from app.retention.rules import read_rules
from app.routing.callbacks.callback_rows import Callback
from app.routing.participants import questions
from app.staff.audit import write_reading
from app.staff.log_checks.beginnings import beginning_of
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.words.pages import _, code_words, ngettext, said, spoken_in
from app.work import Work

_TEMPLATE = Path(__file__).parents[2] / "data" / "report.typ"


async def files_of(page: dict[str, Any]) -> dict[str, bytes]:
    """Return the files of a report, by their format."""
    pdf = await print_page(_TEMPLATE, page)
    return {"pdf": pdf, "json": json.dumps(page, ensure_ascii=False, indent=1).encode()}


async def read_all(work: Work, request: DataRequest) -> dict[str, Any]:
    """Return what the report says. Each record that is opened is logged first.

    Rows that may be about another person since they were searched are left out from now on.
    """
    language = await _language_of(work, request)
    zone = ZoneInfo(library_of(work.ground).country.timezone)
    sought = sought_of(work, request)
    keys = {key for number in sought.numbers for key in work.keys.match_keys(HashOf.CALLER, number)}
    person = AskingPerson(request.person)
    await leave_out(work, request, sought, await items_of(work, request))
    items = await items_of(work, request)
    children = {
        item.subject_id: UNKNOWN if item.children is None else item.children for item in items
    }
    looked_for = (sought.numbers, sought.codes, sought.entries)
    paper = Paper(work, request.id, person, language, zone, keys, *looked_for, children)
    shown = {
        kind: [item.subject_id for item in items if item.kind == kind and item.keep is None]
        for kind in ItemKind
    }
    with spoken_in(language):
        sections = [
            *await _of_number(paper, shown),
            await _at_provider(paper, sought, items),
            *[section for kind in RECORDS for section in await records(paper, kind, shown[kind])],
            *await told(paper, shown[ItemKind.REFERRAL]),
            await count_log(paper, shown),
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
            "intro": await _intro(work, person),
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


async def _intro(work: Work, person: AskingPerson) -> list[str]:
    """Return what the law wants said beside the data itself. Agencies are named to the child alone:
    a person who hurts it may ask as its guardian."""
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
        )
        if person is AskingPerson.CHILD
        else _(
            "The telephony provider keeps the date, the numbers and the length of calls and texts."
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
                paper.work, AuditLog.CALLER_NUMBER_OPENED, str(call.id), reason=READ_BECAUSE
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
        await _say_answers(paper, call, block)
        blocks.append(block)
    return blocks


async def _say_answers(paper: Paper, call: Call, block: Block) -> None:
    """Say what a child answered by key. It is part of what was told: no other person has it."""
    if paper.person is not AskingPerson.CHILD:
        return
    asked = [
        one
        for one in await questions.questions_of(paper.work, call.id)
        if one.answer_sealed is not None and one.code in QUESTIONS
    ]
    if not asked or await by_hidden_reporter(paper.work, call.id):
        return
    await write_reading(paper.work, AuditLog.CALL_RECORD_READ, str(call.id), reason=READ_BECAUSE)
    for one in asked:
        answer = questions.answer_of(paper.work, one)
        block.say(said(QUESTIONS[one.code].words), code_words(answer or ""))


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
        # Its kind and its reason may be about the child: no other person reads them.
        of_child = paper.person is AskingPerson.CHILD
        block.say(_("Flag"), code_words(flag.kind) if of_child else "")
        block.say(_("Until"), paper.at(flag.lifted_at or flag.expires_at))
        if of_child:
            block.say(_("Why"), await _reason_of(paper, flag), marked=True)
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


async def _reason_of(paper: Paper, flag: CallerFlag) -> str:
    subject = f"data_request:{paper.request_id}"
    flags_read = AuditLog.CALLER_FLAGS_READ
    await write_reading(paper.work, flags_read, subject, flag=str(flag.id), reason=READ_BECAUSE)
    reason = paper.work.keys.open(
        flag.reason_sealed, table="caller_flags", column="reason_sealed", row=flag.id
    )
    return reason.decode()


async def _profiles(paper: Paper, shown: dict[ItemKind, list[UUID]]) -> list[Block]:
    # Only those of its contacts that are shown are counted.
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


async def _at_provider(
    paper: Paper, sought: Sought, items: list[RequestItem]
) -> tuple[str, list[Block]]:
    """Say when there was what only the provider has, for the child alone.

    If a call of the number is left out by now, or is of a reporter who is hidden, it may be another
    person's: only what belongs to a call that is shown is said.
    """
    copies = sorted(sought.provider.get("copies", []), key=lambda one: one[1])
    title = _("What only the telephony provider has")
    if paper.person is not AskingPerson.CHILD or not copies:
        return title, []
    calls = {one.subject_id: one.keep for one in items if one.kind == ItemKind.CALL}
    free = [id_ for id_, keep in calls.items() if keep is None]
    own = await calls_at_provider(paper.work, free)
    hidden = [id_ for id_ in free if await by_hidden_reporter(paper.work, id_)]
    every = len(free) == len(calls) and not hidden
    blocks = {kind: Block(said(COPY_WORDS[kind])) for kind in CopyKind}
    for kind, at, of_call in copies:
        if every or of_call in own:
            block = blocks[CopyKind(kind)]
            block.say(str(len(block.lines) + 1), paper.at(datetime.fromisoformat(at)))
    return title, [block for block in blocks.values() if block.lines]


# -- who read, and what is left out --------------------------------------------------------------


async def count_log(paper: Paper, shown: dict[ItemKind, list[UUID]]) -> tuple[str, list[Block]]:
    """Count what staff did with the rows: what and when, and never who.

    For the child alone: that a number was flagged, or a record held, tells others too much.
    """
    if paper.person is not AskingPerson.CHILD:
        return "", []
    subjects = [
        *(str(id_) for id_ in shown[ItemKind.CALL]),
        *(f"{kind.value}:{id_}" for kind in RECORDS for id_ in shown[kind]),
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

    A guardian, or another caller from the same phone, is not even told that it exists.
    """
    block = Block(_("Not shown"))
    for kind in ItemKind if paper.person is AskingPerson.CHILD else ():
        for keep in Keep:
            count = len([one for one in items if one.kind == kind and one.keep == keep])
            if count:
                block.say(said(ITEM_WORDS[kind]), f"{count}: {said(KEEP_WORDS[keep])}")
    return _("What is left out"), [block] if block.lines else []
