"""Sets of definitions, as an administrator sends them."""

import io
import zipfile
from datetime import datetime

from app.country import following
from app.country.archive import Received, from_files
from app.country.sets import upload
from app.definitions.library import SHIPPED
from app.work import Work


def shipped(name: str) -> str:
    """Return the text of a shipped file."""
    return (SHIPPED / name).read_text()


def changed(text: str, *changes: tuple[str, str]) -> str:
    """Return a text with each change made; each must be there to be made."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def with_short_form(*changes: tuple[str, str]) -> dict[str, str]:
    """Return the files of a country whose contacts are written with a short form of its own."""
    return {
        "country.yaml": changed(
            shipped("country.yaml"), ("contact_form: contact", "contact_form: brief")
        ),
        "form-brief.yaml": changed(
            shipped("form-short.yaml"), ("\nform: short", "\nform: brief"), *changes
        ),
    }


NEXT = ("version: 2", "version: 3")


def received(files: dict[str, str]) -> Received:
    """Return the files as they arrive from a page: with the name of their folder."""
    return from_files((f"country/{name}", text.encode()) for name, text in files.items())


def zipped(files: dict[str, str | bytes]) -> bytes:
    """Return an archive of the files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


async def taken(work: Work, files: dict[str, str], name: str = "country") -> int:
    """Import a set; return its number."""
    return (await upload(work, name, received(files))).set.id


async def at(work: Work, moment: datetime) -> None:
    """Let time go by, and a process hear of what was ordered."""
    work.ground.clock.move_to(moment)  # type: ignore[attr-defined]
    work.now = moment
    await following.learn(work)
