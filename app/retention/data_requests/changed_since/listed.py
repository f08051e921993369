"""The rows that a request has listed, by kind."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from app.contacts.models import Case, Contact
from app.referrals.models import Referral
from app.retention.data_requests.kinds import ItemKind
from app.retention.data_requests.models import DataRequest, RequestItem
from app.work import Work

# The kinds that are records.
RECORDS: dict[ItemKind, Any] = {
    ItemKind.REFERRAL: Referral,
    ItemKind.CASE: Case,
    ItemKind.CONTACT: Contact,
}
Rows = Iterable[RequestItem]
Listed = dict[ItemKind, list[RequestItem]]


def by_kind(items: Rows) -> Listed:
    """Return rows by their kind; each kind has a list."""
    found: Listed = {kind: [] for kind in ItemKind}
    for item in items:
        found[ItemKind(item.kind)].append(item)
    return found


async def of_request(work: Work, request: DataRequest) -> Listed:
    """Return all rows of a request, as they are in the database now."""
    rows = select(RequestItem).where(RequestItem.request_id == request.id)
    return by_kind(await work.session.scalars(rows))
