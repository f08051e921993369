"""What was changed of a line, as the log of acts holds it, and taking a change back.

A change is taken back by the verb that made it, with its checks, and is an entry of its own in the
log. What a line says has a way back of its own, in `app/calls/prompts.py`.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, select

from app.calls import key_questions, reporting
from app.calls.chat_rules import ChatRules
from app.calls.lines import chat_lines, finding_lines, line_facts, line_languages, lines
from app.calls.lines.line_facts import LineHasCalls
from app.calls.lines.line_rows import EarlierNumbers, Line
from app.calls.speech import LineScript
from app.calls.states import Channel
from app.chats import accounts as carrier_accounts
from app.chats import earlier_accounts
from app.errors import Conflict, NotFound, Refusal
from app.routing import changing_plans
from app.routing.plan import Plan
from app.staff import accounts as staff_accounts
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry
from app.work import Work


class LinePart(StrEnum):
    """A part of a line that is changed by itself."""

    NAME = "name"
    LANGUAGES = "languages"
    FACTS = "facts"
    HOURS = "hours"
    NUMBERS = "numbers"
    PLAN = "plan"
    CHAT = "chat"
    QUESTIONS = "questions"
    # The account of the line at a carrier, such as a bot.
    BOT = "bot"
    # Whether the line is in use, or retired.
    USE = "use"


_PARTS = {
    AuditLog.LINE_RENAMED: LinePart.NAME,
    AuditLog.LINE_LANGUAGE_ADDED: LinePart.LANGUAGES,
    AuditLog.LINE_LANGUAGE_REMOVED: LinePart.LANGUAGES,
    AuditLog.LINE_FACTS_SET: LinePart.FACTS,
    AuditLog.LINE_HOURS_SET: LinePart.HOURS,
    AuditLog.LINE_NUMBERS_SET: LinePart.NUMBERS,
    AuditLog.LINE_PLAN_SET: LinePart.PLAN,
    AuditLog.LINE_CHAT_SET: LinePart.CHAT,
    AuditLog.LINE_KEY_QUESTIONS_SET: LinePart.QUESTIONS,
    AuditLog.LINE_ACCOUNT_SET: LinePart.BOT,
    AuditLog.LINE_ACCOUNT_REMOVED: LinePart.BOT,
    AuditLog.LINE_RETIRED: LinePart.USE,
    AuditLog.LINE_TAKEN_INTO_USE: LinePart.USE,
}
# The values of a part that are not stored, because they are the usual ones.
_USUAL: Mapping[LinePart, Mapping[str, Any]] = {
    LinePart.PLAN: asdict(Plan()),
    LinePart.CHAT: asdict(ChatRules()),
}

Values = dict[str, Any]


class _Bots(NamedTuple):
    """What of the accounts of a line at carriers can come back."""

    # Carrier and account of those whose token is kept.
    kept: Collection[tuple[str, str]]
    # The carriers at which another token of the present account is kept.
    other_tokens: Collection[Channel]
    # The number of the last change at each carrier.
    last: Mapping[Channel, int]


class LineChange(NamedTuple):
    """A change of a line. For a number, `before` and `after` hold only the ends."""

    # The number of its entry in the log.
    id: int
    at: datetime
    # The name of who made it; None for the command line.
    by: str | None
    part: LinePart
    before: Values
    after: Values
    # The carrier of an account that was changed.
    carrier: Channel | None
    # What taking it back would be refused with; None: it can be taken back.
    why_not: Refusal | None

    @property
    def can_be_taken_back(self) -> bool:
        return self.why_not is None


class ChangedSince(Conflict):
    default = (
        "This has been changed again since then, so it was left as it is. Take the later change "
        "back first, or set it by hand."
    )


class NumbersForgotten(Conflict):
    default = (
        "The log holds only the ends of these numbers, and the whole ones are not kept any more. "
        "Set them by hand."
    )


class TokenNotKept(Conflict):
    default = (
        "The token of the bot before is not kept. Set the token by hand, where the line says "
        "how children write."
    )


class SetWithTheList(Conflict):
    default = (
        "A line is retired at the end of its page, and taken back into use in the list of lines."
    )


# The parts whose changes are listed here, and taken back elsewhere.
_ELSEWHERE: Mapping[LinePart, type[Refusal]] = {LinePart.USE: SetWithTheList}
# Those of the acts that are listed that `take_back` can undo.
TAKEN_BACK = tuple(kind for kind, part in _PARTS.items() if part not in _ELSEWHERE)


async def changes_of(work: Work, line_id: UUID) -> list[LineChange]:
    """Return the last changes of a line, the newest first. Raises NotFound."""
    entries = await work.session.scalars(
        _entries(line_id).order_by(AuditEntry.id.desc()).limit(lines.CHANGES_KEPT)
    )
    return await described(work, line_id, list(entries))


async def described(work: Work, line_id: UUID, entries: list[AuditEntry]) -> list[LineChange]:
    """Return changes of a line, of which these are the entries. Raises NotFound."""
    row, line = await finding_lines.read_line(work, line_id)
    bots = await _bots(work, line_id)
    present, kept = await _present(work, row, line), await _numbers_of(work, entries)
    has_calls = await line_facts.has_calls(work, line_id)
    makers = {id_ for one in entries if (id_ := _uuid(one.actor)) is not None}
    names = {str(id_): name for id_, name in (await staff_accounts.names_of(work, makers)).items()}
    found = []
    for entry in entries:
        part, (before, after) = _PARTS[AuditLog(entry.action)], _in_log(entry)
        found.append(
            LineChange(
                id=entry.id,
                at=entry.at,
                by=names.get(entry.actor),
                part=part,
                carrier=_carrier(entry),
                before=_shown(part, before, after),
                after=_shown(part, after, before),
                why_not=_elsewhere(entry, bots)
                or _why_not(part, _whole(entry, kept), present, has_calls=has_calls),
            )
        )
    return found


def _why_not(
    part: LinePart,
    whole: tuple[Values, Values] | None,
    present: dict[LinePart, Values],
    *,
    has_calls: bool,
) -> Refusal | None:
    """Return what taking a change back would be refused with, as far as the line alone says."""
    if whole is None:
        return NumbersForgotten()
    if not _is_as_left(whole, present[part]):
        return ChangedSince()
    return LineHasCalls() if has_calls and "practice" in _changed(*whole) else None


async def take_back(work: Work, line_id: UUID, change_id: int) -> None:
    """Put in force again what was before a change of a line; the next caller meets it.

    Raises NotFound, TokenNotKept, SetWithTheList, ChangedSince, NumbersForgotten, and what the verb
    of the part raises if the earlier values do not fit any more.
    """
    # Locked first: of two clicks one takes the change back, and the other one is refused.
    # All lines, in the order in which its verb does.
    await lines.lock_lines(work)
    row, line = await finding_lines.read_line(work, line_id)
    entry = await work.session.scalar(_entries(line_id).where(AuditEntry.id == change_id))
    if entry is None:
        raise NotFound("There is no such change of this line.")
    part = _PARTS[AuditLog(entry.action)]
    if (refusal := _elsewhere(entry, await _bots(work, line_id))) is not None:
        raise refusal
    whole = _whole(entry, await _numbers_of(work, [entry]))
    if whole is None:
        raise NumbersForgotten()
    if not _is_as_left(whole, (await _present(work, row, line))[part]):
        raise ChangedSince()
    before, after = whole
    # If the bot stayed the same, its token was changed, and is set again.
    names = before if part is LinePart.BOT else _changed(before, after)
    values = {name: before.get(name) for name in names}
    # A number that was set by mistake does not lead here, and one that stood behind the line stays.
    keeps_former = entry.detail.get(line_facts.STOOD_BEHIND, True)
    await _set(work, line, part, values, keeps_former=keeps_former)


async def _set(
    work: Work, line: LineScript, part: LinePart, values: Values, *, keeps_former: bool
) -> None:
    """Set values of a part of a line by its own verb; None is the usual value.

    The present number stays behind the line if `keeps_former`.
    """
    match part:
        case LinePart.NAME:
            await lines.rename(work, line, values["name"])
        case LinePart.LANGUAGES:
            await line_languages.set_languages(work, line, values["languages"])
        case LinePart.FACTS:
            await line_facts.change_facts(work, line, **values, keeps_former=keeps_former)
        case LinePart.HOURS:
            await lines.set_opening_hours(work, line, values["hours"])
        case LinePart.NUMBERS:
            shown = values["shown_number"] or "" if "shown_number" in values else None
            await lines.change_numbers(
                work, line, leads_here=values.get("leads_here"), shown_number=shown
            )
        case LinePart.PLAN:
            await changing_plans.change_plan(work, line, **_given(part, values))
        case LinePart.CHAT:
            given = _given(part, values)
            if "report_page" in values and values["report_page"] is None:
                # Its usual value is not none: the page of the country is no page of the line's own.
                given["report_page"] = reporting.country_page(line.country)
            await chat_lines.change_chat(work, line, **given)
        case LinePart.QUESTIONS:
            await key_questions.set_questions(work, line, values["key_questions"])
        case LinePart.BOT:
            for carrier, account in values.items():
                await _set_account(work, line, Channel(carrier), account)


async def _set_account(work: Work, line: LineScript, carrier: Channel, account: str | None) -> None:
    if account is None:
        await carrier_accounts.remove(work, line, carrier)
        return
    token: str | None = account
    if carrier not in earlier_accounts.WITHOUT_TOKEN:
        token = await earlier_accounts.token_of(work, line.id, carrier, account)
    if token is None:
        raise TokenNotKept()
    await carrier_accounts.set_token(work, line, carrier, token)


def _given(part: LinePart, values: Values) -> Values:
    """Return values as the verb takes them: None leaves a value as it is, and "" is none."""
    usual = _USUAL[part]
    # A value that the program knew once is left out.
    known = {name: value for name, value in values.items() if name in usual}
    wanted = {name: usual[name] if value is None else value for name, value in known.items()}
    return {name: "" if value is None else value for name, value in wanted.items()}


def _entries(line_id: UUID) -> Select[AuditEntry]:
    return select(AuditEntry).where(
        AuditEntry.subject == str(line_id), AuditEntry.action.in_([one.value for one in _PARTS])
    )


def _in_log(entry: AuditEntry) -> tuple[Values, Values]:
    """Return what an entry says was before and after, by the names of the values."""
    before, after = entry.detail.get("before"), entry.detail.get("after")
    if entry.action == AuditLog.LINE_RENAMED:
        return {"name": before}, {"name": after}
    return before or {}, after or {}


def _carrier(entry: AuditEntry) -> Channel | None:
    """Return the carrier whose account an entry is about."""
    if _PARTS[AuditLog(entry.action)] is not LinePart.BOT:
        return None
    before, after = _in_log(entry)
    return Channel((after or before)["carrier"])


def _elsewhere(entry: AuditEntry, bots: _Bots) -> Refusal | None:
    """Return the refusal that says where a change is taken back that is only listed here."""
    part, carrier = _PARTS[AuditLog(entry.action)], _carrier(entry)
    if carrier is not None and carrier not in earlier_accounts.WITHOUT_TOKEN:
        before, after = (side.get("account") for side in _in_log(entry))
        if before is not None and (carrier, before) not in bots.kept:
            return TokenNotKept()
        if before is not None and before == after:
            return _of_token(entry, carrier, bots)
    return _ELSEWHERE[part]() if part in _ELSEWHERE else None


def _of_token(entry: AuditEntry, carrier: Channel, bots: _Bots) -> Refusal | None:
    """Return why a change of the token alone cannot be taken back: the log holds no token, so that
    only the last change can be."""
    if bots.last[carrier] != entry.id:
        return ChangedSince()
    return None if carrier in bots.other_tokens else TokenNotKept()


async def _bots(work: Work, line_id: UUID) -> _Bots:
    kinds = [kind.value for kind, part in _PARTS.items() if part is LinePart.BOT]
    entries = await work.session.scalars(
        select(AuditEntry)
        .where(AuditEntry.subject == str(line_id), AuditEntry.action.in_(kinds))
        .order_by(AuditEntry.id)
    )
    return _Bots(
        kept=await earlier_accounts.kept_of(work, line_id),
        other_tokens={
            one
            for one in carrier_accounts.CARRIERS
            if one not in earlier_accounts.WITHOUT_TOKEN
            and await carrier_accounts.has_earlier_token(work, line_id, one)
        },
        last={one: entry.id for entry in entries if (one := _carrier(entry)) is not None},
    )


def _changed(before: Values, after: Values) -> list[str]:
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def _shown(part: LinePart, values: Values, others: Values) -> Values:
    """Return the values that differ between two sides of a change, with usual ones filled in."""
    usual = _USUAL.get(part, {})
    return {
        name: usual.get(name) if values.get(name) is None else values[name]
        for name in _changed(values, others)
    }


def _is_as_left(whole: tuple[Values, Values], present: Values) -> bool:
    before, after = whole
    return all(present.get(name) == after.get(name) for name in _changed(before, after))


def _whole(entry: AuditEntry, kept: dict[str, EarlierNumbers]) -> tuple[Values, Values] | None:
    """Return what was before and after, with whole numbers; None if these are not kept."""
    before, after = _in_log(entry)
    if (carrier := _carrier(entry)) is not None:
        return {carrier: before.get("account")}, {carrier: after.get("account")}
    if entry.action != AuditLog.LINE_NUMBERS_SET and "partner_number" not in {**before, **after}:
        return before, after
    numbers = kept.get(entry.detail.get("change", ""))
    if numbers is None:
        return None
    if entry.action == AuditLog.LINE_NUMBERS_SET:
        return numbers.before, numbers.after
    return {**before, **numbers.before}, {**after, **numbers.after}


async def _numbers_of(work: Work, entries: list[AuditEntry]) -> dict[str, EarlierNumbers]:
    """Return the whole numbers of changes, by the id that their entries name."""
    named = {id_ for one in entries if (id_ := _uuid(one.detail.get("change", ""))) is not None}
    rows = await work.session.scalars(select(EarlierNumbers).where(EarlierNumbers.id.in_(named)))
    return {str(one.id): one for one in rows}


async def _accounts(work: Work, line: LineScript) -> Values:
    """Return the account of a line at each carrier, by which it is known there."""
    found = {
        one: await carrier_accounts.account_of(work, line.id, one)
        for one in carrier_accounts.CARRIERS
    }
    return {one: row.their_id if row is not None else None for one, row in found.items()}


async def _present(work: Work, row: Line, line: LineScript) -> dict[LinePart, Values]:
    """Return what is in force now, by the names of the log or, of numbers, of the verb."""
    return {
        LinePart.NAME: {"name": row.name},
        LinePart.LANGUAGES: {"languages": [one.language for one in line.languages]},
        LinePart.FACTS: line_facts.facts_of(row),
        LinePart.HOURS: {"hours": row.opening_hours},
        LinePart.NUMBERS: {
            "leads_here": await finding_lines.numbers_behind(work, line),
            "shown_number": row.shown_number,
        },
        LinePart.PLAN: row.plan,
        LinePart.CHAT: row.chat,
        LinePart.QUESTIONS: {"key_questions": key_questions.questions_in(row.key_questions)},
        LinePart.BOT: await _accounts(work, line),
    }


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
