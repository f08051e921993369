"""Records of one child in which every place holds a planted word, and the search for these words.

The verbs are those of the program, so that what they seal and copy is where it really is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from app import tables
from app.calls.models import Call, VoiceMessage
from app.contacts import completing, contacts
from app.contacts.cases import case_flags, case_requests, cases, documents, follow_ups
from app.contacts.cases.details import Details
from app.contacts.cases.models import CaseContact
from app.contacts.models import Case, Contact, Opening
from app.contacts.saving import Change, save_answers
from app.contacts.states import ContactChannel, FlagAbout, FollowUpAbout
from app.definitions.risk import Risk, Urgency
from app.jobs.transaction import flush
from app.privacy.safe import SECRETS, USED_HERE
from app.referrals.models import Disclosure, Referral
from app.referrals.replies import outreach, replying
from app.referrals.states import ReferralOutcome
from app.referrals.trail import By, Via
from app.sealing.places import sealed_places, values_of
from app.staff.models import Staff
from app.statistics.models import Export, ExportPart
from app.work import PROGRAM, Actor, ActorKind, Work
from tests.support.verbs import a_referral, a_supervisor, an_agency, recipient_of, rings

WORD = "Zlatanka"
CHILD = {
    "contact.kind": "about_child",
    "contact.headline": f"{WORD} headline",
    "contact.categories": ["V-PHYSICAL"],
    "contact.place": "RS-08",
    "contact.settlement": "rural",
    "caller.name": f"{WORD} caller",
    "caller.relationship": "neighbour",
    "child.a1": 1,
    "child.a1.name": f"{WORD} child",
    "child.a1.age": 11,
    "child.a1.gender": "girl",
    "child.a1.disability": ["none"],
    "child.a1.living": "relatives",
    "child.a1.birth_date": "2015-03-02",
    "child.a1.home_address": f"{WORD} street 5",
    "child.a1.phone": "+381641112223",
    "child.a1.incident": f"{WORD} was beaten",
    "incident.on": "2026-01-05",
    "incident.where": "own_home",
    "incident.who_name": f"{WORD} uncle",
    "wishes.safe_to_contact": "no",
    "consent.services": "yes",
    "consent.authorities": "no",
    "consent.given_by": "child",
    "actions.taken": ["listening"],
    "actions.summary": f"{WORD} whispers",
}


def as_person(work: Work, staff: Staff) -> None:
    work.actor = Actor(ActorKind.PERSON, staff.id)


def changes_of(answers: dict[str, Any]) -> list[Change]:
    return [Change(path, value, 0) for path, value in answers.items()]


async def a_contact(
    work: Work, owner: Staff, call: Call | None = None, answers: dict[str, Any] = CHILD
) -> Contact:
    """A completed contact that was reopened and completed again, with all that belongs to it."""
    as_person(work, owner)
    contact, saved = await contacts.create_contact(
        work, owner, channel=ContactChannel.EMAIL, changes=changes_of(answers)
    )
    assert saved.refused == {}, saved.refused
    await flush(work)
    if call is not None:
        await work.session.execute(
            text("UPDATE contacts SET call_id = :call WHERE id = :id"),
            {"call": call.id, "id": contact.id},
        )
    await contacts.decide_urgency(work, owner, contact.id, Urgency.URGENT, f"{WORD} reason")
    await completing.complete(work, owner, contact.id)
    await flush(work)
    found = await completing.reopen(work, owner, contact.id, f"{WORD} reopened")
    # An answer of an earlier stretch of writing is kept when it is overwritten.
    work.now += timedelta(hours=1)
    _, again = await contacts.save(
        work,
        owner,
        contact.id,
        [Change(path, f"{WORD} later", found.revision) for path in ("actions.summary",)]
        + [Change("contact.headline", f"{WORD} new headline", found.revision)],
    )
    assert again.refused == {}
    assert again.conflicts == {}
    await completing.complete(work, owner, contact.id)
    seal_row(
        work,
        Opening(
            id=uuid4(),
            staff_id=owner.id,
            contact_id=contact.id,
            team=owner.team,
            contacts=[contact.id],
            at=work.now,
            until=work.now,
        ),
        "reason_sealed",
    )
    await flush(work)
    again_read: Contact = await _again(work, Contact, contact.id)
    return again_read


def seal_row(work: Work, row: Any, column: str, value: bytes = f"{WORD} sealed".encode()) -> None:
    """Add a row with a sealed value in one of its columns."""
    sealed = work.keys.seal(value, table=row.__tablename__, column=column, row=row.id)
    setattr(row, column, sealed)
    work.session.add(row)


async def _again(work: Work, model: Any, row_id: Any) -> Any:
    return await work.session.get(model, row_id, populate_existing=True)


async def a_case(
    work: Work, boss: Staff, *linked: Contact, more: Mapping[str, Any] | None = None
) -> Case:
    """A closed case with a flag, a follow-up, a decided request, a document and notes."""
    as_person(work, boss)
    case = await cases.open_case(work, boss, [])
    for contact in linked:
        work.session.add(CaseContact(case_id=case.id, contact_id=contact.id, linked_at=work.now))
    answers = {
        "case.headline": f"{WORD} case",
        "case.place": "RS-08",
        "case.story": f"{WORD} story",
        "child.a1": 1,
        "child.a1.name": f"{WORD} child",
        "child.a1.age": 11,
        "child.a1.outcome": "home",
        "goal.a1": 1,
        "goal.a1.goal": f"{WORD} goal",
        "goal.a1.by_when": "2026-11-05",
        **(more or {}),
    }
    _, saved = await cases.save(work, boss, case.id, changes_of(answers))
    assert saved.refused == {}, saved.refused
    await cases.add_note(work, boss, case.id, f"{WORD} note")
    await cases.set_risk(work, boss, case.id, Risk.HIGH, f"{WORD} risk")
    await case_flags.raise_flag(work, boss, case.id, FlagAbout.OTHER, f"{WORD} flag", None)
    due = await cases.set_follow_up(
        work,
        boss,
        case.id,
        FollowUpAbout.INTERVENTION,
        (work.now + timedelta(days=5)).date(),
        f"{WORD} to do",
        goal="a1",
        provider=f"{WORD} provider",
    )
    await flush(work)
    result = follow_ups.results_of(due.about)[0]
    await follow_ups.finish_follow_up(work, boss, due.id, result, f"{WORD} done")
    content = f"%PDF-1.4 {WORD}".encode()
    checked = documents.Checked(
        f"{WORD}.pdf", content, "application/pdf", Details.KEEP, "not_scanned", []
    )
    await documents.add_document(work, boss, case.id, checked)
    await a_supervisor(work, f"nora {case.code}", "north")
    request = await case_requests.ask_transfer(
        work, boss, case.id, name="", team="north", reason=f"{WORD} asks"
    )
    await flush(work)
    await case_requests.take_back(work, boss, request.id)
    found = await _again(work, Case, case.id)
    await cases.apply_move(work, found, "closed", f"{WORD} closes")
    await flush(work)
    closed: Case = await _again(work, Case, case.id)
    return closed


async def an_open_referral(work: Work, owner: Staff, contact: Contact | None = None) -> Referral:
    """A referral that an agency has accepted, with a team, a question and a planted consent."""
    work.actor = PROGRAM
    await an_agency(work, "first")
    referral = await a_referral(work, owner)
    as_person(work, owner)
    if contact is not None:
        referral.contact_id = contact.id
    answers = {"child.name": f"{WORD} child", "reason.why": f"{WORD} why", "child.age": 11}
    await save_answers(work, referral, changes_of(answers))
    recipient = await recipient_of(work, referral)
    by = By(Via.BY_HAND, "first", f"{WORD} speaks")
    await replying.ask(work, referral, recipient, f"{WORD}?", by)
    await replying.accept(work, referral, recipient, by)
    await outreach.dispatch(
        work, referral, f"{WORD} street", work.now, "north", by, words=f"{WORD} team"
    )
    await flush(work)
    return referral


def a_disclosure(work: Work, referral: Referral, *fields: str) -> None:
    """Note that the agency of a referral was told these parts of it by telephone."""
    work.session.add(
        Disclosure(
            referral_id=referral.id,
            agency_id=referral.agency_id,
            at=work.now,
            how="phone",
            ground="vital_interests",
            fields=list(fields),
        )
    )


async def close_referral(work: Work, referral: Referral) -> None:
    by = By(Via.BY_HAND, "first", f"{WORD} speaks")
    recipient = await recipient_of(work, referral)
    outcome = ReferralOutcome.SAFE_AT_HOME
    await replying.complete(work, referral, recipient, outcome, by, words=f"{WORD} is safe")
    await replying.close(work, referral, f"{WORD} is closed", by)
    await flush(work)


async def a_call(work: Work, sid: str = "CA1") -> Call:
    """A call that is over, with a voice message that was heard."""
    call, _ = await rings(work, sid)
    await work.session.execute(
        text(
            "UPDATE calls SET state = 'ended', outcome = 'voicemail', ended_at = :now,"
            " messages = 1 WHERE id = :id"
        ),
        {"now": work.now, "id": call.id},
    )
    message = VoiceMessage(
        id=uuid4(),
        call_id=call.id,
        recording_sid=f"RE{sid}",
        state="imported",
        seconds=20,
        audio_type="audio/wav",
        created_at=work.now,
        heard_at=work.now,
    )
    seal_row(work, message, "audio_sealed", f"{WORD} speaks".encode())
    await flush(work)
    return call


async def a_file(work: Work) -> Export:
    """A requested file that is ready."""
    export = Export(
        id=uuid4(),
        what="calls",
        format="csv",
        begins="2026-05-01",
        ends="2026-05-02",
        options={},
        state="ready",
        personal=False,
        asked_at=work.now,
        as_of=work.now,
    )
    work.session.add(export)
    await work.session.flush()
    part = ExportPart(export_id=export.id, number=0, begins_at=0, size=8, id=uuid4())
    seal_row(work, part, "data_sealed")
    await work.session.flush()
    return export


# -- the search --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """The columns in which a planted word can be read: as it stands, or with the keys."""

    plain: set[str]
    sealed: set[str]

    @property
    def all(self) -> set[str]:
        return self.plain | self.sealed


async def planted_in(work: Work) -> Found:
    """Look for the planted word in every column of every table, sealed or not."""
    return Found(await readable_in(work, WORD), await _sealed_words(work))


async def readable_in(work: Work, word: str) -> set[str]:
    """Look for a word in every column of every table, as it stands."""
    await work.session.flush()
    found = set()
    # One statement for all tables, and one for each that has the word: most have no row.
    for name in await work.session.scalars(_TABLES_WITH, {"word": word.lower()}):
        columns = tables.metadata.tables[name].columns.keys()
        has = ", ".join(f"bool_or(strpos(lower(concat({one})), :word) > 0)" for one in columns)
        row = (
            await work.session.execute(text(f"SELECT {has} FROM {name}"), {"word": word.lower()})
        ).one()
        found |= {f"{name}.{one}" for one, there in zip(columns, row, strict=True) if there}
    return found


_TABLES_WITH = text(
    " UNION ALL ".join(
        f"SELECT '{one.name}' WHERE EXISTS"
        f" (SELECT FROM {one.name} t WHERE strpos(lower(CAST(t AS text)), :word) > 0)"
        for one in tables.metadata.sorted_tables
    )
)
_SEALED = sealed_places(tables.metadata)
_FILLED = text(
    " UNION ALL ".join(
        f"SELECT {n} WHERE EXISTS (SELECT FROM {one.table} WHERE {one.column} IS NOT NULL)"
        for n, one in enumerate(_SEALED)
    )
)


async def _sealed_words(work: Work) -> set[str]:
    found = set()
    for number in await work.session.scalars(_FILLED):
        place = _SEALED[number]
        rows = await work.session.execute(
            text(
                f"SELECT {', '.join(dict.fromkeys(place.also()))}, {place.column} AS stored "
                f"FROM {place.table} WHERE {place.column} IS NOT NULL"
            )
        )
        for row in rows.mappings():
            for path, value in values_of(place, row["stored"]).items():
                bound = place.bound_to(dict(row), path)
                if (place.table, place.column) in (SECRETS, *USED_HERE):
                    # These secrets hold no words, and are not told.
                    work.keys.check_opens(value, **bound)
                elif WORD.encode() in work.keys.open(value, **bound):
                    found.add(place.name)
    return found
