"""Change the plan of a line."""

from dataclasses import replace
from typing import Any

from app.calls.lines import lines, lost_partners
from app.calls.speech import LineScript
from app.dialling import outward
from app.errors import Invalid, why
from app.routing import partners
from app.routing.plan import Plan, check_plan, read_plan
from app.work import Work


async def change_plan(
    work: Work, line: LineScript, *, confirm_partner: str | None = None, **changed: Any
) -> Plan:
    """Change a line's plan; None leaves a value as it is. A new number of its partner waits for a
    second person, and so does one in doubt that `confirm_partner` repeats. An empty one says that
    none is wanted. Raises Invalid."""
    known = {name: value for name, value in changed.items() if value is not None}
    number = known.get("partner_number")
    if number is not None:
        known["partner_number"] = await outward.read_number(work, number) if number else None
    # Locked before it is read: another administrator may change another value at the same time.
    row = await lines.lock_line(work, line.id)
    if confirm_partner is not None:
        seen = await outward.read_number(work, confirm_partner)
        await partners.confirm(work, line, row, seen)
    now = read_plan(row.plan)
    plan = replace(now, **known)
    try:
        checked = check_plan(plan)
    except ValueError as error:
        raise Invalid("The plan is not valid: %(problem)s.", problem=why(error)) from None
    if "partner_number" in known:
        if await partners.hold_back(work, line, now.partner_number, plan.partner_number):
            plan = replace(plan, partner_number=now.partner_number)
            checked = check_plan(plan)
        elif plan.partner_number is None:
            await lost_partners.want_none(work, row)
    await lines.set_plan(work, line, checked)
    return plan
