"""Map a referral to the terms of another system: explicit, versioned, never guessed. Pure.

A value without a mapping is never replaced by another one. If it matters for what is done, the
referral is refused with the list of unmapped values, so that an administrator can complete the
mapping. All other values without a term there are listed, so that they can be told in another way.
"""

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import cyrtranslit
from pydantic import Field

from app.definitions.datafile import Lines, Part, read_model
from app.definitions.forms import Form
from app.definitions.trees import Code, Language
from app.errors import Message
from app.referrals.channels.primero import problems

# What can be mapped besides the questions of a referral's form.
FACTS = frozenset({"urgency", "service", "basis", "consent_by", "opened_on", "opened_at", "code"})


class NameOrder(StrEnum):
    """Which part of a name comes first in our forms."""

    GIVEN_FIRST = "given_first"
    FAMILY_FIRST = "family_first"


class Script(StrEnum):
    """The script of names in the other system."""

    AS_WRITTEN = "as_written"
    LATIN = "latin"
    CYRILLIC = "cyrillic"


class Worded(NamedTuple):
    """An answer as people read it."""

    label: str
    words: str


class Mapped(Part):
    """One field of the other system: its question or fact here, and how its values are mapped."""

    to: str = Field(min_length=1, max_length=120)
    from_: str = Field(alias="from", min_length=1, max_length=120)
    # Our code → theirs; None: the value is sent as it is.
    values: dict[str, str] | None = None
    # Which part of a name is sent; None: the whole value.
    part: str | None = Field(default=None, pattern="^(given|family)$")
    # Codes that are left out because the other system has no term for "not known".
    omitted: tuple[str, ...] = ()
    # "yes": their field is a list, and several of our questions may fill it.
    many: str | None = Field(default=None, pattern="^(yes|no)$")
    # What happens to an unmapped code: the referral is refused, or the code is listed.
    otherwise: str = Field(default="refuse", pattern="^(refuse|list)$")


class TextField(Part):
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
    # The name of the other system.
    system: str = Field(max_length=200)
    module: str = Field(max_length=120)
    # The language of texts, and how names are written there.
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
    service_told: tuple[TextField, ...] = ()


@dataclass
class MappedReferral:
    """A referral in the other system's terms.

    `unmapped` values must not be left out, so the referral is refused; of `left_out` ones the
    questions are listed.
    """

    body: dict[str, Any] = field(default_factory=dict)
    unmapped: list[Message] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def say(
    mapping: Mapping,
    fields: tuple[Mapped, ...],
    always: tuple[Always, ...],
    answers: Dict[str, Any],
    above: Dict[str, tuple[str, ...]],
) -> MappedReferral:
    """Put answers and facts into the other system's fields.

    `above` holds, for a code of a tree, the code itself and the codes above it, the nearest first;
    the first one that has a mapping is used.
    """
    said = MappedReferral(
        {a.to: a.value == "true" if a.type == "boolean" else a.value for a in always}
    )
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
                # Not the answer: it may be one of health or belief, and this is not sealed.
                said.left_out.append(rule.from_)
            else:
                said.unmapped.append(problems.NoValue(rule.from_, str(code)))
        found = [one for one in dict.fromkeys(found) if one is not None]
        if found and rule.many == "yes":
            said.body[rule.to] = list(dict.fromkeys([*said.body.get(rule.to, []), *found]))
        elif found:
            said.body[rule.to] = found[0]
            if len(found) > 1:
                said.unmapped.append(Message(problems.ONE_ONLY, question=rule.from_, field=rule.to))
    return said


def tell(told: tuple[TextField, ...], words: Dict[str, Worded]) -> dict[str, str]:
    """Return answers in words for the other system's text fields, in the order of the mapping."""
    found = {}
    for rule in told:
        there = [words[path] for path in rule.from_ if path in words]
        lines = [f"{one.label}: {one.words}" for one in there]
        if lines:
            found[rule.to] = "\n".join(lines)
    return found


def without_word(mapping: Mapping, answers: Dict[str, Any]) -> list[str]:
    """Return the answered questions that no line of the mapping covers, in order."""
    rules = (*mapping.fields, *mapping.service_fields)
    said = {rule.from_ for rule in rules} | {p for told in mapping.service_told for p in told.from_}
    return [path for path in answers if path not in said and path not in FACTS]


def parts_of_name(name: str, order: NameOrder) -> tuple[str, str]:
    """Return the given and the family name, as they were written.

    A comma, or words in capitals, mark the family name, whatever the order.
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
    """Check that the mapping names only questions of the form, or facts. Raises BadDefinition."""
    known = FACTS | {f"{s.code}.{f.code}" for s in form.sections for f in s.fields}
    for group in ("fields", "service_fields"):
        for n, rule in enumerate(getattr(mapping, group)):
            if rule.from_ not in known:
                words = Message(
                    "'%(field)s' is neither in the form '%(form)s' nor a fact",
                    field=rule.from_,
                    form=form.form,
                )
                raise lines.refuse((group, n, "from"), words)
    for n, told in enumerate(mapping.service_told):
        for m, path in enumerate(told.from_):
            if path not in known - FACTS:
                words = Message("the form '%(form)s' has no '%(path)s'", form=form.form, path=path)
                raise lines.refuse(("service_told", n, "from", m), words)


def read_mapping(text: str, source: str) -> tuple[Mapping, Lines]:
    """Read a mapping. Raises BadDefinition."""
    mapping, lines = read_model(Mapping, text, source)
    for group in ("fields", "service_fields"):
        # Several questions may fill one list; any other field has one line only.
        targets = [rule.to for rule in getattr(mapping, group) if rule.many != "yes"]
        lists = {rule.to for rule in getattr(mapping, group) if rule.many == "yes"}
        if len(set(targets)) != len(targets) or lists & set(targets):
            raise lines.refuse((group,), Message("two lines fill the same field"))
    return mapping, lines
