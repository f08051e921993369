"""The JSON interface of the first steps: what is left until a call is answered."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from app.people.setting_up.first_steps import StepKey, steps
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute
from app.words.pages import message_words

router = APIRouter(tags=["people"], route_class=StrictRoute)
Keeps = Annotated[Staff, Depends(Requires(Permission.KEEP_PEOPLE), scope="function")]


class StepView(BaseModel):
    """A step. `can_wait`: calls can be answered without it. `why`: what it lacks."""

    step: StepKey
    done: bool
    can_wait: bool
    why: str | None


@router.get("/first-steps")
async def first_steps(work: InWork, _staff: Keeps) -> list[StepView]:
    """Return every step with what was measured now."""
    return [
        StepView(
            step=one.key,
            done=one.done,
            can_wait=one.can_wait,
            why=message_words(one.why) if one.why is not None else None,
        )
        for one in await steps(work)
    ]
