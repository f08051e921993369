"""Which telephones and e-mail addresses an account has and had.

Those of before are kept as keyed hashes: when its person leaves, they are found in the directory
and at lines also by a number that was taken out of the account earlier.
"""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from app.privacy.hash_kinds import HashOf
from app.staff.models import EndpointKind, FormerAddress, Staff
from app.work import Work


def _form(address: str) -> str:
    return address.strip().lower()


def present(staff: Staff) -> set[str]:
    """Return the telephones and the e-mail address that an account has now."""
    rung = staff.endpoint if staff.endpoint_kind == EndpointKind.PHONE else None
    return {_form(one) for one in (rung, staff.second_phone, staff.email) if one}


async def note(work: Work, staff: Staff, addresses: Collection[str | None]) -> None:
    """Note what an account has, or had until now. May run twice.

    While the hashes are rotated one that is stored in the earlier form is not written again.
    """
    forms = sorted({_form(one) for one in addresses if one})
    if not forms:
        return
    stored = await _stored(work, staff)
    made = work.keys.match_keys_all([(HashOf.STAFF_ADDRESS, one) for one in forms])
    rows = [
        {"staff_id": staff.id, "address_key": keys[0]} for keys in made if stored.isdisjoint(keys)
    ]
    if rows:
        await work.session.execute(pg_insert(FormerAddress).values(rows).on_conflict_do_nothing())


async def _stored(work: Work, staff: Staff) -> set[bytes]:
    rows = await work.session.scalars(
        select(FormerAddress.address_key).where(FormerAddress.staff_id == staff.id)
    )
    return set(rows)


async def which_of(work: Work, staff: Staff, addresses: Collection[str]) -> set[str]:
    """Return which of several telephones and addresses an account has or had."""
    listed = sorted(addresses)
    if not listed:
        return set()
    former, now = await _stored(work, staff), present(staff)
    made = work.keys.match_keys_all([(HashOf.STAFF_ADDRESS, _form(one)) for one in listed])
    return {
        one
        for one, keys in zip(listed, made, strict=True)
        if _form(one) in now or not former.isdisjoint(keys)
    }
