"""The JSON interface of times and limits that a helpline decides in place of its server."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from app.administration import own_settings
from app.administration.own_settings import Known
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["settings"], route_class=StrictRoute)
Keeps = Annotated[Staff, Depends(Requires(Permission.KEEP_SETTINGS), scope="function")]


class SettingView(BaseModel):
    """One setting: what holds, and what the server says, or the definitions of the country
    (`of_country`). Seconds, hours, days, percent, megabytes or a number, as its name says."""

    name: str
    value: int | float | str | None
    server: int | float | str | None
    # Whether the helpline has decided it.
    is_own: bool
    least: int | None
    most: int | None
    # What it can be, if it is one of a few words.
    choices: list[str]
    of_country: bool


class SettingsView(BaseModel):
    """The settings. Send `revision` back with a change: of two at once, the second is refused."""

    revision: int
    settings: list[SettingView]


class SettingsIn(BaseModel):
    """What is decided: by name, with null to give a setting back to the server. What is left out
    stays as it is."""

    revision: int | None = None
    decided: Annotated[
        dict[
            Annotated[str, Field(max_length=60)], int | Annotated[str, Field(max_length=40)] | None
        ],
        Field(max_length=60),
    ]


def _view(known: Known) -> SettingsView:
    return SettingsView(
        revision=known.revision,
        settings=[SettingView(**vars(one), of_country=one.of_country) for one in known.settings],
    )


@router.get("/settings")
async def settings_of_helpline(work: InWork, _staff: Keeps) -> SettingsView:
    """Return the times and limits that the helpline decides."""
    return _view(await own_settings.read_own(work))


@router.put("/settings")
async def change_settings(work: InWork, _staff: Keeps, asked: SettingsIn) -> SettingsView:
    """Decide times and limits. Every process works by them within moments."""
    known = await own_settings.change(work, asked.decided, revision=asked.revision)
    return _view(known)
