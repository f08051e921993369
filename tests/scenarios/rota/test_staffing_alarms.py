"""A night without a counsellor is noticed: rota against presence, told to people until one acts."""

from datetime import time, timedelta
from typing import Any

from app.calls.lines import finding_lines
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.people import Phone
from app.routing import changing_plans
from app.routing.rota import unstaffed_alarms
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.calls.callers import hangs_up_unheard
from tests.support.contacts import skip_minutes, until_later
from tests.support.mail import Mail
from tests.support.profile import WHOLE, nightly
from tests.support.program.quiet import QuietStage
from tests.support.referrals import add_agency, phone
from tests.support.talks import rings_at, talk, waits
from tests.support.verbs import joins_the_queue, rings

CHIEF, DEPUTY, DIRECTOR = "+38164555001", "+38164555002", "+38164555003"


VERA = "+38164999001"


async def on_call(stage: Stage, **more: Any) -> None:
    """Our own people on call, as the directory has them."""
    await add_agency(
        stage,
        "supervisor",
        "supervisor_on_call",
        sector="own_house",
        phones=(CHIEF, DEPUTY),
        **more,
    )
    await add_agency(stage, "director", "director_on_call", sector="own_house", phones=(DIRECTOR,))


async def alarms(stage: Stage) -> list[dict[str, Any]]:
    return await stage.rows("SELECT * FROM alarms ORDER BY begun_at, language")


async def tried(stage: Stage) -> list[tuple[str, str | None]]:
    rows = await stage.rows("SELECT target, result FROM alarm_attempts ORDER BY wanted_at, number")
    return [(row["target"], row["result"]) for row in rows]


def lets_ring(stage: Stage, *numbers: str) -> None:
    for number in numbers:
        phone(stage, number, picks_up=None)


async def night_shift(stage: Stage, **more: Any) -> Counsellor:
    """The only counsellor of the night, at a phone."""
    return await stage.add_counsellor("vera", endpoint=VERA, languages="sr", **more)


async def test_a_shift_without_its_counsellor_is_told_until_a_person_acknowledges(
    stage: Stage,
) -> None:
    await on_call(stage)
    lets_ring(stage, CHIEF)
    phone(stage, DEPUTY, picks_up=3)
    # A trainee alone is no cover.
    await stage.add_counsellor("new", languages="sr", training=True)
    await night_shift(stage, state=None)
    await stage.advance(100)
    (alarm,) = await alarms(stage)
    assert (alarm["kind"], alarm["language"]) == ("no_counsellor_signed_in", "sr")
    assert await tried(stage) == [(CHIEF, "no_answer"), (DEPUTY, "acknowledged")]
    assert alarm["acknowledged_by"] == "Supervisor"
    heard = " ".join(h.text for h in stage.exchange.phones[DEPUTY].heard)
    assert "no counsellor has signed in" in heard
    await skip_minutes(stage, 10, every=2)
    assert len(await tried(stage)) == 2, "acknowledged: no other person is rung"


async def test_a_shift_that_has_just_begun_is_no_alarm_yet_and_of_two_supervisors_the_first_counts(
    stage: Stage,
) -> None:
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, state=None, shift=False)
    other = await stage.add_counsellor("other", role=Role.SUPERVISOR, state=None, shift=False)
    await night_shift(
        stage,
        state=None,
        recurrence="FREQ=DAILY",
        starts_at=time(10),
        minutes=480,
        timezone="Europe/Belgrade",
    )
    await stage.advance(100)
    assert await alarms(stage) == []
    await stage.advance(40)
    listed = (await chief.ask("GET", "/staffing-alarms")).json()
    assert [one["kind"] for one in listed] == ["no_counsellor_signed_in"]
    path = f"/staffing-alarms/{listed[0]['id']}/acknowledge"
    assert (await chief.ask("POST", path)).status_code == 204
    assert (await other.ask("POST", path)).status_code == 204
    (alarm,) = await alarms(stage)
    assert alarm["acknowledged_by"] == "chief", "the first counts"
    board = await stage.client.get(
        f"{stage.settings.public_url}/", headers={"Cookie": other.cookie_header}
    )
    assert "Acknowledged by chief" in board.text


async def test_it_ends_when_a_counsellor_is_there_and_no_phone_rings_on(stage: Stage) -> None:
    await on_call(stage)
    lets_ring(stage, CHIEF, DEPUTY, DIRECTOR)
    vera = await night_shift(stage, state=None)
    await stage.advance(12)
    ringing = [x for x in stage.exchange.legs.values() if x.to == CHIEF]
    assert len(ringing) == 1
    await vera.be("available")
    await stage.advance(8)
    (alarm,) = await alarms(stage)
    assert alarm["ended_at"] is not None
    assert all(x.over for x in ringing)
    rung = len(await tried(stage))
    await skip_minutes(stage, 5, every=1)
    assert len(await tried(stage)) == rung


async def test_mailboxes_busy_phones_and_messages_lead_on_to_the_director(
    night: Stage, post: Mail
) -> None:
    stage = night
    await on_call(stage, sms=CHIEF, email="chief@example.org", languages=("sr",))
    phone(stage, CHIEF, picks_up=2, machine=True, presses=None)
    phone(stage, DEPUTY, busy=True)
    phone(stage, DIRECTOR, picks_up=2)
    await night_shift(stage, state=None)
    await stage.advance(150)
    found = await tried(stage)
    assert found[:2] == [(CHIEF, "machine"), (DEPUTY, "busy")]
    assert (CHIEF, "delivered") in found
    assert ("chief@example.org", "delivered") in found
    assert found[-1] == (DIRECTOR, "acknowledged")
    # In the language of our people on call.
    mail, text = post.to("chief@example.org")[0], stage.exchange.phones[CHIEF].texts[0].text
    for message in (mail, text):
        assert "nijedan savetnik se nije prijavio. Pogledajte" in message.replace("\n", " ")
    assert "Linija: uzbuna" in mail
    assert "/roster" in text
    assert (await alarms(stage))[0]["acknowledged_by"] == "Director"


async def test_the_last_one_on_duty_is_told_before_being_set_away(stage: Stage) -> None:
    """Three missed rings, in the night, and the only counsellor: she is told, and so is a person
    on call; only then she is away."""
    await on_call(stage)
    lets_ring(stage, CHIEF, DEPUTY, DIRECTOR)
    stage.exchange.phones[VERA] = vera_phone = Phone(picks_up=None)
    vera = await night_shift(stage)
    await waits(stage)
    await _misses_a_third_time(stage)
    await stage.advance(7)
    assert await vera.presence() == "available"
    assert any("missed calls" in text.text for text in vera_phone.texts)
    assert "last_one_misses" in [a["kind"] for a in await alarms(stage)]
    await until_later(stage, lambda: _missed(stage, 4), 90, "one more", every=2)
    assert await vera.presence() == "away"
    await stage.advance(10)
    still = [a["kind"] for a in await alarms(stage) if a["ended_at"] is None]
    assert "all_away" in still, "still no counsellor is there"
    assert len(await tried(stage)) >= 2


async def test_a_caller_who_waits_longer_than_the_line_allows_is_an_alarm(
    quiet: QuietStage,
) -> None:
    await quiet.add_counsellor("ana", state="break")
    async with transaction(quiet.ground, PROGRAM) as work:
        call, _ = await rings(work)
        await joins_the_queue(work, call)

    async def kinds() -> set[str]:
        await unstaffed_alarms.watch(quiet.ground)
        return {one["kind"] for one in await alarms(quiet) if one["ended_at"] is None}

    for seconds, is_long in ((290, False), (20, True)):
        quiet.stepped.move_to(quiet.clock.now() + timedelta(seconds=seconds))
        assert ("long_wait" in await kinds()) == is_long
    await hangs_up_unheard(quiet, call.id)
    assert "long_wait" not in await kinds()


async def test_an_alarm_that_was_taken_hides_none_of_another_kind(stage: Stage) -> None:
    await on_call(stage)
    phone(stage, CHIEF, picks_up=2)
    stage.exchange.phones[VERA] = Phone(picks_up=None)
    vera = await night_shift(stage, state="break")
    async with transaction(stage.ground, PROGRAM) as work:
        line = await finding_lines.any_line(work)
        assert line is not None
        await changing_plans.change_plan(work, line, longest_wait=60)
    leg = await waits(stage)
    await stage.advance(100)
    (first,) = await alarms(stage)
    assert (first["kind"], first["acknowledged_by"]) == ("long_wait", "Supervisor")
    # The chief knows that a caller waits, and not that the only counsellor hears no ring.
    await vera.be("available")
    await _misses_a_third_time(stage)
    await stage.advance(30)
    found = {a["kind"]: a for a in await alarms(stage)}
    assert set(found) == {"long_wait", "last_one_misses"}
    assert found["long_wait"]["ended_at"] is None
    assert found["last_one_misses"]["acknowledged_by"] == "Supervisor"
    heard = " ".join(h.text for h in stage.exchange.phones[CHIEF].heard)
    assert "The last counsellor on duty does not answer calls" in heard
    # Each ends with its own reason.
    await stage.exchange.hang_up(leg)
    await stage.advance(10)
    over = {a["kind"]: a["ended_at"] is not None for a in await alarms(stage)}
    assert over == {"last_one_misses": False, "long_wait": True}
    await vera.be("available")
    await stage.advance(10)
    assert all(a["ended_at"] is not None for a in await alarms(stage))


async def _misses_a_third_time(stage: Stage) -> None:
    """The second is like the first, and by day both were missed already."""
    if WHOLE:
        await stage.until(lambda: _missed(stage, 1), limit=90, what="a miss")
    await stage.change_rows("UPDATE presences SET missed = 2")
    await until_later(stage, lambda: _missed(stage, 3), 90, "one more", every=2)


async def _missed(stage: Stage, times: int) -> bool:
    (row,) = await stage.rows("SELECT missed FROM presences")
    return bool(row["missed"] >= times)


@nightly
async def test_a_counsellor_who_is_not_the_last_one_is_set_away_as_always(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    first = await talk(stage, ana)
    boris = await stage.add_counsellor("boris")
    await waits(stage, from_="+381641110009")
    await stage.advance(25)
    assert await boris.presence() == "away"
    await stage.exchange.hang_up(first)


@nightly
async def test_all_away_and_a_caller_who_waits_too_long_are_alarms(stage: Stage) -> None:
    await on_call(stage)
    lets_ring(stage, CHIEF, DEPUTY, DIRECTOR)
    ana = await stage.add_counsellor("ana", languages="sr")
    first = await talk(stage, ana)
    second = await waits(stage, from_="+381641110009")
    await stage.advance(330)
    assert "long_wait" in [a["kind"] for a in await alarms(stage)]
    await stage.exchange.hang_up(second)
    await stage.exchange.hang_up(first)
    await stage.advance(10)
    assert all(a["ended_at"] is not None for a in await alarms(stage))
    await stage.advance(200)
    # Her browser has fallen silent.
    assert await stage.rows("SELECT 1 FROM presences WHERE state = 'away'")
    open_now = [a["kind"] for a in await alarms(stage) if a["ended_at"] is None]
    assert open_now == ["all_away"]


async def test_a_missed_ring_opens_the_next_layer_at_once(stage: Stage) -> None:
    from app.routing.rota.shifts import Layer

    await stage.add_counsellor("ana")
    backup = await stage.add_counsellor("backup", layer=Layer.BACKUP)
    await stage.rows(
        'UPDATE lines SET plan = \'{"backup_after": 600, "supervisor_after": 700,'
        ' "on_call_after": 800}\' RETURNING 1'
    )
    stage.ground.memory.forget("everything")
    await waits(stage)
    assert await rings_at(stage, backup) == []
    await stage.advance(22)
    assert await rings_at(stage, backup) == ["backup"]


async def test_alarms_outlive_a_restart(stage: Stage) -> None:
    await on_call(stage)
    lets_ring(stage, CHIEF, DEPUTY)
    phone(stage, DIRECTOR, picks_up=1)
    await night_shift(stage, state=None)
    await stage.advance(12)
    await stage.restart_server()
    await stage.advance(200)
    assert (DIRECTOR, "acknowledged") in await tried(stage)
    assert stage.clock.now() - (await alarms(stage))[0]["begun_at"] > timedelta(seconds=60)
