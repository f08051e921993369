"""Transfers on a platform without conferences."""

from datetime import timedelta

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.practice.legs import Leg
from app.practice.people import Caller, Phone
from app.staff.roles import Role
from tests.support.platforms import EVA, MIRA, VERA, at_phone, reach, talks
from tests.support.profile import nightly


async def test_a_transfer_to_a_colleague_who_cannot_be_rung_or_is_not_on_shift_is_refused(
    stage: Stage,
) -> None:
    vera, _ = await at_phone(stage, "vera", VERA)
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, state="available")
    leg = await reach(stage, stage.ring())
    stage.exchange.phones[MIRA] = phone = Phone(picks_up=2)
    mira = await stage.add_counsellor("mira", endpoint=MIRA, shift=False)
    call = await stage.call_of(leg)
    for who in (chief, mira):
        body = {"counsellor_id": str(who.id), "warm": False}
        answer = await vera.ask("POST", f"/calls/{call['id']}/transfer", body)
        assert answer.status_code == 409, answer.text
    await stage.advance(15)
    assert talks(stage, leg)
    assert phone.rung == 0
    assert await vera.presence() == "on_call"
    assert await mira.presence() == "available"


@nightly
async def test_a_transfer_ends_the_talk_however_many_calls_came_since(stage: Stage) -> None:
    vera, _ = await at_phone(stage, "vera", VERA)
    leg = await reach(stage, stage.ring())
    await stage.advance(65)
    for n in range(210):
        sid = stage.exchange.sids.new("CA")
        stage.exchange.legs[sid] = Leg(
            sid=sid,
            account=stage.exchange.account_sid,
            from_=f"+3816400{n:05d}",
            to="+38111",
            direction="inbound",
            person=Caller(),
            created_at=stage.clock.now(),
            status="completed",
        )
    mira, _ = await at_phone(stage, "mira", MIRA)
    call = await stage.call_of(leg)
    old = leg.talks_with
    body = {"counsellor_id": str(mira.id), "warm": False}
    assert (await vera.ask("POST", f"/calls/{call['id']}/transfer", body)).status_code == 202
    await stage.advance(40)
    assert leg.talks_with is not old, "handed over, and still with the first"


# By day a transfer rings in danger, and is refused, here.
@nightly
async def test_a_transfer_waits_for_a_colleague_in_wrap_up(stage: Stage) -> None:
    """After a talk of more than a minute, too."""
    vera, _ = await at_phone(stage, "vera", VERA)
    leg = await reach(stage, stage.ring("+381641110001"))
    await stage.advance(70)
    mira, _ = await at_phone(stage, "mira", MIRA)
    # She writes the record of another talk.
    until = stage.clock.now() + timedelta(seconds=28)
    await stage.change_rows(
        f"UPDATE presences SET state = 'wrap_up', until_at = '{until}'"
        f" WHERE counsellor_id = '{mira.id}'"
    )
    assert await mira.presence() == "wrap_up"
    eva, _ = await at_phone(stage, "eva", EVA)
    call = await stage.call_of(leg)
    body = {"counsellor_id": str(mira.id), "warm": False}
    assert (await vera.ask("POST", f"/calls/{call['id']}/transfer", body)).status_code == 202
    await stage.advance(45)
    assert await mira.presence() == "on_call", f"eva is {await eva.presence()}"


async def test_a_transfer_in_danger_rings_the_colleague_alone(stage: Stage) -> None:
    vera, _ = await at_phone(stage, "vera", VERA)
    leg = await reach(stage, stage.ring(), "9")
    mira, theirs = await at_phone(stage, "mira", MIRA)
    _, hers = await at_phone(stage, "eva", EVA)
    call = await stage.call_of(leg)
    body = {"counsellor_id": str(mira.id), "warm": False}
    assert (await vera.ask("POST", f"/calls/{call['id']}/transfer", body)).status_code == 202
    await stage.advance(4)
    assert (theirs.rung, hers.rung) == (1, 0)


@nightly
async def test_a_hand_over_to_a_colleague_rings_them_first(somleng: Stage) -> None:
    stage = somleng
    vera, _ = await at_phone(stage, "vera", VERA)
    leg = await reach(stage, stage.ring())
    await at_phone(stage, "mila", "+38164999003")
    await stage.advance(1)
    mira, _ = await at_phone(stage, "mira", MIRA)
    call = await stage.call_of(leg)
    body = {"counsellor_id": str(mira.id), "warm": False}
    answer = await vera.ask("POST", f"/calls/{call['id']}/transfer", body)
    assert answer.status_code == 202, answer.text
    await stage.advance(5)
    await stage.until(lambda: talks(stage, leg), limit=60)
    await stage.advance(4)
    assert await mira.presence() == "on_call"
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []
