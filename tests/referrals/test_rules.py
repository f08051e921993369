"""The rules of a referral, without a database."""

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from app.calls.hours import is_open
from app.definitions.datafile import BadDefinition
from app.definitions.library import load as load_forms
from app.definitions.risk import Urgency
from app.referrals.channels.primero.mapping import NameOrder, Script, parts_of_name, say
from app.referrals.channels.webhook.signing import BadEvent, StaleEvent, check, headers_for, key_of
from app.referrals.consent.rules import (
    Addressee,
    ConsentWithdrawn,
    Given,
    NotConsented,
    Withheld,
    fields_for,
    ground_for,
)
from app.referrals.deadlines.due import due_at, read_duration
from app.referrals.directory.finding import Candidate, Sought, find
from app.referrals.escalation.next_step import Act, Around, Position, Step, StepKind, next_turn
from app.referrals.library import SHIPPED, load
from app.referrals.protocol import check_against_form, read_protocol
from app.referrals.states import (
    CAME_BACK,
    HELD,
    OVER,
    TRANSITIONS,
    UNACKNOWLEDGED,
    ReferralEvent,
    ReferralState,
    Sector,
    Service,
)

S, E = ReferralState, ReferralEvent
BELGRADE = ZoneInfo("Europe/Belgrade")


# -- states ------------------------------------------------------------------------------------


def test_the_grid_of_states() -> None:
    for state, event in itertools.product(S, E):
        after = TRANSITIONS.get((state, event))
        if state in OVER:
            assert after is None, "what is over stays over"
        if event is E.CLOSE and after is not None:
            assert state in (S.COMPLETED, S.REDIRECTED, S.ACKNOWLEDGED, *CAME_BACK)
        if event is E.REJECT and after is not None:
            assert after is S.REJECTED
            assert after in UNACKNOWLEDGED, "rejecting opens the duty again"
        if event is E.ACKNOWLEDGE and after is not None:
            assert state in UNACKNOWLEDGED
            assert after in HELD
    # Each state that is not over has a way on, and everything can be left by a person.
    for state in S:
        if state not in OVER:
            assert [a for (s, _), a in TRANSITIONS.items() if s is state and a is not state]
    # Wherever a clock waits for somebody to acknowledge, they can.
    for state in UNACKNOWLEDGED - {S.DRAFT}:
        assert TRANSITIONS[state, E.ACKNOWLEDGE] is S.ACKNOWLEDGED
    assert not UNACKNOWLEDGED & {*HELD, *OVER}
    assert {*UNACKNOWLEDGED, *HELD, *OVER, S.COMPLETED} == set(S)


# -- deadlines ---------------------------------------------------------------------------------


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BELGRADE)


HOURS: dict[str, Any] = {
    "hours": "Mo-Fr 08:00-16:00; PH off",
    "timezone": "Europe/Belgrade",
    "country": "RS",
}


@pytest.mark.parametrize(
    ("start", "within", "due"),
    [
        # In one day; over the night; over the weekend.
        ("2026-11-24T09:00", "PT4H", "2026-11-24T13:00"),
        ("2026-11-24T15:00", "PT2H", "2026-11-25T09:00"),
        ("2026-11-27T15:00", "PT2H", "2026-11-30T09:00"),
        # Begun in the night it runs from the morning.
        ("2026-11-25T02:00", "PT1H", "2026-11-25T09:00"),
        # New Year (1st and 2nd of January) and a weekend do not count.
        ("2026-12-31T15:00", "PT2H", "2027-01-04T09:00"),
        # Orthodox Christmas is on a Thursday in 2027.
        ("2027-01-06T15:30", "PT1H", "2027-01-08T08:30"),
    ],
)
def test_working_hours(start: str, within: str, due: str) -> None:
    found = due_at(local(start), read_duration(within), "working", **HOURS)
    assert found.astimezone(BELGRADE) == local(due)


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_night_shift_of_seven_or_nine_hours_counts_what_it_has(day: str) -> None:
    """22:00 to 06:00 over the change of the clock: seconds that really pass."""
    hours: dict[str, Any] = {"hours": "22:00-06:00", "timezone": "Europe/Belgrade", "country": None}
    evening = local(f"{day}T22:00") - timedelta(days=1)
    length = 7 if day == "2026-03-29" else 9
    due = due_at(evening, timedelta(hours=length), "working", **hours)
    assert due.astimezone(BELGRADE) == local(f"{day}T06:00")
    later = due_at(evening, timedelta(hours=length, seconds=1), "working", **hours)
    assert later.astimezone(BELGRADE) == local(f"{day}T22:00") + timedelta(seconds=1)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    st.integers(1, 400_000),
)
def test_working_time_never_runs_faster_than_time(start: datetime, seconds: int) -> None:
    at = start.replace(tzinfo=UTC, microsecond=0)
    due = due_at(at, timedelta(seconds=seconds), "working", **HOURS)
    assert due >= at + timedelta(seconds=seconds)
    assert is_open(HOURS["hours"], "Europe/Belgrade", "RS", due - timedelta(seconds=1))
    # Later begun is never earlier due.
    assert due_at(at + timedelta(hours=1), timedelta(seconds=seconds), "working", **HOURS) >= due


def test_hours_that_never_come() -> None:
    with pytest.raises(ValueError, match="never add up"):
        due_at(
            local("2026-11-24T09:00"),
            timedelta(hours=1),
            "working",
            hours="off",
            timezone="Europe/Belgrade",
        )
    for wrong in ("", "P", "PT", "PT0S", "15 minutes", "P1Y", "-PT5M", "PT5M "):
        with pytest.raises(ValueError, match=r"duration"):
            read_duration(wrong)


# -- consent -----------------------------------------------------------------------------------

HOUSE = Addressee("house", Sector.SHELTER)
POLICE = Addressee("police", Sector.POLICE)


def test_what_may_be_told_to_whom() -> None:
    with pytest.raises(NotConsented):
        ground_for(None, HOUSE)
    services = Given("consent", frozenset({"services"}))
    assert ground_for(services, HOUSE) == "consent"
    with pytest.raises(NotConsented, match="not for authorities"):
        ground_for(services, POLICE)
    for withheld in ("house", "shelter"):
        with pytest.raises(Withheld):
            ground_for(Given("consent", frozenset({"services"}), frozenset({withheld})), HOUSE)
    override = Given("override", basis="vital_interests")
    assert ground_for(override, HOUSE) == "override: vital_interests"
    house = frozenset({"house"})
    with pytest.raises(Withheld):
        ground_for(Given("override", basis="vital_interests", withheld_from=house), HOUSE)
    despite = Given("override", basis="vital_interests", withheld_from=house, despite=house)
    assert ground_for(despite, HOUSE) == "override: vital_interests, against an explicit wish"
    with pytest.raises(ConsentWithdrawn):
        ground_for(Given("withdrawn"), HOUSE)


def test_a_service_gets_its_fields_and_no_more() -> None:
    answered = ["child.name", "child.age", "danger.suspected", "childhood.x"]
    assert fields_for(["child"], answered) == ["child.name", "child.age"]
    assert fields_for(["child.age", "danger"], answered) == ["child.age", "danger.suspected"]
    assert fields_for([], answered) == []


def test_every_service_is_told_little_enough() -> None:
    """Who is suspected goes to those who investigate, and to nobody else."""
    for protocol in load().protocols.values():
        form = load_forms().form_for("referral")
        every = [f"{s.code}.{f.code}" for s in form.sections for f in s.fields]
        for service in Service:
            told = fields_for(protocol.disclosed_to(service), every)
            investigates = service in (Service.CHILD_PROTECTION, Service.POLICE, Service.JUSTICE)
            assert ("danger.suspected" in told) == investigates, service
            # The authority that has to assess everything may be told everything.
            assert len(told) < len(every) or service is Service.CHILD_PROTECTION


# -- the escalation --------------------------------------------------------------------------------

STEPS = [
    Step(StepKind.DUTY_PHONES, 30),
    Step(StepKind.MESSAGES, 120),
    Step(StepKind.NEXT_AGENCY, 0),
    Step(StepKind.SUPERVISOR, 90),
    Step(StepKind.DIRECTOR, 120),
]


def test_a_ladder_goes_step_by_step_and_around() -> None:
    fresh = Around(
        phones=2,
        messages=True,
        supervisor_phones=1,
        supervisor_messages=True,
        director_messages=True,
    )
    around, position, acts = fresh, Position(), []
    for _ in range(8):
        turn = next_turn(STEPS, position, around)
        acts.append(turn.act)
        position = turn.position
        # Who was rung in this round is not rung again in it.
        if turn.act is Act.RING:
            around = replace(around, phones=around.phones - 1)
        elif turn.act is Act.RING_SUPERVISOR:
            around = replace(around, supervisor_phones=0)
        elif turn.act is Act.AROUND:
            around = fresh
    assert acts == [
        Act.RING,
        Act.RING,
        Act.SEND,
        Act.RING_SUPERVISOR,
        Act.SEND_SUPERVISOR,
        Act.SEND_DIRECTOR,
        Act.AROUND,
        Act.RING,
    ]
    assert position.round == 1


@given(
    st.lists(
        st.builds(
            Around,
            st.integers(0, 4),
            st.booleans(),
            st.booleans(),
            st.integers(0, 2),
            st.booleans(),
            st.integers(0, 2),
            st.booleans(),
        ),
        min_size=30,
        max_size=60,
    )
)
def test_a_ladder_never_stands_still_and_never_spins(surroundings: list[Around]) -> None:
    """Whatever there is at each turn: it always has something to do, and moves on."""
    position, waited, agencies = Position(), 0, 0
    for around in surroundings:
        turn = next_turn(STEPS, position, around)
        if turn.act is Act.NEXT_AGENCY:
            agencies += 1
            assert around.more_agencies
        else:
            assert turn.wait > 0, "only going to the next agency takes no time"
            waited += turn.wait
        after, before = turn.position, position
        forward = (after.round, after.step, after.phone) > (before.round, before.step, before.phone)
        assert forward or turn.act is Act.NEXT_AGENCY
        position = after
    assert waited or agencies


# -- finding -----------------------------------------------------------------------------------

NOON = datetime(2026, 11, 24, 11, tzinfo=UTC)


def agency(code: str, **more: object) -> Candidate:
    values: dict[str, object] = {
        "id": uuid4(),
        "code": code,
        "name": code,
        "sector": "shelter",
        "services": frozenset({"shelter"}),
        "areas": frozenset(),
        "age_from": None,
        "age_to": None,
        "hours": "",
        "timezone": "Europe/Belgrade",
        "country": "RS",
        "languages": ("sr",),
        "deputy": None,
        "valid_from": None,
        "valid_until": None,
        "writes": True,
        "phones": (),
        **more,
    }
    return Candidate(**values)  # type: ignore[arg-type]


def sought(**more: object) -> Sought:
    values: dict[str, object] = {
        "service": "shelter",
        "place_path": ("RS-VO", "RS-06"),
        "age": 9,
        "at": NOON,
        **more,
    }
    return Sought(**values)  # type: ignore[arg-type]


def test_the_right_one_and_why_not_the_others() -> None:
    everywhere = agency("a-everywhere")
    region = agency("region", areas=frozenset({"RS-VO"}))
    district = agency("district", areas=frozenset({"RS-06"}))
    mandated = agency("mandated")
    closed = agency("closed", areas=frozenset({"RS-06"}), hours="22:00-06:00")
    others = {
        agency("elsewhere", areas=frozenset({"RS-BG"})): "does not serve this place",
        agency("older", age_from=14): "takes children from 14 years",
        agency("younger", age_to=6): "takes children up to 6 years",
        agency("school", services=frozenset({"education"})): "does not offer shelter",
        agency("past", valid_until=date(2026, 11, 24)): "has not been in force since 2026-11-24",
        agency("future", valid_from=date(2026, 11, 25)): "is not in force before 2026-11-25",
        agency("mute", writes=False, phones=("22:00-06:00",)): "answers no phone now and cannot be "
        "written to",
        agency("hidden"): "must not be told: the consent excludes it",
    }
    answer = find(
        [everywhere, region, district, mandated, closed, *others],
        sought(mandated=(mandated.id,), withheld_from=frozenset({"hidden"})),
    )
    assert [f.agency.code for f in answer.right] == [
        "mandated",
        "district",
        "region",
        "a-everywhere",
        "closed",
    ]
    reasons = {f.agency: f.reasons for f in answer.left_out}
    assert reasons == {who: (why,) for who, why in others.items()}
    assert len(answer.right) + len(answer.left_out) == 13


def test_a_deputy_stands_in_for_one_that_is_closed() -> None:
    closed = agency("centre", hours="Mo-Fr 08:00-10:00", deputy="neighbour")
    deputy = agency("neighbour", areas=frozenset({"RS-BG"}))
    answer = find([closed, deputy], sought())
    assert [f.agency.code for f in answer.right] == ["neighbour", "centre"]
    assert "deputy of an agency that is closed now" in answer.right[0].reasons


def test_without_a_place_only_those_who_serve_everywhere() -> None:
    answer = find(
        [agency("everywhere"), agency("town", areas=frozenset({"RS-BG"}))],
        sought(place_path=()),
    )
    assert [f.agency.code for f in answer.right] == ["everywhere"]
    assert "the place is not known" in answer.left_out[0].reasons[0]


# -- signing -----------------------------------------------------------------------------------

SECRET = "whsec_" + "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def test_signatures_are_those_of_the_specification() -> None:
    body = b'{"type": "referral.offered"}'
    ours = headers_for(key_of(SECRET), "msg_1", NOON, body)["webhook-signature"]
    theirs = standardwebhooks.Webhook(SECRET).sign("msg_1", NOON, body.decode())
    assert ours == theirs


def test_what_is_forged_or_stale_is_refused() -> None:
    key, body = key_of(SECRET), b"{}"
    good = headers_for(key, "1", NOON, body)
    at, signature = good["webhook-timestamp"], good["webhook-signature"]
    check(key, "1", at, signature, body, NOON + timedelta(minutes=4))
    check(key, "1", at, "v1,other " + signature, body, NOON)
    for args in (
        ("2", at, signature, body),
        ("1", at, signature, b"{ }"),
        ("1", "1", signature, body),
        ("1", "²", signature, body),
        ("1", "", signature, body),
        ("1", at, "", body),
        ("1", at, signature.replace("v1,", "v2,"), body),
    ):
        with pytest.raises(BadEvent):
            check(key, *args, NOON)
    for off in (-6, 6):
        with pytest.raises(StaleEvent):
            check(key, "1", at, signature, body, NOON + timedelta(minutes=off))


# -- another system's words --------------------------------------------------------------------


def test_nothing_is_invented_in_another_systems_words() -> None:
    mapping = load().mapping("primero-cp")
    said = say(mapping, mapping.fields, mapping.always, {}, {})
    assert (said.body, said.unmapped) == ({}, [])
    known = {"child.gender": "unknown", "child.age_is": "unknown", "child.name": "Jovana"}
    said = say(mapping, mapping.fields, (), known, {})
    assert (said.body, said.unmapped) == ({"name_first": "Jovana", "name_other": "Jovana"}, [])
    known_ = {"child.gender": "other", "danger.signs": ["injured", "fire"]}
    said = say(mapping, mapping.fields, (), known_, {})
    assert said.unmapped == ["child.gender = other"]
    assert said.left_out == ["danger.signs = fire"]
    assert said.body == {"protection_concerns": ["physically_or_mentally_abused"]}


def test_a_category_is_said_by_what_it_counts_as() -> None:
    mapping = load().mapping("primero-cp")
    above = {"MH-FEAR": ("MH-FEAR", "MH"), "own": ("own", "V-NEGLECT", "V"), "x": ("x", "EO")}
    known = {"reason.categories": ["MH-FEAR", "own", "x"]}
    said = say(mapping, mapping.fields, (), known, above)
    assert said.body == {
        "protection_concerns": ["mentally_distressed", "physically_or_mentally_abused"]
    }
    assert said.left_out == ["reason.categories = x"]


@pytest.mark.parametrize(
    ("name", "order", "parts"),
    [
        ("Jovana Petrović", "given_first", ("Jovana", "Petrović")),
        ("Ana Marija Petrović Ilić", "given_first", ("Ana", "Marija Petrović Ilić")),
        ("Petrović Jovana", "family_first", ("Jovana", "Petrović")),
        ("Petrović, Ana Marija", "given_first", ("Ana Marija", "Petrović")),
        ("PETROVIĆ Jovana", "given_first", ("Jovana", "PETROVIĆ")),
        ("JOVANA PETROVIĆ", "given_first", ("JOVANA", "PETROVIĆ")),
        ("Jovana", "family_first", ("Jovana", "")),
        ("  ", "given_first", ("", "")),
    ],
)
def test_which_part_of_a_name_is_the_familys(name: str, order: str, parts: tuple[str, str]) -> None:
    assert parts_of_name(name, NameOrder(order)) == parts


def test_a_name_is_written_in_their_script() -> None:
    mapping = load().mapping("primero-cp")
    known = {"child.name": "Љиљана Ђорђевић"}
    for script, first in (("latin", "Ljiljana"), ("cyrillic", "Љиљана")):
        theirs = mapping.model_copy(update={"script": Script(script)})
        body = say(theirs, theirs.fields, (), known, {}).body
        assert body["name_first"] == first
        assert body["name_other"] == "Љиљана Ђорђевић", "as it was written"


# -- protocols ---------------------------------------------------------------------------------


def test_the_shipped_ones_say_where_each_number_comes_from() -> None:
    found = load()
    assert found.current.protocol == "rs"
    assert {name for name, _ in found.protocols} == {"general", "rs"}
    for protocol in found.protocols.values():
        assert protocol.example, "shipped as examples, to be confirmed"
        for rule in protocol.urgencies:
            assert all(len(clock.source) > 10 for clock in rule.deadlines)
        within = [
            next(c.within for c in protocol.rule(u).deadlines if c.deadline == "acknowledge")
            for u in Urgency
        ]
        assert within == [
            timedelta(minutes=15),
            timedelta(hours=24),
            timedelta(hours=72),
            timedelta(days=7),
        ]
        assert protocol.rule("immediate").telephone_first
        assert all(len(rule.escalation_source) > 10 for rule in protocol.urgencies)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("within: PT15M,", "within: 15,", "is not a duration"),
        (
            "{deadline: acknowledge, within: PT15",
            "{deadline: seen, within: PT15",
            "is listed twice",
        ),
        ("  - urgency: routine", "  - urgency: urgent", "list each urgency exactly once"),
        ('working_hours: "Mo-Fr', 'working_hours: "Mo-Fx', "are not opening hours"),
        ("timezone: Europe/Belgrade", "timezone: Europe/Nowhere", "is not an IANA time zone"),
        ("{step: duty_phones, wait: 30}", "{step: duty_phones, wait: 2}", "at least 5 seconds"),
        ("{step: messages, wait: 120}", "{step: messages, wait: 10}", "at least 60 seconds"),
        ("      - {step: supervisor, wait: 90}\n", "", "next_agency and supervisor"),
        ("bases: [vital_interests, legal", "bases: [legal", "vital_interests"),
        ("  - service: police\n", "  - service: education\n", "is listed twice"),
        ("child.case_code, child.age", "child.shoe_size, child.age", "has no 'child.shoe_size'"),
        ("consent:\n", "terms: x\nconsent:\n", "there is no such key"),
        ("default_service: child_protection", "default_service: director_on_call", "on call"),
        ("from: accepted", "from: yesterday", "from"),
        ("link_lives: P3D", "link_lives: PT1S", "link_lives must be between"),
        ("hand_over: PT15M", "hand_over: P30D", "hand_over must be between"),
        ("unanswered_after: PT1M", "unanswered_after: P1D", "unanswered_after must be between"),
        ("within: PT15M", "within: PT15H", "immediate must be acknowledged within 1:00:00"),
        ("within: P7D, from", "within: P9999D, from", "at most a year"),
        (
            "      - {step: messages, wait: 86400}\n",
            "",
            "the escalation needs duty_phones or messages",
        ),
    ],
)
def test_an_invalid_protocol_is_refused_at_load(old: str, new: str, problem: str) -> None:
    text = (SHIPPED / "protocol-general.yaml").read_text()
    assert old in text
    form = load_forms().form_for("referral")

    def read() -> None:
        protocol, lines = read_protocol(text.replace(old, new, 1), "mine.yaml")
        check_against_form(protocol, lines, form)

    with pytest.raises(BadDefinition) as refused:
        read()
    assert problem in str(refused.value)
    assert str(refused.value).startswith("mine.yaml:")


def test_a_country_chooses_and_a_wrong_choice_is_refused(tmp_path: Path) -> None:
    country = (SHIPPED.parent.parent / "definitions/data/country.yaml").read_text()
    (tmp_path / "country.yaml").write_text(country.replace("protocol: rs", "protocol: mine"))
    with pytest.raises(BadDefinition, match="there is no protocol 'mine'"):
        load(tmp_path)
    own = (SHIPPED / "protocol-rs.yaml").read_text().replace("protocol: rs", "protocol: mine", 1)
    (tmp_path / "mine.yaml").write_text(own)
    load.cache_clear()
    assert load(tmp_path).current.protocol == "mine"
    load.cache_clear()


def test_who_is_needed_and_who_is_asked_first() -> None:
    protocol = load().current
    assert protocol.needed_for({"V-SEXUAL", "V"}) == ["child_protection", "police"]
    assert protocol.needed_for({"suicide"}) == ["emergency_medical"]
    assert protocol.needed_for({"PR"}) == []

    rule = protocol.family_first
    assert rule is not None
    assert rule.first == ("mobile_outreach", "family_support")
    assert rule.instead_of == ("shelter",)
    assert rule.at_risk(2, False, set())
    assert not rule.at_risk(3, False, set())
    assert not rule.at_risk(None, False, set())
    assert rule.at_risk(12, True, set())
    assert rule.at_risk(12, False, {"FR-CARE"})
