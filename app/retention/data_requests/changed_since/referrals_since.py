"""Referrals that were opened since a search: the officer has not seen them, so they are kept."""

from sqlalchemy import or_, select

from app.referrals.models import Referral
from app.retention.data_requests.changed_since.listed import Listed
from app.retention.data_requests.kinds import Because, ItemKind, Keep
from app.retention.data_requests.models import DataRequest, RequestItem
from app.work import Work


async def list_referrals(work: Work, request: DataRequest, listed: Listed) -> list[Referral]:
    """List the referrals of what is listed that were opened since, as kept, and return them.

    So they are counted. One that is listed already is not returned again.
    """
    ids = {kind: [row.subject_id for row in rows] for kind, rows in listed.items()}
    rows = await work.session.scalars(
        select(Referral).where(
            or_(
                Referral.contact_id.in_(ids[ItemKind.CONTACT]),
                Referral.case_id.in_(ids[ItemKind.CASE]),
                Referral.call_id.in_(ids[ItemKind.CALL]),
            ),
            Referral.opened_at > request.began_at,
            Referral.erased_at.is_(None),
            Referral.id.not_in(ids[ItemKind.REFERRAL]),
        )
    )
    found = list(rows)
    for one in found:
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
    await work.session.flush()
    return found
