"""Tokens of sessions: signing in again in a browser, and what an earlier token opens."""

from typing import Any

import httpx2
from sqlalchemy import update

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff import hashing
from app.staff.models import Staff
from app.web.access import COOKIE
from app.work import PROGRAM
from tests.support.identity.second_step import CREDENTIALS, PASSWORD, browser

# Whose the telephone is, and whether the session of its page goes on.
TELEPHONE = (
    "SELECT telephone, telephone_page, s.token_key IS NOT NULL AS alive FROM presences"
    " LEFT JOIN staff_sessions s ON s.token_key = telephone_session"
)


async def status_with(stage: Stage, token: str) -> int:
    """What a request with an earlier cookie is answered."""
    async with browser(stage) as other:
        answer = await other.get("/api/v1/me", headers={"Cookie": f"{COOKIE}={token}"})
    return int(answer.status_code)


async def again(page: httpx2.AsyncClient, **more: str) -> Any:
    return await page.post("/login", data={**CREDENTIALS, "next": "/", **more})


async def give_password(stage: Stage, ana: Counsellor) -> None:
    hashed = await hashing.hash_password(PASSWORD)
    async with transaction(stage.ground, PROGRAM) as work:
        await work.session.execute(
            update(Staff).where(Staff.id == ana.id).values(password_hash=hashed)
        )
