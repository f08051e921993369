"""A real account: its pace, its numbers, its queue, and what it plays while we are away."""

import json
from itertools import pairwise
from typing import Any

import pytest

from app.calls import prompts
from app.calls.lines import finding_lines, lines
from app.demo.stage import LINE, Stage, stage_on
from app.errors import Invalid
from app.jobs.transaction import transaction
from app.outbox.responses import RequestFailed
from app.practice.exchange import Number
from app.practice.people import Phone
from app.privacy.ends import of_number, of_url
from app.staff.roles import Role
from app.telephony.platforms.choose import platform_of
from app.telephony.provider.setup import set_up
from app.words.keys import PROMPT_KEYS, SOUNDS
from app.work import PROGRAM, Work
from tests.support.profile import nightly
from tests.support.referrals import add_agency, page
from tests.support.talks import talk, waits

REAL = "+381113334444"


def begun(stage: Stage) -> list[tuple[float, str]]:
    """When each leg of ours was begun at the provider, from the first on, and where it leads."""
    legs = [x for x in stage.exchange.legs.values() if x.direction == "outbound-api"]
    started = sorted((x.created_at, x.to) for x in legs)
    return [((at - started[0][0]).total_seconds(), to) for at, to in started]


# By day the most urgent goes first, below, and `tests/routing/test_offers.py` has the misses.
@nightly
async def test_legs_begin_at_the_pace_of_the_account_and_what_never_rang_is_no_miss(
    stage: Stage,
) -> None:
    """Four calls for four phones, one a second, and each rings for two seconds."""
    stage.settings.offer_seconds = 2
    numbers = [f"+3816499{n:05d}" for n in range(4)]
    for number in numbers:
        stage.exchange.phones[number] = Phone(picks_up=1)
        await stage.add_counsellor(f"c{number[-2:]}", endpoint=number)
    callers = [stage.ring(f"+3816411{n:05d}") for n in range(4)]
    await stage.advance(1)
    for leg in callers:
        stage.exchange.press(leg, "1")
    await stage.advance(12)
    times = [at for at, _ in begun(stage)]
    assert times[-1] > stage.settings.offer_seconds, "the last waits for longer than it rings"
    assert all(b - a >= 0.99 for a, b in pairwise(times))
    states = await stage.rows("SELECT state, count(*) AS n FROM offers GROUP BY 1")
    assert {row["state"]: row["n"] for row in states} == {"connected": 4}
    assert await stage.rows("SELECT 1 FROM presences WHERE missed > 0") == []
    queued = [x for x in stage.exchange.legs.values() if x.status == "queued"]
    assert queued == [], "nothing waits at the provider"


async def test_the_most_urgent_leg_goes_first(stage: Stage) -> None:
    for n in range(4):
        stage.exchange.phones[f"+3816499000{n}"] = Phone(picks_up=None)
        await stage.add_counsellor(f"c{n}", endpoint=f"+3816499000{n}")
    for n in range(3):
        leg = stage.ring(f"+38164111000{n}")
        await stage.advance(0.1)
        stage.exchange.press(leg, "1")
    await stage.advance(0.3)
    danger = stage.ring("+381641110009")
    await stage.advance(0.1)
    stage.exchange.press(danger, "9")
    await stage.advance(8)
    call = await stage.call_of(danger)
    (offer,) = await stage.rows("SELECT id FROM offers WHERE call_id = %s", call["id"])
    (leg_row,) = await stage.rows("SELECT provider_sid FROM legs WHERE offer_id = %s", offer["id"])
    order = [x.sid for x in stage.exchange.legs.values() if x.direction == "outbound-api"]
    assert order.index(leg_row["provider_sid"]) <= 2, "before those who came earlier"


@nightly
async def test_a_ring_that_waits_at_the_provider_is_no_miss(stage: Stage) -> None:
    """Another program uses the account up: our request is taken, and the phone does not ring."""
    stage.exchange.calls_per_second = 1 / 60
    stage.exchange.phones["+38164999001"] = Phone(picks_up=None)
    vera = await stage.add_counsellor("vera", endpoint="+38164999001")
    stage.exchange.next_slot = stage.clock.now().replace(minute=2)
    await waits(stage)
    await stage.advance(40)
    assert await stage.rows("SELECT 1 FROM presences WHERE missed > 0") == []
    assert await vera.presence() == "offered"


async def _add(stage: Stage, **values: Any) -> None:
    known: dict[str, Any] = {
        "name": "Short",
        "country": "RS",
        "languages": ["sr"],
        "timezone": "Europe/Belgrade",
    }
    async with transaction(stage.ground, PROGRAM) as work:
        await lines.add_line(work, **{**known, **values})
    stage.ground.memory.forget("everything")


def _leads_to_us(stage: Stage, number: str) -> None:
    base = stage.settings.public_url
    stage.exchange.numbers[number] = Number(
        f"{base}/telephony/voice", f"{base}/telephony/voice/fallback", f"{base}/telephony/status"
    )


async def test_a_short_number_is_found_by_what_leads_to_it_and_through_a_trunk(
    stage: Stage,
) -> None:
    await _add(stage, number="116 000", name="Nestala deca", leads_here=[REAL])
    (line,) = await stage.rows("SELECT id FROM lines WHERE number = '116000'")
    others = ("tel:116000;phone-context=+381", f"sip:{REAL}@t.example")
    async with transaction(stage.ground, PROGRAM) as work:
        for dialled in others:
            found = await finding_lines.line_of_number(work, dialled)
            assert found is not None, dialled
            assert found.id == line["id"], dialled
    for dialled in (REAL, "sip:116000@trunk.example;user=phone"):
        _leads_to_us(stage, dialled)
        from_ = "+381641234567" if dialled == REAL else "sip:+381641234567@trunk.example"
        leg = stage.ring(from_, to=dialled)
        await stage.advance(2)
        assert leg.has_heard("ovde Nestala deca"), dialled
        call = await stage.call_of(leg)
        assert call["line_id"] == line["id"], dialled
        assert call["caller_kind"] == "e164", "known like any caller"


async def test_a_trunk_says_in_a_header_who_calls_and_no_messaging_service_is_a_telephone(
    stage: Stage,
) -> None:
    base = stage.settings.public_url
    for sid, more, kind in (
        ("CA1", [("SipHeader_P-Asserted-Identity", '"X" <sip:+381641234567@t.example>')], "e164"),
        (
            "CA2",
            [
                ("SipHeader_P-Asserted-Identity", "<sip:+381641234567@t.example>"),
                ("SipHeader_Privacy", "id"),
            ],
            "sip",
        ),
    ):
        fields = [
            ("CallSid", sid),
            ("AccountSid", stage.exchange.account_sid),
            ("To", LINE),
            ("From", "sip:1001@pbx.example"),
            ("CallStatus", "ringing"),
            *more,
        ]
        await stage.exchange.sender.fetch(f"{base}/telephony/voice", fields, {})
        (row,) = await stage.rows("SELECT caller_kind FROM calls WHERE provider_sid = %s", sid)
        assert row["caller_kind"] == kind
    fields = [
        ("CallSid", "CA3"),
        ("AccountSid", stage.exchange.account_sid),
        ("To", LINE),
        ("From", "whatsapp:+381641234567"),
        ("CallStatus", "ringing"),
    ]
    await stage.exchange.sender.fetch(f"{base}/telephony/voice", fields, {})
    (row,) = await stage.rows(
        "SELECT caller_kind, caller_key FROM calls WHERE provider_sid = 'CA3'"
    )
    assert row["caller_kind"] == "written"
    ringing = stage.ring("+381641234567")
    await stage.advance(1)
    by_phone = await stage.call_of(ringing)
    assert row["caller_key"] != by_phone["caller_key"], "another way to reach a person"
    async with transaction(stage.ground, PROGRAM) as work:
        assert await finding_lines.line_of_number(work, f"whatsapp:{LINE}") is None


async def test_counsellors_and_agencies_see_the_number_of_the_setting(stage: Stage) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        line = await finding_lines.line_of_number(work, LINE)
        assert line is not None
        await lines.change_numbers(work, line, leads_here=None, shown_number=REAL)
    stage.ground.memory.forget("everything")
    _leads_to_us(stage, REAL)
    stage.exchange.phones["+38164999001"] = Phone(picks_up=2)
    await stage.add_counsellor("vera", endpoint="+38164999001")
    await waits(stage)
    await stage.advance(4)
    shown = {x.from_ for x in stage.exchange.legs.values() if x.direction == "outbound-api"}
    assert shown == {REAL}


async def test_a_line_that_could_not_be_rung_or_understood_is_refused(work: Work) -> None:
    known: dict[str, Any] = {"name": "Short", "country": "RS", "timezone": "Europe/Belgrade"}
    for number, language, why in (
        ("116000", "sr", "short number"),
        # Not served in English instead.
        (REAL, "fr", "no words"),
        (REAL, "xx", "language code"),
    ):
        with pytest.raises(Invalid, match=why):
            await lines.add_line(work, number=number, languages=["sr", language], **known)
    # A language without a voice needs recordings.
    for key in PROMPT_KEYS:
        if key not in SOUNDS:
            await prompts.set_prompt(work, line=None, language="mk", key=key, text="Здраво")
    with pytest.raises(Invalid, match="no voice"):
        await lines.add_line(work, number=REAL, languages=["mk"], **known)


@nightly
async def test_api_keys_are_used_where_they_are_set(database: str, anyio_backend: str) -> None:
    async with stage_on(
        database, twilio_api_key_sid="SK1", twilio_api_key_secret="secret"
    ) as stage:
        stage.exchange.api_keys["SK1"] = "secret"
        stage.exchange.auth_token = "not-the-token-any-more"
        stage.exchange.phones["+38164999001"] = Phone(picks_up=2)
        await stage.add_line()
        vera = await stage.add_counsellor("vera", endpoint="+38164999001")
        await talk_by_phone(stage)
        assert await vera.presence() == "on_call"


async def talk_by_phone(stage: Stage) -> None:
    leg = stage.ring()
    await stage.advance(1)
    stage.exchange.press(leg, "1")
    await stage.advance(10)


async def test_set_up_points_the_numbers_installs_a_fallback_and_says_what_is_to_do(
    stage: Stage,
) -> None:
    stage.exchange.numbers[LINE] = Number("https://elsewhere.example/voice")
    report = await stage.set_up_telephony()
    assert report.problems == []
    known = stage.exchange.numbers[LINE]
    base = stage.settings.public_url
    assert known.voice_url == f"{base}/telephony/voice"
    assert known.status_callback == f"{base}/telephony/status"
    assert known.sms_url == f"{base}/telephony/sms"
    assert stage.exchange.flow_at(known.fallback_url) is not None
    assert stage.exchange.rooms["waiting"].size == 5000
    await stage.set_up_telephony()
    assert len(stage.exchange.flows) == 1, "twice is once"
    # The provider allows no fallback, and a number is not the account's.
    await _add(stage, number=REAL, name="Druga", shown_number="+381115556666")
    stage.exchange.allows_flows = False
    report = await stage.set_up_telephony()
    problems = " ".join(map(str, report.problems))
    assert f"{REAL} (Druga) is not a number of this account" in problems
    assert "may not show" in problems
    assert "is not installed" in problems
    written = list((stage.settings.data_dir / "fallback").glob("*.flow.json"))
    assert json.loads(written[0].read_text())["initial_state"] == "Trigger"
    assert stage.exchange.numbers[LINE].fallback_url is not None, "ours, then"
    stage.exchange.auth_token = "another"
    stage.exchange.api_keys.clear()
    async with transaction(stage.ground, PROGRAM) as work:
        numbers = await finding_lines.numbers_of(work)
    with pytest.raises(RequestFailed):
        await set_up(stage.settings, platform_of(stage.settings), numbers)


async def test_an_administrator_sets_up_the_numbers_on_a_page(stage: Stage) -> None:
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    stage.exchange.numbers[LINE] = Number("https://elsewhere.example/voice")
    await _add(stage, number=REAL, name="Druga")
    assert "elsewhere" not in (await page(stage, mila, "/admin/numbers")).text
    shown = (await page(stage, mila, "/admin/numbers", set="up")).text
    assert f"{LINE} (Plavi telefon) leads to {stage.settings.public_url}." in shown
    assert f"{REAL} (Druga) is not a number of this account." in shown
    assert stage.exchange.numbers[LINE].voice_url.startswith(stage.settings.public_url)
    told = (await mila.ask("POST", "/numbers/setup")).json()
    assert len(told["problems"]) == 2
    first, second = [
        row["detail"]
        for row in await stage.rows(
            "SELECT detail FROM audit_entries WHERE action = 'telephony_set_up' ORDER BY id"
        )
    ]
    ends, host = of_number(LINE), of_url(stage.settings.public_url)
    assert first == {
        "before": [f"{ends} → elsewhere.example"],
        "after": [f"{ends} → {host}"],
        "done": len(told["done"]),
        "problems": 2,
    }
    assert second["before"] == second["after"] == first["after"]
    stage.exchange.auth_token = "another"
    stage.exchange.api_keys.clear()
    refused = await page(stage, mila, "/admin/numbers", set="up")
    assert "The provider refused the request" in refused.text
    assert "status 401" in refused.text
    assert (await mila.ask("POST", "/numbers/setup")).status_code == 409


async def test_the_fallback_comes_back_again_and_again_and_then_rings_the_partner(
    stage: Stage,
) -> None:
    stage.expects_faults = True  # type: ignore[attr-defined]
    partner = stage.exchange.phones["+381112223333"] = Phone(picks_up=2, presses=None)
    await stage.rows('UPDATE lines SET plan = \'{"partner_number": "+381112223333"}\' RETURNING 1')
    stage.ground.memory.forget("everything")
    await stage.set_up_telephony()
    stage.exchange.knobs.turn("disconnect", "/telephony/", times=None)
    # Nor do we see the provider's list meanwhile.
    stage.exchange.knobs.turn("fail", "GET /2010-04-01", times=None)
    leg = stage.ring()
    await stage.advance(50)
    assert partner.rung == 0
    assert leg.has_heard("Please stay on the line")
    assert leg.silences(stage.clock.now(), 4.5) == []
    await stage.advance(90)
    assert partner.rung == 1
    stage.exchange.knobs.reset()
    talking = next(x for x in stage.exchange.legs.values() if x.to == "+381112223333")
    await stage.exchange.hang_up(talking)
    await stage.advance(12)
    assert leg.has_heard("ovde Plavi telefon"), "and back to us when we are there again"


@nightly
async def test_duty_phones_wait_for_their_turn_as_well(stage: Stage) -> None:
    await add_agency(stage, "shelter", "shelter", phones=("+381112220001",))
    stage.exchange.phones["+381112220001"] = Phone(picks_up=2)
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    leg = await talk(stage, chief)
    call = await stage.call_of(leg)
    await chief.ask("POST", f"/calls/{call['id']}/urgent", {"service": "shelter"})
    await stage.advance(20)
    assert "+381112220001" in [to for _, to in begun(stage)]
    times = [at for at, _ in begun(stage)]
    assert all(b - a >= 0.99 for a, b in pairwise(times))
