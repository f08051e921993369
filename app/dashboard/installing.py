"""What a browser needs to install the pages and to be woken: manifest, icons, service worker."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import FileResponse, JSONResponse

from app import words
from app.dashboard.templating import BUILT
from app.web.access import Public
from app.words.pages import _, read_in, reader, spoken_in

router = APIRouter(include_in_schema=False)

# The blue of the pages; the bars of a window follow the theme by the page's own `theme-color`.
_BLUE = "#0b5f86"
MANIFEST: dict[str, Any] = {
    "id": "/",
    "start_url": "/",
    "scope": "/",
    "display": "standalone",
    "background_color": _BLUE,
    "theme_color": _BLUE,
    "icons": [
        {"src": "/static/helpline.svg", "type": "image/svg+xml", "sizes": "any"},
        {"src": "/static/helpline-192.png", "type": "image/png", "sizes": "192x192"},
        {"src": "/static/helpline-512.png", "type": "image/png", "sizes": "512x512"},
        {
            "src": "/static/helpline-maskable-512.png",
            "type": "image/png",
            "sizes": "512x512",
            "purpose": "maskable",
        },
    ],
}


@router.get(
    "/manifest.webmanifest",
    dependencies=[Depends(Public("the name and the icons of the program, the same for everyone"))],
)
async def manifest(language: Annotated[str, Query(max_length=20)] = "") -> JSONResponse:
    """Return the manifest of the application, in the language of the page that names it."""
    with spoken_in(read_in(language)):
        name, spoken = _("Helpline"), words.about(reader())
    said = {
        "name": name,
        "short_name": name,
        "lang": spoken.locale.replace("_", "-"),
        "dir": words.direction(spoken.code),
    }
    return JSONResponse({**MANIFEST, **said}, media_type="application/manifest+json")


@router.get(
    "/service-worker.js",
    dependencies=[Depends(Public("a script of the program, the same for everyone"))],
)
async def service_worker() -> FileResponse:
    """Return the service worker, from the root: its address limits which pages it serves."""
    return FileResponse(BUILT / "service-worker.js", media_type="text/javascript")
