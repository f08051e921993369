"""Where a child reports pictures and videos of child abuse: the page of the national hotline."""

from functools import cache
from pathlib import Path

import yaml

from app.calls.chat_rules import ChatRules

_PAGES = Path(__file__).parent / "data" / "report_pages.yaml"


@cache
def _pages() -> dict[str, str]:
    read: dict[str, str] = yaml.safe_load(_PAGES.read_text("utf-8"))
    return read


def report_page(rules: ChatRules, country: str) -> str:
    """Return the page that a line names, or else that of its country; empty for none."""
    return country_page(country) if rules.report_page is None else rules.report_page


def country_page(country: str) -> str:
    """Return the page of a country; empty if none is known."""
    return _pages().get(country, "")
