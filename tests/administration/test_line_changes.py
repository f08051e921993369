"""A change of a line is listed from the log and taken back, unless it has changed since."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from app import tables
from app.administration import line_changes, undoing
from app.administration.line_changes import (
    ChangedSince,
    LineChange,
    LinePart,
    NumbersForgotten,
    SetWithTheList,
    TokenNotKept,
)
from app.calls import key_questions, reporting
from app.calls.chat_rules import ChatRules, read_chat
from app.calls.lines import chat_lines, finding_lines, line_facts, line_languages, line_use, lines
from app.calls.lines.line_facts import LineHasCalls
from app.calls.lines.line_rows import Line
from app.calls.lines.lines import LineExists
from app.calls.speech import LineScript
from app.calls.states import Channel
from app.chats import accounts as bots
from app.dashboard.settings.lines import line_change_views
from app.errors import Invalid, NotFound, Refusal
from app.jobs.transaction import flush
from app.routing import changing_plans
from app.routing.plan import Plan
from app.staff.accounts import actor_of
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry
from app.work import Work
from tests.support.calls.lines import a_line
from tests.support.profile import by_day
from tests.support.verbs import an_administrator, logged

pytestmark = pytest.mark.whole

BEHIND = ["+381113334444", "+381113334445"]


async def listed(work: Work, line: LineScript) -> list[LineChange]:
    await flush(work)
    return await line_changes.changes_of(work, line.id)


async def back(work: Work, line: LineScript, part: LinePart) -> None:
    """Take the newest change of a part back, as the list names it."""
    newest = next(one for one in await listed(work, line) if one.part is part)
    await line_changes.take_back(work, line.id, newest.id)


async def as_stored(work: Work, line: LineScript) -> dict[str, Any]:
    row, script = await finding_lines.read_line(work, line.id)
    return {
        "name": row.name,
        "languages": [(one.language, one.digit) for one in script.languages],
        "hours": row.opening_hours,
        "facts": (row.number, row.country, row.timezone, row.practice),
        "shown_number": row.shown_number,
        "leads_here": await finding_lines.numbers_behind(work, script),
        "plan": row.plan,
        "chat": row.chat,
        "key_questions": row.key_questions,
    }


OWN = [part for part in LinePart if part not in (LinePart.BOT, LinePart.USE)]


async def test_each_part_is_changed_and_taken_back_by_its_own_verb(work: Work) -> None:
    line = await a_line(work)
    work.actor = actor_of(await an_administrator(work))
    before = await as_stored(work, line)
    await lines.rename(work, line, "Linija za decu")
    await line_languages.remove_language(work, line, "en")
    await lines.set_opening_hours(work, line, "Mo-Fr 08:00-20:00")
    await line_facts.change_facts(work, line, number="+381112222444", timezone="Europe/Zagreb")
    await lines.change_numbers(work, line, leads_here=BEHIND, shown_number=BEHIND[0])
    await changing_plans.change_plan(
        work, line, backup_after=20, skills={"violence": 1}, partner_number="+381113334446"
    )
    await chat_lines.change_chat(
        work, line, on=True, slug="plavi", languages=["sr"], closed={"sr": "Pišemo od osam."}
    )
    await key_questions.set_questions(work, line, ["hurt", "safe"])
    after = await as_stored(work, line)
    assert all(before[name] != after[name] for name in before)
    found = await listed(work, line)
    assert [(one.part, one.by, one.can_be_taken_back) for one in found] == [
        (part, "mila", True)
        for part in (
            LinePart.QUESTIONS,
            LinePart.CHAT,
            LinePart.PLAN,
            LinePart.NUMBERS,
            LinePart.FACTS,
            LinePart.HOURS,
            LinePart.LANGUAGES,
            LinePart.NAME,
        )
    ]
    assert (found[2].before, found[2].after) == (
        {"backup_after": 30, "skills": {}, "partner_number": ""},
        {"backup_after": 20, "skills": {"violence": 1}, "partner_number": "+381…46"},
    ), "the usual values stand in place of none, and of numbers only the ends"
    for part in OWN:
        await back(work, line, part)
    assert await as_stored(work, line) == before
    # Taking back is a change of its own, with an entry of its own, and goes back as well.
    for part in OWN:
        await back(work, line, part)
    assert await as_stored(work, line) == after
    hours = [one for one in await listed(work, line) if one.part is LinePart.HOURS]
    assert [one.before["hours"] for one in hours] == ["24/7", "Mo-Fr 08:00-20:00"], (
        "the last twenty changes are listed"
    )


# A value that differs from the usual one, for each value of the parts that have several.
OTHERS: dict[LinePart, dict[str, Any]] = {
    LinePart.FACTS: {
        "number": "+381112222444",
        "country": "HR",
        "timezone": "Europe/Zagreb",
        "practice": True,
    },
    LinePart.NUMBERS: {"leads_here": BEHIND, "shown_number": BEHIND[0]},
    LinePart.PLAN: {
        "partner_number": "+381113334446",
        "skills": {"violence": 1},
        "supervisor_after": 40,
        "ring_at_once": 4,
        "night_from": 21,
        "night_until": 6,
        "backup_after": 29,
        "on_call_after": 90,
        **dict.fromkeys(("any_skill_after", "preferred_for", "partner_after", "priority"), 55),
        **dict.fromkeys(("longest_wait", "message_wait", "callback_wait"), 900),
    },
    LinePart.CHAT: {
        "on": True,
        "slug": "plavi",
        "languages": ["sr"],
        "at_once": 2,
        "reserve": 1,
        "reserve_seconds": 60,
        "sites": ["https://www.example.org"],
        "exit_site": "https://www.example.org/weather",
        "title": "Vreme",
        "icon": "sun",
        "report_page": "",
        "emoji": ["🌱"],
        "closed": {"sr": "Pišemo od osam."},
        "beginnings": {"sr": ["Zdravo"]},
        "by": ["sms"],
        "media": ["picture"],
        "templates": ["sr=HX" + "0" * 32],
    },
}


async def test_each_value_of_a_part_is_changed_and_taken_back_by_itself(work: Work) -> None:
    line = await a_line(work)
    await a_line(work, "+381112222334", "Druga linija", ["sr"])
    row, script = await finding_lines.read_line(work, line.id)
    assert reporting.country_page(row.country), "taking `report_page` back does not leave none"
    assert {part: set(values) for part, values in OTHERS.items()} == {
        LinePart.FACTS: set(line_facts.facts_of(row)),
        LinePart.NUMBERS: {"leads_here", "shown_number"},
        LinePart.PLAN: {one.name for one in fields(Plan)},
        LinePart.CHAT: {one.name for one in fields(ChatRules)},
    }, "a new value needs one here that differs"
    verbs: dict[LinePart, Any] = {
        LinePart.FACTS: line_facts.change_facts,
        LinePart.NUMBERS: lines.change_numbers,
        LinePart.PLAN: changing_plans.change_plan,
        LinePart.CHAT: chat_lines.change_chat,
    }
    before = await as_stored(work, line)
    for part, values in OTHERS.items():
        for name, value in by_day(values.items(), 3):
            given = {"leads_here": None, "shown_number": None} if part is LinePart.NUMBERS else {}
            _row, script = await finding_lines.read_line(work, line.id)
            await verbs[part](work, script, **given | {name: value})
            assert await as_stored(work, line) != before, name
            await back(work, line, part)
            assert await as_stored(work, line) == before, name


async def test_what_has_changed_since_is_left_as_it_is(work: Work) -> None:
    line = await a_line(work)
    await changing_plans.change_plan(work, line, backup_after=20)
    _, line = await finding_lines.read_line(work, line.id)
    await changing_plans.change_plan(work, line, backup_after=25)
    _, line = await finding_lines.read_line(work, line.id)
    await changing_plans.change_plan(work, line, priority=60)
    of_priority, later, first = await listed(work, line)
    assert [one.can_be_taken_back for one in (of_priority, later, first)] == [True, True, False]
    with pytest.raises(ChangedSince):
        await line_changes.take_back(work, line.id, first.id)
    await line_changes.take_back(work, line.id, later.id)
    assert (await as_stored(work, line))["plan"] == {"backup_after": 20, "priority": 60}
    # A second click finds it changed.
    with pytest.raises(ChangedSince):
        await line_changes.take_back(work, line.id, later.id)
    await line_changes.take_back(work, line.id, first.id)
    assert (await as_stored(work, line))["plan"] == {"priority": 60}, "the rest stays"


async def test_values_that_do_not_fit_any_more_are_refused_by_the_verb(work: Work) -> None:
    line = await a_line(work)
    await lines.change_numbers(work, line, leads_here=BEHIND, shown_number=None)
    await lines.change_numbers(work, line, leads_here=[], shown_number=None)
    await changing_plans.change_plan(work, line, supervisor_after=10, backup_after=5)
    _, line = await finding_lines.read_line(work, line.id)
    await changing_plans.change_plan(work, line, on_call_after=20)
    await a_line(work, BEHIND[1], "Druga linija", ["sr"])
    found = await listed(work, line)
    assert [one.part for one in found] == [
        LinePart.PLAN,
        LinePart.PLAN,
        LinePart.NUMBERS,
        LinePart.NUMBERS,
    ]
    before = await as_stored(work, line)
    for change, refusal in ((found[2], LineExists), (found[1], Invalid)):
        with pytest.raises(refusal):
            async with work.session.begin_nested():
                await line_changes.take_back(work, line.id, change.id)
        assert await as_stored(work, line) == before


async def test_numbers_of_which_the_log_holds_only_the_ends_are_set_by_hand(work: Work) -> None:
    line = await a_line(work)
    write_entry(
        work,
        AuditLog.LINE_NUMBERS_SET,
        str(line.id),
        before={"numbers": ["+381…44"], "shown_number": ""},
        after={"numbers": [], "shown_number": ""},
    )
    (found,) = await listed(work, line)
    assert (found.before, found.can_be_taken_back) == ({"numbers": ["+381…44"]}, False)
    assert found.by is None
    with pytest.raises(NumbersForgotten):
        await line_changes.take_back(work, line.id, found.id)


async def test_a_change_of_another_line_or_of_another_kind_is_not_found(work: Work) -> None:
    line = await a_line(work)
    other = await a_line(work, "+381112222334", "Druga linija", ["sr"])
    await lines.set_opening_hours(work, line, "Mo-Fr 08:00-20:00")
    (change,) = await listed(work, line)
    added = await work.session.scalar(
        select(AuditEntry.id).where(
            AuditEntry.subject == str(line.id), AuditEntry.action == AuditLog.LINE_ADDED
        )
    )
    assert added is not None
    for line_id, change_id in ((other.id, change.id), (line.id, added)):
        with pytest.raises(NotFound):
            await line_changes.take_back(work, line_id, change_id)
    assert (await as_stored(work, line))["hours"] == "Mo-Fr 08:00-20:00"


async def test_words_of_a_line_without_chosen_languages_are_changed_twice(work: Work) -> None:
    line = await a_line(work)
    await chat_lines.change_chat(work, line, closed={"sr": "Pišemo od osam."})
    await chat_lines.change_chat(work, line, at_once=2)
    assert logged(work)[-1][1] == {
        "before": {"closed": {"sr": "Pišemo od osam."}},
        "after": {"closed": {"sr": "Pišemo od osam."}, "at_once": 2},
    }
    row, _ = await finding_lines.read_line(work, line.id)
    assert read_chat(row.chat).at_once == 2


async def test_a_change_that_is_taken_back_elsewhere_is_listed_and_says_where(work: Work) -> None:
    line = await a_line(work)
    other = await a_line(work, "+381112222334", "Druga linija", ["sr"])
    token = "123456789:AAE" + "x" * 32
    _, second = await finding_lines.read_line(work, other.id)
    # The same token again: there is none to go back to.
    for _ in range(2):
        await bots.set_token(work, second, Channel.TELEGRAM, token)
    await line_use.retire(work, other.id)
    await line_use.take_into_use(work, other.id)
    found = {one.part: one for one in reversed(await listed(work, second))}
    for part, refusal in ((LinePart.BOT, TokenNotKept), (LinePart.USE, SetWithTheList)):
        assert isinstance(found[part].why_not, refusal)
        assert not found[part].can_be_taken_back
        with pytest.raises(refusal):
            await line_changes.take_back(work, other.id, found[part].id)
    assert token not in str(found), "the log never held it"
    assert [one.part for one in await listed(work, line)] == []


async def test_a_number_in_signal_is_put_back_and_removed_as_it_was(work: Work) -> None:
    line = await a_line(work)
    for number in BEHIND:
        await bots.set_token(work, line, Channel.SIGNAL, number)
    await bots.remove(work, line, Channel.SIGNAL)

    async def number_now() -> str | None:
        row = await bots.account_of(work, line.id, Channel.SIGNAL)
        return row.their_id if row is not None else None

    found = [one for one in await listed(work, line) if one.part is LinePart.BOT]
    assert [one.carrier for one in found] == [Channel.SIGNAL] * 3
    assert {row.what for row in line_change_views.change_rows(found)} == {"Signal"}
    assert [one.can_be_taken_back for one in found] == [True, False, False]
    for change, then in zip(found, (BEHIND[1], BEHIND[0], None), strict=True):
        await line_changes.take_back(work, line.id, change.id)
        assert await number_now() == then
    with pytest.raises(ChangedSince):
        await line_changes.take_back(work, line.id, found[2].id)
    await back(work, line, LinePart.BOT)
    assert await number_now() == BEHIND[0], "taking back is a change of its own"


def test_the_values_of_a_change_are_read_in_words() -> None:
    before: dict[str, Any] = {"report_page": None}
    after: dict[str, Any] = {"report_page": "", "icon": "sun", "country": "RS"}
    after |= {"timezone": "Europe/Belgrade", "by": ["sms", "signal"], "closed": {"sr": "Od osam."}}
    change = LineChange(
        id=1,
        at=datetime(2030, 1, 14, tzinfo=UTC),
        by=None,
        part=LinePart.CHAT,
        carrier=None,
        before=dict.fromkeys(after) | before,
        after=after,
        why_not=None,
    )
    (row,) = line_change_views.change_rows([change])
    assert row.fields == [
        ("page of the national hotline", "that of the country", "–"),
        ("icon", "–", "A sun"),
        ("country", "–", "Serbia"),
        ("time zone", "–", "Serbia – Belgrade"),
        ("Children can also write by", "–", "Text messages (SMS), Signal"),
        ("closed", "–", "Serbian: Od osam."),
    ]


# Where the changes of each column of a line stand. A new column or table fails the tests below.
COLUMNS = {
    "name": LinePart.NAME,
    "number": LinePart.FACTS,
    "country": LinePart.FACTS,
    "timezone": LinePart.FACTS,
    "practice": LinePart.FACTS,
    "opening_hours": LinePart.HOURS,
    "shown_number": LinePart.NUMBERS,
    "plan": LinePart.PLAN,
    "partner_doubted_at": LinePart.PLAN,
    "partner_to_look_at": LinePart.PLAN,
    "partner_lost_at": LinePart.PLAN,
    "partner_lost_of": LinePart.PLAN,
    "chat": LinePart.CHAT,
    "key_questions": LinePart.QUESTIONS,
    "active": LinePart.USE,
    "retired_at": LinePart.USE,
}
# No page, command or program changes them.
FIXED = {"id", "created_at", "danger_digit"}
TABLES = {
    "line_numbers": LinePart.NUMBERS,
    "line_languages": LinePart.LANGUAGES,
    "chat_accounts": LinePart.BOT,
    "chat_earlier_accounts": LinePart.BOT,
    # Each prompt has a way back of its own, in the place where it is changed.
    "prompts": None,
    "earlier_prompts": None,
    "earlier_numbers": None,
    # These are no settings: what happened, and who was told or asked.
    "alarms": None,
    "callbacks": None,
    "calls": None,
    "chat_feedback": None,
    "chat_fetched": None,
    "chat_opt_outs": None,
    "connection_tests": None,
    "coverage_alarms": None,
    # It waits beside the plan, and its way back is to withdraw it.
    "partner_requests": None,
}


def test_each_column_and_table_of_a_line_has_its_part_of_the_changes() -> None:
    assert set(COLUMNS) | FIXED == {one.name for one in Line.__table__.columns}
    of_lines = {
        table.name
        for table in tables.metadata.tables.values()
        if any(key.column.table.name == "lines" for key in table.foreign_keys)
    }
    assert of_lines == set(TABLES)
    parts = {*COLUMNS.values(), *TABLES.values()} - {None}
    assert parts == set(LinePart), "each part is of something that can be changed"


def test_each_kind_of_the_log_about_a_line_is_taken_back_or_belongs_elsewhere() -> None:
    of_lines = {kind for kind in AuditLog if kind.value.startswith("line_")}
    # It begins with being added. A line is retired and used again in the list of lines.
    elsewhere = {AuditLog.LINE_ADDED, AuditLog.LINE_RETIRED, AuditLog.LINE_TAKEN_INTO_USE}
    # The program has set it back itself.
    elsewhere.add(AuditLog.LINE_ACCOUNT_ELSEWHERE)
    assert set(line_changes.TAKEN_BACK) == of_lines - elsewhere
    assert set(line_changes.TAKEN_BACK) <= set(undoing.UNDOES), "also after an emergency access"


def test_refusals_say_what_to_do() -> None:
    refusals: list[Refusal] = [ChangedSince(), NumbersForgotten(), TokenNotKept()]
    assert all("by hand" in str(one) and one.status == 409 for one in refusals)
    assert "practice" in str(LineHasCalls())
