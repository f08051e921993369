"""The page of the log of people's acts: who did or read what, with before and after."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BeforeValidator
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse

from app.dashboard.settings.log_words import CODE_WORDS, FIELD_WORDS, FIELD_WORDS_OF
from app.dashboard.settings.own_setting_pages import LABELS
from app.dashboard.templating import page, templates
from app.errors import Invalid
from app.people import finding
from app.people.log_check import ask_for_check, last_check
from app.people.log_names import Name, Names, names_in, subject_name
from app.people.log_search import Sought, search_log
from app.referrals.states import AgencyEvent
from app.safekeeping import anchors
from app.safekeeping.models import Way
from app.safekeeping.verifying import LARGEST_FILE, verdict_of
from app.staff.log_checks.beginnings import beginning_of
from app.staff.log_checks.sealed_words import BEFORE_SUMS
from app.staff.log_kinds import AuditLog
from app.staff.log_values import ActedFrom
from app.staff.models import AuditEntry, Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words import days
from app.words.pages import (
    N_,
    _,
    code_words,
    day_words,
    language_name,
    list_words,
    reader,
    refusal_words,
    said,
)
from app.work import ActorKind

router = APIRouter(include_in_schema=False)
Reads = Annotated[Staff, reader_with(Permission.READ_LOG)]
# A field of the form that is left empty does not narrow the log.
_LEFT_EMPTY = BeforeValidator(lambda text: text or None)
# A person, or what acts by itself: the program, and the telephony provider.
Person = Annotated[UUID | Literal[ActorKind.PROGRAM, ActorKind.PROVIDER] | None, _LEFT_EMPTY]
Day = Annotated[date | None, _LEFT_EMPTY]
_PAGE = 100
# Entries whose field `to` is the code of an agency.
_TO_AGENCY = frozenset({AuditLog.REFERRAL_DISCLOSED, AuditLog.MANDATE_MOVED})
# Fields whose values are codes of languages.
_LANGUAGES = frozenset({"language", "languages", "page_language"})
_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?")
_CODE = re.compile(r"[a-z]+(_[a-z]+)*")
# Codes of `ActedFrom` as they were once stored: no row of the log is changed.
_CODES_ONCE = frozenset(one.replace("_", " ") for one in ActedFrom)
# What a check finds in each log.
CHAIN_WORDS = {
    "audit_entries": N_("What people did and read"),
    "call_events": N_("What happened in calls"),
    "record_events": N_("What happened to contacts, cases and referrals"),
    "calls_without_events": N_("Calls whose log lacks its end"),
    "log_beginnings": N_("Where the log begins"),
    "kept_entries": N_("Earlier entries about who made an account"),
    "words_of_record_events": N_("Words written about contacts, cases and referrals"),
    "words_of_earlier_answers": N_("Answers that were overwritten"),
    "words_of_completed_versions": N_("Answers of completed contacts"),
    "words_of_consents": N_("Words written about consent"),
    "words_of_urgency_decisions": N_("Reasons of decisions about urgency"),
    # Their rows are older than the sums: the check only finds out whether they can be opened.
    BEFORE_SUMS: N_("Words kept before checksums were kept"),
    # As earlier checks named them.
    "resealed_words": N_("Words that were sealed with a newer key"),
}
# What a comparison with anchors can find wrong: a log, or the file itself.
_COMPARED_WORDS = CHAIN_WORDS | {"anchors": N_("The file of anchors")}
# The ways by which the ends of the logs leave the database.
WAY_WORDS = {
    Way.FILE: N_("A file outside the database"),
    Way.MAIL: N_("Mail"),
    Way.TIME_STAMP: N_("A time stamp of an authority"),
}


class ShownValue(NamedTuple):
    """One value of an entry, in the reader's words; for a change, `before` is what it was."""

    name: str
    before: list[Name]
    after: list[Name]
    changed: bool


def values_of(entry: AuditEntry, names: Names) -> list[ShownValue]:
    """Return what an entry says besides who, when and what: changes first."""

    def field(name: str) -> str:
        own = FIELD_WORDS_OF.get((entry.action, name))
        return said(own) if own is not None else _field(name)

    def words(value: Any, name: str = "") -> list[Name]:
        if (known := CODE_WORDS.get((entry.action, name), {}).get(str(value))) is not None:
            return [Name(said(known))]
        return _parts(_language_names(value) if name in _LANGUAGES else value, names)

    detail = dict(entry.detail)
    if entry.action in _TO_AGENCY and isinstance(detail.get("to"), str):
        detail["to"] = f"agency:{detail['to']}"
    if "before" not in detail and "after" not in detail:
        return [
            ShownValue(field(name), [], words(value, name), False) for name, value in detail.items()
        ]
    was: Any = detail.pop("before", None)
    now: Any = detail.pop("after", None)
    if isinstance(was, dict) or isinstance(now, dict):
        was, now = was or {}, now or {}
        fields = [*was, *(name for name in now if name not in was)]
        changes = [
            ShownValue(field(n), words(was.get(n), n), words(now.get(n), n), True) for n in fields
        ]
    else:
        changes = [ShownValue("", words(was), words(now), True)]
    rest = [
        ShownValue(field(name), [], words(value, name), False) for name, value in detail.items()
    ]
    return [*changes, *rest]


def _language_names(value: Any) -> Any:
    """Return the names of languages for their codes."""
    if isinstance(value, list):
        return [_language_names(one) for one in value]
    return language_name(value) if isinstance(value, str) else value


def _field(name: str) -> str:
    """Return what a field is called; a name without words stands as it is."""
    words = FIELD_WORDS.get(name) or LABELS.get(name)
    return said(words) if words else name.replace("_", " ")


def _parts(value: Any, names: Names) -> list[Name]:
    """Return a value in the reader's words; ids are names, and some lead to what they name."""
    if value is None or value in ("", [], {}):
        return []
    if isinstance(value, bool):
        return [Name(_("yes") if value else _("no"))]
    if isinstance(value, list):
        return [part for one in value for part in _parts(one, names)]
    if isinstance(value, dict):
        inner = {name: _parts(one, names) for name, one in value.items()}
        return [
            Name(f"{_field(name)}: {list_words(part.text for part in parts)}")
            for name, parts in inner.items()
        ]
    text = str(value)
    if text in names or text.startswith("agency:"):
        return [names.get(text, Name(text.removeprefix("agency:")))]
    if _TIME.fullmatch(text):
        return [_time(text)]
    if text in set(AgencyEvent):
        # Its words are those of what comes after the kind of record.
        text = text.rpartition(".")[2]
    is_code = _CODE.fullmatch(text) or text in _CODES_ONCE
    return [Name(code_words(text) if is_code else text)]


def _time(text: str) -> Name:
    """Return a date, an instant or the time of a wall clock as the reader writes it."""
    try:
        if len(text) == len("2026-01-31"):
            return Name(day_words(date.fromisoformat(text)))
        at = datetime.fromisoformat(text)
    except ValueError:
        return Name(text)
    if at.tzinfo is None:
        return Name(day_words(at))
    return Name(days.moment(at, reader(), named=True), at=at)


@router.get("/admin/log")
async def log_page(
    request: Request,
    work: InWork,
    staff: Reads,
    person: Person = None,
    kind: Annotated[str, Query(max_length=60)] = "",
    subject: Annotated[str, Query(max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")] = "",
    since: Day = None,
    until: Day = None,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> Response:
    """Show the log, newest first, narrowed by person, kind, subject and days; log the reading."""
    wanted = Sought(
        actor=str(person or ""),
        action=kind if kind in list(AuditLog) else "",
        subject=subject.strip(),
        since=since,
        until=until,
    )
    entries = await search_log(work, wanted, before=before, limit=_PAGE)
    names = await names_in(work, staff, entries)
    return templates.TemplateResponse(
        request,
        "settings/log.html",
        {
            "staff": staff,
            "entries": [
                (one, subject_name(one.subject, names), values_of(one, names)) for one in entries
            ],
            "names": names,
            "people": await finding.find_people(work),
            "by_themselves": (ActorKind.PROGRAM, ActorKind.PROVIDER),
            "kinds": sorted((code_words(one.value), one.value) for one in AuditLog),
            "wanted": wanted,
            "since": since or "",
            "until": until or "",
            "older": entries[-1].id if len(entries) == _PAGE else None,
            "begins": await beginning_of(work.session),
            "check": await last_check(work),
            "chain_words": CHAIN_WORDS,
            "anchors": await anchors.states(work),
            "way_words": WAY_WORDS,
        },
    )


@router.get("/admin/log/check")
async def check_fragment(request: Request, work: InWork, _staff: Reads) -> Response:
    """Render what the last check of the logs found."""
    return page(
        request,
        "fragments/team/log_check.html",
        check=await last_check(work),
        chain_words=CHAIN_WORDS,
        anchors=await anchors.states(work),
        way_words=WAY_WORDS,
    )


@router.get("/admin/log/anchors")
async def anchors_form(_staff: Reads) -> Response:
    """Lead to the form: what a file was compared with is shown once."""
    return RedirectResponse("/admin/log#anchors", 303)


@router.post("/admin/log/anchors", max_body_size=LARGEST_FILE)
async def compare_anchors(request: Request, work: InWork, staff: Reads) -> Response:
    """Show what of the logs is missing or altered since the anchors of a file."""
    # A slow upload must not hold a database connection.
    await work.let_go()
    sent = (await request.form(max_files=1, max_fields=5)).get("file")
    verdict, refused = None, ""
    try:
        file = await sent.read() if isinstance(sent, UploadFile) else b""
        verdict = await verdict_of(work, file)
    except Invalid as refusal:
        refused = refusal_words(refusal)
    return page(
        request,
        "settings/anchors.html",
        staff=staff,
        verdict=verdict,
        refused=refused,
        chain_words=_COMPARED_WORDS,
    )


@router.post("/admin/log/check")
async def ask_for_a_check(work: InWork, _staff: Reads) -> Response:
    """Begin a check of all logs."""
    ask_for_check(work)
    return RedirectResponse("/admin/log", 303)
