"""Anchoring the logs outside: once a day the heads of all chains leave the database.

A person who can write to the database could remove the end of a log, or write a whole chain anew;
what was sent away before shows it. The ways are settings: a file outside `DATA_DIR`, mail, and a
time stamp of an authority (RFC 3161). Each is tried by itself until it is done.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from app.calls.lines import finding_lines
from app.database.topics import Topic
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.log import log
from app.outbox.mail import send_mail
from app.outbox.responses import Refused, TryAgain, Uncertain
from app.safekeeping.documents import Document, Heads, line_of_time_stamp, read, written
from app.safekeeping.models import Anchor, AnchorDelivery, Way
from app.settings import Settings
from app.staff.log_checks.chains import CHAINS
from app.staff.log_rows import LogBeginning
from app.work import PROGRAM, Ground, Work

# The hour of the helpline's day from which the anchor is made; if no worker runs then, later.
FROM_HOUR = 1
# An anchor is late when none went out by a way for this long.
LATE = timedelta(hours=30)
# Numbers before the last anchor that are looked at again: their rows may have been on the way.
_OVERLAP = 1000
# Before the first anchor, chains that end further back are counted and not named.
_FIRST = 10_000


def ways_of(settings: Settings) -> list[Way]:
    """Return the ways that are set up."""
    chosen = {
        Way.TIME_STAMP: settings.anchor_time_stamp_url,
        Way.FILE: settings.anchor_path,
        Way.MAIL: settings.anchor_addresses,
    }
    return [way for way, value in chosen.items() if value]


async def make_anchor(work: Work) -> UUID | None:
    """Make the anchor of this day and have it sent, once, however many workers look.

    Return its id; None if it is too early, is there already, or has no way to go.
    """
    ways = ways_of(work.settings)
    if not ways:
        return None
    line = await finding_lines.any_line(work)
    local = work.now.astimezone(ZoneInfo(line.timezone if line else "UTC"))
    if local.hour < FROM_HOUR:
        return None
    day = local.date()
    if await work.session.scalar(select(Anchor.id).where(Anchor.made_on == day)):
        return None
    anchor_id = uuid4()
    document = await _document(work)
    made = await work.session.scalar(
        insert(Anchor)
        .values(
            id=anchor_id,
            made_on=day,
            made_at=work.now,
            document=document.text,
            digest=document.digest,
        )
        .on_conflict_do_nothing(index_elements=["made_on"])
        .returning(Anchor.id)
    )
    if made is None:
        return None
    for way in ways:
        work.session.add(AnchorDelivery(anchor_id=anchor_id, way=way.value))
        work.defer(Task.DELIVER_ANCHOR, anchor_id=str(anchor_id), way=way.value)
    await work.session.flush()
    work.announce(Topic.LOG)
    return anchor_id


async def ask_today(ground: Ground) -> None:
    """Make the anchor of this day if it is time for it."""
    if not ways_of(ground.settings):
        return
    async with transaction(ground, PROGRAM, long=True) as work:
        await make_anchor(work)


async def _document(work: Work) -> Document:
    before = await work.session.scalar(select(Anchor).order_by(Anchor.made_at.desc()).limit(1))
    known = read(before.document).documents[0].logs if before is not None else {}
    heads = {name: await _heads(work, name, known.get(name)) for name in CHAINS}
    digest = before.digest if before is not None else None
    return written(work.now.isoformat(), digest, heads)


async def _heads(work: Work, name: str, before: Heads | None) -> Heads:
    """Return what an anchor says of a log: the last row of each chain that has grown."""
    row = (
        await work.session.execute(text(f"SELECT count(*), coalesce(max(id), 0) FROM {name}"))
    ).one()
    entries, newest = int(row[0]), int(row[1])
    # Those count that a rule has erased since: what is missing is known by the number of all.
    erased = select(func.coalesce(func.sum(LogBeginning.rows), 0)).where(LogBeginning.log == name)
    entries += int(await work.session.scalar(erased) or 0)
    since = before.newest - _OVERLAP if before is not None else newest - _FIRST
    chain = CHAINS[name]
    distinct, order = (f"DISTINCT ON ({chain})", f"{chain}, id DESC") if chain else ("", "id DESC")
    rows = await work.session.execute(
        text(
            f"SELECT {distinct} id, encode(hash, 'hex') FROM {name} "
            f"WHERE id > :since AND id <= :newest ORDER BY {order} {'' if chain else 'LIMIT 1'}"
        ),
        {"since": since, "newest": newest},
    )
    return Heads(entries, newest, {int(number): str(hash_) for number, hash_ in rows})


# -- the ways ----------------------------------------------------------------------------------


class CannotDeliver(TryAgain):
    """An anchor did not go out; its job tries again. The text is short and holds no address."""


async def deliver(ground: Ground, anchor_id: UUID, way: Way) -> None:
    """Send an anchor by one way. May run twice: a file and a mailbox may then hold it twice.

    Raises CannotDeliver.
    """
    async with transaction(ground, PROGRAM) as work:
        anchor = await work.session.get_one(Anchor, anchor_id)
        delivery = await work.session.get_one(AnchorDelivery, (anchor_id, way.value))
        if delivery.done_at is not None or way not in ways_of(work.settings):
            return
    problem, proof = None, None
    try:
        proof = await _WAYS[way](ground, anchor)
    except (OSError, TryAgain, Refused, Uncertain, ValueError) as error:
        problem = type(error).__name__ if isinstance(error, OSError) else str(error)[:80]
    async with transaction(ground, PROGRAM) as work:
        delivery = await work.session.get_one(AnchorDelivery, (anchor_id, way.value))
        delivery.problem = problem
        if problem is None:
            delivery.done_at, delivery.proof = work.now, proof
        work.announce(Topic.LOG)
    if problem is not None:
        log().warning("an anchor did not go out", area="safekeeping", where=way, cause=problem)
        raise CannotDeliver(problem)


async def _to_file(ground: Ground, anchor: Anchor) -> None:
    path = ground.settings.anchor_path
    assert path is not None
    await asyncio.to_thread(_append, path, anchor.document)


def _append(path: Path, line: str) -> None:
    """Append a line and see to it that it is on the disk."""
    with open(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644), "ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":
                # A machine that stopped has cut a line: the next one is whole again.
                line = f"\n{line}"
        file.write(f"{line}\n".encode())
        file.flush()
        os.fsync(file.fileno())


async def _by_mail(ground: Ground, anchor: Anchor) -> None:
    if ground.settings.smtp_url is None:
        raise Refused("HELPLINE_SMTP_URL is not set")
    # Read by a program and by people of several institutions: in English.
    day = anchor.made_on.isoformat()
    body = (
        f"The anchor of the helpline's logs of {day} is attached. Keep this message: with it,\n"
        "helpline audit verify --anchor FILE says later whether entries are missing or altered.\n"
        "It holds numbers and checksums, and nothing about any person.\n\n"
        f"SHA-256 of the attached line: {anchor.digest}\n"
    )
    for address in ground.settings.anchor_addresses:
        await send_mail(
            ground,
            address,
            f"Helpline: anchor of the logs, {day}",
            body,
            message_id=uuid5(anchor.id, address),
            attached=(f"anchor-{day}.json", f"{anchor.document}\n".encode()),
        )


async def _by_time_stamp(ground: Ground, anchor: Anchor) -> bytes:
    # Loaded where it is needed: pages show anchors without it.
    from app.safekeeping.time_stamps import stamp

    proof = await stamp(ground.settings, anchor.document.encode())
    if ground.settings.anchor_path is not None:
        line = line_of_time_stamp(anchor.digest, proof)
        await asyncio.to_thread(_append, ground.settings.anchor_path, line)
    return proof


_WAYS: dict[Way, Callable[[Ground, Anchor], Awaitable[bytes | None]]] = {
    Way.FILE: _to_file,
    Way.MAIL: _by_mail,
    Way.TIME_STAMP: _by_time_stamp,
}


# -- what a page shows -------------------------------------------------------------------------


class WayState(NamedTuple):
    """When an anchor last went out by a way, and whether that is too long ago."""

    way: Way
    done_at: datetime | None
    problem: str | None
    late: bool


async def states(work: Work) -> list[WayState]:
    """Return each way that is set up, with its last anchor."""
    found: list[WayState] = []
    if not ways_of(work.settings):
        return found
    first = await work.session.scalar(select(func.min(Anchor.made_at)))
    for way in ways_of(work.settings):
        done = await work.session.scalar(
            select(func.max(AnchorDelivery.done_at)).where(AnchorDelivery.way == way.value)
        )
        problem = await work.session.scalar(
            select(AnchorDelivery.problem)
            .join(Anchor, Anchor.id == AnchorDelivery.anchor_id)
            .where(AnchorDelivery.way == way.value)
            .order_by(Anchor.made_at.desc())
            .limit(1)
        )
        since = done or first
        found.append(WayState(way, done, problem, since is not None and work.now - since > LATE))
    return found
