"""What a request looked for: sealed, and forgotten when the request is over."""

import json
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from app.contacts.models import Contact
from app.errors import KeptByNewerVersion
from app.retention.data_requests.models import DataRequest
from app.retention.data_requests.same_children import Written
from app.work import Work

# Each version has kept these.
_ALWAYS = frozenset({"numbers", "codes"})


class Sought(NamedTuple):
    """What was looked for.

    If it is to say more, or a part of it shall mean something else, give that a name of its own:
    while a server is updated, the former version reads it, too, and refuses what it does not know.
    """

    numbers: list[str]
    codes: list[str]
    # The entries of the child who asks, as they were then, by the code of the record.
    entries: dict[str, list[str]] = {}  # noqa: RUF012
    # Which children the records told of then.
    children: Written = {}  # noqa: RUF012
    # The rows that might have been another person's then: the officer has looked at each.
    marked: list[str] = []  # noqa: RUF012
    # In which profile each contact was then.
    profiles: dict[str, str] = {}  # noqa: RUF012
    # The contacts that were in none.
    without_profile: list[str] = []  # noqa: RUF012
    # The rows that had changed when it was to be carried out: it was given back for them.
    changed: list[str] = []  # noqa: RUF012
    # What the telephony provider has that no row here is about, once it was asked for a report: by
    # `copies`, of each its kind, its instant and the call that it is of, which may be empty.
    provider: dict[str, list[list[str]]] = {}  # noqa: RUF012


async def profiles_now(work: Work, ids: Iterable[UUID]) -> dict[str, str]:
    """Return in which profile each of these contacts is, by their ids."""
    rows = await work.session.execute(
        select(Contact.id, Contact.profile_id).where(
            Contact.id.in_(ids), Contact.profile_id.is_not(None)
        )
    )
    return {str(id_): str(profile) for id_, profile in rows}


def changed_of(work: Work, request: DataRequest) -> set[UUID]:
    """Return the rows that had changed since the search when the request was given back."""
    return {UUID(one) for one in sought_of(work, request).changed}


def seal_sought(work: Work, request_id: UUID, sought: Sought) -> bytes:
    """Return what was looked for, sealed.

    A part that says nothing is left out: a version that does not know the part reads it, too.
    """
    kept = {part: said for part, said in sought._asdict().items() if said or part in _ALWAYS}
    body = json.dumps(kept).encode()
    return work.keys.seal(body, table="data_requests", column="sought_sealed", row=request_id)


def sought_of(work: Work, request: DataRequest) -> Sought:
    """Return what was looked for; nothing when the request is over.

    Without a part that a newer version has kept, more would be shown or erased than was asked, or
    less; and it would be lost where numbers are added. Raises KeptByNewerVersion.
    """
    if request.sought_sealed is None:
        return Sought([], [])
    body = work.keys.open(
        request.sought_sealed, table="data_requests", column="sought_sealed", row=request.id
    )
    kept = json.loads(body)
    if not (isinstance(kept, dict) and _ALWAYS <= kept.keys() <= set(Sought._fields)):
        raise KeptByNewerVersion
    return Sought(**kept)
