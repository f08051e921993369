"""What an administrator has decided about signing in: for all accounts, or for those of a role."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from enum import IntEnum
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from app.errors import Conflict, Invalid
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import SignInRules
from app.staff.roles import Role
from app.work import Work

LONGEST_HOURS = 24
LONGEST_PROOF_MINUTES = 60
SHORTEST_IDLE, LONGEST_IDLE = 5, 24 * 60


class Demand(IntEnum):
    """What people of a role need beside the password; the higher, the more."""

    NOTHING = 0
    FACTOR = 1
    # One that no forged page can ask for: a code of the phone is not taken.
    PASSKEY = 2


@dataclass(frozen=True)
class Limits:
    """What differs for a role. None: it is as for the others."""

    session_hours: int | None = None
    idle_minutes: int | None = None


@dataclass(frozen=True)
class Rules:
    """The rules of signing in."""

    # The roles whose people need a second factor.
    factor_roles: tuple[Role, ...] = ()
    # Hours after which a session ends, however much it is used.
    session_hours: int = 14
    # Minutes for which a proof of who one is counts before numbers, exports and keys.
    proof_minutes: int = 10
    # Minutes without an act of its person after which a session ends; 0 means never.
    idle_minutes: int = 0
    of_roles: Mapping[Role, Limits] = field(default_factory=dict)
    # Those of the roles whose second factor has to be a passkey.
    passkey_roles: tuple[Role, ...] = ()

    def hours_for(self, role: str) -> int:
        """Return the hours after which a session of a role ends."""
        own = self.of_roles.get(Role(role), Limits()).session_hours
        return self.session_hours if own is None else own

    def idle_for(self, role: str) -> timedelta | None:
        """Return how long a session of a role may be without an act; None for any time."""
        own = self.of_roles.get(Role(role), Limits()).idle_minutes
        minutes = self.idle_minutes if own is None else own
        return timedelta(minutes=minutes) if minutes else None

    def demand_of(self, role: str) -> Demand:
        """Return what people of a role need beside the password."""
        if role in self.passkey_roles:
            return Demand.PASSKEY
        return Demand.FACTOR if role in self.factor_roles else Demand.NOTHING

    def demanding(
        self, factor: Iterable[Role] | None = None, passkey: Iterable[Role] | None = None
    ) -> "Rules":
        """Return these rules with other roles that need a second factor, or a passkey; None leaves
        them as they are. A passkey is a second factor: a role that needs one needs the other, and a
        role that is left out of `factor` needs no passkey, either, unless `passkey` names it."""
        factors = set(self.factor_roles if factor is None else factor)
        passkeys = factors & set(self.passkey_roles) if passkey is None else set(passkey)
        return replace(
            self,
            factor_roles=tuple(role for role in Role if role in factors | passkeys),
            passkey_roles=tuple(role for role in Role if role in passkeys),
        )

    @property
    def values(self) -> dict[str, Any]:
        """What the log says of the rules."""
        of_roles = {
            role.value: {name: one for name, one in asdict(limits).items() if one is not None}
            for role, limits in self.of_roles.items()
            if limits != Limits()
        }
        roles = {
            "factor_roles": [role.value for role in self.factor_roles],
            "passkey_roles": [role.value for role in self.passkey_roles],
        }
        return {**asdict(self), **roles, "of_roles": of_roles}


# What holds until an administrator decides: every role needs a second factor, and a session without
# any act ends after an hour.
DEFAULTS = Rules(tuple(Role), idle_minutes=60)


class Relaxed(Conflict):
    default = (
        "A role that needs a second factor would need none any more: one password of its people "
        "that was guessed, seen or leaked would open all that they may. Nothing was changed. If "
        "you intend this, say so: `knowingly` for programs, --knowingly for the command."
    )


class PasskeyRelaxed(Relaxed):
    default = (
        "A role that needs a passkey would need none any more: a forged page could ask its people "
        "for password and code. Nothing was changed. If you intend this, say so: `knowingly` for "
        "programs, --knowingly for the command."
    )


class NoName(Conflict):
    default = (
        "Passkeys need an address with a name. The operator sets one as HELPLINE_PUBLIC_URL, for "
        "example https://helpline.example.org; on this machine http://localhost with the port."
    )


async def sign_in_rules(work: Work, *, lock: bool = False) -> Rules:
    """Return the rules in force."""
    found = await work.session.get(SignInRules, 1, with_for_update=lock or None)
    if found is None:
        return DEFAULTS
    return rules_of(found)


def rules_of(row: SignInRules) -> Rules:
    """Return the rules that a row holds."""
    return Rules(
        tuple(role for role in Role if role.value in row.factor_roles),
        row.session_hours,
        row.proof_minutes,
        row.idle_minutes,
        {role: Limits(**row.of_roles[role]) for role in Role if role in row.of_roles},
        tuple(role for role in Role if role.value in row.passkey_roles),
    )


def rules_said(values: Mapping[str, Any]) -> Rules:
    """Return the rules of which the log has the values; older ones name no passkeys."""
    of_roles = {Role(role): Limits(**limits) for role, limits in values["of_roles"].items()}
    roles = {name: read_roles(values.get(name, ())) for name in ("factor_roles", "passkey_roles")}
    return Rules(**{**values, **roles, "of_roles": of_roles})


def read_roles(names: Iterable[str]) -> tuple[Role, ...]:
    """Return the roles with these names, in the order of all roles. Raises Invalid."""
    wanted = set(names)
    unknown = sorted(wanted - {role.value for role in Role})
    if unknown:
        raise Invalid("There is no role %(name)s.", name=unknown[0])
    return tuple(role for role in Role if role.value in wanted)


def _check_limits(limits: Limits) -> None:
    hours, idle = limits.session_hours, limits.idle_minutes
    if hours is not None and not 1 <= hours <= LONGEST_HOURS:
        raise Invalid("A sign-in lasts 1 to %(number)s hours.", number=LONGEST_HOURS)
    if idle and not SHORTEST_IDLE <= idle <= LONGEST_IDLE:
        raise Invalid(
            "A sign-in without any act ends after %(least)s to %(most)s minutes; 0 means never.",
            least=SHORTEST_IDLE,
            most=LONGEST_IDLE,
        )


async def set_sign_in_rules(work: Work, rules: Rules, *, knowingly: bool = False) -> None:
    """Change the rules. What concerns the sign-in holds from the next one of each person.

    `knowingly`: the reader was told what it means that a role no longer needs a second factor, or a
    passkey. Raises Invalid, Relaxed, NoName.
    """
    for one in (Limits(rules.session_hours, rules.idle_minutes), *rules.of_roles.values()):
        _check_limits(one)
    if not 1 <= rules.proof_minutes <= LONGEST_PROOF_MINUTES:
        raise Invalid("A proof counts for 1 to %(number)s minutes.", number=LONGEST_PROOF_MINUTES)
    before = await sign_in_rules(work, lock=True)
    relaxed = [role for role in Role if rules.demand_of(role) < before.demand_of(role)]
    if relaxed and not knowingly:
        to_nothing = any(rules.demand_of(role) is Demand.NOTHING for role in relaxed)
        raise Relaxed() if to_nothing else PasskeyRelaxed()
    # Where no browser keeps a passkey, people of such a role could not sign in.
    if set(rules.passkey_roles) - set(before.passkey_roles) and not work.settings.has_name:
        raise NoName()
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
            **({"relaxed": [role.value for role in relaxed]} if relaxed else {}),
        )
