"""The log of accounts, tokens and shifts: what was before and after, and never a secret."""

from app.people import leaving
from app.routing.rota import calendar_import, calendars
from app.routing.rota.roster import add_shift
from app.staff import tokens
from app.staff.log_kinds import AuditLog
from app.work import Work
from tests.support.duties import a_taker, log_of
from tests.support.verbs import a_line, an_administrator, logged


async def test_a_token_is_logged_by_what_it_opens(work: Work) -> None:
    token = await tokens.add_token(work, "figures", ["statistics"], 10)
    made = log_of(work, AuditLog.TOKEN_MADE)
    assert made["before"] is None
    assert made["after"]["scopes"] == ["statistics"]
    assert made["after"]["until"] > work.now.isoformat()
    await tokens.revoke_token(work, "figures")
    assert log_of(work, AuditLog.TOKEN_REVOKED) == {"before": made["after"], "after": None}
    assert token not in str(logged(work))


async def test_an_account_that_leaves_and_comes_back_was_active(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_taker(work, "ana")
    await leaving.deactivate(work, ana.id, by=mila)
    left = log_of(work, AuditLog.STAFF_DEACTIVATED)
    assert (left["before"], left["after"]) == ({"active": True}, {"active": False})
    await leaving.reactivate(work, ana.id, by=mila)
    back = log_of(work, AuditLog.STAFF_REACTIVATED)
    assert (back["before"], back["after"]) == ({"active": False}, {"active": True})


async def test_a_shift_is_logged_when_it_is_added_and_when_a_file_changes_it(work: Work) -> None:
    await a_line(work)
    ana = await a_taker(work, "ana")
    await add_shift(work, ana, recurrence="FREQ=DAILY", minutes=480)
    added = log_of(work, AuditLog.SHIFT_ADDED)
    assert added["before"] is None
    assert (added["after"]["recurrence"], added["after"]["minutes"]) == ("FREQ=DAILY", 480)
    file = await calendars.export_rota(work)
    count = len(logged(work))
    await calendar_import.import_rota(work, file)
    assert len(logged(work)) == count, "a file that changes nothing is not logged"
    await calendar_import.import_rota(work, file.replace(b"FREQ=DAILY", b"FREQ=WEEKLY"))
    changed = log_of(work, AuditLog.ROTA_IMPORTED)
    assert changed["before"]["recurrence"] == "FREQ=DAILY"
    assert changed["after"]["recurrence"] == "FREQ=WEEKLY"
