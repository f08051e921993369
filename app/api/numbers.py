"""The JSON interface of the telephony: the set-up of the provider's numbers."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from app.calls.lines.number_setup import set_up_numbers
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute
from app.words.pages import message_words

router = APIRouter(tags=["lines"], route_class=StrictRoute)
Keeps = Annotated[Staff, Depends(Requires(Permission.KEEP_LINES), scope="function")]


class SetUp(BaseModel):
    """What was done, and what a person still has to do, in the reader's language."""

    done: list[str]
    problems: list[str]


@router.post("/numbers/setup")
async def set_up(work: InWork, _staff: Keeps) -> SetUp:
    """Point the provider's numbers at this helpline, and install the fallbacks.

    409 if the provider refuses or cannot be reached. Doing it again does no harm.
    """
    report = await set_up_numbers(work)
    return SetUp(
        done=[message_words(one) for one in report.done],
        problems=[message_words(one) for one in report.problems],
    )
