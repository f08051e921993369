"""Known callers: earlier calls from a number, its flags, and the counsellors its caller wants.

A number is recognised by its keyed hash only. A caller who withholds the number has no hash, and
is neither linked nor flagged. The number itself is sealed, opened only with a logged reason, and
forgotten after its retention time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import (
    BindParameter,
    LargeBinary,
    Uuid,
    bindparam,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
    update,
)

from app.calls.caller_rows import CallerFlag, CallerWish, FlagKind, WishKind
from app.calls.models import Call
from app.database.quick import Question
from app.database.topics import Topic
from app.errors import Invalid, NotAllowed, NotFound
from app.staff.audit import write_entry, write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

# The longest block that a counsellor may set; a longer one needs a supervisor. A visit of a page
# has no longer one.
_OWN_BLOCK = timedelta(hours=24)
_LONGEST = timedelta(days=400)
_LONGEST_REASON = 500


class NumberReason(StrEnum):
    """Why a number is opened: a fixed list, since a log must not say anything about a child."""

    DANGER = "danger"
    CALL_BACK = "call_back"
    BY_LAW = "by_law"
    COMPLAINT = "complaint"
    TECHNICAL = "technical"


class NoNumber(NotFound):
    default = "The caller withheld the number, or it has been deleted. Nothing can be linked to it."


def key_of(call: Call) -> bytes | None:
    """Return the hash by which the caller of a call is known again: of the number, or of the visit
    of the page. None if there is neither."""
    return call.caller_key or call.visit_key


@dataclass(frozen=True)
class KnownCaller:
    """What is known about a caller when they ring."""

    flags: frozenset[FlagKind] = frozenset()
    prefers: UUID | None = None
    never: frozenset[UUID] = frozenset()
    before: bool = False


_NOW: BindParameter[datetime] = bindparam("now")
_KEY: BindParameter[bytes] = bindparam("key", type_=LargeBinary())
# Built once: every ring runs it.
_KNOWN = union_all(
    select(
        literal("flag").label("what"),
        CallerFlag.kind.label("word"),
        cast(null(), Uuid).label("who"),
    ).where(
        CallerFlag.caller_key == _KEY, CallerFlag.lifted_at.is_(None), CallerFlag.expires_at > _NOW
    ),
    select(literal("wish"), CallerWish.wish, CallerWish.counsellor_id).where(
        CallerWish.caller_key == _KEY, CallerWish.ended_at.is_(None)
    ),
    select(literal("before"), literal(""), cast(null(), Uuid)).where(
        select(Call.id)
        .where(Call.caller_key == _KEY, Call.id != bindparam("call_id", type_=Uuid()))
        .exists()
    ),
)
_KNOWN_QUESTION = Question(_KNOWN)


async def known(work: Work, call: Call) -> KnownCaller:
    """Return what is known about the caller: nothing, if they withhold the number."""
    if call.caller_key is None:
        return KnownCaller()
    rows = [
        (row["what"], row["word"], row["who"])
        for row in await work.ground.database.quick.rows(
            _KNOWN_QUESTION, key=call.caller_key, now=work.now, call_id=call.id
        )
    ]
    prefers = [who for what, wish, who in rows if what == "wish" and wish == WishKind.PREFER]
    return KnownCaller(
        frozenset(FlagKind(kind) for what, kind, _ in rows if what == "flag"),
        prefers[-1] if prefers else None,
        frozenset(who for what, wish, who in rows if what == "wish" and wish == WishKind.NEVER),
        any(what == "before" for what, _, _ in rows),
    )


async def is_blocked(work: Work, key: bytes) -> bool:
    """Return whether a number, or the visit of a page, is blocked."""
    found = select(CallerFlag.id).where(
        CallerFlag.caller_key == key,
        CallerFlag.kind == FlagKind.BLOCKED,
        CallerFlag.lifted_at.is_(None),
        CallerFlag.expires_at > work.now,
    )
    return await work.session.scalar(found.limit(1)) is not None


@dataclass(frozen=True)
class Flag:
    """A flag as it is shown to staff who may see it."""

    id: UUID
    kind: FlagKind
    reason: str
    made_at: datetime
    expires_at: datetime
    made_by: UUID | None


@dataclass(frozen=True)
class History:
    """Earlier calls from a number: how many, the last one, and the flags in force."""

    calls: int
    last_at: datetime | None
    flags: frozenset[FlagKind]
    # The caller asks for a counsellor, or refuses one.
    has_wishes: bool = False


async def history(work: Work, call: Call) -> History:
    """Return what the counsellor who takes the call sees at once: no reasons, no contents."""
    found = await known(work, call)
    count, last = 0, None
    # Most callers ring for the first time.
    if found.before:
        count, last = (
            await work.session.execute(
                select(func.count(), func.max(Call.opened_at)).where(
                    Call.caller_key == call.caller_key, Call.opened_at < call.opened_at
                )
            )
        ).one()
    return History(count, last, found.flags, found.prefers is not None or bool(found.never))


async def flags_of(work: Work, call: Call) -> list[Flag]:
    """Return the flags in force for the caller of a readable call; the reading is logged."""
    if key_of(call) is None:
        return []
    rows = await work.session.scalars(
        select(CallerFlag)
        .where(
            CallerFlag.caller_key == key_of(call),
            CallerFlag.lifted_at.is_(None),
            CallerFlag.expires_at > work.now,
        )
        .order_by(CallerFlag.made_at)
    )
    found = list(rows)
    if found:
        await write_reading(work, AuditLog.CALLER_FLAGS_READ, str(call.id))
    return [
        Flag(
            row.id,
            FlagKind(row.kind),
            work.keys.open(
                row.reason_sealed, table="caller_flags", column="reason_sealed", row=row.id
            ).decode(),
            row.made_at,
            row.expires_at,
            row.made_by,
        )
        for row in found
    ]


async def flag_caller(
    work: Work, staff: Staff, call: Call, kind: FlagKind, reason: str, lasts: timedelta
) -> UUID:
    """Flag the caller of a readable call. The flag expires by itself.

    Raises NoNumber, Invalid, NotAllowed.
    """
    key = key_of(call)
    if key is None:
        raise NoNumber()
    reason = " ".join(reason.split())
    if not 5 <= len(reason) <= _LONGEST_REASON:
        raise Invalid("Give a reason of 5 to %(most)s characters.", most=_LONGEST_REASON)
    if not timedelta() < lasts <= _LONGEST:
        raise Invalid("A flag lasts from an hour to 400 days.")
    if call.caller_key is None and (kind is not FlagKind.BLOCKED or lasts > _OWN_BLOCK):
        raise Invalid(
            "Only this visit is known of a child who writes on the page. It can be blocked for at "
            "most 24 hours."
        )
    long = kind is FlagKind.BLOCKED and lasts > _OWN_BLOCK
    if long and not may(staff.role, Permission.SUPERVISE):
        raise NotAllowed("Only a supervisor can block a caller for more than 24 hours.")
    flag_id = uuid4()
    work.session.add(
        CallerFlag(
            id=flag_id,
            caller_key=key,
            kind=kind.value,
            reason_sealed=work.keys.seal(
                reason.encode(), table="caller_flags", column="reason_sealed", row=flag_id
            ),
            made_by=staff.id,
            made_at=work.now,
            expires_at=work.now + lasts,
        )
    )
    await work.session.flush()
    write_entry(
        work,
        AuditLog.CALLER_FLAGGED,
        str(call.id),
        kind=kind.value,
        flag=str(flag_id),
        until=(work.now + lasts).isoformat(),
    )
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id))
    return flag_id


async def lift_flag(work: Work, staff: Staff, call: Call, flag_id: UUID) -> None:
    """Lift a flag before it expires. Raises NotFound, NotAllowed."""
    flag = await work.session.get(CallerFlag, flag_id, with_for_update=True)
    if flag is None or flag.caller_key != key_of(call) or flag.lifted_at is not None:
        raise NotFound("There is no such flag, or it has already been lifted.")
    if flag.made_by != staff.id and not may(staff.role, Permission.SUPERVISE):
        raise NotAllowed("Only the person who set the flag, or a supervisor, can lift it.")
    flag.lifted_at, flag.lifted_by = work.now, staff.id
    write_entry(work, AuditLog.CALLER_FLAG_LIFTED, str(call.id), flag=str(flag_id))
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id))


async def wish(work: Work, call: Call, counsellor_id: UUID, kind: WishKind) -> None:
    """Record that the caller prefers a counsellor, or never wants them; the latest wish counts.

    Raises NoNumber.
    """
    if call.caller_key is None:
        raise NoNumber()
    mine = update(CallerWish).where(
        CallerWish.caller_key == call.caller_key, CallerWish.ended_at.is_(None)
    )
    same = CallerWish.counsellor_id == counsellor_id
    if kind is WishKind.PREFER:
        same = same | (CallerWish.wish == WishKind.PREFER.value)
    await work.session.execute(mine.where(same).values(ended_at=work.now))
    work.session.add(
        CallerWish(
            id=uuid4(),
            caller_key=call.caller_key,
            counsellor_id=counsellor_id,
            wish=kind.value,
            made_by=work.actor.staff_id,
            made_at=work.now,
        )
    )
    await work.session.flush()
    write_entry(
        work,
        AuditLog.CALLER_WISH_RECORDED,
        str(call.id),
        kind=kind.value,
        counsellor=str(counsellor_id),
    )


async def end_wishes(work: Work, call: Call) -> None:
    """End the caller's wishes: any free counsellor may take the next call."""
    await work.session.execute(
        update(CallerWish)
        .where(CallerWish.caller_key == call.caller_key, CallerWish.ended_at.is_(None))
        .values(ended_at=work.now)
    )
    write_entry(work, AuditLog.CALLER_WISHES_ENDED, str(call.id))


async def wishes_of(work: Work, call: Call) -> list[tuple[WishKind, str]]:
    """Return the wishes of the caller of a readable call, with the counsellors' names."""
    rows = await work.session.execute(
        select(CallerWish.wish, Staff.name)
        .join(Staff, Staff.id == CallerWish.counsellor_id)
        .where(CallerWish.caller_key == call.caller_key, CallerWish.ended_at.is_(None))
        .order_by(CallerWish.made_at)
    )
    return [(WishKind(kind), name) for kind, name in rows]


async def open_number(work: Work, call: Call, reason: NumberReason) -> str:
    """Open the caller's number of a readable call; the reason is logged first. Raises NoNumber."""
    if call.caller_number_sealed is None:
        raise NoNumber()
    await write_reading(work, AuditLog.CALLER_NUMBER_OPENED, str(call.id), reason=reason.value)
    return work.keys.open(
        call.caller_number_sealed, table="calls", column="caller_number_sealed", row=call.id
    ).decode()
