"""Find the accounts and tokens by which one person could request tables.

A person knows the tokens that they made. An account that another person made, or gave a way in to,
could be theirs for its first day; after that, it counts as another person's.
"""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from app.staff.account_makers import given_after, who_acted
from app.staff.tokens import all_makers
from app.work import Work

# How long an account counts as that of the one who made it, or gave it a way in.
YOUNG = timedelta(days=1)

# A maker, and what they made, as the log names them.
_Made = tuple[str, str]


async def of_one_maker(work: Work, who: UUID) -> set[UUID]:
    """Return the accounts and tokens of the makers of an account or token, with itself.

    A maker may have one, too: a token that adds people, an account that is new, or the person
    behind an emergency account. The tokens of the operator are of one maker.
    """
    made = await all_makers(work) | await given_after(work, work.now - YOUNG)
    # The last one to act by an emergency account.
    behind = {str(one.account_id): str(one.person) for one in await who_acted(work)}
    made |= {(person, account) for account, person in behind.items()}
    makers = _reached({str(who)}, [(thing, maker) for maker, thing in made])
    return {found for name in _reached(makers, made) if (found := _id(name)) is not None}


def _reached(begin: set[str], pairs: Iterable[_Made]) -> set[str]:
    """Return where the pairs lead to, step by step, with the beginning."""
    after: dict[str, set[str]] = {}
    for one, other in pairs:
        after.setdefault(one, set()).add(other)
    found, new = set(begin), set(begin)
    while new:
        new = {other for one in new for other in after.get(one, set())} - found
        found |= new
    return found


def _id(name: str) -> UUID | None:
    """Return the id of an account or a token; None for the operator."""
    try:
        return UUID(name)
    except ValueError:
        return None
