"""What the frame of every page says of what waits elsewhere."""

import re
from datetime import timedelta
from uuid import UUID

from app.dashboard import rail
from app.dashboard.rota.alarms import alarm_values
from app.database.topics import Topic
from app.definitions.risk import Urgency
from app.jobs.names import Task
from app.outbox.push import subscriptions
from app.referrals.escalation import alarms
from app.referrals.notices import mark_seen
from app.referrals.states import ForWhom, NoticeKind
from app.referrals.trail import add_notice
from app.routing.alarm_rows import AlarmKind
from app.routing.rota import unstaffed_alarms
from app.safekeeping import notices
from app.safekeeping.backups import state
from app.safekeeping.models import BackupKind
from app.staff.accounts import actor_of
from app.work import Work
from tests.support.push import PushService
from tests.support.verbs import (
    a_counsellor,
    a_referral,
    a_supervisor,
    a_waiting_call,
    an_administrator,
    an_agency,
)


def counts(html: str) -> dict[str, str]:
    return dict(re.findall(r'data-count="(\w+)">(\d*)<', html))


async def test_the_rail_counts_what_waits_and_only_behind_places_of_the_role(work: Work) -> None:
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    assert counts(await rail.counts_part(work, rail.seat_of(ana))) == {"desk": ""}
    await a_waiting_call(work)
    await work.session.flush()
    assert counts(await rail.counts_part(work, rail.seat_of(ana))) == {"desk": "1"}
    seen = counts(await rail.counts_part(work, rail.seat_of(vera)))
    assert (seen["desk"], set(seen)) == ("1", {"desk", "team"})

    await an_agency(work, "house")
    work.actor = actor_of(ana)
    referral = await a_referral(work, ana)
    add_notice(work, referral, NoticeKind.BREACH)
    add_notice(work, referral, NoticeKind.REJECTED, for_whom=ForWhom.OWNER)
    await work.session.flush()
    assert counts(await rail.own_counts_part(work, ana)) == {"referrals": "1"}
    own = counts(await rail.own_counts_part(work, vera))
    # The override of the referral itself is for the supervisors, too.
    assert own == {"referrals": "2", "supervisor": ""}
    north = await a_supervisor(work, "mira", in_team="north")
    assert counts(await rail.own_counts_part(work, north))["referrals"] == ""


async def test_what_is_late_is_an_alarm_of_supervisors_and_administrators_until_it_is_mended(
    work: Work,
) -> None:
    vera, mila = await a_supervisor(work), await an_administrator(work)
    service = PushService(work.ground.clock)
    for person, browser in ((vera, "vera"), (mila, "mila")):
        work.actor = actor_of(person)
        told = service.subscription(browser)
        told["endpoint"] = f"https://updates.push.services.mozilla.com/{browser}"
        await subscriptions.subscribe(work, person, told["endpoint"], **told["keys"], label="x")
    await state.note(work, BackupKind.BASE, begun_at=work.now, name="dump")
    for late, woken in ((False, 0), (True, 2), (True, 0)):
        work.jobs.clear()
        work.topics.clear()
        await notices.look(work)
        await work.session.flush()
        assert sum(job.task == Task.SEND_PUSH for job in work.jobs) == woken
        assert (str(Topic.ALARMS) in work.topics) == (woken > 0)
        for person, place in ((vera, "team"), (mila, "admin")):
            seen = counts(await rail.counts_part(work, rail.seat_of(person)))
            assert seen[place] == ("1" if late else "")
        shown = [words for _, words in (await alarm_values(work))["late"]]
        assert shown == (["The last back-up is older than it may be."] if late else [])
        work.now += timedelta(hours=27 if not late else 1)
    work.now += timedelta(hours=24)
    work.jobs.clear()
    await notices.look(work)
    assert sum(job.task == Task.SEND_PUSH for job in work.jobs) == 2, "once a day"
    await state.note(work, BackupKind.BASE, begun_at=work.now, name="dump")
    await notices.look(work)
    assert (await alarm_values(work))["late"] == []


async def test_an_urgent_deadline_and_a_danger_call_a_supervisor_until_they_are_seen(
    work: Work,
) -> None:
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    await an_agency(work, "house")
    work.actor = actor_of(ana)
    late = await a_referral(work, ana)
    notice = add_notice(work, late, NoticeKind.BREACH)
    patient = await a_referral(work, ana)
    patient.urgency = Urgency.ROUTINE.value
    add_notice(work, patient, NoticeKind.BREACH)
    await unstaffed_alarms.open_alarm(
        work, AlarmKind.OVERRIDE_NOT_SEEN, subject_id=late.id, owner_id=None
    )
    await work.session.flush()
    shown = await rail.alerts_part(work, vera)
    assert shown.count("data-alert=") == 2
    assert f"/api/v1/notices/{notice.id}/seen" in shown
    assert str(patient.id) not in shown
    # Its words can be read on a locked screen.
    assert "A deadline of an urgent referral has passed" in shown
    assert "shelter" not in shown.lower()
    work.actor = actor_of(vera)
    await mark_seen(work, vera, notice.id)
    (acknowledged,) = re.findall(r"/danger-alarms/([0-9a-f-]+)/", shown)
    await alarms.acknowledge(work, UUID(acknowledged), "vera", vera)
    await work.session.flush()
    assert "data-alert=" not in await rail.alerts_part(work, vera)
