"""Which telephones and e-mail addresses an account has and had.

Those of before are kept as keyed hashes: when its person leaves, they are found in the directory
and at lines also by a number that was taken out of the account earlier. A second telephone counts
once it was proven: its person enters it alone, and could enter that of the house.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Select, exists, func, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from app.privacy.hash_kinds import HashOf
from app.staff import phone_proofs
from app.staff.models import EndpointKind, FormerAddress, Staff
from app.work import Work


def _form(address: str) -> str:
    return address.strip().lower()


async def present(work: Work, staff: Staff) -> set[str]:
    """Return the telephones and the e-mail address that an account has now."""
    rung = staff.endpoint if staff.endpoint_kind == EndpointKind.PHONE else None
    second = staff.second_phone
    if second is not None and not await phone_proofs.is_proven(work, staff):
        second = None
    return {_form(one) for one in (rung, second, staff.email) if one}


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
    former, now = await _stored(work, staff), await present(work, staff)
    made = work.keys.match_keys_all([(HashOf.STAFF_ADDRESS, _form(one)) for one in listed])
    return {
        one
        for one, keys in zip(listed, made, strict=True)
        if _form(one) in now or not former.isdisjoint(keys)
    }


async def theirs(work: Work, staff: Staff, addresses: Collection[str]) -> set[str]:
    """Return which of several addresses are or were those of an account, and of no active
    colleague: theirs is an address of their account, and a telephone that they have proven."""
    found = await which_of(work, staff, addresses)
    return {one for one in found if not await _is_of_another(work, staff, one)}


async def _is_of_another(work: Work, staff: Staff, address: str) -> bool:
    if "@" not in address:
        return await phone_proofs.is_proven_by_any(work, address, but=staff)
    another = exists().where(
        Staff.active, Staff.id != staff.id, func.lower(Staff.email) == address.lower()
    )
    return bool(await work.session.scalar(select(another)))


async def of_leavers(work: Work, addresses: Collection[str]) -> dict[UUID, set[str]]:
    """Return which of several telephones and addresses are those of people who have left, by the
    inactive account."""
    made = work.keys.match_keys_all(
        [(HashOf.STAFF_ADDRESS, _form(one)) for one in sorted(addresses)]
    )
    keys = [key for keys in made for key in keys]
    rows = await work.session.scalars(
        select(Staff).where(~Staff.active, Staff.id.in_(_with_one_of(keys))).order_by(Staff.id)
    )
    found = {staff.id: await theirs(work, staff, addresses) for staff in rows.all()}
    return {staff_id: some for staff_id, some in found.items() if some}


def _with_one_of(keys: list[bytes]) -> Select[UUID]:
    return select(FormerAddress.staff_id).where(FormerAddress.address_key.in_(keys))
