"""What supervisors see of their team: read once for the team, and drawn for what differs.

The strip and the talks are almost the same for all supervisors of a team. A view holds the rest:
what this one may know of deadlines and deliveries, which talks they see, and how they take part.
"""

from collections.abc import Awaitable, Hashable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from markupsafe import Markup

from app.calls import platform
from app.dashboard import team_views
from app.dashboard.templating import templates
from app.database.topics import Topic
from app.referrals.channels.webhook import delivery
from app.referrals.deadlines import tracking
from app.routing import telephones
from app.routing.participants import moving, participants
from app.routing.rota.roster import on_shift
from app.routing.supervision import supervised, team
from app.staff.models import Staff
from app.staff.roles import Permission
from app.statistics.counting import today
from app.web.parts import Part, View, team_of
from app.words import pages
from app.work import Work

# The strip counts the deadlines that run out within this time.
WITHIN = timedelta(hours=1)
# How long the counts of one supervisor are kept: deadlines come near without a change.
_KEPT = timedelta(seconds=5)


# -- the strip -----------------------------------------------------------------------------------


class Figures(NamedTuple):
    """The figures that all supervisors of a team see."""

    today: today.Today
    # Seconds of the longest wait.
    longest: int
    # People of the team at work, and people whom the rota plans now.
    present: int
    planned: int


class Duties(NamedTuple):
    """What one supervisor may know of deadlines, and of events that were not delivered."""

    due: tracking.DueSoon
    dead: int


class Strip(NamedTuple):
    """The figures at the top of the page, for one supervisor."""

    today: today.Today
    longest: int
    present: int
    planned: int
    due: tracking.DueSoon
    dead: int


async def _figures(work: Work, of: str) -> Figures:
    so_far, shifts = await today.so_far(work), await on_shift(work)
    states = await team.states(work, of)
    waits = so_far.waits_since
    return Figures(
        so_far,
        max(0, int((work.now - waits).total_seconds())) if waits else 0,
        sum(state in team_views.PRESENT for state in states.values()),
        sum(who in shifts for who in states),
    )


async def _duties(work: Work, _figures: Figures, staff: Staff) -> Duties:
    due = await _kept(work, Topic.DEADLINES, staff, lambda: tracking.count_due(work, staff, WITHIN))
    dead = await _kept(work, Topic.DELIVERIES, staff, lambda: delivery.count_dead(work, staff))
    return Duties(due, dead)


async def _kept(work: Work, topic: Topic, staff: Staff, count: Any) -> Any:
    """Return a count of one supervisor, from memory if nothing has changed it."""
    memory, key = work.ground.memory, ("strip", staff.id, staff.role, staff.team)
    found = memory.recall(topic, key, work.now)
    if found is None:
        counting: Awaitable[Any] = count()
        found = await counting
        memory.keep(topic, key, found, work.now + _KEPT)
    return found


def _draw_strip(figures: Figures, duties: Duties) -> str:
    template = templates.get_template("fragments/team/team_strip.html")
    return template.render(strip=Strip(*figures, *duties))


STRIP = Part(
    "/team/strip",
    Permission.SUPERVISE,
    _figures,
    frozenset({Topic.ROSTER, Topic.DEADLINES, Topic.DELIVERIES}),
    frozenset({Topic.QUEUE, Topic.CALLS, Topic.PRESENCE}),
    team_of,
    View(_duties, _draw_strip),
)


async def strip_of(work: Work, staff: Staff) -> Strip:
    """Return the figures of now for a supervisor."""
    figures = await _figures(work, staff.team)
    return Strip(*figures, *await _duties(work, figures, staff))


# -- the talks -----------------------------------------------------------------------------------


class Around(NamedTuple):
    """The talks that supervisors of a team may see, and what can be done with them."""

    talks: list[supervised.Talk]
    now: datetime
    can: platform.InTalk
    # People in the talks of others, by the person and the talk.
    within: dict[tuple[UUID, UUID], participants.Participant]
    telephones: list[tuple[str, str]]
    colleagues: list[Staff]
    writers: list[Staff]


class Mine(NamedTuple):
    """How a supervisor takes part in a talk."""

    mode: str
    state: str


class Talks(NamedTuple):
    """Which talks one supervisor sees, and how they take part in each."""

    seen: tuple[tuple[UUID, Mine | None], ...]
    # They are among the colleagues to whom a talk can go: not their own choice.
    without: UUID | None


async def _around(work: Work, of: str) -> Around:
    talks = await supervised.talks_around(work, of)
    calls = [talk.call.id for talk in talks]
    return Around(
        talks,
        work.now,
        platform.can_in_talk(work.settings),
        await participants.staff_in(work, calls) if calls else {},
        await telephones.not_ready(work),
        await moving.free_colleagues(work) if talks else [],
        await moving.free_writers(work) if any(talk.written for talk in talks) else [],
    )


async def _talks(_work: Work, around: Around, staff: Staff) -> Talks:
    mine = {
        call: Mine(one.mode, one.state)
        for (who, call), one in around.within.items()
        if who == staff.id
    }
    seen = tuple(
        (talk.call.id, mine.get(talk.call.id)) for talk in around.talks if talk.is_seen_by(staff)
    )
    others = {one.id for one in (*around.colleagues, *around.writers)} if seen else set()
    return Talks(seen, staff.id if staff.id in others else None)


def _draw_talks(around: Around, view: Talks) -> str:
    by_call = {talk.call.id: talk for talk in around.talks}
    shown = [(by_call[call], mine) for call, mine in view.seen]

    def others(people: list[Staff]) -> list[Staff]:
        return [one for one in people if one.id != view.without]

    return templates.get_template("fragments/team/talks.html").render(
        talks=shown,
        now=around.now,
        can=around.can,
        telephones=around.telephones,
        colleagues=others(around.colleagues),
        writers=others(around.writers),
    )


TALKS = Part(
    "/board/talks",
    Permission.SUPERVISE,
    _around,
    frozenset({Topic.TALKS}),
    frozenset({Topic.CALLS, Topic.PRESENCE}),
    team_of,
    View(_talks, _draw_talks),
)


# -- the link to them ----------------------------------------------------------------------------


class Count(NamedTuple):
    """How many talks one supervisor sees, and in how many of them help is called for."""

    talks: int
    calls_for_help: int


async def _talks_of_team(work: Work, of: str) -> list[supervised.Talk]:
    return await supervised.talks_around(work, of)


async def _count(_work: Work, talks: list[supervised.Talk], staff: Staff) -> Count:
    seen = [talk.calls_for_help for talk in talks if talk.is_seen_by(staff)]
    return Count(len(seen), sum(seen))


def _draw_link(_talks: list[supervised.Talk], count: Count) -> str:
    return templates.get_template("fragments/desk/talks_link.html").render(count=count)


TALKS_LINK = Part(
    "/board/talks/count",
    Permission.SUPERVISE,
    _talks_of_team,
    frozenset({Topic.TALKS}),
    frozenset({Topic.CALLS, Topic.PRESENCE}),
    team_of,
    View(_count, _draw_link),
)


async def talks_counted(work: Work, staff: Staff) -> Count:
    """Return how many talks a supervisor sees."""
    return await _count(work, await _talks_of_team(work, staff.team), staff)


# -- the people ----------------------------------------------------------------------------------

# What counts on in the page by itself, as the row of a person has it.
_UP = 'data-up="{}"'
_BEGINS = _UP.format(0)


def draw_person(row: team_views.PersonRow) -> Markup:
    """Return one person, in the language of the reader.

    They are drawn again only when something of them has changed, however often the page is.
    """
    before, count, after = drawn_person(row, pages.of_reader())
    return Markup(before + (count and _UP.format(row.seconds)) + after)  # noqa: S704 (a template)


@lru_cache(maxsize=4096)
def drawn_person(row: team_views.PersonRow, _words: Hashable) -> tuple[str, str, str]:
    """Return a person in these words: what stands before the time that counts on, its beginning,
    and what stands after it."""
    template = templates.get_template("fragments/team/team_person.html")
    return template.render(p=replace(row, seconds=0)).partition(_BEGINS)
