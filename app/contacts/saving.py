"""Saving answers, question by question: none is lost, and none is overwritten unseen."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select

from app.contacts.checksums import add_checksums
from app.contacts.events import note_event
from app.contacts.finding.words import looks_personal, normal_digits, normal_words, sound_of
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case, Contact, EarlierAnswer, Filled, MatchKey
from app.contacts.records import open_record
from app.contacts.registry import sheet_of
from app.contacts.sealed_answers import seal_answer, seal_answers, seal_categories
from app.contacts.special_codes import codes_read
from app.contacts.states import KeyKind, Subject
from app.database.quick import Command
from app.database.topics import Topic
from app.definitions.answers import Answers, NotAnAnswer, Sheet, Value
from app.definitions.forms import Findable, Meaning
from app.errors import Invalid, Message
from app.jobs.transaction import send_rows
from app.privacy.hash_kinds import HashOf
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

# A pause of this length ends a stretch of writing.
STRETCH = timedelta(minutes=15)
_EARLIER = Command(
    EarlierAnswer.__table__,
    "subject_kind",
    "subject_id",
    "path",
    "answer",
    "sealed",
    "words_sum",
    "salt_sealed",
    "revision",
    "replaced_at",
    "replaced_by",
)

# The meanings by which a year of birth is found, in contacts and cases.
_BORN = ("child_age", "birth_date")
# The most changes in one request: a whole form and some more.
MOST_CHANGES = 500
# A number with fewer digits would be found in too many records.
_FEWEST_DIGITS = 5
# What conditions see of a sealed answer.
_SEALED = "sealed"


@dataclass(frozen=True)
class Change:
    """An answer (None clears it) and the revision at which the writer last saw the question."""

    path: str
    value: Any
    base: int


@dataclass
class Saved:
    """What became of the changes: each is saved, in conflict, or refused with a reason."""

    revision: int
    saved: dict[str, int] = field(default_factory=dict)
    conflicts: dict[str, tuple[Value | None, int]] = field(default_factory=dict)
    refused: dict[str, Message] = field(default_factory=dict)


async def save_answers(
    work: Work, record: Filled, changes: list[Change], *, new: bool = False
) -> Saved:
    """Write changes into a record that is locked, or new and not in the database yet.

    Changes of different questions in two windows are merged. If both change the same question,
    the second change is not written: its writer sees the first and chooses.

    Raises Invalid for more changes than a request may hold.
    """
    if len(changes) > MOST_CHANGES and not new:
        raise Invalid("Send at most %(most)s changes at once.", most=MOST_CHANGES)
    sheet = sheet_of(work, record)
    result = Saved(record.revision)
    writer = _Writer(work, record, sheet)
    revision = record.revision + 1
    for change in changes:
        try:
            if change.base > record.revision:
                raise NotAnAnswer("That revision does not exist yet. Load the record again.")
            value = _checked(sheet, change, writer.present)
        except NotAnAnswer as refusal:
            result.refused[change.path] = refusal.message
            continue
        current = writer.version(change.path)
        if change.base < current:
            theirs = await writer.stored(change.path)
            if theirs == value:
                result.saved[change.path] = current
            else:
                result.conflicts[change.path] = (theirs, current)
            continue
        writer.write(change.path, value, revision)
        result.saved[change.path] = revision
    if writer.touched:
        headline = record.headline
        await writer.finish(revision, new)
        result.revision = revision
        work.announce(Topic.RECORD.of(record.id))
        if record.headline != headline:
            # Lists show it, and their readers do not hear of each saved answer.
            work.announce(Topic.RECORDS)
            if work.actor.staff_id is not None:
                work.announce(Topic.RECORDS.of(work.actor.staff_id))
    return result


def _checked(sheet: Sheet, change: Change, present: Callable[[], Answers]) -> Value | None:
    """Return the answer of a change, or None if it clears one. Raises NotAnAnswer."""
    if not sheet.knows(change.path):
        raise NotAnAnswer("There is no such question in this version of the form.")
    value = None if change.value is None else sheet.check(change.path, change.value)
    section = sheet.form.section(change.path.split(".")[0])
    if section is None or value is None or not section.repeats:
        return value
    entries = sheet.entries(present(), section)
    if change.path.split(".")[1] not in entries and len(entries) >= section.repeats:
        raise NotAnAnswer("The form has room for at most %(most)s.", most=section.repeats)
    return value


def try_answers(sheet: Sheet, changes: list[Change]) -> tuple[Answers, dict[str, Message]]:
    """Return an empty form with these changes, as conditions see it, and what was refused.

    They are checked as those of a record are, and nothing is stored. Raises Invalid.
    """
    if len(changes) > MOST_CHANGES:
        raise Invalid("Send at most %(most)s changes at once.", most=MOST_CHANGES)
    answers: Answers = {}
    refused: dict[str, Message] = {}
    for change in changes:
        path = change.path
        try:
            value = _checked(sheet, change, lambda: answers)
        except NotAnAnswer as refusal:
            refused[path] = refusal.message
            continue
        if value is None:
            for known in [one for one in answers if one == path or one.startswith(f"{path}.")]:
                del answers[known]
        else:
            found = sheet.form.find(path)
            # Special codes are as they are: nothing of it is stored.
            is_sealed = found is not None and found[1].personal is not None
            answers[path] = _SEALED if is_sealed else value
    return answers, refused


class _Writer:
    def __init__(self, work: Work, record: Filled, sheet: Sheet) -> None:
        self._work, self._record, self._sheet = work, record, sheet
        self._answers = dict(record.answers)
        self._sealed = dict(record.sealed)
        self._versions = dict(record.versions)
        self._keys: dict[str, Value | None] = {}
        # What is still to be sealed: all together, when all changes are known.
        self._to_seal: Answers = {}
        # The answers that are overwritten: their checksums are made together as well.
        self._kept: list[dict[str, Any]] = []
        self.touched = False
        self._written: set[str] = set()
        self._categories = sheet.form.path_of("categories")
        # The categories, if they are written now.
        self._chosen: list[str] | None = None
        self._seal_marked()
        self._begin_stretch()

    def _begin_stretch(self) -> None:
        """Begin a stretch or go on with it: one person's writing without a long pause.

        A stretch is one event of the log. Answers from before it are kept when they are
        overwritten.
        """
        record, work = self._record, self._work
        goes_on = (
            record.edited_by == work.actor.staff_id
            and record.edited_at is not None
            and work.now - record.edited_at < STRETCH
        )
        self._fresh = not goes_on
        self._from = record.edited_from if goes_on else record.revision

    def version(self, path: str) -> int:
        """Return the revision of the last change of a question, or of anything in an entry."""
        inside = path + "."
        return max(
            (v for p, v in self._versions.items() if p == path or p.startswith(inside)), default=0
        )

    def present(self) -> Answers:
        """Return the answers; for a sealed one, only that it is there."""
        return {**self._answers, **dict.fromkeys(self._sealed, _SEALED)}

    async def stored(self, path: str) -> Value | None:
        if path not in self._sealed:
            plain: Value | None = self._answers.get(path)
            return plain
        if self._sheet.is_special(path):
            return (await codes_read(self._work, self._record)).get(path)
        # Like any other reading: the scope is checked again, and the log is written first.
        staff = await self._work.session.get(Staff, self._work.actor.staff_id)
        assert staff is not None
        kind: Any = type(self._record)
        opened = await open_record(
            self._work, staff, kind, self._record.id, AuditLog.RECORD_READ_TO_COMPARE
        )
        return opened.answer(path)

    def write(self, path: str, value: Value | None, revision: int) -> None:
        self.touched = True
        self._written.add(path)
        inside = path + "."
        for known in [p for p in (*self._answers, *self._sealed) if p.startswith(inside)]:
            if value is None:
                self._put(known, None, revision)
        self._put(path, value, revision)

    def _put(self, path: str, value: Value | None, revision: int) -> None:
        before = self._versions.get(path, 0)
        if 0 < before <= self._from and (path in self._answers or path in self._sealed):
            self._keep(path, before)
        self._versions[path] = revision
        if path == self._categories:
            self._chosen = list(value) if isinstance(value, list) else []
        self._answers.pop(path, None)
        self._sealed.pop(path, None)
        self._to_seal.pop(path, None)
        found = self._sheet.form.find(path)
        born = isinstance(self._record, (Contact, Case))
        if found is not None and (found[1].found_by or (born and found[1].means in _BORN)):
            self._keys[path] = value
        if value is None:
            return
        if self._sheet.is_sealed(path):
            self._sealed[path] = ""
            self._to_seal[path] = value
        else:
            self._answers[path] = value

    def _keep(self, path: str, revision: int) -> None:
        record = self._record
        values = {
            "subject_kind": type(record).__name__.lower(),
            "subject_id": record.id,
            "path": path,
            "answer": self._answers.get(path),
            "sealed": self._sealed.get(path),
            "revision": revision,
            "replaced_at": self._work.now,
            "replaced_by": self._work.actor.staff_id,
        }
        self._kept.append(values)

    def _seal_marked(self) -> None:
        """Seal what was written before its question was marked as special."""
        for path in [one for one in self._answers if self._sheet.is_special(one)]:
            value = self._answers.pop(path)
            self._sealed[path] = seal_answer(self._work, self._record, path, value)

    async def finish(self, revision: int, new: bool) -> None:
        record = self._record
        self._sealed |= await seal_answers(self._work, record, self._to_seal)
        await add_checksums(self._work, record, self._kept)
        for kept in self._kept:
            self._work.write_later(_EARLIER, kept)
        record.answers, record.sealed = self._answers, self._sealed
        record.versions, record.revision = self._versions, revision
        record.edited_by, record.edited_at = self._work.actor.staff_id, self._work.now
        record.edited_from = self._from
        if self._fresh and not new:
            kind = Subject(type(record).__name__.lower())
            note_event(
                self._work, kind, record.id, RecordLog.EDITED, questions=sorted(self._written)[:40]
            )
        if new:
            self._work.admitted.add(record.id)
        if self._chosen is not None:
            codes = with_above(self._sheet, self._chosen)
            record.categories_sealed = seal_categories(self._work, record, codes)
        extract(record, self._sheet)
        if self._keys:
            await write_keys(self._work, record, self._sheet, self._keys, new)


def with_above(sheet: Sheet, chosen: list[str]) -> list[str]:
    """Return categories with those above them, each once."""
    paths = sheet.categories.paths()
    return list(dict.fromkeys(one for code in chosen for one in paths.get(code, (code,))))


def extract(record: Filled, sheet: Sheet) -> None:
    """Copy from the answers the columns by which a record is found."""
    form, answers = sheet.form, record.answers

    def of(meaning: Any) -> Any:
        path = form.path_of(meaning)
        return answers.get(path) if path else None

    headline = of("headline")
    record.headline = headline
    record.headline_words = " ".join(normal_words(headline)) if headline else ""
    record.place = of("place")
    record.place_path = list(sheet.places.paths().get(record.place or "", ()))
    if isinstance(record, Contact):
        record.kind = of("kind")


def texts_of(kind: Findable | Meaning, text: str, this_year: int) -> list[tuple[KeyKind, str]]:
    """Return the texts, each with its kind, by whose hashes a name, number or birth is found."""
    if kind == "number":
        digits = normal_digits(text)
        return [(KeyKind.NUMBER, digits)] if len(digits) >= _FEWEST_DIGITS else []
    if kind == "child_age":
        # Nine years old: born nine years ago, or ten if the birthday is still to come.
        born = this_year - int(text)
        return [(KeyKind.BORN, str(year)) for year in (born, born - 1)]
    if kind == "birth_date":
        return [(KeyKind.BORN, str(int(text[:4])))]
    found = []
    for word in dict.fromkeys(normal_words(text)):
        found += [(KeyKind.NAME, word), (KeyKind.HEARD, sound_of(word))]
    return found


def number_keys(work: Work, text: str) -> list[bytes]:
    """Return the keyed hashes by which a number is found, in each form that may be stored."""
    digits = normal_digits(text)
    return work.keys.match_keys(HashOf.NUMBER, digits) if len(digits) >= _FEWEST_DIGITS else []


def born_keys(work: Work, year: int) -> list[bytes]:
    """Return the keyed hashes by which a year of birth is found, in each form."""
    return work.keys.match_keys(HashOf.BORN, str(year))


# All keys of a record in one statement.
_KEYS = (
    "INSERT INTO match_keys (subject_kind, subject_id, path, kind, key) "
    "SELECT %(subject_kind)s, %(subject_id)s, * "
    "FROM unnest(%(paths)s::text[], %(kinds)s::text[], %(keys)s::bytea[])"
)


async def write_keys(
    work: Work, record: Filled, sheet: Sheet, changed: dict[str, Value | None], new: bool
) -> None:
    """Replace the keyed hashes of changed answers."""
    if not new:
        await work.session.execute(
            delete(MatchKey).where(
                MatchKey.subject_id == record.id, MatchKey.path.in_(list(changed))
            )
        )
    rows = [
        (path, kind, text)
        for path, value in changed.items()
        if value is not None and (found := sheet.form.find(path)) is not None
        for kind, text in texts_of(
            found[1].found_by or found[1].means or "name", str(value), work.now.year
        )
    ]
    if rows:
        hashes = work.keys.match_keys_all([(kind.hash_of, text) for _, kind, text in rows])
        values = {
            "subject_kind": type(record).__name__.lower(),
            "subject_id": record.id,
            "paths": [path for path, _, _ in rows],
            "kinds": [kind for _, kind, _ in rows],
            "keys": [forms[0] for forms in hashes],
        }
        work.rows.append((_KEYS, values))


async def headline_warnings(work: Work, record: Filled) -> list[str]:
    """Return what should not be in the headline, the one line that is not sealed.

    The names of the record are compared by their hashes; nothing is unsealed for it.
    """
    if not record.headline:
        return []
    found = looks_personal(record.headline)
    words = [word for word in normal_words(record.headline) if len(word) > 2]
    await send_rows(work)
    hashes = work.keys.match_keys_all([(HashOf.NAME, word) for word in words])
    keys = [key for forms in hashes for key in forms]
    named = await work.session.scalar(
        select(MatchKey.id)
        .where(
            MatchKey.subject_id == record.id, MatchKey.kind == KeyKind.NAME, MatchKey.key.in_(keys)
        )
        .limit(1)
    )
    if named is not None:
        found = ["a name from this record", *(w for w in found if w != "a name")]
    return found


def merged(changes: Answers) -> list[Change]:
    """Return answers as changes of a new record that no other person has seen yet."""
    return [Change(path, value, 0) for path, value in changes.items()]
