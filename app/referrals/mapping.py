"""How a referral is said in the words of another system: explicit, versioned, never guessed. Pure.

A value that the table does not hold is not sent in another one's place: the referral is
refused with the list of what is unmapped, for somebody to complete the table.
"""

from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from app.contacts.datafile import Lines, Part, read_model
from app.contacts.forms import Form
from app.contacts.trees import Code

# What of a referral can be mapped, besides the questions of its form.
FACTS = frozenset({"urgency", "service", "basis", "opened_on", "code", "due_at"})


class Mapped(Part):
    """One field of the other system: from which question or fact, and how its values are said."""

    to: str = Field(min_length=1, max_length=120)
    from_: str = Field(alias="from", min_length=1, max_length=120)
    # Our code → theirs; without it the value goes as it is.
    values: dict[str, str] | None = None
    # A name is one word or more: the first, or the rest.
    part: str | None = Field(default=None, pattern="^(first|rest)$")
    # Codes that are left out because the other system has no word for not knowing.
    omitted: tuple[str, ...] = ()
    # The other system has a list there; several of ours are one of theirs.
    many: str | None = Field(default=None, pattern="^(yes|no)$")


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
    fields: tuple[Mapped, ...]
    always: tuple[Always, ...] = ()
    # The part that is repeated for every service.
    service_form: str = Field(max_length=120)
    service_fields: tuple[Mapped, ...]
    service_always: tuple[Always, ...] = ()


@dataclass
class Said:
    """A referral in the other system's words, and what could not be said."""

    body: dict[str, Any] = field(default_factory=dict)
    unmapped: list[str] = field(default_factory=list)


def say(fields: tuple[Mapped, ...], always: tuple[Always, ...], answers: dict[str, Any]) -> Said:
    """Put answers and facts into the other system's fields."""
    said = Said({a.to: a.value == "true" if a.type == "boolean" else a.value for a in always})
    for rule in fields:
        value = answers.get(rule.from_)
        if value is None or value == [] or value == "":
            continue
        codes = value if isinstance(value, list) else [value]
        found: list[Any] = []
        for code in codes:
            if str(code) in rule.omitted:
                continue
            if rule.values is None:
                found.append(_part(code, rule.part))
            elif str(code) in rule.values:
                found.append(_plain(rule.values[str(code)]))
            else:
                said.unmapped.append(f"{rule.from_} = {code}")
        found = [one for one in dict.fromkeys(found) if one is not None]
        if found:
            said.body[rule.to] = found if rule.many == "yes" else found[0]
            if rule.many != "yes" and len(found) > 1:
                said.unmapped.append(f"{rule.from_}: {rule.to} takes one value only")
    return said


def _part(value: Any, part: str | None) -> Any:
    if part is None:
        return value
    first, _, rest = str(value).strip().partition(" ")
    return (first if part == "first" else rest.strip()) or None


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


def read_mapping(text: str, source: str) -> tuple[Mapping, Lines]:
    """A mapping. Raises BadDefinition."""
    mapping, lines = read_model(Mapping, text, source)
    for group in ("fields", "service_fields"):
        targets = [(rule.to, rule.part) for rule in getattr(mapping, group)]
        if len(set(targets)) != len(targets):
            raise lines.refuse((group,), "two lines say the same field")
    return mapping, lines
