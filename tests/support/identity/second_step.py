"""A person with a password and a second factor, and browsers in which they sign in."""

import json
from urllib.parse import urlsplit

import httpx2
import pyotp

from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff import accounts, second_factor
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import PROGRAM, Work
from tests.support.contacts import skip
from tests.support.program.quiet import QuietStage

PASSWORD = "correct horse battery"
CREDENTIALS = {"username": "vera", "password": PASSWORD}


async def a_person(stage: Stage, name: str = "vera") -> Staff:
    async with transaction(stage.ground, PROGRAM) as work:
        return await accounts.add_staff(work, name=name, role=Role.SUPERVISOR, password=PASSWORD)


async def with_telephone(work: Work, staff: Staff) -> tuple[pyotp.TOTP, list[str]]:
    """Set up a second factor. Return what the telephone computes, and the recovery codes."""
    telephone = pyotp.TOTP((await second_factor.begin(work, staff)).secret)
    codes = await second_factor.confirm(work, staff, telephone.at(work.now))
    assert codes is not None
    return telephone, codes


def by_name(stage: Stage) -> str:
    """Let this machine have a name, as passkeys need one. Return its address."""
    port = urlsplit(stage.settings.public_url).port
    stage.settings.public_url = f"http://localhost:{port}"
    return stage.settings.public_url


async def challenge(page: httpx2.AsyncClient, path: str, **body: str) -> str:
    """Return what a browser is given for a passkey."""
    answer = await page.post(path, json=body) if body else await page.post(path)
    assert answer.status_code == 200, answer.text
    return json.dumps(answer.json()["publicKey"])


async def with_factor(stage: Stage, staff: Staff) -> pyotp.TOTP:
    async with transaction(stage.ground, PROGRAM) as work:
        telephone, _codes = await with_telephone(work, staff)
    await skip(stage, 1 / 60)
    return telephone


def browser(stage: Stage) -> httpx2.AsyncClient:
    url = stage.settings.public_url
    return stage.browser() if isinstance(stage, QuietStage) else httpx2.AsyncClient(base_url=url)
