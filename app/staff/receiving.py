"""Who can get work: an account that is active, and stays so until the work is theirs.

A leaver hands over what they hold by then, so work that is given to a person at the same time
must be seen by that, or be refused. Both lock the account: the giver shares the lock, and should
take it before that of a record, as a leaver does. A verb that only adds rows shares a lock of
the transaction instead, which writes nothing to the account's row.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Uuid, bindparam, func, literal_column, select

from app.database.quick import Question
from app.errors import NotAllowed
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work


class AccountEnded(NotAllowed):
    default = "This account has been deactivated. A colleague goes on with its work."


# It shares the lock first, and then looks: it sees what a leaver has committed by then.
_RECEIVES = Question(
    select(literal_column("1")).where(
        func.receives_work(
            bindparam("staff_id", type_=Uuid()), bindparam("number", type_=BigInteger())
        )
    )
)


def _number(staff_id: UUID) -> int:
    """Return the number of an account's lock: the random half of its id."""
    return int.from_bytes(staff_id.bytes[8:], signed=True)


async def lock_out_givers(work: Work, people: Collection[UUID]) -> None:
    """Wait for those who share the lock of these accounts to give them work, and keep others out
    until the end of the transaction. The rows of the accounts are locked before."""
    for staff_id in sorted(people):
        await work.session.execute(select(func.pg_advisory_xact_lock(_number(staff_id))))


async def receiver(work: Work, *which: ColumnElement[bool], waits: bool = True) -> Staff | None:
    """Return an active account, which stays active until the end of the transaction.

    None if there is none; without `waits` also if the account is being changed right now. A verb
    that holds the lock of a call does not wait: a person who leaves waits for that lock.
    """
    found: Staff | None = await work.session.scalar(
        select(Staff)
        .where(Staff.active, *which)
        .with_for_update(read=True, skip_locked=not waits)
        .execution_options(populate_existing=True)
    )
    return found


async def receiver_by_id(work: Work, staff_id: UUID, *, waits: bool = True) -> Staff | None:
    """Return an account if it is active, which it stays until the end of the transaction; see
    `receiver`."""
    return await receiver(work, Staff.id == staff_id, waits=waits)


async def is_here(work: Work, staff_id: UUID) -> bool:
    """Return whether an account is active, for a row that says what its person did. Never waits.

    It stays active until the end of the transaction, unless it is being changed right now: an edit
    of a name does not take away what the person did.
    """
    if await receiver_by_id(work, staff_id, waits=False) is not None:
        return True
    return bool(await work.session.scalar(select(Staff.active).where(Staff.id == staff_id)))


def check_receives_later(work: Work, staff: Staff) -> None:
    """Check at the end that a person who takes work has not left meanwhile; AccountEnded is raised
    there. For a verb that only adds rows: it locks no record before."""
    work.check_later(_RECEIVES, AccountEnded, staff_id=staff.id, number=_number(staff.id))


async def check_still_may(work: Work, staff_id: UUID, permission: Permission | None) -> None:
    """Check that a person who makes what ends with their account, or with their role, has not lost
    it meanwhile; it stays so until the end of the transaction. Raises NotAllowed."""
    found = await receiver_by_id(work, staff_id)
    if found is None:
        raise AccountEnded()
    if permission is not None and not may(found.role, permission):
        raise NotAllowed()


async def check_receives(work: Work, staff: Staff) -> None:
    """Check that a person who takes work has not left meanwhile. Raises AccountEnded."""
    if await receiver_by_id(work, staff.id) is None:
        raise AccountEnded()
