"""Which counsellor is asked for which caller, and when: told by phone."""

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.practice.people import Phone
from app.routing.rota.shifts import Layer
from app.staff.roles import Role
from tests.support.profile import WHOLE, nightly
from tests.support.talks import plan, rings_at, talk, waits


async def test_the_others_ring_on_until_the_two_are_together(stage: Stage) -> None:
    """The counsellor who took it is lost on the way in: the next may still take it, and no phone
    rings anew.
    """
    ana = await stage.add_counsellor("ana")
    boris = await stage.add_counsellor("boris")
    stage.exchange.phones[f"client:{ana.staff.identity}"] = Phone(picks_up=None)
    leg = await waits(stage, "9")
    assert await rings_at(stage, ana, boris) == ["ana", "boris"]
    await ana.accept()
    assert await rings_at(stage, ana, boris) == ["boris"]
    await stage.exchange.hang_up(
        next(x for x in stage.exchange.legs.values() if x.direction != "inbound")
    )
    await stage.advance(1)
    assert await rings_at(stage, ana, boris) == ["boris"]
    assert (await boris.accept()).status_code == 200
    await stage.advance(3)
    call = await stage.call_of(leg)
    assert (call["state"], call["returned"]) == ("connected", 0)
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


# By day `tests/routing` has the miss by our own fault, and the page that is away after one.
@nightly
async def test_a_page_that_was_away_is_excused_once_and_then_the_colleague_is_asked(
    stage: Stage,
) -> None:
    """The ring of a call that was taken reaches no page. It may be a moment, or it may last."""
    ana = await stage.add_counsellor("ana")
    stage.exchange.phones[f"client:{ana.staff.identity}"] = Phone(unreachable=True)
    leg = await waits(stage)
    assert (await ana.accept()).status_code == 200
    await stage.advance(3)
    assert await rings_at(stage, ana) == ["ana"], "offered there again at once"
    boris = await stage.add_counsellor("boris")
    assert (await ana.accept()).status_code == 200
    await stage.advance(3)
    assert await rings_at(stage, ana, boris) == ["boris"]
    assert await ana.presence() == "away"
    assert (await boris.accept()).status_code == 200
    await stage.advance(3)
    assert (await stage.call_of(leg))["state"] == "connected"
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


def at_once(stage: Stage) -> None:
    """An account that may begin as many calls a second as it likes."""
    stage.exchange.calls_per_second = 1e6
    stage.settings.calls_per_second = 100


async def test_two_phones_press_1_within_a_millisecond(stage: Stage) -> None:
    at_once(stage)
    phones = {n: Phone(picks_up=2, press_after=1) for n in ("+38164999001", "+38164999002")}
    stage.exchange.phones |= phones
    for n in phones:
        await stage.add_counsellor(f"c{n[-1]}", endpoint=n)
    leg = await waits(stage, "9")
    await stage.advance(15)
    legs = [x for x in stage.exchange.legs.values() if x.to in phones]
    assert sorted(x.over for x in legs) == [False, True], "the counsellor who was late is let go"
    conference = stage.exchange.conferences.of_leg(leg)
    assert conference is not None
    assert len(conference[0].participants) == 2
    assert (await stage.call_of(leg))["state"] == "connected"
    states = sorted(r["state"] for r in await stage.rows("SELECT state FROM offers"))
    assert states == ["connected", "withdrawn"]
    missed = await stage.rows("SELECT missed FROM presences")
    assert [row["missed"] for row in missed] == [0, 0]
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


async def _opens_backup_then_supervisor(stage: Stage) -> None:
    """Ten seconds after a caller has come, and five later: both decline."""
    backup = await stage.add_counsellor("backup", layer=Layer.BACKUP)
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, layer=Layer.SUPERVISOR)
    await stage.advance(5)
    assert await rings_at(stage, backup, chief) == []
    await stage.advance(5)
    assert await rings_at(stage, backup, chief) == ["backup"]
    await backup.decline()
    await stage.advance(1)
    assert await rings_at(stage, backup, chief) == []
    await stage.advance(4)
    assert await rings_at(stage, backup, chief) == ["chief"]
    await chief.decline()


async def test_a_wait_opens_at_last_the_phone_on_call(stage: Stage) -> None:
    """The only one who is asked sooner is on a break.

    When each layer opens is a rule of matching; with TESTS=whole two more are lived through.
    """
    await plan(stage, backup_after=10, supervisor_after=15, on_call_after=20)
    await stage.add_counsellor("ana", state="break")
    stage.exchange.phones["+38164999009"] = phone = Phone(picks_up=2)
    await stage.add_counsellor("mobile", endpoint="+38164999009", layer=Layer.ON_CALL, state=None)
    first = await waits(stage, from_="+381641110002")
    if WHOLE:
        await _opens_backup_then_supervisor(stage)
    else:
        await stage.advance(15)
    assert phone.rung == 0
    await stage.advance(12)
    assert phone.rung == 1, "it rings though its owner has not signed in"
    call = await stage.call_of(first)
    assert call["state"] == "connected"
    await stage.exchange.hang_up(first)
    await stage.advance(32)
    presence = await stage.rows(
        "SELECT state FROM presences p JOIN staff s ON s.id = p.counsellor_id"
        " WHERE s.name = 'mobile'"
    )
    assert presence[0]["state"] == "off_duty", "and does not sign its owner in"
    assert await broken_at_the_end(stage) == []


@nightly
async def test_an_empty_first_layer_is_not_waited_for(stage: Stage) -> None:
    await stage.add_counsellor("ana", state=None)
    backup = await stage.add_counsellor("backup", layer=Layer.BACKUP)
    await waits(stage)
    assert await rings_at(stage, backup) == ["backup"]


@nightly
async def test_training_needs_a_supervisor(stage: Stage) -> None:
    new = await stage.add_counsellor("new", training=True)
    leg = await waits(stage, "2")
    assert await rings_at(stage, new) == []
    assert leg.has_heard("No counsellor is here"), (
        "alone they do not count, and the caller hears that no counsellor is there"
    )
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, shift=False)
    stage.ground.memory.forget("everything")
    await waits(stage, from_="+381641110002")
    assert await rings_at(stage, new) == ["new"]
    await new.decline()
    await chief.be("off_duty")
    await stage.advance(35)
    assert await rings_at(stage, new) == []


@nightly
async def test_skills_of_the_line(stage: Stage) -> None:
    await plan(stage, skills={"violence": 2}, any_skill_after=30)
    some = await stage.add_counsellor("some", skills=["violence"])
    leg = await waits(stage)
    assert await rings_at(stage, some) == []
    skilled = await stage.add_counsellor("skilled", skills=["violence:3", "lgbt"])
    assert await rings_at(stage, some, skilled) == ["skilled"]
    await skilled.decline()
    await stage.advance(30)
    assert await rings_at(stage, some, skilled) == ["some"], "after a while the skill is not asked"
    await stage.exchange.hang_up(leg)


@nightly
async def test_a_counsellor_who_declined_is_asked_again_only_when_no_other_is_free(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await waits(stage)
    await ana.decline()
    assert await ana.presence() == "available"
    assert await ana.offer() is None
    await stage.advance(10)
    assert await rings_at(stage, ana) == []
    boris = await stage.add_counsellor("boris")
    assert await rings_at(stage, ana, boris) == ["boris"]
    await boris.decline()
    await stage.advance(31)
    assert len(await rings_at(stage, ana, boris)) == 1, (
        "no other counsellor is left: asked once more"
    )
    await stage.exchange.hang_up(leg)


@nightly
async def test_a_caller_for_whom_no_counsellor_is_free_does_not_stop_the_queue(
    stage: Stage,
) -> None:
    """No free counsellor can take the first caller; she can take the second."""
    english = await stage.add_counsellor("english", languages="en")
    serbian = await stage.add_counsellor("serbian", languages="sr")
    await talk(stage, serbian, from_="+381641110000")
    first = await waits(stage, "1", "+381641110001")
    await waits(stage, "2", "+381641110002")
    assert (await stage.call_of(first))["state"] == "queued"
    assert await rings_at(stage, english) == ["english"]
