"""Exports: what can be exported, and how each table and its batches are made.

`calls` holds call facts only: when a call came, how long it waited, how it ended. `records` adds
what was said in the contacts; that is about single persons, and needs an approval.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from app.errors import Invalid, Message, why
from app.referrals import accountability
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.statistics.counting import feedback, reconcile, referral_figures
from app.statistics.counting.counsellors import room, room_table
from app.statistics.counting.kept_targets import targets_of
from app.statistics.counting.labels import CELL, OVERLAP, TOTAL, labeller
from app.statistics.counting.referral_figures import ReferralsBy
from app.statistics.counting.summary import FiguresWanted, Zones, count, let_go, summarise, zones_of
from app.statistics.dimensions import Dimension
from app.statistics.exports.at_once_table import COLUMNS as at_once_columns
from app.statistics.exports.at_once_table import at_once_table
from app.statistics.exports.dictionary import dictionary
from app.statistics.exports.feedback_table import COLUMNS as feedback_columns
from app.statistics.exports.feedback_table import feedback_table
from app.statistics.exports.files import PERSONAL, WHAT, File
from app.statistics.exports.record_tables import record_batch, record_columns
from app.statistics.exports.room_table import COLUMNS as room_columns
from app.statistics.exports.room_table import room_measures
from app.statistics.exports.shape_table import COLUMNS as shape_columns
from app.statistics.exports.shape_table import shape_table
from app.statistics.exports.spoken import Label, Spoken, dimensions_of_facts
from app.statistics.exports.tables import (
    CODE,
    ROW_WORDS,
    Batches,
    OutColumn,
    OutTable,
    Said,
    batch_of,
    edge,
    notes_of,
    one_batch,
    summary_table,
)
from app.statistics.exports.writers import FORMATS, write
from app.statistics.facts.days import reading
from app.statistics.facts.facts import COLUMNS
from app.statistics.facts.recorded import recorded_contacts
from app.statistics.measures import NAMES, definition
from app.statistics.periods import BadWindow, Period, Window, read_window
from app.statistics.protection import guarded_referrals
from app.statistics.protection.guard import BASE
from app.words.pages import N_, SOURCE, page_languages
from app.work import Work

# Measures of contacts, for the file of categories.
_OF_CONTACTS = ("contacts", "contacts_completed", "non_counselling", "urgent_contacts", "calls")


@dataclass(frozen=True)
class ExportWanted:
    """A request for an export."""

    what: File
    window: Window
    kind: str = "csv"
    period: Period | None = None
    by: tuple[Dimension, ...] = ()
    line: str | None = None
    names: tuple[str, ...] = NAMES
    # For referrals: what they are counted by, instead of by agency.
    referrals_by: ReferralsBy | None = None
    # For reports: the name of the shape.
    report: str | None = None
    # Whether the reader may see numbers of single counsellors.
    staff: bool = True
    # The language of the reader; empty: as programs read it.
    language: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """The other fields, as they are stored with the export."""
        return {
            "period": self.period,
            "by": list(self.by),
            "line": self.line,
            "measures": list(self.names) if self.names != NAMES else None,
            "referrals_by": self.referrals_by,
            "staff": self.staff,
            "report": self.report,
            "language": self.language or None,
        }


def read_wanted(
    what: str, begins: str, ends: str, kind: str, options: dict[str, Any] | None = None
) -> ExportWanted:
    """Read a request from texts. Raises Invalid."""
    given = options or {}
    if what not in WHAT:
        raise Invalid(
            "There is no export '%(what)s'. Choose one of: %(known)s.",
            what=what[:40],
            known=list(WHAT),
        )
    if kind not in FORMATS:
        raise Invalid(
            "There is no format '%(name)s'. Choose one of: %(known)s.",
            name=kind[:40],
            known=list(FORMATS),
        )
    try:
        window = read_window(begins, ends)
    except BadWindow as error:
        raise Invalid(why(error)) from None
    names = tuple(given.get("measures") or NAMES)
    language = given.get("language") or ""
    if language and language not in page_languages():
        raise Invalid(
            "There is no file in the language '%(language)s'. Choose one of: %(known)s.",
            language=language[:20],
            known=list(page_languages()),
        )
    file = File(what)
    _refuse_unheard(file, given)
    if file is File.REFERRALS:
        words = list(given.get("by") or [])
        by = given.get("referrals_by") or (words[0] if words else None)
        known = [one.value for one in ReferralsBy]
        if len(words) > 1 or (by is not None and by not in known):
            raise Invalid("Referrals are counted by agency, or by one of: %(known)s.", known=known)
        counted_by = ReferralsBy(by) if by is not None else None
        return ExportWanted(file, window, kind, referrals_by=counted_by, language=language)
    return ExportWanted(
        file,
        window,
        kind,
        read_period(given.get("period")),
        read_by(given.get("by") or []),
        given.get("line") or None,
        names,
        report=given.get("report"),
        staff=given.get("staff", True),
        language=language,
    )


def _refuse_unheard(what: File, given: dict[str, Any]) -> None:
    """Refuse an option that this export would ignore. Raises Invalid."""
    heeds = {
        File.REFERRALS: ("by",),
        File.COUNSELLORS: (),
        File.ROOM: (),
        File.AT_ONCE: ("period",),
        File.FEEDBACK: ("line",),
        File.REPORT: ("line",),
        File.CALLS: ("line",),
        File.RECORDS: ("line",),
    }.get(what)
    if heeds is None:
        return
    for option in ("line", "period", "by"):
        if given.get(option) and option not in heeds:
            raise Invalid(
                "The export %(what)s has no option %(option)s. Leave it out.",
                what=what.value,
                option=option,
            )


def read_period(word: str | None) -> Period | None:
    """Read a period by its name. Raises Invalid."""
    if not word:
        return None
    if word not in set(Period):
        raise Invalid(
            "There is no period '%(word)s'. Choose one of: %(known)s.",
            word=word[:40],
            known=list(Period),
        )
    return Period(word)


def read_by(words: list[str]) -> tuple[Dimension, ...]:
    """Read dimensions by their names. Raises Invalid."""
    for word in words:
        if word not in set(Dimension):
            known = list(Dimension)
            raise Invalid(
                "There is no dimension '%(word)s'. Choose one of: %(known)s.",
                word=word[:40],
                known=known,
            )
    return tuple(Dimension(word) for word in words)


@dataclass
class Made:
    """A table that is ready to be written."""

    table: OutTable
    batches: Batches
    # How many of the batches have been read, to show progress.
    progress: dict[str, int] = field(default_factory=lambda: {"done": 0})

    async def pieces(self, kind: str) -> AsyncIterator[bytes]:
        """Yield the file, piece by piece."""
        async for piece in write(self.table, self._counted(), kind):
            if piece:
                yield piece

    async def _counted(self) -> Batches:
        async for batch in self.batches:
            yield batch
            self.progress["done"] += 1


@asynccontextmanager
async def made(work: Work, wanted: ExportWanted) -> AsyncIterator[Made]:
    """Make a table while the context is open, in words if it is for a reader. Raises Invalid."""
    label: Label | None = None
    if wanted.language:
        label = await labeller(work, dict((await zones_of(work)).names), wanted.language)
    async with _made(work, wanted) as one:
        if label is None:
            yield one
        else:
            spoken = Spoken(one.table, wanted.language, label)
            yield Made(spoken.table, spoken.batches(one.batches))


@asynccontextmanager
async def _made(work: Work, wanted: ExportWanted) -> AsyncIterator[Made]:
    match wanted.what:
        case File.SUMMARY | File.CATEGORIES:
            asked = await _asked(work, wanted)
            summary = await summarise(work, asked, language=wanted.language or SOURCE)
            table, batch = await asyncio.to_thread(summary_table, summary, wanted.language)
            yield Made(table, one_batch(batch))
        case File.REFERRALS:
            table, batch = await _referrals(work, wanted)
            yield Made(table, one_batch(batch))
        case File.COUNSELLORS:
            table, batch = room_table(await room(work, wanted.window))
            yield Made(table, one_batch(batch))
        case File.ROOM:
            table, batch = await room_measures(work, wanted.window)
            yield Made(table, one_batch(batch))
        case File.AT_ONCE:
            table, batch = await at_once_table(work, wanted.window, wanted.period)
            yield Made(table, one_batch(batch))
        case File.FEEDBACK:
            table, batch = await feedback_table(work, wanted.window, wanted.line)
            yield Made(table, one_batch(batch))
        case File.REPORT:
            table, batch = await shape_table(
                work, wanted.report, wanted.window, wanted.line, wanted.language
            )
            yield Made(table, one_batch(batch))
        case File.CALLS | File.RECORDS:
            async with _single(work, wanted) as one:
                yield one


async def _asked(work: Work, wanted: ExportWanted) -> FiguresWanted:
    by, names = wanted.by, wanted.names
    if wanted.what is File.CATEGORIES:
        if len(by) > 1:
            raise Invalid("Categories can be counted by only one more dimension.")
        by = (Dimension.CATEGORY, *(d for d in by if d is not Dimension.CATEGORY))
        names = _OF_CONTACTS
    return FiguresWanted(
        wanted.window,
        wanted.period,
        by,
        wanted.line,
        names,
        targets=await targets_of(work),
    )


async def _referrals(work: Work, wanted: ExportWanted) -> tuple[OutTable, Any]:
    if wanted.referrals_by is not None:
        return await _referrals_by(work, wanted.window, wanted.referrals_by)
    window, rows = await guarded_referrals.by_agency(work, wanted.window)
    columns = _agency_columns()
    table = OutTable("Referrals", columns, _referral_notes(work, _offered(window)))
    out = [
        [
            row.agency,
            row.name,
            row.sector,
            *(row.values[name] for name in accountability.DEFINITIONS),
            list(row.rejections.items()),
            list(row.outcomes.items()),
        ]
        for row in rows
    ]
    return table, batch_of(table, out)


def _referral_notes(work: Work, what: Message) -> list[Said]:
    return [
        what,
        Message(
            "each count is rounded up or down to a multiple of %(base)s; times are given only for "
            "%(least)s or more referrals, to ten seconds or the minute",
            base=BASE,
            least=BASE * 2,
        ),
        Message("as of %(at)s", at=work.now.isoformat(timespec="seconds")),
    ]


def _offered(window: Window) -> Message:
    return Message(
        "offered from %(begin)s to %(end)s (exclusive), in the country's time",
        begin=edge(window.begins),
        end=edge(window.ends),
    )


def _opened(window: Window) -> Message:
    return Message(
        "opened from %(begin)s to %(end)s (exclusive), in the country's time",
        begin=edge(window.begins),
        end=edge(window.ends),
    )


def _agency_columns() -> list[OutColumn]:
    columns = [
        OutColumn("agency", "text", "code of the agency; `all` for all together"),
        OutColumn("name", "text", "name of the agency"),
        OutColumn("sector", "text", "sector of the agency", labels=CODE),
    ]
    for name, words in accountability.DEFINITIONS.items():
        columns.append(OutColumn(name, "number" if "seconds" in name else "whole", words))
    return [
        *columns,
        OutColumn("rejections", "counts", "reasons for rejection, with their number", labels=CODE),
        OutColumn(
            "outcomes", "counts", "outcomes of completed ones, with their number", labels=CODE
        ),
    ]


async def _referrals_by(work: Work, window: Window, by: ReferralsBy) -> tuple[OutTable, Any]:
    window, found, total = await guarded_referrals.by_thing(work, window, by)
    words = f"{by} of the referral; `all` for all together"
    said = Message("of the referral; `all` for all together")
    columns = [OutColumn(by.value, "text", words, said=said, labels=CODE)]
    for name, words in referral_figures.WORDS.items():
        columns.append(OutColumn(name, "number" if "seconds" in name else "whole", words))
    table = OutTable("Referrals", columns, _referral_notes(work, _opened(window)))
    rows = [[one.value, *one.numbers.values()] for one in found]
    return table, batch_of(table, [*rows, [total.value, *total.numbers.values()]])


@asynccontextmanager
async def _single(work: Work, wanted: ExportWanted) -> AsyncIterator[Made]:
    """Make single calls, or calls and contacts: a batch for each day."""
    parts: tuple[str, ...] = ("call", "staff") if wanted.staff else ("call",)
    if wanted.what is File.RECORDS:
        parts = ("call", "staff", "record")
    zones = await zones_of(work)
    zones.check(wanted.line)
    await let_go(work)
    asked = FiguresWanted(
        wanted.window,
        line=wanted.line,
        measures=("calls",),
        targets=await targets_of(work),
    )
    columns = record_columns(parts, dimensions_of_facts())
    async with reading(work.ground, work.now) as look:
        summary = await count(look, zones, asked)
        summary.recorded = await recorded_contacts(
            look, wanted.window, zones.country, zones.of_line, wanted.line
        )
        title = "Calls" if wanted.what is File.CALLS else "Calls and contacts"
        table = OutTable(
            title,
            columns,
            notes_of(summary),
            reconcile.reconcile(summary.total.sums, summary.recorded),
        )
        table.sealed = wanted.what in PERSONAL
        since, until = zones.widest(wanted.window, [wanted.line] if wanted.line else ())
        table.of = max(len(look.days(since, until)), 1)
        names = [n for n, c in COLUMNS.items() if c.part in parts]

        async def batches() -> Batches:
            async for _, records, packed in look.each_day(since, until, names):
                # One batch for each day, so that progress can be shown.
                if records:
                    yield await asyncio.to_thread(_cut, table, records, packed, zones, wanted)
                else:
                    yield _none(table)

        yield Made(table, batches())


def _none(table: OutTable) -> Any:
    return batch_of(table, [])


def _cut(table: OutTable, records: int, packed: Any, zones: Zones, wanted: ExportWanted) -> Any:
    """Return the records of a day that lie in the window, of the wanted line."""
    import pyarrow.compute as pc

    keep: dict[str, tuple[int, int]] = {}
    for number in packed["line"].words or []:
        zone = zones.of_line.get(number, zones.country)
        since, until = wanted.window.instants(zone)
        keep[number] = int(since.timestamp()), int(until.timestamp())
    batch = record_batch(table, records, packed, zones.of_line, zones.country, keep)
    if wanted.what is File.CALLS:
        batch = batch.filter(batch.column(table.schema.get_field_index("is_call")))
    if wanted.line is not None:
        line = batch.column(table.schema.get_field_index("line"))
        batch = batch.filter(pc.equal(line, wanted.line))
    return batch


# For a column that is in a file of referrals only if they are counted by it.
_BY_IT = N_("what the referrals are counted by")


def data_dictionary() -> list[tuple[str, str, Message]]:
    """Return every column that a file may have: file, name, words."""
    more: dict[str, list[OutColumn]] = {
        File.ROOM: room_columns,
        File.AT_ONCE: at_once_columns,
        File.FEEDBACK: feedback_columns,
        File.REPORT: shape_columns,
        File.REFERRALS: [
            *_agency_columns(),
            *(
                OutColumn(by.value, "text", _BY_IT, said=Message(_BY_IT))
                for by in ReferralsBy
                if by is not ReferralsBy.SECTOR
            ),
            *(
                OutColumn(name, "text", words)
                for name, words in referral_figures.WORDS.items()
                if name not in accountability.DEFINITIONS
            ),
        ],
        File.CATEGORIES: [OutColumn(n, "text", definition(n).words) for n in _OF_CONTACTS],
    }
    return dictionary(more)


def texts() -> Iterator[str]:
    """Yield what the headings and definitions of files for readers are made of."""
    columns = [*record_columns(("call", "staff", "record")), *room_columns, *shape_columns]
    columns += [*at_once_columns, *feedback_columns]
    columns += [*_agency_columns(), *(OutColumn(by.value, "text", "") for by in ReferralsBy)]
    for column in columns:
        yield column.name.replace("_", " ")
        for text in (column.title, column.said or column.words):
            if isinstance(text, Message):
                # The message itself is found where it is written.
                yield from (one.text for one in text.values.values() if isinstance(one, Message))
            else:
                yield text
    yield from ("period", "row", "Summary", "Referrals", "Counsellors", "Room", "Calls")
    yield from (
        "Conversations at once",
        "Feedback",
        *feedback.QUESTIONS,
        *feedback.QUESTIONS.values(),
    )
    yield from ("Calls and contacts", "the whole window", ROW_WORDS, TOTAL, OVERLAP, CELL)
    yield from ("a code", "the code before it in words", "counsellor", "name")


def note_export(work: Work, wanted: ExportWanted, **more: Any) -> None:
    """Log who exported which numbers."""
    subject = f"{wanted.what}:{wanted.window.words}"
    write_entry(work, AuditLog.STATISTICS_EXPORTED, subject, format=wanted.kind, **more)


def file_name(wanted: ExportWanted) -> str:
    begins, ends = (str(e)[:10] for e in (wanted.window.begins, wanted.window.ends))
    # Another file may come with the name of a shape that there is not: it is not read.
    shape = wanted.report if wanted.what is File.REPORT else None
    return f"{shape or wanted.what}-{begins}-{ends}.{wanted.kind}"
