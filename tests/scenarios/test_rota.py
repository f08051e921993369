"""A duty manager's week: swaps, absences, holes that are told of, and calendars."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from app.demo.stage import Counsellor, Stage
from app.jobs.transaction import transaction
from app.practice.legs import Leg
from app.routing.rota import coverage
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import PROGRAM
from tests.scenarios.helpline import Mail
from tests.scenarios.test_main_job import talk

DAY = timedelta(days=1)


async def waits(stage: Stage, digit: str = "1", from_: str = "+381641234567") -> Leg:
    """A caller who has chosen a language."""
    leg = stage.ring(from_)
    await stage.advance(2)
    stage.exchange.press(leg, digit)
    await stage.advance(2)
    return leg


async def plan(who: Counsellor, path: str, body: dict[str, Any], status: int = 201) -> Any:
    answer = await who.ask("POST", f"/roster{path}", body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def add(chief: Counsellor, who: Counsellor, begins: str, ends: str, **more: Any) -> Any:
    body = {"staff_id": str(who.id), "begins": begins, "ends": ends, **more}
    if "recurrence" not in body:
        body.setdefault("days", ["MO", "TU", "WE", "TH", "FR", "SA", "SU"])
    return (await plan(chief, "/shifts", body))["id"]


def change(kind: str, who: Counsellor, begins: str, ends: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "staff_id": str(who.id), "from_at": begins, "until_at": ends, **more}


@pytest.fixture
async def three(stage: Stage) -> tuple[Counsellor, Counsellor, Counsellor]:
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await stage.add_counsellor("ana", shift=False)
    boris = await stage.add_counsellor("boris", shift=False)
    return chief, ana, boris


Three = tuple[Counsellor, Counsellor, Counsellor]


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
    assert await ana.offer() is not None, "a swap that nobody agreed to changes nothing"
    await ana.decline()
    # Nobody else answers for Boris.
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
    await stage.advance(120)
    assert (await stage.call_of(leg))["state"] == "connected"
    other = await waits(stage, from_="+381649999999")
    assert (await stage.call_of(other))["state"] == "greeting", "nobody is on duty any more"
    await ana.do("hang-up")
    assert await ana.presence() == "wrap_up"
    await stage.advance(40)
    assert await ana.offer() is None


async def test_an_absence_tells_the_caller_when_somebody_is_there(
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


async def test_who_may_change_whose_duty(stage: Stage, three: Three) -> None:
    chief, ana, boris = three
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


async def test_a_hole_is_told_a_day_ahead_and_when_it_begins(night: Stage, post: Mail) -> None:
    """One line, one language, covered by day; at two in the night there is a hole."""
    stage = night
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, shift=False, state=None)
    async with transaction(stage.ground, PROGRAM) as work:
        staff = await work.session.get(Staff, chief.id)
        assert staff is not None
        staff.email = "chief@example.org"
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
    assert await look() == [
        "Helpline: Uncovered shift: Plavi telefon (sr) soon",
        "Helpline: Uncovered shift: Plavi telefon (en) soon",
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
    assert told[4] == "Helpline: Uncovered shift: Plavi telefon (sr) now"
    # On the board until somebody has seen it.
    await chief.sign_in()
    alarms = await stage.rows("SELECT id FROM coverage_alarms WHERE seen_at IS NULL")
    assert len(alarms) == 6
    for alarm in alarms:
        await plan(chief, f"/roster/alarms/{alarm['id']}/seen".removeprefix("/roster"), {}, 204)
    assert await stage.rows("SELECT id FROM coverage_alarms WHERE seen_at IS NULL") == []
    await plan(chief, f"/changes/{absent['id']}/withdraw", {}, 204)
    view = (await chief.ask("GET", "/roster?begins=2030-01-17&ends=2030-01-19")).json()
    assert [c["uncovered_minutes"] for c in view["coverage"]] == [0, 0]


async def test_opening_hours_say_what_a_hole_is(stage: Stage, three: Three) -> None:
    chief, ana, _ = three
    await add(chief, ana, "08:00", "20:00", days=["MO", "TU", "WE", "TH", "FR"])
    view = (await chief.ask("GET", "/roster?begins=2030-01-14&ends=2030-01-21")).json()
    assert view["coverage"][0]["uncovered_minutes"] == (7 * 24 - 5 * 12) * 60
    async with transaction(stage.ground, PROGRAM) as work:
        from app.calls import lines

        line = await lines.any_line(work)
        assert line is not None
        await lines.set_opening_hours(work, line, "Mo-Fr 08:00-21:00; PH off")
    view = (await chief.ask("GET", "/roster?begins=2030-01-14&ends=2030-01-21")).json()
    assert view["coverage"][0]["uncovered_minutes"] == 5 * 60
    assert len(view["coverage"][0]["holes"]) == 5


async def test_the_rota_as_a_calendar_comes_back_the_same(stage: Stage, three: Three) -> None:
    chief, ana, boris = three
    first = await add(
        chief,
        ana,
        "22:00",
        "06:00",
        recurrence="FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SA",
        layer="backup",
        on_holidays="off",
        last_on="2030-06-30",
    )
    await add(chief, boris, "08:00", "16:00")
    await plan(chief, f"/shifts/{first}/leave-out", {"day": "2030-01-26"}, 204)
    await plan(
        chief,
        "/changes",
        change("absence", ana, "2030-01-14T20:00", "2030-01-15T02:00", reason="a private matter"),
    )
    await plan(
        chief,
        "/changes",
        change("swap", boris, "2030-01-16T08:00", "2030-01-16T16:00", instead_id=str(ana.id)),
    )
    await plan(
        chief,
        "/changes",
        change("extra", ana, "2030-01-19T10:00", "2030-01-19T11:00", layer="supervisor"),
    )
    asks = "/roster?begins=2030-01-14&ends=2030-04-20"
    before = (await chief.ask("GET", asks)).json()
    assert len(before["duties"]) > 100
    answer = await chief.ask("GET", "/roster.ics")
    assert "a private matter" not in answer.text
    content = answer.content
    assert Calendar.from_ical(content).walk("VTIMEZONE"), "other programs need the zone"
    async with transaction(stage.ground, PROGRAM) as work:
        await work.session.connection()
        for table in ("shifts", "rota_changes"):
            from sqlalchemy import text

            await work.session.execute(text(f"DELETE FROM {table}"))
        work.announce("roster")
    stage.ground.memory.forget("everything")
    assert (await chief.ask("GET", asks)).json()["duties"] == []
    for _ in range(2):
        taken = await send(stage, chief, content)
        assert (taken.status_code, taken.json()) == (200, {"shifts": 2, "changes": 3})
    assert (await chief.ask("GET", asks)).json() == before
    assert (await chief.ask("GET", "/roster.ics")).content == content


async def send(stage: Stage, who: Counsellor, content: bytes) -> Any:
    headers = {
        "Cookie": "; ".join(f"{k}={v}" for k, v in who._cookies.items()),
        "Content-Type": "text/calendar",
    }
    url = f"{stage.settings.public_url}/api/v1/roster/import"
    return await stage.client.post(url, content=content, headers=headers)


OTHER_PROGRAM = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//somebody//else//EN
BEGIN:VEVENT
UID:one@else.example
DTSTART;TZID=Europe/Belgrade:20300114T080000
DURATION:PT8H
SUMMARY:ana
RRULE:FREQ=DAILY;UNTIL=20300120T070000Z
EXDATE;TZID=Europe/Belgrade:20300116T080000
END:VEVENT
BEGIN:VEVENT
UID:one@else.example
RECURRENCE-ID;TZID=Europe/Belgrade:20300117T080000
DTSTART;TZID=Europe/Belgrade:20300117T120000
DTEND;TZID=Europe/Belgrade:20300117T130000
SUMMARY:ana
END:VEVENT
BEGIN:VEVENT
UID:one@else.example
RECURRENCE-ID;TZID=Europe/Belgrade:20300118T080000
DTSTART;TZID=Europe/Belgrade:20300118T080000
DTEND;TZID=Europe/Belgrade:20300118T160000
STATUS:CANCELLED
SUMMARY:ana
END:VEVENT
BEGIN:VEVENT
UID:two@else.example
DTSTART;TZID=Europe/Belgrade:20300114T220000
DTEND;TZID=Europe/Belgrade:20300115T060000
SUMMARY:boris
CATEGORIES:backup
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


async def test_a_calendar_of_another_program(stage: Stage, three: Three) -> None:
    chief = three[0]
    taken = await send(stage, chief, OTHER_PROGRAM.encode())
    assert taken.json() == {"shifts": 1, "changes": 2}
    view = (await chief.ask("GET", "/roster?begins=2030-01-14&ends=2030-02-01")).json()
    told = [(d["begins_at"][5:16], d["ends_at"][5:16], d["layer"]) for d in view["duties"]]
    assert told == [
        ("01-14T07:00", "01-14T15:00", "primary"),
        ("01-14T21:00", "01-15T05:00", "backup"),
        ("01-15T07:00", "01-15T15:00", "primary"),
        ("01-17T11:00", "01-17T12:00", "primary"),
        ("01-19T07:00", "01-19T15:00", "primary"),
        ("01-20T07:00", "01-20T15:00", "primary"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("SUMMARY:boris", "SUMMARY:nobody", "no counsellor is called 'nobody'"),
        ("DURATION:PT8H", "DURATION:PT48H", "1 minute to 24 hours"),
        ("RRULE:FREQ=DAILY", "RRULE:FREQ=HOURLY", "days, weeks, months or years"),
        ("DTEND;TZID=Europe/Belgrade:20300115T060000", "X-NOTHING:1", "no end"),
        ("UID:two@else.example\r\n", "", "no UID"),
        ("BEGIN:VCALENDAR", "hello", "Not an iCalendar file"),
    ],
)
async def test_a_wrong_calendar_changes_nothing(
    stage: Stage, three: Three, old: str, new: str, words: str
) -> None:
    chief = three[0]
    assert old in OTHER_PROGRAM
    answer = await send(stage, chief, OTHER_PROGRAM.replace(old, new).encode())
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]
    assert await stage.rows("SELECT 1 FROM shifts") == []
    assert await stage.rows("SELECT 1 FROM rota_changes") == []


async def test_rubbish_is_no_calendar(stage: Stage, three: Three) -> None:
    for content in (b"", b"\xff\xfe\x00", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", b"[]" * 999):
        answer = await send(stage, three[0], content)
        assert answer.status_code == 422, answer.text


async def test_a_counsellors_own_calendar_has_a_secret_that_can_be_taken_back(
    stage: Stage, three: Three, tmp_path: Path
) -> None:
    chief, ana, boris = three
    await add(chief, ana, "08:00", "16:00")
    await add(chief, boris, "16:00", "08:00")
    await plan(
        chief,
        "/changes",
        change("swap", boris, "2030-01-15T16:00", "2030-01-16T08:00", instead_id=str(ana.id)),
    )

    async def ask(path: str) -> str:
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in ana._cookies.items())}
        answer = await stage.client.post(stage.settings.public_url + path, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.text

    def address(page: str) -> str:
        return page.split('class="address">')[1].split("<")[0]

    first = address(await ask("/roster/feed"))
    feed = (await stage.client.get(first)).content
    events: list[Any] = Calendar.from_ical(feed).walk("VEVENT")
    begins = {event["dtstart"].dt.isoformat() for event in events}
    assert "2030-01-15T15:00:00+00:00" in begins, "what she has taken over is hers"
    assert "2030-01-14T15:00:00+00:00" not in begins
    assert b"boris" not in feed
    second = address(await ask("/roster/feed"))
    assert (await stage.client.get(first)).status_code == 404
    assert (await stage.client.get(second)).status_code == 200
    await ask("/roster/feed/revoke")
    assert (await stage.client.get(second)).status_code == 404
    stored = await stage.rows("SELECT token_key FROM calendar_feeds")
    assert all(second[-40:].encode() not in bytes(row["token_key"]) for row in stored)
