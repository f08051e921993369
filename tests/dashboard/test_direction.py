"""What people type and wrote is read in its own direction, also on a page in the other one.

A counsellor who writes Serbian on an Arabic page, or Arabic on a Serbian one, reads it as written.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app"
TEMPLATES = sorted(APP.rglob("templates/**/*.html"))
_INNER = r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}"
_QUOTED = rf'"(?:{_INNER}|[^"])*"' + "|" + rf"'(?:{_INNER}|[^'])*'"
_TAG = re.compile(rf"<(/?[a-z][a-z0-9]*)((?:{_INNER}|{_QUOTED}|[^<>{{\"'])*)>", re.DOTALL)
_SHOWN = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
# `lang()` writes both attributes.
_DIRECTED = re.compile(r" dir=|\{\{ lang\(")
_APART = ("<bdi>", "<textarea>", "<option>")
# Texts that people wrote, as templates name them where they show them.
WRITTEN = re.compile(
    r"(headline|quoted|held_because|\.ground|\.review|\bm\.words|\b[cfo]\.reason|one\.reason"
    r"|goal|c\.typed|l\.value)\b(?! or _)"
)
# Expressions that only look so.
OURS = re.compile(r"\|code|plain\(|\.reason\.value|typed\.reason|_\(|kept\(")


def fields(text: str) -> Iterator[str]:
    """Return the tags of the fields into which a text is typed."""
    for tag in _TAG.finditer(text):
        kind = re.search(r'\btype="([^"]*)"', tag[2])
        typed = kind is None or kind[1] in ("text", "search") or "{" in kind[1]
        if tag[1] == "textarea" or (tag[1] == "input" and typed):
            yield tag[0]


def undirected(text: str) -> list[str]:
    """Return fields, and elements with the words of people, that have no direction of their own."""
    # A field of codes and addresses is written from the left (`dir="ltr"`).
    found = [one for one in fields(text) if not _DIRECTED.search(one)]
    found += [
        tag[0]
        for tag in _TAG.finditer(text)
        if re.search(r'class="words[ "]', tag[2]) and not _DIRECTED.search(tag[2])
    ]
    # Within a tag a text is a value or a name; there a browser has its own rules.
    bare = _TAG.sub(lambda tag: f"<{tag[1]}{' auto' if _DIRECTED.search(tag[2]) else ''}>", text)
    for shown in _SHOWN.finditer(bare):
        is_written = WRITTEN.search(shown[1]) and not OURS.search(shown[1])
        around = (re.findall(r"<[^<>]*>", bare[: shown.start()]) or [""])[-1]
        if is_written and " auto" not in around and around not in _APART:
            found.append(f"{around} {shown[0]}")
    return found


def test_what_people_write_has_its_own_direction() -> None:
    found = {
        str(path.relative_to(APP)): wrong
        for path in TEMPLATES
        if (wrong := undirected(path.read_text("utf-8")))
    }
    assert found == {}


def test_no_element_has_a_language_without_its_direction() -> None:
    """`lang` and `lang_of` of app/words/parts.py write both; nothing else writes one."""
    found = {
        str(path.relative_to(APP))
        for path in [*TEMPLATES, *APP.rglob("*.py")]
        if re.search(r"(?<!href)\blang=[\"'\\{]", path.read_text("utf-8"))
    }
    assert found == {"words/parts.py"}


@pytest.mark.parametrize(
    "text",
    [
        '<textarea name="words" required></textarea>',
        '<input name="reason" placeholder="{{ _("Why > how") }}">',
        '<input type="text" name="q">',
        '<input type="{{ type }}" name="{{ name }}">',
        '<span class="words">{{ words }}</span>',
        "<p>{{ c.headline }}</p>",
        '<li dir="auto">{{ code }}</li><li>{{ one.reason|again }}</li>',
    ],
)
def test_a_field_or_text_without_a_direction_is_found(text: str) -> None:
    assert undirected(text) != []


def test_fields_and_texts_were_looked_at() -> None:
    texts = [path.read_text("utf-8") for path in TEMPLATES]
    tags = sum(len(re.findall(r"<(?:textarea|input)\b", text)) for text in texts)
    read = sum(1 for t in texts for one in _TAG.finditer(t) if one[1] in ("textarea", "input"))
    assert read == tags
