"""Disclosures: an agency is told what its service needs, and each field is recorded."""

from typing import Any

from sqlalchemy import select

from app.contacts.cases.printing import in_words
from app.contacts.records import Opened
from app.contacts.registry import sheet_of
from app.contacts.special_codes import codes_read
from app.definitions.answers import Answers
from app.definitions.forms import Meaning
from app.definitions.trees import label_in
from app.referrals.consent.consenting import given_of
from app.referrals.consent.rules import Addressee, fields_for, ground_for
from app.referrals.deadlines import tracking
from app.referrals.directory.models import Agency
from app.referrals.models import Disclosure, Recipient, Referral
from app.referrals.services import asked_by
from app.referrals.states import ToldHow
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.work import Work

# What names a child; left out where a code is used instead of the name.
_BY_NAME: tuple[Meaning, ...] = ("child_name", "identifier")
# Channels that send the same content again until it arrives.
MACHINES = (ToldHow.MACHINE, ToldHow.PRIMERO)


def addressee_of(agency: Agency) -> Addressee:
    return Addressee(agency.code, agency.sector, frozenset(agency.services))


async def needed_by(work: Work, referral: Referral, agency: Agency) -> list[str]:
    """Return the answered and confirmed questions that this agency's service needs."""
    protocol = tracking.protocol_of(work, referral)
    asked = asked_by(work, referral)
    service = asked.service
    if service not in agency.services:
        # The agency is asked before placement, or as the deputy of another one.
        service = next((s for s in asked.first if s in agency.services), service)
    sheet = sheet_of(work, referral)
    there = await codes_read(work, referral)
    shown = [q.path for q in sheet.asked(there) if q.shown and q.path in there]
    told = fields_for(protocol.disclosed_to(service), shown)
    if there.get(sheet.form.path_of("confidential") or "") == "yes":
        named = {path for m in _BY_NAME for path in sheet.form.paths_of(m, None)}
        must = fields_for(protocol.must_know(service), shown)
        told = [path for path in told if path not in named or path in must]
    return [path for path in told if path not in referral.to_confirm]


async def disclose(
    work: Work,
    referral: Referral,
    agency: Agency,
    recipient: Recipient | None,
    how: ToldHow,
    *,
    besides: tuple[str, ...] = (),
) -> Answers:
    """Return the answers that an agency is told, after recording the disclosure field by field.

    `besides` names what is told besides the form. Raises NotConsented, and then nothing is told.
    """
    given = await given_of(work, referral)
    ground = ground_for(given, addressee_of(agency))
    fields = await needed_by(work, referral, agency)
    told = Disclosure(
        referral_id=referral.id,
        recipient_id=recipient.id if recipient else None,
        agency_id=agency.id,
        at=work.now,
        how=how.value,
        ground=ground.stored(),
        fields=[*fields, *map(str, besides)],
        staff_id=work.actor.staff_id,
    )
    if how not in MACHINES or not await _is_same_again(work, told):
        await write_reading(
            work, AuditLog.REFERRAL_DISCLOSED, f"referral:{referral.id}", to=agency.code
        )
        work.session.add(told)
        await work.session.flush()
    opened = Opened(work, referral)
    return {path: value for path in fields if (value := opened.answer(path)) is not None}


async def _is_same_again(work: Work, told: Disclosure) -> bool:
    """Return whether a machine is sent the same as last time: that is one disclosure."""
    last = await work.session.scalar(
        select(Disclosure)
        .where(Disclosure.recipient_id == told.recipient_id, Disclosure.how == told.how)
        .order_by(Disclosure.id.desc())
        .limit(1)
    )
    return last is not None and (last.ground, last.fields) == (told.ground, told.fields)


def in_sections(
    work: Work, referral: Referral, answers: Answers, language: str
) -> list[dict[str, Any]]:
    """Return disclosed answers as people read them, by section."""
    sheet = sheet_of(work, referral)
    found = []
    for section in sheet.form.sections:
        lines = [
            {
                "label": label_in(field.label, language),
                "value": in_words(sheet, field, answers[f"{section.code}.{field.code}"], language),
            }
            for field in section.fields
            if f"{section.code}.{field.code}" in answers
        ]
        if lines:
            found.append({"title": label_in(section.title, language), "lines": lines})
    return found


async def disclosures_of(work: Work, referral: Referral) -> list[tuple[Disclosure, str]]:
    """Return all disclosures of a referral, with the agency's name, oldest first."""
    rows = await work.session.execute(
        select(Disclosure, Agency.name)
        .join(Agency, Agency.id == Disclosure.agency_id)
        .where(Disclosure.referral_id == referral.id)
        .order_by(Disclosure.id)
    )
    return [(row, name) for row, name in rows]
