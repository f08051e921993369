"""The JSON interface of retention: how long each kind is kept, what a run would erase, holds."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from app.definitions import in_force
from app.retention import by_country, holds, running
from app.retention.country import read_country
from app.retention.holds import LONGEST_REASON, Held
from app.retention.kinds import MOST_DAYS, DataKind, Decider, HeldKind, least_days
from app.retention.rules import Rules, default_of, read_rules, set_rules
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["retention"], prefix="/retention", route_class=StrictRoute)
Sees = Annotated[Staff, Depends(Requires(Permission.SEE_RETENTION), scope="function")]
Keeps = Annotated[Staff, Depends(Requires(Permission.KEEP_RETENTION), scope="function")]
Holds = Annotated[Staff, Depends(Requires(Permission.HOLD_RECORDS), scope="function")]
_Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]


class RuleView(BaseModel):
    kind: DataKind
    # Whose rule it is: of the last decision.
    decided_by: Decider
    # null: for ever.
    days: int | None
    # A shorter rule that was decided, and from when on it holds; null: there is none.
    next_days: int | None
    next_at: datetime | None
    default_days: int | None
    # The fewest days that a rule may say.
    least_days: int


class ReceiptView(BaseModel):
    """What one run erased of a kind, and by which rule."""

    at: datetime
    kind: DataKind
    rows: int
    days: int


class CountryView(BaseModel):
    """What the definitions of the country say: the rule of a kind that the helpline has not decided
    itself."""

    source: str
    # null: for ever. Kinds of which the country says nothing are left out.
    days: dict[DataKind, int | None]


class RetentionView(BaseModel):
    """The rules. Send `revision` back with a change: of two at once, the second is refused."""

    revision: int
    rules: list[RuleView]
    receipts: list[ReceiptView]
    # null: the definitions of the country say nothing of it.
    country: CountryView | None


class RulesIn(BaseModel):
    """For how many days each kind is kept; null means for ever. What is left out stays."""

    revision: int | None = None
    rules: dict[DataKind, _Days | None]


class FollowIn(BaseModel):
    """A kind whose own rule is given up."""

    revision: int | None = None
    kind: DataKind


class DueView(BaseModel):
    """How many rows of a kind a run would erase now, and from when the oldest is.

    In the log, entries from `held_from` on are old enough, and stay because a record is held.
    """

    kind: DataKind
    days: int | None
    rows: int
    oldest: datetime | None
    held_from: datetime | None


class HoldView(BaseModel):
    """A hold in force. Why a record is held is read with the record alone."""

    record: HeldKind
    record_id: UUID
    code: str
    held_at: datetime
    held_by: UUID | None


class HoldIn(BaseModel):
    reason: str = Field(max_length=LONGEST_REASON)


class HoldByCode(HoldIn):
    code: str = Field(max_length=40)


async def _view(work: Work, rules: Rules) -> RetentionView:
    country = read_country(in_force.folder_of(work.ground))
    return RetentionView(
        revision=rules.revision,
        rules=[
            RuleView(
                kind=kind,
                decided_by=rules.deciders[kind],
                days=days,
                next_days=rules.coming[kind].days if kind in rules.coming else None,
                next_at=rules.coming[kind].at if kind in rules.coming else None,
                default_days=default_of(work, kind),
                least_days=least_days(kind),
            )
            for kind, days in rules.days.items()
        ],
        receipts=[
            ReceiptView(at=one.at, kind=DataKind(one.kind), rows=one.rows, days=one.days)
            for one in await running.receipts(work)
        ],
        country=CountryView(source=country.source, days=country.rules) if country else None,
    )


def _hold_view(held: Held) -> HoldView:
    return HoldView(
        record=held.kind,
        record_id=held.subject_id,
        code=held.code,
        held_at=held.held_at,
        held_by=held.held_by,
    )


@router.get("")
async def retention(work: InWork, _staff: Sees) -> RetentionView:
    """Return the rules, and what was erased when."""
    return await _view(work, await read_rules(work))


@router.put("")
async def change_rules(work: InWork, _staff: Keeps, asked: RulesIn) -> RetentionView:
    """Change rules. A longer one holds at once, a shorter one after seven days: colleagues are
    told, and an administrator can set the former days again until then."""
    return await _view(work, await set_rules(work, asked.rules, revision=asked.revision))


@router.post("/follow")
async def follow_country(work: InWork, _staff: Keeps, asked: FollowIn) -> RetentionView:
    """Give up the helpline's own rule of a kind: that of the country counts again, or the default
    if the country says nothing of it. A shorter one holds after seven days."""
    rules = await by_country.follow_again(work, asked.kind, revision=asked.revision)
    return await _view(work, rules)


@router.get("/dry-run")
async def dry_run(work: InWork, _staff: Sees) -> list[DueView]:
    """Return what a run would erase now; nothing is changed."""
    return [
        DueView(
            kind=due.kind,
            days=due.days,
            rows=due.rows,
            oldest=due.oldest,
            held_from=due.held_from,
        )
        for due in await running.dry_run(work)
    ]


@router.post("/run", status_code=202)
async def run(work: InWork, _staff: Keeps) -> None:
    """Erase what is due now, and do not wait for the night; the receipts of GET /retention tell
    what it was."""
    running.ask_run(work)


@router.get("/holds")
async def list_holds(work: InWork, _staff: Sees) -> list[HoldView]:
    """Return the holds in force, oldest first."""
    return [_hold_view(held) for held in await holds.open_holds(work)]


@router.post("/holds", status_code=204)
async def hold_by_code(work: InWork, staff: Holds, asked: HoldByCode) -> None:
    """Hold the record with a code: it is not erased until the hold is lifted."""
    kind, record_id = await holds.find_by_code(work, staff, asked.code)
    await holds.hold(work, staff, kind, record_id, asked.reason)


@router.post("/{record}/{record_id}/hold", status_code=204)
async def hold(
    work: InWork, staff: Holds, record: HeldKind, record_id: UUID, asked: HoldIn
) -> None:
    """Hold a record: it is not erased until the hold is lifted."""
    await holds.hold(work, staff, record, record_id, asked.reason)


@router.post("/{record}/{record_id}/lift", status_code=204)
async def lift(work: InWork, staff: Holds, record: HeldKind, record_id: UUID) -> None:
    """Lift the hold of a record."""
    await holds.lift(work, staff, record, record_id)
