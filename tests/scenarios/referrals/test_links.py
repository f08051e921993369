"""Links and codes of agencies without an account."""

import hashlib
from datetime import timedelta
from uuid import UUID

import pytest

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.referrals.channels import code_limits, links
from app.referrals.models import Referral
from app.settings import Settings
from app.words import letter
from app.work import PROGRAM
from tests.support.contacts import skip, skip_minutes, until_later
from tests.support.mail import Mail, code_in, link_in
from tests.support.profile import WHOLE, nightly
from tests.support.referrals import (
    ADDRESSES,
    OVERRIDE,
    add_agency,
    by_hand,
    click,
    page,
    phone,
    referral_of,
    sent_link,
)
from tests.support.systems import Receiver, with_system


async def test_a_scanner_follows_the_link_which_is_used_once(night: Stage, post: Mail) -> None:
    """Looking changes nothing; the person who comes later finds everything as it was."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    referral_id, path = await sent_link(night, post, ana)
    before = await referral_of(ana, referral_id)
    for _ in range(3):
        looked = await click(night, path)
        assert looked.status_code == 200
        assert looked.headers["cache-control"] == "no-store"
        assert looked.headers["x-robots-tag"] == "noindex, nofollow"
        assert "Jovana" not in looked.text
    head = await night.client.head(night.settings.public_url + path)
    assert head.status_code == 405
    after = await referral_of(ana, referral_id)
    assert (after["state"], len(after["disclosures"])) == (before["state"], 0)
    await what_is_no_link_leads_nowhere(night, path)
    await it_stays_when_its_service_cannot_be_opened(night, ana, referral_id, path)
    await it_is_used_once(night, ana, referral_id, path)


async def what_is_no_link_leads_nowhere(night: Stage, path: str) -> None:
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


async def it_stays_when_its_service_cannot_be_opened(
    night: Stage, ana: Counsellor, referral_id: str, path: str
) -> None:
    async def change() -> None:
        async with transaction(night.ground, PROGRAM) as work:
            referral = await work.session.get_one(Referral, UUID(referral_id))
            sealed = bytes(referral.services_sealed)
            referral.services_sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])

    await change()
    assert (await click(night, path)).status_code == 200
    assert (await referral_of(ana, referral_id))["service"] is None
    assert "· –</h1>" in (await page(night, ana, f"/referrals/{referral_id}")).text
    await change()
    assert (await referral_of(ana, referral_id))["service"] is not None


async def it_is_used_once(night: Stage, ana: Counsellor, referral_id: str, path: str) -> None:
    first = await click(night, path + "/step", {"kind": "acknowledge", "name": "Mira"})
    assert first.status_code == 303
    following = first.headers["location"].split("?")[0]
    assert following != path
    for tried in (
        await click(night, path),
        await click(night, path + "/step", {"kind": "reject", "name": "X", "reason": "other"}),
    ):
        assert tried.status_code == 410
        assert "This link has already been used" in tried.text
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


async def test_a_link_expires_and_a_new_one_goes_to_the_directorys_address(
    night: Stage, post: Mail
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    referral_id, path = await sent_link(night, post, ana)
    await night.watch.execute(
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
    assert (await referral_of(ana, referral_id))["state"] == "delivered"
    # By day the verbs of it are tried (`tests/referrals/replies/test_without_codes.py`).
    if WHOLE:
        await no_code_by_telephone_keeps_no_agency_out(night, post, ana, referral_id)


async def no_code_by_telephone_keeps_no_agency_out(
    night: Stage, post: Mail, ana: Counsellor, referral_id: str
) -> None:
    """The steps need none. The details are told by telephone, or open with a code by e-mail."""
    texts = night.exchange.phones[ADDRESSES["sms"]].texts
    path, code_before = link_in(post.messages[-1][1]), code_in(texts[-1].text)
    night.settings.codes_by_telephone = False
    shown = (await click(night, path)).text
    assert letter("en", "agency_page", "no_code") in shown
    assert "Child helpline: +38111116111" in shown
    assert 'id="prove"' not in shown
    assert (await click(night, f"{path}/code", {"code": code_before})).status_code == 422
    await skip(night, 61 / 3600)
    assert "Ring the helpline" in (await click(night, f"{path}/send-code", {"x": "y"})).text
    for kind in ("acknowledge", "accept"):
        done = await click(night, f"{path}/step", {"kind": kind, "name": "Mira"})
        assert done.status_code == 303
        path = done.headers["location"].split("?")[0]
    assert (await referral_of(ana, referral_id))["state"] == "accepted"
    path = await a_team_says_how_far_it_is(night, ana, referral_id, path)
    assert "no_code" not in (await click(night, path)).text
    await skip(night, 61 / 3600)
    mails, sent = len(post.messages), len(texts)
    await night.watch.execute("UPDATE links SET expires_at = %s", (night.clock.now(),))
    assert (await click(night, f"{path}/send-link", {"x": "y"})).status_code == 200
    await night.until(lambda: len(post.messages) > mails and len(texts) > sent)
    assert "Code for" not in texts[-1].text
    of_text = link_in(texts[-1].text)
    assert 'id="prove"' in (await click(night, of_text)).text
    proved = await click(night, f"{of_text}/code", {"code": code_in(post.messages[-1][1])})
    assert "Jovana" in (await click(night, of_text, as_=proved)).text
    # Where none goes by e-mail, this one has proven nothing, and the page says to ring, too.
    night.settings.codes_by_telephone, night.settings.codes_by_mail = True, False
    shown = (await click(night, of_text, as_=proved)).text
    assert "Jovana" not in shown
    assert letter("en", "agency_refusal", "no_second_channel") in shown
    assert "Child helpline: +38111116111" in shown
    assert 'id="prove"' not in shown


async def a_team_says_how_far_it_is(
    night: Stage, ana: Counsellor, referral_id: str, path: str
) -> str:
    """Without a code, too; the page does not say where it goes. Return the next link."""
    team = {"place": "Ulica 5", "team": "Tim 2", "wanted_at": night.clock.now().isoformat()}
    await ana.sign_in()
    made = await ana.ask("POST", f"/referrals/{referral_id}/dispatches", team)
    assert made.status_code == 201, made.text
    # Its messages are out before a new link is asked for.
    await night.advance(3)
    shown = (await click(night, path)).text
    assert "Tim 2" in shown
    assert "Ulica 5" not in shown
    assert made.json()["id"] in shown
    step = {"kind": "dispatch", "name": "Mira", "dispatch": made.json()["id"], "to": "arrived"}
    done = await click(night, f"{path}/step", step)
    assert done.status_code == 303
    following: str = done.headers["location"].split("?")[0]
    assert "<bdi>Tim 2</bdi>: arrived" in (await click(night, following)).text
    return following


async def test_the_code_goes_the_other_way_and_cannot_be_guessed(
    night: Stage, post: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    _, path = await sent_link(night, post, ana)
    fresh = (await click(night, path)).text
    assert fresh.index('id="prove"') < fresh.index('id="send-code"')
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
    following = stepped.headers["location"].split("?")[0]
    assert "Jovana" in (await click(night, following, as_=proved)).text
    assert "Jovana" not in (await click(night, following)).text
    # It is shown for a while only.
    await skip(night, 31 / 60)
    late = (await click(night, following, as_=proved)).text
    assert "Jovana" not in late
    # The code that came with the link has ended: a new one is offered before an entry, and at once.
    assert late.index('id="send-code"') < late.index('id="prove"')
    told = await click(night, following + "/code", {"code": right})
    assert letter("en", "agency_page", "wrong_code") in told.text
    assert "Ask for a new one" in told.text
    assert "on its way" in (await click(night, following + "/send-code", {"x": "y"})).text
    # After those of a day, a new link is offered in place of a code.
    monkeypatch.setattr(code_limits, "MOST_A_DAY", 1)
    await skip(night, 61 / 3600)
    refused = (await click(night, following + "/send-code", {"x": "y"})).text
    assert "too often today" in refused
    assert f'action="{following}/send-link"' in refused
    assert "send-link" not in (await click(night, following)).text


@nightly
async def test_one_way_only_the_code_is_spoken(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
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


async def test_an_agency_that_was_passed_over_reads_nothing_later(
    night: Stage, post: Mail, receiver: Receiver
) -> None:
    """Not when another has it, not when that one is done; nor does its own system."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await with_system(night, receiver, "first")
    await add_agency(
        night,
        "first",
        "shelter",
        email="a@first.example",
        sms="+381640000001",
        webhook_url=receiver.url,
    )
    await add_agency(night, "second", "shelter", email="a@second.example")
    phone(night, "+381640000001")
    receiver.status = 500
    made = await by_hand(ana, override=OVERRIDE, send=True, answers={"child.name": "Jovana"})
    await until_later(night, lambda: bool(post.to("a@second.example")), 300, "the second", every=15)
    path = link_in(post.to("a@first.example")[0])
    code = code_in(night.exchange.phones["+381640000001"].texts[0].text)
    two = link_in(post.to("a@second.example")[0])
    proved = await click(night, path + "/code", {"code": code})
    accepted = await click(night, two + "/step", {"kind": "accept", "name": "B"})
    assert accepted.is_redirect
    for _ in range(2):
        shown = await click(night, path, as_=proved)
        assert "Jovana" not in shown.text
        assert "Another service has taken" in shown.text
        following = accepted.headers["location"].split("?")[0]
        await click(
            night, following + "/step", {"kind": "complete", "name": "B", "outcome": "other"}
        )
    receiver.status = 200
    await skip_minutes(night, 67, every=15)
    assert receiver.taken
    assert all(not e["data"].get("fields") for e in receiver.taken)
    assert (await referral_of(ana, made["id"]))["state"] == "completed"


@nightly
async def test_codes_and_links_are_limited_by_the_day(
    night: Stage, post: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder of a link cannot cause messages all day, nor guess for ever: ten times a day,
    here once."""
    assert code_limits.MOST_A_DAY == 10
    monkeypatch.setattr(code_limits, "MOST_A_DAY", 1)
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", email="a@house.example", sms="+381640000001")
    phone(night, "+381640000001")
    await by_hand(ana, override=OVERRIDE, send=True, urgency="urgent")
    await night.until(lambda: bool(post.messages))
    path = link_in(post.messages[0][1])
    # The link goes to both addresses.
    for kind, times in (("code", 1), ("link", 2)):
        sent = []
        for _ in range(2):
            sent.append((await click(night, f"{path}/send-{kind}", {"x": "y"})).text)
            sent.append((await click(night, f"{path}/send-{kind}", {"x": "y"})).text)
            await skip(night, 61 / 3600)
        assert "already on its way" in sent[1], kind
        assert any("too often today" in text for text in sent), kind
        attempts = await night.rows("SELECT count(*) AS n FROM attempts WHERE purpose = %s", kind)
        assert attempts[0]["n"] == times, kind
    # The codes end, so none is refused until the next day, though this is no immediate case.
    await skip(night, 10.1 / 60)
    assert "A code is on its way" in (await click(night, f"{path}/send-code", {"x": "y"})).text
    assert "too often today" in (await click(night, f"{path}/send-link", {"x": "y"})).text


@nightly
async def test_the_code_is_not_spoken_to_the_number_that_got_the_link(
    night: Stage, post: Mail
) -> None:
    """The code is not spoken to the number that the link was written to."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", sms="+381640000001", phones=("+381640000001",))
    texts = phone(night, "+381640000001", busy=True).texts
    await by_hand(ana, override=OVERRIDE, send=True)
    await night.until(lambda: bool(texts))
    refused = await click(night, link_in(texts[0].text) + "/send-code", {"x": "y"})
    assert "no second channel" in refused.text


@nightly
async def test_the_holder_of_an_urgent_link_cannot_lock_it_by_wrong_codes(
    night: Stage, post: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our people are told at once; the code that was sent last opens it, also when no more are
    sent on that day, and after any number of wrong ones."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    _, path = await sent_link(night, post, ana)
    texts = night.exchange.phones[ADDRESSES["sms"]].texts
    # How many they are is said above.
    monkeypatch.setattr(code_limits, "MOST_A_DAY", 2)
    for asked in range(code_limits.MOST_A_DAY + 1):
        for _ in range(links.MOST_ATTEMPTS):
            await click(night, path + "/code", {"code": "000000"})
        told = await night.rows(
            "SELECT for_whom FROM notices WHERE kind = 'ring_them' AND detail ->> 'purpose' = %s",
            "codes",
        )
        assert [row["for_whom"] for row in told] == ["supervisors"], "once, until it was seen"
        assert (await click(night, path + "/code", {"code": "000000"})).status_code == 429
        await skip(night, 61 / 3600)
        answer = await click(night, path + "/send-code", {"x": "y"})
        assert ("too often today" in answer.text) == (asked == code_limits.MOST_A_DAY)
        await night.advance(3)
    asked_for = [one.text for one in texts if "code that you asked for" in one.text]
    assert len(asked_for) == code_limits.MOST_A_DAY
    last = code_in(asked_for[-1])
    for n in range(links.MOST_ATTEMPTS + 1):
        wrong = f"{(int(last) + 1 + n) % 10**links.LONG_DIGITS:0{links.LONG_DIGITS}d}"
        assert (await click(night, path + "/code", {"code": wrong})).status_code == 422
    assert (await click(night, path + "/code", {"code": last[:6]})).status_code == 429
    # A link that is sent now has a code as long.
    assert (await click(night, path + "/send-link", {"x": "y"})).status_code == 200
    await night.advance(5)
    assert len(code_in(texts[-1].text)) == links.LONG_DIGITS
    proved = await click(night, path + "/code", {"code": last})
    assert "Jovana" in (await click(night, path, as_=proved)).text


@nightly
async def test_of_a_link_that_is_not_urgent_every_code_has_six_digits(
    night: Stage, post: Mail
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    _, path = await sent_link(night, post, ana)
    await night.watch.execute("UPDATE referrals SET urgency = 'urgent'")
    texts = night.exchange.phones[ADDRESSES["sms"]].texts
    for _ in range(2):
        await skip(night, 61 / 3600)
        await click(night, path + "/send-code", {"x": "y"})
        await night.advance(3)
        for _ in range(links.MOST_ATTEMPTS):
            await click(night, path + "/code", {"code": "000000"})
    assert [len(code_in(one.text)) for one in texts] == [links.CODE_DIGITS] * 3
    told = await night.rows("SELECT kind FROM notices WHERE detail ->> 'purpose' = 'codes'")
    assert not told


async def test_what_opens_details_in_a_browser_belongs_to_this_host_alone(
    night: Stage, post: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    _, path = await sent_link(night, post, ana)
    code = code_in(night.exchange.phones[ADDRESSES["sms"]].texts[0].text)
    # As where browsers reach the program by https.
    monkeypatch.setattr(Settings, "has_tls", True)
    proved = await click(night, path + "/code", {"code": code})
    assert proved.is_redirect
    (cookie,) = proved.headers.get_list("set-cookie")
    value, *rest = cookie.split("; ")
    assert value.startswith("__Host-helpline_proof=")
    # It ends with the browser; no other host, other site or script gets it.
    assert sorted(rest) == ["HttpOnly", "Path=/", "SameSite=strict", "Secure"]
    assert "Jovana" in (await click(night, path, as_=proved)).text
    # What a page without TLS could have set opens nothing.
    plain = {"cookie": value.removeprefix("__Host-")}
    there = night.settings.public_url + path
    assert "Jovana" not in (await night.client.get(there, headers=plain)).text
