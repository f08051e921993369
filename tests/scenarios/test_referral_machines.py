"""Agencies with a system of their own: signed events both ways, and Primero."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import standardwebhooks
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.demo.stage import Counsellor, Served, Stage, free_port
from app.jobs.transaction import transaction
from app.referrals.channels.webhook.signing import headers_for, key_of, sign
from app.referrals.directory.agencies import set_primero_password, set_webhook_secret
from app.staff.roles import Role
from app.work import PROGRAM
from tests.scenarios.helpline import add_agency, referral_of, story, take_back, withdraw
from tests.scenarios.primero import PrimeroStandIn
from tests.scenarios.test_cases import skip
from tests.scenarios.test_referrals import OVERRIDE, by_hand, page


class Receiver:
    """An agency's own system: it checks what it is sent with a library of the specification."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.taken: list[dict[str, Any]] = []
        self.tries: list[tuple[str, int]] = []
        self.status = 200
        # Keeps whoever asks waiting until it is set.
        self.pause: asyncio.Event | None = None
        self.secret = ""
        self.app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        headers = {k: v for k, v in request.headers.items() if k.startswith("webhook-")}
        event = json.loads(body)
        if self.pause is not None:
            await self.pause.wait()
        self.tries.append((headers["webhook-id"], event["data"]["sequence"]))
        if self.secret:
            at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
            right = standardwebhooks.Webhook(self.secret).sign(
                headers["webhook-id"], at, body.decode()
            )
            assert right == headers["webhook-signature"]
        if self.status == 200:
            self.taken.append(event)
        return Response(status_code=self.status)


@pytest.fixture
async def receiver(anyio_backend: str) -> AsyncIterator[Receiver]:
    made = Receiver()
    served = Served(made.app, made.port)
    await served.start()
    yield made
    await served.stop()


async def with_system(stage: Stage, receiver: Receiver, code: str = "house") -> str:
    await add_agency(stage, code, "shelter", webhook_url=receiver.url)
    async with transaction(stage.ground, PROGRAM) as work:
        receiver.secret = await set_webhook_secret(work, code)
    return receiver.secret


async def told(
    stage: Stage,
    secret: str,
    event: dict[str, Any],
    *,
    event_id: str = "",
    off: float = 0,
    code: str = "house",
    signature: str = "",
) -> Any:
    """The agency's system tells us something."""
    body = json.dumps(event).encode()
    at = stage.clock.now() + timedelta(seconds=off)
    headers = headers_for(key_of(secret), event_id or str(uuid4()), at, body)
    if signature:
        headers["webhook-signature"] = signature
    url = f"{stage.settings.public_url}/api/v1/agencies/{code}/events"
    return await stage.client.post(url, content=body, headers=headers)


def event(referral: str, sequence: int, kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": {"referral": referral, "sequence": sequence, **data}}


HOUSE = {"agency": "house", "name": "Mira"}


async def sent(stage: Stage, ana: Counsellor, **more: Any) -> dict[str, Any]:
    made = await by_hand(
        ana, override=OVERRIDE, send=True, answers={"child.name": "Jovana", "child.age": 9}, **more
    )
    await stage.settle()
    return await referral_of(ana, made["id"])


async def test_events_are_signed_and_in_order(night: Stage, receiver: Receiver) -> None:
    ana = await night.add_counsellor("ana")
    await with_system(night, receiver)
    found = await sent(night, ana)
    await night.advance(2)
    assert [e["type"] for e in receiver.taken] == ["referral.offered"]
    offered = receiver.taken[0]["data"]
    assert offered["referral"] == found["code"]
    assert offered["fields"]["child.name"] == "Jovana"
    # What it was told is written down like any other disclosure.
    found = await referral_of(ana, found["id"])
    assert [(d["to"], d["how"]) for d in found["disclosures"]] == [("House", "machine")]

    # It does not answer for hours: nothing is lost, and the order stays.
    receiver.status = 500
    await ana.ask("POST", f"/referrals/{found['id']}/acknowledge", HOUSE)
    await ana.ask("POST", f"/referrals/{found['id']}/accept", HOUSE)
    await night.advance(700)
    assert len(receiver.taken) == 1
    assert {n for _, n in receiver.tries[1:]} == {2}, "the third waits for the second"
    assert len({i for i, n in receiver.tries if n == 2}) == 1, "a retry has the same id"
    receiver.status = 200
    await skip(night, 1.05)
    assert [e["data"]["sequence"] for e in receiver.taken] == [1, 2, 3]
    assert [e["type"] for e in receiver.taken[1:]] == ["referral.acknowledged", "referral.accepted"]


async def test_what_never_arrives_is_on_the_page_of_dead_letters(
    night: Stage, receiver: Receiver
) -> None:
    ana = await night.add_counsellor("ana")
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await with_system(night, receiver)
    receiver.status = 302
    found = await sent(night, ana, urgency="immediate")
    await ana.ask("POST", f"/referrals/{found['id']}/accept", HOUSE)
    # The others wait behind the first, even when that is given up.
    for _ in range(60):
        night.stepped.move_to(night.clock.now() + timedelta(hours=6, minutes=1))
        await night.settle()
        if await night.rows("SELECT 1 FROM deliveries WHERE state = 'dead'"):
            break
    days = (night.clock.now().day - 14) if night.clock.now().month == 1 else 99
    assert 5 <= days <= 7, "it is tried for six days"
    told_of = await night.rows("SELECT how FROM disclosures")
    assert [d["how"] for d in told_of] == ["machine"], "told once, however often it was tried"
    await vera.sign_in()
    shown = (await page(night, vera, "/supervisor")).text
    assert "status 302" in shown
    dead = (await night.rows("SELECT id FROM deliveries WHERE state = 'dead' ORDER BY sequence"))[0]
    receiver.status = 200
    assert (await vera.ask("POST", f"/deliveries/{dead['id']}/again")).status_code == 204
    await night.advance(30)
    assert [e["data"]["sequence"] for e in receiver.taken] == [1, 2, 3]


async def test_replies_are_checked_once_and_in_order(night: Stage, receiver: Receiver) -> None:
    ana = await night.add_counsellor("ana")
    secret = await with_system(night, receiver)
    await add_agency(night, "other", "shelter", email="a@other.example")
    found = await sent(night, ana)
    code = found["code"]
    acknowledged = event(code, 1, "referral.acknowledged", by="Mira, on duty")
    # The agency's clock is wrong: refused with the reason, and nothing has happened.
    for off in (-400, 400):
        stale = await told(night, secret, acknowledged, off=off)
        assert (stale.status_code, stale.json()["error"]) == (401, "StaleEvent")
    forged = sign(
        key_of("whsec_" + base64.b64encode(b"x" * 32).decode()), "1", night.clock.now(), b"{}"
    )
    for wrong in (forged, "v1,", "v2,abc", "nonsense", forged + " " + forged):
        assert (await told(night, secret, acknowledged, signature=wrong)).status_code == 401
    assert (await told(night, secret, acknowledged, code="other")).status_code == 401
    assert (await told(night, secret, acknowledged, code="nobody")).status_code == 401
    assert (await referral_of(ana, found["id"]))["state"] == "sent"
    # In order, each once: a replay is answered as the first time, and does nothing.
    early = await told(night, secret, event(code, 2, "referral.accepted", by="M"))
    assert early.json()["error"] == "OutOfOrder"
    first = await told(night, secret, acknowledged, event_id="e1")
    assert first.json()["state"] == "acknowledged", first.text
    await told(night, secret, event(code, 2, "referral.accepted", by="M"), event_id="e2")
    replayed = await told(night, secret, acknowledged, event_id="e1")
    assert replayed.json() == first.json()
    assert (await referral_of(ana, found["id"]))["state"] == "accepted"
    for wrong_event in (
        event(code, 3, "referral.rejected"),
        event(code, 3, "referral.progress", seen_at="2030-01-14T01:00:00"),
        event(code, 3, "referral.progress", seen_at="2031-01-14T01:00:00+00:00"),
        event(code, 3, "referral.flown"),
        {"type": "x"},
        event("R-000-000-000", 3, "referral.accepted"),
    ):
        answer = await told(night, secret, wrong_event)
        assert answer.status_code in (404, 422), wrong_event
    seen = night.clock.now().isoformat()
    progress = event(code, 3, "referral.progress", seen_at=seen, words="Hi", by="Mira")
    ok = await told(night, secret, progress)
    assert ok.json()["state"] == "in_progress"
    done = event(code, 4, "referral.completed", outcome="family_supported", by="Mira")
    assert (await told(night, secret, done)).json()["state"] == "completed"
    assert (await referral_of(ana, found["id"]))["outcome"] == "family_supported"
    # Nothing that it told us comes back to it as news.
    await night.advance(5)
    assert [e["type"] for e in receiver.taken] == ["referral.offered"]


async def test_a_rejection_by_machine_goes_to_the_next(night: Stage, receiver: Receiver) -> None:
    ana = await night.add_counsellor("ana")
    secret = await with_system(night, receiver)
    await add_agency(night, "next", "shelter", email="a@next.example")
    found = await sent(night, ana)
    refused = event(found["code"], 1, "referral.rejected", reason="no_capacity")
    assert (await told(night, secret, refused)).json()["state"] == "sent"
    found = await referral_of(ana, found["id"])
    assert found["recipients"][-1]["agency"] == "next"


async def test_withdrawn_consent_reaches_the_machine_too(night: Stage, receiver: Receiver) -> None:
    ana = await night.add_counsellor("ana")
    await with_system(night, receiver)
    receiver.status = 500
    consent = {"given_by": "child", "scope": ["services"]}
    made = await by_hand(ana, consent=consent, send=True, answers={"child.name": "Jovana"})
    await night.advance(2)
    await withdraw(night, ana, made["id"])
    receiver.status = 200
    await night.advance(200)
    # The offer that was on its way holds nothing about the child any more.
    assert [e["type"] for e in receiver.taken] == ["referral.offered", "referral.withdrawn"]
    assert "Jovana" not in json.dumps(receiver.taken)


# -- Primero -----------------------------------------------------------------------------------


@pytest.fixture
async def primero(anyio_backend: str) -> AsyncIterator[tuple[PrimeroStandIn, str]]:
    made = PrimeroStandIn()
    port = free_port()
    served = Served(made.app, port)
    await served.start()
    yield made, f"http://127.0.0.1:{port}"
    await served.stop()


async def with_primero(stage: Stage, url: str, services: str = "shelter", **more: Any) -> None:
    config = {
        "url": url,
        "user": "line",
        "owned_by": "cp_intake",
        "refer_to": "shelter_worker",
        "mapping": "primero-cp",
        **more,
    }
    await add_agency(stage, "house", services, primero=config)
    async with transaction(stage.ground, PROGRAM) as work:
        await set_primero_password(work, "house", "secret")


ANSWERS = {
    "child.name": "Jovana Petrović",
    "child.age": 9,
    "child.age_is": "estimated",
    "child.gender": "girl",
    "danger.signs": ["injured"],
    "child.found_at": "Kod tetke",
}


async def test_a_referral_in_primeros_words(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana")
    await with_primero(night, url)
    # Busy with its own configuration at first, and an answer that is lost later.
    there.busy, there.lost = 1, 2
    made = await by_hand(ana, override=OVERRIDE, send=True, answers=ANSWERS)
    await night.advance(60)
    assert len(there.cases) == 1
    (case,) = there.cases.values()
    assert case["name_first"] == "Jovana"
    assert case["name_last"] == "Petrović"
    assert (case["sex"], case["age"], case["estimated"]) == ("female", 9, True)
    assert case["protection_concerns"] == ["physically_or_mentally_abused"]
    assert case["legitimate_basis"] == ["vital_interests"]
    assert case["services_section"][0]["service_type"] == "safehouse_service"
    assert case["services_section"][0]["service_response_timeframe"] == "1_hour"
    assert "telephone_current" not in case, "what is not known is not said"
    assert there.only["consent_overridden"] is True
    found = await referral_of(ana, made["id"])
    assert found["state"] == "delivered", story(found)
    assert [d["how"] for d in found["disclosures"]] == ["primero"], "tried thrice, told once"
    # It tells nobody when it is answered: we ask.
    there.only["status"] = "accepted"
    await night.advance(130)
    found = await referral_of(ana, made["id"])
    assert found["state"] == "accepted"
    there.only.update(
        status="done",
        success_status="not_successful",
        reason_not_successful="unable_to_contact_client",
    )
    await night.advance(700)
    found = await referral_of(ana, made["id"])
    assert (found["state"], found["outcome"]) == ("completed", None), "no outcome is invented"
    words = [e["words"] for e in found["events"] if e["kind"] == "complete"]
    assert words == ["not successful: unable to contact client"]
    asked = len(there.asked)
    await night.advance(700)
    assert len(there.asked) == asked, "nobody asks about what is over"


async def test_what_primero_has_no_word_for_is_told_in_words_or_listed(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana")
    await with_primero(night, url, "child_protection")
    consent = {"given_by": "child", "scope": ["services", "authorities"]}
    told = {
        **ANSWERS,
        "child.name": "Јована Петровић",
        "child.birth_date": "2021-02-03",
        "danger.signs": ["weapon", "injured"],
        "danger.dangers": "A dog, and a gun in the hall.",
        "reason.why": "He beat her today.",
        "reason.categories": ["V-NEGLECT", "EO-ACADEMIC"],
        "child.access_needs": "A wheelchair",
        "parties.role": "teacher",
    }
    made = await by_hand(
        ana, consent=consent, send=True, answers=told, services=["child_protection"]
    )
    await night.advance(60)
    (case,) = there.cases.values()
    assert (case["consent_for_services"], case["disclosure_other_orgs"]) == (True, True)
    assert case["interview_subject"] == "individual"
    assert (case["name_first"], case["name_other"]) == ("Јована", "Јована Петровић")
    assert case["date_of_birth"] == "2021-02-03"
    assert case["protection_concerns"] == ["physically_or_mentally_abused"]
    (service,) = case["services_section"]
    notes = service["service_referral_notes"].split("\n")
    # Whoever goes there reads the danger first, and hears of the signs that have no code there.
    assert notes[0] == "Dangers for whoever goes there: A dog, and a gun in the hall."
    assert "A weapon is within reach, The child is injured" in notes[1]
    for line in ("He beat her today.", "A wheelchair"):
        assert any(line in note for note in notes)
    assert service["service_response_day_time"].startswith("2030-01-14T01:00:00")
    assert there.only["consent_overridden"] is False
    found = await referral_of(ana, made["id"])
    assert found["state"] == "delivered", story(found)
    (row,) = await night.rows("SELECT left_out FROM counterparts")
    assert row["left_out"] == [
        "danger.signs = weapon",
        "reason.categories = EO-ACADEMIC",
        "parties.role",
    ]
    page = await night.client.get(
        f"{night.settings.public_url}/referrals/{made['id']}",
        headers={"Cookie": ana.cookie_header},
    )
    assert "Signs of danger now: A weapon is within reach" in page.text


async def test_primero_rejects_and_the_next_is_asked(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana")
    await with_primero(night, url)
    await add_agency(night, "other", "shelter", email="a@other.example")
    made = await by_hand(ana, override=OVERRIDE, answers=ANSWERS)
    await ana.ask("POST", f"/referrals/{made['id']}/send", {"agency": "house"})
    await night.advance(10)
    there.only.update(status="rejected", rejected_reason="No bed")
    await night.advance(130)
    found = await referral_of(ana, made["id"])
    assert found["recipients"][0]["state"] == "rejected"
    assert found["recipients"][1]["agency"] == "other"


@pytest.mark.parametrize(
    ("answers", "services", "problem"),
    [
        # Their list has two genders: nothing is bent to fit.
        ({**ANSWERS, "child.gender": "non_binary"}, "shelter", "child.gender = non_binary"),
        # A service that they have no word for.
        (ANSWERS, "mobile_outreach", "service = mobile_outreach"),
    ],
)
async def test_what_is_unmapped_is_refused_with_the_list(
    night: Stage, primero: tuple[PrimeroStandIn, str], answers: Any, services: str, problem: str
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana")
    await with_primero(night, url, services)
    made = await by_hand(ana, override=OVERRIDE, send=True, answers=answers, services=[services])
    await night.advance(10)
    assert there.cases == {}
    found = await referral_of(ana, made["id"])
    refused = next(e for e in found["events"] if e["kind"] == "refused by their system")
    assert problem in refused["detail"]["problem"]
    notices = await night.rows("SELECT kind FROM notices")
    assert "unmapped" in {n["kind"] for n in notices}


async def test_their_forms_are_discovered_before_anything_is_sent(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    there.fields = [f for f in there.fields if f["name"] != "estimated"]
    ana = await night.add_counsellor("ana")
    await with_primero(night, url)
    made = await by_hand(ana, override=OVERRIDE, send=True, answers=ANSWERS)
    await night.advance(10)
    assert there.cases == {}
    found = await referral_of(ana, made["id"])
    refused = next(e for e in found["events"] if e["kind"] == "refused by their system")
    assert "estimated: their forms have no such field" in refused["detail"]["problem"]
    assert "Jovana" not in refused["detail"]["problem"]


async def test_taken_back_it_is_revoked_there(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana")
    await with_primero(night, url)
    made = await by_hand(ana, override=OVERRIDE, send=True, answers=ANSWERS)
    await night.advance(10)
    await take_back(night, ana, made["id"])
    await night.advance(5)
    assert there.only["status"] == "revoked"


async def test_a_wrong_password_is_said_and_not_repeated_into_a_lock(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana")
    await with_primero(night, url)
    async with transaction(night.ground, PROGRAM) as work:
        await set_primero_password(work, "house", "wrong")
    made = await by_hand(ana, override=OVERRIDE, send=True, answers=ANSWERS)
    await night.advance(300)
    assert len(there.asked) == 1
    found = await referral_of(ana, made["id"])
    refused = next(e for e in found["events"] if e["kind"] == "refused by their system")
    assert "401" in refused["detail"]["problem"]
