"""What an emergency access could change and the log holds only the ends or nothing of: it is kept,
sealed, from its opening until it was undone, so that it can be put back.
"""

import json
from typing import Any

from sqlalchemy import select

from app.people import finding
from app.people.emergency_rows import Emergency
from app.staff.models import Staff
from app.work import Work

_PLACE = {"table": "emergencies", "column": "before_sealed"}


async def keep(work: Work, row: Emergency) -> None:
    """Keep the addresses and telephones of all accounts."""
    people = await work.session.scalars(select(Staff).where(Staff.active))
    found = {
        str(one.id): {"email": one.email or "", "endpoint": finding.endpoint_of(one)}
        for one in people
    }
    words = json.dumps({"people": found})
    row.before_sealed = work.keys.seal(words.encode(), row=row.id, **_PLACE)


def kept_of(work: Work, row: Emergency) -> dict[str, Any]:
    """Return what was kept; nothing of an access that was opened before the program kept it."""
    if row.before_sealed is None:
        return {}
    found: dict[str, Any] = json.loads(work.keys.open(row.before_sealed, row=row.id, **_PLACE))
    return found
