"""What pages change, as it is typed: lines, absences and swaps, shifts, handing over, the log."""

import json
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest

from app.calls import record
from app.calls.lines import finding_lines, lines
from app.cli import audit_log, reports, wallboards
from app.cli import lines as line_commands
from app.cli.commands import audit_app
from app.cli.rota import changes as rota_changes
from app.cli.rota import planning, roster
from app.cli.staff import access_requests, ways_in
from app.cli.staff import accounts as account_commands
from app.cli.staff import leaving as leaving_commands
from app.demo.stage import LINE
from app.errors import Conflict, Invalid, NotFound
from app.jobs.transaction import flush
from app.people import finding, leaving, links
from app.people.changing import Changes
from app.routing.rota import changes, giving, stretches
from app.routing.rota.models import RotaChange, RotaChangeState
from app.staff import accounts, phone_proofs
from app.staff.log_kinds import AuditLog
from app.staff.roles import Role
from app.statistics.exports import requested
from app.statistics.exports.exporting import read_wanted
from app.statistics.models import ExportState
from app.work import Work
from tests.support.command_line import Types, typed_on
from tests.support.documents.shell import documented
from tests.support.duties import a_taker, at, daily, duties_on, log_of, place
from tests.support.verbs import a_counsellor, a_line, an_administrator, logged

PASSWORD = "correct horse battery"
Typed = Callable[..., Types]


@pytest.fixture
async def typed(work: Work, monkeypatch: pytest.MonkeyPatch) -> Typed:
    await a_line(work)
    return lambda app, *modules: typed_on(work, monkeypatch, app, *modules)


async def test_a_line_is_listed_shown_and_renamed(work: Work, typed: Typed) -> None:
    types = typed(line_commands.app, line_commands)
    await types("rename", LINE, "Linija za decu")
    work.ground.memory.forget("lines")
    (listed,) = (await types("list")).output.splitlines()
    assert json.loads(listed)["name"] == "Linija za decu"
    await types("prompt", "hold", "--language", "en", "--text", "One moment.")
    shown = json.loads((await types("show", LINE, "--prompts", "en")).output)
    assert shown["languages"] == {"1": "sr", "2": "en"}
    hold = {"text": "One moment.", "source": "every_line", "earlier": False}
    assert shown["prompts"]["hold"] == hold
    await types("prompt-program", "hold", "--language", "en")
    await types("prompt-back", "hold", "--language", "en")
    shown = json.loads((await types("show", LINE, "--prompts", "en")).output)
    assert shown["prompts"]["hold"] == hold
    await flush(work)
    (renamed,) = map(json.loads, (await types("changes", LINE)).output.splitlines())
    name = renamed["before"]["name"]
    assert (renamed["part"], renamed["by"], name) == ("name", None, "Plavi telefon")
    for words in documented("line back", {"+38111116111": LINE, "4711": str(renamed["id"])}):
        await types(*words)
    assert json.loads((await types("show", LINE)).output)["name"] == name
    again = await types("back", LINE, str(renamed["id"]), fails=True)
    assert isinstance(again.exception, Conflict)
    unknown = await types("show", "+381119999999", fails=True)
    assert isinstance(unknown.exception, NotFound)


async def test_a_line_gets_other_facts_is_retired_and_used_again(work: Work, typed: Typed) -> None:
    types = typed(line_commands.app, line_commands)
    second = "+381113334444"
    await types("add", second, "--name", "Druga", "--languages", "sr", "--timezone", "UTC")
    await types("change", second, "--timezone", "Europe/Belgrade", "--practice")
    work.ground.memory.forget("lines")
    shown = json.loads((await types("show", second)).output)
    assert (shown["timezone"], shown["practice"]) == ("Europe/Belgrade", True)
    line = await finding_lines.line_of_number(work, second)
    assert line is not None
    await record.open_call(
        work, provider_sid="CA1", raw_from="+381641234567", line_id=line.id, greeted=True
    )
    rang = await types("change", second, "--real", fails=True)
    assert "has had calls" in str(rang.exception)
    phone = "+381641112223"
    ana = await a_counsellor(work, "ana", endpoint=phone)
    await types("plan", second, "--partner-number", phone)
    await types("retire", second)
    await leaving.deactivate(work, ana.id, leaving.shifts_uncovered(), by=None)
    work.ground.memory.forget("lines")
    (left,) = (await types("list")).output.splitlines()
    (retired,) = (await types("list", "--retired")).output.splitlines()
    assert [json.loads(one)["number"] for one in (left, retired)] == [LINE, second]
    last = await types("retire", LINE, fails=True)
    assert isinstance(last.exception, Conflict)
    used = await types("take-into-use", second)
    assert "This line has no partner any more" in used.stderr
    assert f"helpline line plan {second} --partner-number +NUMBER" in used.stderr
    listed = [json.loads(one) for one in (await types("list")).output.splitlines()]
    since = work.now.isoformat()
    assert [one["partner_lost_at"] for one in listed] == [None, since]
    assert json.loads((await types("show", second)).output)["partner_lost_at"] == since
    await types("plan", second, "--partner-number", "")
    assert json.loads((await types("show", second)).output)["partner_lost_at"] is None
    unknown = await types("take-into-use", second, fails=True)
    assert isinstance(unknown.exception, NotFound)


async def test_the_language_of_a_persons_pages_is_chosen(work: Work, typed: Typed) -> None:
    types = typed(account_commands.app, account_commands)
    ana = await a_taker(work, "ana")
    await types("change", "ana", "--page-language", "sr")
    await work.session.refresh(ana)
    assert ana.page_language == "sr"
    said = log_of(work, AuditLog.STAFF_CHANGED)
    assert (said["before"], said["after"]) == ({"page_language": "en"}, {"page_language": "sr"})
    await types("invite", "nova", "--page-language", "mk")
    nova = await accounts.find_by_name(work.session, "nova")
    assert nova is not None
    assert nova.page_language == "mk"
    # Whose PIN counts where no code goes by telephone.
    for expected in ("-", "other-pin", "page-pin"):
        if expected != "-":
            await phone_proofs.set_pin(work, ana, "283746", by_factor=expected == "page-pin")
        (listed,) = (await types("list", "ana")).output.splitlines()
        assert listed.split("\t")[4] == expected


async def test_absences_and_swaps_are_made_answered_and_withdrawn(work: Work, typed: Typed) -> None:
    types = typed(roster.app, roster, planning, rota_changes)
    ana, boris = await a_taker(work, "ana"), await a_taker(work, "boris")
    await daily(work, ana)
    await types("change", "swap", "ana", "boris", "2030-01-16T08:00", "2030-01-16T16:00")
    assert await duties_on(work, 16) == {place(boris, 16, 8, 16)}
    made = await types("change", "absence", "ana", "2030-01-17T00:00", "2030-01-18T00:00")
    assert await duties_on(work, 17) == set()
    listed = (await types("change", "list")).output.splitlines()
    assert [line.split("\t")[1:4] for line in listed] == [
        ["swap", "in_force", "ana"],
        ["absence", "in_force", "ana"],
    ]
    await types("change", "withdraw", made.output.strip())
    assert await duties_on(work, 17) == {place(ana, 17, 8, 16)}
    asked = await changes.swap(work, ana, ana.id, boris.id, at(18, 8), at(18, 16))
    assert asked.state == RotaChangeState.ASKED
    await types("change", "answer", str(asked.id), "--agree")
    assert await duties_on(work, 18) == {place(boris, 18, 8, 16)}
    twice = await types("change", "answer", str(asked.id), "--refuse", fails=True)
    assert isinstance(twice.exception, Conflict)
    row = await work.session.get_one(RotaChange, asked.id)
    assert (row.made_by, row.state) == (ana.id, RotaChangeState.IN_FORCE)


async def test_a_shift_is_left_out_and_ended_and_a_holiday_cleared(
    work: Work, typed: Typed
) -> None:
    types = typed(roster.app, roster, planning)
    ana = await a_taker(work, "ana")
    await daily(work, ana)
    (listed,) = (await types("list", "ana")).output.splitlines()
    shift = listed.split("\t")[0]
    assert (await types("list", "boris")).output == ""
    await types("leave-out", shift, "2030-01-16")
    assert await duties_on(work, 16) == set()
    await types("end", shift, "--last-on", "2030-01-17")
    assert await duties_on(work, 17) == {place(ana, 17, 8, 16)}
    assert await duties_on(work, 18) == set()
    await types("holiday", "2030-01-20", "Slava")
    await types("holiday-clear", "2030-01-20")
    none = await types("holiday-clear", "2030-01-20", fails=True)
    assert isinstance(none.exception, NotFound)


async def test_work_is_handed_over_and_a_link_withdrawn(work: Work, typed: Typed) -> None:
    types = typed(account_commands.app, leaving_commands, ways_in)
    ana, boris = await a_taker(work, "ana"), await a_taker(work, "boris")
    await daily(work, ana)
    await stretches.add(work, None, place(ana, 17, 20, 22))
    await stretches.add(work, None, place(boris, 17, 20, 22))
    hand_over = ("hand-over", "ana", "--to", "boris")
    refused = await types(*hand_over, fails=True)
    assert isinstance(refused.exception, giving.NotFree)
    told = (await types(*hand_over, "--knowingly")).output
    assert "shifts: 2" in told
    assert "uncovered: 2030-01-17T20:00 2030-01-17T22:00" in told
    assert await duties_on(work, 15) == {place(boris, 15, 8, 16)}
    assert (await finding.person_named(work, "ana")).active
    await links.make_link(work, ana.id, by=None, by_mail=False)
    await types("withdraw-link", "ana")
    link = await links.latest(work, ana)
    assert link is not None
    assert link.withdrawn_at is not None
    made = log_of(work, AuditLog.PASSWORD_LINK_MADE)
    gone = log_of(work, AuditLog.PASSWORD_LINK_WITHDRAWN)
    assert made["after"] == gone["before"]
    assert (made["before"], gone["after"]) == (None, None)


async def test_access_to_the_records_of_others_is_listed_and_decided(
    work: Work, typed: Typed
) -> None:
    types = typed(access_requests.app, access_requests)
    mila = await an_administrator(work)
    await accounts.add_staff(work, name="vera", role=Role.SUPERVISOR, password=PASSWORD)
    assert (await types("access-requests")).output == "nothing waits\n"
    for name in ("Nova", "Rada"):
        wanted = Changes(name=name, role=Role.SUPERVISOR)
        await links.invite(work, wanted, by=mila, by_mail=False)
    listed = (await types("access-requests")).output
    assert "Nova  account  supervisor  asked by mila" in listed
    await types("decide-access", "Nova", "--approve")
    await types("decide-access", "Rada", "--refuse")
    nova, rada = [await finding.person_named(work, name) for name in ("Nova", "Rada")]
    assert (nova.active, rada.active) == (True, False)
    again = await types("decide-access", "Nova", "--approve", fails=True)
    assert isinstance(again.exception, NotFound)
    acts = [(act, detail) for act, detail in logged(work) if act.startswith("access_")]
    assert [act for act, _ in acts[-2:]] == ["access_approved", "access_refused"]


async def test_a_wallboard_is_made_listed_and_withdrawn(work: Work, typed: Typed) -> None:
    types = typed(wallboards.app, wallboards)
    await an_administrator(work)
    assert "/wall/" in (await types("add", "Hall", "--by", "mila")).output
    (listed,) = (await types("list")).output.splitlines()
    await types("withdraw", listed.split("\t")[0])
    assert (await types("list")).output == ""


async def test_reports_are_scheduled_and_files_decided(work: Work, typed: Typed) -> None:
    types = typed(reports.app, reports)
    await types("schedule", "daily", "--every", "week", "--role", "supervisor")
    (listed,) = (await types("schedules")).output.splitlines()
    assert listed.split("\t")[1:4] == ["daily", "week", "supervisor"]
    assert listed.split("\t")[5] == "-"
    await types("unschedule", listed.split("\t")[0])
    assert (await types("schedules")).output == ""
    chosen = ("--every", "week", "--role", "supervisor", "--language", "mk")
    await types("schedule", "daily", *chosen)
    assert (await types("schedules")).output.strip().endswith("\tmk")
    wrong = await types("publish", "soon", fails=True)
    assert isinstance(wrong.exception, Invalid)
    mila = await an_administrator(work)
    wanted = read_wanted("records", "2029-01-01", "2029-02-01", "csv", {})
    file = await requested.ask(work, mila, wanted, "The yearly review.")
    assert (await types("files")).output.split("\t")[0] == str(file.id)
    await types("decide", str(file.id), "--refuse")
    assert (file.state, file.decided_by) == (ExportState.REFUSED, None)
    twice = await types("decide", str(file.id), "--approve", fails=True)
    assert isinstance(twice.exception, Conflict)
    assert (await types("files")).output == ""


async def test_the_log_is_searched_and_the_reading_logged(work: Work, typed: Typed) -> None:
    row = (await finding_lines.all_lines(work))[0]
    line = await finding_lines.line_of_id(work, row.id)
    assert line is not None
    await lines.rename(work, line, "Nova")
    await flush(work)
    types = typed(audit_app, audit_log)
    wanted = ("--kind", "line_renamed", "--subject", "Nova")
    (found,) = (await types("log", *wanted)).output.splitlines()
    said = json.loads(found)
    assert said["detail"] == {"before": "Plavi telefon", "after": "Nova"}
    today = f"{work.now.astimezone(ZoneInfo(row.timezone)):%Y-%m-%d}"
    of_today = (await types("log", *wanted, "--since", today, "--until", today)).output
    assert of_today.splitlines() == [found]
    assert logged(work)[-1][0] == AuditLog.AUDIT_LOG_READ
    wrong = await types("log", "--kind", "line_named", fails=True)
    assert isinstance(wrong.exception, Invalid)
