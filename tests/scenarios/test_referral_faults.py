"""What goes wrong on the way to somebody who acts, and that nothing is forgotten by it."""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.referrals.models import Attempt
from app.telephony.counsellor.leg_jobs import known_sids
from app.work import PROGRAM
from tests.scenarios.helpline import (
    Mail,
    add_agency,
    click,
    code_in,
    link_in,
    phone,
    referral_of,
    story,
)
from tests.scenarios.test_referrals import OVERRIDE, by_hand, urgent

ADDRESSES = {"email": "a@house.example", "sms": "+381640000001"}


async def sent_link(stage: Stage, post: Mail, ana: Any, **more: Any) -> tuple[str, str]:
    """A referral that waits for an answer, and the link of the e-mail."""
    await add_agency(stage, "house", "shelter", **ADDRESSES, **more)
    phone(stage, ADDRESSES["sms"])
    made = await by_hand(ana, override=OVERRIDE, send=True, answers={"child.name": "Jovana"})
    await stage.until(lambda: bool(post.messages), what="the e-mail arrives")
    await stage.advance(3)
    return str(made["id"]), link_in(post.messages[0][1])


# -- gateways that are down --------------------------------------------------------------------


@pytest.mark.parametrize("down", ["sms", "mail", "both"])
async def test_a_gateway_is_down(night: Stage, post: Mail, down: str) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", **ADDRESSES)
    await add_agency(night, "other", "shelter", phones=("+381113000009",))
    texts = phone(night, ADDRESSES["sms"]).texts
    other = phone(night, "+381113000009", presses="1")
    if down in ("sms", "both"):
        night.exchange.phones[ADDRESSES["sms"]].unreachable = True
    if down in ("mail", "both"):
        post.stop()
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(60)
    found = await referral_of(ana, made["id"])
    if down == "both":
        # Neither way led to anybody: the escalation does not wait for an answer that cannot come.
        assert other.rung == 1, story(found)
        assert found["state"] == "acknowledged"
    else:
        # The other way is enough.
        assert other.rung == 0, story(found)
        assert found["state"] == "delivered"
        text = texts[0].text if down == "mail" else post.messages[0][1]
        answered = await click(
            night, link_in(text) + "/step", {"kind": "acknowledge", "name": "Mira"}
        )
        assert answered.status_code == 303
        assert (await referral_of(ana, made["id"]))["state"] == "acknowledged"


async def test_no_mail_server_is_set(stage: Stage) -> None:
    """Without HELPLINE_SMTP_URL no e-mail leaves: the escalation knows, and goes on."""
    ana = await stage.add_counsellor("ana")
    await add_agency(stage, "house", "shelter", email="a@house.example")
    await add_agency(stage, "other", "shelter", phones=("+381113000009",))
    other = phone(stage, "+381113000009", presses="1")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await stage.advance(30)
    assert other.rung == 1
    assert (await referral_of(ana, made["id"]))["state"] == "acknowledged"


async def test_the_provider_carries_it_out_and_never_answers(night: Stage) -> None:
    """A duty phone and an SMS are asked about, and not rung or written to twice."""
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", phones=("+381113000001",), sms=ADDRESSES["sms"])
    duty = phone(night, "+381113000001", picks_up=None)
    texts = phone(night, ADDRESSES["sms"]).texts
    night.exchange.knobs.turn("accept_and_time_out", "POST", times=2, seconds=1)
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(50)
    found = await referral_of(ana, made["id"])
    assert duty.rung == 1, story(found)
    assert len(texts) == 1
    night.exchange.knobs.reset()


async def test_the_provider_is_down_for_a_while(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", phones=("+381113000001",))
    duty = phone(night, "+381113000001", presses="1")
    night.exchange.knobs.turn("refuse", "Calls.json", times=3)
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.until(lambda: duty.rung > 0, limit=120, what="it is rung all the same")
    await night.advance(30)
    assert (await referral_of(ana, made["id"]))["state"] == "acknowledged"


async def test_killed_while_an_email_was_being_sent(night: Stage, post: Mail) -> None:
    """Nobody knows whether it arrived: not repeated within a minute, and not forgotten."""
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", email="a@house.example")
    post.answer = "451 later"
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.settle()
    # As the row stands when the process dies between the commit and the end of the talk.
    async with transaction(night.ground, PROGRAM) as work:
        attempt = (await work.session.execute(select(Attempt.id))).one()
        await work.session.execute(
            update(Attempt).values(sending="sending", sent_at=work.now, tries=1)
        )
        work.defer("referrals:send_mail", attempt_id=str(attempt.id))
    post.answer = "250 OK"
    await night.advance(50)
    assert post.messages == []
    await night.advance(20)
    assert len(post.messages) == 1
    assert attempt.id.hex in post.ids[0].replace("-", "")
    assert (await referral_of(ana, made["id"]))["state"] == "delivered"


async def test_lost_jobs_are_caught(night: Stage) -> None:
    """Whatever became of the job, a deadline is written and an escalation goes on."""
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", phones=("+381113000001", "+381113000002"))
    phone(night, "+381113000001", picks_up=None)
    second = phone(night, "+381113000002", presses="1")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(5)
    await night._watch.execute(
        "DELETE FROM procrastinate_jobs WHERE status = 'todo' AND task_name LIKE 'referrals:%%'"
    )
    night.exchange.knobs.turn("lose", "/telephony/duty", times=None)
    await night.advance(80)
    night.exchange.knobs.reset()
    await night.advance(30)
    assert second.rung == 1
    other = await by_hand(ana)
    await night._watch.execute("DELETE FROM procrastinate_jobs WHERE status = 'todo'")
    await night.advance(930)
    found = await referral_of(ana, other["id"])
    assert "deadline missed" in " ".join(story(found))
    assert (await referral_of(ana, made["id"]))["state"] == "acknowledged"


async def test_restarted_in_the_middle_of_the_ladder(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(
        night, "house", "shelter", phones=("+381113000001", "+381113000002"), **ADDRESSES
    )
    first = phone(night, "+381113000001", picks_up=None)
    second = phone(night, "+381113000002", picks_up=None)
    phone(night, ADDRESSES["sms"])
    referral_id = await urgent(night, ana)
    for _ in range(6):
        await night.restart_server()
        await night.advance(15)
    await ana.sign_in()
    assert (first.rung, second.rung) == (1, 1)
    await night.advance(30)
    assert len(post.messages) == 1
    found = await referral_of(ana, referral_id)
    assert [r["kind"] for r in found["attempts"]][:4] == ["phone", "phone", "email", "sms"]


# -- links -------------------------------------------------------------------------------------


async def test_a_scanner_follows_the_link(night: Stage, post: Mail) -> None:
    """Looking changes nothing; the person who comes later finds everything as it was."""
    ana = await night.add_counsellor("ana")
    referral_id, path = await sent_link(night, post, ana)
    before = await referral_of(ana, referral_id)
    for _ in range(3):
        looked = await click(night, path)
        assert looked.status_code == 200
        assert looked.headers["cache-control"] == "no-store"
        assert looked.headers["x-robots-tag"] == "noindex, nofollow"
        assert "Jovana" not in looked.text
    head = await night.client.head(night.settings.public_url + path)
    assert head.status_code in (200, 405)
    after = await referral_of(ana, referral_id)
    assert (after["state"], len(after["disclosures"])) == (before["state"], 0)
    assert (await click(night, path + "/step", {"kind": "accept", "name": "Mira"})).is_redirect


async def test_a_link_is_used_once(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    referral_id, path = await sent_link(night, post, ana)
    first = await click(night, path + "/step", {"kind": "acknowledge", "name": "Mira"})
    assert first.status_code == 303
    following = first.headers["location"].split("?")[0]
    assert following != path
    for tried in (
        await click(night, path),
        await click(night, path + "/step", {"kind": "reject", "name": "X", "reason": "other"}),
    ):
        assert tried.status_code == 410
        assert "This link was used already" in tried.text
    assert (await referral_of(ana, referral_id))["state"] == "acknowledged"
    # The next step has its own link; a step without a name, or a senseless one, uses none up.
    for wrong in (
        {"kind": "accept"},
        {"kind": "fly", "name": "Mira"},
        {"kind": "reject", "name": "Mira", "reason": "because"},
        {"kind": "progress", "name": "Mira", "seen_at": "yesterday"},
        {"kind": "progress", "name": "Mira", "seen_at": "2099-01-01T10:00"},
    ):
        refused = await click(night, following + "/step", wrong)
        assert refused.status_code == 422, wrong
    done = await click(night, following + "/step", {"kind": "accept", "name": "Mira"})
    assert done.is_redirect
    assert (await referral_of(ana, referral_id))["state"] == "accepted"


async def test_a_link_that_is_not_one(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    _, path = await sent_link(night, post, ana)
    token = path.removeprefix("/r/")
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    for wrong in (changed, "x", "é" * 20, "a" * 500, token + token):
        answer = await click(night, f"/r/{wrong}")
        assert answer.status_code == 404, wrong[:20]
        assert "R-" not in answer.text
    # No token can be read back from the database.
    rows = await night.rows("SELECT token_key, payload_sealed FROM links, attempts")
    assert all(token.encode() not in bytes(r["token_key"]) for r in rows)
    stored = await night.rows("SELECT payload_sealed FROM attempts")
    assert all(r["payload_sealed"] is None for r in stored), "forgotten once it is sent"
    assert hashlib.sha256(token.encode()).digest() not in [r["token_key"] for r in rows]


async def test_a_link_expires_and_a_new_one_goes_to_the_directorys_address(
    night: Stage, post: Mail
) -> None:
    ana = await night.add_counsellor("ana")
    referral_id, path = await sent_link(night, post, ana)
    await night._watch.execute(
        "UPDATE links SET expires_at = %s", (night.clock.now() - timedelta(seconds=1),)
    )
    late = await click(night, path)
    assert late.status_code == 410
    assert "expired" in late.text
    tried = await click(night, path + "/step", {"kind": "acknowledge", "name": "Mira"})
    assert tried.status_code == 410
    count = len(post.messages)
    asked = await click(night, path + "/send-link", {"x": "y"})
    assert asked.status_code == 200
    await night.advance(5)
    assert [to for to, _ in post.messages[count:]] == ["a@house.example"]
    fresh = link_in(post.messages[-1][1])
    assert (await click(night, fresh)).status_code == 200
    # Not in numbers.
    statuses = [(await click(night, path + "/send-link", {"x": "y"})).status_code for _ in range(4)]
    assert 429 in statuses
    assert (await referral_of(ana, referral_id))["state"] in ("sent", "delivered")


async def test_the_code_goes_the_other_way_and_cannot_be_guessed(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    _, path = await sent_link(night, post, ana)
    mail, sms = post.messages[0][1], night.exchange.phones[ADDRESSES["sms"]].texts[0].text
    # What came with the link itself opens the other one only.
    wrong = await click(night, path + "/code", {"code": code_in(mail)})
    assert wrong.status_code == 422
    assert "Jovana" not in wrong.text
    right = code_in(sms)
    for _ in range(4):
        assert (await click(night, path + "/code", {"code": "000000"})).status_code == 422
    blocked = await click(night, path + "/code", {"code": right})
    assert blocked.status_code == 429
    # A new one, again by the other way.
    texts = night.exchange.phones[ADDRESSES["sms"]].texts
    assert (await click(night, path + "/send-code", {"x": "y"})).status_code == 200
    await night.advance(5)
    assert len(texts) == 2
    proved = await click(night, path + "/code", {"code": code_in(texts[-1].text)})
    assert proved.is_redirect
    assert "Jovana" in (await click(night, path, as_=proved)).text
    # A scanner that comes after it sees what it saw before.
    assert "Jovana" not in (await click(night, path)).text
    # A step takes the proof along, in the same browser.
    stepped = await click(
        night, path + "/step", {"kind": "acknowledge", "name": "Mira"}, as_=proved
    )
    following = stepped.headers["location"]
    assert "Jovana" in (await click(night, following, as_=proved)).text
    assert "Jovana" not in (await click(night, following)).text
    # It is shown for a while only.
    await night.advance(31 * 60)
    assert "Jovana" not in (await click(night, following, as_=proved)).text


async def test_one_way_only_the_code_is_spoken(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", email="a@house.example", phones=("+381113000001",))
    duty = phone(night, "+381113000001", busy=True)
    await by_hand(ana, override=OVERRIDE, send=True, answers={"child.name": "Jovana"})
    await night.until(lambda: bool(post.messages))
    path = link_in(post.messages[0][1])
    duty.busy = False
    assert (await click(night, path + "/send-code", {"x": "y"})).status_code == 200
    await night.advance(40)
    heard = " ".join(h.text for h in duty.heard)
    digits = heard.split("Your code is ")[1].split(".")[0].replace(" ", "")
    proved = await click(night, path + "/code", {"code": digits})
    assert "Jovana" in (await click(night, path, as_=proved)).text


async def test_two_agencies_answer_at_once(night: Stage, post: Mail) -> None:
    """The first one answers late, when the second has it: one winner, and the other hears so."""
    ana = await night.add_counsellor("ana")
    await add_agency(night, "first", "shelter", email="a@first.example")
    await add_agency(night, "second", "shelter", email="a@second.example")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.until(lambda: len(post.messages) == 2, limit=300)
    one, two = (link_in(text) for _, text in post.messages)
    assert (await click(night, one + "/step", {"kind": "accept", "name": "A"})).is_redirect
    late = await click(night, two + "/step", {"kind": "accept", "name": "B"})
    assert "Another service has taken" in late.text
    found = await referral_of(ana, made["id"])
    assert found["state"] == "accepted"
    assert found["agency"] == "First"


# -- what changes meanwhile --------------------------------------------------------------------


async def test_a_protocol_changes_while_referrals_run(night: Stage, tmp_path: Path) -> None:
    ana = await night.add_counsellor("ana")
    before = await by_hand(ana)
    shipped = Path("app/referrals/data/protocol-rs.yaml").read_text()
    changed = shipped.replace("version: 2\n", "version: 3\n", 1).replace("PT15M", "PT5M", 1)
    changed = changed.replace("within: PT15M", "within: PT5M")
    (tmp_path / "protocol.yaml").write_text(changed)
    night.settings.definitions_dir = tmp_path
    await night.restart_server()
    await ana.sign_in()
    after = await by_hand(ana)
    old, new = await referral_of(ana, before["id"]), await referral_of(ana, after["id"])
    assert (old["protocol_version"], new["protocol_version"]) == (2, 3)

    def minutes(found: dict[str, Any]) -> float:
        clock = next(c for c in found["deadlines"] if c["kind"] == "acknowledge")
        began, due = (datetime.fromisoformat(clock[k]) for k in ("started_at", "due_at"))
        return (due - began).total_seconds() / 60

    assert (minutes(old), minutes(new)) == (15, 5)
    # The old file is gone: what runs under it runs on.
    night.settings.definitions_dir = None
    await night.restart_server()
    await ana.sign_in()
    sent = await ana.ask("POST", f"/referrals/{after['id']}/override", OVERRIDE)
    assert sent.status_code == 200
    assert (await ana.ask("POST", f"/referrals/{after['id']}/send", {})).status_code == 200


async def test_an_agency_leaves_the_directory_while_it_is_asked(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", phones=("+381113000001",))
    await add_agency(night, "other", "shelter", phones=("+381113000009",))
    phone(night, "+381113000001", picks_up=None)
    other = phone(night, "+381113000009", presses="1")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(5)
    await add_agency(
        night,
        "house",
        "shelter",
        email="a@house.example",
        valid_until=night.clock.now().date() - timedelta(days=1),
    )
    await night.advance(240)
    assert other.rung == 1
    assert (await referral_of(ana, made["id"]))["state"] == "acknowledged"


async def test_a_counsellors_leg_is_not_taken_for_a_lost_duty_phone(night: Stage) -> None:
    """One phone may be both. What is looked for after a lost answer is what nobody knows of."""
    number = "+38164999001"
    phone(night, number)
    await night.add_counsellor("vera", endpoint=number)
    ana = await night.add_counsellor("ana", state=None)
    await add_agency(night, "house", "shelter", phones=("+381113000001",))
    phone(night, "+381113000001", presses="1")
    before = night.clock.now()
    leg = night.ring("+381641234567")
    await night.advance(2)
    night.exchange.press(leg, "1")
    await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(20)
    async with transaction(night.ground, PROGRAM) as work:
        known = await known_sids(work, before)
    sent = {sid for sid, one in night.exchange.legs.items() if one.direction == "outbound-api"}
    assert len(sent) == 2
    assert known >= sent
