"""The times and limits that a helpline decides for itself, in place of those of its server.

Each has a value in the settings of the server (`app/settings.py`), or in the definitions of its
country (`OWN_VALUES`), which counts until the helpline decides otherwise. Every process works by a
change within moments, without a restart.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import time
from typing import Annotated, Any, get_args

import phonenumbers
import psycopg
from annotated_types import Ge, Le
from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from app.administration.models import OwnSettings
from app.calls.lines import finding_lines, number_setup
from app.calls.lines.leading import Leads, tell_supervisors
from app.contacts.cases import follow_ups
from app.contacts.registry import library_of
from app.database.bus import Bus, Subscription
from app.database.topics import Topic
from app.definitions import in_force
from app.definitions.own_values import (
    OWN_LENGTHS,
    OWN_NUMBERS,
    OWN_TIMES,
    OWN_VALUES,
    hours_as_text,
    hours_in,
    keep_values,
)
from app.dialling import outward
from app.dialling.rules import Why, words_of
from app.errors import ChangedMeanwhile, Code, Invalid
from app.jobs.transaction import transaction
from app.log import log
from app.privacy.numbers import international_from
from app.routing.rota import own_rules, rest
from app.routing.rota.proposals.usual import checked_lengths, read_usual
from app.settings import Settings
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.statistics.counting.kept_targets import keep_short_abandon, keep_target
from app.statistics.facts.questions import read_questions
from app.statistics.planning import own_planning
from app.work import PROGRAM, Ground, Work

# The settings that a helpline decides, in the order in which they are shown. The others belong to
# the server.
OF_SERVER = (
    "offer_seconds",
    "connect_seconds",
    "wrap_up_seconds",
    "grace_seconds",
    "page_grace_seconds",
    "long_wait_seconds",
    "longest_wait_seconds",
    "callback_from",
    "service_level_seconds",
    "short_abandon_seconds",
    "public_period",
    "chat_silence_seconds",
    "chat_return_seconds",
    "writing_grace_seconds",
    "chat_code_days",
    "invitation_days",
    "data_request_reminder_days",
    "document_megabytes",
    "documents_per_day",
    "document_megabytes_per_day",
    "documents_per_case",
    "document_megabytes_per_case",
)
OWN = (*OF_SERVER, *OWN_VALUES)
# Seconds until a process that could not ask the database asks again.
_AGAIN = 1.0
_SERVER = "settings_of_the_server"

Value = int | float | str | None


@dataclass(frozen=True)
class OwnSetting:
    """A setting as it is now."""

    name: str
    # What holds, and what the server says.
    value: Value
    server: Value
    # Whether the helpline has decided it.
    is_own: bool
    # The least and the most that it can be; None for one that is no number.
    least: int | None
    most: int | None
    # What it can be, if it is one of a few words.
    choices: tuple[str, ...] = ()

    @property
    def of_country(self) -> bool:
        """Whether `server` is what the definitions of the country say."""
        return self.name in OWN_VALUES

    @property
    def is_time(self) -> bool:
        """Whether it is a time of day, as 09:00."""
        return self.name in OWN_TIMES

    @property
    def is_lengths(self) -> bool:
        """Whether it is lengths in hours, with a space between them."""
        return self.name in OWN_LENGTHS


@dataclass(frozen=True)
class Known:
    """All of them, and the revision that is sent back with a change."""

    settings: tuple[OwnSetting, ...]
    revision: int

    @property
    def values(self) -> dict[str, Value]:
        return {one.name: one.value for one in self.settings}


def bounds_of(name: str) -> tuple[int | None, int | None]:
    """Return the least and the most that a setting can be; None for one that is no number."""
    if name in OWN_NUMBERS:
        return OWN_NUMBERS[name]
    if name in OWN_VALUES:
        return None, None
    marks = Settings.model_fields[name].metadata
    least = next((one.ge for one in marks if isinstance(one, Ge)), None)
    most = next((one.le for one in marks if isinstance(one, Le)), None)
    return least, most  # type: ignore[return-value]


def choices_of(name: str) -> tuple[str, ...]:
    """Return the words that a setting can be; none for a number."""
    field = Settings.model_fields.get(name)
    return tuple(one for one in get_args(field.annotation) if isinstance(one, str)) if field else ()


async def read_own(work: Work, *, lock: bool = False) -> Known:
    """Return the settings that the helpline decides."""
    row = await work.session.get(OwnSettings, 1, with_for_update=lock or None)
    decided = dict(row.decided) if row is not None else {}
    server = of_server(work.ground).model_dump(include=set(OF_SERVER))
    theirs: dict[str, Value] = {**server, **_of_country(work.ground)}
    found = []
    for name in OWN:
        value = decided.get(name, theirs[name])
        is_own = name in decided
        found.append(
            OwnSetting(name, value, theirs[name], is_own, *bounds_of(name), choices_of(name))
        )
    return Known(tuple(found), row.revision if row is not None else 0)


def _of_country(ground: Ground) -> dict[str, Value]:
    """Return what the definitions of the country say, by the names of `OWN_VALUES`."""
    folder = in_force.folder_of(ground)
    rules, week = rest.read_rules(folder), read_usual(folder)
    planning = read_questions(folder).planning
    country = library_of(ground).country
    return {
        **{name: getattr(rules, theirs) for name, theirs in own_rules.REST.items()},
        **{name: getattr(week, theirs) for name, theirs in own_rules.WEEK.items()},
        **{name: getattr(planning, theirs) for name, theirs in own_planning.NUMBERS.items()},
        **{
            name: _percent(getattr(planning, theirs))
            for name, theirs in own_planning.SHARES.items()
        },
        **{name: getattr(country, theirs) for name, theirs in follow_ups.DAYS.items()},
        **{name: _clock(getattr(country, theirs)) for name, theirs in follow_ups.TIMES.items()},
        **{name: _clock(getattr(week, theirs)) for name, theirs in own_rules.NIGHT.items()},
        **{
            name: hours_as_text(getattr(week, theirs)) for name, theirs in own_rules.LENGTHS.items()
        },
    }


def _clock(at: time) -> str:
    return at.isoformat("minutes")


def _percent(share: float) -> int | float:
    """Return a share in percent; a country may say it to a part of one."""
    found = round(share * 100, 4)
    return int(found) if found.is_integer() else found


async def change(
    work: Work,
    wanted: Mapping[str, Value],
    *,
    revision: int | None = None,
    held_before: bool = False,
) -> Known:
    """Decide settings; None gives one back to the server, and those left out stay.

    `revision` is that of the reader's page. `held_before`: the values go back to what they were.
    A new number that call-backs show may be asked for at the provider first, and what was done
    before is committed then. Raises Invalid, Conflict, ChangedMeanwhile.
    """
    home = (await outward.rules_now(work)).home
    checked = {name: _checked(name, value, home) for name, value in wanted.items()}
    if not held_before:
        await _check_is_ours(work, checked.get("callback_from"))
    before = await read_own(work, lock=True)
    if revision is not None and before.revision != revision:
        raise ChangedMeanwhile()
    row = await work.session.get(OwnSettings, 1)
    was = dict(row.decided) if row is not None else {}
    now = {name: value for name, value in {**was, **checked}.items() if value is not None}
    of_settings = {name: value for name, value in now.items() if name in OF_SERVER}
    _check_together(of_server(work.ground).model_copy(update=of_settings))
    if now == was:
        return before
    _check_week({**_of_country(work.ground), **now})
    if row is None:
        row = OwnSettings(id=1, revision=0)
        work.session.add(row)
    row.decided, row.revision = now, before.revision + 1
    await work.session.flush()
    after = await read_own(work)
    different = [name for name in OWN if was.get(name) != now.get(name)]
    write_entry(
        work,
        AuditLog.SETTINGS_CHANGED,
        "settings",
        before={name: before.values[name] for name in different},
        after={name: after.values[name] for name in different},
    )
    if "callback_from" in different:
        await tell_supervisors(work, None, Leads.SHOWN_IN_CALLBACKS)
    if "service_level_seconds" in different:
        await keep_target(work, int(after.values["service_level_seconds"] or 0))
    if "short_abandon_seconds" in different:
        await keep_short_abandon(work, int(after.values["short_abandon_seconds"] or 0))
    work.announce(Topic.SETTINGS)
    return after


def _checked(name: str, value: Value, home: Iterable[str]) -> Value:
    """Return a value as it is stored; `home` are the countries of the lines. Raises Invalid."""
    if name not in OWN:
        raise Invalid("%(name)s is not a setting that a helpline can change.", name=name[:60])
    if value is None or value == "":
        return None
    if name == "callback_from":
        return _number(str(value), home)
    if choices := choices_of(name):
        if value not in choices:
            raise Invalid(
                "%(name)s: choose one of %(choices)s.",
                name=name,
                choices=[Code(one) for one in choices],
            )
        return value
    if name in OWN_TIMES:
        return _time(name, str(value))
    if name in OWN_LENGTHS:
        return _lengths(name, str(value))
    least, most = bounds_of(name)
    kind: Any = Annotated[int, Field(ge=least, le=most)]
    try:
        found: int = TypeAdapter(kind).validate_python(value)
    except ValidationError:
        raise _out_of_bounds(name, least, most) from None
    return found


def _time(name: str, text: str) -> str:
    """Return a time of day as it is stored. Raises Invalid."""
    try:
        found = time.fromisoformat(text.strip())
    except ValueError:
        found = None
    if found is None or found.second or found.microsecond or found.tzinfo:
        raise Invalid("%(name)s: write a time of day with hours and minutes, as 09:00.", name=name)
    return _clock(found)


def _lengths(name: str, text: str) -> str:
    """Return lengths in hours as they are stored. Raises Invalid."""
    try:
        found = checked_lengths(hours_in(text.replace(",", ".")))
    except ValueError:
        raise Invalid(
            "%(name)s: write one to six different lengths from 1 to 24 hours, in half hours, with "
            "a space between them, as 8 6.5 4.",
            name=name,
        ) from None
    return hours_as_text(found)


def _check_together(settings: Settings) -> None:
    """Refuse limits that contradict each other. Raises Invalid."""
    megabytes = settings.document_megabytes
    for name in ("document_megabytes_per_day", "document_megabytes_per_case"):
        if getattr(settings, name) < megabytes:
            raise _out_of_bounds(name, megabytes, bounds_of(name)[1])
    if settings.long_wait_seconds >= settings.longest_wait_seconds:
        least, _ = bounds_of("long_wait_seconds")
        raise _out_of_bounds("long_wait_seconds", least, settings.longest_wait_seconds - 1)


def _check_week(values: Mapping[str, Any]) -> None:
    """Refuse a usual week that is longer than the longest one, and a night without an end. Raises
    Invalid."""
    if values["week_usual_hours"] > values["week_most_hours"]:
        least, _ = bounds_of("week_usual_hours")
        raise _out_of_bounds("week_usual_hours", least, values["week_most_hours"])
    if values["night_from"] == values["night_until"]:
        raise Invalid(
            "%(name)s: write another time than the one at which the night begins.",
            name="night_until",
        )


def _out_of_bounds(name: str, least: int | None, most: int | None) -> Invalid:
    return Invalid(
        "%(name)s: write a whole number from %(least)s to %(most)s.",
        name=name,
        least=least,
        most=most,
    )


def _number(text: str, home: Iterable[str]) -> str:
    """Return a number that is written with its country, or as in the country of the lines."""
    found = international_from(text.strip(), home)
    if found is None or not phonenumbers.is_valid_number(phonenumbers.parse(found)):
        raise Invalid(words_of(Why.NOT_A_NUMBER, ""))
    return found


async def _check_is_ours(work: Work, number: Value) -> None:
    """Check that children who ring the number of a call-back reach the helpline: it is a line's, or
    the provider knows it as ours. One that holds already is not asked for again. Raises Invalid,
    Conflict."""
    if number is None or number == (await read_own(work)).values["callback_from"]:
        return
    of_lines = await finding_lines.numbers_of(work)
    if any(one == number and not line.practice for one, line in of_lines.items()):
        return
    if number not in await number_setup.shown_numbers(work):
        raise Invalid(
            "%(number)s is neither the number of a line nor one that the account at the provider "
            "has or has verified. Children would ring it back and reach another person.",
            number=number,
        )


def of_server(ground: Ground) -> Settings:
    """Return the settings of the server, without what the helpline has decided."""
    found: Settings = ground.kept.get(_SERVER, ground.settings)
    return found


async def learn(work: Work) -> None:
    """Work by what is decided from now on."""
    ground = work.ground
    row = await work.session.get(OwnSettings, 1)
    server: Settings = ground.kept.setdefault(_SERVER, ground.settings)
    known = row.decided if row is not None else {}
    keep_values(ground, {name: value for name, value in known.items() if name in OWN_VALUES})
    decided = {name: value for name, value in known.items() if name in OF_SERVER}
    ground.settings = server.model_copy(update=decided) if decided else server


async def learn_now(ground: Ground) -> None:
    """Read what is decided, in a transaction of its own."""
    async with transaction(ground, PROGRAM) as work:
        await learn(work)


async def watch(ground: Ground, bus: Bus) -> None:
    """Read it again after each change. Runs for ever."""
    with bus.listening(Subscription(), {Topic.SETTINGS, Topic.EVERYTHING}) as news:
        news.put(Topic.SETTINGS)
        while True:
            await news.take()
            try:
                await learn_now(ground)
            except (SQLAlchemyError, psycopg.Error, OSError) as error:
                kind = type(error).__name__
                log().warning("settings were not read", area="database", exception_type=kind)
                await ground.clock.sleep(_AGAIN)
                news.put(Topic.SETTINGS)
