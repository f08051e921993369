"""Days of a random life, and how many are lived."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from app.calls.models import VoiceMessage
from app.chats.models import ReturnCode
from app.routing import own_presence
from app.routing.models import PresenceState
from app.settings import Settings
from app.staff.models import Staff
from app.statistics.facts.days import days_to_keep, keep_days
from app.work import Actor, ActorKind, Work, make_ground
from tests.support.profile import WHOLE
from tests.support.random_life import writing
from tests.support.random_life.calls import ring, ring_out
from tests.support.random_life.life import Life, Step
from tests.support.random_life.records import visit, write_more


async def plan_day(life: Life, day: datetime, calls: float) -> None:
    """What happens on one day: shifts of counsellors, rings, visits, late writing."""
    dice = life.dice
    life.work.now = day
    for n, _ in enumerate(life.staff):
        begins = dice.uniform(0, 16 * 3600)
        life.later(begins, _choice(n, PresenceState.AVAILABLE))
        for _ in range(dice.randrange(2)):
            pause = begins + dice.uniform(600, 20_000)
            life.later(pause, _choice(n, PresenceState.BREAK))
            life.later(pause + dice.uniform(60, 3000), _choice(n, PresenceState.AVAILABLE))
        if dice.random() < 0.9:
            life.later(begins + dice.uniform(4, 12) * 3600, _choice(n, PresenceState.OFF_DUTY))
    for _ in range(int(calls * dice.uniform(0.5, 1.5)) + 1):
        life.later(dice.uniform(0, 86_400), ring)
    for _ in range(dice.randrange(5)):
        life.later(dice.uniform(0, 86_400), visit)
    if dice.random() < 0.5:
        life.later(dice.uniform(0, 86_400), ring_out)
    evening = dice.uniform(0, 80_000)
    for _ in range(dice.randrange(5) if life.writers else 0):
        life.later(evening + dice.uniform(0, 3000), writing.a_child_writes)
    for _ in range(dice.randrange(4)):
        life.later(dice.uniform(0, 2 * 86_400), write_more)


def _choice(n: int, state: PresenceState) -> Step:
    async def step(life: Life) -> None:
        life.work.actor = Actor(ActorKind.PERSON, life.staff[n].id)
        staff = await life.work.session.get(Staff, life.staff[n].id)
        assert staff is not None
        await own_presence.choose_presence(life.work, staff, state)

    return step


async def lived(
    database: str, begins: datetime, days: int, *, calls: float, seed: int, counsellors: int = 4
) -> Life:
    """A ground on which this many days have been lived."""
    settings = Settings(
        database_url=database,
        secret_key="x" * 40,
        twilio_api_key_sid="SK1",
        twilio_api_key_secret="x" * 40,
        wrap_up_seconds=40,
        field_keys="1:" + "cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY=",
    )
    ground = make_ground(settings)
    session = ground.database.sessions()
    life = Life(ground, Work(session, begins, Actor(ActorKind.PROGRAM), ground), seed)
    await life.begin(counsellors)
    for n in range(days):
        day = begins + timedelta(days=n)
        if WHOLE or not _is_quiet(n, day):
            await plan_day(life, day, calls)
        await life.live(day + timedelta(days=1))
    # Persons have them all by then: a message that waits would be an alarm, which rings for days.
    await life.work.session.execute(update(VoiceMessage).values(taken_at=VoiceMessage.created_at))
    await life.work.session.execute(update(ReturnCode).values(taken_at=ReturnCode.made_at))
    await life.commit()
    return life


async def keep_all(life: Life) -> None:
    """Let the statistics keep all days, as in a program that has been running."""
    while days := await days_to_keep(life.ground, life.now, 62):
        assert await keep_days(life.ground, days, life.now)


# When much happens: the days on which the clocks of a line change. April is reported.
_BUSY = (
    ((3, 24), (3, 24)),
    ((3, 28), (3, 30)),
    ((4, 3), (4, 6)),
    ((9, 5), (9, 7)),
    ((10, 3), (10, 5)),
    ((10, 24), (10, 26)),
    ((11, 1), (11, 4)),
)


def _is_quiet(n: int, day: datetime) -> bool:
    """Return whether nothing new happens: on most days, as some towns have in summer."""
    on = (day.month, day.day)
    every = 3 if day.month == 4 else 24
    return n % every > 0 and not any(begins <= on <= ends for begins, ends in _BUSY)


# From before the clocks change in spring until after they have in autumn, in three zones.
BEGINS, DAYS = datetime(2026, 3, 24, tzinfo=UTC), 226
