"""The list of what a request erases, kept outside the database before the rows go.

It is written twice: with all that is to go before the first row does, so that a crash cannot lose
it, and with what has gone before the request is done. What was held in between is not in it.
"""

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import select

from app.log import log
from app.retention.data_requests.kinds import RequestKind, RequestState
from app.retention.data_requests.models import DataRequest, RequestItem
from app.work import Ground, Work

if TYPE_CHECKING:
    from app.safekeeping.erasures import Erased

# The columns of a request that a list keeps for the receipt.
RECEIPT = ("person", "basis", "identity", "asked_role", "decided_role")
MOMENTS = ("began_at", "asked_at", "decided_at")


class ListNotWritten(OSError):
    """The list could not be written; nothing more is erased, and the job tries again."""


async def keep_list(work: Work, request_id: UUID, *, whole: bool) -> None:
    """Write the list of a request that is being carried out, if there is a folder for lists.

    `whole`: everything is erased, and only that is listed; the same transaction ends the request.
    The folder must be the one that was prepared: else its disk is away, and what is written beneath
    its place is hidden when the disk is back. The request stays locked meanwhile: of two jobs that
    carry it out, the slower one cannot write what it has read before the other one ended. Raises
    ListNotWritten, OSError.
    """
    if work.ground.settings.erasure_folder is None:
        return
    # Loaded where it is needed: pages do without the encryption.
    from app.safekeeping import erasure_folder

    await work.session.get(DataRequest, request_id, with_for_update=True)
    erased = await list_of(work, request_id, whole=whole)
    if erased is not None:
        marker = await erasure_folder.known_to(work)
        await asyncio.to_thread(_write, work.ground, erased, marker)


async def is_first(work: Work) -> bool:
    """Return whether nothing was erased by a request yet."""
    done = select(DataRequest.id).where(
        DataRequest.kind == RequestKind.ERASURE, DataRequest.state == RequestState.DONE
    )
    begun = select(RequestItem.request_id).where(RequestItem.erased_at.is_not(None))
    return await work.session.scalar(select(done.exists() | begun.exists())) is False


def _write(ground: Ground, erased: "Erased", marker: UUID | None) -> None:
    from app.safekeeping import erasure_folder, erasures
    from app.safekeeping.backups import sealing
    from app.safekeeping.backups.places import BackupRefused

    folder = ground.settings.erasure_folder
    assert folder is not None
    try:
        recipients = sealing.recipients_of(ground.settings.backup_recipients)
        erasure_folder.check(folder, marker)
        erasures.write(folder, recipients, ground.keys, erased)
    except BackupRefused as error:
        raise ListNotWritten(str(error)) from None


async def list_of(work: Work, request_id: UUID, *, whole: bool) -> "Erased | None":
    """Return the list of an approved request: what is to go, or with `whole` what has gone."""
    from app.safekeeping import erasures

    request = await work.session.get(DataRequest, request_id)
    if request is None or request.state != RequestState.APPROVED:
        return None
    assert request.decided_at is not None
    items = select(RequestItem).where(
        RequestItem.request_id == request_id,
        RequestItem.erased_at.is_not(None) if whole else RequestItem.keep.is_(None),
    )
    rows: dict[str, list[str]] = {}
    for item in await work.session.scalars(items):
        rows.setdefault(item.kind, []).append(str(item.subject_id))
    moments = {name: getattr(request, name) for name in MOMENTS}
    return erasures.Erased(
        erasures.Head(request.id, request.code, work.now, whole, request.decided_at),
        {name: getattr(request, name) for name in RECEIPT}
        | {name: at.isoformat() if at else None for name, at in moments.items()},
        rows,
    )


async def forget_lists(ground: Ground) -> int:
    """Delete the lists that no restore can need any more. Return how many."""
    if ground.settings.erasure_folder is None:
        return 0
    from app.safekeeping import erasures

    try:
        return await asyncio.to_thread(erasures.forget, ground.settings, ground.clock.now())
    except OSError as error:
        # The folder is away: the next night looks again.
        log().warning(
            "lists of what was erased were not looked at", area="retention", cause=error.strerror
        )
        return 0
