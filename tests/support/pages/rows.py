"""Rows for every page: what each shows in a helpline that is in use, on the real clock."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.people.emergency import emergencies
from app.staff import tokens
from app.staff.emergency_rows import EmergencyKind
from app.staff.models import Staff
from app.staff.roles import Role
from app.statistics.published import release
from app.training import practices, remarks
from app.training.models import Practice, PracticeAct
from app.training.scenarios import CounsellorAct
from app.work import PROGRAM
from tests.support.access.rows import chat_of, done, inserted, rows_of_talk
from tests.support.access.world import OF_ALL
from tests.support.browser import ring
from tests.support.contacts import completed
from tests.support.referrals import add_agency
from tests.support.routes import rows_of_every_kind, rows_of_settings
from tests.support.waiting import until

# How long both sides of the practice call spoke, as the exchange measures it.
_MEASURED = {
    "heard": True,
    "seconds": 90.0,
    "child": [[2.0, 20.0], [40.0, 12.0]],
    "counsellor": [[24.0, 10.0], [60.0, 25.0]],
}
_ACTS = (
    (CounsellorAct.OPEN_QUESTION, "who"),
    (CounsellorAct.LISTENED, None),
    (CounsellorAct.CLOSED_QUESTION, "what"),
    (CounsellorAct.ADVISED, None),
    (CounsellorAct.PLAN, None),
    (CounsellorAct.GOODBYE, None),
)


async def rows_for_pages(stage: Stage, people: dict[Role, Counsellor]) -> dict[str, str]:
    """Make them. Return those that pages are opened with, by the name that addresses have for it;
    and `token`, the secret of a wallboard."""
    ana, boss, admin = (
        people[one] for one in (Role.COUNSELLOR, Role.SUPERVISOR, Role.ADMINISTRATOR)
    )
    await stage.let_write(media=["picture", "voice"])
    # A request about data finds this one: nothing goes on with it.
    await completed(ana)
    await rows_of_every_kind(stage, ana)
    # A case is asked for by another team, which has a supervisor.
    await stage.add_counsellor("wera", role=Role.SUPERVISOR, state=None, shift=False)
    await stage.change_rows(
        "UPDATE staff SET team = 'West', endpoint_kind = 'phone', endpoint = '+38164999123'"
        " WHERE name = 'wera'"
    )
    stage.ground.memory.forget("everything")
    call_id = await _a_talk(stage, ana)
    of_ana = await rows_of_talk(stage, ana, call_id)
    await _end_practice(stage, UUID(of_ana["practice"]), ana.id, call_id)
    writer = await stage.add_counsellor("iva", state=None, shift=False, chats=3)
    await chat_of(stage, writer)
    settings = await rows_of_settings(stage, boss, admin)
    await _decide(stage, people)
    for statement in OF_ALL.values():
        await inserted(stage, statement)
    # Nothing is sent there any more: only the directory shows its numbers.
    await add_agency(stage, "clinic", "health", phones=["+381113333333"], sms="+381641234567")
    await _publish(stage)
    named = {"call_id": "call", "profile_id": "profile", "practice_id": "practice"}
    return settings | {name: of_ana[kind] for name, kind in named.items()}


async def _a_talk(stage: Stage, ana: Counsellor) -> UUID:
    """A child rings, talks, and hangs up; afterwards the counsellor has a break."""
    await ana.be("available")
    leg = await ring(stage)

    async def is_in(state: str) -> bool:
        return bool((await stage.call_of(leg))["state"] == state)

    await until(ana.offer, "the call is offered")
    await ana.accept()
    await until(lambda: is_in("connected"), "they talk")
    await stage.exchange.hang_up(leg)
    await until(lambda: is_in("ended"), "the call ends")
    await ana.be("break")
    return UUID(str((await stage.call_of(leg))["id"]))


async def _end_practice(stage: Stage, practice_id: UUID, trainee: UUID, call_id: UUID) -> None:
    """What was done in it, how it ended, and what a colleague has written about it."""
    async with transaction(stage.ground, PROGRAM) as work:
        practice = await work.session.get_one(Practice, practice_id)
        practice.call_id = call_id
        for number, (act, topic) in enumerate(_ACTS, 1):
            values: dict[str, Any] = {"number": number, "act": act.value, "topic": topic}
            at = work.now + timedelta(seconds=10 * number)
            work.session.add(PracticeAct(practice_id=practice_id, at=at, by_id=trainee, **values))
        await work.session.flush()
        await practices.end(work, call_id, _MEASURED)
        staff = await work.session.get_one(Staff, trainee)
        await remarks.add_remark(work, staff, practice_id, "Pitaj pre nego što posavetuješ.")


async def _decide(stage: Stage, people: dict[Role, Counsellor]) -> None:
    """What the helpline has decided, what it sends, and who asked for an emergency access."""
    admin = people[Role.ADMINISTRATOR]
    await done(admin, "/settings", {"decided": {"offer_seconds": 25}}, "PUT")
    sent = {"report": "daily", "every": "week", "role": "supervisor"}
    await done(admin, "/statistics/schedules", sent)
    async with transaction(stage.ground, PROGRAM) as work:
        await tokens.add_token(work, "Ministry", ["statistics"], 30)
        asker = await work.session.get_one(Staff, people[Role.COUNSELLOR].id)
        await emergencies.ask(work, asker, EmergencyKind.ACCOUNTS, "Zaključana vrata.", 60)
    await done(people[Role.SUPERVISOR], "/retention/holds", await _held(stage))


async def _held(stage: Stage) -> dict[str, str]:
    (row, *_) = await stage.rows("SELECT code FROM cases ORDER BY code LIMIT 1")
    return {"code": str(row["code"]), "reason": "Sud je tražio spise."}


async def _publish(stage: Stage) -> None:
    """Publish the year of these rows, as is done when it is over."""
    async with transaction(stage.ground, PROGRAM) as work:
        year = work.now.year
        work.now += timedelta(days=400)
        await release.publish(work, str(year))
