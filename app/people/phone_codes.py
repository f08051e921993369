"""Codes by which the phone of an account is proven: an administrator makes them for others."""

from uuid import UUID

from app.people import changing
from app.people.approval.asking import AccessWanted, hold_back
from app.staff import phone_proofs
from app.staff.models import AccessKind, Staff
from app.staff.telling import Told, tell_owner
from app.work import Work


async def make(work: Work, person_id: UUID, *, by: Staff | None) -> tuple[str, bool]:
    """Make a single-use code for a person, which is shown only now. Return it, and whether it opens
    nothing before a second person has approved it: the code of a person who learns of children may
    wait, since it decides where calls and alarms ring. Raises NotFound, Conflict;
    OnlyAPin if no code counts by phone.
    """
    if not work.settings.codes_by_telephone:
        raise phone_proofs.OnlyAPin()
    staff = await changing.lock_person(work, person_id)
    code, hashed = await phone_proofs.new_code(staff)
    if await hold_back(work, staff, AccessWanted(AccessKind.PHONE_CODE, code_hash=hashed), by=by):
        return code, True
    await phone_proofs.hand_code(work, staff, hashed)
    tell_owner(work, staff, Told.PHONE_CHANGED)
    return code, False
