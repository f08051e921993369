"""The open shifts of a week, as the page of the rota shows them."""

from dataclasses import dataclass
from uuid import UUID

from app.dashboard.rota.week_blocks import LAYER_WORDS, Week, span_words
from app.dashboard.views import language_words
from app.routing.rota import open_shifts
from app.routing.rota.shifts import Layer
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.words.pages import list_words, said
from app.work import Work


@dataclass(frozen=True)
class OpenLine:
    """An open shift: when, for whom, who has it, and what the reader may do."""

    id: UUID
    when: str
    about: str
    note: str
    places: int
    left: int
    names: str
    may_sign_up: bool
    may_sign_off: bool
    may_withdraw: bool


async def open_lines(
    work: Work, staff: Staff, week: Week, names: dict[UUID, str]
) -> list[OpenLine]:
    """Return the open shifts of a week, for a reader."""
    takes = may(staff.role, Permission.TAKE_CALLS)
    plans = may(staff.role, Permission.PLAN_ROSTER)
    lines = []
    for one in await open_shifts.offered_between(work, week.since, week.until):
        row, mine = one.row, staff.id in one.taken_by
        speaks = not staff.languages or row.language in (None, *staff.languages)
        ahead = row.from_at > work.now
        about = (
            said(LAYER_WORDS[Layer(row.layer)]),
            language_words(row.language) if row.language else "",
        )
        lines.append(
            OpenLine(
                row.id,
                span_words((row.from_at, row.until_at), week.zone),
                list_words(part for part in about if part),
                row.note,
                row.places,
                one.left,
                list_words(names.get(who, "?") for who in one.taken_by),
                may_sign_up=takes and ahead and not mine and one.left > 0 and speaks,
                may_sign_off=mine and ahead,
                may_withdraw=plans and row.until_at > work.now,
            )
        )
    return lines
