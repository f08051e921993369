"""Random definitions and answers: what is accepted is what the definition allows, everything
accepted can be exported, and no answer is altered on the way."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.definitions.answers import Answers, NotAnAnswer, Sheet
from app.definitions.checking import read_form
from app.definitions.datafile import BadDefinition
from app.definitions.forms import Form
from app.definitions.library import load
from tests.support.profile import WHOLE

pytestmark = pytest.mark.whole

LIBRARY = load(None)


CATEGORIES, PLACES = LIBRARY.categories, LIBRARY.places


KINDS = ["choice", "choices", "yes_no", "text", "narrative", "whole_number", "date", "place"]


LABEL = {"en": "Label"}


@st.composite
def fields(draw: st.DrawFn, earlier: list[tuple[str, dict[str, Any]]], code: str) -> dict[str, Any]:
    kind = draw(st.sampled_from(KINDS))
    made: dict[str, Any] = {"code": code, "type": kind, "label": LABEL}
    if kind in ("choice", "choices"):
        codes = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True))
        made["options"] = [{"code": c, "label": LABEL} for c in codes]
    if kind in ("text", "narrative"):
        made["personal"] = draw(st.sampled_from(["name", "number", "other"]))
    if kind == "whole_number":
        made["at_least"] = draw(st.integers(-3, 3))
        made["at_most"] = draw(st.integers(2, 9))
    for name in ("shown_when", "required_when"):
        if earlier and draw(st.integers(0, 2)) == 0:
            made[name] = draw(conditions(earlier))
    if "required_when" not in made:
        made["required"] = draw(st.booleans())
    return made


@st.composite
def conditions(draw: st.DrawFn, earlier: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    path, field = draw(st.sampled_from(earlier))
    if field["type"] in ("choice", "choices"):
        code = draw(st.sampled_from(field["options"]))["code"]
        leaf: dict[str, Any] = {"field": path, "is": code}
    elif field["type"] == "yes_no":
        leaf = {"field": path, "any_of": ["yes", "unknown"]}
    elif field["type"] == "whole_number":
        leaf = {"field": path, "below": draw(st.integers(-3, 9))}
    else:
        leaf = {"field": path, "filled": True}
    match draw(st.integers(0, 3)):
        case 0:
            return {"not": leaf}
        case 1:
            return {"any": [leaf, {"field": path, "filled": True}]}
        case _:
            return leaf


@st.composite
def forms(draw: st.DrawFn) -> dict[str, Any]:
    sections = []
    earlier: list[tuple[str, dict[str, Any]]] = []
    for n in range(draw(st.integers(1, 3))):
        section: dict[str, Any] = {"code": f"s{n}", "title": LABEL, "fields": []}
        if draw(st.booleans()):
            section["repeats"] = draw(st.integers(2, 4))
        if earlier and draw(st.integers(0, 3)) == 0:
            section["shown_when"] = draw(conditions(earlier))
        for m in range(draw(st.integers(1, 4))):
            field = draw(fields(earlier, f"f{m}"))
            section["fields"].append(field)
            earlier.append((f"s{n}.f{m}", field))
        sections.append(section)
    fixed = {
        "code": "fixed",
        "title": LABEL,
        "fields": [
            {
                "code": "kind",
                "type": "choice",
                "means": "kind",
                "label": LABEL,
                "options": [{"code": "k", "label": LABEL}],
            },
            {"code": "head", "type": "text", "means": "headline", "label": LABEL},
            {"code": "about", "type": "categories", "means": "categories", "label": LABEL},
            {"code": "where", "type": "place", "means": "place", "label": LABEL},
        ],
    }
    return {
        "form": "tried",
        "version": 1,
        "record": "contact",
        "languages": ["en"],
        "title": LABEL,
        "sections": [fixed, *sections],
    }


RAW = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 12),
    st.text(max_size=12),
    st.sampled_from("abcdef"),
    st.lists(st.sampled_from("abcdefg"), max_size=4),
    st.sampled_from(["yes", "no", "unknown"]),
    st.sampled_from(["2026-01-02", "RS-BG", "2026-13-45"]),
    st.dictionaries(st.text(), st.text()),
)


def usable(definition: dict[str, Any]) -> Form | None:
    """The form, or None for one that cannot be filled in: that is refused, with its line."""
    problem = ""
    try:
        # JSON is YAML.
        return read_form(json.dumps(definition), "tried.yaml", CATEGORIES, PLACES, set())
    except BadDefinition as refusal:
        problem = str(refusal)
    assert "no answers ever" in problem or "at_least" in problem
    return None


def allowed(field: dict[str, Any], raw: Any) -> bool:
    """The rule of each kind, said once more and without the code under test."""
    match field["type"]:
        case "choice":
            return isinstance(raw, str) and raw in [o["code"] for o in field["options"]]
        case "choices":
            codes = [o["code"] for o in field["options"]]
            return (
                isinstance(raw, list)
                and 0 < len(raw) == len(set(raw))
                and all(c in codes for c in raw)
            )
        case "yes_no":
            return raw in ("yes", "no", "unknown")
        case "text" | "narrative":
            line = field["type"] == "narrative" or not ("\n" in str(raw) or "\r" in str(raw))
            return isinstance(raw, str) and raw.strip() != "" and "\x00" not in raw and line
        case "whole_number":
            return type(raw) is int and field["at_least"] <= raw <= field["at_most"]
        case "date":
            return bool(raw == "2026-01-02")
        case _:
            return raw in ("RS-BG", "unknown")


@settings(max_examples=150 if WHOLE else 30, deadline=None, suppress_health_check=list(HealthCheck))
@given(forms(), st.data())
def test_any_form_and_any_answers(definition: dict[str, Any], data: st.DataObject) -> None:
    form = usable(definition)
    if form is None:
        return
    sheet = Sheet(form, CATEGORIES, PLACES)
    answers: Answers = {}
    for section in definition["sections"]:
        entries = ["e1", "e2"] if "repeats" in section else [""]
        for entry in entries[: data.draw(st.integers(0, 2))] if entries[0] else entries:
            for field in section["fields"]:
                parts = [p for p in (section["code"], entry, field["code"]) if p]
                path, raw = ".".join(parts), data.draw(RAW)
                try:
                    accepted = sheet.check(path, raw)
                except NotAnAnswer:
                    if section["code"] != "fixed":
                        assert not allowed(field, raw), (field, raw)
                    continue
                if section["code"] != "fixed":
                    assert allowed(field, raw), (field, raw)
                # Nothing is corrected on the way in.
                assert accepted == raw
                assert type(accepted) is type(raw)
                answers[path] = accepted
    exported = sheet.rows(answers)
    back: Answers = {}
    columns = sheet.columns()
    for name, rows in exported.items():
        for row in rows:
            assert set(row) - {"entry"} == {column for column, _ in columns[name]}
            for section_ in form.sections:
                if (section_.code if section_.repeats else "record") != name:
                    continue
                for field_ in section_.fields:
                    value = row[f"{section_.code}_{field_.code}"]
                    parts = [section_.code, row.get("entry", ""), field_.code]
                    if value is not None:
                        back[".".join(p for p in parts if p)] = value
    # Everything accepted is in the export, as it was given.
    assert back == answers
    # What is missing is exactly what is asked and required and not there, or there and not asked.
    expected = [
        q.path
        for q in sheet.asked(answers)
        if (q.required and q.path not in answers) or (not q.shown and q.path in answers)
    ]
    assert [m.path for m in sheet.missing(answers)] == expected
    assert all(q.shown for q in sheet.asked(answers) if q.required)


@settings(max_examples=60 if WHOLE else 15, deadline=None, suppress_health_check=list(HealthCheck))
@given(forms(), st.data())
def test_an_accepted_form_can_always_be_completed(
    definition: dict[str, Any], data: st.DataObject
) -> None:
    """Answer what is asked, until nothing is missing: no form leads into a corner."""
    form = usable(definition)
    if form is None:
        return
    sheet = Sheet(form, CATEGORIES, PLACES)
    good: dict[str, Any] = {
        "yes_no": "yes",
        "text": "x",
        "narrative": "x",
        "date": "2026-01-02",
        "place": "RS-BG",
        "categories": ["V-BULLYING"],
    }
    answers: Answers = {}
    for _ in range(200):
        missing = sheet.missing(answers)
        if not missing:
            break
        path = missing[0].path
        if path in answers:
            del answers[path]
            continue
        found = form.find(path)
        assert found is not None
        field = found[1]
        if field.type in ("choice", "choices"):
            code = data.draw(st.sampled_from(sorted(sheet.codes(field))))
            answers[path] = [code] if field.type == "choices" else code
        elif field.type == "whole_number":
            answers[path] = data.draw(st.integers(field.at_least or 0, field.at_most or 9))
        else:
            answers[path] = good[field.type]
    assert sheet.missing(answers) == []
