"""Values of the pages of people: rows of the list, the form of an account, its changes in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from app.abilities import EndpointKind
from app.calls.lines import finding_lines
from app.dashboard.skill_choices import read_choices
from app.people import finding
from app.people.changing import Changes, values_of
from app.people.finding import PersonState
from app.routing.plan import read_skills
from app.staff import accounts
from app.staff.models import AuditEntry, Staff
from app.staff.roles import Permission, Role, may
from app.words.pages import N_, _, code_words, language_name, list_words, reader, said
from app.work import Work

# The fields of an account, as pages call them.
FIELDS = {
    "name": N_("Name"),
    "role": N_("Role"),
    "team": N_("Team"),
    "email": N_("E-mail"),
    "endpoint": N_("Where calls ring"),
    "languages": N_("Languages"),
    "lines": N_("Lines"),
    "skills": N_("Skills"),
    "training": N_("In training"),
    "emergency": N_("Emergency account"),
    "chats_at_once": N_("Written conversations at once"),
    "page_language": N_("Language of the pages"),
    "active": N_("Active"),
}
_MARKS = ("speaks.", "line.")


class PersonRow(NamedTuple):
    """A row of the list."""

    id: UUID
    name: str
    role: str
    team: str
    state: PersonState
    # Languages and skills, for those who take calls.
    takes: str
    rings: str
    training: bool


def person_row(staff: Staff) -> PersonRow:
    takes, rings = "", ""
    if may(staff.role, Permission.TAKE_CALLS):
        spoken = list_words(language_name(one) for one in staff.languages) or _("every language")
        takes = " · ".join([spoken, *staff.skills])
        rings = "" if staff.endpoint_kind == EndpointKind.BROWSER else finding.endpoint_of(staff)
    return PersonRow(
        staff.id,
        staff.name,
        staff.role,
        staff.team,
        finding.state_of(staff),
        takes,
        rings,
        staff.training,
    )


@dataclass
class Choices:
    """What the form of an account offers."""

    roles: list[Role]
    teams: list[str]
    # The code of a language or the number of a line, and its name.
    languages: list[tuple[str, str]]
    lines: list[tuple[str, str]]
    skills: list[str]


async def choices(work: Work, staff: Staff | None) -> Choices:
    """Return what the form offers, with what this account has already."""
    known = {line.number: line for line in (await finding_lines.numbers_of(work)).values()}
    spoken = {one.language for line in known.values() for one in line.languages}
    wanted = {word for line in known.values() for word in line.plan.get("skills", ())}
    spoken |= set(staff.languages if staff else ())
    return Choices(
        roles=list(Role),
        teams=await finding.all_teams(work),
        languages=sorted((code, language_name(code)) for code in spoken),
        lines=sorted((number, line.name) for number, line in known.items()),
        skills=await finding.known_skills(work, wanted),
    )


@dataclass
class PersonForm:
    """The form of an account: its contents, and what the reader has to know about them."""

    values: dict[str, Any]
    revision: int
    notice: str = ""
    saved: bool = False
    # What was done, where it was more than saving.
    told: str = ""
    # What another person changed meanwhile: the name of the field, and what it says now.
    now: list[tuple[str, str]] = field(default_factory=list)
    # What the account says, not the form; empty for one that is not there yet.
    page_language_before: str = ""

    @property
    def skills(self) -> dict[str, int]:
        """The skills that can be read, each with its level."""
        try:
            return read_skills(self.values["skills"])
        except ValueError:
            return {}

    @property
    def rings_at(self) -> str:
        """The address outside the browser, if there is one."""
        return (
            "" if self.values["endpoint"] == EndpointKind.BROWSER else str(self.values["endpoint"])
        )


def form_of(staff: Staff) -> PersonForm:
    values = values_of(staff)
    return PersonForm(values, staff.revision, page_language_before=values["page_language"])


def empty_form() -> PersonForm:
    """Return the form of an account that is not there yet."""
    values = dict.fromkeys(FIELDS, "")
    lists: dict[str, Any] = {
        "languages": [],
        "lines": [],
        "skills": [],
        "training": False,
        "emergency": False,
        "chats_at_once": 0,
        "page_language": reader(),
    }
    return PersonForm(
        {**values, **lists, "role": "counsellor", "endpoint": EndpointKind.BROWSER.value}, 0
    )


def read_form(form: Mapping[str, Any]) -> Changes:
    """Read the form of an account. Each box has a name of its own: `speaks.sr`, `skill.violence`.

    A field that a form does not have stays as it is. Raises ValueError for an unknown role.
    """
    sent = {name: str(value) for name, value in form.items()}
    marked: dict[str, list[str]] = {
        mark: sorted(name.removeprefix(mark) for name in sent if name.startswith(mark))
        for mark in _MARKS
    }
    endpoint = None
    if "rings" in sent:
        endpoint = (
            EndpointKind.BROWSER.value
            if sent["rings"] == EndpointKind.BROWSER
            else sent.get("address", "")
        )
    has_lists = "rings" in sent
    return Changes(
        name=sent.get("name"),
        role=Role(sent["role"]) if sent.get("role") else None,
        team=sent.get("team"),
        email=sent.get("email"),
        endpoint=endpoint,
        languages=marked["speaks."] if has_lists else None,
        lines=marked["line."] if has_lists else None,
        skills=read_choices(sent) if has_lists else None,
        training="training" in sent if has_lists else None,
        emergency="emergency" in sent if has_lists else None,
        chats_at_once=_number(sent.get("chats_at_once")),
        page_language=_page_language(sent),
    )


def _page_language(sent: dict[str, str]) -> str | None:
    """Return the language that was chosen for the person. One that the form only repeats would
    undo what the person has chosen meanwhile."""
    chosen = sent.get("page_language")
    return chosen if chosen != sent.get("page_language_before") else None


def _number(text: str | None) -> int | None:
    """Return the number in a field; one that cannot be right for a text that is none."""
    if text is None:
        return None
    text = text.strip() or "0"
    return int(text) if text.isdecimal() and len(text) < 4 else -1


def typed_form(form: PersonForm, changes: Changes, *, notice: str) -> PersonForm:
    """Return the form with what its reader typed, and why it was not saved."""
    typed = {name: value for name, value in vars(changes).items() if value is not None}
    form.values, form.notice = {**form.values, **typed}, notice
    return form


def told_of_others(form: PersonForm, typed_from: dict[str, Any], staff: Staff) -> None:
    """Say in a form what another person changed since its reader opened it."""
    for name, value in values_of(staff).items():
        if name in typed_from and typed_from[name] != value:
            form.now.append((said(FIELDS[name]), value_words(name, value)))


def value_words(name: str, value: Any) -> str:
    """Return a value of an account as its reader reads it."""
    match name:
        case "role":
            return code_words(value)
        case "languages":
            return list_words(language_name(one) for one in value) or _("every language")
        case "page_language":
            return language_name(value)
        case "lines":
            return list_words(value) or _("every line")
        case "training" | "active" | "emergency":
            return _("yes") if value else _("no")
        case "endpoint" if value == EndpointKind.BROWSER:
            return _("in the browser")
        case _ if isinstance(value, list):
            return list_words(str(one) for one in value) or "–"
        case _:
            return str(value) or "–"


class ChangeRow(NamedTuple):
    """One line of what was done to an account."""

    at: datetime
    by: str
    what: str
    # The field, what it said before, and what it says since.
    fields: list[tuple[str, str, str]]


async def change_rows(work: Work, staff: Staff) -> list[ChangeRow]:
    """Return the latest changes of an account in words, newest first."""
    entries = await finding.changes_of(work, staff)
    ids = {UUID(one.actor) for one in entries if len(one.actor) == 36}
    names = await accounts.names_of(work, ids)
    return [
        ChangeRow(
            one.at,
            names.get(UUID(one.actor), "–") if len(one.actor) == 36 else _("command line"),
            code_words(one.action),
            _fields(one),
        )
        for one in entries
    ]


def _fields(entry: AuditEntry) -> list[tuple[str, str, str]]:
    before, after = entry.detail.get("before"), entry.detail.get("after")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return []
    return [
        (said(FIELDS[name]), value_words(name, before[name]), value_words(name, after[name]))
        for name in FIELDS
        if name in before and name in after
    ]
