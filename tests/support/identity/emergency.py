"""People who open and use an emergency access on the accounts."""

from datetime import timedelta
from urllib.parse import urlsplit

import httpx2

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.people.emergency import closing
from app.staff import passwords
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.program.quiet import QuietStage


async def sent(stage: Stage, who: Counsellor, path: str, **form: str) -> httpx2.Response:
    headers = {"Cookie": who.cookie_header, "Origin": stage.settings.public_url}
    url = f"{stage.settings.public_url}{path}"
    return await stage.client.post(url, data=form, headers=headers)


async def an_emergency(stage: Stage, vera: Counsellor, rada: Counsellor) -> dict[str, str]:
    """Open the accounts to vera. Return the headers of the account that acts."""
    await sent(stage, vera, "/emergency", kind="accounts", ground="Nobody can sign in.")
    row = (await stage.rows("SELECT id FROM emergencies"))[0]["id"]
    await sent(stage, rada, f"/emergency/{row}/confirm")
    entered = await sent(stage, vera, f"/emergency/{row}/enter")
    return {"Cookie": entered.headers["set-cookie"].partition(";")[0]}


async def asked_as(
    stage: Stage, headers: dict[str, str], path: str, body: dict[str, object]
) -> dict[str, str]:
    url = f"{stage.settings.public_url}/api/v1{path}"
    answer = await stage.client.post(url, json=body, headers=headers)
    assert answer.status_code < 300, answer.text
    found: dict[str, str] = answer.json()
    return found


async def chooses(stage: Stage, link: str) -> None:
    form = {"token": urlsplit(link).fragment, "language": "en"}
    form |= dict.fromkeys(("password", "again"), "a word of one's own")
    headers = {"Origin": stage.settings.public_url}
    url = f"{stage.settings.public_url}/welcome/choose"
    chosen = await stage.client.post(url, data=form, headers=headers)
    assert "Your password is set" in chosen.text


async def people_for_it(stage: Stage) -> tuple[Counsellor, Counsellor]:
    """Return the one who asks and the second person; an administrator is there, too."""
    vera, rada, mila = [
        await stage.add_counsellor(name, role=role, shift=False, state=None)
        for name, role in (
            ("vera", Role.SUPERVISOR),
            ("rada", Role.REFERRAL_OFFICER),
            ("mila", Role.ADMINISTRATOR),
        )
    ]
    async with transaction(stage.ground, PROGRAM) as work:
        for one in (rada, mila):
            staff = await work.session.get_one(Staff, one.id)
            await passwords.give_password(work, staff, "correct horse battery")
    return vera, rada


async def its_time_is_over(quiet: QuietStage) -> None:
    """As by the job that ends it, an hour later."""
    quiet.stepped.move_to(quiet.clock.now() + timedelta(minutes=61))
    (row,) = await quiet.rows("SELECT id FROM emergencies")
    async with transaction(quiet.ground, PROGRAM) as work:
        await closing.close_in_time(work, row["id"])
