"""Signing in and out, and who I am."""

from fastapi import APIRouter, Depends, Request, Response
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from app.api.access import COOKIE, InWork, Public, SignedIn, TakesCalls
from app.api.views import Credentials, Me, PresenceChoice, PresenceView
from app.errors import Invalid, TooMany
from app.routing import desk, offers
from app.routing.models import CHOICES, PresenceState
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import PERMISSIONS, Permission, Role, may
from app.work import Ground, Work

router = APIRouter(tags=["session"])

_PER_NAME = RateLimitItemPerMinute(10)
_PER_ADDRESS = RateLimitItemPerMinute(60)


def make_limiter() -> MovingWindowRateLimiter:
    """Counts tries to sign in, per process."""
    return MovingWindowRateLimiter(MemoryStorage())


async def sign_in(request: Request, work: Work, username: str, password: str) -> tuple[Staff, str]:
    """Check name and password. Raises WrongPassword, TooMany."""
    limiter: MovingWindowRateLimiter = request.app.state.sign_in_limiter
    address = request.client.host if request.client else ""
    allowed = await limiter.hit(_PER_ADDRESS, address) and await limiter.hit(
        _PER_NAME, username.strip().lower()[:80], address
    )
    if not allowed:
        raise TooMany()
    staff = await accounts.find_by_name(work.session, username[:200])
    if not await accounts.password_is_right(staff, password[:1000]) or staff is None:
        raise accounts.WrongPassword()
    return staff, await accounts.open_session(work, staff)


def set_cookie(response: Response, ground: Ground, token: str) -> None:
    """The session cookie: not for scripts, not from other sites, not in clear over a network."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(accounts.SESSION_LENGTH.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=ground.settings.public_url.startswith("https://"),
    )


@router.post("/session", dependencies=[Depends(Public("this is how one gets an account's cookie"))])
async def open_session(
    request: Request, response: Response, work: InWork, credentials: Credentials
) -> Me:
    """Sign in. The answer sets the cookie."""
    staff, token = await sign_in(request, work, credentials.username, credentials.password)
    set_cookie(response, request.app.state.ground, token)
    return await me_of(work, staff)


@router.delete("/session", status_code=204)
async def close_session(
    request: Request, response: Response, work: InWork, staff: SignedIn
) -> None:
    """Sign out; a counsellor who is free goes off duty with it."""
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
    """A counsellor's presence; somebody who never signed in for duty is off duty."""
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
    """Who I am, what I may do, and what I am doing."""
    return await me_of(work, staff)


@router.put("/me/presence")
async def choose_presence(work: InWork, staff: TakesCalls, choice: PresenceChoice) -> PresenceView:
    """My own change: available, break or off_duty."""
    await choose(work, staff, choice.state)
    return await presence_view(work, staff)


async def choose(work: Work, staff: Staff, state: str) -> None:
    """Raises Invalid for a state that nobody can choose."""
    if state not in CHOICES:
        raise Invalid(
            f"A counsellor can choose {', '.join(CHOICES)}. The rest follows from what happens."
        )
    await offers.choose_presence(work, staff, PresenceState(state))
