"""Keeps, sealed, what an emergency access could change and the log does not hold in full.

It is kept from the opening of the access until it has been put back.
"""

import json
from typing import Any

from sqlalchemy import select

from app.chats import accounts as chat_accounts
from app.chats.carrier_rows import AccountState, CarrierAccount
from app.people import finding
from app.people.provider import keeping
from app.staff.emergency_rows import Emergency
from app.staff.models import Staff
from app.work import Work

_PLACE = {"table": "emergencies", "column": "before_sealed"}


async def keep(work: Work, row: Emergency) -> None:
    """Keep the addresses and phones of accounts, the provider of identities, and the bots of
    lines."""
    people = await work.session.scalars(select(Staff).where(Staff.active))
    found = {
        str(one.id): {"email": one.email or "", "endpoint": finding.endpoint_of(one)}
        for one in people
    }
    provider = await keeping.provider(work)
    bots = await work.session.scalars(
        select(CarrierAccount).where(CarrierAccount.state != AccountState.REMOVING.value)
    )
    words = json.dumps(
        {
            "people": found,
            "provider": keeping.for_keeping(work, provider) if provider is not None else None,
            "bots": [
                [str(one.line_id), one.channel, chat_accounts.token_of(work, one)] for one in bots
            ],
        }
    )
    row.before_sealed = work.keys.seal(words.encode(), row=row.id, **_PLACE)


def kept_of(work: Work, row: Emergency) -> dict[str, Any]:
    """Return what was kept; nothing of an access that was opened before the program kept it."""
    if row.before_sealed is None:
        return {}
    found: dict[str, Any] = json.loads(work.keys.open(row.before_sealed, row=row.id, **_PLACE))
    return found
