"""Who makes a request, and whether they may. Every route declares its permission here."""

import contextlib
import hmac
from collections.abc import AsyncIterator
from types import MappingProxyType
from typing import Annotated, Any
from uuid import UUID

import psycopg
from fastapi import Depends, Request, Response
from sqlalchemy.exc import SQLAlchemyError

from app.errors import NotAllowed, NotFound, NotSignedIn, Refusal
from app.jobs.transaction import flush
from app.routing.at_work import at_work
from app.settings import Settings
from app.staff import accounts, session_tokens
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.staff.sessions import note_use
from app.staff.sign_in_rules import LONGEST_HOURS
from app.web import decisions, step_up
from app.web.decisions import Right
from app.words import pages
from app.work import Actor, ActorKind, Ground, Work

COOKIE = "helpline_session"
# What a page sends by itself.
HEARTBEAT, TELEPHONE = "/board/heartbeat", "/board/telephone"
# In this header the scripts of a page say whose page it is.
ME = "Helpline-Me"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")


class CrossSite(NotAllowed):
    default = "The request comes from another site. Repeat it from the helpline's own pages."


class OtherPerson(NotAllowed):
    """The request of a page whose person is not the one who is signed in now: it gives way."""

    headers = MappingProxyType({ME: "other"})
    default = "Another person who signs in here does not see this page."


def cookie_name(settings: Settings, name: str) -> str:
    """Return the name of a cookie. By https no other host and no page without TLS can set it."""
    return f"__Host-{name}" if settings.has_tls else name


def token_of(request: Request) -> str:
    """Return the token of the session cookie; empty if there is none."""
    return request.cookies.get(cookie_name(request.app.state.ground.settings, COOKIE), "")


def _speak_to(request: Request) -> None:
    """Until an account says otherwise, speak the language of the browser; programs get English.

    What is refused in words is in the log, too.
    """
    is_program = request.scope["path"].startswith("/api/")
    accepted = "" if is_program else request.headers.get("accept-language", "")
    pages.speak(pages.preferred(accepted))
    pages.note_refusals(decisions.denying(request))


def opened(request: Request) -> Work:
    """Return the unit of work of a request; its session is opened on first use.

    A request with a safe method only reads and has no transaction: what it logs is one row.
    """
    _speak_to(request)
    ground: Ground = request.app.state.ground
    database = ground.database
    sessions = database.reading_sessions if request.method in _SAFE else database.sessions
    return Work(None, ground.clock.now(), Actor(ActorKind.PERSON), ground, opener=sessions)


@contextlib.asynccontextmanager
async def finished(work: Work) -> AsyncIterator[None]:
    """Commit at the end, before the response is sent; roll back when an exception is raised."""
    await work.keys.ready()
    try:
        yield
        await flush(work)
        if work.opened is not None:
            await work.opened.commit()
        work.forget_changed()
    finally:
        # Closing rolls back what was not committed.
        if work.opened is not None:
            await work.opened.close()


async def work_of(request: Request) -> AsyncIterator[Work]:
    """Yield the unit of work of a request; it is committed before the response is sent."""
    work = opened(request)
    async with finished(work):
        yield work


# Without the scope the commit would come after the response, which could not report its failure.
InWork = Annotated[Work, Depends(work_of, scope="function")]


def refuse_cross_site(request: Request, *, json_only: bool) -> None:
    """Refuse a write that a browser sends from another site with a counsellor's cookie.

    Raises CrossSite. A program that sends neither Origin nor a form needs only the cookie.
    """
    if request.method in _SAFE:
        return
    settings: Settings = request.app.state.ground.settings
    origin, host = request.headers.get("origin"), request.headers.get("host")
    known = [settings.public_origin, None, f"https://{host}"]
    if not settings.has_tls:
        known.append(f"http://{host}")
    if origin not in known:
        raise CrossSite()
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise CrossSite()
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if json_only and kind in _FORMS:
        raise CrossSite("Send JSON with content-type application/json.")


async def signed_in(request: Request, work: Work) -> Staff:
    """Return the account of the session cookie. Raises NotSignedIn, OtherPerson."""
    token = token_of(request)
    staff = await session_tokens.staff_of_session(work, token, at_work) if token else None
    if staff is None:
        raise NotSignedIn()
    asked_by(request, work, staff)
    work.actor = accounts.actor_of(staff)
    pages.speak(staff.page_language)
    await note_use(work, token, acts=is_act(request), reads=request.method in _SAFE)
    await heard(request, work, staff)
    return staff


def asked_by(request: Request, work: Work, staff: Staff) -> None:
    """Note who asks. Nothing is done for a page of another person, whose sign-in in this browser
    came before. Raises OtherPerson."""
    decisions.asked_by(request, staff, work.keys.session_key(token_of(request)))
    if request.headers.get(ME, str(staff.id)) != str(staff.id):
        raise OtherPerson()


def refuse_other_person(staff: Staff, me: UUID | None) -> None:
    """Do as `asked_by` for what a browser asks by itself, without a header of ours.

    `me`: whose page it is. Raises OtherPerson.
    """
    if me not in (None, staff.id):
        raise OtherPerson()


async def refuse_without_session(request: Request) -> None:
    """Refuse who is not signed in, before the body of their request is read.

    A session that is found is remembered, so that the guard of the route does not ask for it again.
    Raises NotSignedIn.
    """
    work, token = opened(request), token_of(request)
    if not token:
        raise NotSignedIn()
    if session_tokens.remembered_staff(work, token) is not None:
        return
    async with finished(work):
        if await session_tokens.staff_of_session(work, token, at_work) is None:
            raise NotSignedIn()


async def reader_of_error(request: Request) -> Staff | None:
    """Return the reader of an error, and speak their language; None if they are not signed in.

    While the database is away the reader is not known, and the language is that of the browser.
    """
    work, token = opened(request), token_of(request)
    if not token:
        return None
    with contextlib.suppress(Refusal, SQLAlchemyError, psycopg.Error, OSError):
        async with finished(work):
            staff = await session_tokens.staff_of_session(work, token, at_work)
            if staff is not None:
                pages.speak(staff.page_language)
            return staff
    return None


def is_act(request: Request) -> bool:
    """Return whether a person did something: a page that is open asks and tells by itself, too."""
    path: str = request.scope["path"]
    if path == HEARTBEAT:
        return request.query_params.get("acts") == "true"
    if request.method in _SAFE:
        # A browser says how it came to ask; a program does not.
        return request.headers.get("sec-fetch-mode", "navigate") == "navigate"
    return not path.startswith(TELEPHONE)


async def heard(request: Request, work: Work, staff: Staff) -> None:
    """Record a heartbeat of a person who takes calls, through the hook of `app/main.py`."""
    if may(staff.role, Permission.TAKE_CALLS):
        await request.app.state.heard_of(work, staff.id)


class Guard:
    """A dependency that demands a permission, however the client proves it."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def refuse_strangers(self, request: Request) -> None:
        """Refuse who has no session or token, before the body of their request is read."""


class Requires(Guard):
    """A guard for people, who prove it with the session cookie, and before some acts once more."""

    def __init__(self, permission: Permission, *, json_only: bool = True) -> None:
        super().__init__(permission)
        self.json_only = json_only

    async def refuse_strangers(self, request: Request) -> None:
        refuse_cross_site(request, json_only=self.json_only)
        await refuse_without_session(request)

    async def __call__(self, request: Request, work: InWork) -> Staff:
        refuse_cross_site(request, json_only=self.json_only)
        staff = await signed_in(request, work)
        if not may(staff.role, self.permission):
            decisions.deny_permission(request, self.permission)
            raise NotAllowed()
        await step_up.check(request, work, staff, token_of(request))
        decisions.allow(request, self.permission)
        return staff


def reader_with(permission: Permission) -> Any:
    """Return the dependency of a page: its reader, who has this permission. A page sends forms."""
    return Depends(Requires(permission, json_only=False), scope="function")


class Public:
    """A route that needs no sign-in; the reason says why that is right."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    async def __call__(self, request: Request) -> None:
        refuse_cross_site(request, json_only=False)
        _speak_to(request)


TakesCalls = Annotated[Staff, Depends(Requires(Permission.TAKE_CALLS), scope="function")]
SeesQueue = Annotated[Staff, Depends(Requires(Permission.SEE_QUEUE), scope="function")]
SignedIn = Annotated[Staff, Depends(Requires(Permission.SIGNED_IN), scope="function")]
HearsMessages = Annotated[Staff, Depends(Requires(Permission.HEAR_MESSAGES), scope="function")]

ReadsRecords = Annotated[Staff, Depends(Requires(Permission.READ_RECORDS), scope="function")]
WritesContacts = Annotated[Staff, Depends(Requires(Permission.WRITE_CONTACTS), scope="function")]
WritesCases = Annotated[Staff, Depends(Requires(Permission.WRITE_CASES), scope="function")]


def set_cookie(response: Response, ground: Ground, token: str) -> None:
    """Set the session cookie: hidden from scripts and other sites, and sent over https only.

    Without an https public address, as in development, it is also sent over http.
    """
    response.set_cookie(
        cookie_name(ground.settings, COOKIE),
        token,
        max_age=LONGEST_HOURS * 3600,
        httponly=True,
        samesite="lax",
        secure=ground.settings.has_tls,
    )


def forget_cookie(response: Response, ground: Ground) -> None:
    """Delete the session cookie."""
    response.delete_cookie(
        cookie_name(ground.settings, COOKIE),
        httponly=True,
        samesite="lax",
        secure=ground.settings.has_tls,
    )


class Monitors(Public):
    """A route for monitoring: open on this machine alone, elsewhere for the token of the settings.

    Without a token there is no such route where others can reach the server.
    """

    def __init__(self) -> None:
        super().__init__("for monitoring; counts and states only")

    async def __call__(self, request: Request) -> None:
        settings: Settings = request.app.state.ground.settings
        if settings.monitoring_token is None:
            if not settings.is_local:
                raise NotFound("Set HELPLINE_MONITORING_TOKEN, and show it as a bearer token.")
            decisions.grant(request, Right.MONITORING)
            return
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {settings.monitoring_token}".encode()):
            raise NotSignedIn("Show HELPLINE_MONITORING_TOKEN as a bearer token.")
        decisions.grant(request, Right.MONITORING)
