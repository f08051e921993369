"""A refusal is said where its reader is known: its values, its codes and what it quotes, too."""

from datetime import date

import pytest

from app.definitions import library as libraries
from app.definitions.answers import NotAnAnswer
from app.definitions.forms import FREE_TEXT
from app.errors import BadText, Code, Invalid, Joined, Message, NotAllowed, recognised, why
from app.referrals.channels.primero import problems
from app.referrals.spoken import refusal
from app.words import letter
from app.words.pages import message_words, refusal_words, said, spoken_in
from app.words.stored import NO_COUNSELLOR, SAYS_NO, STORED, URGENT_BUTTON, said_again, stored


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
    cause = BadText("0 to 25 years")
    quoted = Message("line %(line)s: %(problem)s", line=3, problem=why(cause))
    refused = Invalid("Nothing was imported. %(problems)s", problems=Joined([quoted, quoted]))
    assert refused.detail.count("line 3: 0 to 25 years") == 2
    with spoken_in("sr"):
        assert refusal_words(refused).count("red 3: od 0 do 25 godina") == 2


def test_a_list_of_values_and_a_text_with_a_percent_sign_are_said() -> None:
    listed = Invalid("Choose one of the reports: %(known)s.", known=["a", "b%s"])
    assert listed.detail == "Choose one of the reports: a, b%s."
    assert NotAllowed("100 % of it").detail == "100 % of it"


def test_staff_read_a_refusal_to_an_agency_in_their_own_language() -> None:
    refused = refusal(Invalid, "no_question")
    assert refused.detail == letter("en", "agency_refusal", "no_question")
    with spoken_in("sr"):
        assert refusal_words(refused) == letter("sr", "agency_refusal", "no_question")


def test_what_is_wrong_with_an_answer_is_a_message() -> None:
    sheet = libraries.load(None).sheet_for("contact")
    fields = {
        field.type: f"{s.code}.{field.code}"
        for s in sheet.form.sections
        if not s.repeats
        for field in s.fields
    }
    wrong: list[tuple[str, object]] = [
        *((path, 10**10) for path in fields.values()),
        ("no.such", 1),
    ]
    wrong += [(path, "x" * 50_000) for kind, path in fields.items() if kind in FREE_TEXT]
    wrong += [(fields["date"], "soon")] if "date" in fields else []
    for path, given in wrong:
        with pytest.raises(NotAnAnswer) as refused:
            sheet.check(path, given)
        assert "%" not in str(refused.value)
        assert refused.value.message.said(lambda text: f"<{text}>").startswith("<"), path


def test_a_date_in_a_refusal_is_written_as_the_reader_writes_dates() -> None:
    refused = Invalid("%(day)s", day=date(2026, 11, 24))
    assert refused.detail == "2026-11-24"
    with spoken_in("sr"):
        assert refusal_words(refused) == "24. 11. 2026."


def test_a_stored_problem_is_a_message_again() -> None:
    said = [
        problems.NoValue("case.sex", "x"),
        Message(problems.ONE_ONLY, question="a.b", field="case.c"),
        Message(problems.SEVERAL, field="case.d"),
        Message(problems.NO_ID),
    ]
    kept = problems.kept(said)
    assert kept == (
        "case.sex: their list has no such value; a.b: case.c takes one value only; "
        "case.d: takes several values; no id of the referral came back"
    )
    assert problems.problem_words(kept) == kept
    for one in said:
        again = recognised(str(one), [one.text])
        assert (again.text, again.values) == (one.text, one.values)


def test_a_stored_sentence_is_said_again_and_what_a_person_wrote_is_not() -> None:
    assert said_again(stored(SAYS_NO, code="K-1")) == "K-1 says no."
    found = recognised("K-1 says no.", [SAYS_NO])
    assert (found.text, found.values) == (SAYS_NO, {"code": "K-1"})
    assert said_again("100 % of it, he says") == "100 % of it, he says"
    with spoken_in("sr"):
        for text in (URGENT_BUTTON, NO_COUNSELLOR):
            assert recognised(stored(text), STORED).text == text
            assert said_again(stored(text)) == said(text)


def test_a_reason_that_an_agency_does_not_fit_is_said_with_its_values() -> None:
    reason = Message("takes children up to %(age)s years", age=17)
    assert message_words(reason) == str(reason) == "takes children up to 17 years"
