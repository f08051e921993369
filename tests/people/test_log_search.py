"""One search of the log for the page, programs and the command line: names, codes and days."""

from datetime import UTC, date, datetime, timedelta

from app.jobs.transaction import flush, transaction
from app.people.log_search import Sought, search_log
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.roles import Role
from app.words.pages import code_words, spoken_in
from app.work import PROGRAM, Work
from tests.support.program.quiet import QuietStage
from tests.support.referrals import page
from tests.support.verbs import a_line


async def test_a_program_finds_what_the_page_finds_by_a_name_and_by_the_code_of_a_record(
    quiet: QuietStage,
) -> None:
    mila = await quiet.add_counsellor("Đorđe", state=None)
    oto = await quiet.add_counsellor("oto", role=Role.AUDITOR, shift=False, state=None)
    body = {"channel": "email", "answers": {"contact.headline": "Quarrel"}}
    made = (await mila.ask("POST", "/contacts", body)).json()
    (await mila.ask("GET", f"/contacts/{made['id']}")).raise_for_status()
    for subject, action in (("Đorđe", "staff_added"), (made["code"], "contact_read")):
        found = (await oto.ask("GET", f"/log?subject={subject}&action={action}")).json()
        assert [one["action"] for one in found] == [action], subject
        shown = await page(quiet, oto, f"/admin/log?subject={subject}&kind={action}")
        assert f"{action.replace('_', ' ')}" in shown.text
    assert (await oto.ask("GET", "/log?subject=a%00b")).status_code == 422


async def test_a_day_of_the_log_is_a_day_of_the_helpline_and_includes_its_evening(
    work: Work,
) -> None:
    await a_line(work)
    # In Belgrade 00:30 of the second day, and 23:30 of the first.
    work.now = datetime(2030, 1, 1, 23, 30, tzinfo=UTC)
    write_entry(work, AuditLog.LINE_RENAMED, "second", before="a", after="b")
    work.now -= timedelta(hours=1)
    write_entry(work, AuditLog.LINE_RENAMED, "first", before="a", after="b")
    await flush(work)

    async def on(since: date | datetime, until: date | datetime) -> list[str]:
        sought = Sought(action="line_renamed", since=since, until=until)
        return [one.subject for one in await search_log(work, sought)]

    first, second = date(2030, 1, 1), date(2030, 1, 2)
    assert await on(first, first) == ["first"]
    assert await on(second, second) == ["second"]
    assert sorted(await on(first, second)) == ["first", "second"]
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    assert await on(noon, noon + timedelta(hours=11, minutes=30)) == ["first"]


async def test_what_the_program_did_by_itself_is_found_and_named(quiet: QuietStage) -> None:
    oto = await quiet.add_counsellor("oto", role=Role.AUDITOR, shift=False, state=None)
    async with transaction(quiet.ground, PROGRAM) as work:
        write_entry(work, AuditLog.LINE_RENAMED, "by the program", before="a", after="b")
    await page(quiet, oto, "/page-language", language="mk")
    found = (await page(quiet, oto, "/admin/log?person=program")).text
    assert ">by the program</a>" in found
    assert f'<option value="program" selected>{said_in("mk", "program")}</option>' in found
    assert f"<td>{said_in('mk', 'program')}</td>" in found
    assert "<td>program</td>" not in found
    assert ">by the program</a>" not in (await page(quiet, oto, "/admin/log?person=provider")).text
    assert (await page(quiet, oto, "/admin/log?person=nobody")).status_code == 422


def said_in(language: str, code: str) -> str:
    with spoken_in(language):
        return code_words(code)
