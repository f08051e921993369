"""How a referral is said in the words of another system: explicit, versioned, never guessed. Pure.

A value that the table does not hold is not sent in another one's place. Where it matters for what
is done, the referral is refused with the list of what is unmapped, for an administrator to complete
the table; everything else that has no word there is listed, so that it can be told in another way.
"""

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import cyrtranslit
from pydantic import Field

from app.contacts.datafile import Lines, Part, read_model
from app.contacts.forms import Form
from app.contacts.trees import Code, Language

# What of a referral can be mapped, besides the questions of its form.
FACTS = frozenset({"urgency", "service", "basis", "consent_by", "opened_on", "opened_at", "code"})


class NameOrder(StrEnum):
    """Which of the words of a name comes first where our forms are written."""

    GIVEN_FIRST = "given_first"
    FAMILY_FIRST = "family_first"


class Script(StrEnum):
    """In which script the other system has its names."""

    AS_WRITTEN = "as_written"
    LATIN = "latin"
    CYRILLIC = "cyrillic"


class Worded(NamedTuple):
    """An answer as people read it."""

    label: str
    words: str


class Mapped(Part):
    """One field of the other system: from which question or fact, and how its values are said."""

    to: str = Field(min_length=1, max_length=120)
    from_: str = Field(alias="from", min_length=1, max_length=120)
    # Our code → theirs; without it the value goes as it is.
    values: dict[str, str] | None = None
    # A name is one word or more: the given name, or the family's.
    part: str | None = Field(default=None, pattern="^(given|family)$")
    # Codes that are left out because the other system has no word for not knowing.
    omitted: tuple[str, ...] = ()
    # The other system has a list there; several of ours are one of theirs.
    many: str | None = Field(default=None, pattern="^(yes|no)$")
    # What becomes of a code that the table does not hold: the whole is refused, or it is listed.
    otherwise: str = Field(default="refuse", pattern="^(refuse|list)$")


class Told(Part):
    """A text field of the other system: answers in words, each with its question, line by line."""

    to: str = Field(min_length=1, max_length=120)
    from_: tuple[str, ...] = Field(alias="from", min_length=1)


class Always(Part):
    to: str = Field(min_length=1, max_length=120)
    value: str = Field(max_length=200)
    # `boolean` for a tick box.
    type: str = Field(default="text", pattern="^(text|boolean)$")


class Mapping(Part):
    mapping: Code
    version: int = Field(ge=1, lt=2**31)
    # Whose words they are.
    system: str = Field(max_length=200)
    module: str = Field(max_length=120)
    # The language of what is told in words, and how names are written there.
    language: Language = "en"
    name_order: NameOrder = NameOrder.GIVEN_FIRST
    script: Script = Script.AS_WRITTEN
    # The language whose Cyrillic the names are in.
    cyrillic: str = Field(default="sr", pattern="^(sr|me|mk|bg|ru|ua|by)$")
    fields: tuple[Mapped, ...]
    always: tuple[Always, ...] = ()
    # The part that is repeated for every service.
    service_form: str = Field(max_length=120)
    service_fields: tuple[Mapped, ...]
    service_always: tuple[Always, ...] = ()
    service_told: tuple[Told, ...] = ()


@dataclass
class Said:
    """A referral in the other system's words, and what could not be said: what is `unmapped` must
    not be left out, what is `left_out` is listed.
    """

    body: dict[str, Any] = field(default_factory=dict)
    unmapped: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def say(
    mapping: Mapping,
    fields: tuple[Mapped, ...],
    always: tuple[Always, ...],
    answers: Dict[str, Any],
    above: Dict[str, tuple[str, ...]],
) -> Said:
    """Put answers and facts into the other system's fields.

    `above` holds, for a code of a tree, itself and the codes above it, the nearest first: the
    first that the table holds is said.
    """
    said = Said({a.to: a.value == "true" if a.type == "boolean" else a.value for a in always})
    for rule in fields:
        value = answers.get(rule.from_)
        if value is None or value == [] or value == "":
            continue
        codes = [str(code) for code in value] if isinstance(value, list) else [value]
        found: list[Any] = []
        for code in codes:
            if str(code) in rule.omitted:
                continue
            if rule.values is None:
                found.append(_part(mapping, code, rule.part))
                continue
            known = [c for c in above.get(str(code), (str(code),)) if c in rule.values]
            if known:
                found.append(_plain(rule.values[known[0]]))
            elif rule.otherwise == "list":
                said.left_out.append(f"{rule.from_} = {code}")
            else:
                said.unmapped.append(f"{rule.from_} = {code}")
        found = [one for one in dict.fromkeys(found) if one is not None]
        if found and rule.many == "yes":
            said.body[rule.to] = list(dict.fromkeys([*said.body.get(rule.to, []), *found]))
        elif found:
            said.body[rule.to] = found[0]
            if len(found) > 1:
                said.unmapped.append(f"{rule.from_}: {rule.to} takes one value only")
    return said


def tell(told: tuple[Told, ...], words: Dict[str, Worded]) -> dict[str, str]:
    """Answers in words for the other system's text fields, in the order of the mapping."""
    found = {}
    for rule in told:
        there = [words[path] for path in rule.from_ if path in words]
        lines = [f"{one.label}: {one.words}" for one in there]
        if lines:
            found[rule.to] = "\n".join(lines)
    return found


def without_word(mapping: Mapping, answers: Dict[str, Any]) -> list[str]:
    """The answered questions of which no line of the mapping says anything, in order."""
    rules = (*mapping.fields, *mapping.service_fields)
    said = {rule.from_ for rule in rules} | {p for told in mapping.service_told for p in told.from_}
    return [path for path in answers if path not in said and path not in FACTS]


def parts_of_name(name: str, order: NameOrder) -> tuple[str, str]:
    """The given and the family name, as they were written.

    A comma, or one part all in capitals, tells which is the family's, whatever the order.
    """
    family, comma, given = name.partition(",")
    if comma:
        return given.strip(), family.strip()
    words = name.split()
    capitals = [word for word in words if len(word) > 1 and word.isupper()]
    if capitals and len(capitals) < len(words):
        return " ".join(w for w in words if w not in capitals), " ".join(capitals)
    if order is NameOrder.FAMILY_FIRST and len(words) > 1:
        return " ".join(words[1:]), words[0]
    return (words[0] if words else ""), " ".join(words[1:])


def _part(mapping: Mapping, value: Any, part: str | None) -> Any:
    if part is None:
        return value
    given, family = parts_of_name(str(value), mapping.name_order)
    return _in_script(mapping, given if part == "given" else family) or None


def _in_script(mapping: Mapping, name: str) -> str:
    match mapping.script:
        case Script.LATIN:
            return str(cyrtranslit.to_latin(name, mapping.cyrillic))
        case Script.CYRILLIC:
            return str(cyrtranslit.to_cyrillic(name, mapping.cyrillic))
        case _:
            return name


def _plain(value: str) -> Any:
    return {"true": True, "false": False}.get(value, value)


def check_mapping_against_form(mapping: Mapping, lines: Lines, form: Form) -> None:
    """What is mapped are questions of the form, or facts. Raises BadDefinition."""
    known = FACTS | {f"{s.code}.{f.code}" for s in form.sections for f in s.fields}
    for group in ("fields", "service_fields"):
        for n, rule in enumerate(getattr(mapping, group)):
            if rule.from_ not in known:
                words = f"the form {form.form!r} has no {rule.from_!r}, and it is no fact"
                raise lines.refuse((group, n, "from"), words)
    for n, told in enumerate(mapping.service_told):
        for m, path in enumerate(told.from_):
            if path not in known - FACTS:
                words = f"the form {form.form!r} has no {path!r}"
                raise lines.refuse(("service_told", n, "from", m), words)


def read_mapping(text: str, source: str) -> tuple[Mapping, Lines]:
    """A mapping. Raises BadDefinition."""
    mapping, lines = read_model(Mapping, text, source)
    for group in ("fields", "service_fields"):
        # Several questions may fill one list; nothing else is said twice.
        targets = [rule.to for rule in getattr(mapping, group) if rule.many != "yes"]
        lists = {rule.to for rule in getattr(mapping, group) if rule.many == "yes"}
        if len(set(targets)) != len(targets) or lists & set(targets):
            raise lines.refuse((group,), "two lines say the same field")
    return mapping, lines
