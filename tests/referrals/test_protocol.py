"""Protocols: what ships says its sources, and what is wrong is refused."""

from datetime import timedelta
from pathlib import Path

import pytest

from app.definitions.datafile import BadDefinition
from app.definitions.folder import read_folder
from app.definitions.library import load as load_forms
from app.definitions.risk import Urgency
from app.referrals.library import SHIPPED, load
from app.referrals.protocol import check_against_form, read_protocol


def test_the_shipped_protocols_say_where_each_number_comes_from() -> None:
    found = load()
    assert found.current.protocol == "rs"
    assert {name for name, _ in found.protocols} == {"general", "rs"}
    for protocol in found.protocols.values():
        assert protocol.example, "shipped as examples, to be confirmed"
        for rule in protocol.urgencies:
            assert all(len(deadline.source) > 10 for deadline in rule.deadlines)
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
        ("within: PT15M", "within: PT15H", "immediate must be acknowledged within PT1H"),
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
        load(read_folder(tmp_path))
    own = (SHIPPED / "protocol-rs.yaml").read_text().replace("protocol: rs", "protocol: mine", 1)
    (tmp_path / "mine.yaml").write_text(own)
    assert load(read_folder(tmp_path)).current.protocol == "mine"


def test_the_protocol_says_which_sectors_are_needed_and_family_first() -> None:
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
