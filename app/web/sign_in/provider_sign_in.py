"""Sending a browser to the provider of identities, and what it brings back.

An answer counts once, soon, in the browser that was sent, and from the provider that was asked.
"""

import hmac
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, Response
from limits import RateLimitItemPerMinute
from sqlalchemy import delete

from app.errors import Refusal, TooMany
from app.jobs.transaction import flush
from app.outbox.outside import client_for_outside
from app.people.provider import access, keeping, protocol
from app.people.provider.mapping import MappingWanted
from app.people.provider.protocol import Client, Once, ProviderFailed
from app.people.provider.rows import Errand, ProviderErrand
from app.routing.at_work import at_work
from app.staff import accounts, session_tokens
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.sessions import note_provider_session
from app.web.access import cookie_name, finished, opened, token_of
from app.web.limits import Limiter, client_of
from app.web.sign_in.proving import Proof, check_provider_proves, note_proof
from app.web.sign_in.signing_in import SignIn, sign_in_person
from app.work import Ground, Work

# Marks the browser that was sent.
COOKIE = "helpline_provider"
_LASTS = timedelta(minutes=10)
_PER_ADDRESS = RateLimitItemPerMinute(60)
# Seconds by which the provider's clock may differ.
_LEEWAY = timedelta(seconds=60)


class NotThisSignIn(Refusal):
    status = 400
    default = "This sign-in took too long, or began in another browser. Begin again."


async def writing_work(request: Request) -> AsyncIterator[Work]:
    """Yield a unit of work that writes, for pages to which another site leads a browser."""
    work = opened(request)
    # The guard of the route may have one open.
    work.opener = work.ground.database.sessions_aside
    async with finished(work):
        yield work


InWriting = Annotated[Work, Depends(writing_work, scope="function")]


@dataclass(frozen=True)
class Sent:
    """Where a browser is sent, and the mark that it keeps."""

    address: str
    mark: str


@dataclass(frozen=True)
class _Kept:
    """What was noted of an errand, and of the provider as it is now."""

    errand: Errand
    staff_id: UUID | None
    wanted: str
    began_at: datetime
    row_id: UUID
    client: Client
    rules: MappingWanted


@dataclass(frozen=True)
class Back:
    """A browser that came back, and what was done."""

    errand: Errand
    wanted: str
    signed_in: SignIn | None = None
    # The new token for the cookie, after a proof.
    token: str | None = None


def _once(work: Work, state: str) -> Once:
    """Return what binds an answer to its question. It is stored nowhere."""
    made = {
        name: work.keys.text_key(f"provider {name} {state}").hex() for name in ("nonce", "verifier")
    }
    return Once(state, **made)


def _key(work: Work, what: str, value: str) -> bytes:
    return work.keys.text_key(f"provider {what} {value}")


async def begin(
    request: Request, work: Work, errand: Errand, wanted: str, staff: Staff | None = None
) -> Sent:
    """Note an errand, and return where the browser is sent.

    Raises NoProvider, ProviderFailed, TooMany.
    """
    limiter: Limiter = request.app.state.limiter
    if not await limiter.hit(_PER_ADDRESS, "provider", client_of(request)):
        raise TooMany()
    row = await keeping.known_provider(work)
    client, row_id = keeping.client_of(work, row), row.id
    # The provider takes seconds; no connection to the database is held meanwhile.
    await work.let_go()
    try:
        async with client_for_outside(work.settings) as http:
            found = await protocol.discover(http, work.settings, client.issuer)
    except ProviderFailed:
        await _note_failure(work, row_id)
        raise
    state, mark = secrets.token_urlsafe(32), _mark_of(request) or secrets.token_urlsafe(32)
    await work.session.execute(delete(ProviderErrand).where(ProviderErrand.expires_at <= work.now))
    work.session.add(
        ProviderErrand(
            state_key=_key(work, "state", state),
            browser_key=_key(work, "browser", mark),
            issuer=client.issuer,
            errand=errand.value,
            staff_id=staff.id if staff else None,
            wanted=wanted,
            began_at=work.now,
            expires_at=work.now + _LASTS,
        )
    )
    await work.session.flush()
    anew = errand is not Errand.SIGN_IN
    return Sent(protocol.address_of(found, client, _once(work, state), anew=anew), mark)


async def begin_proving(request: Request, work: Work, staff: Staff) -> Sent:
    """Begin to prove again who a signed-in person is; see `begin`.

    Raises what `check_provider_proves` raises, too.
    """
    await check_provider_proves(work, staff)
    return await begin(request, work, Errand.PROOF, "/account/proved", staff)


async def begin_linking(request: Request, work: Work, staff: Staff) -> Sent:
    """Begin to link the account of a signed-in person; see `begin`."""
    return await begin(request, work, Errand.LINK, "/account", staff)


def _mark_of(request: Request) -> str:
    ground: Ground = request.app.state.ground
    mark = request.cookies.get(cookie_name(ground.settings, COOKIE), "")
    return mark if re.fullmatch(r"[\w-]{43}", mark) else ""


def mark_browser(response: Response, ground: Ground, sent: Sent) -> None:
    """Mark the browser that is sent."""
    response.set_cookie(
        cookie_name(ground.settings, COOKIE),
        sent.mark,
        max_age=int(_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=ground.settings.has_tls,
    )


async def _take(request: Request, work: Work, state: str) -> _Kept:
    """Use an errand up, whatever comes of it. Raises NotThisSignIn, NoProvider."""
    gone = await work.session.execute(
        delete(ProviderErrand)
        .where(ProviderErrand.state_key == _key(work, "state", state[:200]))
        .returning(ProviderErrand)
    )
    kept = gone.scalar_one_or_none()
    if kept is None or kept.expires_at <= work.now:
        await commit(work)
        raise NotThisSignIn()
    mark = _key(work, "browser", _mark_of(request))
    row = await keeping.known_provider(work)
    found = _Kept(
        Errand(kept.errand),
        kept.staff_id,
        kept.wanted,
        kept.began_at,
        row.id,
        keeping.client_of(work, row),
        keeping.wanted_of(row),
    )
    same_browser = hmac.compare_digest(mark, kept.browser_key)
    same_provider = kept.issuer == row.issuer
    await commit(work)
    if not same_browser or not same_provider:
        raise NotThisSignIn()
    return found


async def commit(work: Work) -> None:
    """Commit what stays whatever comes next, and release the connection."""
    await flush(work)
    await work.let_go()
    work.forget_changed()


async def come_back(
    request: Request, work: Work, *, state: str, code: str, error: str, issuer: str
) -> Back:
    """Do what the browser was sent for, with what it brings back.

    Raises NotThisSignIn, ProviderFailed, and what `access` raises.
    """
    kept = await _take(request, work, state)
    try:
        claims = await _claims(work, kept, state, code=code, error=error, issuer=issuer)
    except ProviderFailed:
        await _note_failure(work, kept.row_id)
        raise
    await keeping.note(work, kept.row_id, worked=True)
    try:
        match kept.errand:
            case Errand.SIGN_IN:
                return await _sign_in(request, work, kept, claims)
            case Errand.LINK:
                staff = await _signed_in_staff(request, work, kept)
                await access.link_own(work, staff, kept.rules, claims)
            case Errand.PROOF:
                token = await _prove(request, work, kept, claims)
                return Back(kept.errand, kept.wanted, token=token)
    except Refusal:
        await write_reading(
            work, AuditLog.SIGN_IN_FAILED, str(kept.staff_id or "provider"), wrong="provider"
        )
        raise
    return Back(kept.errand, kept.wanted)


async def _note_failure(work: Work, row_id: UUID) -> None:
    await keeping.note(work, row_id, worked=False)
    await commit(work)


async def _claims(
    work: Work, kept: _Kept, state: str, *, code: str, error: str, issuer: str
) -> dict[str, Any]:
    client, once = kept.client, _once(work, state)
    async with client_for_outside(work.settings) as http:
        found = await protocol.discover(http, work.settings, client.issuer)
        # Another provider may have sent the browser here with a code of its own.
        if issuer != client.issuer and (issuer or found.names_issuer):
            raise ProviderFailed("the answer came from another provider")
        if error or not code:
            said = error if re.fullmatch(r"[a-z_]{1,40}", error) else "no code"
            raise ProviderFailed("it answered: %(said)s", said=said)
        token = await protocol.exchange(http, found, client, code[:4000], once)
        keys = await protocol.keys_of(http, found)
    return protocol.read_token(token, keys, client, once, work.now)


async def _sign_in(request: Request, work: Work, kept: _Kept, claims: dict[str, Any]) -> Back:
    found = await access.signed_in_person(work, kept.rules, claims)
    if isinstance(found, access.Ended):
        await commit(work)
        raise found.refusal
    has_factor = kept.rules.counts_as_factor(claims)
    signed_in = await sign_in_person(request, work, found, has_factor=has_factor)
    await _note_session(work, kept, signed_in.token, claims)
    return Back(kept.errand, kept.wanted, signed_in)


async def _note_session(work: Work, kept: _Kept, token: str, claims: dict[str, Any]) -> None:
    """Note the session at the provider, which may be all that a sign-out there names."""
    key = access.session_key(work, kept.client.issuer, claims)
    if key is not None:
        await note_provider_session(work, token, key)


async def _signed_in_staff(request: Request, work: Work, kept: _Kept) -> Staff:
    """Return the person who began the errand, if they are still the one who is signed in."""
    token = token_of(request)
    staff = await session_tokens.staff_of_session(work, token, at_work) if token else None
    if staff is None or staff.id != kept.staff_id:
        raise NotThisSignIn()
    work.actor = accounts.actor_of(staff)
    return staff


async def _prove(request: Request, work: Work, kept: _Kept, claims: dict[str, Any]) -> str:
    """Take a new sign-in at the provider as a proof of who a person is. Return the new token for
    the cookie."""
    staff = await _signed_in_staff(request, work, kept)
    # They may have set a factor up here since they were sent there.
    await check_provider_proves(work, staff)
    at = claims.get("auth_time")
    if not isinstance(at, int) or at < (kept.began_at - _LEEWAY).timestamp():
        raise ProviderFailed("it did not let the person sign in again")
    if not await access.is_the_same(work, staff, kept.client.issuer, claims):
        raise NotThisSignIn()
    token = await note_proof(request, work, staff, Proof.PROVIDER)
    await _note_session(work, kept, token, claims)
    return token
