"""What an administrator has decided about signing in: for all accounts, or for those of a role."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from app.errors import Invalid
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import SignInRules
from app.staff.roles import Role
from app.work import Work

LONGEST_HOURS = 24


@dataclass(frozen=True)
class Rules:
    """The rules of signing in."""

    # The roles whose people need a second factor.
    factor_roles: tuple[Role, ...] = ()
    # Hours after which a session ends, however much it is used.
    session_hours: int = 14

    def needs_factor(self, role: str) -> bool:
        return role in self.factor_roles

    @property
    def values(self) -> dict[str, Any]:
        """What the log says of the rules."""
        return {**asdict(self), "factor_roles": [role.value for role in self.factor_roles]}


def default_rules(work: Work) -> Rules:
    """Return what holds until an administrator decides: in production who keeps accounts needs a
    second factor."""
    return Rules((Role.ADMINISTRATOR,) if work.settings.in_production else ())


async def sign_in_rules(work: Work, *, lock: bool = False) -> Rules:
    """Return the rules in force."""
    found = await work.session.get(SignInRules, 1, with_for_update=lock or None)
    if found is None:
        return default_rules(work)
    roles = tuple(role for role in Role if role.value in found.factor_roles)
    return Rules(roles, found.session_hours)


def read_roles(names: Iterable[str]) -> tuple[Role, ...]:
    """Return the roles with these names, in the order of all roles. Raises Invalid."""
    wanted = set(names)
    unknown = sorted(wanted - {role.value for role in Role})
    if unknown:
        raise Invalid("There is no role %(name)s.", name=unknown[0])
    return tuple(role for role in Role if role.value in wanted)


async def set_sign_in_rules(work: Work, rules: Rules) -> None:
    """Change the rules. They hold from the next sign-in of each person; no session ends.

    Raises Invalid.
    """
    if not 1 <= rules.session_hours <= LONGEST_HOURS:
        raise Invalid("A sign-in lasts 1 to %(number)s hours.", number=LONGEST_HOURS)
    before = await sign_in_rules(work, lock=True)
    statement = insert(SignInRules).values(id=1, **rules.values)
    await work.session.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_=rules.values).execution_options(
            populate_existing=True
        )
    )
    if rules != before:
        write_entry(
            work,
            AuditLog.SIGN_IN_RULES_SET,
            "sign_in_rules",
            before=before.values,
            after=rules.values,
        )
