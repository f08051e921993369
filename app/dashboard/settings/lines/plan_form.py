"""The form of a line's plan: what was changed in it, against what it showed."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from app.dashboard.settings.lines.line_forms import differs
from app.dashboard.settings.lines.line_views import PLAN_NUMBERS
from app.dashboard.skill_choices import read_choices
from app.errors import Invalid
from app.routing.plan import Plan, check_skills


def skills_text(skills: Mapping[str, int]) -> str:
    """Return skills as one text, to compare them."""
    return ", ".join(f"{name}:{level}" for name, level in sorted(skills.items()))


def changed(sent: Mapping[str, str], now: Plan) -> dict[str, Any]:
    """Return the values of a plan that the form changed; `was.<name>` is what it showed.
    `no_partner` says that none is wanted.

    Raises Invalid, and Conflict if another person has changed one of them since.
    """
    found: dict[str, Any] = {}
    stored = asdict(now)
    for name in PLAN_NUMBERS:
        if _differs(sent, name, sent.get(name, ""), str(stored[name])):
            found[name] = _number(sent.get(name, ""))
    number = sent.get("partner_number", "")
    if _differs(sent, "partner_number", number, now.partner_number or ""):
        found["partner_number"] = number
    elif sent.get("no_partner") and not number:
        found["partner_number"] = ""
    skills = check_skills(read_choices(sent))
    if _differs(sent, "skills", skills_text(skills), skills_text(now.skills)):
        found["skills"] = skills
    return found


def _differs(sent: Mapping[str, str], name: str, value: str, stored: str) -> bool:
    """Return whether a value was changed in the form. Raises Invalid, Conflict."""
    if f"was.{name}" not in sent:
        raise Invalid("The input is not valid.")
    return differs(sent, name, value, stored)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Invalid("Write each time as a whole number.") from None
