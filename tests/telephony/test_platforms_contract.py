"""The contract of a telephony platform: every implementation passes, over HTTP, on the exchange."""

from collections.abc import AsyncIterator, Awaitable
from datetime import datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import pytest

from app.abilities import PLATFORMS, Ability
from app.calls.labels import participant_label
from app.demo.stage import LINE, Stage, stage_on
from app.outbox.responses import Refused
from app.practice.legs import Leg
from app.practice.people import Phone
from app.practice.profiles import PROFILES
from app.practice.twiml import parse
from app.settings import Settings
from app.telephony import script
from app.telephony.documents import twiml
from app.telephony.platforms.base import CannotDo, Platform
from app.telephony.platforms.choose import KINDS, platform_of
from app.telephony.provider.urls import offer_path
from tests.support.answers import ANSWERS, CONFERENCES, DIALLED, SCENE
from tests.support.platforms import at_phone, reach

PHONE = "+38164999001"
AT_THE_PROVIDER = (
    Ability.WAITING_ROOM,
    Ability.DELETE_COPIES,
    Ability.DELETE_RECORDINGS,
    Ability.FLOWS,
)


@pytest.fixture(params=sorted(KINDS))
async def anywhere(
    request: pytest.FixtureRequest, database: str, anyio_backend: str
) -> AsyncIterator[Stage]:
    async with stage_on(database, platform=request.param, wrap_up_seconds=30) as made:
        await made.add_line()
        yield made


def test_every_platform_of_the_settings_has_an_implementation_and_a_profile() -> None:
    choices = set(get_args(Settings.model_fields["telephony_platform"].annotation))
    assert choices == set(KINDS) == set(PLATFORMS) == set(PROFILES)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_platform_executes_what_its_documents_say(name: str) -> None:
    settings = Settings(public_url="https://helpline.example.org").model_copy(
        update={"telephony_platform": name}
    )
    platform = platform_of(settings)
    never = DIALLED if platform.abilities.can(Ability.ADD) else CONFERENCES
    for answer in (one for one in ANSWERS if not isinstance(one, never)):
        body = twiml(script.steps_for(answer, SCENE.where(to=PHONE, shows=LINE)), platform)
        parse(body.encode(), "text/xml", None, PROFILES[name])


async def test_a_leg_is_rung_once_found_by_its_address_and_ended(anywhere: Stage) -> None:
    """A leg is rung once, is found by its address, and ends however often that is asked."""
    stage, platform = anywhere, platform_of(anywhere.settings)
    stage.exchange.phones[PHONE] = phone = Phone(picks_up=None)
    began = stage.clock.now() - timedelta(seconds=2)
    sid = await platform.ring(
        to=PHONE, from_=LINE, document="/telephony/voice", told="/telephony/status", seconds=30
    )
    await stage.advance(1)
    assert phone.rung == 1
    assert [leg.sid for leg in await platform.live_legs()] == [sid]
    assert await platform.find_leg(to=PHONE, since=began, known=set()) == sid
    assert await platform.find_leg(to=PHONE, since=began, known={sid}) is None
    assert await platform.find_leg(to="+38164999002", since=began, known=set()) is None
    await platform.end(sid)
    await platform.end(sid)
    await stage.advance(1)
    assert stage.exchange.legs[sid].over
    assert await platform.live_legs() == []


async def test_a_counsellor_who_presses_1_and_the_caller_talk_and_what_is_promised_is_done(
    anywhere: Stage,
) -> None:
    """There is one record of it; what the abilities do not promise is refused and not sent."""
    stage = anywhere
    vera, _ = await at_phone(stage, "vera", PHONE)
    leg = await reach(stage, stage.ring())
    call = await stage.call_of(leg)
    assert call["state"] == "connected"
    assert await vera.presence() == "on_call"
    found = await platform_of(stage.settings).fetch_call(leg.sid)
    assert found is not None
    assert found.status == "in-progress"
    (offer,) = await stage.rows("SELECT id, conference_sid FROM offers")
    room, name = offer["conference_sid"] or "CF0", str(offer["id"])
    await a_talk_is_shown_whispered_into_and_kept_together(stage, leg, room, name)
    await hold_mute_and_add_are_done_or_refused(stage, leg, room, name)
    await stage.exchange.hang_up(leg)
    await stage.advance(5)


async def hold_mute_and_add_are_done_or_refused(
    stage: Stage, leg: Leg, room: str, name: str
) -> None:
    platform, before = platform_of(stage.settings), len(stage.exchange.asked)
    music = offer_path(name, "hold")
    held = platform.hold(room, leg.sid, held=True, music=music)
    await done_or_refused(platform, Ability.HOLD, held)
    await done_or_refused(platform, Ability.MUTE, platform.mute(room, leg.sid, muted=True))
    added = platform.add(
        name,
        to="+38164999005",
        from_=LINE,
        label=participant_label(UUID(int=1)),
        told="/telephony/status",
        conference_told=offer_path(name, "conference"),
        hold=music,
        seconds=20,
    )
    await done_or_refused(platform, Ability.ADD, added)
    if platform.abilities.can(Ability.HOLD):
        part = _part(stage, leg)
        assert part.held
        assert part.muted
        assert await platform.is_held(room, leg.sid)
        assert leg.sid in await platform.participants(room)
    else:
        assert len(stage.exchange.asked) == before, "nothing was sent"
    third = [one for one in stage.exchange.legs.values() if one.to == "+38164999005"]
    assert len(third) == platform.abilities.can(Ability.ADD)


async def a_talk_is_shown_whispered_into_and_kept_together(
    stage: Stage, leg: Leg, room: str, name: str
) -> None:
    """Who is in a talk, a word to one leg alone, and who may leave without ending it."""
    platform, before = platform_of(stage.settings), len(stage.exchange.asked)
    shown = platform.abilities.can(Ability.SHOW_TALKS)
    assert await platform.find_conference(name) == (room if shown else None)
    assert await platform.find_conference("no such talk") is None
    await done_or_refused(platform, Ability.SHOW_TALKS, platform.participants(room))
    whisper = platform.mute(room, leg.sid, muted=False, coach=_other(stage, leg))
    await done_or_refused(platform, Ability.MUTE, whisper)
    leaves = platform.set_end_on_exit(room, leg.sid, ends=False)
    await done_or_refused(platform, Ability.ASK_BY_KEY, leaves)
    if shown:
        part = _part(stage, leg)
        assert (part.coaches, part.ends_on_exit) == (_other(stage, leg), False)
    else:
        assert len(stage.exchange.asked) == before, "nothing was sent"


async def test_what_the_provider_keeps_is_set_up_found_and_deleted_or_refused(
    anywhere: Stage,
) -> None:
    """What a platform cannot do outside a talk is refused, too, and without a request."""
    stage, platform = anywhere, platform_of(anywhere.settings)
    before = len(stage.exchange.asked)
    can = platform.abilities.can
    taken = await platform.set_up_waiting_room()
    assert (taken is not None) == can(Ability.WAITING_ROOM)
    await done_or_refused(platform, Ability.DELETE_COPIES, platform.find_copies([PHONE]))
    await done_or_refused(platform, Ability.DELETE_RECORDINGS, platform.delete_recording("RE0"))
    if not can(Ability.FLOWS):
        with pytest.raises(CannotDo):
            await platform.keep_flow("helpline", {})
    if not any(can(one) for one in AT_THE_PROVIDER):
        assert len(stage.exchange.asked) == before, "nothing was sent"


async def test_a_live_leg_hears_another_document_from_its_beginning(anywhere: Stage) -> None:
    """A live leg is sent to another document of ours, and hears it from its beginning."""
    stage, platform = anywhere, platform_of(anywhere.settings)
    leg = stage.ring()
    await stage.advance(3)
    before = [one.text for one in leg.heard]
    await platform.move(leg.sid, "/telephony/voice")
    await stage.advance(3)
    again = [one.text for one in leg.heard][len(before) :]
    assert before[0] in again
    assert not leg.over
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    with pytest.raises(Refused):
        await platform.move(leg.sid, "/telephony/voice")


async def test_rings_that_ended_are_listed_by_their_end(anywhere: Stage) -> None:
    """The list that finds the rings of an outage has each inbound leg once, and no other leg."""
    stage, platform = anywhere, platform_of(anywhere.settings)
    began = stage.clock.now()
    short = stage.ring("+381641110001")
    await stage.advance(3)
    await stage.exchange.hang_up(short)
    await stage.advance(10)
    middle = stage.clock.now()
    await stage.advance(10)
    later = stage.ring("+381641110002")
    await platform.ring(
        to=PHONE, from_=LINE, document="/telephony/voice", told="/telephony/status", seconds=30
    )
    await stage.advance(3)
    assert later.sid not in await _ended(platform, began, stage.clock.now()), "it still rings"
    await stage.exchange.hang_up(later)
    await stage.advance(3)
    end = stage.clock.now() + timedelta(seconds=1)
    assert await _ended(platform, began - timedelta(seconds=1), middle) == [short.sid]
    assert await _ended(platform, middle, end) == [later.sid]


async def test_a_message_is_sent_once_and_found(anywhere: Stage) -> None:
    """An SMS whose answer was lost is found by its number, and not mistaken for another one."""
    stage, platform = anywhere, platform_of(anywhere.settings)
    since = stage.clock.now() - timedelta(seconds=2)
    sid = await platform.send_message(
        to=PHONE, from_=LINE, body="A referral waits.", told="/telephony/messages/status"
    )
    find = platform.find_message
    assert await find(to=PHONE, since=since, known=set()) == sid
    assert await find(to=PHONE, since=since, known={sid}) is None
    assert await find(to="+38164999002", since=since, known=set()) is None
    second = await platform.send_message(
        to=PHONE, from_=LINE, body="A referral waits.", told="/telephony/messages/status"
    )
    assert await find(to=PHONE, since=since, known=set()) is None, "two: neither is guessed"
    assert await find(to=PHONE, since=since, known={sid}) == second


async def _ended(platform: Platform, since: datetime, until: datetime) -> list[str]:
    return [leg.sid for leg in await platform.ended_rings(since, until)]


def _other(stage: Stage, leg: Leg) -> str:
    """Return the id of the leg that talks with this one."""
    return next(one.sid for one in stage.exchange.legs.values() if one.sid != leg.sid)


async def done_or_refused(platform: Platform, ability: Ability, verb: Awaitable[Any]) -> None:
    if platform.abilities.can(ability):
        await verb
        return
    with pytest.raises(CannotDo):
        await verb


def _part(stage: Stage, leg: Leg) -> Any:
    found = stage.exchange.conferences.of_leg(leg)
    assert found is not None
    return found[1]
