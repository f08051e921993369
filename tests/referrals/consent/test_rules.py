"""Which agency may be told, on what ground, and which fields."""

import re
from dataclasses import replace

import pytest

from app.definitions.library import load as load_forms
from app.referrals.consent.grounds import Basis, Ground, GroundKind
from app.referrals.consent.rules import (
    Addressee,
    ConsentKind,
    ConsentWithdrawn,
    Given,
    NotConsented,
    Scope,
    Withheld,
    fields_for,
    ground_for,
)
from app.referrals.library import load
from app.referrals.reasons import WORDS, Barred
from app.referrals.states import Sector, Service

HOUSE = Addressee("house", Sector.SHELTER)
OWN = Addressee("own", Sector.OWN_HOUSE)
POLICE = Addressee("police", Sector.POLICE)


def test_a_referral_needs_consent_for_its_kind_of_agency_or_an_override() -> None:
    with pytest.raises(NotConsented):
        ground_for(None, HOUSE)
    services = Given(ConsentKind.CONSENT, frozenset({"services"}))
    assert ground_for(services, HOUSE) == Ground(GroundKind.CONSENT)
    with pytest.raises(NotConsented, match="not for authorities"):
        ground_for(services, POLICE)
    for withheld in ("house", "shelter"):
        with pytest.raises(Withheld):
            ground_for(
                Given(ConsentKind.CONSENT, frozenset({"services"}), frozenset({withheld})), HOUSE
            )
    override = Given(ConsentKind.OVERRIDE, basis=Basis.VITAL_INTERESTS)
    assert ground_for(override, HOUSE) == Ground(GroundKind.OVERRIDE, Basis.VITAL_INTERESTS)
    house = frozenset({"house"})
    with pytest.raises(Withheld):
        ground_for(replace(override, withheld_from=house), HOUSE)
    despite = Given(
        ConsentKind.OVERRIDE, basis=Basis.VITAL_INTERESTS, withheld_from=house, despite=house
    )
    assert ground_for(despite, HOUSE) == replace(ground_for(override, HOUSE), against_wish=True)
    assert ground_for(services, OWN) == Ground(GroundKind.OWN_HOUSE)
    with pytest.raises(ConsentWithdrawn):
        ground_for(Given(ConsentKind.WITHDRAWN), HOUSE)


def test_a_log_keeps_a_code_of_why_a_recipient_may_not_be_told() -> None:
    consent = ConsentKind.CONSENT
    services, authorities = frozenset({Scope.SERVICES}), frozenset({Scope.AUTHORITIES})
    refusals = {
        Barred.NO_CONSENT: (None, HOUSE),
        Barred.EXCLUDED: (Given(consent, services, frozenset({"house"})), HOUSE),
        Barred.WITHDRAWN: (Given(ConsentKind.WITHDRAWN), HOUSE),
        Barred.NOT_FOR_AUTHORITIES: (Given(consent, services), POLICE),
        Barred.NOT_FOR_SERVICES: (Given(consent, authorities), HOUSE),
        Barred.OTHER_SERVICES: (Given(consent, services, for_what=frozenset({"medical"})), HOUSE),
    }
    assert set(refusals) == set(Barred)
    for barred, (given, recipient) in refusals.items():
        with pytest.raises(NotConsented, match=re.escape(str(WORDS[barred]))) as refused:
            ground_for(given, recipient)
        assert refused.value.barred is barred


def test_a_service_gets_its_fields_and_no_more() -> None:
    answered = ["child.name", "child.age", "danger.suspected", "childhood.x"]
    assert fields_for(["child"], answered) == ["child.name", "child.age"]
    assert fields_for(["child.age", "danger"], answered) == ["child.age", "danger.suspected"]
    assert fields_for([], answered) == []


def test_every_service_is_told_little_enough() -> None:
    """The suspected person is told to services that investigate, and to no other."""
    for protocol in load().protocols.values():
        form = load_forms().form_for("referral")
        every = [f"{s.code}.{f.code}" for s in form.sections for f in s.fields]
        for service in Service:
            told = fields_for(protocol.disclosed_to(service), every)
            investigates = service in (Service.CHILD_PROTECTION, Service.POLICE, Service.JUSTICE)
            assert ("danger.suspected" in told) == investigates, service
            # The authority that has to assess everything may be told everything.
            assert len(told) < len(every) or service is Service.CHILD_PROTECTION
