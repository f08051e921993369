"""The JSON interface of sign-in, and of the user's own sessions."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from app.api.own.presence import presence_view
from app.api.views import Credentials, Me
from app.routing import own_presence
from app.staff import sessions
from app.staff.models import Staff
from app.staff.roles import PERMISSIONS, Permission, Role, may
from app.web.access import InWork, Public, SignedIn, forget_cookie, set_cookie, token_of
from app.web.bodies import LONGEST_OF_STRANGERS
from app.web.sign_in.known_browsers import remember_browser
from app.web.sign_in.signing_in import sign_in_at_once
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["session"], route_class=StrictRoute)


@router.post(
    "/session",
    dependencies=[Depends(Public("this is where an account gets its cookie"))],
    max_body_size=LONGEST_OF_STRANGERS,
)
async def open_session(
    request: Request, response: Response, work: InWork, credentials: Credentials
) -> Me:
    """Sign in. The response sets the cookie. An account with a second factor needs `code`, too, or
    `passkey`; for a role that needs a passkey, `passkey`."""
    given = credentials
    signed_in = await sign_in_at_once(
        request, work, given.username, given.password, given.code or "", given.passkey
    )
    set_cookie(response, work.ground, signed_in.token)
    remember_browser(request, response, signed_in.staff)
    return await me_of(work, signed_in.staff)


@router.delete("/session", status_code=204)
async def close_session(
    request: Request, response: Response, work: InWork, staff: SignedIn
) -> None:
    """Sign out. A counsellor who is free goes off duty."""
    await own_presence.sign_out(work, staff, token_of(request))
    forget_cookie(response, work.ground)


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


@router.get("/me")
async def me(work: InWork, staff: SignedIn) -> Me:
    """Return your account, permissions and presence."""
    return await me_of(work, staff)


class SessionView(BaseModel):
    """One of your own sessions: when it began, when it was last used, the browser's family."""

    id: UUID
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime
    browser: str
    this_one: bool


@router.get("/me/sessions")
async def own_sessions(request: Request, work: InWork, staff: SignedIn) -> list[SessionView]:
    """List where you are signed in."""
    mine = await sessions.current_key(work, work.keys.session_key(token_of(request)))
    return [
        SessionView(
            id=one.id,
            created_at=one.created_at,
            used_at=one.used_at,
            expires_at=one.expires_at,
            browser=one.browser,
            this_one=one.token_key == mine,
        )
        for one in await sessions.sessions_of(work, staff)
    ]


@router.delete("/me/sessions", status_code=204)
async def end_other_sessions(request: Request, work: InWork, staff: SignedIn) -> None:
    """Sign out everywhere but here."""
    await sessions.end_others(work, staff, token_of(request))


@router.delete("/me/sessions/{session_id}", status_code=204)
async def end_own_session(work: InWork, staff: SignedIn, session_id: UUID) -> None:
    """Sign out in one of your browsers."""
    await sessions.end_one(work, staff, session_id)
