"""Referrals that were opened since a search: the officer has not seen them, so they are kept."""

from typing import Any

from sqlalchemy import or_, select

from app.referrals.models import Referral
from app.retention.data_requests.changed_since.listed import Listed
from app.retention.data_requests.kinds import Because, ItemKind, Keep
from app.retention.data_requests.models import DataRequest, RequestItem
from app.work import Work


async def list_referrals(work: Work, request: DataRequest, listed: Listed) -> list[Referral]:
    """List the referrals of what is listed that were opened since, as kept, and return them.

    So they are counted. One that was listed so before is returned again.
    """
    rows = {row.subject_id: row for row in listed[ItemKind.REFERRAL]}
    # How many children a row tells of is kept for what the search lists.
    searched = {id_ for id_, row in rows.items() if row.children is not None}
    opened_since = _of(listed) & (Referral.opened_at > request.began_at)
    found = await work.session.scalars(
        select(Referral).where(
            or_(opened_since, _of(_followed(listed))),
            Referral.erased_at.is_(None),
            Referral.id.not_in(searched),
        )
    )
    since = list(found)
    for one in since:
        if one.id in rows:
            continue
        row = RequestItem(
            request_id=request.id,
            kind=ItemKind.REFERRAL.value,
            subject_id=one.id,
            because=Because.CONTACT.value,
            label=one.code,
            at=one.opened_at,
            keep=Keep.ANOTHER_PERSON.value,
        )
        work.session.add(row)
        listed[ItemKind.REFERRAL].append(row)
    await work.session.flush()
    return since


def _of(listed: Listed) -> Any:
    ids = {kind: [row.subject_id for row in rows] for kind, rows in listed.items()}
    return or_(
        Referral.contact_id.in_(ids[ItemKind.CONTACT]),
        Referral.case_id.in_(ids[ItemKind.CASE]),
        Referral.call_id.in_(ids[ItemKind.CALL]),
    )


def _followed(listed: Listed) -> Listed:
    """Return the rows of which the search has listed every referral that it could read then.

    One that was committed only after it may have been opened before. What is erased again from a
    list has no label: the officer may have kept a referral of it, which the list does not name.
    """
    followed: Listed = {kind: [] for kind in ItemKind}
    for kind in (ItemKind.CONTACT, ItemKind.CASE):
        followed[kind] = [row for row in listed[kind] if row.label]
    # Calls in which we rang back are added last, and are not followed.
    before = (Because.NUMBER, Because.CONTACT)
    followed[ItemKind.CALL] = [row for row in listed[ItemKind.CALL] if row.because in before]
    return followed
