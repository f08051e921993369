"""The preview of a form asks what the form of a record asks, and stores nothing."""

from typing import Any

import pytest
from sqlalchemy import func, select

from app.api.records.form_views import preview_state, state_of
from app.contacts.contacts import create_contact
from app.contacts.models import Contact
from app.contacts.registry import library_of
from app.contacts.saving import MOST_CHANGES, Change
from app.contacts.states import ContactChannel
from app.definitions import library as libraries
from app.errors import Invalid
from app.staff import accounts
from app.staff.roles import Role
from app.work import Work

FOLLOWS = ("hidden", "closed_sections", "required", "support", "warnings")


def changes(answers: dict[str, Any]) -> list[Change]:
    return [Change(path, value, 0) for path, value in answers.items()]


async def test_a_preview_asks_what_the_form_of_a_record_asks(work: Work) -> None:
    ana = await accounts.add_staff(work, name="ana", role=Role.COUNSELLOR)
    library = library_of(work.ground)
    before = preview_state(library, "contact", [])
    # Answers that questions depend on: every choice of every one of them, in turn.
    form = library.form_for("contact")
    tried, moved = 0, 0
    for section in form.sections:
        for field in section.fields:
            if field.type != "choice" or section.repeats or not field.options:
                continue
            answers = {f"{section.code}.{field.code}": field.options[0].code}
            shown = preview_state(library, "contact", changes(answers))
            contact, saved = await create_contact(
                work, ana, channel=ContactChannel.WALK_IN, changes=changes(answers)
            )
            kept = await state_of(work, contact)
            for name in FOLLOWS:
                assert getattr(shown.form, name) == getattr(kept, name), (answers, name)
            assert set(shown.saved) == set(saved.saved)
            tried += 1
            moved += shown.form.hidden != before.form.hidden
    assert tried > 3
    assert moved > 0, "some answer opens a question"


async def test_a_preview_refuses_what_a_record_refuses_and_stores_nothing(work: Work) -> None:
    library = libraries.load(None)
    form = library.form_for("contact")
    (repeats, *_others) = [section for section in form.sections if section.repeats]
    many = {f"{repeats.code}.e{n}": n for n in range(1, repeats.repeats + 2)}  # type: ignore[operator]
    shown = preview_state(library, "contact", changes({"no.such": 1, **many}))
    assert set(shown.refused) == {"no.such", f"{repeats.code}.e{len(many)}"}
    assert "room for at most" in shown.refused[f"{repeats.code}.e{len(many)}"]
    gone = preview_state(
        library, "contact", [*changes(many), Change(f"{repeats.code}.e1", None, 0)]
    )

    def asked_of(entry: str) -> bool:
        paths = [*gone.form.required, *gone.form.hidden]
        return any(path.startswith(f"{repeats.code}.{entry}.") for path in paths)

    assert (asked_of("e1"), asked_of("e2")) == (False, True)
    with pytest.raises(Invalid):
        preview_state(library, "contact", changes(many) * MOST_CHANGES)
    assert await work.session.scalar(select(func.count()).select_from(Contact)) == 0
    assert not work.rows
    assert not work.last_rows
