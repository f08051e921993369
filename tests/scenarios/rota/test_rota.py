"""A duty manager's week: swaps, absences, and uncovered shifts that are told of."""

from datetime import datetime, timedelta
from typing import Any

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.routing.rota import coverage
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.mail import Mail
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.rota import Three, add, change, plan
from tests.support.talks import rings_at, talk, waits

DAY = timedelta(days=1)


BAD_RULES = [
    "FREQ=WEEKLY;INTERVAL=0;BYDAY=MO",
    "FREQ=DAILY;INTERVAL=-1",
    "FREQ=MONTHLY;BYDAY=+99MO",
    "FREQ=DAILY EXDATE:20300101T000000Z",
    "FREQ=DAILY;BYSETPOS=99",
    "FREQ=DAILY;COUNT=99999999",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;FREQ=WEEKLY",
    "BYDAY=MO",
    "",
    "FREQ=DAILY;UNTIL=99991231T000000",
    "FREQ=DAILY;COUNT=3;UNTIL=20300101",
]


# Paths and bodies whose times are none.
IMPOSSIBLE: list[tuple[str, dict[str, Any]]] = [
    (
        "changes",
        {
            "kind": "absence",
            "from_at": "9999-12-31T00:00:00-12:00",
            "until_at": "9999-12-31T23:00:00-12:00",
        },
    ),
    (
        "changes",
        {
            "kind": "absence",
            "from_at": "0001-01-01T00:00:00",
            "until_at": "2030-01-20T00:00:00",
        },
    ),
    (
        "changes",
        {
            "kind": "absence",
            "from_at": "2030-01-20T00:00:00Z",
            "until_at": "2050-01-20T00:00:00Z",
        },
    ),
    ("shifts", {"days": ["MO"], "begins": "08:00", "ends": "16:00", "first_on": "9999-12-31"}),
    ("shifts", {"days": ["MO"], "begins": "08:00", "ends": "16:00", "timezone": "Europe"}),
    ("shifts", {"days": ["MO"], "begins": "08:00", "ends": "16:00", "timezone": "A" * 299}),
    ("holidays", {"day": "9999-12-31", "name": "x"}),
]


@nightly
async def test_a_swap_that_a_colleague_agrees_to_moves_the_calls(
    stage: Stage, three: Three
) -> None:
    """Ten o'clock in Belgrade; Ana is on duty until she is not."""
    chief, ana, boris = three
    await add(chief, ana, "08:00", "16:00")
    asked = await plan(
        ana,
        "/changes",
        change("swap", ana, "2030-01-14T09:00", "2030-01-14T16:00", instead_id=str(boris.id)),
    )
    assert asked["state"] == "asked"
    await waits(stage)
    assert await ana.offer() is not None, (
        "a swap that the colleague has not agreed to changes nothing"
    )
    await ana.decline()
    # Only Boris can answer for himself.
    vera = await stage.add_counsellor("vera", shift=False, state=None)
    await plan(vera, f"/changes/{asked['id']}/agree", {}, 404)
    await plan(boris, f"/changes/{asked['id']}/agree", {}, 204)
    await stage.advance(2)
    assert await boris.offer() is not None
    assert await ana.offer() is None
    await boris.accept()
    await plan(boris, f"/changes/{asked['id']}/refuse", {}, 409)


async def test_the_end_of_a_shift_touches_no_live_call(stage: Stage, three: Three) -> None:
    chief, ana, _ = three
    await add(chief, ana, "08:00", "10:01")
    leg = await talk(stage, ana)
    await stage.advance(75)
    assert (await stage.call_of(leg))["state"] == "connected"
    other = await waits(stage, from_="+381649999999")
    assert (await stage.call_of(other))["state"] == "greeting", "no counsellor is on duty any more"
    await ana.do("hang-up")
    assert await ana.presence() == "wrap_up"
    await stage.advance(40)
    assert await ana.offer() is None


@nightly
async def test_an_absence_tells_the_caller_when_a_counsellor_is_there(
    stage: Stage, three: Three
) -> None:
    chief, ana, boris = three
    await add(chief, ana, "08:00", "16:00")
    await plan(ana, "/changes", change("absence", ana, "2030-01-14T09:00", "2030-01-15T12:00"))
    leg = await waits(stage, "2")
    call = await stage.call_of(leg)
    assert call["unstaffed"] == "out_of_hours"
    assert leg.has_heard("We are open again tomorrow at 12:00")
    await plan(chief, "/changes", change("extra", boris, "2030-01-14T14:30", "2030-01-14T15:00"))
    leg = await waits(stage, "2", "+381649999999")
    assert leg.has_heard("We are open again at 14:30")


async def test_only_a_planner_changes_the_duty_of_others(
    quiet: QuietStage, quiet_three: Three
) -> None:
    chief, ana, boris = quiet_three
    await add(chief, boris, "08:00", "16:00")
    span = ("2030-01-15T09:00", "2030-01-15T12:00")
    await plan(ana, "/changes", change("absence", boris, *span), 403)
    await plan(ana, "/changes", change("extra", ana, *span), 403)
    await plan(ana, "/changes", change("swap", boris, *span, instead_id=str(ana.id)), 403)
    # There is nothing of hers to take over, and the past is the past.
    await plan(ana, "/changes", change("swap", ana, *span, instead_id=str(boris.id)), 422)
    past = ("2030-01-13T09:00", "2030-01-13T12:00")
    await plan(chief, "/changes", change("absence", boris, *past), 422)
    await plan(chief, "/changes", change("absence", boris, span[1], span[0]), 422)
    made = await plan(chief, "/changes", change("absence", boris, *span))
    await plan(boris, f"/changes/{made['id']}/withdraw", {}, 404)
    await plan(chief, f"/changes/{made['id']}/withdraw", {}, 204)
    await plan(chief, f"/changes/{made['id']}/withdraw", {}, 409)


async def test_an_uncovered_shift_is_told_a_day_ahead_and_when_it_begins(
    night: Stage, post: Mail
) -> None:
    """One line, one language, covered by day; two in the night is uncovered."""
    stage, chief = night, await two_supervisors_with_mail(night)
    ana = await stage.add_counsellor("ana", shift=False, state=None)
    await add(chief, ana, "00:00", "00:00")
    absent = await plan(
        chief, "/changes", change("absence", ana, "2030-01-17T22:00", "2030-01-18T06:00")
    )

    async def look() -> list[str]:
        await coverage.look_over(stage.ground)
        await stage.settle()
        return [text.splitlines()[0] for text in post.to("chief@example.org")]

    assert await look() == [], "it is more than two days away"
    stage.stepped.move_to(datetime.fromisoformat("2030-01-15T23:00:00+00:00"))
    # Two jobs send them, in either order.
    assert sorted(await look()) == [
        "Helpline: uncovered shift soon: Plavi telefon (English)",
        "Helpline: uncovered shift soon: Plavi telefon (Serbian)",
    ]
    assert sorted(text.splitlines()[0] for text in post.to("boss@example.org")) == [
        "Linija: nepokrivena smena, uskoro: Plavi telefon (engleski)",
        "Linija: nepokrivena smena, uskoro: Plavi telefon (srpski)",
    ]
    mail = post.to("chief@example.org")[0]
    assert "Thu 17 Jan 22:00 to Fri 18 Jan 06:00" in mail
    assert len(await look()) == 2, "what was told is not told again"
    # It becomes longer, and is told again; shorter, and is not.
    await chief.sign_in()
    more = await plan(
        chief, "/changes", change("absence", ana, "2030-01-17T22:00", "2030-01-18T08:00")
    )
    assert len(await look()) == 4
    await plan(chief, f"/changes/{more['id']}/withdraw", {}, 204)
    assert len(await look()) == 4
    stage.stepped.move_to(datetime.fromisoformat("2030-01-17T21:00:30+00:00"))
    told = await look()
    assert len(told) == 6
    assert "Helpline: uncovered shift now: Plavi telefon (Serbian)" in told[4:]
    await chief.sign_in()
    await stays_on_the_board_until_it_is_seen(stage, chief, 6)
    await plan(chief, f"/changes/{absent['id']}/withdraw", {}, 204)
    view = (await chief.ask("GET", "/roster?begins=2030-01-17&ends=2030-01-19")).json()
    assert [c["uncovered_minutes"] for c in view["coverage"]] == [0, 0]


async def two_supervisors_with_mail(stage: Stage) -> Counsellor:
    """Add chief, and boss, who reads Serbian. Return chief."""
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, shift=False, state=None)
    async with transaction(stage.ground, PROGRAM) as work:
        staff = await work.session.get(Staff, chief.id)
        assert staff is not None
        staff.email = "chief@example.org"
    boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR, shift=False, state=None)
    await stage.rows(
        "UPDATE staff SET email = 'boss@example.org', page_language = 'sr' WHERE id = %s "
        "RETURNING 1",
        boss.id,
    )
    return chief


async def stays_on_the_board_until_it_is_seen(stage: Stage, chief: Counsellor, number: int) -> None:
    alarms = await stage.rows("SELECT id FROM coverage_alarms WHERE seen_at IS NULL")
    assert len(alarms) == number
    for alarm in alarms:
        await plan(chief, f"/roster/alarms/{alarm['id']}/seen".removeprefix("/roster"), {}, 204)
    assert await stage.rows("SELECT id FROM coverage_alarms WHERE seen_at IS NULL") == []


async def test_opening_hours_say_what_is_uncovered(quiet: QuietStage, quiet_three: Three) -> None:
    chief, ana, _ = quiet_three
    await add(chief, ana, "08:00", "20:00", days=["MO", "TU", "WE", "TH", "FR"])
    view = (await chief.ask("GET", "/roster?begins=2030-01-14&ends=2030-01-21")).json()
    assert view["coverage"][0]["uncovered_minutes"] == (7 * 24 - 5 * 12) * 60
    async with transaction(quiet.ground, PROGRAM) as work:
        from app.calls.lines import finding_lines, lines

        line = await finding_lines.any_line(work)
        assert line is not None
        await lines.set_opening_hours(work, line, "Mo-Fr 08:00-21:00; PH off")
    view = (await chief.ask("GET", "/roster?begins=2030-01-14&ends=2030-01-21")).json()
    assert view["coverage"][0]["uncovered_minutes"] == 5 * 60
    assert len(view["coverage"][0]["uncovered"]) == 5


async def test_a_rule_that_would_stop_the_rota_is_refused(quiet: QuietStage) -> None:
    chief = await quiet.add_counsellor("chief", role=Role.SUPERVISOR)
    for rule in BAD_RULES:
        body = {"staff_id": str(chief.id), "recurrence": rule, "begins": "08:00", "ends": "16:00"}
        assert (await chief.ask("POST", "/roster/shifts", body)).status_code == 422, rule
        assert (await chief.ask("GET", "/roster")).status_code == 200, rule


async def test_an_impossible_time_is_refused_and_the_helpline_goes_on(stage: Stage) -> None:
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    for path, values in IMPOSSIBLE:
        body = {"staff_id": str(chief.id), **values}
        assert (await chief.ask("POST", f"/roster/{path}", body)).status_code == 422, values
        for query in ("", "?begins=0001-01-01", "?begins=9999-12-31"):
            status = (await chief.ask("GET", f"/roster{query}")).status_code
            assert status == (422 if query else 200), values
    await waits(stage)
    assert await rings_at(stage, chief) == ["chief"], "the helpline goes on"


async def test_an_account_that_takes_no_calls_any_more_covers_nothing_and_reads_no_rota(
    quiet: QuietStage,
) -> None:
    chief = await quiet.add_counsellor("chief", role=Role.SUPERVISOR, shift=False)
    ana = await quiet.add_counsellor("ana")
    headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in ana.cookies.items())}
    base = quiet.settings.public_url
    page = (await quiet.client.post(base + "/roster/feed", headers=headers)).text
    address = page.split('class="address">')[1].split("<")[0]
    await quiet.rows("UPDATE staff SET role = 'auditor' WHERE id = %s RETURNING 1", ana.id)
    quiet.ground.memory.forget("everything")
    view = (await chief.ask("GET", "/roster?begins=2030-01-20&ends=2030-01-21")).json()
    assert view["duties"] == []
    assert [c["uncovered_minutes"] for c in view["coverage"]] == [1440, 1440]
    assert (await quiet.client.get(address)).status_code == 404
    answer = await quiet.client.post(base + "/roster/feed/revoke", headers=headers)
    assert answer.status_code == 200, "what is one's own can be taken back"
