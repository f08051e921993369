"""One page with every component in every state, for people who develop the pages.

It is there in development and in the demo, for all who have signed in, and never in
production: a helpline could take its invented children for children who ring.
"""

import re
from typing import Annotated

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from app.calls.platform import InTalk
from app.dashboard.records.form_views import spelling
from app.dashboard.templating import page, templates
from app.errors import NotFound
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with

router = APIRouter(include_in_schema=False)
SignedIn = Annotated[Staff, reader_with(Permission.SIGNED_IN)]
# What makes a part act, ring or be fetched.
_ACTS = re.compile(
    r"\s(?:hx-[a-z-]+|aria-keyshortcuts"
    r"|data-(?:key|ringing[a-z-]*|sound|undo[a-z-]*|help[a-z-]*|alert[a-z-]*|post|here|take|arrives|kept))"
    r'(?:="[^"]*")?'
)
# A page has one call bar; here are many, which would all be landmarks with one name.
_LANDMARK = re.compile(r'<section\b([^<>]*?)\saria-label(?:ledby)?="[^"]*"')
_NAMES = re.compile(r'\b(id|for|aria-labelledby|aria-describedby|aria-controls)="([^"]+)"')


def still(part: str, number: int) -> Markup:
    """Return a part as a picture of itself: it does nothing, and its ids are those of no other."""

    def renamed(found: re.Match[str]) -> str:
        names = " ".join(f"{one}-shown-{number}" for one in found[2].split())
        return f'{found[1]}="{names}"'

    quiet = _LANDMARK.sub(r"<div\1", _ACTS.sub("", part)).replace("</section>", "</div>")
    # The part was escaped when it was rendered.
    return Markup(_NAMES.sub(renamed, quiet))  # noqa: S704


templates.env.filters["still"] = still


@router.get("/developers/components")
async def components_page(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Show every component in every state."""
    if work.settings.in_production:
        raise NotFound("This page does not exist. Check the address.")
    # Not loaded where it is never shown.
    from app.dashboard.developers import samples

    return page(
        request,
        "developers/components.html",
        staff=staff,
        shown=samples,
        spelling=spelling(),
        language="en",
        recent=[],
        writable=False,
        can=InTalk(hold=True),
    )
