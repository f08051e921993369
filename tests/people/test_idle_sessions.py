"""How long a session lasts: by hours, by acts of its person, and beyond both while they work."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.errors import Invalid
from app.jobs.transaction import flush
from app.routing import own_presence, telephones
from app.routing.at_work import at_work
from app.routing.models import Presence, PresenceState, TelephoneState
from app.routing.telephone_state import may_ring
from app.staff import session_tokens
from app.staff.models import Staff, StaffSession
from app.staff.roles import Role
from app.staff.sessions import LATELY, LONGEST, Duty, goes_on, note_use
from app.staff.sign_in_rules import DEFAULTS, Limits, Rules, set_sign_in_rules, sign_in_rules
from app.work import Work
from tests.support.profile import WHOLE, by_day
from tests.support.verbs import (
    a_counsellor,
    a_supervisor,
    a_waiting_call,
    offered,
    presence_of,
)


async def is_valid(work: Work, token: str) -> bool:
    return await session_tokens.staff_of_session(work, token, at_work) is not None


async def later(work: Work, minutes: float) -> None:
    await flush(work)
    work.now += timedelta(minutes=minutes)
    await work.session.flush()


async def test_a_session_ends_without_acts_and_a_page_that_is_open_is_none(work: Work) -> None:
    await set_sign_in_rules(work, Rules(idle_minutes=30))
    vera = await a_supervisor(work)
    token = await session_tokens.open_session(work, vera)
    await later(work, 29)
    assert await is_valid(work, token)
    await note_use(work, token, acts=True, reads=True)
    await later(work, 29)
    await note_use(work, token, acts=False, reads=True)
    assert await is_valid(work, token), "29 minutes after the last act"
    await later(work, 1)
    assert not await is_valid(work, token)


async def test_limits_differ_by_role_and_are_checked(work: Work) -> None:
    rules = Rules(
        session_hours=10,
        idle_minutes=30,
        of_roles={Role.SUPERVISOR: Limits(session_hours=1, idle_minutes=0)},
    )
    await set_sign_in_rules(work, rules)
    assert await sign_in_rules(work) == rules
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    await own_presence.choose_presence(work, ana, PresenceState.OFF_DUTY)
    of_vera, of_ana = [await session_tokens.open_session(work, one) for one in (vera, ana)]
    await later(work, 45)
    assert await is_valid(work, of_vera), "never idle"
    assert not await is_valid(work, of_ana)
    await later(work, 15)
    assert not await is_valid(work, of_vera), "one hour"
    for wrong in (Limits(session_hours=25), Limits(idle_minutes=4), Limits(idle_minutes=-1)):
        with pytest.raises(Invalid):
            await set_sign_in_rules(work, Rules(of_roles={Role.AUDITOR: wrong}))
    assert DEFAULTS.idle_for("counsellor") == timedelta(hours=1)


async def on_duty(work: Work, name: str) -> tuple[Staff, str]:
    """A counsellor on duty with a telephone in the page, whose session is short."""
    await set_sign_in_rules(work, Rules(session_hours=1, idle_minutes=5))
    ana = await a_counsellor(work, name)
    token = await session_tokens.open_session(work, ana)
    await telephones.claim(work, ana, "stage:1", work.keys.session_key(token))
    await telephones.report(
        work, ana, "stage:1", TelephoneState.READY, work.keys.session_key(token)
    )
    return ana, token


async def heard_later(work: Work, ana: Staff, minutes: float) -> None:
    """The page says that it is open."""
    await later(work, minutes)
    await work.session.execute(
        update(Presence).where(Presence.counsellor_id == ana.id).values(heartbeat_at=work.now)
    )


@pytest.mark.parametrize("state", ["available", "break"])
async def test_on_duty_with_the_telephone_of_the_page_it_goes_on(work: Work, state: str) -> None:
    ana, token = await on_duty(work, "ana")
    await own_presence.choose_presence_by_name(work, ana, state)
    # For longer than the limit of half an hour without an act.
    for _ in range(40 if WHOLE else 20):
        await heard_later(work, ana, 2)
        assert await is_valid(work, token)
    await telephones.report(work, ana, "stage:1", TelephoneState.OFF, work.keys.session_key(token))
    await later(work, 1)
    assert not await is_valid(work, token), "no call can ring there"


@pytest.mark.parametrize("state", by_day(["available", "break"]))
async def test_a_day_after_the_sign_in_it_ends_on_duty_too(work: Work, state: str) -> None:
    ana, token = await on_duty(work, "ana")
    await own_presence.choose_presence_by_name(work, ana, state)
    await heard_later(work, ana, 24 * 60 - 1)
    assert await is_valid(work, token)
    await heard_later(work, ana, 1)
    assert not await is_valid(work, token)


async def test_a_call_or_a_conversation_outlasts_the_day(work: Work) -> None:
    ana, token = await on_duty(work, "ana")
    await heard_later(work, ana, 24 * 60 - 1)
    presence = await presence_of(work, ana)
    for state in (PresenceState.OFFERED, PresenceState.ON_CALL, PresenceState.WRITING):
        presence.state = state.value
        await heard_later(work, ana, 90)
        assert await is_valid(work, token), state
    presence.state = PresenceState.AVAILABLE.value
    await heard_later(work, ana, 1)
    assert not await is_valid(work, token)


async def test_an_offer_that_comes_as_the_day_ends_is_answered(work: Work) -> None:
    ana, token = await on_duty(work, "ana")
    await heard_later(work, ana, 24 * 60 + 1)
    call = await a_waiting_call(work)
    assert await offered(work, call, ana)
    await heard_later(work, ana, 1)
    assert await is_valid(work, token)


async def test_another_browser_of_a_person_on_duty_ends_at_its_limit(work: Work) -> None:
    ana, token = await on_duty(work, "ana")
    at_home = await session_tokens.open_session(work, ana)
    await heard_later(work, ana, 61)
    assert await is_valid(work, token)
    assert not await is_valid(work, at_home)


async def test_a_browser_that_is_used_no_more_does_not_come_back_with_a_talk(work: Work) -> None:
    ana, token = await on_duty(work, "ana")
    unused, used = [await session_tokens.open_session(work, ana) for _ in range(2)]
    await heard_later(work, ana, 61)
    call = await a_waiting_call(work)
    await offered(work, call, ana)
    await note_use(work, used, acts=False, reads=True)
    await heard_later(work, ana, 1)
    assert await is_valid(work, token)
    assert await is_valid(work, used), "its page may hold what was typed of this talk"
    assert not await is_valid(work, unused)


async def rings(work: Work, ana: Staff) -> bool:
    """Whether a call may ring at her telephone."""
    found = select(Staff.id).join(Presence, Presence.counsellor_id == Staff.id)
    return await work.session.scalar(found.where(Staff.id == ana.id, may_ring())) is not None


async def test_no_call_rings_at_a_page_that_was_signed_out_until_it_is_in_again(
    work: Work,
) -> None:
    ana, token = await on_duty(work, "ana")
    assert await rings(work, ana)
    await session_tokens.close_session(work, token)
    assert not await rings(work, ana)
    again = await session_tokens.open_session(work, ana)
    await telephones.report(
        work, ana, "stage:1", TelephoneState.READY, work.keys.session_key(again)
    )
    assert await rings(work, ana)


async def test_in_an_offer_a_talk_and_a_wrap_up_it_goes_on(work: Work) -> None:
    ana, token = await on_duty(work, "ana")
    await telephones.report(work, ana, "stage:1", TelephoneState.OFF)
    call = await a_waiting_call(work)
    (offer,) = await offered(work, call, ana)
    await later(work, 61)
    assert await is_valid(work, token), "a call is offered"
    offer.released_at = work.now
    presence = await presence_of(work, ana)
    for state in (PresenceState.ON_CALL, PresenceState.WRAP_UP):
        presence.state = state.value
        await later(work, 61)
        assert await is_valid(work, token), state
    presence.state = PresenceState.AVAILABLE.value
    await later(work, 1)
    assert not await is_valid(work, token), "the work is over, and no telephone is there"


MOBILE = "+38164999001"


async def at_a_telephone(work: Work, *, hours: int, idle: int) -> tuple[Staff, str]:
    """A counsellor on duty at a phone of their own, whose page is open."""
    await set_sign_in_rules(work, Rules(session_hours=hours, idle_minutes=idle))
    ana = await a_counsellor(work, "ana", MOBILE)
    await own_presence.choose_presence(work, ana, PresenceState.AVAILABLE)
    return ana, await session_tokens.open_session(work, ana)


async def talks(work: Work, ana: Staff) -> Presence:
    """A call is taken at the telephone. Return the presence."""
    (offer,) = await offered(work, await a_waiting_call(work), ana)
    offer.released_at = work.now
    presence = await presence_of(work, ana)
    presence.state = PresenceState.ON_CALL.value
    await later(work, 1)
    return presence


async def test_no_idle_limit_ends_the_page_of_a_talk_at_a_telephone_of_its_own(work: Work) -> None:
    ana, token = await at_a_telephone(work, hours=10, idle=30)
    await later(work, 45)
    presence = await talks(work, ana)
    assert await is_valid(work, token), "the page slept before the talk"
    presence.state = PresenceState.WRAP_UP.value
    await later(work, 90)
    assert await is_valid(work, token), "until the record is saved"
    presence.state = PresenceState.AVAILABLE.value
    await later(work, 1)
    assert not await is_valid(work, token), "the work is over"


async def test_only_the_page_in_which_its_person_acted_last_goes_on_in_such_a_talk(
    work: Work,
) -> None:
    ana, token = await at_a_telephone(work, hours=10, idle=30)
    at_home = await session_tokens.open_session(work, ana)
    await later(work, 2)
    await note_use(work, token, acts=True, reads=True)
    await later(work, 45)
    await talks(work, ana)
    assert not await is_valid(work, at_home)
    assert await is_valid(work, token)


async def test_the_hours_of_a_sign_in_hold_before_such_a_talk(work: Work) -> None:
    ana, token = await at_a_telephone(work, hours=1, idle=30)
    await later(work, 61)
    await talks(work, ana)
    assert not await is_valid(work, token), "its hours were over before the talk"


async def test_one_that_was_idle_before_they_came_on_duty_is_over_in_such_a_talk(
    work: Work,
) -> None:
    ana, token = await at_a_telephone(work, hours=10, idle=30)
    await own_presence.choose_presence(work, ana, PresenceState.OFF_DUTY)
    await later(work, 45)
    await own_presence.choose_presence(work, ana, PresenceState.AVAILABLE)
    await later(work, 1)
    await talks(work, ana)
    assert not await is_valid(work, token)


async def test_one_that_was_over_before_the_work_began_does_not_begin_again(work: Work) -> None:
    ana, token = await on_duty(work, "ana")
    await own_presence.choose_presence(work, ana, PresenceState.OFF_DUTY)
    await later(work, 70)
    await own_presence.choose_presence(work, ana, PresenceState.AVAILABLE)
    new = await session_tokens.open_session(work, ana)
    await later(work, 1)
    assert await is_valid(work, new)
    assert not await is_valid(work, token)


@pytest.mark.parametrize(
    ("telephone", "is_busy", "goes"),
    [
        # No page has said yet that it has the telephone: any page of the person may have it.
        (None, False, True),
        (b"mine", False, True),
        (b"another", False, False),
        # In a talk that began after the session's end, only the page with the telephone goes on.
        (None, True, False),
        (b"mine", True, True),
        (b"another", True, False),
    ],
)
def test_the_session_whose_page_may_have_the_telephone_goes_on(
    work: Work, telephone: bytes | None, is_busy: bool, goes: bool
) -> None:
    began = work.now
    ended, now = began + timedelta(minutes=30), began + timedelta(minutes=40) + LATELY
    assert now < began + LONGEST
    session = StaffSession(token_key=b"mine", created_at=began, expires_at=ended)
    busy = ended + timedelta(minutes=5) if is_busy else None
    assert goes_on(session, ended, Duty(began, busy, telephone, None), now) is goes
