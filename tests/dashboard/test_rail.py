"""What the frame of every page says of what waits elsewhere."""

import re
from uuid import UUID

from app.dashboard import rail
from app.definitions.risk import Urgency
from app.referrals import reading
from app.referrals.escalation import alarms
from app.referrals.states import NoticeKind
from app.referrals.trail import tell_house
from app.routing.alarm_rows import AlarmKind
from app.routing.rota import watch
from app.staff.accounts import actor_of
from app.work import Work
from tests.support.verbs import (
    a_counsellor,
    a_referral,
    a_supervisor,
    a_waiting_call,
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
    tell_house(work, referral, NoticeKind.BREACH)
    tell_house(work, referral, NoticeKind.REJECTED, for_whom="owner")
    await work.session.flush()
    assert counts(await rail.own_counts_part(work, ana)) == {"referrals": "1"}
    own = counts(await rail.own_counts_part(work, vera))
    # The override of the referral itself is for the supervisors, too.
    assert own == {"referrals": "2", "supervisor": ""}
    north = await a_supervisor(work, "mira", in_team="north")
    assert counts(await rail.own_counts_part(work, north))["referrals"] == ""


async def test_an_urgent_deadline_and_a_danger_call_a_supervisor_until_they_are_seen(
    work: Work,
) -> None:
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    await an_agency(work, "house")
    work.actor = actor_of(ana)
    late = await a_referral(work, ana)
    notice = tell_house(work, late, NoticeKind.BREACH)
    patient = await a_referral(work, ana)
    patient.urgency = Urgency.ROUTINE.value
    tell_house(work, patient, NoticeKind.BREACH)
    await watch.open_alarm(
        work, kind=AlarmKind.OVERRIDE_NOT_SEEN.value, subject_id=late.id, owner_id=None
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
    await reading.mark_seen(work, vera, notice.id)
    (acknowledged,) = re.findall(r"/danger-alarms/([0-9a-f-]+)/", shown)
    await alarms.acknowledge(work, UUID(acknowledged), "vera", vera)
    await work.session.flush()
    assert "data-alert=" not in await rail.alerts_part(work, vera)
