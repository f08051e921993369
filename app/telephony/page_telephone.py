"""The routes of the telephone in a page: its token, its reports, and which rings are its own."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Request
from limits import RateLimitItemPerMinute
from pydantic import BaseModel, Field

from app.abilities import EndpointKind
from app.errors import Conflict, TooMany
from app.routing import telephones
from app.routing.models import TelephoneState
from app.routing.telephones import why_no_browser
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission
from app.telephony.provider import tokens
from app.web.access import InWork, Requires, refuse_other_person, token_of
from app.web.routes import include
from app.words.pages import said
from app.work import Work

router = APIRouter(include_in_schema=False)
TakesCalls = Annotated[Staff, Depends(Requires(Permission.TAKE_CALLS), scope="function")]
_TOKENS = RateLimitItemPerMinute(12)


class OfPage(BaseModel):
    """`page` is `BROWSER:LOAD`, two random words: one kept by the browser, one for this load.

    `me`: whose page it is; if another person has signed in meanwhile, it is refused.
    """

    page: str = Field(pattern=r"^[a-z0-9]{1,40}:[a-z0-9]{1,40}$")
    me: UUID | None = None


class Token(BaseModel):
    token: str
    edges: list[str]
    # The address of the practice exchange, where there is one.
    signalling: str | None


class TelephoneReport(OfPage):
    state: TelephoneState


class Heard(BaseModel):
    # Whether this page has the telephone.
    yours: bool


class RingingCall(OfPage):
    call_sid: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$")


class Invited(BaseModel):
    own: bool
    accept: bool
    words: str
    # The call whose counsellor needs help, if it rings for that.
    call_for_help: UUID | None


def add_page_telephone(app: FastAPI) -> None:
    """Add the routes to the application."""
    include(app, router)


def _session(request: Request, work: Work) -> bytes:
    """Return the key of the session that asks."""
    return work.keys.session_key(token_of(request))


@router.post("/board/telephone")
async def token(request: Request, work: InWork, staff: TakesCalls, asked: OfPage) -> Token:
    """Return a token for the telephone, and give the telephone to this page. It is logged.

    Refused for people whose calls ring elsewhere, and where no API key is set.
    """
    refuse_other_person(staff, asked.me)
    if staff.endpoint_kind != EndpointKind.BROWSER:
        raise Conflict("Your calls ring on your phone, not in the browser.")
    settings = work.settings
    if not settings.has_page_telephones:
        raise Conflict(why_no_browser(settings))
    limiter = request.app.state.limiter
    if not await limiter.hit(_TOKENS, "telephone", str(staff.id)):
        raise TooMany()
    await telephones.claim(work, staff, asked.page, _session(request, work))
    write_entry(work, AuditLog.TELEPHONE_TOKEN_MADE, str(staff.id))
    return Token(
        token=tokens.mint(settings, staff.identity),
        edges=settings.telephone_edges.split(","),
        signalling=settings.telephone_signalling,
    )


@router.post("/board/telephone/state")
async def report(request: Request, work: InWork, staff: TakesCalls, said: TelephoneReport) -> Heard:
    """Note what a page's telephone is doing. It is sent with every change and every heartbeat."""
    refuse_other_person(staff, said.me)
    session = _session(request, work)
    return Heard(yours=await telephones.report(work, staff, said.page, said.state, session))


@router.post("/board/telephone/ring")
async def ring(work: InWork, staff: TakesCalls, ringing: RingingCall) -> Invited:
    """Say whether a call that rings the page is its own, and whether the person asked for it."""
    refuse_other_person(staff, ringing.me)
    found = await telephones.invitation(work, staff, ringing.page, ringing.call_sid)
    return Invited(
        own=found.own,
        accept=found.accept,
        words=said(found.words),
        call_for_help=found.call_for_help,
    )
