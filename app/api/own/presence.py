"""The JSON interface of the user's own presence."""

from fastapi import APIRouter

from app.api.views import PresenceChoice, PresenceView
from app.routing import in_hand, own_presence
from app.routing.models import PresenceState
from app.staff.models import Staff
from app.web.access import InWork, TakesCalls
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["session"], route_class=StrictRoute)


async def presence_view(work: Work, staff: Staff) -> PresenceView:
    """Return a counsellor's presence. If they never signed in for duty, they are off duty."""
    found = await in_hand.read_in_hand(work, staff)
    presence = found.presence
    return PresenceView(
        state=presence.state if presence else PresenceState.OFF_DUTY,
        since=presence.since if presence else work.now,
        until=presence.until_at if presence else None,
        after_call=presence.after_call if presence else None,
        cause=presence.cause if presence else "",
        on_shift=found.shift_ends_at is not None,
        shift_ends_at=found.shift_ends_at,
    )


@router.put("/me/presence")
async def choose_presence(work: InWork, staff: TakesCalls, choice: PresenceChoice) -> PresenceView:
    """Set your own presence: available, break or off_duty."""
    await own_presence.choose_presence_by_name(work, staff, choice.state)
    return await presence_view(work, staff)
