"""Every kind of reader: each role, who has given half of a sign-in, and who has no account."""

from dataclasses import dataclass

import pyotp
from sqlalchemy import select

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff import accounts, second_factor, session_tokens
from app.staff.models import Awaits, Staff
from app.staff.roles import Role
from app.web.access import COOKIE
from app.work import PROGRAM

# Who sees most comes first: what the others see is often the same.
ROLES = (
    Role.SUPERVISOR,
    Role.ADMINISTRATOR,
    Role.COUNSELLOR,
    Role.REFERRAL_OFFICER,
    Role.AUDITOR,
)
_HALF = {Awaits.CODE: "petar", Awaits.SETTING_UP: "sava"}
NAMES = ("vera", "mila", "ana", "olga", "nada")


@dataclass(frozen=True)
class Reader:
    """Who reads, and the token of their session; empty if there is none."""

    name: str
    token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Cookie": f"{COOKIE}={self.token}"} if self.token else {}


async def people_of_every_role(stage: Stage) -> dict[Role, Counsellor]:
    assert set(ROLES) == set(Role)
    return {
        role: await stage.add_counsellor(
            name, role=role, state=None, shift=role is Role.COUNSELLOR, chats=3
        )
        for role, name in zip(ROLES, NAMES, strict=True)
    }


async def every_reader(stage: Stage, people: dict[Role, Counsellor], language: str) -> list[Reader]:
    """Return every kind of reader; those who have an account read in this language.

    Half a sign-in ends after minutes, so those who have one come early.
    """
    half = [await _half_signed_in(stage, one, language) for one in Awaits]
    known = [Reader(str(role), who.cookie_header.partition("=")[2]) for role, who in people.items()]
    async with transaction(stage.ground, PROGRAM) as work:
        for staff in await work.session.scalars(select(Staff)):
            await accounts.choose_page_language(work, staff, language)
    stage.ground.memory.forget("everything")
    return [Reader("nobody"), *half, *known]


async def _half_signed_in(stage: Stage, awaits: Awaits, language: str) -> Reader:
    """A person who has given the right password, and not yet what else is needed."""
    async with transaction(stage.ground, PROGRAM) as work:
        name = f"{_HALF[awaits]}-{language}"
        staff = await accounts.add_staff(work, name=name, role=Role.COUNSELLOR)
        telephone = pyotp.TOTP((await second_factor.begin(work, staff)).secret)
        if awaits is Awaits.CODE:
            assert await second_factor.confirm(work, staff, telephone.at(work.now)) is not None
        return Reader(str(awaits), await session_tokens.open_session(work, staff, awaits=awaits))


async def seen(stage: Stage, who: Counsellor, path: str) -> str:
    """Return a page as a person who is signed in sees it."""
    headers = {"Cookie": who.cookie_header}
    answer = await stage.client.get(f"{stage.settings.public_url}{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text
