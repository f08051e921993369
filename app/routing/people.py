"""Change which calls a counsellor can take, and the plan of a line."""

from dataclasses import replace
from typing import Any

from app.calls import lines
from app.calls.speech import LineScript
from app.errors import Invalid, NotFound
from app.privacy.numbers import e164
from app.routing.plan import Plan, check_plan, read_plan, read_skills
from app.staff import accounts
from app.staff.audit import write_entry
from app.staff.models import Staff
from app.work import Work


async def change_staff(
    work: Work,
    name: str,
    *,
    languages: list[str] | None = None,
    line_numbers: list[str] | None = None,
    skills: list[str] | None = None,
    training: bool | None = None,
    active: bool | None = None,
) -> Staff:
    """Change which calls an account can take; None leaves a value. Raises NotFound, Invalid."""
    found = await accounts.find_by_name(work.session, name)
    if found is None:
        raise NotFound(f"There is no account {name!r}.")
    if skills is not None:
        check_skills(skills)
        found.skills = skills
    if languages is not None:
        for language in languages:
            lines.check_language(language)
        found.languages = languages
    if line_numbers is not None:
        found.lines = [await _number_of(work, number) for number in line_numbers]
    if training is not None:
        found.training = training
    if active is not None:
        found.active = active
    await work.session.flush()
    write_entry(work, "staff changed", str(found.id), training=found.training, active=found.active)
    work.announce("roster", "presence", "staff")
    return found


async def _number_of(work: Work, number: str) -> str:
    """Return the number by which matching knows a line. Raises NotFound."""
    line = await lines.line_of_number(work, number)
    if line is None:
        raise NotFound(f"There is no line {number}.")
    return line.number


def check_skills(words: list[str]) -> dict[str, int]:
    """Read the skills of a person or a line, each with its level. Raises Invalid."""
    try:
        return read_skills(words)
    except ValueError as error:
        raise Invalid(str(error)) from None


async def change_plan(work: Work, line: LineScript, **changed: Any) -> Plan:
    """Change a line's plan; None leaves a value as it is. Raises Invalid."""
    known = {name: value for name, value in changed.items() if value is not None}
    number = known.get("partner_number")
    if number is not None:
        known["partner_number"] = e164(number) if number else None
        if number and known["partner_number"] is None:
            raise Invalid(f"{number} is not a phone number. Write it with + and the country code.")
    plan = replace(read_plan(line.plan), **known)
    try:
        await lines.set_plan(work, line, check_plan(plan))
    except ValueError as error:
        raise Invalid(f"The plan is not valid: {error}.") from None
    return plan
