"""A person is invited by mail, moves to another team, and leaves in the middle of a talk."""

import re

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.models import Staff
from app.staff.roles import Role
from app.web.access import COOKIE
from tests.support.mail import Mail
from tests.support.profile import nightly
from tests.support.talks import talk

PASSWORD = "correct horse battery"


async def sign_in(stage: Stage, name: str) -> Counsellor:
    """Sign in with a password, as a browser does; return the person."""
    url = f"{stage.settings.public_url}/api/v1/session"
    answer = await stage.client.post(url, json={"username": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    async with stage.ground.database.sessions() as session:
        staff = await session.get(Staff, answer.json()["id"])
    assert staff is not None
    person = Counsellor(stage, staff)
    person.cookies = {COOKIE: stage.client.cookies[COOKIE]}
    stage.client.cookies.clear()
    return person


async def invited_by_mail(stage: Stage, mila: Counsellor, post: Mail) -> str:
    """Invite a counsellor; return the secret of the link in the letter."""
    wanted = {"name": "Nova", "email": "nova@example.org", "by_mail": True}
    made = await mila.ask("POST", "/people", wanted)
    assert made.status_code == 201, made.text
    assert made.json()["link"] is None
    await stage.settle()
    (letter,) = post.to("nova@example.org")
    found = re.search(r"/welcome#(\S+)", letter)
    assert found is not None
    return found[1]


async def choose(stage: Stage, secret: str, password: str = PASSWORD) -> str:
    """Choose a password by a link; return what the page says."""
    fields = {"token": secret, "password": password, "again": password, "language": "sr"}
    answer = await stage.client.post(f"{stage.settings.public_url}/welcome/choose", data=fields)
    assert answer.status_code == 200
    return str(answer.text)


@nightly
async def test_from_the_invitation_to_the_last_talk(night: Stage, post: Mail) -> None:
    """By day each step of it is tried by itself in this folder."""
    stage = night
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    vera = await stage.add_counsellor("vera", shift=False, state=None)
    zora = await stage.add_counsellor("zora", state=None)
    secret = await invited_by_mail(stage, mila, post)
    assert "Nova" in await choose(stage, secret)
    assert "already" in await choose(stage, secret)
    nova = await sign_in(stage, "Nova")

    at = f"/people/{nova.id}"
    now = (await mila.ask("GET", at)).json()
    moved = await mila.ask("POST", at, {"revision": now["revision"], "team": "north"})
    assert moved.json()["team"] == "north"
    shift = {"staff_id": str(nova.id), "begins": "00:00", "ends": "23:59", "days": ["MO", "TU"]}
    assert (await mila.ask("POST", "/roster/shifts", shift)).status_code < 300
    await nova.be("available")
    leg = await talk(stage, nova)

    held = (await mila.ask("GET", at)).json()
    assert held["holds"] == {**held["holds"], "drafts": 1, "shifts": 1}
    plan = {"revision": held["revision"], "everything_to": str(vera.id)}
    # Zora is on duty always, so that the shift would be hers twice.
    to_zora = {**plan, "to": {"shifts": str(zora.id)}}
    refused = await mila.ask("POST", f"{at}/deactivate", to_zora)
    assert (refused.status_code, refused.json()["error"]) == (409, "NotFree"), refused.text
    given = (await mila.ask("POST", f"{at}/deactivate", plan)).json()
    handed = {"given": {"drafts": 1, "shifts": 1}, "uncovered": [], "kept": []}
    left_open: dict[str, list[str]] = {
        name: []
        for name in (
            *("directory", "directory_perhaps", "partner_of", "to_confirm", "tokens"),
            *("partner_perhaps_of", "wallboards", "without_partner"),
        )
    }
    assert given == {**handed, **left_open}, given
    assert (await nova.ask("GET", "/me")).status_code == 401

    # The rest of the duty that runs is hers, so the child is offered to her.
    await vera.be("available")
    await stage.until(vera.offer, what="the child is offered to the colleague")
    assert leg.ended_at is None
    await vera.accept()
    await stage.advance(5)
    (contact,) = await stage.rows("SELECT owner_id, state FROM contacts")
    assert contact["owner_id"] == vera.id
    assert (await vera.offer() or {})["state"] == "connected"
