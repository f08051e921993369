"""A telephone in a page whose session has ended: pages and routing say the same of it."""

import pytest

from app.dashboard import team_views, views
from app.routing import in_hand, telephones
from app.routing.models import PresenceState, TelephoneState
from app.routing.supervision import team
from app.routing.supervision.team import CannotBeRung, StateReason
from app.staff import session_tokens
from app.staff.models import Staff
from app.work import Work
from tests.support.verbs import a_counsellor, a_supervisor

CLOSED = "the page with the telephone is closed"


@pytest.fixture
async def ana(work: Work) -> Staff:
    """A counsellor who is available, with a ready telephone in a page that was signed out. Another
    page of hers is open."""
    ana = await a_counsellor(work, "ana")
    token = await session_tokens.open_session(work, ana)
    key = work.keys.session_key(token)
    await telephones.claim(work, ana, "stage:1", key)
    await telephones.report(work, ana, "stage:1", TelephoneState.READY, key)
    assert await telephones.not_ready(work) == []
    await session_tokens.open_session(work, ana)
    await session_tokens.close_session(work, token)
    return ana


async def test_supervisors_and_the_counsellor_read_that_no_call_rings_there(
    work: Work, ana: Staff
) -> None:
    assert await telephones.not_ready(work) == [("ana", CLOSED)]
    (member,) = await team.people(work, ana.team, work.now)
    row = team_views.person_row(member, {}, work.now)
    assert (row.telephone, row.telephone_well) == (CLOSED, False)
    desk = await in_hand.read_in_hand(work, ana)
    card = views.desk_view(desk, None, work.now, False, 60)
    assert card.telephone == CLOSED


async def test_a_supervisor_cannot_set_a_counsellor_available_whose_session_ended(
    work: Work, ana: Staff
) -> None:
    vera, ana.chats_at_once = await a_supervisor(work), 0
    with pytest.raises(CannotBeRung):
        await team.set_state(work, vera, ana.id, PresenceState.AVAILABLE, StateReason.NEEDED_NOW)


async def test_another_page_that_is_ready_has_the_telephone(work: Work, ana: Staff) -> None:
    other = work.keys.session_key(await session_tokens.open_session(work, ana))
    # It takes the telephone only for calls: the page that was signed out may be signed in again.
    elsewhere = await telephones.report(work, ana, "home:1", TelephoneState.ELSEWHERE, other)
    assert not elsewhere
    assert await telephones.report(work, ana, "home:1", TelephoneState.READY, other)
    assert await telephones.not_ready(work) == []


async def test_a_page_that_is_signed_in_again_is_ready(work: Work, ana: Staff) -> None:
    again = work.keys.session_key(await session_tokens.open_session(work, ana))
    await telephones.report(work, ana, "stage:1", TelephoneState.READY, again)
    assert await telephones.not_ready(work) == []
    (member,) = await team.people(work, ana.team, work.now)
    assert team_views.person_row(member, {}, work.now).telephone_well
