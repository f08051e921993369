"""The language in which a reader reads the forms: the pages and the API ask by the same rule."""

from typing import Annotated

from fastapi import Depends, Request

from app import words
from app.contacts.registry import library_of
from app.web.access import InWork, cookie_name
from app.words import catalogues, pages
from app.words.catalogues import CatalogueKind
from app.work import Work

# The cookie with what was chosen in this browser.
COOKIE = "helpline_language"


def language_of(request: Request, work: Work) -> str:
    """Return the language of forms chosen in this browser.

    Without a choice it is that of the pages, if the reader chose one, or the country's first.
    """
    languages = form_languages(work)
    chosen = request.cookies.get(cookie_name(work.settings, COOKIE), "")
    if chosen not in languages and pages.reader() != pages.SOURCE:
        chosen = pages.reader()
    return chosen if chosen in languages else languages[0]


def form_languages(work: Work) -> list[str]:
    """Return the languages in which forms can be read: the country's, then the reader's own.

    The forms of the country name their languages; a catalogue translates those that are shipped.
    """
    languages = list(library_of(work.ground).country.languages)
    reader = pages.reader()
    translated = catalogues.translated_languages(CatalogueKind.DEFINITIONS)
    if reader not in languages and (reader in translated or words.spoken_as(reader) in languages):
        languages.append(reader)
    return languages


async def _of_request(request: Request, work: InWork) -> str:
    return language_of(request, work)


# A parameter after the reader's: it is known only then who reads.
FormLanguage = Annotated[str, Depends(_of_request)]
