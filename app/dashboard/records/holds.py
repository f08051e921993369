"""What the page of a record says of retention: that it is held and why, or that it was erased."""

from typing import Any

from app.contacts.records import Opened
from app.retention.holds import LONGEST_REASON, hold_of
from app.retention.kinds import HeldKind
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission, may


async def hold_values(opened: Opened[Any], staff: Staff, kind: HeldKind) -> dict[str, Any]:
    """Return what the fragment of holds shows of an opened record."""
    found = await hold_of(opened)
    by = ""
    if found is not None and found[0].held_by is not None:
        names = await accounts.names_of(opened.work, {found[0].held_by})
        by = names.get(found[0].held_by, "")
    return {
        "held": found[0] if found else None,
        "held_because": found[1] if found else "",
        "held_by": by,
        "held_kind": kind.value,
        "may_hold": may(staff.role, Permission.HOLD_RECORDS),
        "longest_reason": LONGEST_REASON,
        "erased_at": opened.record.erased_at,
    }
