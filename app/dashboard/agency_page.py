"""The page of an agency without an account: `/r/{token}`.

Opening the page changes nothing. Each step is a form of its own and uses up the link.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Request, Response
from limits import RateLimitItemPerMinute
from starlette.responses import RedirectResponse

from app.calls.lines.finding_lines import any_line
from app.dashboard.templating import templates
from app.definitions.risk import Urgency
from app.errors import Invalid, Refusal, TooMany
from app.referrals.channels.code_limits import AskedTooOften
from app.referrals.consent.rules import NotConsented
from app.referrals.disclosures import in_sections
from app.referrals.printing import print_for_agency
from app.referrals.replies import link_codes, links, replying
from app.referrals.replies.links import Step, Visit
from app.referrals.spoken import refusal_words, service_words, urgency_words
from app.referrals.states import (
    DISPATCH_RESULTS,
    DispatchState,
    ReferralOutcome,
    RejectionReason,
)
from app.web import decisions
from app.web.access import InWork, Public, cookie_name
from app.web.decisions import Right
from app.web.limits import Limiter, client_of
from app.words import about, days, direction, known, letter, letters, written
from app.words.pages import preferred
from app.work import Work

router = APIRouter(include_in_schema=False)
_LINK = [Depends(Public("an agency is identified by its link and by a code"))]
# The cookie of a browser in which codes were entered.
PROOF = "helpline_proof"
PER_ADDRESS = RateLimitItemPerMinute(60)
_SLOW_ADDRESS = RateLimitItemPerMinute(20)
SLOW_LINK = RateLimitItemPerMinute(20)
PER_LINK = RateLimitItemPerMinute(40)
# Each of these requests sends a message to a person, so the limit is low.
_SENDS_PER_LINK = RateLimitItemPerMinute(3)
_NEVER_REFUSED = (Urgency.IMMEDIATE, Urgency.URGENT)
Text = Annotated[str, Form(max_length=4000)]


async def _limit(request: Request, work: Work, token: str, *, sends: bool = False) -> None:
    """Limit guesses of tokens and codes, and the messages sent. Raises TooMany.

    A link that exists is counted by itself: what others do from the same address does not count. A
    link for an immediate or urgent referral is slowed down and never refused, except where a
    message is sent.
    """
    limiter: Limiter = request.app.state.limiter
    urgency, closed = await links.standing_of(work, token)
    if closed is None:
        decisions.grant(request, Right.AGENCY_LINK)
    else:
        decisions.deny(request, closed, Right.AGENCY_LINK)
    # A request that is slowed down must not hold a database connection.
    await work.let_go()
    if urgency is None:
        address = client_of(request)
        await limiter.slow_down(_SLOW_ADDRESS, "link", address)
        if not await limiter.hit(PER_ADDRESS, "link", address):
            raise TooMany()
    key = token[:64]
    await limiter.slow_down(SLOW_LINK, "link", key)
    if sends:
        within = await limiter.hit(_SENDS_PER_LINK, "sends", key)
    else:
        within = urgency in _NEVER_REFUSED or await limiter.hit(PER_LINK, "link", key)
    if not within:
        raise TooMany()


def _render(
    request: Request,
    token: str,
    visit: Visit | None,
    language: str,
    *,
    status: int = 200,
    problem: str = "",
    said: str = "",
    again: bool = False,
    **more: Any,
) -> Response:
    zone = ZoneInfo(visit.agency.timezone if visit else "UTC")
    values: dict[str, Any] = {
        "token": token,
        "visit": visit,
        "problem": problem,
        "said": said,
        "again": again,
        "language": language,
        "direction": direction(language),
        "locale": about(language).locale.replace("_", "-"),
        "w": letters(language, "agency_page"),
        "urgency": urgency_words(language, visit.referral.urgency) if visit else "",
        "team_words": letters(language, "dispatch"),
        "over": refusal_words(language, visit.over) if visit and visit.over else "",
        "moment": lambda at: days.moment(at, language, zone, named=True),
        "zone_name": days.zone_words(zone, language),
        "name": more.pop("name", ""),
        "reasons": [r.value for r in RejectionReason],
        "outcomes": [o.value for o in ReferralOutcome],
        "dispatch_states": [s.value for s in DispatchState if s is not DispatchState.ASKED],
        "dispatch_results": DISPATCH_RESULTS,
        "sections": [],
        "withheld": "",
        "helpline": "",
        "no_code": "",
        "service": service_words(language, visit.service) if visit else "",
        **more,
    }
    answer = templates.TemplateResponse(request, "agency.html", values, status_code=status)
    # The address holds the secret: browsers must not pass it on as a referrer.
    answer.headers["referrer-policy"] = "same-origin"
    answer.headers["x-robots-tag"] = "noindex, nofollow"
    return answer


async def _words(work: Work, token: str, refusal: Refusal) -> str:
    """Return a refusal in the language of the agency that a link is for."""
    return refusal_words(await links.language_of(work, token), refusal)


async def _shown(
    request: Request,
    work: Work,
    token: str,
    *,
    said: str = "",
    problem: str = "",
    name: str = "",
    again: bool = False,
    of_code: Refusal | None = None,
) -> Response:
    """Render the present page. If the link is used up or expired, or `again`, offer a new one.

    `of_code`: why a code was refused. Where no code is taken, the page says what to do instead.
    """
    # A link that does not exist names no agency: only the browser of its reader is known.
    read = known(preferred(request.headers.get("accept-language", ""), written()))
    language = await links.language_of(work, token, read)
    try:
        visit = await links.visit(work, token, _proof_in(request))
    except (links.LinkUsed, links.LinkExpired) as refusal:
        words = refusal_words(language, refusal)
        return _render(
            request, token, None, language, status=refusal.status, problem=words, again=True
        )
    except links.NoSuchLink as refusal:
        words = refusal_words(language, refusal)
        return _render(request, token, None, language, status=404, problem=words)
    more: dict[str, Any] = {}
    if of_code is not None and visit.has_code:
        problem = refusal_words(language, of_code)
    if visit.proven and not visit.over and not visit.to_staff:
        try:
            visit = await links.read_details(work, visit)
            more["sections"] = in_sections(work, visit.referral, visit.answers, language)
        except NotConsented:
            more["withheld"] = letter(language, "agency_refusal", "not_consented")
    elif not visit.has_code:
        more |= await _why_to_ring(work, language)
    return _render(
        request,
        token,
        visit,
        language,
        said=said,
        problem=problem,
        name=name,
        again=again or visit.needs_link,
        status=of_code.status if of_code else 422 if problem else 200,
        **more,
    )


async def _why_to_ring(work: Work, language: str) -> dict[str, str]:
    """Return why no code opens the details, and the number of the helpline."""
    why = letter(language, "agency_page", "no_code")
    if work.settings.codes_by_telephone:
        why = letter(language, "agency_refusal", "no_second_channel")
    line = await any_line(work)
    number = letter(language, "message", "phone", phone=line.number) if line is not None else ""
    return {"no_code": why, "helpline": number}


@router.get("/r/{token}", dependencies=_LINK)
async def agency_page(request: Request, work: InWork, token: str, done: str = "") -> Response:
    """Show what the agency is asked to do. Opening the page changes nothing."""
    await _limit(request, work, token)
    said = ""
    if done:
        language = await links.language_of(work, token)
        said = letters(language, "agency_page").get(f"done_{done[:20]}", "")
    return await _shown(request, work, token, said=said)


@router.get("/r/{token}/news", dependencies=_LINK)
async def news(request: Request, work: InWork, token: str) -> Response:
    """Return whether the helpline has written more since this browser read the details.

    Returns 204 if there is nothing new, or if the code was not entered in this browser.
    """
    await _limit(request, work, token)
    try:
        visit = await links.visit(work, token, _proof_in(request))
    except (links.LinkUsed, links.LinkExpired, links.NoSuchLink):
        return Response(status_code=204)
    more = visit.proven and not visit.over and await links.more_written(work, visit)
    return Response("more", media_type="text/plain") if more else Response(status_code=204)


@router.post("/r/{token}/step", dependencies=_LINK)
async def take_step(
    request: Request,
    work: InWork,
    token: str,
    kind: Text = "",
    name: Text = "",
    words: Text = "",
    reason: Text = "",
    outcome: Text = "",
    seen_at: Text = "",
    dispatch: Text = "",
    to: Text = "",
    result: Text = "",
) -> Response:
    """Take one step, then redirect to the link for the next step."""
    await _limit(request, work, token)
    try:
        step = Step(
            links.read_step(kind),
            name,
            words,
            reason,
            outcome,
            await _moment(work, token, seen_at),
            UUID(dispatch) if dispatch else None,
            to,
            result,
        )
        following = await links.take_step(work, token, step)
    except ValueError:
        await work.undo()
        return await _shown(
            request,
            work,
            token,
            problem=letter(await links.language_of(work, token), "agency_refusal", "not_complete"),
            name=name,
        )
    except (links.LinkUsed, links.LinkExpired, links.NoSuchLink):
        await work.undo()
        return await _shown(request, work, token)
    except Invalid as refusal:
        await work.undo()
        return await _shown(
            request, work, token, problem=await _words(work, token, refusal), name=name
        )
    except (replying.Over, replying.TakenByAnother) as refusal:
        await work.undo()
        return await _shown(request, work, token, said=await _words(work, token, refusal))
    return RedirectResponse(f"/r/{following}?done={kind}", status_code=303)


async def _moment(work: Work, token: str, text: str) -> datetime | None:
    """Read a local time in the agency's zone. Raises ValueError."""
    if not text:
        return None
    visit = await links.visit(work, token)
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(visit.agency.timezone))


def _proof_in(request: Request) -> str:
    return request.cookies.get(cookie_name(request.app.state.ground.settings, PROOF), "")


@router.post("/r/{token}/code", dependencies=_LINK)
async def enter_code(request: Request, work: InWork, token: str, code: Text = "") -> Response:
    """Check the code that was sent by another channel than the link."""
    await _limit(request, work, token)
    try:
        proof = await link_codes.prove(work, token, code)
    except (links.LinkUsed, links.LinkExpired, links.NoSuchLink):
        await work.undo()
        return await _shown(request, work, token)
    except TooMany as refusal:
        await work.undo()
        return await _shown(request, work, token, of_code=refusal)
    if proof is not None:
        answer = RedirectResponse(f"/r/{token}", status_code=303)
        answer.set_cookie(
            cookie_name(work.settings, PROOF),
            links.keep_proof(proof, _proof_in(request)),
            httponly=True,
            samesite="strict",
            path="/",
            secure=work.settings.has_tls,
        )
        return answer
    language = await links.language_of(work, token)
    wrong = letter(language, "agency_page", "wrong_code")
    return await _shown(request, work, token, problem=wrong)


@router.post("/r/{token}/send-code", dependencies=_LINK)
async def send_code(request: Request, work: InWork, token: str) -> Response:
    """Send a code by another channel than the link."""
    await _limit(request, work, token, sends=True)
    try:
        way = await link_codes.ask_for_code(work, token)
    except (links.LinkUsed, links.LinkExpired, links.NoSuchLink):
        await work.undo()
        return await _shown(request, work, token)
    except Refusal as refusal:
        await work.undo()
        problem = await _words(work, token, refusal)
        again = isinstance(refusal, AskedTooOften)
        return await _shown(request, work, token, problem=problem, again=again)
    words = letters(await links.language_of(work, token), "agency_page")
    said = words["code_sent"].format(way=words[f"way_{way}"])
    return await _shown(request, work, token, said=said)


@router.post("/r/{token}/send-link", dependencies=_LINK)
async def send_link(request: Request, work: InWork, token: str) -> Response:
    """Send a new link to the agency's addresses in the directory."""
    await _limit(request, work, token, sends=True)
    language = await links.language_of(work, token)
    try:
        await link_codes.ask_for_link(work, token)
    except Refusal as refusal:
        words = refusal_words(language, refusal)
        return _render(request, token, None, language, status=refusal.status, problem=words)
    said = letter(language, "agency_page", "link_sent")
    return _render(request, token, None, language, said=said)


@router.post("/r/{token}/form", dependencies=_LINK)
async def written_form(request: Request, work: InWork, token: str) -> Response:
    """Return the written confirmation as a PDF. Raises CodeNeeded without the code."""
    await _limit(request, work, token)
    visit = await links.visit(work, token, _proof_in(request))
    if not visit.proven or visit.over or visit.recipient is None:
        raise links.CodeNeeded()
    content = await print_for_agency(work, visit.referral, visit.agency, visit.recipient)
    return Response(
        content,
        media_type="application/pdf",
        headers={
            "Content-Disposition": 'attachment; filename="referral.pdf"',
            "Content-Security-Policy": "sandbox; default-src 'none'",
        },
    )
