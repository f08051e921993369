"""The JSON interface of planning: proposed rotas, templates of weeks, and working times."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.rota.roster import Plans, copy_view, left_out_views
from app.api.rota.roster_bodies import CopyView, LeftOutView, Text
from app.routing.rota import changes, templates, working_times
from app.routing.rota.planning_rows import DutyState, ProposalState, RotaProposal
from app.routing.rota.proposals import proposals
from app.routing.rota.proposals.problem import Bar
from app.web.access import InWork
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["roster"], route_class=StrictRoute)
_Times = Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=6)]


# -- working times -----------------------------------------------------------------------


class TimesIn(BaseModel):
    """How many hours a week a person works, and when they can."""

    hours: Annotated[float, Field(ge=0, le=168)]
    # By day (MO to SU) times like 08:00-16:00; without it at any time.
    available: dict[Annotated[str, Field(max_length=2)], _Times] | None = None


class TimesView(BaseModel):
    hours: float
    available: dict[str, list[str]] | None


class PersonTimesView(TimesView):
    staff_id: UUID


def _times_view(times: working_times.Times) -> TimesView:
    days = times.by_day() if times.available is not None else None
    return TimesView(hours=times.minutes / 60, available=days)


@router.get("/roster/working-times")
async def list_working_times(work: InWork, _staff: Plans) -> list[PersonTimesView]:
    """Return the working times that are written down. For others the usual hours count."""
    known = await working_times.all_times(work)
    return [
        PersonTimesView(staff_id=one.id, **_times_view(known[one.id]).model_dump())
        for one in await changes.people_of_rota(work)
        if one.id in known
    ]


@router.put("/roster/working-times/{staff_id}")
async def set_working_times(work: InWork, staff: Plans, staff_id: UUID, body: TimesIn) -> TimesView:
    """Write down how many hours a week a person works, and when they can."""
    available = None
    if body.available is not None:
        available = working_times.read_available(body.available)
    return _times_view(await working_times.set_times(work, staff, staff_id, body.hours, available))


# -- proposals ---------------------------------------------------------------------------


class ProposalIn(BaseModel):
    # Any day of the first week; without it the next week.
    first_on: date | None = None
    weeks: Annotated[int, Field(ge=1, le=proposals.MOST_WEEKS)] = 1


class ProposedDutyView(BaseModel):
    id: UUID
    counsellor_id: UUID
    begins_at: datetime
    ends_at: datetime
    state: DutyState


class KeptBack(BaseModel):
    counsellor_id: UUID
    why: Bar


class UncoveredView(BaseModel):
    """Hours that the proposal leaves uncovered: by how many, or for which line and language."""

    begins_at: datetime
    ends_at: datetime
    short: int
    line: str | None
    language: str | None
    # Those who can write are too few.
    writing: bool
    # What kept each person from these hours.
    why: list[KeptBack]


class ProposalView(BaseModel):
    id: UUID
    first_on: date
    weeks: int
    state: ProposalState
    # Whether the search ended at its time limit.
    stopped: bool
    duties: list[ProposedDutyView]
    uncovered: list[UncoveredView]


class ChoiceIn(BaseModel):
    """Which part is meant; without any field, all of it."""

    staff_id: UUID | None = None
    day: date | None = None
    duty_id: UUID | None = None

    def choice(self) -> proposals.Choice:
        return proposals.Choice(self.staff_id, self.day, self.duty_id)


class AcceptedView(BaseModel):
    """How many stretches are duty now, and what could not be, with the reason."""

    made: int
    left_out: list[LeftOutView]


@router.post("/roster/proposals", status_code=202)
async def propose(work: InWork, staff: Plans, body: ProposalIn) -> dict[str, UUID]:
    """Ask for a rota of one to four weeks. It is ready when its state says so."""
    return {"id": (await proposals.propose(work, staff, body.first_on, body.weeks)).id}


@router.get("/roster/proposals")
async def latest_proposal(work: InWork, _staff: Plans) -> list[ProposalView]:
    """Return the proposal that is open, or the last one; none if there was none."""
    row = await proposals.latest(work)
    return [await _view(work, row)] if row is not None else []


@router.get("/roster/proposals/{proposal_id}")
async def read_proposal(work: InWork, _staff: Plans, proposal_id: UUID) -> ProposalView:
    """Return a proposal: its duty, and what it could not cover."""
    return await _view(work, await proposals.find(work, proposal_id))


async def _view(work: Work, row: RotaProposal) -> ProposalView:
    return ProposalView(
        id=row.id,
        first_on=row.first_on,
        weeks=row.weeks,
        state=ProposalState(row.state),
        stopped=row.stopped,
        duties=[
            ProposedDutyView.model_validate(
                {
                    "id": one.id,
                    "counsellor_id": one.counsellor_id,
                    "begins_at": one.from_at,
                    "ends_at": one.until_at,
                    "state": one.state,
                }
            )
            for one in await proposals.duties_of(work, row)
        ],
        uncovered=[
            UncoveredView(
                begins_at=one.begins,
                ends_at=one.ends,
                short=one.short,
                line=one.line,
                language=one.language,
                writing=one.writing,
                why=[KeptBack(counsellor_id=who, why=bar) for who, bar in one.why],
            )
            for one in proposals.uncovered_of(row)
        ],
    )


@router.post("/roster/proposals/{proposal_id}/accept")
async def accept_proposal(
    work: InWork, staff: Plans, proposal_id: UUID, body: ChoiceIn
) -> AcceptedView:
    """Put a proposal, or a part of it, into the rota; list what no longer fits."""
    done = await proposals.accept(work, staff, proposal_id, body.choice())
    return AcceptedView(made=done.made, left_out=left_out_views(done.left_out))


@router.post("/roster/proposals/{proposal_id}/discard")
async def discard_proposal(
    work: InWork, staff: Plans, proposal_id: UUID, body: ChoiceIn
) -> dict[str, int]:
    """Discard a proposal, or a part of it. Return how many stretches it was."""
    return {"discarded": await proposals.discard(work, staff, proposal_id, body.choice())}


# -- templates ---------------------------------------------------------------------------


class TemplateIn(BaseModel):
    name: Text
    # Any day of the week that is saved.
    from_on: date


class TemplateView(BaseModel):
    id: UUID
    name: str
    duties: int


class TemplateUse(BaseModel):
    # Any day of the week.
    to_on: date


@router.get("/roster/templates")
async def list_templates(work: InWork, _staff: Plans) -> list[TemplateView]:
    """Return the weeks that are kept as templates, by name."""
    return [
        TemplateView(id=one.row.id, name=one.row.name, duties=one.duties)
        for one in await templates.all_templates(work)
    ]


@router.post("/roster/templates", status_code=201)
async def save_template(work: InWork, staff: Plans, body: TemplateIn) -> TemplateView:
    """Save the duty of a week under a name."""
    one = await templates.save(work, staff, body.name, body.from_on)
    return TemplateView(id=one.row.id, name=one.row.name, duties=one.duties)


@router.post("/roster/templates/{template_id}/put")
async def put_template(
    work: InWork, staff: Plans, template_id: UUID, body: TemplateUse
) -> CopyView:
    """Put a template on a week; what cannot be added is listed."""
    return copy_view(await templates.put(work, staff, template_id, body.to_on))


@router.delete("/roster/templates/{template_id}", status_code=204)
async def delete_template(work: InWork, staff: Plans, template_id: UUID) -> None:
    """Delete a template; duties that were added from it stay."""
    await templates.delete(work, staff, template_id)
