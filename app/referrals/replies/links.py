"""Links for agencies without an account: a single-use link, and a code sent by another channel.

Opening a link changes nothing, so that a mail scanner may follow it. Taking a step uses the link
up and returns the link for the next step. The child's details are shown only after the code was
entered, if consent holds at that moment, and each time is recorded.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Select, select

from app.contacts.models import RecordEvent
from app.definitions.answers import Answers
from app.definitions.risk import Urgency
from app.errors import Conflict, Invalid, NotFound, Refusal
from app.outbox.channels import ChannelKind
from app.privacy.hash_kinds import HashOf
from app.referrals.channels.links import (
    MOST_ATTEMPTS,
    add_link,
    has_code,
    may_carry_code,
    send_links,
    way_of_code,
)
from app.referrals.channels.models import Link
from app.referrals.deadlines import tracking
from app.referrals.directory.agencies import agency_of_code
from app.referrals.directory.models import Agency
from app.referrals.disclosures import disclose
from app.referrals.log_kinds import LogKind
from app.referrals.models import Deadline, Dispatch, Recipient, Referral
from app.referrals.replies import details, outreach, replying
from app.referrals.scopes import lock_referral
from app.referrals.services import asked_by_all
from app.referrals.spoken import english, language_for, refusal
from app.referrals.states import (
    HELD,
    OVER,
    DispatchState,
    Purpose,
    ReferralOutcome,
    ReferralState,
    RejectionReason,
    ToldBesides,
    ToldHow,
)
from app.referrals.trail import By, Via, note
from app.words import SOURCE
from app.work import Work

# How many browser proofs one cookie holds: of several referrals at once.
_MOST_PROOFS = 8


class LinkUsed(Refusal):
    status = 410
    letter = "link_used"
    default = english(letter)


class LinkExpired(Refusal):
    status = 410
    letter = "link_expired"
    default = english(letter)


class NoSuchLink(NotFound):
    letter = "no_such_link"
    default = english(letter)


class CodeNeeded(Conflict):
    letter = "code_needed"
    default = english(letter)


@dataclass
class Visit:
    """What a person who opens a link sees."""

    link: Link
    referral: Referral
    agency: Agency
    recipient: Recipient | None
    steps: list[str]
    deadlines: list[Deadline]
    # What the referral asks for.
    service: str
    proven: bool
    # Whether a code opens the details; if none does, the agency rings the helpline.
    has_code: bool = True
    # Whether one can be asked for, and whether the code that was sent for this link counts no more,
    # so that one is asked for first if one can be had.
    can_ask: bool = False
    code_is_over: bool = False
    # Whether wrong codes locked this link, and a new one takes the code that counts.
    needs_link: bool = False
    # Why the link offers no step any more; None while it does.
    over: Refusal | None = None
    answers: Answers = field(default_factory=dict)
    dispatches: list[Dispatch] = field(default_factory=list)
    place: dict[UUID, str] = field(default_factory=dict)
    talk: list[tuple[str, datetime, str]] = field(default_factory=list)

    @property
    def to_staff(self) -> bool:
        return self.recipient is None


def _keys(work: Work, token: str) -> list[bytes]:
    if not 10 <= len(token) <= 64 or not token.isascii():
        raise NoSuchLink()
    return work.keys.match_keys(HashOf.LINK, token)


async def _find(work: Work, token: str) -> Link:
    link = await work.session.scalar(select(Link).where(Link.token_key.in_(_keys(work, token))))
    if link is None:
        raise NoSuchLink()
    return link


async def standing_of(work: Work, token: str) -> tuple[Urgency | None, Refusal | None]:
    """Return how urgent the referral of a link is, None if there is no such link; and why the link
    opens nothing, None if it does. Raises NoSuchLink for what cannot be one."""
    found = await work.session.execute(
        select(Referral.urgency, Link.used_at, Link.expires_at)
        .join(Link, Link.referral_id == Referral.id)
        .where(Link.token_key.in_(_keys(work, token)))
    )
    if (row := found.one_or_none()) is None:
        return None, NoSuchLink()
    return Urgency(row.urgency), _why_closed(work, row.used_at, row.expires_at)


async def language_of(work: Work, token: str, otherwise: str = SOURCE) -> str:
    """Return the language of the agency that a link is for; `otherwise` if there is no link."""
    try:
        link = await _find(work, token)
    except NoSuchLink:
        return otherwise
    agency = await work.session.get(Agency, link.agency_id)
    return language_for(list(agency.languages)) if agency is not None else otherwise


async def visit(work: Work, token: str, proof: str = "") -> Visit:
    """Return what a link leads to; this changes nothing.

    `proof` is what the browser got when the code was entered in it. Raises NoSuchLink, LinkUsed,
    LinkExpired.
    """
    link = await _find(work, token)
    check_usable(work, link)
    referral = await work.session.get(Referral, link.referral_id)
    agency = await work.session.get(Agency, link.agency_id)
    assert referral is not None
    assert agency is not None
    recipient = await work.session.get(Recipient, link.recipient_id) if link.recipient_id else None
    found = Visit(
        link,
        referral,
        agency,
        recipient,
        _steps(referral, recipient),
        (await tracking.deadlines_of(work, [referral.id])).get(referral.id, []),
        asked_by_all(work, [referral])[0].service,
        proven=_is_proven(work, link, proof),
        code_is_over=not has_code(work, link),
    )
    if not found.steps:
        found.over = _why_over(referral, recipient)
    elif not found.proven:
        found.can_ask = await way_of_code(work, agency, link) is not None
        if not found.can_ask:
            await _without_another(work, found)
    if not found.has_code:
        # No code can be had here. The team's progress needs none; its destination does.
        found.dispatches = await _dispatches(work, recipient)
    return found


async def _without_another(work: Work, found: Visit) -> None:
    """Find out what opens the details at a link for which no other code can be asked for."""
    counts = not found.code_is_over or await _takes_code(work, found.link)
    is_locked = found.link.code_attempts >= MOST_ATTEMPTS
    found.code_is_over, found.needs_link = False, is_locked and counts
    # In an immediate referral the code may be too long to be guessed: it is taken even if locked.
    found.has_code = counts and (not is_locked or found.referral.urgency == Urgency.IMMEDIATE)


async def _takes_code(work: Work, link: Link) -> bool:
    """Return whether the code of another link may be entered at one that has none."""
    same = Link.recipient_id == link.recipient_id, Link.sent_to == link.sent_to
    others = await work.session.scalars(select(Link).where(*same, Link.code_until > work.now))
    return any(has_code(work, one) for one in others)


async def _dispatches(work: Work, recipient: Recipient | None) -> list[Dispatch]:
    if recipient is None:
        return []
    rows = await work.session.scalars(
        select(Dispatch)
        .where(Dispatch.recipient_id == recipient.id)
        .order_by(Dispatch.asked_at.desc())
    )
    return list(rows)


def _is_proven(work: Work, link: Link, proof: str) -> bool:
    """Return whether the code was entered in this browser lately; the address alone is no proof.
    Where no code goes by a channel, one that did proves nothing any more."""
    if not may_carry_code(work, link.proof_channel or link.code_channel):
        return False
    if link.proven_until is None or link.proven_until <= work.now or link.proof_key is None:
        return False
    return any(
        work.keys.is_match(HashOf.LINK_PROOF, one, link.proof_key) for one in _proofs_in(proof)
    )


def _proofs_in(kept: str) -> list[str]:
    """Return the proofs that a browser keeps, the latest first."""
    return [one for one in kept.split(".", _MOST_PROOFS)[:_MOST_PROOFS] if 10 <= len(one) <= 64]


def keep_proof(proof: str, kept: str) -> str:
    """Return what a browser keeps from now on: a new proof, and those that it has."""
    return ".".join([proof, *_proofs_in(kept)][:_MOST_PROOFS])


def check_usable(work: Work, link: Link) -> None:
    """Refuse a link that is over. Raises LinkUsed, LinkExpired."""
    if (closed := _why_closed(work, link.used_at, link.expires_at)) is not None:
        raise closed


def _why_closed(work: Work, used_at: datetime | None, expires_at: datetime) -> Refusal | None:
    if used_at is not None:
        return LinkUsed()
    return LinkExpired() if expires_at <= work.now else None


def _steps(referral: Referral, recipient: Recipient | None) -> list[str]:
    """Return the steps that a link offers now."""
    state = ReferralState(referral.state)
    if recipient is None:
        return [] if state in (*OVER, *HELD, ReferralState.COMPLETED) else ["acknowledge"]
    if replying.too_late(referral, recipient) is not None:
        return []
    steps = ["reject", "progress", "complete", "ask"]
    if recipient.accepted_at is None or referral.recipient_id != recipient.id:
        steps.insert(0, "accept")
    if state not in HELD or referral.held_by_staff:
        steps.insert(0, "acknowledge")
    return steps


def _why_over(referral: Referral, recipient: Recipient | None) -> Refusal:
    """Return why a link offers no step any more."""
    if referral.state == ReferralState.CONSENT_WITHDRAWN:
        return refusal(Conflict, "consent_withdrawn")
    if referral.state == ReferralState.RECALLED:
        return refusal(Conflict, "recalled")
    if referral.state == ReferralState.CLOSED:
        return replying.Over()
    if recipient is None and referral.held_by_staff:
        return refusal(Conflict, "held_by_staff")
    found = replying.too_late(referral, recipient) if recipient is not None else None
    return found if found is not None else replying.TakenByAnother()


async def read_details(work: Work, found: Visit) -> Visit:
    """Open the child's details after the code was entered; the disclosure is recorded by field.

    Raises CodeNeeded, NotConsented.
    """
    if not found.proven or found.to_staff or found.over:
        raise CodeNeeded()
    assert found.recipient is not None
    await lock_referral(work, found.referral.id)
    found.dispatches = await _dispatches(work, found.recipient)
    besides: tuple[str, ...] = (ToldBesides.TEAM_PLACE,) if found.dispatches else ()
    if await _has_answers(work, found):
        besides = (*besides, ToldBesides.ANSWERS)
    found.answers = await disclose(
        work,
        found.referral,
        found.agency,
        found.recipient,
        ToldHow.by_link(found.link.channel),
        besides=besides,
    )
    for one in found.dispatches:
        found.place[one.id] = work.keys.open(
            one.place_sealed, table="dispatches", column="place_sealed", row=one.id
        ).decode()
    found.talk = await _talk_of(work, found)
    how = ToldHow.by_link(found.link.channel)
    await details.note_opened(work, found.referral, found.recipient, how)
    return found


async def more_written(work: Work, found: Visit) -> bool:
    """Return whether answers that this agency is told were written since it last read them."""
    if found.recipient is None:
        return False
    return await details.more_written(work, found.referral, found.agency, found.recipient)


def _talk(found: Visit) -> Select[RecordEvent]:
    return (
        select(RecordEvent)
        .where(
            RecordEvent.subject_id == found.referral.id,
            RecordEvent.kind.in_((LogKind.QUESTION, LogKind.ANSWER)),
            RecordEvent.detail["agency"].astext == found.agency.code,
        )
        .order_by(RecordEvent.id)
    )


async def _has_answers(work: Work, found: Visit) -> bool:
    rows = (await work.session.scalars(_talk(found))).all()
    return any(row.kind == LogKind.ANSWER for row in rows)


async def _talk_of(work: Work, found: Visit) -> list[tuple[str, datetime, str]]:
    """Return the questions of this agency and our answers."""
    rows = await work.session.scalars(_talk(found))
    said = []
    for row in rows:
        if row.words_sealed is not None and row.words_id is not None:
            words = work.keys.open(
                row.words_sealed, table="record_events", column="words_sealed", row=row.words_id
            )
            said.append((row.kind, row.at, words.decode()))
    return said


async def locked(work: Work, token: str) -> tuple[Link, Referral, Agency, Recipient | None]:
    """Lock the referral, then the link, so that a step is taken only once. Raises as `visit`."""
    link = await _find(work, token)
    referral = await lock_referral(work, link.referral_id)
    await work.session.refresh(link, with_for_update=True)
    agency = await work.session.get(Agency, link.agency_id)
    assert agency is not None
    recipient = None
    if link.recipient_id is not None:
        recipient = await replying.lock_recipient(work, referral, link.recipient_id)
    return link, referral, agency, recipient


# -- steps -------------------------------------------------------------------------------------


class StepByLink(StrEnum):
    """What a person at an agency can do with a link: stored with the link that it uses up."""

    ACKNOWLEDGE = "acknowledge"
    ACCEPT = "accept"
    REJECT = "reject"
    PROGRESS = "progress"
    COMPLETE = "complete"
    ASK = "ask"
    DISPATCH = "dispatch"


def read_step(kind: str) -> StepByLink:
    """Return the step of a form. Raises Invalid."""
    if kind not in set(StepByLink):
        raise refusal(Invalid, "no_such_step")
    return StepByLink(kind)


@dataclass(frozen=True)
class Step:
    """What a person at an agency does with a link."""

    kind: StepByLink
    name: str = ""
    words: str = ""
    reason: str = ""
    outcome: str = ""
    seen_at: datetime | None = None
    dispatch_id: UUID | None = None
    to: str = ""
    result: str = ""


async def take_step(work: Work, token: str, step: Step) -> str:
    """Take one step and use the link up; return the token of the next link.

    Raises NoSuchLink, LinkUsed, LinkExpired, Invalid, Over, TakenByAnother.
    """
    link, referral, agency, recipient = await locked(work, token)
    check_usable(work, link)
    _check_words(step)
    by = By(Via.LINK, agency.code, step.name.strip())
    if not by.name:
        raise refusal(Invalid, "no_name")
    await _do(work, referral, recipient, step, by)
    link.used_at, link.used_for = work.now, step.kind.value
    lives = tracking.protocol_of(work, referral).link_lives
    channel = ChannelKind(link.channel)
    following, fresh = add_link(work, referral, agency.id, link.recipient_id, channel, lives=lives)
    # The proof holds for the next link, too, and so does a code that was not used yet.
    following.proven_until, following.proof_key = link.proven_until, link.proof_key
    following.proof_channel = link.proof_channel
    following.code_attempts = link.code_attempts
    following.code_key, following.code_channel = link.code_key, link.code_channel
    following.code_of, following.code_until = link.code_of, link.code_until
    following.sent_to, following.code_sent_to = link.sent_to, link.code_sent_to
    return fresh


def _check_words(step: Step) -> None:
    for text in (step.name, step.words):
        if len(text) > 4000 or "\x00" in text:
            raise refusal(Invalid, "too_long")


async def _do(
    work: Work,
    referral: Referral,
    recipient: Recipient | None,
    step: Step,
    by: By,
) -> None:
    if recipient is None:
        if step.kind is not StepByLink.ACKNOWLEDGE:
            raise refusal(Invalid, "sign_in")
        await replying.acknowledge_by_staff(work, referral, by)
        return
    match step.kind:
        case StepByLink.ACKNOWLEDGE:
            await replying.acknowledge(work, referral, recipient, by, words=step.words)
        case StepByLink.ACCEPT:
            await replying.accept(work, referral, recipient, by)
        case StepByLink.REJECT:
            if step.reason not in set(RejectionReason):
                raise refusal(Invalid, "no_reason")
            await replying.reject(
                work, referral, recipient, RejectionReason(step.reason), by, words=step.words
            )
        case StepByLink.PROGRESS:
            await replying.progress(
                work, referral, recipient, by, seen_at=step.seen_at, words=step.words
            )
        case StepByLink.COMPLETE:
            if step.outcome not in set(ReferralOutcome):
                raise refusal(Invalid, "no_outcome")
            await replying.complete(
                work, referral, recipient, ReferralOutcome(step.outcome), by, words=step.words
            )
        case StepByLink.ASK:
            await replying.ask(work, referral, recipient, step.words, by)
        case StepByLink.DISPATCH if replying.too_late(referral, recipient) is None:
            if step.dispatch_id is None or step.to not in set(DispatchState):
                raise refusal(Invalid, "no_team_state")
            await outreach.move_dispatch(
                work,
                referral,
                step.dispatch_id,
                DispatchState(step.to),
                by,
                of=recipient,
                result=step.result or None,
                words=step.words,
            )
        case _:
            raise refusal(Invalid, "no_such_step")


async def answer_question(
    work: Work, referral: Referral, agency_code: str, words: str, by: By
) -> None:
    """Answer an agency's question; the agency reads it after the code, and it is never mailed.

    Raises Invalid, NotFound.
    """
    if not words.strip():
        raise Invalid("Write the answer.")
    agency = await agency_of_code(work, agency_code)
    recipients = await recipient_to(work, referral, agency)
    note(work, referral, LogKind.ANSWER, By(by.how, agency.code), words=words)
    lives = tracking.protocol_of(work, referral).link_lives
    await send_links(work, referral, agency, recipients.id, lives=lives, purpose=Purpose.ANSWER)
    details.tell_to_ring(work, referral, agency)


async def recipient_to(work: Work, referral: Referral, agency: Agency) -> Recipient:
    """Return the latest recipient row of an agency. Raises NotFound if it was not asked."""
    found = await work.session.scalar(
        select(Recipient)
        .where(Recipient.referral_id == referral.id, Recipient.agency_id == agency.id)
        .order_by(Recipient.number.desc())
        .limit(1)
    )
    if found is None:
        raise NotFound(
            "%(agency)s was not asked. Send the referral there first.", agency=agency.name
        )
    return found
