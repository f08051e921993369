"""A form shows what was written as it was written; what the program adds is said in words."""

from tests.support.contacts import WHOLE, new_contact, page_of
from tests.support.program.quiet import QuietStage

SUMMARY = "Piši na ana_b@primer.rs: other_side of in_progress"


async def test_a_text_stays_as_it_was_written(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", state=None)
    contact = await new_contact(ana, {**WHOLE, "actions.summary": SUMMARY})
    assert f">{SUMMARY}</textarea>" in await page_of(quiet, ana, f"/contacts/{contact}")


async def test_signs_of_danger_and_the_urgency_they_suggest_are_said_in_words(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", state=None)
    contact = await new_contact(ana, {**WHOLE, "danger.signs": ["weapon"]})
    for urgency in ("urgent", "routine"):
        decided = {"urgency": urgency, "reason": "Otac je otišao."}
        made = await ana.ask("POST", f"/contacts/{contact}/urgency", decided)
        assert made.status_code == 200, made.text
    page = " ".join((await page_of(quiet, ana, f"/contacts/{contact}")).split())
    assert "(suggested: immediate, a weapon is within reach)" in page


async def test_the_gender_of_a_child_is_said_as_the_form_says_it(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", state=None)
    contact = await new_contact(ana, {**WHOLE, "child.a1.gender": "non_binary"})
    case = (await ana.ask("POST", "/cases", {"contacts": [contact]})).json()["id"]
    assert ", Non-binary" in await page_of(quiet, ana, f"/cases/{case}")
