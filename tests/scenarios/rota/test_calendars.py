"""The rota as a calendar, given out and imported."""

from pathlib import Path
from typing import Any

from icalendar import Calendar
from sqlalchemy import text

from app.database.topics import Topic
from app.jobs.transaction import transaction
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.program.quiet import QuietStage
from tests.support.rota import OTHER_PROGRAM, Three, add, change, plan, send


async def test_an_endless_event_is_refused(quiet: QuietStage) -> None:
    chief = await quiet.add_counsellor("chief", role=Role.SUPERVISOR)
    (row,) = await quiet.rows("SELECT id FROM shifts")
    answer = await chief.ask("POST", f"/roster/shifts/{row['id']}/end", {"last_on": "9999-12-31"})
    assert answer.status_code == 422
    event = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:a\r\nSUMMARY:chief\r\n"
        "DTSTART{0}\r\nDTEND{1}\r\n{2}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    for begins, ends, more in (
        (";VALUE=DATE:00010101", ";VALUE=DATE:00010102", "RRULE:FREQ=DAILY\r\n"),
        (":20300120T080000", ":20300120T160000", "RRULE:FREQ=DAILY;UNTIL=99991231T000000\r\n"),
        (";TZID=Mars/Olympus:20300120T080000", ";TZID=Mars/Olympus:20300120T090000", ""),
        (":20300120T080000", ":20990120T160000", ""),
        (";TZID=America/New_York:99991231T200000", ";TZID=America/New_York:99991231T230000", ""),
    ):
        answer = await send(quiet, chief, event.format(begins, ends, more).encode())
        assert answer.status_code == 422, (begins, answer.text)
    assert (await chief.ask("GET", "/roster")).status_code == 200


async def test_a_calendar_that_is_imported_again_keeps_the_reasons(quiet: QuietStage) -> None:
    chief = await quiet.add_counsellor("chief", role=Role.SUPERVISOR)
    ana = await quiet.add_counsellor("ana")
    body = {
        "kind": "absence",
        "staff_id": str(ana.id),
        "from_at": "2030-01-20T08:00",
        "until_at": "2030-01-20T16:00",
        "reason": "surgery",
    }
    assert (await ana.ask("POST", "/roster/changes", body)).status_code == 201
    content = (await chief.ask("GET", "/roster.ics")).content
    assert (await send(quiet, chief, content)).status_code == 200
    (row,) = await quiet.rows("SELECT reason, made_by FROM rota_changes")
    assert (row["reason"], row["made_by"]) == ("surgery", ana.id)


async def test_the_rota_as_a_calendar_comes_back_the_same(
    quiet: QuietStage, quiet_three: Three
) -> None:
    chief, ana, boris = quiet_three
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
    async with transaction(quiet.ground, PROGRAM) as work:
        await work.session.connection()
        for table in ("shifts", "rota_changes"):
            await work.session.execute(text(f"DELETE FROM {table}"))
        work.announce(Topic.ROSTER)
    quiet.ground.memory.forget(Topic.EVERYTHING)
    assert (await chief.ask("GET", asks)).json()["duties"] == []
    for _ in range(2):
        taken = await send(quiet, chief, content)
        assert (taken.status_code, taken.json()) == (200, {"shifts": 2, "changes": 3})
    assert (await chief.ask("GET", asks)).json() == before
    assert (await chief.ask("GET", "/roster.ics")).content == content


async def test_a_calendar_of_another_program(quiet: QuietStage, quiet_three: Three) -> None:
    chief = quiet_three[0]
    taken = await send(quiet, chief, OTHER_PROGRAM.encode())
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


WRONG = (
    ("SUMMARY:boris", "SUMMARY:nobody", "no counsellor is called 'nobody'"),
    ("DURATION:PT8H", "DURATION:PT48H", "1 minute to 24 hours"),
    ("RRULE:FREQ=DAILY", "RRULE:FREQ=HOURLY", "days, weeks, months or years"),
    ("DTEND;TZID=Europe/Belgrade:20300115T060000", "X-NOTHING:1", "no end"),
    ("UID:two@else.example\r\n", "", "no UID"),
    ("BEGIN:VCALENDAR", "hello", "Not an iCalendar file: line 1 cannot be read"),
)


async def test_a_wrong_calendar_changes_nothing(quiet: QuietStage, quiet_three: Three) -> None:
    for old, new, words in WRONG:
        assert old in OTHER_PROGRAM
        answer = await send(quiet, quiet_three[0], OTHER_PROGRAM.replace(old, new).encode())
        assert answer.status_code == 422, answer.text
        assert words in answer.json()["detail"]
        assert await quiet.rows("SELECT 1 FROM shifts") == [], words
        assert await quiet.rows("SELECT 1 FROM rota_changes") == [], words


async def test_rubbish_is_no_calendar(quiet: QuietStage, quiet_three: Three) -> None:
    for content in (b"", b"\xff\xfe\x00", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", b"[]" * 999):
        answer = await send(quiet, quiet_three[0], content)
        assert answer.status_code == 422, answer.text


async def test_a_counsellors_own_calendar_has_a_secret_that_can_be_taken_back(
    quiet: QuietStage, quiet_three: Three, tmp_path: Path
) -> None:
    chief, ana, boris = quiet_three
    await add(chief, ana, "08:00", "16:00")
    await add(chief, boris, "16:00", "08:00")
    await plan(
        chief,
        "/changes",
        change("swap", boris, "2030-01-15T16:00", "2030-01-16T08:00", instead_id=str(ana.id)),
    )

    async def ask(path: str) -> str:
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in ana.cookies.items())}
        answer = await quiet.client.post(quiet.settings.public_url + path, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.text

    def address(page: str) -> str:
        return page.split('class="address">')[1].split("<")[0]

    first = address(await ask("/roster/feed"))
    feed = (await quiet.client.get(first)).content
    events: list[Any] = Calendar.from_ical(feed).walk("VEVENT")
    begins = {event["dtstart"].dt.isoformat() for event in events}
    assert "2030-01-15T15:00:00+00:00" in begins, "what she has taken over is hers"
    assert "2030-01-14T15:00:00+00:00" not in begins
    assert b"boris" not in feed
    second = address(await ask("/roster/feed"))
    assert (await quiet.client.get(first)).status_code == 404
    assert (await quiet.client.get(second)).status_code == 200
    await ask("/roster/feed/revoke")
    assert (await quiet.client.get(second)).status_code == 404
    stored = await quiet.rows("SELECT token_key FROM calendar_feeds")
    token = second.rpartition("/")[2].removesuffix(".ics").encode()
    assert stored
    assert [row for row in stored if token in bytes(row["token_key"])] == []
