"""Figures of an agency count what it did; the reporter hears what became of it, by a deadline."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.referrals.deadlines import tracking
from app.referrals.models import Deadline
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.contacts import page_of
from tests.support.mail import Mail
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.referrals import (
    CONSENT,
    add_agency,
    agency_figures,
    by_hand,
    referral_of,
)

FIRST, SECOND = "+381113000001", "+381113000002"


async def test_what_an_agency_never_heard_of_is_not_its_fault(quiet: QuietStage) -> None:
    """Sent on within the same moment: neither an unanswered offer nor a missed deadline."""
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await add_agency(quiet, "closed", "shelter", phones=((FIRST, "Mo-Fr 08:00-16:00"),))
    await add_agency(quiet, "open", "shelter", phones=(SECOND,))
    made = await by_hand(ana, consent=CONSENT)
    await ana.ask("POST", f"/referrals/{made['id']}/send", {"agency": "closed"})
    await ana.ask("POST", f"/referrals/{made['id']}/send", {"agency": "open"})
    _time_goes_by(quiet, minutes=16)
    await _what_was_missed_is_noted(quiet, "open")
    found = await agency_figures(quiet)
    assert (found["closed"]["offered"], found["closed"]["unanswered"]) == (1, 0)
    assert found["closed"]["breaches"] == 0
    assert found["open"]["breaches"] == 1


# By day the deadline runs, and is met, in `test_whole_stories.py`.
@nightly
async def test_the_reporter_hears_of_it_in_time(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", email="a@house.example")
    wants = {"participants.wants_feedback": "yes"}
    made = await by_hand(ana, consent=CONSENT, send=True, answers=wants)
    path = f"/referrals/{made['id']}"
    done = {"agency": "house", "name": "Mira", "outcome": "family_supported"}
    assert (await ana.ask("POST", f"{path}/complete", done)).status_code == 200
    found = await referral_of(ana, made["id"])
    (deadline,) = [c for c in found["deadlines"] if c["kind"] == "feedback"]
    assert deadline["stopped_at"] is None
    refused = await ana.ask("POST", f"{path}/close", {})
    assert refused.status_code == 422
    assert "waits to hear" in refused.json()["detail"]
    # In the morning: at night what is due is erased, which is no part of this.
    night.stepped.move_to(night.clock.now() + timedelta(days=7, hours=7))
    await night.settle()
    told = await night.rows("SELECT for_whom FROM notices WHERE detail->>'deadline' = 'feedback'")
    assert {n["for_whom"] for n in told} == {"owner", "supervisors"}
    await ana.sign_in()
    await ana.ask("POST", f"{path}/feedback", {"words": "The teacher was rung."})
    found = await referral_of(ana, made["id"])
    (deadline,) = [c for c in found["deadlines"] if c["kind"] == "feedback"]
    assert deadline["stopped_at"] is not None
    assert (await ana.ask("POST", f"{path}/close", {})).status_code == 200
    # It is ours to tell: the agency's figures say nothing of it.
    assert (await agency_figures(night))["house"]["breaches"] == 0


async def test_with_relatives_a_child_is_not_separated(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await add_agency(quiet, "team", "family_support", email="a@team.example")
    counted = ("separation_risk", "separation_prevented", "separated")
    for outcome, wanted in (
        ("with_kin", (1, 1, 0)),
        ("family_supported", (2, 2, 0)),
        ("placed_foster", (3, 2, 1)),
    ):
        made = await by_hand(
            ana, services=["family_support"], consent=CONSENT, send=True, answers={"child.age": 1}
        )
        done = {"agency": "team", "name": "Mira", "outcome": outcome}
        answer = await ana.ask("POST", f"/referrals/{made['id']}/complete", done)
        assert answer.status_code == 200, answer.text
        row = (await agency_figures(quiet))["team"]
        assert tuple(row[name] for name in counted) == wanted, outcome


async def test_figures_of_how_agencies_answer(quiet: QuietStage) -> None:
    """Median, 90th percentile, breaches of the agency that had it, rejections, outcomes."""
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    olga = await quiet.add_counsellor("olga", role=Role.ADMINISTRATOR, shift=False, state=None)
    await add_agency(quiet, "house", "shelter", email="a@house.example")
    await _five_are_acknowledged(quiet, ana)
    # No agency acknowledges this one in time.
    await by_hand(ana, consent=CONSENT, urgency="immediate", send=True)
    _time_goes_by(quiet, minutes=16)
    await _what_was_missed_is_noted(quiet, "house")
    await _are_counted_exactly(quiet)
    # As they are shown: the month has to be over, and counts are rounded to multiples of 3.
    assert (
        await olga.ask("GET", "/statistics/referrals.json?from=2030-01-01&to=2030-02-01")
    ).status_code == 403
    quiet.stepped.move_to(quiet.clock.now().replace(month=2, day=20))
    await olga.sign_in()
    await _are_shown_rounded(olga)
    page = await page_of(quiet, olga, "/referrals/accountability")
    assert 'id="accountability"' in page
    assert "<td>6</td>" in page
    await _short_windows_are_refused(olga)
    text = (await olga.ask("GET", "/statistics/referrals.csv")).text.splitlines()
    header = next(n for n, line in enumerate(text) if line.startswith("agency,"))
    assert all(line.startswith(('"# ', "# ")) for line in text[:header])
    assert len(text[header].split(",")) == len(text[header + 1].split(","))
    past = await olga.ask("GET", "/statistics/referrals.json?from=2028-12-01&to=2029-01-01")
    assert past.json()["rows"][0]["offered"] == 0


def _time_goes_by(quiet: QuietStage, **by: float) -> None:
    quiet.stepped.move_to(quiet.clock.now() + timedelta(**by))


async def _what_was_missed_is_noted(quiet: QuietStage, reached: str) -> None:
    """As by the jobs of the messages to an agency, and of each deadline."""
    await quiet.change_rows(
        "UPDATE attempts SET sent_at = wanted_at FROM agencies g"
        f" WHERE g.id = agency_id AND g.code = '{reached}'"
    )
    async with transaction(quiet.ground, PROGRAM) as work:
        for one in (await work.session.scalars(select(Deadline.id))).all():
            await tracking.ring(work, one)


async def _five_are_acknowledged(quiet: QuietStage, ana: Counsellor) -> None:
    """One of them is rejected, and one is carried out; the house needs ten to a hundred seconds."""
    for n, seconds in enumerate((10, 20, 30, 40, 100)):
        more = {"answers": {"participants.wants_feedback": "yes"}} if n < 2 else {}
        made = await by_hand(ana, consent=CONSENT, urgency="priority", send=True, **more)
        _time_goes_by(quiet, seconds=seconds)
        path = f"/referrals/{made['id']}"
        said = {"agency": "house", "name": "Mira"}
        assert (await ana.ask("POST", f"{path}/acknowledge", said)).status_code == 200
        if n == 0:
            await ana.ask("POST", f"{path}/reject", {**said, "reason": "no_capacity"})
        elif n == 1:
            _time_goes_by(quiet, seconds=80)
            seen = {"seen_at": quiet.clock.now().isoformat(), **said}
            assert (await ana.ask("POST", f"{path}/progress", seen)).status_code == 200
            await ana.ask("POST", f"{path}/complete", {**said, "outcome": "medical_care"})
            await ana.ask("POST", f"{path}/feedback", {"words": "told"})


async def _are_counted_exactly(night: Stage) -> None:
    found = await agency_figures(night)
    assert set(found) == {"all", "house"}
    for row in found.values():
        assert row["offered"] == 6
        assert row["acknowledged"] == 5
        assert row["median_seconds_to_acknowledge"] == pytest.approx(30, abs=1)
        assert row["p90_seconds_to_acknowledge"] == pytest.approx(76, abs=1)
        assert row["median_seconds_to_see_child"] == pytest.approx(100, abs=1)
        assert row["rejections"] == {"no_capacity": 1}
        assert row["outcomes"] == {"medical_care": 1}
        assert (row["completed"], row["feedback_wanted"], row["feedback_given"]) == (1, 1, 1)
        assert row["breaches"] == 1


async def _are_shown_rounded(olga: Counsellor) -> None:
    (every, house) = (await olga.ask("GET", "/statistics/referrals.json")).json()["rows"]
    assert (every["agency"], house["agency"]) == ("all", "house")
    for row in (every, house):
        counts = [n for name, n in row.items() if isinstance(n, int) and "seconds" not in name]
        assert all(n % 3 == 0 for n in counts)
        assert row["offered"] == 6
        assert row["acknowledged"] in (3, 6)
        # The middle of five is said where five are shown as six.
        time_said = row["median_seconds_to_acknowledge"]
        assert time_said == (30 if row["acknowledged"] == 6 else None)
        assert row["median_seconds_to_see_child"] is None, "it was one child"


async def _short_windows_are_refused(olga: Counsellor) -> None:
    """What is too short for the grid is refused in words, whatever it is counted by."""
    for window in (
        "from=2030-01-14T01:00:00Z&to=2030-01-14T01:15:00Z",
        "from=2030-01-02&to=2030-02-02",
    ):
        for by in ("", "&by=sector"):
            refused = await olga.ask("GET", f"/statistics/referrals.json?{window}{by}")
            assert refused.status_code == 403, (window, by)
