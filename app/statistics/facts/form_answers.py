"""Facts from the answers of a contact, by the meaning of its form's questions.

Every version of a form has a reader of its own: a new version keeps the answers of an old one.
"""

from typing import Any

from app.definitions.forms import Form, Meaning
from app.definitions.library import Library
from app.statistics.facts.questions import ONE, SEVERAL, Questions, places_of
from app.statistics.facts.unknowns import NONE, NOT_SAID

# The meanings that a fact is made of whatever facts.yaml says.
_OWN: tuple[Meaning, ...] = ("categories", "child_age", "child_gender")


def said_value(there: bool, value: str | None) -> str:
    """Return a value of a contact; `there` says whether there is one."""
    return (value or NOT_SAID) if there else NONE


def _said_list(there: bool) -> list[str]:
    return [NOT_SAID if there else NONE]


def _where_asked(form: Form, places: list[str]) -> list[str]:
    """Return where to read a fact in an old form version, whose questions state no meaning.

    These are the places at which other versions ask for it.
    """
    known = {f"{s.code}.{f.code}" for s in form.sections for f in s.fields if not f.personal}
    return [place for place in dict.fromkeys(places) if place in known]


class Readers:
    """A reader for each version of a form: a new version keeps the answers of an old one."""

    def __init__(self, library: Library, asked: Questions) -> None:
        self._library, self._asked = library, asked
        self._current = library.form_for("contact")
        self._everywhere = {
            fact: [
                place
                for form in library.forms.values()
                if form.record == self._current.record
                for place in places_of(form, means)
            ]
            for fact, means in asked.questions.items()
        }
        self._known: dict[tuple[str, int], _Answers] = {}

    @property
    def places(self) -> list[str]:
        """Where a fact may be sealed in the record, as `section.field`."""
        found = {place for places in self._everywhere.values() for place in places}
        for form in self._library.forms.values():
            if form.record == self._current.record:
                found |= {
                    f"{section.code}.{field.code}"
                    for meaning in _OWN
                    for section, field in form.meaning(meaning)
                }
        return sorted(found)

    def of(self, row: Any) -> "_Answers":
        key = (row.form or self._current.form, row.form_version or self._current.version)
        if key not in self._known:
            form = self._library.forms.get(key, self._current)
            self._known[key] = _Answers(form, self._asked, self._everywhere)
        return self._known[key]


class _Answers:
    """Reads facts from the answers of a contact, by the meaning of its form's questions."""

    def __init__(self, form: Form, asked: Questions, everywhere: dict[str, list[str]]) -> None:
        self._places = {
            fact: places_of(form, means) or _where_asked(form, everywhere[fact])
            for fact, means in asked.questions.items()
        }
        self._nothing = {
            one
            for s in form.sections
            for f in s.fields
            if f.means == asked.questions.get("disabilities")
            for one in form.nothing_of(f)
        }
        age, sex = form.meaning("child_age"), form.meaning("child_gender")
        self._categories = form.path_of("categories") or ""
        self._child = age[0][0].code if age else ""
        self._age = age[0][1].code if age else ""
        self._sex = sex[0][1].code if sex else ""
        # `age_is: unborn` beside the age, where a form has it.
        self._age_is = f"{self._age}_is"

    def read(self, there: bool, answers: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        children = _entries(answers, self._child)
        found["children"] = len(children)
        found["ages"], found["sexes"] = [], []
        for child in children:
            found["ages"].append(self._age_of(child))
            found["sexes"].append(str(child.get(self._sex, NOT_SAID)))
        if not children:
            found["ages"], found["sexes"] = _said_list(there), _said_list(there)
        chosen = answers.get(self._categories)
        found["categories"] = list(chosen) if isinstance(chosen, list) else _said_list(there)
        for fact in ONE:
            values = (answers.get(place) for place in self._places.get(fact, ()))
            found[fact] = said_value(there, next((v for v in values if isinstance(v, str)), None))
        for fact in SEVERAL:
            found[fact] = self._several(fact, answers) or _said_list(there)
        return found

    def _age_of(self, child: dict[str, Any]) -> str:
        if child.get(self._age_is) == "unborn":
            return "unborn"
        age = child.get(self._age)
        return str(age) if isinstance(age, int) else NOT_SAID

    def _several(self, fact: str, answers: dict[str, Any]) -> list[str]:
        given: list[Any] = []
        for place in self._places.get(fact, ()):
            section, _, field = place.partition(".")
            direct = answers.get(place)
            given += [direct] if direct is not None else []
            given += [e[field] for e in _entries(answers, section) if field in e]
        words: list[str] = []
        for value in given:
            words += value if isinstance(value, list) else [str(value)]
        said = list(dict.fromkeys(words))
        if fact == "disabilities":
            # "None known" counts as an answer, unless another child has a disability.
            return [w for w in said if w not in self._nothing] or said[:1]
        return said


def _entries(answers: dict[str, Any], section: str) -> list[dict[str, Any]]:
    """Return the entries of a repeating section, each with its answers, in their order."""
    found: dict[str, dict[str, Any]] = {}
    prefix = section + "."
    for path, value in answers.items():
        if path.startswith(prefix):
            parts = path.split(".")
            entry = found.setdefault(parts[1], {})
            if len(parts) == 3:
                entry[parts[2]] = value
            elif isinstance(value, int):
                entry[""] = value
    return [
        entry
        for _, entry in sorted(found.items(), key=lambda one: (one[1].get("", 100_000), one[0]))
        if any(key for key in entry)
    ]
