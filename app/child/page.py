"""The page on which a child writes: one answer that holds its words, its style and its script.

On a slow network one request is much faster than four, and the browser keeps nothing of it.
"""

import base64
import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from app import words
from app.calls.chat_rules import ChatRules, read_chat
from app.calls.lines.chat_lines import line_at
from app.calls.reporting import report_page
from app.calls.speech import LineScript
from app.chats import opening
from app.child.access import ForAll
from app.child.lines import about_line
from app.web.access import InWork
from app.words import pages
from app.words.parts import lang, part

router = APIRouter(include_in_schema=False)

BUILT = Path(__file__).parent / "built"
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals["lang"] = lang
# Pictures beside the title: a page, a sun, a star, a ball.
_DRAWN = {
    "page": '<path fill="#fff" stroke="#555" d="M3 1.5h7l3 3v10H3z"/>'
    '<path stroke="#555" d="M5 6h5M5 8.5h6M5 11h6"/>',
    "sun": '<circle cx="8" cy="8" r="3.5" fill="#e8a200"/>'
    '<path stroke="#e8a200" d="M8 1v2M8 13v2M1 8h2M13 8h2M3 3l2 2M11 11l2 2M13 3l-2 2M3 13l2-2"/>',
    "star": '<path fill="#2f6fc4" d="M8 1l2 5h5l-4 3.2 1.5 5.3L8 11.3 3.5 14.5 5 9.2 1 6h5z"/>',
    "ball": '<circle cx="8" cy="8" r="6.5" fill="#c2441c"/>'
    '<path fill="none" stroke="#fff" d="M2 6c4 3 8 3 12 0M8 1.5v13"/>',
}


class _Built(NamedTuple):
    """What scripts/assets has bundled, and the policy that lets only this run in the page."""

    script: Markup
    style: Markup
    policy: str


@cache
def _built() -> _Built:
    script, style = (_text(name) for name in ("chat.js", "chat.css"))
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "img-src data:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors "
    )
    return _Built(Markup(script), Markup(style), policy)  # noqa: S704 (bundled, never from input)


def _text(name: str) -> str:
    return (BUILT / name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@router.get("/chat/{line}", dependencies=[ForAll])
async def chat_page(
    request: Request,
    work: InWork,
    line: str,
    language: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show the page on which a child writes to a line, in a language of the line."""
    found = await line_at(work, line)
    rules = read_chat(found.chat) if found is not None else ChatRules()
    if found is None or not rules.on:
        return _answer(request, "closed.html", rules, _chosen(request, (), language), 404, found)
    codes = _written(opening.languages_of(found))
    chosen = _chosen(request, codes, language)
    texts, about = words.child_texts(chosen), await about_line(work, found, words.spoken_as(chosen))
    facts = {
        "line": line,
        "language": words.spoken_as(chosen),
        "number": found.number,
        "emergency": found.emergency.replace(" ", ""),
        "exit": rules.exit_site,
        "title": rules.title or texts["page"]["title"],
        "closed": rules.closed.get(words.spoken_as(chosen), ""),
        "about": about.model_dump(mode="json", include={"open", "opens_at", "expected_seconds"}),
        "times": vars(words.times_of(_shown(chosen))),
        "words": texts["script"],
    }
    languages = [words.about(one) for one in codes]
    return _answer(
        request,
        "chat.html",
        rules,
        chosen,
        200,
        found,
        facts=facts,
        languages=languages,
        script=_built().script,
    )


def _answer(
    request: Request,
    template: str,
    rules: ChatRules,
    language: str,
    status: int,
    line: LineScript | None,
    **values: Any,
) -> Response:
    say, built = words.child_texts(language)["page"], _built()
    number = line.number if line is not None else ""
    page = report_page(rules, line.country) if line is not None else ""

    def with_number(text: str) -> Markup:
        link = Markup('<a href="tel:{0}" dir="ltr">{0}</a>').format(number)
        return Markup(escape(text)).replace("{number}", link)  # noqa: S704 (escaped)

    body = _templates.get_template(template).render(
        about=words.about(_shown(language)),
        language=language,
        say=marked(say, language),
        plain=say,
        title=rules.title or say["title"],
        icon=_icon(rules.icon),
        exit_site=rules.exit_site,
        name=line.name if line is not None else "",
        number=number,
        with_number=with_number,
        report_page=page,
        with_page=lambda text: _with_page(text, page),
        style=built.style,
        **values,
    )
    headers = {
        "Content-Security-Policy": built.policy + (" ".join(rules.sites) or "'none'"),
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept-Encoding, Accept-Language",
    }
    data = body.encode()
    # Nothing in it is secret, so its length tells nothing.
    if "gzip" in request.headers.get("accept-encoding", ""):
        data, headers["Content-Encoding"] = gzip.compress(data, 6, mtime=0), "gzip"
    return Response(data, status, headers, "text/html; charset=utf-8")


def _with_page(text: str, page: str) -> Markup:
    """Return where abuse material is reported; the page opens beside this one, and is told nothing
    of it."""
    shown = page.removeprefix("https://").removeprefix("www.").rstrip("/")
    link = Markup(
        '<a href="{}" target="_blank" rel="noopener noreferrer nofollow" dir="ltr">{}</a>'
    ).format(page, shown)
    return Markup(escape(text)).replace("{page}", link)  # noqa: S704 (escaped)


def marked(texts: Mapping[str, str], language: str) -> dict[str, str]:
    """Return the texts of the page; those that it says in another language than its own say so."""
    shown, lacking = _shown(language), set(words.missing_for_children(language))
    return {
        key: part(text, words.SOURCE, shown) if f"page.{key}" in lacking else text
        for key, text in texts.items()
    }


def _icon(name: str) -> str:
    drawn = _DRAWN.get(name, _DRAWN["page"])
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">{drawn}</svg>'
    return "data:image/svg+xml," + quote(svg, safe="/:=' ")


def _written(languages: list[str]) -> list[str]:
    """Return the languages of a line, each with its second scripts."""
    return [
        one
        for language in languages
        for one in (language, *(w for w in words.written() if w != words.spoken_as(w) == language))
    ]


def _shown(language: str) -> str:
    """Return the language in which the page is written: English if it has no text in this one."""
    return language if words.has_child_texts(language) else words.SOURCE


def _chosen(request: Request, languages: list[str] | tuple[str, ...], asked: str) -> str:
    """Return the language that was asked for, or that the browser prefers, or the first one."""
    if asked in languages:
        return asked
    known = languages or words.written()
    preferred = pages.preferred(request.headers.get("accept-language", ""), known)
    return preferred or (languages[0] if languages else words.SOURCE)
