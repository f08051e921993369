"""Settings that were changed under an emergency access go back when it has ended.

They are those that give access, or send calls, words or figures elsewhere: wallboards; bots of
lines, whether a line is in use, and all that the changes of a line hold; a number of a partner that
waits for a second person; what callers hear; translations; times and limits; the rules of dialling
and of signing in; definitions.

The log says what they were. What another person has changed since is theirs and stays. The rest of
what was done is listed for the review.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.administration import languages, line_changes, own_settings
from app.calls import prompts
from app.calls.lines import finding_lines, line_use
from app.calls.speech import LineScript
from app.calls.states import Channel
from app.chats import accounts as bots
from app.country import sets
from app.definitions.models import DefinitionOrder
from app.dialling import outward
from app.errors import Conflict
from app.jobs.transaction import send_rows
from app.people import dialling, wallboards
from app.people.traces.acts import acts_under, stopped_maker
from app.people.traces.kept import kept_of
from app.people.traces.outcome import UndoOutcome, done
from app.routing import partners
from app.staff import sign_in_rules
from app.staff.emergency_rows import Emergency, EmergencyState
from app.staff.log_kinds import AuditLog
from app.staff.log_values import (
    EVERY_LINE,
    AccountSaid,
    Changed,
    PartnerAsked,
    PromptSaid,
    SetSaid,
    WordsSaid,
)
from app.staff.models import AuditEntry
from app.work import Work

_OF_USE = (AuditLog.LINE_RETIRED, AuditLog.LINE_TAKEN_INTO_USE)
_OF_BOTS = (AuditLog.LINE_ACCOUNT_SET, AuditLog.LINE_ACCOUNT_REMOVED)


@dataclass(frozen=True)
class Scene:
    """An emergency access, what was kept at its opening, and the acts under it by their numbers."""

    row: Emergency
    kept: dict[str, Any]
    acts: list[int]


class ChangedSince(Conflict):
    default = "Another person has changed this since then."


async def undo_settings(work: Work, emergency_id: UUID) -> None:
    """Put back the settings that were changed under an emergency access. May run twice."""
    row = await work.session.get(Emergency, emergency_id, with_for_update=True)
    if row is None or row.state != EmergencyState.ENDED:
        return
    work.actor = replace(work.actor, emergency=row.id)
    await send_rows(work)
    outcome = UndoOutcome()
    if row.decided_at is not None and row.settings_back_at is None:
        acts = await acts_under(work, row, tuple(UNDOES))
        scene = Scene(row, kept_of(work, row), [act.id for act in acts])
        for act in reversed(acts):
            undoes = UNDOES[AuditLog(act.action)]
            outcome.note([act], await done(work, partial(undoes, work, act, scene)))
        outcome.log(work, row)
    row.settings_back_at, row.before_sealed = work.now, None
    await work.session.flush()


async def _check_not_changed(
    work: Work, act: AuditEntry, scene: Scene, *kinds: AuditLog, **detail: str
) -> None:
    """Check that nothing was changed by another person after this act. Raises ChangedSince."""
    others = select(AuditEntry.id).where(
        AuditEntry.action.in_([kind.value for kind in kinds]),
        AuditEntry.subject == act.subject,
        AuditEntry.id > act.id,
        AuditEntry.id.not_in(scene.acts),
        AuditEntry.detail["emergency"].astext.is_distinct_from(str(scene.row.id)),
        *(AuditEntry.detail[name].astext == value for name, value in detail.items()),
    )
    if await work.session.scalar(others.limit(1)) is not None:
        raise ChangedSince()


async def _wallboard(work: Work, act: AuditEntry, _scene: Scene) -> None:
    await wallboards.withdraw(work, UUID(act.subject), await stopped_maker(work, act))


async def _line(work: Work, act: AuditEntry, _scene: Scene) -> None:
    await line_changes.take_back(work, UUID(act.subject), act.id)


async def _use(work: Work, act: AuditEntry, scene: Scene) -> None:
    """Take a line into use again that was retired, or retire one that was taken into use."""
    await _check_not_changed(work, act, scene, *_OF_USE)
    line_id = UUID(act.subject)
    if act.action == AuditLog.LINE_RETIRED:
        await line_use.take_into_use(work, line_id)
    else:
        await line_use.retire(work, line_id)


async def _bot(work: Work, act: AuditEntry, scene: Scene) -> None:
    """Give a line the bot back that it had, or none."""
    changed = Changed.of(act.detail)
    channel = Channel(AccountSaid.of(changed.after or changed.before).carrier)
    await _check_not_changed(work, act, scene, *_OF_BOTS)
    token = next(
        (
            token
            for line_id, carrier, token in scene.kept.get("bots", [])
            if (line_id, carrier) == (act.subject, channel)
        ),
        None,
    )
    line = await _line_of(work, act)
    present = await bots.account_of(work, line.id, channel)
    if token is not None:
        if present is None or bots.token_of(work, present) != token:
            await bots.set_token(work, line, channel, token)
    elif present is not None:
        await bots.remove(work, line, channel)


async def _line_of(work: Work, act: AuditEntry) -> LineScript:
    _row, line = await finding_lines.read_line(work, UUID(act.subject))
    return line


async def _prompt(work: Work, act: AuditEntry, scene: Scene) -> None:
    said = PromptSaid.of(act.detail)
    await _check_not_changed(work, act, scene, AuditLog.PROMPT_CHANGED, **said.kept())
    line = None if act.subject == EVERY_LINE else await _line_of(work, act)
    await prompts.take_back(work, line, said.language, said.key)


async def _words(work: Work, act: AuditEntry, _scene: Scene) -> None:
    await languages.take_back(work, WordsSaid.of(Changed.of(act.detail).after).number)


async def _partner(work: Work, act: AuditEntry, _scene: Scene) -> None:
    """Refuse the number of a partner that still waits for a second person."""
    with suppress(partners.NothingWaits):
        request = UUID(PartnerAsked.of(act.detail).change)
        await partners.decide(work, request, by=None, approve=False, withdrawn=True)


async def _own(work: Work, act: AuditEntry, _scene: Scene) -> None:
    known, changed = await own_settings.read_own(work), Changed.of(act.detail)
    # A setting that the program knew once is left out.
    after = {name: one for name, one in changed.after.items() if name in known.values}
    if any(known.values[name] != value for name, value in after.items()):
        raise ChangedSince()
    server = {one.name: one.server for one in known.settings}
    back = {
        name: None if value == server[name] else value
        for name, value in changed.before.items()
        if name in after
    }
    await own_settings.change(work, back, held_before=True)


async def _dialling(work: Work, act: AuditEntry, _scene: Scene) -> None:
    now, changed = dialling.values_of(await outward.read_rules(work)), Changed.of(act.detail)
    if any(now[name] != value for name, value in changed.after.items()):
        raise ChangedSince()
    await dialling.change(work, dialling.RuleChanges(**changed.before))


async def _sign_in(work: Work, act: AuditEntry, _scene: Scene) -> None:
    changed = Changed.of(act.detail)
    if await sign_in_rules.sign_in_rules(work) != sign_in_rules.rules_said(changed.after):
        raise ChangedSince()
    before = sign_in_rules.rules_said(changed.before)
    await sign_in_rules.set_sign_in_rules(work, before, knowingly=True)


async def _definitions(work: Work, act: AuditEntry, _scene: Scene) -> None:
    order_id = await work.session.scalar(
        select(DefinitionOrder.id).where(
            DefinitionOrder.set_id == SetSaid.of(Changed.of(act.detail).after).set,
            DefinitionOrder.ordered_at == act.at,
        )
    )
    if order_id is None:
        raise ChangedSince()
    await sets.take_back(work, order_id)


_Undoes = Callable[[Work, AuditEntry, Scene], Awaitable[None]]
UNDOES: dict[AuditLog, _Undoes] = {
    AuditLog.WALLBOARD_MADE: _wallboard,
    AuditLog.SETTINGS_CHANGED: _own,
    AuditLog.DIALLING_CHANGED: _dialling,
    AuditLog.SIGN_IN_RULES_SET: _sign_in,
    AuditLog.PROMPT_CHANGED: _prompt,
    AuditLog.PARTNER_ASKED: _partner,
    AuditLog.WORDS_IMPORTED: _words,
    AuditLog.DEFINITIONS_PUT_IN_FORCE: _definitions,
    **dict.fromkeys(line_changes.TAKEN_BACK, _line),
    **dict.fromkeys(_OF_USE, _use),
    **dict.fromkeys(_OF_BOTS, _bot),
}
