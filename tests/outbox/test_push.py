"""Web push: who is woken, by what, and what leaves: one sentence, sealed for one browser."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from app.calls.lines.line_rows import Line
from app.demo.counsellor import Counsellor
from app.demo.served import Served
from app.demo.stage import Stage
from app.errors import Invalid, NotFound
from app.jobs.transaction import transaction
from app.outbox.push import subscriptions
from app.outbox.push.models import PushMessage, PushSubscription
from app.outbox.push.sending import PushOnce
from app.outbox.responses import TryAgain
from app.referrals.directory.agencies import save_agency
from app.referrals.directory.entries import Entry, Phone
from app.referrals.escalation.alarms import escalate
from app.routing import offers
from app.routing.alarm_rows import Alarm, AlarmKind
from app.routing.rota.unstaffed_alarms import open_alarm
from app.settings import Settings
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import PROGRAM, Work
from tests.support.push import PushService
from tests.support.referrals import page
from tests.support.verbs import a_counsellor, a_line, a_waiting_call, offered

OURS = Settings.model_fields["push_services"].default


@pytest.fixture
async def service(stage: Stage) -> AsyncIterator[PushService]:
    made = PushService(stage.clock)
    stage.settings.push_services = made.origin
    served = Served(made.app, made.port)
    await served.start()
    yield made
    await served.stop()
    assert made.faults == []


async def post(stage: Stage, who: Counsellor, path: str, body: Any = None) -> Any:
    answer = await stage.client.post(
        stage.settings.public_url + path, json=body or {}, headers={"Cookie": who.cookie_header}
    )
    answer.raise_for_status()
    return answer.json()


async def subscribed(
    stage: Stage, service: PushService, who: Counsellor, browser: str = "one"
) -> str:
    service.vapid_key = (await post(stage, who, "/sounds/push/key"))["key"]
    return str((await post(stage, who, "/sounds/push", service.subscription(browser)))["id"])


async def test_a_ring_and_a_call_for_help_wake_who_has_no_page_open(
    stage: Stage, service: PushService
) -> None:
    jelena = await stage.add_counsellor("Jelena", role=Role.SUPERVISOR, state=None, shift=False)
    ana = await stage.add_counsellor("Ana")
    await subscribed(stage, service, ana)
    await subscribed(stage, service, jelena, "two")
    # Ana has a page open: nothing leaves.
    leg = stage.ring()
    await stage.until(lambda: leg.has_heard("Srpski: pritisni"))
    stage.exchange.press(leg, "1")
    await stage.until(ana.offer)
    await stage.settle()
    assert service.asked == []
    await ana.accept()
    await stage.until(lambda: _connected(stage))
    # A minute later only Jelena is away from her screen, since Ana presses a button.
    await stage.advance(60)
    call = (await ana.offer() or {})["call_id"]
    (await ana.ask("POST", f"/calls/{call}/call-for-help")).raise_for_status()
    await stage.settle()
    assert (service.asked, service.said) == (["two"], ["The helpline needs you."])
    # A program of hers forgets her browser, and no other person's.
    (hers,) = (await jelena.ask("GET", "/me/browsers")).json()
    assert set(hers) == {"id", "label", "created_at"}, "the address of a browser is not shown"
    for person, status in ((ana, 404), (jelena, 204), (jelena, 404)):
        forgotten = await person.ask("DELETE", f"/me/browsers/{hers['id']}")
        assert forgotten.status_code == status
    assert (await jelena.ask("GET", "/me/browsers")).json() == []
    entered, forgotten = [
        row["detail"]
        for row in await stage.rows(
            "SELECT detail FROM audit_entries "
            "WHERE action IN ('push_subscribed', 'push_forgotten') "
            f"AND subject = '{jelena.id}' ORDER BY id"
        )
    ]
    assert entered == {"before": {"browser": []}, "after": {"browser": [hers["id"]]}}
    assert forgotten == {"before": {"browser": [hers["id"]]}, "after": {"browser": []}}


async def _connected(stage: Stage) -> bool:
    return bool(await stage.rows("SELECT 1 FROM offers WHERE state = 'connected'"))


async def test_a_browser_stands_on_the_own_account_and_is_ended_there_in_every_role(
    stage: Stage, service: PushService
) -> None:
    ana = await stage.add_counsellor("Ana", state=None, shift=False)
    entered = await subscribed(stage, service, ana)
    account = (await page(stage, ana, "/account")).text
    assert f"/sounds/push/{entered}/forget" in account
    assert 'data-push="start"' in account
    # She takes no calls any more: what is still entered must not be out of her reach.
    async with transaction(stage.ground, PROGRAM) as work:
        (await work.session.get_one(Staff, ana.id)).role = Role.AUDITOR
    account = (await page(stage, ana, "/account")).text
    assert f"/sounds/push/{entered}/forget" in account
    assert 'data-push="start"' not in account
    await post(stage, ana, f"/sounds/push/{entered}/forget")
    assert "data-push-place" not in (await page(stage, ana, "/account")).text


async def test_a_person_on_call_is_woken_in_their_language_and_once_and_a_browser_is_forgotten(
    stage: Stage, service: PushService
) -> None:
    ana = await stage.add_counsellor("Ana", endpoint="+381641111111")
    await subscribed(stage, service, ana)
    await stage.rows("UPDATE staff SET page_language = 'sr' RETURNING id")
    await stage.advance(60)
    # The service is in trouble once: it gets the same message again, and it is taken once.
    service.statuses = [503]
    leg = stage.ring()
    await stage.until(lambda: leg.has_heard("Srpski: pritisni"))
    stage.exchange.press(leg, "1")
    await stage.until(lambda: len(service.asked) == 1)
    assert service.said == []
    await stage.advance(10)
    assert len(service.asked) == 1
    # The offer is over by then, and would be no reason to wake a person: it is not sent too late.
    await stage.advance(15)
    (row, *_) = await stage.rows("SELECT sending FROM push_messages ORDER BY wanted_at")
    assert row["sending"] == "failed"
    # The next offer of the same call arrives.
    await stage.until(lambda: service.said == ["Potrebni ste liniji."], limit=120)
    assert {m["sending"] for m in await stage.rows("SELECT sending FROM push_messages")} >= {"sent"}
    # A browser that is gone is forgotten, with all that was sent to it.
    service.statuses, before = [410], len(service.asked)
    await stage.until(lambda: len(service.asked) > before, limit=120)
    await stage.settle()
    assert await stage.rows("SELECT id FROM push_subscriptions") == []
    assert await stage.rows("SELECT id FROM push_messages") == []


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        ("https://fcm.googleapis.com/fcm/send/abc", True),
        ("https://updates.push.services.mozilla.com/wpush/v2/abc", True),
        ("https://web.push.apple.com/abc", True),
        ("https://wns2-par02p.notify.windows.com/w/?token=abc", True),
        ("http://fcm.googleapis.com/fcm/send/abc", False),
        ("https://fcm.googleapis.com:8443/fcm/send/abc", False),
        ("https://fcm.googleapis.com@10.0.0.1/", False),
        ("https://user@fcm.googleapis.com/", False),
        ("https://fcm.googleapis.com.evil.example/", False),
        ("https://evilnotify.windows.com/", False),
        ("https://127.0.0.1/", False),
        ("https://[::1]/", False),
        ("https://169.254.169.254/latest", False),
        ("https://helpline.internal/", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_messages_go_to_known_push_services_only(endpoint: str, allowed: bool) -> None:
    settings = Settings(push_services=OURS)
    assert subscriptions.may_send_to(settings, endpoint) is allowed


async def _person(work: Work, name: str, **more: Any) -> Staff:
    return await accounts.add_staff(work, name=name, role=Role.SUPERVISOR, **more)


async def _enter(work: Work, staff: Staff, browser: str) -> Any:
    made = PushService(work.ground.clock).subscription(browser)
    endpoint = f"https://fcm.googleapis.com/{browser}"
    return await subscriptions.subscribe(
        work, staff, endpoint, made["keys"]["p256dh"], made["keys"]["auth"], "Firefox"
    )


async def test_a_browser_belongs_to_one_person_and_its_address_is_sealed(work: Work) -> None:
    ana, boris = await _person(work, "Ana"), await _person(work, "Boris")
    first = await _enter(work, ana, "shared")
    row = await work.session.get_one(PushSubscription, first)
    assert b"googleapis" not in row.endpoint_sealed + row.endpoint_key
    # Another person signs in at the same browser: it is theirs from then on.
    second = await _enter(work, boris, "shared")
    assert await subscriptions.browsers_of(work, ana) == []
    with pytest.raises(NotFound):
        await subscriptions.forget(work, ana, second)
    await subscriptions.forget(work, boris, second)
    assert await subscriptions.browsers_of(work, boris) == []
    for n in range(12):
        await _enter(work, ana, f"b{n}")
    assert len(await subscriptions.browsers_of(work, ana)) == 10


async def test_a_ring_at_an_open_page_wakes_the_other_browsers_of_its_counsellor(
    work: Work,
) -> None:
    call = await a_waiting_call(work)
    ana, boris = await a_counsellor(work, "ana"), await a_counsellor(work, "boris")
    here, phone = await _enter(work, ana, "here"), await _enter(work, ana, "phone")
    await _enter(work, boris, "other")
    (offer,) = await offered(work, call, ana)
    before = set(await work.session.scalars(select(PushMessage.id)))
    assert await offers.wake_other_browsers(work, ana, offer.id, here)
    await work.session.flush()
    rows = await work.session.scalars(select(PushMessage).where(PushMessage.id.not_in(before)))
    assert [(row.subscription_id, row.expires_at) for row in rows] == [(phone, offer.expires_at)]
    with pytest.raises(NotFound):
        await offers.wake_other_browsers(work, boris, offer.id)
    await offers.accept_offer(work, call, offer)
    assert not await offers.wake_other_browsers(work, ana, offer.id, here)


async def test_what_no_browser_sends_is_refused(work: Work) -> None:
    ana = await _person(work, "Ana")
    with pytest.raises(Invalid):
        await subscriptions.subscribe(work, ana, "https://10.0.0.1/", "x", "x", "")
    for p256dh, auth in (("x", "x"), ("", ""), ("BA" + "A" * 85, "AAAA")):
        with pytest.raises(Invalid):
            await subscriptions.subscribe(
                work, ana, "https://web.push.apple.com/1", p256dh, auth, ""
            )


async def test_the_key_of_the_helpline_stays(work: Work) -> None:
    first = await subscriptions.public_key(work)
    assert await subscriptions.public_key(work) == first
    assert len(first) == 87


async def test_an_alarm_wakes_the_person_at_whose_phone_it_rings(work: Work) -> None:
    await a_line(work)
    await save_agency(
        work,
        Entry(
            code="on-call",
            name="On call",
            sector="own_house",
            services=("supervisor_on_call",),
            languages=("en",),
            duty_phones=(Phone("+381641111111"),),
        ),
    )
    jelena = await _person(work, "Jelena", endpoint="+381641111111")
    mira = await _person(work, "Mira", endpoint="+381642222222")
    for one in (jelena, mira):
        await _enter(work, one, one.name)
    line = (await work.session.scalars(select(Line))).one()
    await open_alarm(work, AlarmKind.LONG_WAIT, line_id=line.id, language="sr")
    await work.session.flush()
    alarm = (await work.session.scalars(select(Alarm))).one()
    await escalate(work, alarm)
    await work.session.flush()
    woken = await work.session.scalars(
        select(Staff.name)
        .join(PushSubscription, PushSubscription.staff_id == Staff.id)
        .join(PushMessage, PushMessage.subscription_id == PushSubscription.id)
    )
    assert woken.all() == ["Jelena"]
    assert await work.session.scalar(select(func.count()).select_from(PushMessage)) == 1


async def test_only_a_push_service_of_the_helplines_own_is_inside_its_network(work: Work) -> None:
    asked: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1000))
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    work.settings.reach_own_network = False
    message = PushOnce(work.ground, str(uuid4()))
    message.url, message.body, message.headers = f"{origin}/push/one", b"sealed", {}
    async with server:
        # The name of a service that leads inside is as good as this address.
        with pytest.raises(TryAgain):
            await message.send()
        assert asked == []
        work.settings.push_services = origin
        await message.send()
        assert len(asked) == 1
