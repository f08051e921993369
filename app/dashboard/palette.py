"""The command palette: pages, people, actions, and a record by its code. Never a child's name.

It answers in one place, and only with what its reader may open. A code is sent in the body of a
request, so that no address and no proxy's log holds it.
"""

import re
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import select

from app.contacts.finding.words import normal_words
from app.contacts.models import Case, Contact
from app.contacts.scopes import readable
from app.dashboard.places import places_of
from app.dashboard.records.form_views import spelling
from app.referrals.models import Referral
from app.routing.rota import takers
from app.routing.supervision.team import of_team
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.log_values import FoundBy
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, Requires
from app.words.pages import N_, _, said
from app.work import Work

router = APIRouter(include_in_schema=False)
SignedIn = Annotated[Staff, Depends(Requires(Permission.SIGNED_IN), scope="function")]

_P = Permission
_KINDS: dict[str, tuple[Any, str, str]] = {
    "K": (Contact, "contacts", N_("Contact")),
    "C": (Case, "cases", N_("Case")),
    "R": (Referral, "referrals", N_("Referral")),
}
_CODE = re.compile(r"([KCR])([0-9A-Z]{3})([0-9A-Z]{3})([0-9A-Z]{3})")


class PaletteAct(NamedTuple):
    """An action: what it is called, which button of the page it presses or where it leads."""

    key: str
    words: str
    press: str
    go: str
    needs: Permission


# Nothing here acts on a child: the buttons of a talk are not among them.
ACTS = (
    PaletteAct("be-available", N_("Be available"), "#be-available", "", _P.TAKE_CALLS),
    PaletteAct("be-break", N_("Take a break"), "#be-break", "", _P.TAKE_CALLS),
    PaletteAct("be-off-duty", N_("Go off duty"), "#be-off_duty", "", _P.TAKE_CALLS),
    PaletteAct(
        "new-contact",
        N_("Record a contact without a call"),
        "",
        "/contacts#new-contact",
        _P.WRITE_CONTACTS,
    ),
    PaletteAct(
        "messages",
        N_("Messages of your team"),
        "#team-messages > summary",
        "",
        _P.TAKE_CALLS,
    ),
    PaletteAct("sounds", N_("Sounds and devices"), "", "/sounds", _P.SIGNED_IN),
    PaletteAct("lines", N_("Lines and prompts"), "", "/admin/lines", _P.KEEP_LINES),
    PaletteAct("every-line", N_("Prompts of every line"), "", "/admin/every-line", _P.KEEP_LINES),
    PaletteAct(
        "definitions",
        N_("Definitions"),
        "",
        "/admin/definitions",
        _P.SEE_DEFINITIONS,
    ),
    PaletteAct("languages", N_("Languages"), "", "/admin/languages", _P.SEE_DEFINITIONS),
    PaletteAct("dialling", N_("Dialling"), "", "/admin/dialling", _P.KEEP_DIALLING),
    PaletteAct("settings", N_("Times and limits"), "", "/admin/settings", _P.KEEP_SETTINGS),
    PaletteAct("retention", N_("Retention"), "", "/admin/retention", _P.SEE_RETENTION),
    PaletteAct(
        "data-requests",
        N_("Requests about a person's data"),
        "",
        "/admin/data-requests",
        _P.SEE_DATA_REQUESTS,
    ),
    PaletteAct("telephony", N_("Telephony"), "", "/admin/numbers", _P.KEEP_LINES),
    PaletteAct("connections", N_("Connections"), "", "/admin/connections", _P.KEEP_CONNECTIONS),
    PaletteAct("tokens", N_("Tokens"), "", "/admin/tokens", _P.KEEP_TOKENS),
    PaletteAct("log", N_("Log"), "", "/admin/log", _P.READ_LOG),
    PaletteAct("backups", N_("Back-ups"), "", "/admin/backups", _P.SEE_BACKUPS),
    PaletteAct("keys", N_("Keys"), "", "/admin/keys", _P.KEEP_KEYS),
    PaletteAct("people", N_("People"), "", "/admin/people", _P.KEEP_PEOPLE),
    PaletteAct(
        "light", N_("Light colours"), "[data-look=theme][data-value=light]", "", _P.SIGNED_IN
    ),
    PaletteAct("dark", N_("Dark colours"), "[data-look=theme][data-value=dark]", "", _P.SIGNED_IN),
    PaletteAct(
        "auto",
        N_("Colours of this device"),
        "[data-look=theme][data-value=auto]",
        "",
        _P.SIGNED_IN,
    ),
    PaletteAct("sign-out", N_("Sign out"), "#sign-out", "", _P.SIGNED_IN),
)


class CodeWanted(BaseModel):
    """What was typed, if it may be a code; empty for the list that the palette opens with."""

    code: str = Field("", max_length=40)


@router.post("/palette")
async def palette(work: InWork, staff: SignedIn, wanted: CodeWanted) -> dict[str, Any]:
    """Return what the palette offers: the whole list, or the record that has a code."""
    if wanted.code:
        return {"entries": await _record(work, staff, wanted.code)}
    return {
        "entries": [*_pages(staff), *await _people(work, staff), *_acts(staff)],
        "spelling": spelling(),
    }


def _entry(key: str, kind: str, words: str, **where: str) -> dict[str, str]:
    """Return one line. `find`: by which words it is found, alike for both scripts."""
    return {"key": key, "kind": kind, "words": words, "find": _plain(words), **where}


def _plain(text: str) -> str:
    return " ".join(normal_words(text))


def _pages(staff: Staff) -> list[dict[str, str]]:
    return [
        _entry(f"page {one.section}", _("page"), said(one.words), go=one.href)
        for one in places_of(staff.role)
    ]


def _acts(staff: Staff) -> list[dict[str, str]]:
    return [
        _entry(one.key, _("command"), said(one.words), press=one.press, go=one.go)
        for one in ACTS
        if may(staff.role, one.needs)
    ]


async def _people(work: Work, staff: Staff) -> list[dict[str, str]]:
    """Return the people whom the reader may see, each with their row or page.

    These are a supervisor's own team, and all accounts for an administrator.
    """
    people = select(Staff.id, Staff.name).where(Staff.active).order_by(Staff.name)
    if may(staff.role, Permission.KEEP_PEOPLE):
        where = "/admin/people/"
    elif may(staff.role, Permission.SUPERVISE):
        where = "/team#person-"
        people = people.where(Staff.role.in_(takers.TAKERS), of_team(staff))
    else:
        return []
    found = await work.session.execute(people)
    return [_entry(f"person {id_}", _("person"), name, go=f"{where}{id_}") for id_, name in found]


async def _record(work: Work, staff: Staff, typed: str) -> list[dict[str, str]]:
    """Return the record with a code, if the reader may read it: its kind and its code alone."""
    code = _CODE.fullmatch("".join(normal_words(typed)).upper())
    if code is None:
        return []
    model, what, words = _KINDS[code[1]]
    written = "-".join(code.groups())
    found = await work.session.scalar(
        readable(model, staff).where(model.code == written).with_only_columns(model.id)
    )
    ids = [str(found)] if found else []
    await write_reading(work, AuditLog.RECORDS_SEARCHED, what, by=[FoundBy.CODE], ids=ids)
    return [_entry(f"record {one}", said(words), written, go=f"/{what}/{one}") for one in ids]
