"""The written confirmation of a referral as a PDF, with only what the agency's service needs."""

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.calls.lines.finding_lines import line_or_any
from app.calls.models import Call
from app.contacts.models import RecordEvent
from app.errors import Conflict
from app.paper import print_page
from app.referrals.channels.links import gets_codes, send_links
from app.referrals.channels.registry import writing_to
from app.referrals.consent.rules import ConsentKind
from app.referrals.deadlines import tracking
from app.referrals.directory.models import Agency
from app.referrals.disclosures import disclose, in_sections
from app.referrals.log_kinds import LogKind
from app.referrals.models import Consent, Recipient, Referral
from app.referrals.opening.siblings import siblings_of
from app.referrals.replies import details
from app.referrals.replies.replying import lock_recipient
from app.referrals.scopes import lock_own
from app.referrals.services import asked_by
from app.referrals.spoken import basis_words, language_for, service_words, urgency_words
from app.referrals.states import OVER, DeadlineKind, Purpose, ReferralState, ToldHow
from app.referrals.trail import By, Via, note
from app.staff.accounts import names_of
from app.staff.models import Staff
from app.words import days, direction, letters
from app.work import Work

_TEMPLATE = Path(__file__).parent / "data" / "referral.typ"


async def confirm_in_writing(
    work: Work, staff: Staff, referral_id: UUID, *, on_paper: bool
) -> bytes:
    """Print the form in the agency's language, and stop the deadline for it.

    With `on_paper` our staff hand it over; otherwise the agency gets a link to it.

    Raises NotFound, Conflict, NotConsented.
    """
    referral = await lock_own(work, staff, referral_id)
    if ReferralState(referral.state) in OVER:
        raise Conflict("This referral is over: nothing is told any more.")
    if referral.recipient_id is None:
        raise Conflict("No agency has this referral now. Send it to an agency first.")
    recipient = await lock_recipient(work, referral, referral.recipient_id)
    agency = await work.session.get(Agency, recipient.agency_id)
    assert agency is not None
    if not (on_paper or writing_to(agency)):
        raise Conflict("The agency has no address for messages. Hand the form over on paper.")
    if not (on_paper or gets_codes(work, agency)):
        raise Conflict(
            "The agency could not open the form, because no code goes by phone here. Hand the "
            "form over on paper."
        )
    how = ToldHow.WRITTEN_FORM_ON_PAPER if on_paper else ToldHow.WRITTEN_FORM
    page = await _page(work, referral, agency, recipient, how)
    if on_paper:
        await details.note_opened(work, referral, recipient, ToldHow.ON_PAPER)
    referral.written_at = referral.written_at or work.now
    await tracking.stop(work, referral, DeadlineKind.WRITTEN)
    if not on_paper:
        lives = tracking.protocol_of(work, referral).link_lives
        await send_links(work, referral, agency, recipient.id, lives=lives, purpose=Purpose.LINK)
    note(
        work,
        referral,
        LogKind.WRITTEN_FORM,
        By(Via.BY_HAND, agency.code),
        on_paper=on_paper,
        fields=len(page["fields"]),
    )
    return await print_page(_TEMPLATE, page)


async def print_for_agency(
    work: Work, referral: Referral, agency: Agency, recipient: Recipient
) -> bytes:
    """Print the form for an agency that entered the code of its link. Raises NotConsented."""
    how = ToldHow.WRITTEN_FORM_BY_LINK
    return await print_page(_TEMPLATE, await _page(work, referral, agency, recipient, how))


async def _page(
    work: Work, referral: Referral, agency: Agency, recipient: Recipient, how: ToldHow
) -> dict[str, Any]:
    language = language_for(agency.languages)
    words = dict(letters(language, "referral_form"))
    zone = ZoneInfo(agency.timezone)
    answers = await disclose(work, referral, agency, recipient, how)

    def at(moment: Any) -> str:
        return days.moment(moment, language, zone, named=True) if moment else "–"

    ground = await work.session.scalar(
        select(Consent)
        .where(Consent.referral_id == referral.id)
        .order_by(Consent.number.desc())
        .limit(1)
    )
    basis = ground.basis if ground is not None and ground.basis else ConsentKind.CONSENT
    call = await work.session.get(Call, referral.call_id) if referral.call_id else None
    line = await line_or_any(work, call.line_id if call else None)
    owner = await names_of(work, {referral.owner_id})
    others = [one.code for one in await siblings_of(work, referral)]
    head = [
        (words["to"], agency.name),
        (words["from"], line.name if line else words["helpline"]),
        (words["by"], owner.get(referral.owner_id, "–")),
        (words["reach"], line.number if line else "–"),
        *([(words["with"], ", ".join(others))] if others else []),
        (words["urgency"], urgency_words(language, referral.urgency)),
        (words["service"], service_words(language, asked_by(work, referral).service)),
        (words["opened"], at(referral.opened_at)),
        (words["acknowledged"], at(recipient.acknowledged_at)),
        (words["ground"], basis_words(language, basis)),
    ]
    due = (await tracking.deadlines_of(work, [referral.id])).get(referral.id, [])
    head += [(words["due"].format(what=words[c.kind]), at(c.due_at)) for c in due]
    words["confidential"] = words["confidential"].format(agency=agency.name)
    words["printed"] = words["printed"].format(at=at(work.now))
    return {
        "title": words["title"].format(code=referral.code),
        "words": words,
        "direction": direction(language),
        "head": [{"label": label, "value": value} for label, value in head],
        "sections": in_sections(work, referral, answers, language),
        "agreed": await _agreed(work, referral, agency, at),
        "fields": list(answers),
    }


async def _agreed(work: Work, referral: Referral, agency: Agency, at: Any) -> list[dict[str, str]]:
    """Return what was agreed with this agency by phone."""
    rows = await work.session.scalars(
        select(RecordEvent)
        .where(
            RecordEvent.subject_id == referral.id,
            RecordEvent.kind == LogKind.HANDED_OVER,
            RecordEvent.detail["agency"].astext == agency.code,
        )
        .order_by(RecordEvent.id)
    )
    found = []
    for row in rows:
        if row.words_sealed is not None and row.words_id is not None:
            words = work.keys.open(
                row.words_sealed, table="record_events", column="words_sealed", row=row.words_id
            )
            agreed_at = row.detail.get("agreed_at")
            when = datetime.fromisoformat(agreed_at) if agreed_at else row.at
            found.append({"at": at(when), "words": words.decode()})
    return found
