"""A line's plan: who is asked as the wait grows, and which skills a call needs. Pure."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.errors import BadText, Invalid, why
from app.privacy.numbers import e164
from app.routing.rota.shifts import Layer, first_instant

# Priorities, in seconds of waiting: a head start in the queue, or a handicap if negative.
DANGER_PRIORITY = 3600
RETURNED_PRIORITY = 7200
URGENT_REFERRAL_PRIORITY = 1800
AT_RISK_PRIORITY = 900
CALLBACK_PRIORITY = 600
TEST_CALLER_PRIORITY = -900
# A child who writes from a network from which another one was abusive a while ago.
NEAR_BLOCKED_PRIORITY = -300
_LONGEST = 86_400
_LONGEST_MESSAGE = 604_800
_SKILL = re.compile(r"[a-z][a-z0-9_-]{0,39}")


@dataclass(frozen=True)
class Plan:
    """Limits of a line, in seconds from the caller's first arrival. The caller keeps their place.

    `partner_number` is another service: it is rung after `partner_after`, or at once if no
    counsellor of ours is on duty. `preferred_for` is how long a caller waits for the counsellor
    whom they asked for. `priority` is added to every call of the line. `skills` are the skills
    that a call of the line needs, each with its minimum level.
    """

    backup_after: int = 30
    supervisor_after: int = 60
    on_call_after: int = 120
    any_skill_after: int = 60
    preferred_for: int = 60
    partner_after: int = 300
    partner_number: str | None = None
    ring_at_once: int = 3
    priority: int = 0
    # Hours of the day without call-backs, unless the child chose that time.
    night_from: int = 22
    night_until: int = 7
    # A caller who waits longer than this many seconds opens an alarm.
    longest_wait: int = 300
    # A message that no person has taken for this many seconds opens an alarm.
    message_wait: int = 43_200
    # A call-back that was not made this many seconds after the agreed time opens an alarm.
    callback_wait: int = 1_800
    skills: Mapping[str, int] = field(default_factory=dict)

    def is_partner(self, rung: str) -> bool:
        """Return whether the number that was rung is that of the partner now.

        The provider may say a short number, or an address, otherwise than it was dialled: then
        another one is not told apart.
        """
        if self.partner_number is None:
            return False
        was, now = e164(rung), e164(self.partner_number)
        return was is None or now is None or was == now

    def is_night(self, at: datetime, zone: ZoneInfo) -> bool:
        """Return whether it is night for the line."""
        hour = at.astimezone(zone).hour
        if self.night_from > self.night_until:
            return hour >= self.night_from or hour < self.night_until
        return self.night_from <= hour < self.night_until

    def night_after(self, at: datetime, zone: ZoneInfo) -> datetime:
        """Return when the next night begins."""
        return self._next(at, self.night_from, zone)

    def morning_after(self, at: datetime, zone: ZoneInfo) -> datetime:
        """Return when the night ends, for an instant within it."""
        return self._next(at, self.night_until, zone)

    @staticmethod
    def _next(at: datetime, hour: int, zone: ZoneInfo) -> datetime:
        day = at.astimezone(zone).date()
        found = first_instant(datetime.combine(day, time(hour)), zone)
        if found <= at:
            found = first_instant(datetime.combine(day + timedelta(days=1), time(hour)), zone)
        return found

    def opens_after(self, layer: Layer) -> int:
        """Return the second of waiting from which a layer is asked."""
        return {
            Layer.PRIMARY: 0,
            Layer.BACKUP: self.backup_after,
            Layer.SUPERVISOR: self.supervisor_after,
            Layer.ON_CALL: self.on_call_after,
        }[layer]

    def stage(self, waited: float) -> int:
        """Return how many limits a wait has passed. Between two limits nothing changes."""
        limits = (
            self.backup_after,
            self.supervisor_after,
            self.on_call_after,
            self.any_skill_after,
        )
        return sum(waited >= limit for limit in limits)


def read_skills(words: list[str]) -> dict[str, int]:
    """Read skills written as `name` or `name:level`, levels 1 to 9. Raises ValueError."""
    found = {}
    for word in words:
        name, _, level = word.strip().partition(":")
        if not _SKILL.fullmatch(name) or (level and level not in "123456789"):
            raise BadText(
                "'%(word)s' is not a skill. Write lower-case letters, and a level from 1 to 9 "
                "after a colon if needed: violence or lgbt:2.",
                word=word,
            )
        found[name] = int(level or 1)
    return found


def check_skills(words: list[str]) -> dict[str, int]:
    """Read the skills of a request. Raises Invalid."""
    try:
        return read_skills(words)
    except ValueError as error:
        raise Invalid(why(error)) from None


def read_plan(kept: Mapping[str, Any]) -> Plan:
    """Read a plan as stored with its line. Missing values take their defaults."""
    known = {one.name for one in fields(Plan)}
    return Plan(**{name: value for name, value in kept.items() if name in known})


def check_plan(plan: Plan) -> dict[str, Any]:
    """Return the plan as it is stored, without defaults. Raises ValueError with the reason."""
    kept = asdict(plan)
    for name, value in kept.items():
        if name.endswith(("_after", "_for")) and not 0 <= value <= _LONGEST:
            raise BadText(
                "%(name)s must be 0 to %(longest)s seconds",
                name=name.replace("_", " "),
                longest=_LONGEST,
            )
    if not plan.backup_after <= plan.supervisor_after <= plan.on_call_after:
        raise BadText("backup must come first, then supervisor, then the on-call phone")
    if not (0 <= plan.night_from <= 23 and 0 <= plan.night_until <= 23):
        raise BadText("the night must be in whole hours from 0 to 23")
    if not 30 <= plan.longest_wait <= _LONGEST:
        raise BadText("the longest wait must be 30 to %(longest)s seconds", longest=_LONGEST)
    if not 600 <= plan.message_wait <= _LONGEST_MESSAGE:
        raise BadText(
            "a message may wait 600 to %(longest)s seconds before an alarm",
            longest=_LONGEST_MESSAGE,
        )
    if not 300 <= plan.callback_wait <= _LONGEST:
        raise BadText(
            "a call-back may be 300 to %(longest)s seconds late before an alarm", longest=_LONGEST
        )
    if not 1 <= plan.ring_at_once <= 10:
        raise BadText("the number of phones that ring at once must be 1 to 10")
    if not -_LONGEST <= plan.priority <= _LONGEST:
        raise BadText(
            "a priority must be from -%(longest)s to %(longest)s seconds", longest=_LONGEST
        )
    read_skills([f"{name}:{level}" for name, level in plan.skills.items()])
    usual = asdict(Plan())
    return {name: value for name, value in kept.items() if value != usual[name]}
