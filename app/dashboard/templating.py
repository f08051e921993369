"""The templates, and what they may ask for the words of their reader."""

import json
import re
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.templating import Jinja2Templates

from app import words
from app.abilities import EndpointKind
from app.contacts.registry import library_of
from app.dashboard.places import places_of
from app.dashboard.settings.hours_words import hours_words
from app.errors import LIST_SIGN
from app.referrals.channels.primero.problems import problem_words
from app.staff.roles import Permission, may
from app.statistics.counting.labels import ended_by_words
from app.statistics.counting.period_words import days_of, edge_words, released_words
from app.web.headers import nonce_of
from app.words import days, pages, parts
from app.words import places as names_of_places
from app.words.stored import said_again

_CODE = re.compile(r"`([^`]+)`")
BUILT = Path(__file__).parent / "static" / "built"


@pass_context
def _moment(context: Context, at: datetime | str) -> str:
    """Return an instant in the helpline's zone, or the time of a wall clock as it is.

    The page's script says it again in the zone of the part that it stands in.
    """
    given = datetime.fromisoformat(at) if isinstance(at, str) else at
    request = context.get("request")
    if given.tzinfo is None or isinstance(at, str) or request is None:
        return days.moment(given, pages.reader())
    zone = ZoneInfo(library_of(request.app.state.ground).country.timezone)
    return days.moment(given, pages.reader(), zone)


@pass_context
def _instant(context: Context, at: str) -> str:
    """Return an instant that a file names, in the same way; what is none stays as it is."""
    try:
        return _moment(context, datetime.fromisoformat(at))
    except ValueError:
        return at


def _with_codes(text: str) -> Markup:
    """Return a text in which the codes of a file, between `these`, are marked as such."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 (escaped)


def _label(text: str) -> str:
    """Return an English label that was stored, in the reader's language; else it says which it is
    in."""
    words = pages.said(text)
    if words == text:
        words = pages.label_words(text, pages.reader()) or parts.Foreign.of(text, pages.SOURCE)
    return parts.part(words)


def _listed(items: Iterable[str]) -> Markup:
    """Return parts as one text, each escaped, with the sign of the reader's language between."""
    return escape(pages.said(LIST_SIGN)).join(items)


templates = Jinja2Templates(Path(__file__).parent / "templates")
templates.env.add_extension("jinja2.ext.i18n")
templates.env.policies["ext.i18n.trimmed"] = True
templates.env.install_gettext_callables(  # type: ignore[attr-defined]
    pages.said, pages.said_n, newstyle=True
)
templates.env.globals["may"] = may
templates.env.globals["places_of"] = places_of
templates.env.globals["telephone_in_page"] = lambda request, staff: (
    staff is not None
    and staff.endpoint_kind == EndpointKind.BROWSER
    and may(staff.role, Permission.TAKE_CALLS)
    and request.app.state.ground.settings.has_page_telephones
)
templates.env.globals["page_language"] = lambda: words.about(pages.reader())
templates.env.globals["page_languages"] = lambda: [
    words.about(one) for one in pages.page_languages()
]
templates.env.globals["language_name"] = pages.language_name
templates.env.globals["helpline_zone"] = lambda request: (
    library_of(request.app.state.ground).country.timezone
)
templates.env.globals["weekday_short"] = pages.weekday_short
templates.env.globals["scripts_words"] = pages.scripts_words
# `{{ referral.state|code }}`: a stored code in the reader's words.
templates.env.filters["code"] = pages.code_words
# `{{ code|name_of(options) }}`: the label of an option, such as of `components/several.html`.
templates.env.filters["name_of"] = lambda code, options: next(
    (one.label for one in options if one.code == code), code
)
templates.env.filters["said"] = pages.said
templates.env.filters["listed"] = _listed
templates.env.filters["message"] = pages.message_words
templates.env.filters["part"] = parts.part
templates.env.filters["apart"] = parts.apart
templates.env.filters["ltr"] = parts.ltr
templates.env.filters["ltr_text"] = parts.ltr_text
templates.env.filters["lang_of"] = parts.lang_of
templates.env.globals["lang"] = parts.lang
templates.env.globals["own_name"] = parts.own_name
templates.env.filters["again"] = said_again
templates.env.filters["their_problem"] = problem_words
templates.env.globals["days_of"] = days_of
templates.env.globals["edge_words"] = edge_words
templates.env.filters["released"] = released_words
templates.env.globals["ended_by_words"] = ended_by_words
templates.env.filters["label"] = _label
templates.env.filters["day"] = pages.day_words
templates.env.filters["moment"] = _moment
templates.env.filters["instant"] = _instant
templates.env.filters["with_codes"] = _with_codes
templates.env.filters["date"] = pages.date_words
templates.env.filters["hours"] = hours_words
# `{{ "RS"|country }}`: the name of a country.
templates.env.filters["country"] = pages.country_name
templates.env.filters["zone"] = names_of_places.zone_name
# `{{ "2026-Q1"|period }}`: a year, a quarter or a month in words.
templates.env.filters["number"] = pages.number_words
# `{{ 0.8|share("0%") }}`: a share from 0 to 1 in percent, as the reader's language writes it.
templates.env.filters["share"] = pages.share_words


@cache
def _drawings() -> dict[str, str]:
    drawn: dict[str, str] = json.loads((BUILT / "icons.json").read_text())
    return drawn


def drawing(name: str) -> Markup:
    """Return the inside of an icon's drawing. Raises KeyError for a name that is not bundled."""
    return Markup(_drawings()[name])  # noqa: S704 (built from a package, never from input)


templates.env.globals["drawing"] = drawing


# The only places that write the tag of a script or of a style sheet: without the nonce of the
# response the browser loads neither.
@pass_context
def _own_script(context: Context, name: str) -> Markup:
    """Return the tag of a script that the build has made."""
    tag = Markup('<script src="/static/{}" nonce="{}" defer></script>')
    return tag.format(name, nonce_of(context["request"].scope))


@pass_context
def _own_style(context: Context, name: str) -> Markup:
    """Return the tag of a style sheet that the build has made."""
    tag = Markup('<link rel="stylesheet" href="/static/{}" nonce="{}">')
    return tag.format(name, nonce_of(context["request"].scope))


templates.env.globals["own_script"] = _own_script
templates.env.globals["own_style"] = _own_style


def page(request: Request, template: str, /, **values: Any) -> Response:
    """Return a template with its values as the response to a request."""
    return templates.TemplateResponse(request, template, values)
