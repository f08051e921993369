"""What leaves by itself: no letter, text, push message or event tells who a child is.

An administrator sets addresses of colleagues, agencies and files. Whatever they set, no identity
reaches an address that no second person has approved. An approved system of an agency
gets what was disclosed to it, and so shows that the search finds what is there.
"""

import ast
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import app
from app.demo.counsellor import Counsellor
from app.demo.served import Served
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.people import Phone
from app.safekeeping import anchors
from app.safekeeping.models import Way
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support import profile
from tests.support.contacts import WHOLE, new_contact, skip, skip_minutes
from tests.support.mail import Mail
from tests.support.push import PushService
from tests.support.referrals import OVERRIDE, add_agency, by_hand
from tests.support.systems import Receiver, with_system
from tests.support.talks import talk

NAME, NUMBER, STREET = "Zzlatica", "+381649998877", "Zzulica"
TOLD = (NAME, NAME.lower(), NUMBER, NUMBER.removeprefix("+381"), STREET, "psychosocial")
ANSWERS = {
    **WHOLE,
    "contact.headline": f"{NAME} is afraid",
    "child.a1.name": NAME,
    "child.a1.disability": ["psychosocial"],
    "child.a1.home_address": f"{STREET} 5",
    "actions.summary": f"{NAME} was listened to.",
}
MINE = "mine@elsewhere.example"

# Every place of the program that sends mail, and why what it sends is looked through here or in the
# test that is named. A new one has to be added, and its letter read.
SENDERS = {
    "administration.jobs.administration_tasks.tell_leads": "a colleague, a line, a kind of thing",
    "contacts.jobs._mail": "here: a follow-up, a case that is handed over",
    "outbox.mail.write_to_staff": "what all letters to our own people go through",
    "people.connection_tests.send_test_letter": "here: the test of the mail server",
    "people.jobs._mail_link": "here: an invitation",
    "people.jobs.people_tasks.tell_emergency": "here: an emergency access is asked for",
    "people.jobs._tell_owner": "here: a sign-in from a new browser",
    "referrals.channels.email.sending.EmailOnce.send": "here: an agency is asked",
    "referrals.escalation.alarm_attempts.AlarmEmailOnce.send": "here: a colleague is alarmed",
    "referrals.jobs.mail_notice": "here: a notice to supervisors",
    "referrals.jobs.tell_of_new_address": "here: an address is to change",
    "retention.jobs.retention_tasks.remind": "fixed words and a day: no row of a record is read",
    "retention.jobs.retention_tasks.tell_of_end": "its words are fixed: no row of a record is read",
    "retention.jobs.retention_tasks.tell": "a colleague's name and a day: no record is read for it",
    "routing.jobs.tell_alarm": "here: nobody is on duty",
    "routing.jobs.tell_volume": "its words are fixed: no row of a record is read for it",
    "safekeeping.anchors._by_mail": "here: an anchor, with its file",
    "safekeeping.notices.mail": "its words are fixed: no row of a record is read for it",
    "statistics.reports.sending.announce": "here: a report is ready",
}


def has_none(text: str, where: str) -> None:
    assert [word for word in TOLD if word in text] == [], (where, text[:2000])


def _senders() -> set[str]:
    """Return each function of the program that hands a letter to the mail server."""
    root, found = Path(app.__file__).parent, set()
    for path in root.rglob("*.py"):
        text = path.read_text()
        if "send_mail(" not in text and "write_to_staff(" not in text:
            continue
        module = ".".join(path.relative_to(root).with_suffix("").parts)

        def look(node: ast.AST, inside: tuple[str, ...], module: str = module) -> None:
            for child in ast.iter_child_nodes(node):
                named = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
                here = (*inside, child.name) if named else inside  # type: ignore[attr-defined]
                called = getattr(child.func, "id", "") if isinstance(child, ast.Call) else ""
                if called in ("send_mail", "write_to_staff"):
                    found.add(".".join((module, *here)))
                look(child, here)

        look(ast.parse(text), ())
    return found


def test_every_letter_that_the_program_can_send_is_looked_through() -> None:
    assert _senders() == set(SENDERS)


@asynccontextmanager
async def _served(stage: Stage, made: Any) -> AsyncIterator[None]:
    served = Served(made.app, made.port)
    await served.start()
    try:
        yield
    finally:
        await served.stop()


async def _with_mail(stage: Stage, name: str, role: Role, **more: Any) -> Counsellor:
    """A colleague whose address an administrator has set."""
    who = await stage.add_counsellor(name, role=role, shift=False, state=None, **more)
    await stage.rows(
        "UPDATE staff SET email = %s WHERE id = %s RETURNING id", f"{name}@mine.example", who.id
    )
    return who


async def _push(stage: Stage, service: PushService, who: Counsellor) -> None:
    url, headers = stage.settings.public_url, {"Cookie": who.cookie_header}
    key = await stage.client.post(f"{url}/sounds/push/key", json={}, headers=headers)
    service.vapid_key = key.raise_for_status().json()["key"]
    body = service.subscription("one")
    (await stage.client.post(f"{url}/sounds/push", json=body, headers=headers)).raise_for_status()


async def _case(stage: Stage, ana: Counsellor, contact: str) -> None:
    """A case with a follow-up that is overdue, and one that is handed over."""
    case = (await ana.ask("POST", "/cases", {"contacts": [contact]})).json()
    due = (stage.clock.now() + timedelta(days=1)).date().isoformat()
    body = {"about": "check", "due_on": due, "words": f"ring {NAME} at {NUMBER}"}
    assert (await ana.ask("POST", f"/cases/{case['id']}/follow-ups", body)).status_code == 201
    body = {"name": "vera", "reason": f"{NAME} wants to speak with her."}
    assert (await ana.ask("POST", f"/cases/{case['id']}/transfer", body)).status_code == 201


async def _an_anchor(stage: Stage) -> None:
    settings = stage.settings.model_copy(update={"anchor_mail": MINE})
    ground = replace(stage.ground, settings=settings)
    async with transaction(ground, PROGRAM) as work:
        anchor_id = await anchors.make_anchor(work)
        work.jobs.clear()
    assert anchor_id is not None
    await anchors.deliver(ground, anchor_id, Way.MAIL)


async def test_no_letter_text_push_or_event_gives_an_identity_to_an_address_of_one_person(
    night: Stage, post: Mail
) -> None:
    stage, service, system, own = night, PushService(night.clock), Receiver(), Receiver()
    stage.settings.push_services = service.origin
    async with _served(stage, service), _served(stage, system), _served(stage, own):
        ana = await stage.add_counsellor("ana")
        await stage.rows("UPDATE staff SET email = 'ana@mine.example' RETURNING id")
        vera = await _with_mail(stage, "vera", Role.SUPERVISOR)
        mila = await _with_mail(stage, "mila", Role.ADMINISTRATOR)
        await _push(stage, service, vera)
        stage.exchange.phones["+381113000001"] = Phone(picks_up=None)
        await with_system(stage, system)
        await add_agency(
            stage,
            "second",
            "shelter",
            phones=("+381113000001",),
            email="duty@second.example",
            sms="+381603000002",
        )
        # In the talk, Ana calls for help: a colleague who has no page open is woken.
        leg = await talk(stage, ana, from_=NUMBER)
        await stage.advance(61)
        call = (await stage.call_of(leg))["id"]
        (await ana.ask("POST", f"/calls/{call}/call-for-help")).raise_for_status()
        await stage.settle()
        await stage.exchange.hang_up(leg)
        await stage.advance(1)
        contact = await new_contact(ana, ANSWERS)
        await _what_one_person_sets(stage, mila, own)
        await _case(stage, ana, contact)
        asked = {"contact_id": contact, "override": OVERRIDE, "send": True}
        await by_hand(ana, **asked)
        await by_hand(ana, **asked, seen_open=True)
        # The escalation begins; no person acknowledges; a follow-up is due, and by night overdue.
        await stage.advance(240)
        await skip_minutes(stage, 60, every=20)
        for hours in (24, 18, 18) if profile.WHOLE else (24, 18):
            await skip(stage, hours)
        await _an_anchor(stage)
    _check(stage, post, service, system, own)


async def _what_one_person_sets(stage: Stage, mila: Counsellor, own: Receiver) -> None:
    """Every address that an administrator can enter alone, and every letter they can ask for."""
    agency = {"code": "second", "name": "Second", "sector": "shelter", "services": "shelter"}
    addresses = {"email": MINE, "sms": "+381603000009", "webhook_url": own.url}
    saved = await mila.ask(
        "POST", "/agencies", {**agency, "duty_phones": "+381113000009", **addresses}
    )
    assert saved.status_code == 200, saved.text
    wanted = {"name": "Nova", "email": MINE, "by_mail": True}
    assert (await mila.ask("POST", "/people", wanted)).status_code == 201
    assert (await mila.ask("POST", "/connections/mail/test", {})).status_code < 300
    code = (await stage.rows("SELECT code FROM contacts"))[0]["code"]
    wanted = {"kind": "record", "ground": f"{NAME} is in danger.", "minutes": 60, "code": code}
    bora = await stage.add_counsellor("bora", shift=False, state=None)
    asked = await bora.ask("POST", "/emergencies", wanted)
    assert asked.status_code < 300, asked.text
    wanted = {"report": "daily", "every": "day", "role": "supervisor"}
    assert (await mila.ask("POST", "/statistics/schedules", wanted)).status_code == 201
    await stage.settle()


def _check(stage: Stage, post: Mail, service: PushService, system: Receiver, own: Receiver) -> None:
    read = {to for to, _ in post.whole}
    assert {"ana@mine.example", "vera@mine.example", "mila@mine.example", MINE} <= read
    assert "duty@second.example" in read
    for to, letter in post.whole:
        has_none(letter, f"a letter to {to}")
    assert any("application/json anchor-" in letter for _, letter in post.whole)
    texts = [form for _, path, form, _, _ in stage.exchange.asked if "Body" in form]
    assert texts
    for form in texts:
        has_none(" ".join(form["Body"]), "a text")
        assert "+381603000009" not in form["To"], "no second person approved it"
    rung = [to for _, _, form, _, _ in stage.exchange.asked for to in form.get("To", [])]
    assert "+381113000009" not in rung
    assert service.said
    has_none(" ".join(service.said), "push messages")
    assert not own.taken
    assert not own.attempts
    assert system.taken
    has_none(" ".join(system.seen_on_the_way), "the address and headers of events")
    # What was disclosed is in its own part alone, and goes to a system that was approved.
    assert NAME in json.dumps([one["data"].get("fields") for one in system.taken])
    for one in system.taken:
        has_none(json.dumps({**one, "data": {**one["data"], "fields": None}}), "an event")
