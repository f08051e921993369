"""Change what is dialled. A rule that would leave a number in use unreachable is refused."""

import re
from dataclasses import dataclass, replace
from typing import Any

import phonenumbers
from sqlalchemy import func, select

from app.calls.lines import finding_lines
from app.database.topics import Topic
from app.dialling import outward
from app.dialling.models import DiallingRules
from app.dialling.rules import NumberKind, Rules, why_not_address
from app.errors import ChangedMeanwhile, Conflict, Invalid
from app.referrals.directory import agencies
from app.routing.plan import read_plan
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

_MOST = 1_000_000


class NumbersInUse(Conflict):
    default = "Numbers in use would no longer be dialled."


@dataclass(frozen=True)
class RuleChanges:
    """What the rules are to say; None leaves a value as it is."""

    countries: list[str] | None = None
    kinds: list[str] | None = None
    person_hour: int | None = None
    person_day: int | None = None
    alarm_hour: int | None = None
    alarm_day: int | None = None
    minutes_hour: int | None = None
    minutes_day: int | None = None


def values_of(rules: Rules) -> dict[str, Any]:
    """Return what can be changed of the rules, as it is now."""
    return {
        "countries": list(rules.countries),
        "kinds": list(rules.kinds),
        "person_hour": rules.person_hour,
        "person_day": rules.person_day,
        "alarm_hour": rules.alarm_hour,
        "alarm_day": rules.alarm_day,
        "minutes_hour": rules.minutes_hour,
        "minutes_day": rules.minutes_day,
    }


def _checked(rules: Rules, changes: RuleChanges) -> Rules:
    """Return the rules with the changes. Raises Invalid."""
    given = {name: value for name, value in vars(changes).items() if value is not None}
    if "countries" in given:
        codes = sorted({code.strip().upper() for code in given["countries"] if code.strip()})
        for code in codes:
            if not re.fullmatch("[A-Z]{2}", code) or not phonenumbers.country_code_for_region(code):
                raise Invalid(
                    "'%(code)s' is not a country. Write its two letters, for example HR.",
                    code=code[:10],
                )
        given["countries"] = tuple(codes)
    if "kinds" in given:
        unknown = [kind for kind in given["kinds"] if kind not in set(NumberKind)]
        if unknown or not given["kinds"]:
            raise Invalid("Choose one or more of: %(kinds)s.", kinds=list(NumberKind))
        given["kinds"] = tuple(kind.value for kind in NumberKind if kind in given["kinds"])
    wanted = replace(rules, **given)
    for what in ("person", "alarm", "minutes"):
        hour, day = getattr(wanted, f"{what}_hour"), getattr(wanted, f"{what}_day")
        if not 1 <= hour <= _MOST or not 1 <= day <= _MOST:
            raise Invalid("A limit is a whole number from 1 to %(most)s.", most=_MOST)
        if hour > day:
            raise Invalid("The limit of a day cannot be lower than the limit of an hour.")
    return wanted


async def change(work: Work, changes: RuleChanges, *, revision: int | None = None) -> Rules:
    """Change the rules; `revision` is that of the reader's page.

    Raises Invalid, ChangedMeanwhile, NumbersInUse.
    """
    row = await work.session.get(DiallingRules, 1, with_for_update=True)
    before = await outward.read_rules(work)
    if revision is not None and before.revision != revision:
        raise ChangedMeanwhile()
    wanted = _checked(before, changes)
    was, now = values_of(before), values_of(wanted)
    different = [name for name in now if now[name] != was[name]]
    if not different:
        return before
    stranded = await not_dialled(work, wanted)
    if newly := sorted(set(stranded) - set(await not_dialled(work, before))):
        raise NumbersInUse(
            "These would no longer be dialled: %(whose)s. Give them other numbers first.",
            whose=newly[:20],
        )
    if row is None:
        row = DiallingRules(id=1, revision=0)
        work.session.add(row)
    for name, value in now.items():
        setattr(row, name, value)
    row.revision = before.revision + 1
    await work.session.flush()
    write_entry(
        work,
        AuditLog.DIALLING_CHANGED,
        "dialling",
        before={name: was[name] for name in different},
        after={name: now[name] for name in different},
    )
    work.announce(Topic.LINES)
    return replace(wanted, revision=row.revision)


async def not_dialled(work: Work, rules: Rules) -> list[str]:
    """Return whose number is in use and would not be dialled under these rules: agencies by their
    codes, people by their names, and lines with a partner."""
    found = []
    for agency, entry in await agencies.entries(work):
        numbers = [phone.number for phone in entry.duty_phones]
        numbers += [entry.sms] if entry.sms else []
        if any(why_not_address(number, rules) for number in numbers):
            found.append(agency.code)
    people = await work.session.execute(
        select(Staff.name, func.coalesce(Staff.endpoint, Staff.second_phone))
        .where(Staff.active, func.coalesce(Staff.endpoint, Staff.second_phone).is_not(None))
        .order_by(Staff.name)
    )
    found += [name for name, endpoint in people if endpoint and why_not_address(endpoint, rules)]
    for line in await finding_lines.all_lines(work):
        partner = read_plan(line.plan).partner_number
        if partner is not None and why_not_address(partner, rules):
            found.append(line.name)
    return found
