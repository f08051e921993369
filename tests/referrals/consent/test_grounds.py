"""The ground of a disclosure: rows hold it as they always did, and a reader reads its words."""

import pytest

from app.referrals.consent.grounds import (
    Basis,
    Ground,
    GroundKind,
    ground_words,
    read_ground,
)
from app.words.pages import spoken_in

STORED = {
    "consent": Ground(GroundKind.CONSENT),
    "own_house": Ground(GroundKind.OWN_HOUSE),
    "override: vital_interests": Ground(GroundKind.OVERRIDE, Basis.VITAL_INTERESTS),
    "override: legal_obligation": Ground(GroundKind.OVERRIDE, Basis.LEGAL_OBLIGATION),
    "override: best_interests, against_an_explicit_wish": Ground(
        GroundKind.OVERRIDE, Basis.BEST_INTERESTS, against_wish=True
    ),
}


@pytest.mark.parametrize(("stored", "ground"), STORED.items())
def test_a_ground_is_stored_as_it_always_was(stored: str, ground: Ground) -> None:
    assert ground.stored() == stored
    assert read_ground(stored) == ground


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "override",
        "override: ",
        "override: whim",
        "override: vital_interests, for fun",
        "override: vital_interests, ",
        "consent: vital_interests",
    ],
)
def test_what_is_no_ground_is_not_read(stored: str) -> None:
    with pytest.raises(ValueError, match=rf"^{stored}$|is not a valid"):
        read_ground(stored)


def test_a_reader_reads_the_words_of_a_ground() -> None:
    against = "override: best_interests, against_an_explicit_wish"
    assert ground_words("own_house") == "own staff"
    assert ground_words(against) == "override: best interests, against an explicit wish"
    with spoken_in("sr"):
        assert ground_words("consent") == "saglasnost"
        assert ground_words("own_house") not in ("own house", "own staff")
        words = ground_words(against)
        assert not {"override", "interests", "explicit"} & set(words.replace(",", "").split())


def test_a_ground_that_a_newer_program_wrote_is_read_by_its_codes() -> None:
    assert ground_words("court_order") == "court order"
    assert ground_words("") == ""
