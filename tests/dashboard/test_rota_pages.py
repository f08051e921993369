"""The pages of the rota: a duty is planned by an ordinary form, and the need stands beside it."""

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from app.dashboard.rota.done import Done
from app.dashboard.rota.week_blocks import Week, block_in
from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.referrals import page
from tests.support.rota import add

DAY = "2030-01-16"


async def test_a_planner_moves_a_duty_by_a_form_and_the_second_planner_is_told(
    quiet: QuietStage,
) -> None:
    chief = await quiet.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await add(chief, ana, "08:00", "16:00")
    week = (await page(quiet, chief, "/roster")).text
    assert "Planned / needed" in week
    assert "Uncovered" in week
    # What is past is not shown as uncovered: it is ten o'clock on Monday.
    assert "from_at=2030-01-14T00" not in week
    was = f"{ana.id}~{DAY}T07:00:00+00:00~{DAY}T15:00:00+00:00~primary"
    shown = await page(quiet, chief, f"/roster/duty?at={was.replace('+', '%2B')}")
    assert f'value="{DAY}T08:00"' in shown.text
    typed = {
        "was": was,
        "staff_id": str(ana.id),
        "from_at": f"{DAY}T09:00",
        "until_at": f"{DAY}T17:00",
        "layer": "primary",
        "act": "save",
    }
    wrong = await page(quiet, chief, "/roster/duty", **{**typed, "until_at": f"{DAY}T08:00"})
    assert "The end must be after the beginning." in wrong.text
    assert f'value="{DAY}T09:00"' in wrong.text, "what was typed stays"
    done = await page(quiet, chief, "/roster/duty", **typed)
    assert done.status_code == 303
    told = (await page(quiet, chief, done.headers["location"])).text
    assert "Moved: ana" in told
    assert 'id="undo-move"' in told
    second = await page(quiet, chief, "/roster/duty", **typed)
    assert second.status_code == 409
    assert "Another person has changed this" in second.text
    made = await page(quiet, chief, "/roster/duty/new", **{**typed, "from_at": f"{DAY}T18:00"})
    assert "The end must be after the beginning." in made.text
    view = (await chief.ask("GET", f"/roster?begins={DAY}&ends=2030-01-17")).json()
    assert [one["begins_at"] for one in view["duties"]] == [f"{DAY}T08:00:00Z"]
    # The page still says whose duty it was if the person has left.
    await quiet.change_rows("UPDATE staff SET active = false WHERE name = 'ana'")
    left = await page(quiet, chief, f"/roster/duty?at={was.replace('+', '%2B')}")
    assert "<h1>ana</h1>" in left.text


@nightly
async def test_forms_copy_a_week_and_say_what_an_absence_leaves_uncovered(stage: Stage) -> None:
    """By day the verbs of it are tried (tests/routing/rota)."""
    chief = await stage.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await stage.add_counsellor("ana", shift=False, state=None)
    typed = {"staff_id": str(ana.id), "layer": "primary", "from_at": f"{DAY}T08:00"}
    typed |= {"until_at": f"{DAY}T16:00", "repeat": "", "last_on": "", "reason": ""}
    assert (await page(stage, chief, "/roster/duty/new", **typed)).status_code == 303
    weeks = {"from_on": "2030-01-14", "to_on": "2030-01-22"}
    copied = await page(stage, chief, "/roster/copy", **weeks)
    told = (await page(stage, chief, copied.headers["location"])).text
    assert "1 added, 0 were there already" in told
    await stage.advance(1)
    absent = {**typed, "kind": "absence", "until_at": f"{DAY}T12:00"}
    done = await page(stage, chief, "/roster/change", **absent)
    told = (await page(stage, chief, done.headers["location"])).text
    assert "No person works this duty now" in told
    assert "ana, Wed 16 Jan 08:00 to 12:00" in told
    copied = await page(stage, chief, "/roster/copy", from_on="2030-01-21", to_on="2030-01-14")
    told = (await page(stage, chief, copied.headers["location"])).text
    assert "Not copied, as the person is absent" in told
    swap = {**typed, "kind": "swap", "reason": "a course"}
    refused = (await page(stage, chief, "/roster/change", **swap)).text
    assert "Choose the colleague who takes over." in refused
    assert 'value="a course"' in refused, "what was typed stays"
    weekly = {**typed, "repeat": "weekly", "from_at": "2030-02-01T08:00"}
    weekly["until_at"] = "2030-02-01T16:00"
    assert (await page(stage, chief, "/roster/duty/new", **weekly)).status_code == 303
    (row,) = await stage.rows("SELECT recurrence FROM shifts WHERE recurrence IS NOT NULL")
    assert row["recurrence"] == "FREQ=WEEKLY;BYDAY=FR"


async def test_a_planner_sees_who_has_too_little_rest(quiet: QuietStage) -> None:
    chief = await quiet.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await add(chief, ana, "08:00", "16:00")
    week = (await page(quiet, chief, "/roster?week=2030-01-21")).text
    assert "no free day" in week
    assert "of rest before" not in week
    late = {"counsellor_id": str(ana.id), "begins_at": f"{DAY}T18:00", "ends_at": f"{DAY}T22:30"}
    assert (await chief.ask("POST", "/roster/duties", late)).status_code == 201
    week = (await page(quiet, chief, "/roster")).text
    assert "only 2 h of rest before" in week
    assert "only 9 h 30 min of rest before" in week
    assert "of rest before" not in (await page(quiet, ana, "/roster")).text


async def test_the_week_says_hour_by_hour_where_too_few_or_too_many_are_planned(
    quiet: QuietStage,
) -> None:
    chief = await quiet.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    times = (("ana", "10:00", "14:00"), ("boris", "12:00", "16:00"), ("iva", "14:00", "16:00"))
    for name, begins, ends in (*times, ("mila", "14:00", "16:00")):
        one = await quiet.add_counsellor(name, shift=False, state=None)
        await add(chief, one, begins, ends)
    week = (await page(quiet, chief, "/roster?week=2030-01-21")).text
    cells = re.findall(r'data-state="(few|many|well)" title="(Mon [^"]*)"', week)
    # No child has rung yet: two are needed, the fewest of the country.
    assert cells == [
        ("few", "Mon 00:00–10:00: 0 planned, 2 needed"),
        ("few", "Mon 10:00–12:00: 1 planned, 2 needed"),
        ("well", "Mon 12:00–14:00: 2 planned, 2 needed"),
        ("many", "Mon 14:00–16:00: 3 planned, 2 needed"),
        ("few", "Mon 16:00–24:00: 0 planned, 2 needed"),
    ]
    assert '<span aria-hidden="true">▼' in week
    by_hour = re.findall(r'<td data-state="(\w+)">.*?</span>(\d/\d)</td>', week, re.DOTALL)[:24]
    few, well, many = ("few", "1/2"), ("well", "2/2"), ("many", "3/2")
    assert by_hour[9:17] == [("few", "0/2"), few, few, well, well, many, many, ("few", "0/2")]


async def test_a_counsellor_sees_the_rota_and_no_forms_of_planners(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    week = (await page(quiet, ana, "/roster")).text
    assert "Planned / needed" not in week
    assert "/roster/duty" not in week
    assert (await page(quiet, ana, "/roster/duty/new")).status_code == 403


async def test_an_address_that_says_something_unknown_opens_the_page_and_says_nothing(
    quiet: QuietStage,
) -> None:
    chief = await quiet.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    for path in ("/roster", "/roster/proposal"):
        for done in ("flown", "", "x" * 300):
            shown = await page(quiet, chief, f"{path}?done={done}")
            assert (shown.status_code, "flown" in shown.text) == (200, False), (path, done)
    known = await page(quiet, chief, f"/roster?done={Done.DELETED}")
    assert "The template is deleted." in known.text


async def test_programs_add_move_and_remove_a_duty(quiet: QuietStage) -> None:
    chief = await quiet.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    was = {
        "counsellor_id": str(ana.id),
        "begins_at": f"{DAY}T08:00",
        "ends_at": f"{DAY}T16:00",
    }
    to = {**was, "begins_at": f"{DAY}T10:00:00+01:00"}
    assert (await chief.ask("POST", "/roster/duties", was)).status_code == 201
    assert (await chief.ask("POST", "/roster/duties", was)).status_code == 409
    moved = await chief.ask("POST", "/roster/duties/move", {"was": was, "to": to})
    assert moved.json()["begins_at"] == f"{DAY}T09:00:00Z"
    again = await chief.ask("POST", "/roster/duties/move", {"was": was, "to": to})
    assert (again.status_code, again.json()["error"]) == (409, "ChangedMeanwhile")
    assert (await chief.ask("POST", "/roster/duties/remove", {"was": to})).status_code == 204
    view = (await chief.ask("GET", f"/roster?begins={DAY}&ends=2030-01-17")).json()
    assert view["duties"] == []


async def test_a_planner_offers_a_shift_and_a_counsellor_signs_up_for_it(quiet: QuietStage) -> None:
    chief = await quiet.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    typed = {"from_at": f"{DAY}T08:00", "until_at": f"{DAY}T16:00", "layer": "primary"}
    typed |= {"places": "many", "language": "", "note": "Exams"}
    refused = (await page(quiet, chief, "/roster/open/new", **typed)).text
    assert "Write the number of places as a whole number." in refused
    assert 'value="Exams"' in refused, "what was typed stays"
    made = await page(quiet, chief, "/roster/open/new", **{**typed, "places": "1"})
    assert "people can sign up" in (await page(quiet, chief, made.headers["location"])).text
    (one,) = (await ana.ask("GET", "/roster/open-shifts")).json()
    seen = (await page(quiet, ana, "/roster")).text
    assert f"/roster/open/{one['id']}/sign-up" in seen
    assert f"/roster/open/{one['id']}/withdraw" not in seen
    done = await page(quiet, ana, f"/roster/open/{one['id']}/sign-up", sent="yes")
    told = (await page(quiet, ana, done.headers["location"])).text
    assert "The duty is yours." in told
    assert f"/roster/open/{one['id']}/sign-off" in told
    late = await page(quiet, chief, f"/roster/open/{one['id']}/sign-up", sent="yes")
    assert (late.status_code, "All places of this shift are taken" in late.text) == (409, True)
    assert (await ana.ask("POST", f"/roster/open-shifts/{one['id']}/sign-off")).status_code == 204
    back = await page(quiet, chief, f"/roster/open/{one['id']}/withdraw", sent="yes")
    assert back.status_code == 303
    assert (await ana.ask("GET", "/roster/open-shifts")).json() == []


@pytest.mark.parametrize(
    ("begins", "ends", "shown"),
    [
        # The night of a Sunday, of which the week has five minutes.
        ((20, 23, 55), (21, 7, 55), (335, 336)),
        ((20, 23, 30), (21, 7, 30), (335, 336)),
        # It has none for the Sunday before, and none for the Monday after.
        ((13, 16, 0), (14, 0, 0), None),
        ((21, 0, 0), (21, 8, 0), None),
        ((13, 23, 0), (14, 0, 5), (0, 1)),
    ],
)
def test_a_duty_of_which_the_week_has_minutes_stands_in_it(
    begins: tuple[int, int, int], ends: tuple[int, int, int], shown: tuple[int, int] | None
) -> None:
    zone = ZoneInfo("Europe/Belgrade")
    week = Week(date(2030, 1, 14), 7, zone)
    span = tuple(
        datetime(2030, 1, day, hour, minute, tzinfo=zone) for day, hour, minute in (begins, ends)
    )
    block = block_in(week, "duty", (span[0], span[1]), title="")
    assert (block and (block.begins, block.ends)) == shown
