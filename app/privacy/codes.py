"""Secrets that people read aloud, write down, type and paste: 135 random bits as letters."""

import re
import secrets

# Without letters that look or sound alike when they are read from paper, and without digits: they
# look like letters, and the log takes a row of them for a phone number.
LETTERS = "abcdefghjkmnpqrstuvwxyz"
GROUPS, IN_A_GROUP = 6, 5
# What people type around the letters: spaces, and all that a keyboard or a letter makes of a dash.
_AROUND = re.compile(r"[\s\-\u2010-\u2015_.]")
_LONGEST = 100


def new_code() -> str:
    """Return a new code: six groups of five letters, from the system's generator."""
    groups = ("".join(secrets.choice(LETTERS) for _ in range(IN_A_GROUP)) for _ in range(GROUPS))
    return "-".join(groups)


def plain(typed: str) -> str:
    """Return a code as it is compared: in small letters, without spaces and dashes."""
    return _AROUND.sub("", typed[:_LONGEST]).lower()
