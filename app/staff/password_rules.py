"""What a new password must be: long enough, hard to guess, not the person's own name, not one that
was published in a leak (`leaked.py`), and new.

How hard it is to guess is estimated with zxcvbn (Wheeler, USENIX Security 2016): lists of common
passwords, names and words, keyboard patterns, dates, and the usual replacements of letters.
"""

import asyncio
import re
from urllib.parse import urlsplit

from anyascii import anyascii
from sqlalchemy import select, text

from app.errors import Invalid
from app.staff.hashing import is_of
from app.staff.leaked import LeakedPassword, is_leaked
from app.staff.models import EarlierPassword, Staff
from app.work import Work

SHORTEST = 10
LONGEST = 200
# How many passwords of a person cannot be chosen again, with the present one.
REMEMBERED = 5
# A password that fewer guesses than this would find is refused.
_FEWEST_GUESSES = 10**8
# The estimate reads no more of a password than this: what is beyond only makes it better.
_READ = 64
# A name shorter than this says nothing about a password that contains it.
_SHORTEST_NAME = 3
# What must be left of a password when the person's own words are taken away.
_LEFT = 8
# The lists of zxcvbn are English. These are what people around here would type first.
_TYPED_HERE = """
lozinka sifra zaporka geslo srbija hrvatska bosna beograd zagreb sarajevo podgorica skopje
ljubljana novisad zvezda partizan delije grobari dinamo hajduk volimte ljubav sunce srce
princeza telefon pomoc deca dete helpline hotline childline
""".split()


class WeakPassword(Invalid):
    default = (
        "This password is easily guessed. Choose one with more words, that do not belong together."
    )


class OwnWords(Invalid):
    default = (
        "This password is little more than your name, your e-mail address or the name of the "
        "helpline. Choose words that have nothing to do with them."
    )


class UsedBefore(Invalid):
    default = "You had this password before. Choose one that you did not use yet."


async def check_password(work: Work, staff: Staff, password: str) -> None:
    """Check a new password of a person. Raises Invalid; the text says what to do."""
    if len(password) < SHORTEST:
        raise Invalid("A password needs at least %(number)s characters.", number=SHORTEST)
    if len(password) > LONGEST:
        raise Invalid("A password has at most %(number)s characters.", number=LONGEST)
    if not password.isprintable():
        raise Invalid("A password cannot have tabs or line breaks. Remove them.")
    own = await _own_words(work, staff)
    if _is_of_words(password, own):
        raise OwnWords()
    if await asyncio.to_thread(_guesses, password, own) < _FEWEST_GUESSES:
        raise WeakPassword()
    if await is_leaked(work, password):
        raise LeakedPassword()
    if await _was_used(work, staff, password):
        raise UsedBefore()


def _letters(words: str) -> str:
    """Return the letters and digits of a text, without marks and capitals."""
    return re.sub(r"[^a-z0-9]", "", anyascii(words).lower())


async def _own_words(work: Work, staff: Staff) -> list[str]:
    """Return the words that others connect with a person, the longest first."""
    host = urlsplit(work.settings.public_url).hostname or ""
    texts = [staff.name, staff.email or "", "helpline", host]
    # The names of lines are those of the helpline; the table belongs to a higher area.
    texts += await work.session.scalars(text("SELECT name FROM lines"))
    words = {_letters(part) for said in texts for part in (said, *re.split(r"[\W_]+", said))}
    return sorted((one for one in words if len(one) >= _SHORTEST_NAME), key=len, reverse=True)


def _is_of_words(password: str, words: list[str]) -> bool:
    """Return whether a password is these words and little more."""
    left = before = _letters(password)
    for word in words:
        left = left.replace(word, "")
    # A password in another script, or of signs, is not judged here.
    return left != before and len(left) < _LEFT


def _guesses(password: str, own: list[str]) -> float:
    # Loaded when it is first needed: its lists take 10 MB.
    from zxcvbn import zxcvbn

    return float(zxcvbn(password[:_READ], user_inputs=[*own, *_TYPED_HERE])["guesses"])


async def _was_used(work: Work, staff: Staff, password: str) -> bool:
    earlier = await work.session.scalars(
        select(EarlierPassword.password_hash)
        .where(EarlierPassword.staff_id == staff.id)
        .order_by(EarlierPassword.until_at.desc())
        .limit(REMEMBERED - (staff.password_hash is not None))
    )
    for known in (staff.password_hash, *earlier):
        if known is not None and await is_of(password, known):
            return True
    return False
