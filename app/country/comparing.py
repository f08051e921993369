"""What a set of definitions changes, in words. Pure.

A change that may alter what a stored code means, or that takes something away which other parts
of the program use, is marked: a person says that it is meant.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from app.country.trees import compare_trees
from app.country.words import DefinitionChange, Say, labelled, quoted
from app.definitions.forms import Field, Form, Section
from app.definitions.guidance import Guidance
from app.definitions.library import FamilySupport, Library
from app.definitions.risk import RiskCues
from app.definitions.workflow import Workflow
from app.errors import Message
from app.words import SOURCE
from app.words.pages import N_

# Changes that are listed of one comparison.
_MOST = 500
# What names an entry of a list, so that it is known again when its place changes.
_NAMES = ("code", "urgency", "deadline", "step", "service", "to", "what", "name")


@dataclass(frozen=True)
class Whole:
    """Everything that a folder of definitions says."""

    library: Library
    # The protocol, mappings, facts and reports, as plain values.
    others: Mapping[str, dict[str, Any]]


class Comparison(NamedTuple):
    changes: list[DefinitionChange]
    # Whether there are more than are listed.
    more: bool


def compare(before: Whole, after: Whole, language: str = SOURCE) -> Comparison:
    """Return what changes when `after` comes into force in place of `before`."""
    found = list(islice(_all(before, after, language), _MOST + 1))
    return Comparison(found[:_MOST], len(found) > _MOST)


def _all(before: Whole, after: Whole, language: str) -> Iterator[DefinitionChange]:
    old, new = before.library, after.library
    country = (old.country.model_dump(mode="json"), new.country.model_dump(mode="json"))
    yield from _leaves(Message("Country"), *country)
    for record, where in (
        ("contact", Message("Form of a contact")),
        ("case", Message("Form of a case")),
        ("referral", Message("Form of a referral")),
    ):
        yield from _forms(Say(where, language), old.form_for(record), new.form_for(record))
    for name, where in (
        ("categories", Message("Categories")),
        ("places", Message("Places")),
    ):
        say = Say(where, language)
        yield from compare_trees(say, getattr(old, name), getattr(new, name))
    yield from _workflows(Say(Message("Workflow of a case"), language), old.workflow, new.workflow)
    yield from _risks(Say(Message("Signs of danger"), language), old.risk, new.risk)
    yield from _supports(Say(Message("Family support"), language), old.support, new.support)
    yield from _guidances(Say(Message("Guidance"), language), old.guidance, new.guidance)
    for name in sorted({*before.others, *after.others}):
        where = Message("%(name)s", name=name.capitalize())
        yield from _leaves(where, before.others.get(name, {}), after.others.get(name, {}))


# -- forms ---------------------------------------------------------------------------------------


def _forms(say: Say, before: Form, after: Form) -> Iterator[DefinitionChange]:
    if before is after:
        return
    if (before.form, before.version) != (after.form, after.version):
        yield say.change(
            N_(
                "%(before)s is followed by %(after)s. Drafts that are open keep the form that they "
                "were begun with."
            ),
            before=f"{before.form} {before.version}",
            after=f"{after.form} {after.version}",
        )
    old, new = _questions(before), _questions(after)
    for path in [path for path in old if path not in new]:
        field = old[path][1]
        lost = field.means if field.means and not after.meaning(field.means) else None
        asked = say.label(field.label)
        if lost:
            yield say.caution(
                N_(
                    "No longer asked: %(question)s. Referrals, signs of danger and figures that go "
                    "by its meaning (%(meaning)s) no longer get it."
                ),
                question=asked,
                meaning=lost,
            )
        else:
            yield say.change(N_("No longer asked: %(question)s."), question=asked)
    for path, (_, field) in new.items():
        if path not in old:
            must = field.required or field.required_when is not None
            yield say.change(
                N_("New and must be answered: %(question)s.") if must else N_("New: %(question)s."),
                question=say.label(field.label),
            )
        else:
            yield from _field(say, before, after, old[path], new[path])
    if [path for path in old if path in new] != [path for path in new if path in old]:
        yield say.change(N_("The order of the questions changes."))
    if before.cues != after.cues:
        yield say.caution(N_("The signs of danger that follow from several answers change."))


def _questions(form: Form) -> dict[str, tuple[Section, Field]]:
    return {f"{s.code}.{f.code}": (s, f) for s in form.sections for f in s.fields}


def _field(
    say: Say,
    old_form: Form,
    new_form: Form,
    before: tuple[Section, Field],
    after: tuple[Section, Field],
) -> Iterator[DefinitionChange]:
    old, new = before[1], after[1]
    asked = say.label(new.label)
    if old.label != new.label:
        yield say.renamed(old.label, new.label)
    if old.type != new.type:
        yield say.caution(
            N_("%(question)s: the answer is no longer of the type %(before)s, but %(after)s."),
            question=asked,
            before=old.type,
            after=new.type,
        )
    if (old.means, old.means_if) != (new.means, new.means_if):
        yield say.caution(
            N_("%(question)s: it meant %(before)s to the program, and now means %(after)s."),
            question=asked,
            before=old.means or "-",
            after=new.means or "-",
        )
    if old.personal is not None and new.personal is None:
        yield say.caution(N_("%(question)s: the answer is no longer sealed."), question=asked)
    elif old.personal is None and new.personal is not None:
        yield say.change(N_("%(question)s: the answer is sealed."), question=asked)
    was, now = _condition(old, "required"), _condition(new, "required")
    if was != now:
        words = N_("%(question)s: when it must be answered changes.")
        yield say.change(words, question=asked)
    shown_before = (before[0].shown_when, old.shown_when)
    if shown_before != (after[0].shown_when, new.shown_when):
        yield say.change(N_("%(question)s: when it is asked changes."), question=asked)
    yield from _options(say, asked, old_form.options_of(old), new_form.options_of(new))
    others = ("hint", "found_by", "close_to", "not_for", "column", "at_least", "at_most")
    if changed := [name for name in others if getattr(old, name) != getattr(new, name)]:
        yield say.change(
            N_("%(question)s: this changes: %(names)s."), question=asked, names=", ".join(changed)
        )


def _condition(field: Field, name: str) -> Any:
    return getattr(field, name), getattr(field, f"{name}_when")


def _options(
    say: Say, asked: str, before: Iterable[Any], after: Iterable[Any]
) -> Iterator[DefinitionChange]:
    old, new = {one.code: one for one in before}, {one.code: one for one in after}
    for code in [code for code in old if code not in new]:
        yield say.change(
            N_("%(question)s: the answer %(answer)s can no longer be chosen."),
            question=asked,
            answer=say.label(old[code].label),
        )
    for code, option in new.items():
        if code not in old:
            yield say.change(
                N_("%(question)s: new answer %(answer)s."),
                question=asked,
                answer=say.label(option.label),
            )
            continue
        if old[code].label != option.label:
            yield say.renamed(old[code].label, option.label)
        if (old[code].cue, old[code].nothing) != (option.cue, option.nothing):
            yield say.caution(
                N_("%(question)s: %(answer)s is no longer the same sign of danger."),
                question=asked,
                answer=say.label(option.label),
            )
        if old[code].is_child != option.is_child:
            yield say.caution(
                N_("%(question)s: whether %(answer)s means the child itself changes."),
                question=asked,
                answer=say.label(option.label),
            )


# -- the rest of the library ---------------------------------------------------------------------


def _workflows(say: Say, before: Workflow, after: Workflow) -> Iterator[DefinitionChange]:
    old, new = {s.code: s for s in before.statuses}, {s.code: s for s in after.statuses}
    yield from _named(say, old, new, lambda one: say.label(one.label))
    for code in [code for code in new if code in old]:
        was, now = old[code], new[code]
        if was.label != now.label:
            yield say.renamed(was.label, now.label)
        if (was.starts, was.ends) != (now.starts, now.ends):
            yield say.caution(
                N_("%(status)s begins or ends a case in another way."), status=say.label(now.label)
            )
    moves = [{f"{m.from_} → {m.to}": m for m in flow.moves} for flow in (before, after)]
    yield from _named(say, moves[0], moves[1], lambda m: f"{m.from_} → {m.to}")
    for edge in [edge for edge in moves[1] if edge in moves[0]]:
        if moves[0][edge] != moves[1][edge]:
            yield say.change(N_("%(what)s: who may do so, or how, changes."), what=edge)


def _risks(say: Say, before: RiskCues, after: RiskCues) -> Iterator[DefinitionChange]:
    old, new = {c.cue: c for c in before.cues}, {c.cue: c for c in after.cues}
    for code in [code for code in old if code not in new]:
        yield say.caution(N_("Gone: %(what)s."), what=say.label(old[code].reason))
    yield from _named(say, {}, {c: one for c, one in new.items() if c not in old}, _reason(say))
    for code in [code for code in new if code in old]:
        was, now = old[code], new[code]
        if was.urgency != now.urgency:
            yield say.caution(
                N_("%(what)s: it suggested %(before)s, and now suggests %(after)s."),
                what=say.label(now.reason),
                before=was.urgency.value,
                after=now.urgency.value,
            )
        if was.refer != now.refer:
            yield say.caution(
                N_("%(what)s: whether it has to be referred changes."), what=say.label(now.reason)
            )
        if was.reason != now.reason:
            yield say.renamed(was.reason, now.reason)


def _reason(say: Say) -> Callable[[Any], str]:
    return lambda cue: say.label(cue.reason)


def _supports(say: Say, before: FamilySupport, after: FamilySupport) -> Iterator[DefinitionChange]:
    old, new = {s.code: s for s in before.services}, {s.code: s for s in after.services}
    yield from _named(say, old, new, lambda one: say.label(one.name))
    yield from _different(say, old, new, lambda one: say.label(one.name))


def _guidances(say: Say, before: Guidance, after: Guidance) -> Iterator[DefinitionChange]:
    old, new = {t.code: t for t in before.topics}, {t.code: t for t in after.topics}
    yield from _named(say, old, new, lambda one: say.label(one.title))
    yield from _different(say, old, new, lambda one: say.label(one.title))


def _named(
    say: Say, old: Mapping[str, Any], new: Mapping[str, Any], name: Callable[[Any], str]
) -> Iterator[DefinitionChange]:
    for code in [code for code in old if code not in new]:
        yield say.change(N_("Gone: %(what)s."), what=name(old[code]))
    for code in [code for code in new if code not in old]:
        yield say.change(N_("New: %(what)s."), what=name(new[code]))


def _different(
    say: Say, old: Mapping[str, Any], new: Mapping[str, Any], name: Callable[[Any], str]
) -> Iterator[DefinitionChange]:
    for code in [code for code in new if code in old and old[code] != new[code]]:
        yield say.change(N_("The text of %(what)s changes."), what=name(new[code]))


# -- what has no words of its own ----------------------------------------------------------------


def _leaves(
    where: Message, before: dict[str, Any], after: dict[str, Any]
) -> Iterator[DefinitionChange]:
    say = Say(where, SOURCE)
    old, new = dict(_flat(before, "")), dict(_flat(after, ""))
    for path in [*old, *(path for path in new if path not in old)]:
        was, now = old.get(path), new.get(path)
        if was == now or path == "version":
            continue
        if was is None:
            yield say.change(N_("%(what)s: new, %(after)s."), what=path, after=quoted(now))
        elif now is None:
            yield say.change(
                N_("%(what)s: gone. It was %(before)s."), what=path, before=quoted(was)
            )
        else:
            yield say.change(
                N_("%(what)s: %(before)s becomes %(after)s."),
                what=path,
                before=quoted(was),
                after=quoted(now),
            )


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the values in a definition with their places: `urgencies[urgent].deadlines...`."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from _flat(inner, f"{path}.{key}" if path else str(key))
        case list() if all(not isinstance(one, (dict, list)) for one in value):
            yield path, ", ".join(str(one) for one in value)
        case list():
            names = [labelled(one, _NAMES) for one in value]
            unique = len(set(names)) == len(names) and None not in names
            for n, inner in enumerate(value):
                yield from _flat(inner, f"{path}[{names[n] if unique else n + 1}]")
        case _:
            yield path, str(value)
