"""No form of the pages asks a person to type a code, or a day: these are chosen."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from jinja2 import nodes

from app.dashboard.templating import templates as pages
from tests.support.program import templates

# What the program knows by codes, however a field is called that asks for one or for several.
CODED = re.compile(
    r"(.*[._])?(language|country|countrie|zone|timezone|sector|service|area|role|skill|period"
    r"|categor(y|ie)|outcome|urgency|channel|withheld_from|for_what|despite)s?"
)
DAYS = re.compile(r"(.*[._])?(from|to|since|until|day|date|on)")
FREE = {"text", "tel", "search", "url", ""}
# Macros that draw a field, with the place of their name; `type` is text unless it is said.
MACROS = {"field", "text"}
# What is typed here is not ours: a value of the provider of identities, beside a role.
NOT_OURS = {("settings/provider.html", "roles")}
# A skill that no person has yet: its name is invented here.
NEW_NAMES = {"more_skills"}


class Fields(HTMLParser):
    """Collects the fields into which any text can be typed: their names."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        free = tag == "textarea" or (tag == "input" and (known.get("type") or "") in FREE)
        if free and known.get("name"):
            self.found.append(str(known["name"]))


def _typed_in(source: str, read: nodes.Template) -> Iterator[str]:
    """Yield the names of the fields of a template into which any text can be typed."""
    plain = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", source, flags=re.DOTALL)
    fields = Fields()
    fields.feed(re.sub(r"\{\{.*?\}\}", "x", plain, flags=re.DOTALL))
    yield from fields.found
    for call in read.find_all(nodes.Call):
        name = getattr(call.node, "name", "")
        kind = next((one.value for one in call.kwargs if one.key == "type"), None)
        is_free = kind is None or (isinstance(kind, nodes.Const) and kind.value in FREE)
        if name in MACROS and is_free and call.args and isinstance(call.args[0], nodes.Const):
            yield str(call.args[0].value)


def coded_fields(source: str, read: nodes.Template) -> list[str]:
    """Return the fields of a template in which a code or a day would be typed."""
    return [
        name
        for name in _typed_in(source, read)
        if name not in NEW_NAMES and (CODED.fullmatch(name) or DAYS.fullmatch(name))
    ]


def test_codes_and_days_are_chosen() -> None:
    found = {
        (name, one)
        for name, read in templates.all_parsed()
        for one in coded_fields((templates.TEMPLATES / name).read_text(), read)
    }
    assert found - set(NOT_OURS) == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('<input name="language">', ["language"]),
        ('<input name="{{ row }}.service" type="text">', ["x.service"]),
        ('<input {% if x %}required{% endif %} name="countries" maxlength="9">', ["countries"]),
        ('<textarea name="areas"></textarea>', ["areas"]),
        ('<input name="valid_until">', ["valid_until"]),
        ('{{ text("timezone", help="x") }}', ["timezone"]),
        ('<input type="date" name="from"><input type="checkbox" name="role">', []),
        ('<select name="sector"></select><input name="name">', []),
        ('{{ text("valid_from", type="date") }}', []),
    ],
)
def test_the_search_finds_what_it_is_for(source: str, found: list[str]) -> None:
    assert coded_fields(source, pages.env.parse(source)) == found
