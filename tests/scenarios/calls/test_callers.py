"""Callers who are known: flags, wishes, numbers opened and forgotten; phones of staff."""

from datetime import timedelta

from app.demo.counsellor import Counsellor
from app.demo.invariants import broken_at_the_end
from app.demo.stage import MONDAY, Stage
from app.retention.running import run_now
from app.staff.roles import Role
from tests.support.calls.callers import flag, talked, talks_unheard
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.talks import CHILD, rings_at, waits


async def test_a_blocked_caller_is_recorded_hears_so_and_gets_through_in_danger(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    call = await talked(stage, ana)
    await flag(ana, call, "blocked", hours=25, status=403)
    await flag(ana, call, "blocked", hours=24)
    leg = stage.ring(CHILD)
    await stage.advance(30)
    assert leg.over
    assert leg.has_heard("Sada ne možemo da primimo")
    row = await stage.call_of(leg)
    assert (row["outcome"], row["caller_key"] is not None) == ("blocked", True)
    # In danger every caller is let through.
    leg = stage.ring(CHILD)
    await stage.advance(2)
    stage.exchange.press(leg, "9")
    await stage.advance(2)
    assert await rings_at(stage, ana) == ["ana"]
    await ana.accept()
    await stage.advance(2)
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    assert (await stage.call_of(leg))["outcome"] == "answered"
    # And it ends by itself.
    stage.stepped.move_to(MONDAY + timedelta(hours=25))
    await ana.sign_in()
    await ana.be("available")
    leg = await waits(stage, from_=CHILD)
    assert await rings_at(stage, ana) == ["ana"]
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


@nightly
async def test_flags_change_the_place_in_the_queue(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    risk = await talked(stage, ana, "+381641110001")
    test = await talked(stage, ana, "+381641110002")
    await flag(ana, risk, "at_risk")
    await flag(ana, test, "test_caller")
    await ana.be("break")
    for number in ("+381641110002", "+381641110003", "+381641110001"):
        await waits(stage, from_=number)
    queue = (await ana.ask("GET", "/queue")).json()
    assert [one["priority"] for one in queue] == [900, 0, -900]
    reason = await stage.rows("SELECT reason_sealed FROM caller_flags")
    assert all(b"shouts" not in bytes(row["reason_sealed"]) for row in reason)
    view = (await ana.ask("GET", f"/calls/{risk}/caller")).json()
    assert view["flags"][0]["reason"] == "shouts at whoever answers"
    log = await stage.rows("SELECT action FROM audit_entries WHERE subject = %s", str(risk))
    assert "caller_flags_read" in {row["action"] for row in log}


async def test_who_may_see_and_change_what_is_known(quiet: QuietStage) -> None:
    stage = quiet
    ana = await stage.add_counsellor("ana")
    call = await talks_unheard(stage, ana, over=True)
    flag_id = await flag(ana, call, "test_caller")
    boris = await stage.add_counsellor("boris", state=None)
    for path in ("caller", "number"):
        method, body = ("GET", None) if path == "caller" else ("POST", {"reason": "danger"})
        assert (await boris.ask(method, f"/calls/{call}/{path}", body)).status_code == 404
    administrator = await stage.add_counsellor("adm", role=Role.ADMINISTRATOR, state=None)
    assert (await administrator.ask("GET", f"/calls/{call}/caller")).status_code == 403
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    assert (await chief.ask("POST", f"/calls/{call}/flags/{flag_id}/lift")).status_code == 204
    assert (await chief.ask("GET", f"/calls/{call}/caller")).json()["flags"] == []
    await flag(chief, call, "blocked", hours=72)
    await withheld_callers_are_never_linked_or_blocked(stage, ana)


async def withheld_callers_are_never_linked_or_blocked(stage: Stage, ana: Counsellor) -> None:
    call = await talks_unheard(stage, ana, "anonymous", over=True)
    await flag(ana, call, "blocked", status=404)
    answer = await ana.ask("POST", f"/calls/{call}/wishes", {"wish": "prefer"})
    assert answer.status_code == 404
    view = (await ana.ask("GET", f"/calls/{call}/caller")).json()
    assert (view["linked"], view["calls_before"]) == (False, 0)
    second = await talks_unheard(stage, ana, "anonymous")
    assert (await ana.ask("GET", f"/calls/{second}/caller")).json()["calls_before"] == 0
    found = await stage.rows(
        "SELECT profile_id FROM contacts WHERE call_id = %s OR call_id = %s", call, second
    )
    assert found == [{"profile_id": None}] * 2, "nor have they a profile"


async def test_the_number_is_opened_for_a_logged_reason(quiet: QuietStage) -> None:
    stage = quiet
    ana = await stage.add_counsellor("ana")
    call = await talks_unheard(stage, ana, over=True)
    assert (await ana.ask("POST", f"/calls/{call}/number", {"reason": "x"})).status_code == 422
    answer = await ana.ask("POST", f"/calls/{call}/number", {"reason": "call_back"})
    assert answer.json() == {"number": CHILD}
    (entry,) = await stage.rows(
        "SELECT actor, detail FROM audit_entries WHERE action = 'caller_number_opened'"
    )
    assert (entry["actor"], entry["detail"]) == (str(ana.id), {"reason": "call_back"})


async def test_a_number_that_was_forgotten_in_time_is_opened_no_more(quiet: QuietStage) -> None:
    stage = quiet
    ana = await stage.add_counsellor("ana")
    call = await talks_unheard(stage, ana, over=True)
    assert await run_now(stage.ground) == []
    stage.settings.number_retention_days = 2
    stage.stepped.move_to(MONDAY + timedelta(days=3))
    (receipt,) = await run_now(stage.ground)
    assert (receipt.kind, receipt.rows, receipt.days) == ("caller_numbers", 1, 2)
    await ana.sign_in()
    answer = await ana.ask("POST", f"/calls/{call}/number", {"reason": "call_back"})
    assert answer.status_code == 404
    # That the number has rung before is known all the same.
    again = await talks_unheard(stage, ana)
    assert (await ana.ask("GET", f"/calls/{again}/caller")).json()["calls_before"] == 1


@nightly
async def test_a_caller_asks_for_the_counsellor_of_last_time(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await talked(stage, ana)
    boris = await stage.add_counsellor("boris")
    await ana.be("break")
    leg = await waits(stage, from_=CHILD)
    # The desk rings at Boris; while it does, the child presses 2.
    await boris.decline()
    await stage.advance(25)
    assert leg.has_heard("istog savetnika kao prošli put")
    stage.exchange.press(leg, "2")
    await stage.advance(6)
    assert leg.has_heard("Pokušaćemo")
    assert await rings_at(stage, boris) == []
    await ana.be("available")
    assert await rings_at(stage, ana, boris) == ["ana"]


# By day the rule is tried in `tests/routing/test_matching.py`.
@nightly
async def test_a_caller_never_gets_a_counsellor_they_do_not_want_again(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    call = await talks_unheard(stage, ana, over=True)
    await ana.be("available")
    assert (await ana.ask("POST", f"/calls/{call}/wishes", {"wish": "never"})).status_code == 204
    leg = await waits(stage, "2", CHILD)
    assert await rings_at(stage, ana) == []
    assert leg.has_heard("No counsellor is here"), "for this caller no counsellor is there"
    boris = await stage.add_counsellor("boris")
    await waits(stage, "9", CHILD)
    assert await rings_at(stage, ana, boris) == ["boris"], "not in danger either"
    assert (await ana.ask("POST", f"/calls/{call}/wishes", {"wish": "none"})).status_code == 204
    await boris.be("off_duty")
    await waits(stage, "1", CHILD)
    assert await rings_at(stage, ana) == ["ana"]
