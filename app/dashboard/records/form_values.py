"""The values with which a page shows a record's form."""

import base64
from typing import Any

from app.contacts.records import Opened
from app.contacts.registry import library_of, sheet_of
from app.contacts.sealed_answers import present
from app.dashboard.records.form_views import form_sections, spelling
from app.definitions.answers import Sheet
from app.definitions.trees import label_in
from app.privacy.hash_kinds import HashOf
from app.staff.models import Staff
from app.web.form_language import form_languages
from app.work import Work


def children_of(opened: Opened[Any], sheet: Sheet, language: str) -> list[tuple[str, str]]:
    """Return the children who can be referred one by one: code of the entry, and label."""
    section = sheet.form.children
    if section is None:
        return []
    title = label_in(section.entry or section.title, language)
    found = []
    for number, entry in enumerate(sheet.entries(present(opened.record), section), 1):
        path = next(iter(sheet.form.paths_of("child_name", entry)), "")
        name = opened.answer(path)
        found.append((entry, f"{title} {number}" + (f", {name}" if name else "")))
    return found


def form_values(work: Work, staff: Staff, opened: Opened[Any], language: str) -> dict[str, Any]:
    record, library = opened.record, library_of(work.ground)
    sheet, answers = sheet_of(work, record), opened.answers()
    return {
        "staff": staff,
        "record": record,
        "sections": form_sections(sheet, library, answers, language),
        "versions": record.versions,
        "language": language,
        "languages": form_languages(work),
        "api": f"/api/v1/{record.__tablename__}/{record.id}",
        "spelling": spelling(),
        "recent": [],
        "labels_of_questions": {
            q.path: sheet.name_of(q, answers, language) for q in sheet.asked(answers)
        },
        # The browser keeps unsaved answers on its own machine, sealed with this key.
        # Earlier keys follow, for what was sealed before a rotation.
        "outbox_key": ",".join(
            base64.b64encode(key).decode()
            for key in work.keys.secrets_of(HashOf.OUTBOX, f"{staff.id}:{record.id}")
        ),
    }
