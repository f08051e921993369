"""The JSON interface of dialling: which numbers are dialled, and how many went out."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from app.dialling import outward
from app.dialling.minutes import minutes
from app.dialling.rules import NumberKind, Rules
from app.people import dialling
from app.people.dialling import RuleChanges
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["dialling"], route_class=StrictRoute)
Keeps = Annotated[Staff, Depends(Requires(Permission.KEEP_DIALLING), scope="function")]
_Limit = Annotated[int, Field(ge=1)]


class DiallingView(BaseModel):
    """The rules of dialling. Send `revision` back with a change: of two at once, the second is
    refused."""

    revision: int
    # The countries of the lines, which are always dialled.
    home: list[str]
    countries: list[str]
    kinds: list[NumberKind]
    person_hour: int
    person_day: int
    alarm_hour: int
    alarm_day: int
    minutes_hour: int
    minutes_day: int
    # Calls and messages that went out, and the minutes for which dialled phones were up.
    last_hour: int
    last_day: int
    minutes_last_hour: int
    minutes_last_day: int
    # Agencies, people and lines whose number is not dialled.
    not_dialled: list[str]


class DiallingIn(BaseModel):
    """What the rules are to say; what is left out stays as it is."""

    revision: int | None = None
    countries: Annotated[list[str], Field(max_length=300)] | None = None
    kinds: list[NumberKind] | None = None
    person_hour: _Limit | None = None
    person_day: _Limit | None = None
    alarm_hour: _Limit | None = None
    alarm_day: _Limit | None = None
    minutes_hour: _Limit | None = None
    minutes_day: _Limit | None = None


async def _view(work: Work, rules: Rules) -> DiallingView:
    hour, day = await outward.volume(work)
    minutes_hour, minutes_day = await minutes(work)
    return DiallingView(
        revision=rules.revision,
        home=list(rules.home),
        **dialling.values_of(rules),
        last_hour=hour,
        last_day=day,
        minutes_last_hour=minutes_hour,
        minutes_last_day=minutes_day,
        not_dialled=await dialling.not_dialled(work, rules),
    )


@router.get("/dialling")
async def dialling_rules(work: InWork, _staff: Keeps) -> DiallingView:
    """Return the rules of dialling, and how much went out."""
    return await _view(work, await outward.read_rules(work))


@router.put("/dialling")
async def change_dialling(work: InWork, _staff: Keeps, asked: DiallingIn) -> DiallingView:
    """Change the rules of dialling."""
    given = asked.model_dump(exclude={"revision"})
    return await _view(
        work, await dialling.change(work, RuleChanges(**given), revision=asked.revision)
    )
