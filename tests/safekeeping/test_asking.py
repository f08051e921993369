"""An administrator asks for a back-up: one is made, however often it is asked for."""

from datetime import timedelta
from pathlib import Path

import pytest

from app.demo.stage import Stage
from app.jobs.names import Task
from app.jobs.transaction import flush
from app.safekeeping.backups import asking, state
from app.safekeeping.models import BackupKind
from app.staff.log_kinds import AuditLog
from app.staff.roles import Role
from app.work import Work
from tests.support.referrals import page
from tests.support.verbs import logged, with_settings


async def test_a_back_up_that_is_asked_for_is_made_once(work: Work) -> None:
    with pytest.raises(asking.MakesNone):
        await asking.ask(work)
    kept = with_settings(work, backup_target=Path("/srv/backups"))
    await asking.ask(kept)
    assert [job.task for job in kept.jobs] == [Task.MAKE_BACKUP]
    assert [one for one, _ in logged(kept)] == [AuditLog.BACKUP_ASKED_FOR]
    await flush(kept)
    with pytest.raises(asking.UnderWay):
        await asking.ask(kept)


async def test_a_back_up_is_asked_for_again_after_a_while(work: Work) -> None:
    kept = with_settings(work, backup_target=Path("/srv/backups"))
    # One that failed is asked for again as soon as its reason is gone.
    await state.note(kept, BackupKind.BASE, begun_at=kept.now, problem="no room")
    await asking.ask(kept)
    await state.note(kept, BackupKind.BASE, begun_at=kept.now, name="20270101T020000Z")
    with pytest.raises(asking.TooSoon):
        await asking.ask(kept)
    kept.now += asking.APART - timedelta(seconds=1)
    with pytest.raises(asking.TooSoon):
        await asking.ask(kept)
    kept.now += timedelta(seconds=1)
    await asking.ask(kept)


async def test_the_page_asks_for_it_and_says_what_became_of_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    olga = await stage.add_counsellor("olga", role=Role.AUDITOR, shift=False, state=None)
    assert "make-backup" not in (await page(stage, mila, "/admin/backups")).text
    refused = await page(stage, mila, "/admin/backups/make", ask="yes")
    assert "This server makes no back-ups." in refused.text
    monkeypatch.setattr(stage.ground.settings, "backup_target", Path("/srv/backups"))
    assert "make-backup" in (await page(stage, mila, "/admin/backups")).text
    assert "make-backup" not in (await page(stage, olga, "/admin/backups")).text
    assert (await olga.ask("POST", "/backups")).status_code == 403
