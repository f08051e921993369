"""The languages of the program, and the translations that a helpline imports.

Pages, the JSON API and the command line call these verbs. A translation that was imported comes
before the shipped one, message by message, until it is taken back. Every process follows.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import psycopg
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from app import words
from app.administration.models import OwnCatalogue
from app.calls.lines import leading
from app.database.bus import Bus, Subscription
from app.database.topics import Topic
from app.errors import Conflict, Invalid, Joined, Message, NotFound
from app.jobs.transaction import transaction
from app.log import log
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.log_values import WordsSaid
from app.staff.models import Staff
from app.training import scenarios
from app.training.translations import Scripted
from app.words import catalogues, merging, pages
from app.words.catalogues import CatalogueKind, Progress
from app.words.import_conflicts import Meanwhile
from app.words.merging import Import, Merged
from app.work import PROGRAM, Ground, Work

# A catalogue of all pages has a third of this.
LARGEST = 2 * 1024 * 1024
_LOCK = 116_119
# The kinds that children and agencies hear and read.
_READ_BY_CHILDREN = (CatalogueKind.PAGES, CatalogueKind.PROMPTS_AND_LETTERS)
# Places that a refusal names.
_NAMED = 20
# Seconds until a process that could not ask the database asks again.
_AGAIN = 1.0
# What a request brings is read and checked in this one thread, one catalogue after the other: calls
# are answered meanwhile, and no password, PIN or sealed value waits for it.
_READER = ThreadPoolExecutor(1, thread_name_prefix="catalogues")
T = TypeVar("T")
catalogues.tell(CatalogueKind.PRACTICE, Scripted())


class NoSuchLanguage(NotFound):
    default = "There are no words in this language. An engineer adds its folder first."


class InAnotherScript(Invalid):
    default = (
        "The words of this language are made of those in its other script. Import them in that "
        "script."
    )


class TakenBackAlready(Conflict):
    default = "This was taken back already. Nothing was changed."


class ChangedMeanwhile(Conflict):
    """Another import has changed messages that a file changes in another way."""

    def __init__(self, places: list[Message]) -> None:
        super().__init__(
            "Nothing was imported. After this file was exported, another import has changed "
            "messages that it changes, too. Empty those in the file that are to stay as they are "
            "now, or choose for all of them what counts. They are now: %(places)s",
            places=Joined(places[:_NAMED]),
        )


@dataclass(frozen=True)
class Translated:
    """A language with one kind of words: how far they are translated, and by whose catalogue."""

    language: str
    kind: CatalogueKind
    progress: Progress
    reviewed: bool
    own: OwnCatalogue | None


async def _apart(read: Callable[..., T], *given: object) -> T:
    """Read what takes a moment beside the calls, and return what is found."""
    run = partial(copy_context().run, read, *given)
    return await asyncio.get_running_loop().run_in_executor(_READER, run)


# -- reading -------------------------------------------------------------------------------------


async def all_own(work: Work) -> list[OwnCatalogue]:
    """Return every catalogue that was imported, the newest first."""
    rows = await work.session.scalars(select(OwnCatalogue).order_by(OwnCatalogue.id.desc()))
    return list(rows)


def counting(own: list[OwnCatalogue]) -> dict[tuple[str, CatalogueKind], OwnCatalogue]:
    """Return the catalogue that counts of each language and kind. `own` has the newest first."""
    found: dict[tuple[str, CatalogueKind], OwnCatalogue] = {}
    for one in own:
        if one.taken_back_at is None and one.language in words.languages():
            found.setdefault((one.language, CatalogueKind(one.kind)), one)
    return found


async def translations(work: Work) -> list[Translated]:
    """Return every language that has words, with each kind of them."""
    own = counting(await all_own(work))
    await _use(own)
    return await _apart(
        lambda: [_translated(one, kind, own) for one in words.written() for kind in CatalogueKind]
    )


def _translated(
    language: str, kind: CatalogueKind, own: dict[tuple[str, CatalogueKind], OwnCatalogue]
) -> Translated:
    mine = own.get((words.spoken_as(language), kind))
    progress, reviewed = catalogues.progress(language, kind), words.about(language).reviewed
    if mine is not None:
        # Words that were read and replace a few leave the others as they were.
        whole = mine.translated >= progress.messages
        reviewed = mine.reviewed and (reviewed or whole)
    return Translated(language, kind, progress, reviewed, mine)


def check_language(language: str, kind: str) -> CatalogueKind:
    """Return the kind, or refuse what has no catalogue. Raises NotFound and Invalid."""
    if language not in words.written() or kind not in set(CatalogueKind):
        raise NoSuchLanguage
    if words.spoken_as(language) != language:
        raise InAnotherScript
    if language == words.SOURCE:
        raise Invalid("English is written in the program. Translate another language.")
    return CatalogueKind(kind)


async def export(work: Work, language: str, kind: str) -> str:
    """Return the catalogue of a language with what is in force now. Raises NotFound."""
    checked = check_language(language, kind)
    own = counting(await all_own(work))
    await _use(own)
    base = own.get((language, checked))
    text = await _apart(catalogues.exported, language, checked)
    return merging.marked(text, _import_of(base) if base is not None else None)


# -- importing and taking back -------------------------------------------------------------------


async def import_catalogue(
    work: Work,
    language: str,
    kind: str,
    sent: bytes,
    *,
    reviewed: bool,
    meanwhile: Meanwhile = Meanwhile.REFUSE,
) -> OwnCatalogue:
    """Let a translation count from now on, together with what others have changed since its file
    was exported. Raises Invalid with every place that is wrong, and ChangedMeanwhile with every
    message that others have changed in another way, unless `meanwhile` decides of these."""
    checked = check_language(language, kind)
    given = _read(sent)
    own = await all_own(work)
    await _use(counting(own))
    await _apart(catalogues.check, language, checked, given)
    await _one_at_a_time(work)
    rows = [one for one in await all_own(work) if (one.language, one.kind) == (language, checked)]
    before = counting(rows).get((language, checked))
    merged = await _apart(_merge, language, checked, given, rows, meanwhile)
    if merged.both:
        raise ChangedMeanwhile(merged.both)
    # Words that were kept are read if they were read before.
    read = reviewed and (not merged.kept or (before is not None and before.reviewed))
    found = OwnCatalogue(
        language=language,
        kind=checked,
        text=merged.text,
        translated=merged.translated,
        reviewed=read,
        imported_at=work.now,
        imported_by=work.actor.staff_id,
    )
    work.session.add(found)
    await work.session.flush()
    write_entry(
        work,
        AuditLog.WORDS_IMPORTED,
        f"words:{language}",
        before=_logged(before),
        after={**_logged(found), "said_as_before": merged.kept},
    )
    work.announce(Topic.WORDS)
    if checked in _READ_BY_CHILDREN:
        await leading.tell_supervisors(work, None, leading.Leads.TRANSLATION)
    return found


def _read(sent: bytes) -> str:
    if len(sent) > LARGEST:
        raise Invalid("A catalogue has %(most)s MB at most.", most=LARGEST // 1024**2)
    try:
        given = sent.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("The file must be written in UTF-8.") from None
    if "\0" in given:
        raise Invalid("The file must be written in UTF-8.")
    return given


def _merge(
    language: str, kind: CatalogueKind, given: str, rows: list[OwnCatalogue], how: Meanwhile
) -> Merged:
    """Return the words of a file with those that are said already. `rows`: the newest first."""
    base = merging.base_of(given, (_import_of(one) for one in rows))
    counts = [_import_of(one) for one in reversed(rows) if one.taken_back_at is None]
    merged = merging.merged(language, kind, given, base, counts, how)
    if merged.text != given:
        # Two words of a counsellor may have come to mean the same.
        catalogues.check(language, kind, merged.text)
    return merged


def _import_of(row: OwnCatalogue) -> Import:
    return Import(row.id, row.text)


async def take_back(work: Work, number: int) -> OwnCatalogue:
    """Let the words before it count again, also in imports that came after it and hold words that
    it brought. Raises NotFound and TakenBackAlready."""
    await _one_at_a_time(work)
    found = await work.session.get(OwnCatalogue, number, populate_existing=True)
    if found is None:
        raise NotFound("There is no such translation.")
    if found.taken_back_at is not None:
        raise TakenBackAlready
    _end(work, found)
    replaced = await _take_out_of_later(work, found)
    await work.session.flush()
    after = counting(await all_own(work)).get((found.language, CatalogueKind(found.kind)))
    write_entry(
        work,
        AuditLog.WORDS_TAKEN_BACK,
        f"words:{found.language}",
        before=_logged(found),
        after={**_logged(after), **({"replaces": replaced} if replaced else {})},
    )
    work.announce(Topic.WORDS)
    if after is not None and after.kind in _READ_BY_CHILDREN:
        # An earlier import counts again: the words of the program alone lead nowhere.
        await leading.tell_supervisors(work, None, leading.Leads.TRANSLATION)
    return found


def _end(work: Work, one: OwnCatalogue) -> None:
    one.taken_back_at, one.taken_back_by = work.now, work.actor.staff_id


async def _take_out_of_later(work: Work, taken: OwnCatalogue) -> list[int]:
    """Let later imports that say words of one that is taken back count no more, and what else the
    last of them says count. Return their numbers.

    A file holds what was said when it was exported: without this, the words would be said on as
    those of the next person who imported anything.
    """
    rows = [
        one
        for one in await all_own(work)
        if (one.language, one.kind) == (taken.language, taken.kind) and one.taken_back_at is None
    ]
    before = next((_import_of(one) for one in rows if one.id < taken.id), None)
    kind, brought = CatalogueKind(taken.kind), _import_of(taken)
    left: dict[int, str] = {}
    for one in rows:
        if one.id > taken.id:
            text = await _apart(
                merging.without, taken.language, kind, brought, before, _import_of(one)
            )
            if text is not None:
                left[one.id] = text
    for one in rows:
        if one.id in left:
            _end(work, one)
    if rows and left.get(rows[0].id):
        work.session.add(_made_of(work, rows[0], left[rows[0].id]))
    return sorted(left)


def _made_of(work: Work, one: OwnCatalogue, text: str) -> OwnCatalogue:
    """Return an import with another text, by the same person."""
    kind = CatalogueKind(one.kind)
    return OwnCatalogue(
        language=one.language,
        kind=one.kind,
        text=text,
        translated=len(catalogues.texts_in(one.language, kind, text)),
        reviewed=one.reviewed,
        imported_at=work.now,
        imported_by=one.imported_by,
    )


def _logged(one: OwnCatalogue | None) -> dict[str, object]:
    if one is None:
        return {}
    return WordsSaid(one.id, one.kind, one.translated, one.reviewed).kept()


async def _one_at_a_time(work: Work) -> None:
    await work.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


# -- following -----------------------------------------------------------------------------------


async def learn(work: Work) -> None:
    """Say what the database says from now on, and read the catalogues that readers have chosen.

    A catalogue is compiled beside the calls, so that no reader waits for it.
    """
    own = counting(await all_own(work))
    chosen = list(await work.session.scalars(select(Staff.page_language).distinct()))
    await _use(own)
    await asyncio.to_thread(pages.load, chosen)


async def _use(own: dict[tuple[str, CatalogueKind], OwnCatalogue]) -> None:
    if any(kind == CatalogueKind.PRACTICE for _, kind in own):
        # Reading the scenarios takes a moment, and calls are answered meanwhile.
        await asyncio.to_thread(scenarios.english)
    catalogues.use({key: one.text for key, one in own.items()})


async def watch(ground: Ground, bus: Bus) -> None:
    """Read it again after each change. Runs for ever."""
    with bus.listening(Subscription(), {Topic.WORDS, Topic.EVERYTHING}) as news:
        news.put(Topic.WORDS)
        while True:
            await news.take()
            try:
                async with transaction(ground, PROGRAM) as work:
                    await learn(work)
            except (SQLAlchemyError, psycopg.Error, OSError) as error:
                kind = type(error).__name__
                log().warning("translations were not read", area="database", exception_type=kind)
                await ground.clock.sleep(_AGAIN)
                news.put(Topic.WORDS)
