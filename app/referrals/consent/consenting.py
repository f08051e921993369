"""Consent to a referral, overrides of it, and its withdrawal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.dialects.postgresql import distinct_on

from app.contacts.consent.said import wish_in_words
from app.contacts.consent.same_child import ChildOf, records_of_child
from app.contacts.models import Case, Contact
from app.contacts.registry import sheet_of
from app.definitions.forms import Meaning
from app.errors import Conflict, Invalid, Message
from app.privacy.keys import CannotOpen
from app.referrals.consent.grounds import Basis
from app.referrals.consent.rules import ConsentKind, Given, GivenBy, How, Scope
from app.referrals.deadlines import tracking
from app.referrals.directory.models import Agency
from app.referrals.log_kinds import LogKind
from app.referrals.models import Consent, Referral
from app.referrals.services import for_what, open_services, seal_for_what
from app.referrals.states import NoticeKind, Sector
from app.referrals.trail import PROGRAM_ITSELF, By, add_notice, note
from app.work import Work

# The question of a contact that holds the consent for each scope.
SCOPES: dict[Scope, Meaning] = {
    Scope.SERVICES: "consent_services",
    Scope.AUTHORITIES: "consent_authorities",
}


@dataclass(frozen=True)
class Agreed:
    """Consent: given by whom and how, for which scope, and withheld from whom."""

    given_by: GivenBy
    how: How
    scope: tuple[Scope, ...]
    # Sectors or codes of agencies.
    withheld_from: tuple[str, ...] = ()
    # Services; empty: for the service of the referral.
    for_what: tuple[str, ...] = ()
    words: str = ""


@dataclass(frozen=True)
class Override:
    """An override of consent: on which ground, why, and whether the child knows."""

    basis: Basis
    reason: str
    child_told: bool | None = None
    # Sectors or codes of agencies that are told although the consent excludes them.
    despite: tuple[str, ...] = ()
    # The writer has read the contact's own words about who must not be told.
    wish_read: bool = False


class WishNotRead(Conflict):
    default = (
        "The contact says in words who must not be told. Read that in the contact; then name these "
        "agencies, or confirm that none of them is told."
    )


def child_of(referral: Referral) -> ChildOf | None:
    """Return the child of a referral in the record from which the referral was made."""
    if referral.child_entry is None:
        return None
    if referral.contact_id is not None:
        return ChildOf(Contact, referral.contact_id, referral.child_entry)
    if referral.case_id is not None:
        return ChildOf(Case, referral.case_id, referral.child_entry)
    return None


async def records_of(work: Work, referral: Referral) -> list[ChildOf]:
    """Return every contact and case about the child of a referral, the referral's own first.

    Empty if the referral names no child of a record.
    """
    own = child_of(referral)
    return [own, *await records_of_child(work, own.record_id, own.entry)] if own else []


def from_record(child: ChildOf) -> ColumnElement[bool]:
    """Limit to the referrals of a child that were made from one record."""
    its = and_(Referral.contact_id.is_(None), Referral.case_id == child.record_id)
    if child.model is Contact:
        its = and_(Referral.contact_id == child.record_id)
    return and_(its, Referral.child_entry == child.entry)


async def of_same_child(work: Work, referral: Referral) -> ColumnElement[bool]:
    """Limit to the referrals of the same child, made from any of its records."""
    records = await records_of(work, referral)
    if records:
        return or_(*(from_record(child) for child in records))
    if referral.contact_id is None:
        return Referral.id == referral.id
    return and_(Referral.contact_id == referral.contact_id, Referral.child_entry.is_(None))


async def given_of(work: Work, referral: Referral) -> Given | None:
    """Return the consent, override or withdrawal that counts for a referral; None if there is none.

    Consent counts for every referral of the child to a service for which it was given, and so does
    its withdrawal. An override counts only for its own referral, until consent is given there. An
    agency that consent excludes is not told in any referral made from the child's contacts and
    cases, until a later consent for that referral no longer excludes it.
    """
    await work.session.flush()
    rows = await work.session.execute(
        select(Consent, Referral.id, Referral.services_sealed)
        .join(Referral, Referral.id == Consent.referral_id)
        .where(await of_same_child(work, referral))
        .order_by(Consent.number.desc())
    )
    given = [(consent, (row, sealed)) for consent, row, sealed in rows]
    # Its own last word, and what was said of other referrals after it.
    own = next((one for one, _ in given if one.referral_id == referral.id), None)
    later = [one for one in given if own is None or one[0].number > own.number]
    found = _of_another(work, referral, later)
    if own is not None and (found is None or own.kind == ConsentKind.OVERRIDE):
        found = own
    if found is None:
        return None
    return Given(
        ConsentKind(found.kind),
        frozenset(found.scope),
        await _withheld(work, referral),
        Basis(found.basis) if found.basis is not None else None,
        frozenset(for_what(work, found)),
        frozenset(found.despite),
        found.given_by,
    )


def _of_another(
    work: Work, referral: Referral, given: list[tuple[Consent, tuple[UUID, bytes]]]
) -> Consent | None:
    """Return the newest consent of other referrals that counts for this one, too.

    `given`: with the referral of each, and what is stored of it, the newest first.
    """
    if not given:
        return None
    rows = [row for _, row in given]
    own, *asked = open_services(
        work, [(referral.id, referral.services_sealed), *rows], [one for one, _ in given]
    )
    for (consent, _), (service, _) in zip(given, asked, strict=True):
        about_this = consent.kind == ConsentKind.WITHDRAWN or (
            # What cannot be opened is no consent to this one.
            bool(own.service) and own.service in _services(work, consent, service)
        )
        if consent.kind != ConsentKind.OVERRIDE and about_this:
            return consent
    return None


def _services(work: Work, consent: Consent, service: str) -> tuple[str, ...]:
    """Return the services that a consent to a referral for `service` is for."""
    try:
        return for_what(work, consent) or (service,)
    except CannotOpen:
        return ()


async def _withheld(work: Work, referral: Referral) -> frozenset[str]:
    """Return the sectors and codes from which it is withheld.

    This is the union over the last consent of each referral of the same contact or case, and of
    the other records of the child.
    """
    same = or_(Referral.id == referral.id, *map(from_record, await records_of(work, referral)))
    if referral.contact_id is not None:
        same = or_(same, Referral.contact_id == referral.contact_id)
    if referral.case_id is not None:
        same = or_(same, Referral.case_id == referral.case_id)
    rows = await work.session.scalars(
        select(Consent.withheld_from)
        .ext(distinct_on(Consent.referral_id))
        .join(Referral, Referral.id == Consent.referral_id)
        .where(Consent.kind == ConsentKind.CONSENT, same)
        .order_by(Consent.referral_id, Consent.number.desc())
    )
    return frozenset(code for codes in rows for code in codes)


async def basis_of(work: Work, referral: Referral) -> str | None:
    """Return the ground on which a referral is told without consent; None if it has consent."""
    given = await given_of(work, referral)
    return given.basis if given is not None and given.kind is ConsentKind.OVERRIDE else None


async def record_consent(work: Work, referral: Referral, agreed: Agreed, by: By) -> None:
    """Write down consent to a locked or new referral. Raises Invalid."""
    if not agreed.scope:
        raise Invalid("Choose for whom consent is given: services, authorities, or both.")
    await _check_named(work, agreed.withheld_from)
    write_consent(
        work,
        referral,
        ConsentKind.CONSENT,
        given_by=agreed.given_by.value,
        how=agreed.how.value,
        scope=[s.value for s in agreed.scope],
        withheld_from=list(agreed.withheld_from),
        named=agreed.for_what,
        words=agreed.words,
    )
    note(
        work,
        referral,
        LogKind.CONSENT_GIVEN,
        by,
        given_by=agreed.given_by.value,
        by_way=agreed.how.value,
        scope=[s.value for s in agreed.scope],
        withheld_from=list(agreed.withheld_from),
    )


async def _check_named(work: Work, codes: tuple[str, ...]) -> None:
    """Check that each code is a sector or the code of an agency. Raises Invalid."""
    for code in codes:
        there = select(Agency.id).where(Agency.code == code)
        if code not in set(Sector) and await work.session.scalar(there) is None:
            raise Invalid("'%(code)s' is neither a sector nor an agency's code.", code=code[:40])


async def _check_wish_read(work: Work, referral: Referral, override: Override) -> None:
    """Raises WishNotRead if the contact says in words who must not be told."""
    if override.wish_read or referral.contact_id is None:
        return
    contact = await work.session.get(Contact, referral.contact_id, populate_existing=True)
    if contact is not None and wish_in_words(contact, sheet_of(work, contact)):
        raise WishNotRead()


async def record_override(work: Work, referral: Referral, override: Override, by: By) -> None:
    """Record an override of consent, and inform a second person. Raises Invalid, WishNotRead."""
    if not override.reason.strip():
        raise Invalid("Write why the agency is told without consent.")
    allowed = tracking.protocol_of(work, referral).rule(referral.urgency).bases
    if override.basis not in allowed:
        grounds = list(allowed) or Message("none")
        raise Invalid(
            "At this urgency the protocol allows these grounds: %(grounds)s.", grounds=grounds
        )
    await _check_named(work, override.despite)
    await _check_wish_read(work, referral, override)
    write_consent(
        work,
        referral,
        ConsentKind.OVERRIDE,
        basis=override.basis.value,
        words=override.reason,
        child_told=override.child_told,
        despite=list(override.despite),
    )
    note(
        work,
        referral,
        LogKind.CONSENT_OVERRIDDEN,
        by,
        words=override.reason,
        basis=override.basis.value,
        child_told=override.child_told,
        **({"despite": list(override.despite)} if override.despite else {}),
    )
    add_notice(
        work,
        referral,
        NoticeKind.OVERRIDE,
        author=work.actor.staff_id,
        basis=override.basis.value,
        despite=list(override.despite),
    )


def write_consent(
    work: Work,
    referral: Referral,
    kind: ConsentKind,
    *,
    words: str = "",
    given_by: str | None = None,
    how: str | None = None,
    scope: list[str] | None = None,
    withheld_from: list[str] | None = None,
    named: Sequence[str] = (),
    basis: str | None = None,
    child_told: bool | None = None,
    despite: list[str] | None = None,
) -> None:
    """Add a row to the record of consent; `named`: the services for which it is given.

    Raises Invalid.
    """
    if len(words) > 4000 or "\x00" in words:
        raise Invalid("Write at most 4000 characters.")
    row_id = uuid4()
    sealed: dict[str, Any] = {}
    if words.strip():
        sealed = work.keys.seal_with_sum(
            words.strip().encode(), table="consents", column="words_sealed", row=row_id
        ).as_columns("words_sealed")
    work.session.add(
        Consent(
            id=row_id,
            referral_id=referral.id,
            at=work.now,
            staff_id=work.actor.staff_id,
            kind=kind.value,
            given_by=given_by,
            how=how,
            scope=scope or [],
            withheld_from=withheld_from or [],
            basis=basis,
            child_told=child_told,
            despite=despite or [],
            **sealed,
            **(seal_for_what(work, row_id, named) if named else {}),
        )
    )


async def override_by_protocol(work: Work, referral: Referral, basis: Basis, reason: str) -> None:
    """Record the override that the protocol gives for a danger key that no counsellor answered."""
    await record_override(work, referral, Override(basis, reason), PROGRAM_ITSELF)
