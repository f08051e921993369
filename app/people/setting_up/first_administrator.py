"""The first administrator of a helpline, proved by a code of the program.

While there is no account at all, the page `/setup` makes the first administrator. The operator who
installs the program proves it with a code, which the program says when it starts. It is made at
random once and kept sealed, so every process says and knows the same; after the first account it
opens nothing.
"""

import hmac
from uuid import UUID

from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert

from app.errors import Conflict, Invalid
from app.people import links
from app.people.changing import Changes
from app.people.setting_up.set_up_rows import SetUpCode
from app.privacy import codes
from app.privacy.keys import CannotOpen
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import Work

_LOCK = 116_121
_HAS_STAFF = "has staff"
# There is one code, so its row has a fixed id.
_CODE_ID = UUID("00000000-0000-4000-8000-000000000001")
_PLACE = {"table": "set_up_codes", "column": "code_sealed"}


class WrongCode(Invalid):
    default = (
        "This is not the code. The program says it when it starts, in its console and its log."
    )


class HasAccounts(Conflict):
    default = "There is an account already. Ask its owner for an invitation."


async def has_accounts(work: Work) -> bool:
    """Return whether there is any account."""
    kept = work.ground.kept
    if not kept.get(_HAS_STAFF):
        kept[_HAS_STAFF] = bool(await work.session.scalar(select(exists().select_from(Staff))))
    return bool(kept[_HAS_STAFF])


async def code_of(work: Work) -> str:
    """Return the code that proves who has installed the program. The first call makes it."""
    sealed = work.keys.seal(codes.new_code().encode(), row=_CODE_ID, **_PLACE)
    # Of two processes that start at once, both say the code of the first.
    await work.session.execute(
        insert(SetUpCode)
        .values(id=_CODE_ID, code_sealed=sealed, made_at=work.now)
        .on_conflict_do_nothing()
    )
    found = await work.session.scalar(select(SetUpCode.code_sealed))
    assert found is not None
    try:
        return work.keys.open(found, row=_CODE_ID, **_PLACE).decode()
    except CannotOpen:
        # The keys have changed before there was any account: another code is as good.
        await work.session.execute(delete(SetUpCode))
        return await code_of(work)


async def make_first(work: Work, code: str, name: str, email: str) -> str:
    """Make the first administrator, and return the link by which they choose a password.

    Raises WrongCode, HasAccounts, Invalid.
    """
    await work.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    if await work.session.scalar(select(exists().select_from(Staff))):
        raise HasAccounts
    right = codes.plain(await code_of(work))
    if not hmac.compare_digest(codes.plain(code).encode(), right.encode()):
        raise WrongCode
    changes = Changes(name=name, role=Role.ADMINISTRATOR, email=email.strip() or None)
    _staff, link = await links.invite(work, changes, by=None, by_mail=False)
    assert link is not None
    await work.session.execute(delete(SetUpCode))
    return link
