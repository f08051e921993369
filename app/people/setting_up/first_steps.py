"""The check list of a new helpline: what is left until a call of a child is answered."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import exists, or_, select

from app.abilities import EndpointKind
from app.calls.lines import finding_lines, lines
from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.errors import Message, Refusal
from app.people.connection_rows import ConnectionTest, Found, Means
from app.referrals.directory.models import Agency
from app.routing.rota import on_duty, roster
from app.staff.log_kinds import AuditLog
from app.staff.log_rows import every_entry
from app.staff.models import Staff
from app.staff.roles import Role
from app.words.pages import N_
from app.work import Work

_IS_OVER = "first steps are over"
# A counsellor must be on duty within this time for the rota to count as begun.
_SOON = timedelta(days=1)


class StepKey(StrEnum):
    """A step of the check list."""

    ADMINISTRATOR = "administrator"
    LINE = "line"
    PROMPTS = "prompts"
    TELEPHONY = "telephony"
    TEST_CALL = "test_call"
    PEOPLE = "people"
    ROTA = "rota"
    DIRECTORY = "directory"
    MAIL = "mail"
    CALL = "call"


@dataclass(frozen=True)
class Step:
    """A step, whether it is done, and what it lacks."""

    key: StepKey
    done: bool
    why: Message | None = None
    # The helpline can answer calls without it.
    can_wait: bool = False


async def are_over(work: Work) -> bool:
    """Return whether a call of a child has been answered; then no step is shown any more."""
    kept = work.ground.kept
    if not kept.get(_IS_OVER):
        kept[_IS_OVER] = await _is_any_call_answered(work)
    return bool(kept[_IS_OVER])


async def _is_any_call_answered(work: Work) -> bool:
    answered = (
        exists()
        .select_from(Call)
        .where(Call.answered_at.is_not(None), Call.line_id == Line.id, Line.practice.is_(False))
    )
    return bool(await work.session.scalar(select(answered)))


async def steps(work: Work) -> list[Step]:
    """Measure every step, in the order in which they are done."""
    in_use = [one for one in await finding_lines.all_lines(work) if not one.practice]
    return [
        Step(StepKey.ADMINISTRATOR, await _is_any(work, *_signs_in(Role.ADMINISTRATOR))),
        Step(StepKey.LINE, bool(in_use)),
        await _prompts(work, in_use),
        await _telephony(work),
        Step(StepKey.TEST_CALL, await _has_heard_a_test(work), can_wait=True),
        await _people(work),
        await _rota(work),
        Step(
            StepKey.DIRECTORY,
            bool(await work.session.scalar(select(exists().select_from(Agency)))),
            can_wait=True,
        ),
        Step(StepKey.MAIL, work.settings.smtp_url is not None, can_wait=True),
        Step(StepKey.CALL, await are_over(work)),
    ]


def _signs_in(role: Role) -> list[Any]:
    return [Staff.active, Staff.role == role.value, Staff.password_hash.is_not(None)]


async def _is_any(work: Work, *which: Any) -> bool:
    return bool(await work.session.scalar(select(exists().select_from(Staff).where(*which))))


async def _prompts(work: Work, in_use: list[Line]) -> Step:
    """Every prompt can be said in every language of every line."""
    why: Message | None = None
    for line in in_use:
        _row, script = await finding_lines.read_line(work, line.id)
        for spoken in script.languages:
            try:
                await lines.check_speakable(work, spoken.language, line.id)
            except Refusal as refusal:
                why = refusal.message
    return Step(StepKey.PROMPTS, bool(in_use) and why is None, why)


async def _has_heard_a_test(work: Work) -> bool:
    """Return whether a phone was rung for a test, and answered."""
    heard = (
        exists()
        .select_from(ConnectionTest)
        .where(
            ConnectionTest.means == Means.TELEPHONY.value,
            ConnectionTest.result == Found.DELIVERED.value,
        )
    )
    return bool(await work.session.scalar(select(heard)))


async def _telephony(work: Work) -> Step:
    """The numbers were set up at the provider, or a call has come."""
    if not work.settings.has_telephony:
        why = Message(
            N_(
                "The server does not know the account at the provider yet. Give the person who "
                "runs the server the account number and the secret that the provider shows when "
                "you sign in there (at Twilio: Account SID and Auth Token). They write both into "
                "the settings of the server and start the program again."
            )
        )
        return Step(StepKey.TELEPHONY, False, why)
    entry = every_entry()
    set_up = (
        exists()
        .select_from(entry)
        .where(
            entry.action == AuditLog.TELEPHONY_SET_UP,
            entry.detail["done"].as_integer() > 0,
        )
    )
    rung = exists().select_from(Call).where(Call.line_id == Line.id, Line.practice.is_(False))
    return Step(StepKey.TELEPHONY, bool(await work.session.scalar(select(or_(set_up, rung)))))


async def _people(work: Work) -> Step:
    """A counsellor can take calls: at a page, or on a phone."""
    takes = [Staff.active, Staff.role == Role.COUNSELLOR.value, Staff.training.is_(False)]
    on_phone = Staff.endpoint_kind != EndpointKind.BROWSER
    ready = await _is_any(work, *takes, or_(Staff.password_hash.is_not(None), on_phone))
    why = None
    if not ready and await _is_any(work, *takes):
        why = Message(N_("No counsellor has opened the invitation yet."))
    return Step(StepKey.PEOPLE, ready, why)


async def _rota(work: Work) -> Step:
    """A counsellor is on duty now, or within a day."""
    rota = await roster.rota_of(work)
    return Step(StepKey.ROTA, bool(on_duty.stretches(rota, work.now, work.now + _SOON)))
