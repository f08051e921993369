"""What supervisors see of their team is read once for the team, and each gets only their own."""

from collections.abc import Hashable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from app.dashboard import talks, team, team_parts
from app.dashboard.templating import templates
from app.referrals.deadlines import tracking
from app.routing import own_presence
from app.routing.models import PresenceState
from app.routing.participants import calls_for_help, supervising
from app.routing.participants.participants import Mode
from app.routing.supervision import supervised
from app.staff.models import Staff
from app.staff.roles import Role
from app.web.parts import Part
from app.words import pages
from app.work import Work
from tests.support.verbs import a_counsellor, a_referral, a_talk, another_talk

pytestmark = pytest.mark.whole


class House(NamedTuple):
    """Two teams: two supervisors of the north, one of the south, and a counsellor of each."""

    ana: Staff
    boro: Staff
    nora: Staff
    nina: Staff
    sanja: Staff

    @property
    def supervisors(self) -> list[Staff]:
        return [self.nora, self.nina, self.sanja]


@pytest.fixture
async def house(work: Work) -> House:
    ana, boro = await a_counsellor(work, "ana"), await a_counsellor(work, "boro")
    nora, nina, sanja = [await a_counsellor(work, name) for name in ("nora", "nina", "sanja")]
    for one in (nora, nina, sanja):
        one.role = Role.SUPERVISOR.value
        await own_presence.choose_presence(work, one, PresenceState.BREAK)
    for one in (ana, nora, nina):
        one.team = "north"
    boro.team = sanja.team = "south"
    await work.session.flush()
    return House(ana, boro, nora, nina, sanja)


async def test_only_people_of_whom_something_has_changed_are_drawn_again(
    work: Work, house: House
) -> None:
    first = await team.people_part(work, "north")
    drawn = team_parts.drawn_person.cache_info().misses
    work.now += timedelta(seconds=90)
    later = await team.people_part(work, "north")
    assert first.count('data-up="0"') == 3
    assert later == first.replace('data-up="0"', 'data-up="90"')
    assert team_parts.drawn_person.cache_info().misses == drawn
    await own_presence.choose_presence(work, house.ana, PresenceState.BREAK)
    await work.session.flush()
    changed = await team.people_part(work, "north")
    assert team_parts.drawn_person.cache_info().misses == drawn + 1
    assert changed.count('data-state="break"') == 3
    pages.speak("sr")
    assert "propušteno" in (await team.people_part(work, "north")).lower()
    assert team_parts.drawn_person.cache_info().misses == drawn + 4


async def drawn(work: Work, part: Part, people: list[Staff]) -> dict[str, str]:
    """Return what each sees: read once for each team, drawn once for each view."""
    assert part.views is not None
    made: dict[Hashable, Any] = {}
    found: dict[tuple[Hashable, Hashable], str] = {}
    shown = {}
    for one in people:
        scope = part.scope(one)
        if scope not in made:
            made[scope] = await part.make(work, scope)
        view = await part.views.view(work, made[scope], one)
        if (scope, view) not in found:
            found[scope, view] = part.views.draw(made[scope], view)
        shown[one.name] = found[scope, view]
    return shown


async def for_one(work: Work, staff: Staff) -> str:
    """Render the talks as the response to a click does: with what this supervisor may read."""
    values = await talks.talks_values(work, staff)
    return templates.get_template("fragments/team/talks.html").render(**values, staff=staff)


async def check_talks(work: Work, house: House) -> dict[str, str]:
    shown = await drawn(work, team_parts.TALKS, house.supervisors)
    for one in house.supervisors:
        assert shown[one.name] == await for_one(work, one), one.name
        counted = await team_parts.talks_counted(work, one)
        live = await supervised.live_talks(work, one)
        assert counted == (len(live), sum(talk.calls_for_help for talk in live)), one.name
    return shown


async def test_each_supervisor_sees_the_talks_that_they_may_see(work: Work, house: House) -> None:
    """In every state the shared reading gives what a reading for one supervisor gives."""
    await check_talks(work, house)
    of_ana, _ = await a_talk(work, house.ana)
    of_boro = await another_talk(work, house.boro)
    shown = await check_talks(work, house)
    for name, sees, sees_not in (("nora", of_ana, of_boro), ("sanja", of_boro, of_ana)):
        assert str(sees.id) in shown[name]
        assert str(sees_not.id) not in shown[name]
    assert shown["nora"] == shown["nina"]
    # A call for help is for all, until one takes it: then it is for the team and for that one.
    await calls_for_help.call_for_help(work, house.ana, of_ana)
    await work.session.flush()
    shown = await check_talks(work, house)
    assert all(str(of_ana.id) in html for html in shown.values())
    await calls_for_help.take_call_for_help(work, house.nina, of_ana)
    await work.session.flush()
    shown = await check_talks(work, house)
    assert str(of_ana.id) not in shown["sanja"]
    await calls_for_help.call_for_help(work, house.ana, of_ana)
    await calls_for_help.take_call_for_help(work, house.sanja, of_ana)
    await work.session.flush()
    shown = await check_talks(work, house)
    assert str(of_ana.id) in shown["sanja"]


async def test_how_one_supervisor_takes_part_is_shown_to_that_one_alone(
    work: Work, house: House
) -> None:
    call, _ = await a_talk(work, house.ana)
    await supervising.supervise(work, house.nora, call, Mode.LISTEN)
    await work.session.flush()
    shown = await check_talks(work, house)
    assert f'id="leave-{call.id}"' in shown["nora"]
    assert f'id="leave-{call.id}"' not in shown["nina"]


async def test_a_supervisor_who_takes_calls_is_not_their_own_colleague(
    work: Work, house: House
) -> None:
    await a_talk(work, house.ana)
    await own_presence.choose_presence(work, house.nora, PresenceState.AVAILABLE)
    await work.session.flush()
    shown = await check_talks(work, house)
    choice = f'<option value="{house.nora.id}">'
    assert choice in shown["nina"]
    assert choice not in shown["nora"]


async def test_the_strip_counts_for_each_the_deadlines_that_they_may_see(
    work: Work, house: House
) -> None:
    house.boro.team = "north"
    referral = await a_referral(work, house.boro)
    referral.team = "north"
    await work.session.flush()
    shown = await drawn(work, team_parts.STRIP, house.supervisors)
    assert shown["nora"] == shown["nina"]
    for one in house.supervisors:
        due = await tracking.count_due(work, one, team_parts.WITHIN)
        assert f'<a href="/supervisor">{due.soon}</a>' in shown[one.name], one.name
    assert (await tracking.count_due(work, house.nora, team_parts.WITHIN)).soon > 0
    assert (await tracking.count_due(work, house.sanja, team_parts.WITHIN)).soon == 0


async def test_another_role_has_counts_of_its_own(work: Work, house: House) -> None:
    """A count that is kept for a person is not kept for what they were before."""
    referral = await a_referral(work, house.boro)
    referral.team = "north"
    await work.session.flush()
    before = await team_parts.strip_of(work, house.nora)
    house.nora.team = "south"
    assert before.due.soon > 0
    assert (await team_parts.strip_of(work, house.nora)).due.soon == 0
    house.nora.team, house.nora.role = "north", Role.AUDITOR.value
    assert (await team_parts.strip_of(work, house.nora)).due.soon == 0


async def test_a_part_is_drawn_in_the_language_of_its_reader(work: Work, house: House) -> None:
    await a_talk(work, house.ana)
    for part in (team_parts.TALKS, team_parts.TALKS_LINK, team_parts.STRIP):
        pages.speak("en")
        english = await part.seen_by(work, house.nora)
        pages.speak("sr")
        assert await part.seen_by(work, house.nora) != english
        pages.speak("en")
        assert await part.seen_by(work, house.nora) == english
