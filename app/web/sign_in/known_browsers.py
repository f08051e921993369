"""Browsers in which an account has signed in before, by the marks in their cookies."""

import hmac
import secrets

from fastapi import Request, Response

from app.privacy.hash_kinds import HashOf
from app.staff.models import Staff
from app.web.access import cookie_name
from app.work import Ground

# Marks a browser in which accounts have signed in before.
KNOWN = "helpline_known"
_MOST_KNOWN, _KNOWN_SECONDS = 8, 180 * 86_400
# Eight of them, and what the cookie says besides, are far below the 4,096 bytes of a browser.
_LONGEST_MARK = 100


def known_browser(request: Request, name: str) -> str | None:
    """Return the mark of a browser in which this account has signed in before."""
    ground: Ground = request.app.state.ground
    for mark in _marks(request)[:_MOST_KNOWN]:
        nonce, _, proof = mark.partition(".")
        if hmac.compare_digest(proof.encode(), _proof(ground, nonce, name).encode()):
            return nonce
    return None


def _marks(request: Request) -> list[str]:
    name = cookie_name(request.app.state.ground.settings, KNOWN)
    marks = request.cookies.get(name, "").split("~")
    return [mark for mark in marks if 0 < len(mark) <= _LONGEST_MARK]


def _proof(ground: Ground, nonce: str, name: str) -> str:
    return ground.keys.secret_of(HashOf.KNOWN_BROWSER, f"{nonce[:64]} {name}").hex()


def remember_browser(request: Request, response: Response, staff: Staff) -> None:
    """Mark the browser as one in which this account has signed in. The mark has no name."""
    ground: Ground = request.app.state.ground
    name = staff.name.strip().lower()[:80]
    if known_browser(request, name) is not None:
        return
    nonce = secrets.token_urlsafe(16)
    marks = [f"{nonce}.{_proof(ground, nonce, name)}", *_marks(request)][:_MOST_KNOWN]
    response.set_cookie(
        cookie_name(ground.settings, KNOWN),
        "~".join(marks),
        max_age=_KNOWN_SECONDS,
        httponly=True,
        samesite="lax",
        secure=ground.settings.has_tls,
    )
