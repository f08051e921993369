"""Pictures and voice notes are fetched from their carrier, checked, kept, and deleted there."""

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import filetype
from procrastinate import JobContext

from app.calls.models import Call
from app.chats import accounts, media
from app.chats.models import MediaKind, MediaProblem, MediaState
from app.contacts.cases.details import CannotRemove, TooManyPoints, without_details
from app.contacts.cases.documents import NotAccepted, ScanFailed, scan
from app.jobs.names import Task
from app.outbox.fetching import TooLong
from app.outbox.responses import Refused, TryAgain, Uncertain
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.messaging.base import Carrier
from app.telephony.messaging.registry import carrier_of

# What is kept, told by the content.
_KINDS = {
    "image/jpeg": MediaKind.PICTURE,
    "image/png": MediaKind.PICTURE,
    "audio/ogg": MediaKind.VOICE,
}
# More points than a phone sends: unpacked, they take a browser in a talk down.
_MOST_POINTS = 50_000_000
# A carrier that does not give it out within this time does not have it.
_GIVEN_UP = timedelta(hours=6)


class _Wanted(NamedTuple):
    """What is fetched, and from where."""

    carrier: Carrier
    source: str
    account: str | None
    kind: MediaKind
    state: MediaState
    is_old: bool


class _Fetched(NamedTuple):
    """A file that can be kept."""

    content: bytes
    media_type: str
    scan: str


@task(Task.FETCH_MEDIA)
async def fetch_media(context: JobContext, media_id: str) -> None:
    """Fetch what a child sent, keep it, and delete it at the carrier. May run twice."""
    parts, row_id = parts_of(context), UUID(media_id)
    wanted = await _wanted(parts, row_id)
    if wanted is None:
        return
    if wanted.state is MediaState.WANTED:
        found = await _fetch(parts, wanted)
        async with parts.work() as work:
            if isinstance(found, MediaProblem):
                await media.refuse(work, row_id, found)
            else:
                await media.keep(work, row_id, *found)
    try:
        await wanted.carrier.drop(parts.platform, wanted.source)
    except Refused:
        # It is gone already.
        pass
    except (TryAgain, Uncertain):
        if not wanted.is_old:
            raise
    async with parts.work() as work:
        await media.forget_source(work, row_id)


async def _wanted(parts: Parts, media_id: UUID) -> _Wanted | None:
    async with parts.work() as work:
        found = await media.at_carrier(work, media_id)
        if found is None:
            return None
        row, source = found
        call = await work.session.get_one(Call, row.call_id)
        carrier, token = carrier_of(call.channel), None
        if carrier.has_accounts:
            account = await accounts.account_of(work, call.line_id, carrier.channel)
            token = accounts.token_of(work, account) if account is not None else None
        old = work.now - row.at > _GIVEN_UP
        return _Wanted(carrier, source, token, MediaKind(row.kind), MediaState(row.state), old)


async def _fetch(parts: Parts, wanted: _Wanted) -> _Fetched | MediaProblem:
    """Return a file as it is kept, or why it is not. Raises TryAgain, Uncertain."""
    settings = parts.ground.settings
    most = settings.document_megabytes * 1024 * 1024
    try:
        content = await wanted.carrier.fetch(parts.platform, wanted.source, wanted.account, most)
    except TooLong:
        return MediaProblem.TOO_LARGE
    except Refused:
        return MediaProblem.GONE
    except (TryAgain, Uncertain):
        if wanted.is_old:
            return MediaProblem.GONE
        raise
    found = filetype.guess(content)
    media_type = found.mime if found is not None else ""
    if _KINDS.get(media_type) is not wanted.kind:
        return MediaProblem.UNKNOWN_KIND
    try:
        scanned = await scan(settings.scanner, content)
        cleaned = await without_details(parts.ground, content, media_type, _MOST_POINTS)
    except NotAccepted:
        return MediaProblem.HARMFUL
    except TooManyPoints:
        return MediaProblem.TOO_LARGE
    except CannotRemove:
        return MediaProblem.NOT_CLEANED
    except ScanFailed:
        # Nothing unscanned is kept: it is tried until the scanner works.
        raise TryAgain("the scanner does not work", after=10) from None
    return _Fetched(cleaned, media_type, scanned)
