"""What people write down in a night: in a contact, its case, its referral, and to one another."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from app.demo.stage import LINE
from app.practice.legs import Leg
from app.practice.people import Caller, Phone
from tests.support.documents.files import jpeg
from tests.support.leaks.night import Night, answered, ask, changes, words_of
from tests.support.leaks.searching import HEADLINE, NAME, NUMBER, OTHER, said
from tests.support.mail import link_in
from tests.support.planted import CHILD
from tests.support.processes import true
from tests.support.profile import WHOLE
from tests.support.waiting import until

Client = httpx2.AsyncClient
SPECIAL = {
    "child.a1.disability": ["psychosocial"],
    "child.a1.groups": ["lgbtqi"],
    "contact.categories": ["V-SEXUAL"],
    "danger.signs": ["sexual_violence"],
    "actions.taken": ["mental_health"],
}


async def talk(night: Night, client: Client) -> str:
    """A child reaches the counsellor; return the call."""
    leg = night.exchange.ring(NUMBER, LINE)
    await until(lambda: true(leg.heard))
    night.exchange.press(leg, "1")

    async def offered() -> Any:
        return await ask(client, "GET", "/offers/mine")

    offer = (await until(offered))[0]
    await ask(client, "POST", f"/offers/{offer['id']}/accept")

    async def connected() -> bool:
        found = await offered()
        return bool(found) and found[0]["state"] == "connected"

    await until(connected, within=120)
    call = str((await ask(client, "GET", "/calls"))["calls"][0]["id"])
    await _answer_by_key(night, client, call, leg)
    await _third_party(night, client, call)
    return call


async def _answer_by_key(night: Night, client: Client, call: str, leg: Leg) -> None:
    """A child that cannot speak answers a question with a key."""
    await ask(client, "POST", f"/calls/{call}/questions", {"question": "alone"})
    await until(lambda: true(leg.has_heard("Can you talk now?")), within=60)
    night.exchange.press(leg, "2")

    async def answered_by_key() -> bool:
        (asked,) = await ask(client, "GET", f"/calls/{call}/questions")
        return bool(asked["answer"])

    await until(answered_by_key, within=60)
    # The talk goes on.
    await until(lambda: true(night.exchange.conferences.of_leg(leg)), within=60)


async def _third_party(night: Night, client: Client, call: str) -> None:
    """The police join by telephone, and leave."""
    night.exchange.phones[OTHER] = Phone(picks_up=1.0)
    at = f"/calls/{call}"
    await ask(client, "POST", f"{at}/add", {"number": OTHER, "role": "police"})

    async def are_in() -> str:
        found = await ask(client, "GET", f"{at}/participants")
        return next((str(one["id"]) for one in found if one["state"] == "in"), "")

    one = await until(are_in, within=60)
    await ask(client, "POST", f"{at}/participants/{one}/drop")


async def leave_voice_message(night: Night) -> None:
    """Another child finds no counsellor, and speaks after the tone."""
    caller = Caller(message_seconds=4, hangs_up_after_message=True)
    leg = night.exchange.ring(NUMBER, LINE, caller)

    async def asked() -> bool:
        return leg.has_heard("to leave us a message")

    await until(asked, within=60)
    night.exchange.press(leg, "1")

    async def left() -> bool:
        return any(one.deleted for one in night.exchange.recordings.values())

    await until(left, within=120, every=0.5)


async def write_contact(night: Night, client: Client, call: str) -> str:
    """The answers of a contact, with a crash between them; return the contact."""
    answers = {**CHILD, **SPECIAL, "contact.headline": HEADLINE}
    half = len(answers) // 2
    first, rest = dict(list(answers.items())[:half]), dict(list(answers.items())[half:])
    saved = await ask(client, "PUT", f"/calls/{call}/contact", changes(first))
    await night.crash(client)
    assert (await ask(client, "PUT", f"/calls/{call}/contact", changes(rest)))["refused"] == {}
    contact = str(saved["id"])
    # Its readers read it, and find it by what is sealed.
    told = (await ask(client, "GET", f"/contacts/{contact}"))["answers"]
    assert {path: told[path] for path in SPECIAL} == SPECIAL
    found = await ask(client, "POST", "/contacts/search", {"category": "V-SEXUAL"})
    assert [one["id"] for one in found["contacts"]] == [contact]
    # A later answer in place of one that is kept.
    urgency = {"urgency": "immediate", "reason": f"{said('urgency')}, and as suggested"}
    await ask(client, "POST", f"/contacts/{contact}/urgency", urgency)
    for search in (NAME, NUMBER):
        await ask(client, "POST", "/contacts/search", {"name": search})
    flag = {"kind": "at_risk", "reason": said("caller-flag"), "hours": 24}
    await ask(client, "POST", f"/calls/{call}/flags", flag)
    until_ = datetime.now(UTC) + timedelta(hours=3)
    agreed = {
        "from": (until_ - timedelta(hours=1)).isoformat(),
        "until": until_.isoformat(),
        "safe": True,
    }
    await ask(client, "POST", f"/calls/{call}/callback", agreed)
    return contact


async def write_case(client: Client, contact: str, now: datetime | None = None) -> str:
    """A case with all that is written in one; return it. `now`: on another clock than ours."""
    case = str((await ask(client, "POST", "/cases", {"contacts": [contact]}))["id"])
    at = f"/cases/{case}"
    await ask(client, "PUT", f"{at}/answers", changes({"case.story": said("story")}))
    await ask(client, "POST", f"{at}/notes", {"text": f"{said('note')}, {NUMBER}"})
    await ask(client, "POST", f"{at}/risk", {"risk": "high", "reason": said("risk")})
    flag = {"about": "danger_at_a_visit", "words": said("case-flag")}
    await ask(client, "POST", f"{at}/flags", flag)
    due = {"about": "check", "due_on": f"{(now or datetime.now(UTC)) + timedelta(days=9):%Y-%m-%d}"}
    made = await ask(client, "POST", f"{at}/follow-ups", {**due, "words": said("follow-up")})
    result = {"result": "done", "words": said("result")}
    await ask(client, "POST", f"/follow-ups/{made['id']}/done", result)
    help_ = {**due, "about": "intervention", "words": said("help"), "provider": said("provider")}
    await ask(client, "POST", f"{at}/follow-ups", help_)
    await ask(client, "POST", f"{at}/transfer", {"name": "mira", "reason": said("transfer")})
    text = f"%PDF-1.4\n{said('document')} ".encode() * 200
    for name, content in ((f"{NAME}.pdf", text), (f"{NAME}.jpg", jpeg())):
        sent = await client.post(
            f"{at}/documents",
            content=content,
            headers={
                "Content-Type": "application/octet-stream",
                "X-Document-Name": name,
                "X-Document-Details": "keep",
            },
        )
        assert sent.status_code == 201, sent.text
        assert (await client.get(f"{at}/documents/{sent.json()['id']}")).status_code == 200
    return case


async def print_case(client: Client, case: str) -> None:
    """Print a case for a court, with what is written in it."""
    wanted = {"purpose": "court", "recipient": said("recipient"), "notes": True}
    wanted |= {"ground": "court_order", "reason": said("ground"), "contacts": True}
    paper = words_of(await answered(client, "POST", f"/cases/{case}/print", wanted))
    assert f"{NAME}-note" in paper


async def refer(night: Night, client: Client, contact: str) -> None:
    """An urgent referral, pushed until the agency acknowledges and replies.

    In the nightly run it is pushed over a second crash; the first one is amid a contact.
    """
    override = {"basis": "vital_interests", "reason": said("override")}
    body = {"urgency": "immediate", "services": ["shelter"], "override": override}
    referral = await ask(
        client, "POST", "/referrals", {**body, "contact_id": contact, "send": True}
    )
    if WHOLE:
        await night.crash(client)

    async def acknowledged() -> bool:
        found = await ask(client, "GET", f"/referrals/{referral['id']}")
        return found["state"] != "sent" and bool(night.post.to("duty@house.example"))

    await until(acknowledged, within=240, every=0.5)
    place = {"place": said("place"), "team": "north", "words": said("dispatch")}
    wanted = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    at = f"/referrals/{referral['id']}"
    await ask(client, "POST", f"{at}/dispatches", {**place, "wanted_at": wanted})
    await ask(client, "POST", f"{at}/feedback", {"words": said("feedback")})
    path = link_in(night.post.to("duty@house.example")[0])
    async with httpx2.AsyncClient(trust_env=False, timeout=20, base_url=night.base) as agency:
        agency.event_hooks["response"].append(night.note)
        for kind in ("accept", "progress", "ask"):
            form = {"kind": kind, "name": said("agency-name"), "words": said(f"agency-{kind}")}
            done = await agency.post(f"{path}/step", data=form, headers={"origin": night.base})
            assert done.status_code == 303, (kind, done.text)
            path = done.headers["location"].partition("?")[0]


async def say_to_team(client: Client, other: Client) -> None:
    """A counsellor writes to the supervisor, who reads it and answers."""
    for one, way in ((client, "to-supervisor"), (other, "to-counsellor")):
        (to,) = await ask(one, "GET", "/team/messages/recipients")
        await ask(one, "POST", "/team/messages", {"to": to["id"], "words": said(way)})
    await ask(other, "POST", "/team/messages/read")


async def look_at_pages(night: Night, client: Client, *paths: str) -> None:
    """Open the pages on which all this is read."""
    for path in paths:
        answer = await client.get(night.base + path)
        assert answer.status_code == 200, (path, answer.status_code)
