"""The settings of a line for written conversations: changed with a trace, and found by address."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, update

from app.calls.chat_rules import LISTS, ChatRules, check_chat, read_chat
from app.calls.lines import finding_lines, lines
from app.calls.lines.leading import Leads, of_pages, tell_supervisors
from app.calls.lines.line_rows import Line
from app.calls.reporting import country_page
from app.calls.speech import LineScript
from app.database.topics import Topic
from app.errors import Conflict, Invalid, why
from app.jobs.names import Task
from app.privacy.numbers import dialled
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import Work


class SlugTaken(Conflict):
    default = "Another line has this word in its address. Choose another one."


async def change_chat(work: Work, line: LineScript, **changes: Any) -> ChatRules:
    """Change how children write to a line; what is None stays, and an empty `slug` removes it.

    Raises Invalid, SlugTaken.
    """
    # Locked before it is read: another administrator may change another value at the same time.
    await lines.lock_line(work, line.id)
    row, line = await finding_lines.read_line(work, line.id)
    stored = row.chat
    before = read_chat(stored)
    given = {name: value for name, value in changes.items() if value is not None}
    if "slug" in given:
        given["slug"] = given["slug"] or None
    if given.get("report_page") == country_page(line.country):
        given["report_page"] = None
    for name in LISTS:
        if name in given:
            given[name] = tuple(dict.fromkeys(given[name]))
    rules = replace(before, **given)
    try:
        kept = check_chat(rules, tuple(one.language for one in (*line.languages, *line.removed)))
    except ValueError as error:
        raise Invalid("%(problem)s.", problem=why(error)) from None
    if rules == before:
        return rules
    if rules.slug is not None and await _of_slug(work, rules.slug) not in (None, line.id):
        raise SlugTaken()
    await work.session.execute(update(Line).where(Line.id == line.id).values(chat=kept))
    write_entry(
        work,
        AuditLog.LINE_CHAT_SET,
        str(line.id),
        before=stored,
        after=kept,
    )
    if (rules.on, rules.by) != (before.on, before.by):
        # A carrier keeps the messages of an account by which children do not write now.
        work.defer(Task.SET_UP_ACCOUNTS, line_id=str(line.id))
    work.announce(Topic.LINES)
    pages = of_pages(_pages(line, before), _pages(line, rules))
    different = {
        Leads.WORDS: _words(rules) != _words(before),
        Leads.ADDRESS: rules.slug != before.slug,
        Leads.SITES: set(rules.sites) != set(before.sites),
    }
    await tell_supervisors(work, line.id, *pages, *(one for one in different if different[one]))
    return rules


def _words(rules: ChatRules) -> tuple[object, ...]:
    """Return what a child reads of the rules of a line."""
    return dict(rules.closed), rules.title, rules.templates


def _pages(line: LineScript, rules: ChatRules) -> dict[str, str]:
    """Return the pages to which children who write are led."""
    reports = country_page(line.country) if rules.report_page is None else rules.report_page
    return {"exit": rules.exit_site, "report": reports or ""}


async def _of_slug(work: Work, slug: str) -> UUID | None:
    found: UUID | None = await work.session.scalar(_of_word(slug))
    return found


def _of_word(slug: str) -> Select[UUID]:
    return select(Line.id).where(Line.chat["slug"].astext == slug)


async def line_at(work: Work, address: str) -> LineScript | None:
    """Return the line of an address: its word, or its number with or without the plus sign."""
    line_id = await work.session.scalar(_of_word(address).where(Line.active))
    if line_id is None:
        numbers = [dialled(f"+{address}"), dialled(address)]
        line_id = await work.session.scalar(
            select(Line.id)
            .where(Line.number.in_([one for one in numbers if one]), Line.active)
            .limit(1)
        )
    return await finding_lines.line_of_id(work, line_id)
