"""A scheduled report: which files are made, in which languages, and whose file is whose."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.errors import Invalid
from app.staff.log_kinds import AuditLog
from app.statistics.models import Export
from app.statistics.reports import sending
from app.work import Work
from tests.support.verbs import a_line, a_supervisor, an_administrator, logged

pytestmark = pytest.mark.whole


async def made(work: Work) -> list[Export]:
    """Return the files of the next morning, in the order of their languages."""
    work.now = work.now.replace(hour=12) + timedelta(days=1)
    await sending.take_due(work)
    await work.session.flush()
    files = list(await work.session.scalars(select(Export)))
    return sorted(files, key=lambda one: str(one.options["language"]))


async def test_a_file_is_made_for_each_language_of_its_readers(work: Work) -> None:
    await a_line(work)
    boss = await an_administrator(work)
    boss.page_language = "uk"
    for name, language in (("vera", "sr"), ("mira", "mk"), ("nura", "ar")):
        (await a_supervisor(work, name)).page_language = language
    (await a_supervisor(work, "left")).active = False
    await sending.schedule(work, "daily", "day", "supervisor")
    mk, sr = [one for one in await made(work) if one.options["language"] != "ar"]
    assert [one.options["language"] for one in (mk, sr)] == ["mk", "sr"]
    ar = (await work.session.scalars(select(Export).where(Export.id.not_in([mk.id, sr.id])))).one()
    of = {
        language: [one for one in (ar, mk, sr) if sending.is_for(one, language)]
        for language in ("ar", "sr", "mk", "uk", "tr")
    }
    # A reader who came or chose another language meanwhile has the first file.
    assert of == {"ar": [ar], "sr": [sr], "mk": [mk], "uk": [ar], "tr": [ar]}
    assert await sending.take_due(work) == 0


async def test_a_reader_without_a_file_reads_english_or_what_its_planner_reads(work: Work) -> None:
    await a_line(work)
    boss = await an_administrator(work)
    boss.page_language = "sr"
    for name, language in (("vera", "sr"), ("nura", "ar")):
        (await a_supervisor(work, name)).page_language = language
    row = await sending.schedule(work, "daily", "day", "supervisor")
    row.created_by = boss.id
    ar, sr = await made(work)
    assert [sending.is_for(one, "tr") for one in (ar, sr)] == [False, True]
    (await a_supervisor(work, "ann")).page_language = "en"
    assert await sending.languages_of(work, row) == ["en", "sr", "ar"]


async def test_without_readers_it_is_in_the_language_of_who_scheduled_it(work: Work) -> None:
    await a_line(work)
    boss = await an_administrator(work)
    boss.page_language = "uk"
    row = await sending.schedule(work, "daily", "day", "supervisor")
    row.created_by = boss.id
    assert [one.options["language"] for one in await made(work)] == ["uk"]


async def test_a_chosen_language_is_for_all_readers_and_logged(work: Work) -> None:
    await a_line(work)
    (await a_supervisor(work)).page_language = "sr"
    with pytest.raises(Invalid):
        await sending.schedule(work, "daily", "day", "supervisor", "klingon")
    await sending.schedule(work, "daily", "day", "supervisor", "bg")
    (detail,) = [one for kind, one in logged(work) if kind == AuditLog.REPORT_SCHEDULED]
    assert isinstance(detail, dict)
    assert detail["after"]["language"] == "bg"
    (file,) = await made(work)
    assert file.options["language"] == "bg"
    assert all(sending.is_for(file, one) for one in ("sr", "bg", "en"))
