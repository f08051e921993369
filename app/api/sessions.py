"""The JSON interface of sign-in, and of the user's own account and presence."""

from fastapi import APIRouter, Depends, Request, Response

from app.api.views import Credentials, Me, PresenceChoice, PresenceView
from app.routing import desk, offers
from app.routing.models import PresenceState
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import PERMISSIONS, Permission, Role, may
from app.web.access import COOKIE, InWork, Public, SignedIn, TakesCalls, set_cookie, sign_in
from app.work import Work

router = APIRouter(tags=["session"])


@router.post("/session", dependencies=[Depends(Public("this is where an account gets its cookie"))])
async def open_session(
    request: Request, response: Response, work: InWork, credentials: Credentials
) -> Me:
    """Sign in. The response sets the cookie."""
    staff, token = await sign_in(request, work, credentials.username, credentials.password)
    set_cookie(response, request.app.state.ground, token)
    return await me_of(work, staff)


@router.delete("/session", status_code=204)
async def close_session(
    request: Request, response: Response, work: InWork, staff: SignedIn
) -> None:
    """Sign out. A counsellor who is free goes off duty."""
    await accounts.close_session(work, request.cookies.get(COOKIE, ""))
    if may(staff.role, Permission.TAKE_CALLS):
        await offers.choose_presence(work, staff, PresenceState.OFF_DUTY)
    response.delete_cookie(COOKIE)


async def me_of(work: Work, staff: Staff) -> Me:
    presence = await presence_view(work, staff) if may(staff.role, Permission.TAKE_CALLS) else None
    return Me(
        id=staff.id,
        name=staff.name,
        role=staff.role,
        endpoint=staff.endpoint_kind,
        languages=staff.languages,
        permissions=sorted(PERMISSIONS[Role(staff.role)]),
        presence=presence,
    )


async def presence_view(work: Work, staff: Staff) -> PresenceView:
    """Return a counsellor's presence. If they never signed in for duty, they are off duty."""
    found = await desk.desk_of(work, staff)
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


@router.get("/me")
async def me(work: InWork, staff: SignedIn) -> Me:
    """Return your account, permissions and presence."""
    return await me_of(work, staff)


@router.put("/me/presence")
async def choose_presence(work: InWork, staff: TakesCalls, choice: PresenceChoice) -> PresenceView:
    """Set your own presence: available, break or off_duty."""
    await offers.choose_presence_by_name(work, staff, choice.state)
    return await presence_view(work, staff)
