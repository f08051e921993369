"""A refusal is said where its reader is known: its values, its codes and what it quotes, too."""

from app.errors import BadText, Code, Invalid, Joined, Message, NotAllowed, why
from app.referrals.spoken import refusal
from app.words import letter
from app.words.pages import refusal_words, spoken_in


def test_the_values_of_a_refusal_are_filled_in_after_it_is_translated() -> None:
    refused = Invalid("There is no line %(number)s.", number="+38111")
    assert refused.detail == str(refused) == "There is no line +38111."
    assert refusal_words(refused) == refused.detail
    with spoken_in("sr"):
        assert refusal_words(refused) == "Linija +38111 ne postoji."


def test_a_code_in_a_refusal_is_read_in_words() -> None:
    refused = Invalid("The team is already %(state)s.", state=Code("on_the_way"))
    assert refused.detail == "The team is already on the way."
    with spoken_in("sr"):
        assert refusal_words(refused) == "Tim je već u stanju: na putu."


def test_a_refusal_says_in_one_language_what_it_quotes() -> None:
    cause = BadText("%(name)s: 0 to 25 years", name="age_to")
    quoted = Message("line %(line)s: %(problem)s", line=3, problem=why(cause))
    refused = Invalid("Nothing was imported. %(problems)s", problems=Joined([quoted, quoted]))
    assert refused.detail.count("line 3: age_to: 0 to 25 years") == 2
    with spoken_in("sr"):
        assert refusal_words(refused).count("red 3: age_to: od 0 do 25 godina") == 2


def test_a_list_of_values_and_a_text_with_a_percent_sign_are_said() -> None:
    listed = Invalid("Choose one of the reports: %(known)s.", known=["a", "b%s"])
    assert listed.detail == "Choose one of the reports: a, b%s."
    assert NotAllowed("100 % of it").detail == "100 % of it"


def test_staff_read_a_refusal_to_an_agency_in_their_own_language() -> None:
    refused = refusal(Invalid, "no_question")
    assert refused.detail == letter("en", "agency_refusal", "no_question")
    with spoken_in("sr"):
        assert refusal_words(refused) == letter("sr", "agency_refusal", "no_question")
