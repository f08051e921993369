"""Only the ends of a number or an address: what a log may hold of it for ever. Pure."""

from urllib.parse import urlsplit


def of_name(name: str) -> str:
    """Return the first letter of a person's name."""
    return f"{name[:1]}…"


def of_number(number: str | None) -> str:
    """Return the ends of a number or a SIP address; empty for none."""
    return f"{number[:4]}…{number[-2:]}" if number else ""


def of_email(email: str | None) -> str:
    """Return the first letter of an e-mail address, and its domain; empty for none."""
    return f"{email[:1]}…@{email.rpartition('@')[2]}" if email else ""


def of_url(url: str | None) -> str:
    """Return the host of an address: the rest may hold a secret. Empty for none."""
    return (urlsplit(url).hostname or "") if url else ""
