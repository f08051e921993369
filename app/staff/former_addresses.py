"""Which phones and e-mail addresses an account has and had.

Earlier ones are kept as keyed hashes: when its person leaves, they are found in the directory
and at lines also by a number that was taken out of the account earlier. A second phone counts
once it was proven: its person enters it alone, and could enter the helpline's own.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Uuid, column, exists, func, or_, select, table
from sqlalchemy.dialects.postgresql import insert as pg_insert

from app.abilities import EndpointKind
from app.privacy.hash_kinds import HashOf
from app.staff import phone_proofs
from app.staff.models import FormerAddress, Staff
from app.work import Work

# Of `app/people/provider/rows.py`, which builds on this folder.
_IDENTITIES = table(
    "staff_identities", column("staff_id", Uuid()), column("lost_at"), column("left_at")
)
# A person who left after that was unlinked from the provider: if they come back, nothing of it
# counts.
_LOST = select(_IDENTITIES.c.staff_id).where(
    _IDENTITIES.c.lost_at.is_not(None), _IDENTITIES.c.left_at.is_(None)
)


def _form(address: str) -> str:
    return address.strip().lower()


async def present(work: Work, staff: Staff) -> set[str]:
    """Return the phones and the e-mail address that an account has now, without a second
    phone that was only entered."""
    rung = staff.endpoint if staff.endpoint_kind == EndpointKind.PHONE else None
    second = staff.second_phone if await entered_only(work, staff) is None else None
    return {_form(one) for one in (rung, second, staff.email) if one}


async def entered_only(work: Work, staff: Staff) -> str | None:
    """Return the second phone of an account, if it was never proven."""
    if staff.second_phone is None or await phone_proofs.is_proven(work, staff):
        return None
    return staff.second_phone


async def note_all(work: Work, staff: Staff) -> None:
    """Note all that an account has. May run twice."""
    await note(work, staff, await present(work, staff))
    await note(work, staff, [await entered_only(work, staff)], proven=False)


async def note(
    work: Work, staff: Staff, addresses: Collection[str | None], *, proven: bool = True
) -> None:
    """Note what an account has, or had until now. May run twice.

    While the hashes are rotated one that is stored in the earlier form is not written again.
    """
    forms = sorted({_form(one) for one in addresses if one})
    if not forms:
        return
    stored = await _stored(work, staff, proven=proven)
    made = work.keys.match_keys_all([(HashOf.STAFF_ADDRESS, one) for one in forms])
    rows = [
        {"staff_id": staff.id, "address_key": keys[0], "proven": proven}
        for keys in made
        if stored.isdisjoint(keys)
    ]
    if rows:
        written = pg_insert(FormerAddress).values(rows)
        # One that was proven once stays so.
        await work.session.execute(
            written.on_conflict_do_update(
                index_elements=["staff_id", "address_key"],
                set_={"proven": FormerAddress.proven | written.excluded.proven},
            )
        )


async def _stored(work: Work, staff: Staff, *, proven: bool = True) -> set[bytes]:
    """Return the hashes of what an account had; with `proven` false also of what was only
    entered."""
    listed = select(FormerAddress.address_key).where(FormerAddress.staff_id == staff.id)
    rows = await work.session.scalars(listed.where(FormerAddress.proven) if proven else listed)
    return set(rows)


async def perhaps_of(work: Work, staff: Staff, addresses: Collection[str]) -> set[str]:
    """Return which of several phones an account had as a second one that was never proven."""
    listed = sorted(addresses)
    stored, now = await _stored(work, staff, proven=False), await entered_only(work, staff)
    made = work.keys.match_keys_all([(HashOf.STAFF_ADDRESS, _form(one)) for one in listed])
    found = {
        one
        for one, keys in zip(listed, made, strict=True)
        if one == now or not stored.isdisjoint(keys)
    }
    return found - await which_of(work, staff, found)


async def perhaps_theirs(work: Work, staff: Staff, addresses: Collection[str]) -> set[str]:
    """Return which of several phones an account had as a second one that was never proven, and
    that no active colleague has proven."""
    return {
        one
        for one in await perhaps_of(work, staff, addresses)
        if not await phone_proofs.is_proven_by_any(work, one, but=staff)
    }


async def which_of(work: Work, staff: Staff, addresses: Collection[str]) -> set[str]:
    """Return which of several phones and addresses an account has or had."""
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
    colleague: theirs is an address of their account, and a phone that they have proven."""
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
    """Return which of several phones and addresses are those of people who have left, by their
    account: an inactive one, or one to which the provider gives no role any more."""
    people = await _leavers_with(work, addresses, proven=True)
    found = {staff.id: await theirs(work, staff, addresses) for staff in people}
    return {staff_id: some for staff_id, some in found.items() if some}


async def perhaps_of_leavers(work: Work, addresses: Collection[str]) -> dict[UUID, set[str]]:
    """Return which of several phones people who have left had entered as a second one and never
    proved, by their account."""
    people = await _leavers_with(work, addresses, proven=False)
    found = {staff.id: await perhaps_theirs(work, staff, addresses) for staff in people}
    return {staff_id: some for staff_id, some in found.items() if some}


async def _leavers_with(work: Work, addresses: Collection[str], *, proven: bool) -> list[Staff]:
    """Return who has left and had one of several phones and addresses."""
    made = work.keys.match_keys_all(
        [(HashOf.STAFF_ADDRESS, _form(one)) for one in sorted(addresses)]
    )
    had = select(FormerAddress.staff_id).where(
        FormerAddress.proven == proven,
        FormerAddress.address_key.in_([key for keys in made for key in keys]),
    )
    gone = or_(~Staff.active, Staff.id.in_(_LOST))
    rows = await work.session.scalars(
        select(Staff).where(gone, Staff.id.in_(had)).order_by(Staff.id)
    )
    return list(rows)
