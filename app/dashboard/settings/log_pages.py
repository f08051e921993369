"""The page of the log of people's acts: who did or read what, with before and after."""

import contextlib
import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from pydantic import BeforeValidator
from starlette.responses import RedirectResponse

from app.calls import lines
from app.dashboard.settings.log_words import FIELD_WORDS
from app.dashboard.templating import page, templates
from app.people import finding
from app.people.log_check import ask_for_check, last_check
from app.staff import accounts
from app.staff.audit import Wanted, list_entries, write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import N_, code_words, said
from app.work import Work

router = APIRouter(include_in_schema=False)
Reads = Annotated[Staff, reader_with(Permission.READ_LOG)]
# A field of the form that is left empty does not narrow the log.
_LEFT_EMPTY = BeforeValidator(lambda text: text or None)
Person = Annotated[UUID | None, _LEFT_EMPTY]
Day = Annotated[date | None, _LEFT_EMPTY]
_PAGE = 100
_CODE = re.compile(r"[a-z]+(_[a-z]+)*")
# What a check finds in each log.
CHAIN_WORDS = {
    "audit_entries": N_("What people did and read"),
    "call_events": N_("What happened in calls"),
    "record_events": N_("What happened to contacts, cases and referrals"),
    "calls_without_events": N_("Calls whose log lacks its end"),
    "resealed_words": N_("Words that were sealed with a newer key"),
}


class Said(NamedTuple):
    """One value of an entry, in the reader's words; of a change, `before` is what it was."""

    name: str
    before: str
    after: str
    changed: bool


def values_of(entry: AuditEntry) -> list[Said]:
    """Return what an entry says besides who, when and what: changes first."""
    detail = dict(entry.detail)
    if "before" not in detail and "after" not in detail:
        return [Said(_field(name), "", _text(value), False) for name, value in detail.items()]
    was, now = detail.pop("before", None), detail.pop("after", None)
    if isinstance(was, dict) or isinstance(now, dict):
        was, now = was or {}, now or {}
        names = [*was, *(name for name in now if name not in was)]
        changes = [Said(_field(n), _text(was.get(n)), _text(now.get(n)), True) for n in names]
    else:
        changes = [Said("", _text(was), _text(now), True)]
    rest = [Said(_field(name), "", _text(value), False) for name, value in detail.items()]
    return [*changes, *rest]


def _field(name: str) -> str:
    """Return what a field is called; a name without words stands as it is."""
    return said(FIELD_WORDS[name]) if name in FIELD_WORDS else name.replace("_", " ")


def _text(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{_field(name)}: {_text(one)}" for name, one in value.items())
    return code_words(value) if _CODE.fullmatch(str(value)) else str(value)


async def _zone(work: Work) -> ZoneInfo:
    """Return the zone of the first line: the days of the log are those of the helpline."""
    found = await lines.all_lines(work)
    return ZoneInfo(found[0].timezone if found else "UTC")


@router.get("/admin/log")
async def log_page(
    request: Request,
    work: InWork,
    staff: Reads,
    person: Person = None,
    kind: Annotated[str, Query(max_length=60)] = "",
    subject: Annotated[str, Query(max_length=80, pattern=r"^[ -~]*$")] = "",
    since: Day = None,
    until: Day = None,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> Response:
    """Show the log, newest first, narrowed by person, kind, subject and days; log the reading."""
    zone = await _zone(work)
    wanted = Wanted(
        actor=str(person or ""),
        action=kind if kind in list(AuditLog) else "",
        subject=subject.strip(),
        since=_begin(since, zone),
        until=_begin(until, zone, days=1),
    )
    write_entry(work, AuditLog.AUDIT_LOG_READ, "audit_entries")
    entries = await list_entries(work, wanted, before=before, limit=_PAGE)
    names = await accounts.names_of(work, set(_ids(entries)))
    return templates.TemplateResponse(
        request,
        "settings/log.html",
        {
            "staff": staff,
            "entries": [(entry, values_of(entry)) for entry in entries],
            "names": {str(key): name for key, name in names.items()},
            "people": await finding.find_people(work),
            "kinds": sorted((code_words(one.value), one.value) for one in AuditLog),
            "wanted": wanted,
            "since": since or "",
            "until": until or "",
            "older": entries[-1].id if len(entries) == _PAGE else None,
            "check": await last_check(work),
            "chain_words": CHAIN_WORDS,
        },
    )


@router.get("/admin/log/check")
async def check_fragment(request: Request, work: InWork, staff: Reads) -> Response:
    """Render what the last check of the logs found."""
    return page(
        request,
        "fragments/team/log_check.html",
        check=await last_check(work),
        chain_words=CHAIN_WORDS,
    )


@router.post("/admin/log/check")
async def ask_for_a_check(work: InWork, staff: Reads) -> Response:
    """Begin a check of all logs."""
    ask_for_check(work)
    return RedirectResponse("/admin/log", 303)


def _ids(entries: list[AuditEntry]) -> Iterator[UUID]:
    """Yield the ids in entries that may be those of people; a subject can be anything."""
    for entry in entries:
        for written in (entry.actor, entry.subject):
            with contextlib.suppress(ValueError):
                yield UUID(written)


def _begin(day: date | None, zone: ZoneInfo, days: int = 0) -> datetime | None:
    """Return when a day begins, `days` later; None without a day, or far from our time."""
    if day is None or not 1900 < day.year < 9000:
        return None
    return datetime.combine(day + timedelta(days=days), time(), zone)
