"""Planted names, numbers and words of an evening, and the search for them in what is left of it.

By night `test_planted_night.py` plants them by every way, with crashes, and searches every file,
back-up, statement and browser. Here the rows, the log, and what the provider and a mail server were
told are searched.
"""

import json
from typing import Any

import httpx2
import pytest

from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, Stage
from app.practice.people import Phone
from app.staff.roles import Role
from tests.support.children.who_text import says, takes, takes_texts, writer
from tests.support.leaks import records
from tests.support.leaks.night import ask, changes
from tests.support.leaks.records import SPECIAL
from tests.support.leaks.searching import (
    CODES,
    HEADLINE,
    NAMED,
    NUMBER,
    PLANTED,
    TEXTS,
    found_in,
    said,
)
from tests.support.mail import Mail
from tests.support.planted import CHILD
from tests.support.referrals import add_agency
from tests.support.talks import talk

_DEFINED = {"definitions", "definition_sets"}


def _page(stage: Stage, who: Counsellor) -> httpx2.AsyncClient:
    """The JSON API as a person's browser asks it."""
    return httpx2.AsyncClient(
        trust_env=False,
        timeout=20,
        base_url=f"{stage.settings.public_url}/api/v1",
        headers={"Cookie": who.cookie_header},
    )


async def _written_in_a_talk(stage: Stage, ana: Counsellor) -> str:
    """A child rings; what it says is written in a contact, a case and a referral."""
    leg = await talk(stage, ana, from_=NUMBER)
    call = (await stage.call_of(leg))["id"]
    async with _page(stage, ana) as page:
        # A headline names no child, and is not sealed.
        answers = {**CHILD, **SPECIAL, "contact.headline": HEADLINE}
        saved = await ask(page, "PUT", f"/calls/{call}/contact", changes(answers))
        assert saved["refused"] == {}
        contact = str(saved["id"])
        urgency = {"urgency": "immediate", "reason": said("urgency")}
        await ask(page, "POST", f"/contacts/{contact}/urgency", urgency)
        flag = {"kind": "at_risk", "reason": said("caller-flag"), "hours": 24}
        await ask(page, "POST", f"/calls/{call}/flags", flag)
        await records.write_case(page, contact, stage.clock.now())
        override = {"basis": "vital_interests", "reason": said("override")}
        body = {"urgency": "immediate", "services": ["shelter"], "override": override}
        await ask(page, "POST", "/referrals", {**body, "contact_id": contact, "send": True})
    await stage.advance(20)
    await stage.exchange.hang_up(leg)
    await stage.advance(40)
    return contact


async def _written_by_text(stage: Stage, ana: Counsellor) -> None:
    stage.exchange.phones[TEXTS] = Phone()
    stage.exchange.texts.write(TEXTS, LINE, said("sms"))
    await stage.advance(4)
    await says(stage, ana, await takes(stage, ana), said("reply"))
    await stage.advance(4)


async def test_nothing_of_the_planted_is_in_rows_logs_and_letters(
    night: Stage, post: Mail, capfd: pytest.CaptureFixture[str]
) -> None:
    stage = night
    house = {"phones": ("+381113000001",), "email": "duty@house.example"}
    await add_agency(stage, "house", "shelter", **house)
    stage.exchange.phones["+381113000001"] = Phone(picks_up=1.0, presses="1")
    await stage.add_counsellor("mira", role=Role.SUPERVISOR, shift=False, state=None)
    await takes_texts(stage)
    ana = await writer(stage)
    contact = await _written_in_a_talk(stage, ana)
    await _written_by_text(stage, ana)
    told = (await ana.ask("GET", f"/contacts/{contact}")).json()["answers"]
    assert {path: told[path] for path in SPECIAL} == SPECIAL, "its readers read it"
    assert found_in(json.dumps(told).encode(), NAMED)
    left = await _in_rows(stage) | _at_others(stage, post)
    logged = capfd.readouterr()
    left |= _searched({"log": logged.out + logged.err}, (*PLANTED, *CODES))
    assert left == {}


async def _in_rows(stage: Stage) -> dict[str, set[str]]:
    names = await stage.rows(
        "SELECT table_name AS name FROM information_schema.tables "
        "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    rows = {
        row["name"]: await stage.rows(f'SELECT t::text AS words FROM "{row["name"]}" t')
        for row in names
    }
    for kept in ("calls", "contacts", "cases", "referrals", "chat_messages", "audit_entries"):
        assert rows[kept], f"nothing in {kept}"
    left: dict[str, set[str]] = {}
    for name, found in rows.items():
        words = "\n".join(row["words"] for row in found)
        left |= _searched({name: words}, PLANTED if name in _DEFINED else (*PLANTED, *CODES))
    return left


def _at_others(stage: Stage, post: Mail) -> dict[str, set[str]]:
    """Read what the provider and the mail server were told.

    The provider knows who called, and what a child is sent.
    """
    assert stage.exchange.asked
    assert post.whole
    told: dict[str, Any] = {f"mail to {to}": words for to, words in post.whole}
    for _method, path, form, _status, _body in stage.exchange.asked:
        named = {k: v for k, v in form.items() if k not in ("To", "From", "CallerId", "Body")}
        told[f"request {path}"] = path + json.dumps(named)
    told |= {f"address {url}": url for url, _fields in stage.exchange.sender.sent}
    return _searched(told, PLANTED)


def _searched(places: dict[str, str], sought: tuple[str, ...]) -> dict[str, set[str]]:
    found = {name: found_in(words.encode(), sought) for name, words in places.items()}
    return {name: words for name, words in found.items() if words}
