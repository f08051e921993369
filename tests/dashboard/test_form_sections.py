"""The first section of a contact is the quick one: who, what about, danger and urgency."""

from app.dashboard.records.form_views import SectionView, form_sections
from app.definitions.answers import Answers
from app.definitions.library import load

LIBRARY = load(None)
SIGNS = "danger.signs"


def sections(record: str, answers: Answers) -> list[SectionView]:
    return form_sections(LIBRARY.sheet_for(record), LIBRARY, answers, "en")


def paths(view: SectionView) -> list[str]:
    return [one.path for one in view.entries[0].fields]


def test_danger_and_urgency_stand_after_what_the_contact_is_about() -> None:
    first, danger, *_ = sections("contact", {"contact.kind": "child"})
    assert paths(first)[:4] == ["contact.kind", "contact.headline", "contact.categories", SIGNS]
    assert first.urgency_after == SIGNS
    # What may pull the child from its family stays, and no question is asked twice.
    assert paths(danger) == ["danger.family"]
    assert danger.urgency_after == ""


def test_the_signs_are_asked_only_of_whom_the_form_asks_them() -> None:
    for kind, hidden in (("child", False), ("information", True)):
        first = sections("contact", {"contact.kind": kind})[0]
        (signs,) = [one for one in first.entries[0].fields if one.path == SIGNS]
        assert signs.hidden is hidden, kind


def test_a_form_without_signs_decides_the_urgency_after_the_categories() -> None:
    short = LIBRARY.sheet_for("contact")
    views = form_sections(short, LIBRARY, {}, "en")
    assert sum(bool(view.urgency_after) for view in views) == 1
    for record in ("case", "referral"):
        assert not any(view.urgency_after for view in sections(record, {})), record
