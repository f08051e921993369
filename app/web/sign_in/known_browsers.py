"""Browsers in which an account has signed in before, by the marks in their cookies."""

import hmac
import secrets
from collections.abc import Iterator
from typing import NamedTuple

from fastapi import Request, Response

from app.privacy.hash_kinds import HashOf
from app.staff.models import Staff
from app.web.access import cookie_name
from app.work import Ground

# Marks a browser in which accounts have signed in before.
KNOWN = "helpline_known"
_MOST_KNOWN, _KNOWN_SECONDS = 8, 180 * 86_400
# Eight of them, and what the cookie says besides, are far below the 4,096 bytes of a browser.
_LONGEST_MARK = 130


class _Mark(NamedTuple):
    """A mark as its cookie has it."""

    whole: str
    nonce: str
    # A hash of the name: it is all that is known before a password was right.
    of_name: str
    # A hash of the account, whatever its name is by now. Marks of earlier programs have none.
    of_account: str


def known_for_name(request: Request, name: str) -> str | None:
    """Return the nonce of a browser in which the account that has this name has signed in by it."""
    ground: Ground = request.app.state.ground
    for mark in _read(request):
        if _is_same(mark.of_name, _proof(ground, mark.nonce, name)):
            return mark.nonce
    return None


def known_browser(request: Request, staff: Staff) -> str | None:
    """Return the nonce of a browser in which this account has signed in before, by any name."""
    mark = _mark_of(request, staff)
    return mark.nonce if mark is not None else None


def _mark_of(request: Request, staff: Staff) -> _Mark | None:
    ground: Ground = request.app.state.ground
    for mark in _read(request):
        if mark.of_account:
            is_its = _is_same(mark.of_account, _account_proof(ground, mark.nonce, staff))
        else:
            is_its = _is_same(mark.of_name, _proof(ground, mark.nonce, _name(staff)))
        if is_its:
            return mark
    return None


def _read(request: Request) -> Iterator[_Mark]:
    for whole in _marks(request)[:_MOST_KNOWN]:
        nonce, of_name, of_account = (*whole.split("."), "", "")[:3]
        # A space stands between nonce and name, so that a name with one is no other's.
        if " " not in nonce:
            yield _Mark(whole, nonce, of_name, of_account)


def _is_same(said: str, proof: str) -> bool:
    return hmac.compare_digest(said.encode(), proof.encode())


def _name(staff: Staff) -> str:
    return staff.name.strip().lower()[:80]


def _marks(request: Request) -> list[str]:
    name = cookie_name(request.app.state.ground.settings, KNOWN)
    marks = request.cookies.get(name, "").split("~")
    return [mark for mark in marks if 0 < len(mark) <= _LONGEST_MARK]


def _proof(ground: Ground, nonce: str, name: str) -> str:
    return ground.keys.secret_of(HashOf.KNOWN_BROWSER, f"{nonce[:64]} {name}").hex()


def _account_proof(ground: Ground, nonce: str, staff: Staff) -> str:
    # No name begins with a space, so this is the proof of none.
    return _proof(ground, nonce, f" {staff.id}")[:32]


def remember_browser(request: Request, response: Response, staff: Staff) -> None:
    """Mark the browser as one in which this account has signed in. The mark has no name; after
    a new name, it is made anew."""
    ground: Ground = request.app.state.ground
    known = _mark_of(request, staff)
    nonce = known.nonce if known is not None else secrets.token_urlsafe(16)
    mark = f"{nonce}.{_proof(ground, nonce, _name(staff))}.{_account_proof(ground, nonce, staff)}"
    if known is not None and _is_same(known.whole, mark):
        return
    others = [one for one in _marks(request) if known is None or one != known.whole]
    marks = [mark, *others][:_MOST_KNOWN]
    response.set_cookie(
        cookie_name(ground.settings, KNOWN),
        "~".join(marks),
        max_age=_KNOWN_SECONDS,
        httponly=True,
        samesite="lax",
        secure=ground.settings.has_tls,
    )
