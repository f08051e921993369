"""The people of the demo: an account for each role, and colleagues who take calls by themselves."""

from typing import Any

from sqlalchemy import select

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff import hashing
from app.staff.models import SignInRules, Staff
from app.staff.roles import Role
from app.staff.sign_in_rules import Rules, set_sign_in_rules
from app.work import PROGRAM

PASSWORD = "plavi-telefon"
# Who may sign in, and what they are. The first is the person at the desk.
ACCOUNTS = {
    "ana": Role.SUPERVISOR,
    "iva": Role.COUNSELLOR,
    "marko": Role.ADMINISTRATOR,
    "olga": Role.REFERRAL_OFFICER,
    "vuk": Role.AUDITOR,
}
# Simulated colleagues: one with a phone at home, two with browsers.
COLLEAGUES = (("vera (phone)", "+38164999001"), ("boris", "browser"), ("mira", "browser"))
# The colleague who writes with children.
WRITES = "mira"
_ON_DUTY = (Role.COUNSELLOR, Role.SUPERVISOR)


async def add_people(stage: Stage) -> None:
    """Add who is not there yet."""
    await _let_in_by_password(stage)
    there = {row["name"] for row in await stage.rows("SELECT name FROM staff")}
    secret = await hashing.hash_password(PASSWORD)
    for name, role in ACCOUNTS.items():
        if name in there:
            continue
        person = await stage.add_counsellor(
            name,
            role=role,
            shift=role in _ON_DUTY,
            state=None,
            endpoint="browser",
            chats=3 if role in _ON_DUTY else 0,
        )
        async with transaction(stage.ground, PROGRAM) as work:
            staff = await work.session.get_one(Staff, person.id)
            staff.password_hash = secret
    for name, endpoint in COLLEAGUES:
        if name not in there:
            chats = 3 if name == WRITES else 0
            await stage.add_counsellor(name, endpoint=endpoint, state=None, chats=chats)


async def _let_in_by_password(stage: Stage) -> None:
    """Ask no second factor of the accounts of the demo, unless its visitor has decided otherwise.
    A new helpline asks it of every role."""
    async with transaction(stage.ground, PROGRAM) as work:
        if await work.session.get(SignInRules, 1) is None:
            await set_sign_in_rules(work, Rules(), knowingly=True)


async def send(who: Counsellor, path: str, **body: Any) -> dict[str, Any]:
    """Post to the interface, and return the answer. Raises ValueError with what it refused."""
    answer = await who.ask("POST", path, body)
    if answer.is_error:
        raise ValueError(f"{path}: {answer.text}")
    return dict(answer.json()) if answer.content else {}


async def signed_in(stage: Stage, *names: str) -> list[Counsellor]:
    """Return these people, signed in as their browsers would be."""
    async with transaction(stage.ground, PROGRAM) as work:
        rows = await work.session.scalars(select(Staff).where(Staff.name.in_(names)))
        people = sorted(rows, key=lambda one: names.index(one.name))
    found = [Counsellor(stage, person) for person in people]
    for person in found:
        await person.sign_in()
    return found
