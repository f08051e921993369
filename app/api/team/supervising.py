"""The JSON interface of supervisors: people of their team, calls for help, the end of a talk."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.team.live_talks import Supervises
from app.api.views import TalkView, talk_view
from app.calls import record
from app.routing.models import PresenceState
from app.routing.participants import calls_for_help
from app.routing.rota.roster import on_shift
from app.routing.supervision import supervised, team
from app.statistics.counting import today
from app.web.access import InWork
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["team"], route_class=StrictRoute)


class PersonView(BaseModel):
    """A person of your team who takes calls, and what they do now."""

    id: UUID
    name: str
    state: PresenceState
    since: datetime | None
    after_call: PresenceState | None = Field(description="The state that follows their call.")
    on_shift: bool
    training: bool
    line: str | None = Field(description="The line of the call that they hold.")
    practice: bool = Field(description="That call is a practice call.")
    conversations: int = Field(description="Their written conversations now.")
    helps: bool = Field(description="They are in the talk of a colleague.")
    missed: int = Field(description="Offers that they missed since midnight.")


class StateIn(BaseModel):
    state: PresenceState = Field(description="available, break or off_duty.")
    reason: team.StateReason = Field(description="Why; the log keeps it.")
    after_call: bool = Field(
        False, description="Set what follows the talk that the person is in; a talk is never cut."
    )


class TakenView(BaseModel):
    joins: bool = Field(
        description="You come into the talk; false: your telephone cannot be rung, so go there."
    )


@router.get("/team")
async def people(work: InWork, staff: Supervises) -> list[PersonView]:
    """Return the people of your team who take calls, by name."""
    shifts = await on_shift(work)
    return [
        _person_view(one, one.staff.id in shifts)
        for one in await team.people(work, staff.team, today.midnight(work))
    ]


def _person_view(person: team.TeamMember, is_on_shift: bool) -> PersonView:
    presence = person.presence
    return PersonView(
        id=person.staff.id,
        name=person.staff.name,
        state=PresenceState(presence.state) if presence else PresenceState.OFF_DUTY,
        since=presence.since if presence else None,
        after_call=PresenceState(presence.after_call)
        if presence is not None and presence.after_call
        else None,
        on_shift=is_on_shift,
        training=person.staff.training,
        line=person.line,
        practice=person.practice,
        conversations=person.conversations,
        helps=person.helps,
        missed=person.missed,
    )


@router.put("/team/{person_id}/state", status_code=204)
async def set_state(work: InWork, staff: Supervises, person_id: UUID, body: StateIn) -> None:
    """Set the state of another person of your team, with a reason.

    409 PersonInTalk without `after_call`, OfferRinging, or CannotBeRung.
    """
    await team.set_state(
        work, staff, person_id, body.state, body.reason, after_call=body.after_call
    )


@router.post("/calls/{call_id}/end", status_code=204)
async def end_talk(work: InWork, staff: Supervises, call_id: UUID) -> None:
    """End a talk of your team for its counsellor. The log records it."""
    await team.end_talk(work, staff, call_id)


@router.get("/calls-for-help")
async def open_calls_for_help(work: InWork, _staff: Supervises) -> list[TalkView]:
    """Return the talks of all teams in which a call for help has not been taken."""
    return [talk_view(one, work.now) for one in await supervised.open_calls_for_help(work)]


@router.post("/calls/{call_id}/call-for-help/take")
async def take_call_for_help(work: InWork, staff: Supervises, call_id: UUID) -> TakenView:
    """Take a call for help: the telephones of other supervisors stop ringing, and you come into the
    talk if yours can ring. 409 CallForHelpTaken if a colleague was
    first, 409 HelpsElsewhere if yours rings for another talk or you are in one."""
    call = await record.lock_call(work, call_id)
    return TakenView(joins=await calls_for_help.take_call_for_help(work, staff, call))
