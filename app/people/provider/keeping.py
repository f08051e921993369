"""The provider of identities, as an administrator sets it up: one verb for page, API and command.

What a provider says of a person is worth what is set here: which values of which claim give a role,
and whether an account is found by its e-mail address.
"""

from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import delete, func, select, update

from app.errors import Invalid, NotFound
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.outbox.outside import client_for_outside
from app.people import changing
from app.people.provider import access, protocol
from app.people.provider.mapping import MappingWanted
from app.people.provider.protocol import Client
from app.people.provider.rows import IdentityProvider, ProviderErrand, StaffIdentity, Unknown
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.log_values import IDENTITY_PROVIDER
from app.staff.models import Staff
from app.staff.roles import Role
from app.staff.sessions import accounts_changed
from app.work import Work

BACK, LOGOUT = "/login/provider/back", "/login/provider/logout"
_PLACE = {"table": "identity_providers", "column": "client_secret_sealed"}
_LONGEST, _MOST_PAIRS = 200, 100


class NoProvider(NotFound):
    default = "No provider of identities is set up. Sign in with your name and password."


def wanted_of(row: IdentityProvider) -> MappingWanted:
    """Return what is set."""
    return MappingWanted(
        name=row.name,
        issuer=row.issuer,
        client_id=row.client_id,
        role_claim=row.role_claim,
        roles=tuple((value, role) for value, role in row.roles),
        team_claim=row.team_claim,
        teams=tuple((value, team) for value, team in row.teams),
        unknown=row.unknown,
        links_by_email=row.links_by_email,
        factors=tuple(row.factors),
        closes_passwords=row.closes_passwords,
    )


async def provider(work: Work, *, lock: bool = False) -> IdentityProvider | None:
    """Return the provider that is set up."""
    statement = select(IdentityProvider)
    found: IdentityProvider | None = await work.session.scalar(
        statement.with_for_update() if lock else statement
    )
    return found


async def known_provider(work: Work) -> IdentityProvider:
    """Return the provider. Raises NoProvider."""
    found = await provider(work)
    if found is None:
        raise NoProvider()
    return found


def for_keeping(work: Work, row: IdentityProvider) -> dict[str, Any]:
    """Return all that is set, with the secret: to be stored sealed, and nowhere else."""
    return {**asdict(wanted_of(row)), "secret": client_of(work, row).client_secret}


async def put_back(work: Work, kept: dict[str, Any] | None) -> None:
    """Set the provider as it was kept, or take it away if there was none. Raises Invalid."""
    if kept is None:
        if await provider(work) is not None:
            await remove(work)
        return
    values = {name: one for name, one in kept.items() if name != "secret"}
    for name in ("roles", "teams"):
        values[name] = tuple((value, meaning) for value, meaning in values[name])
    values["factors"] = tuple(values["factors"])
    await save(work, MappingWanted(**values), kept["secret"], by=None)


def client_of(work: Work, row: IdentityProvider) -> Client:
    """Return who we are at the provider, with the secret."""
    secret = work.keys.open(row.client_secret_sealed, row=row.id, **_PLACE).decode()
    back = f"{work.settings.public_url.rstrip('/')}{BACK}"
    return Client(row.issuer, row.client_id, secret, back)


def logout_address(work: Work) -> str:
    """Return where the provider says that a person has signed out there (back-channel logout)."""
    return f"{work.settings.public_url.rstrip('/')}{LOGOUT}"


def _checked(work: Work, wanted: MappingWanted) -> MappingWanted:
    """Return what is stored. Raises Invalid."""
    texts: dict[str, Any] = {
        name: value.strip() for name, value in asdict(wanted).items() if isinstance(value, str)
    }
    for value in texts.values():
        if len(value) > _LONGEST or not value.isprintable():
            raise Invalid("Write at most %(number)s characters in a field.", number=_LONGEST)
    wanted = replace(wanted, **texts)
    if not wanted.name or not wanted.client_id or not wanted.role_claim:
        raise Invalid("Name, client ID and the claim with roles are needed.")
    parts = urlsplit(wanted.issuer)
    fine = ("https", "http") if work.settings.reach_own_network else ("https",)
    if parts.scheme not in fine or not parts.hostname or parts.query or parts.fragment:
        raise Invalid(
            "The issuer is an address that begins with https://, exactly as the provider writes it."
        )
    if wanted.unknown not in set(Unknown):
        raise Invalid("Unknown people are refused or created.")
    known = {role.value for role in Role}
    for value, role in wanted.roles:
        if role not in known:
            raise Invalid("There is no role %(name)s.", name=role)
        _check_pair(value, role)
    for value, team in wanted.teams:
        _check_pair(value, team)
    if max(len(wanted.roles), len(wanted.teams), len(wanted.factors)) > _MOST_PAIRS:
        raise Invalid("Write at most %(number)s lines.", number=_MOST_PAIRS)
    if not wanted.roles:
        raise Invalid("Write which value of the claim gives which role: at least one.")
    return wanted


def _check_pair(value: str, meaning: str) -> None:
    for text in (value, meaning):
        if not text.strip() or len(text) > _LONGEST or not text.isprintable():
            raise Invalid("Each line is a value of the claim, = and what it means.")


async def save(
    work: Work, wanted: MappingWanted, secret: str | None, *, by: Staff | None
) -> IdentityProvider:
    """Set the provider up, or change it. Without `secret` the one that is known stays.

    People whom it gives no role any more lose access at once. Raises Invalid, LastAdministrator.
    """
    wanted = _checked(work, wanted)
    row = await provider(work, lock=True)
    before = values_for_log(wanted_of(row)) if row else None
    secret = (secret or "").strip() or None
    if row is None or row.issuer != wanted.issuer:
        # The secret of one provider is sent to no other.
        if secret is None:
            raise Invalid("Enter the client secret.")
        await work.session.execute(delete(ProviderErrand))
    if row is None:
        row = IdentityProvider(id=uuid4(), is_only=True)
        work.session.add(row)
    values = asdict(wanted)
    for name in ("roles", "teams"):
        values[name] = [list(pair) for pair in values[name]]
    for name, value in values.items():
        setattr(row, name, list(value) if isinstance(value, tuple) else value)
    row.changed_at = work.now
    if secret is not None:
        row.client_secret_sealed = work.keys.seal(secret.encode(), row=row.id, **_PLACE)
    await work.session.flush()
    write_entry(
        work,
        AuditLog.PROVIDER_SET,
        IDENTITY_PROVIDER,
        before=before,
        after=values_for_log(wanted),
        secret_changed=secret is not None,
    )
    await _end_access_without_role(work, wanted, by)
    return row


def values_for_log(wanted: MappingWanted) -> dict[str, Any]:
    """Return what the log says of the provider: no secret is in it."""
    values = asdict(wanted)
    values["roles"] = [f"{value} = {role}" for value, role in wanted.roles]
    values["teams"] = [f"{value} = {team}" for value, team in wanted.teams]
    return {name: list(one) if isinstance(one, tuple) else one for name, one in values.items()}


async def _end_access_without_role(work: Work, wanted: MappingWanted, by: Staff | None) -> None:
    rows = await work.session.scalars(
        select(StaffIdentity).where(
            StaffIdentity.issuer == wanted.issuer,
            StaffIdentity.lost_at.is_(None),
            StaffIdentity.left_at.is_(None),
            # One that never came from there by itself has no values yet.
            StaffIdentity.used_at.is_not(None),
        )
    )
    for identity in list(rows):
        if wanted.role_for(identity.role_values) is None:
            if by is not None and identity.staff_id == by.id:
                raise Invalid("With this mapping you would have no role yourself.")
            staff = await changing.lock_person(work, identity.staff_id)
            if await access.close(work, staff, identity):
                # A talk goes on to a colleague in a moment.
                work.defer(Task.TAKE_OUT_OF_SERVICE, staff_id=str(staff.id))


async def remove(work: Work) -> None:
    """Take the provider away: its people sign in with a password. Raises NoProvider."""
    row = await provider(work, lock=True)
    if row is None:
        raise NoProvider()
    before = values_for_log(wanted_of(row))
    await work.session.execute(delete(ProviderErrand))
    # The accounts are locked before their identities, as by a person who signs in.
    await work.session.scalars(
        select(Staff.id).where(Staff.by_provider).order_by(Staff.id).with_for_update(key_share=True)
    )
    # A person who lost access by the provider does not get it back when it goes; nor does one who
    # has left by coming in as a new person.
    gone = await work.session.execute(
        delete(StaffIdentity)
        .where(StaffIdentity.lost_at.is_(None), StaffIdentity.left_at.is_(None))
        .returning(StaffIdentity.staff_id)
    )
    people = list(gone.scalars())
    await work.session.execute(update(Staff).where(Staff.id.in_(people)).values(by_provider=False))
    await work.session.delete(row)
    await work.session.flush()
    write_entry(
        work,
        AuditLog.PROVIDER_REMOVED,
        IDENTITY_PROVIDER,
        before=before,
        after=None,
        number=len(people),
    )
    accounts_changed(work)


async def test(work: Work) -> None:
    """Ask the provider what it says of itself, and for its keys. Raises NoProvider,
    ProviderFailed."""
    row = await known_provider(work)
    issuer, row_id = row.issuer, row.id
    # The provider takes seconds; no connection to the database is held meanwhile.
    await work.let_go()
    worked = False
    try:
        async with client_for_outside(work.settings) as http:
            found = await protocol.discover(http, work.settings, issuer)
            await protocol.keys_of(http, found)
        worked = True
    finally:
        async with transaction(work.ground, work.actor) as own:
            await note(own, row_id, worked=worked)


async def note(work: Work, row_id: Any, *, worked: bool) -> None:
    """Note that the provider answered as it must, or did not."""
    column = "last_success_at" if worked else "last_failure_at"
    await work.session.execute(
        update(IdentityProvider)
        .where(IdentityProvider.id == row_id)
        .values({column: work.now})
        .execution_options(synchronize_session=False)
    )


async def people_number(work: Work) -> int:
    """Return how many people are linked."""
    linked = select(func.count(StaffIdentity.id)).where(StaffIdentity.left_at.is_(None))
    return await work.session.scalar(linked) or 0
