"""A helpline in which each kind of row is there three times: of one counsellor, of a colleague of
the same team, and of a counsellor of another team."""

from dataclasses import dataclass, field

from sqlalchemy import update

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.people.emergency import emergencies
from app.staff import tokens
from app.staff.emergency_rows import EmergencyKind
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.access.rows import Rows, chat_of, inserted, of_account, rows_of
from tests.support.access.states import Instead, add_states
from tests.support.referrals import add_agency
from tests.support.routes import rows_of_settings


@dataclass
class World:
    """Who asks, and with what they prove who they are; and the rows of three counsellors."""

    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    people: dict[str, Counsellor] = field(default_factory=dict)
    # Rows that belong to no person.
    rows: Rows = field(default_factory=dict)
    # By the counsellor whose they are, and of the account of each other role.
    of: dict[str, Rows] = field(default_factory=dict)
    # Rows in another state, for single routes.
    instead: Instead = field(default_factory=dict)
    # What their requests prove themselves by, besides who asks.
    heads: Instead = field(default_factory=dict)


OWN, COLLEAGUE, OTHER_TEAM = "ana", "clara", "boris"
_TEAMS = {OWN: "North", COLLEAGUE: "North", OTHER_TEAM: "South"}
TOKEN_SCOPES = {"token of figures": "statistics", "token of accounts": "accounts"}
CHILD = "secret of a child"


def writes(name: str) -> str:
    """Return the writer for a counsellor who talks: one person cannot do both at once."""
    return f"{name} writes"


async def a_world(stage: Stage) -> World:
    world = World()
    await add_agency(stage, "house", "shelter", email="h@a.example")
    await stage.let_write(media=["picture", "voice"])
    await _added(stage, "wera", "West", Role.SUPERVISOR)
    for role in set(Role) - {Role.COUNSELLOR}:
        who = await _added(stage, role.value, "North", role)
        world.people[role.value] = who
        world.headers[role.value] = {"cookie": who.cookie_header}
        world.of[role.value] = await of_account(stage, who)
    for number, (name, team) in enumerate(_TEAMS.items()):
        world.people[name] = await _added(stage, name, team, state="available")
        world.of[name] = await rows_of(stage, world.people[name], f"+38164100000{number}")
    for name, team in _TEAMS.items():
        world.people[writes(name)] = await _added(stage, writes(name), team)
        world.of[name] |= await chat_of(stage, world.people[writes(name)])
    await _add_settings(stage, world)
    await _add_tokens(stage, world)
    world.rows["own_profile"] = world.of[OWN]["profile"]
    world.instead, world.heads = await add_states(stage, world.people, world.of, world.rows)
    return world


async def _added(
    stage: Stage, name: str, team: str, role: Role = Role.COUNSELLOR, state: str | None = None
) -> Counsellor:
    made = await stage.add_counsellor(name, role=role, state=state, chats=3)
    async with transaction(stage.ground, PROGRAM) as work:
        await work.session.execute(update(Staff).where(Staff.id == made.id).values(team=team))
    stage.ground.memory.forget("everything")
    return made


# What belongs to no person, and no route makes.
OF_ALL = {
    "open_id": "INSERT INTO open_shifts (id, from_at, until_at, layer, places, made_at) VALUES"
    " (gen_random_uuid(), '2030-02-01', '2030-02-02', 'primary', 2, now()) RETURNING id",
    "shift_id": "SELECT id FROM shifts LIMIT 1",
    "delivery_id": "INSERT INTO deliveries (id, agency_id, referral_id, sequence, kind, detail,"
    " created_at, state, attempts, last_attempt_at, ended_at, last_response)"
    " SELECT gen_random_uuid(), a.id,"
    " r.id, 99, 'referral.offered', '{}', now(), 'dead', 9, now(), now(), '500'"
    " FROM agencies a, referrals r LIMIT 1 RETURNING id",
}


async def _add_settings(stage: Stage, world: World) -> None:
    """What belongs to no counsellor: lines, definitions, files, the rota, and accounts."""
    boss, admin = world.people[Role.SUPERVISOR.value], world.people[Role.ADMINISTRATOR.value]
    world.rows |= await rows_of_settings(stage, boss, admin)
    free = await _added(stage, "free", "North")
    world.rows |= {"person_id": str(free.id), "staff_id": str(free.id), "code": "house"}
    for name, statement in OF_ALL.items():
        world.rows[name] = await inserted(stage, statement)
    async with transaction(stage.ground, PROGRAM) as work:
        asker = await work.session.get_one(Staff, world.people[OWN].id)
        asked = await emergencies.ask(work, asker, EmergencyKind.ACCOUNTS, "Locked out.", 60)
        world.rows["emergency_id"] = str(asked.id)


async def _add_tokens(stage: Stage, world: World) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        for column, scope in TOKEN_SCOPES.items():
            token = await tokens.add_token(work, column, [scope], 30)
            world.headers[column] = {"authorization": f"Bearer {token}"}
    world.headers[CHILD] = {"authorization": f"Bearer {world.of[OWN]['secret']}"}
