"""Definitions are registered once, and come into force while the helpline runs, everywhere."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import httpx2
import pytest

from app.country import following
from app.definitions.library import SHIPPED
from app.demo.counsellor import Counsellor
from app.demo.served import Served, free_port
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.main import make_app
from app.referrals.library import SHIPPED as PROTOCOLS
from app.staff.roles import Role
from app.work import PROGRAM, Ground, make_ground
from tests.support.contacts import completed, contact_of, new_contact
from tests.support.definitions.sets import changed, with_short_form, zipped
from tests.support.profile import WHOLE, nightly
from tests.support.program.quiet import QuietStage
from tests.support.talks import talk


async def _eventually(check: Callable[[], Awaitable[bool]], stage: Stage) -> None:
    """Wait until a process has heard of it, which takes real time."""
    async with asyncio.timeout(30):
        while not await check():
            await stage.settle()
            await asyncio.sleep(0.02)


async def _send(stage: Stage, who: Counsellor, files: dict[str, str], name: str) -> int:
    url = f"{stage.settings.public_url}/api/v1/definitions/sets"
    headers = {"Cookie": who.cookie_header, "Content-Type": "application/zip"}
    body = zipped(dict(files))
    sent = await stage.client.post(url, params={"name": name}, content=body, headers=headers)
    assert sent.status_code == 201, sent.text
    return int(sent.json()["id"])


class Elsewhere(NamedTuple):
    """A second web process on the database of a stage, which reads new definitions when it may."""

    stage: Stage
    base: str
    may_read: asyncio.Event

    async def ask(
        self, who: Counsellor, path: str, body: object = None, method: str = "GET"
    ) -> httpx2.Response:
        headers = {"Cookie": who.cookie_header}
        return await self.stage.client.request(method, self.base + path, json=body, headers=headers)


@asynccontextmanager
async def _elsewhere(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Elsewhere]:
    other, port = make_ground(stage.settings, stage.clock), free_port()
    found = Elsewhere(stage, f"http://127.0.0.1:{port}", asyncio.Event())
    served = Served(make_app(other, with_worker=False), port)
    learn_now = following.learn_now

    async def later(ground: Ground, *, anew: bool = False) -> None:
        if ground is other:
            await found.may_read.wait()
        await learn_now(ground, anew=anew)

    # Before the start, which reads by itself: what it is told then is not read later either.
    monkeypatch.setattr(following, "learn_now", later)
    await served.start()
    try:
        yield found
    finally:
        await served.stop()


async def test_several_processes_register_their_definitions_at_once(quiet: QuietStage) -> None:
    await quiet.watch.execute("ALTER TABLE definitions DISABLE TRIGGER append_only")
    await quiet.watch.execute("DELETE FROM definitions")

    async def one() -> None:
        async with transaction(quiet.ground, PROGRAM) as work:
            await following.start(work)

    await asyncio.gather(*(one() for _ in range(5)))
    assert len(await quiet.rows("SELECT name FROM definitions")) >= 8


async def test_the_next_contact_uses_the_new_form_in_every_process(stage: Stage) -> None:
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    ana = await stage.add_counsellor("ana")
    # A second process: another web server on the same database.
    other = make_ground(stage.settings, stage.clock)
    port = free_port()
    served = Served(make_app(other, with_worker=False), port)
    await served.start()

    async def written_there() -> str:
        headers = {"Cookie": ana.cookie_header}
        url = f"http://127.0.0.1:{port}/api/v1/contacts"
        made = await stage.client.post(url, json={"channel": "email"}, headers=headers)
        assert made.status_code == 201, made.text
        (row,) = await stage.rows(f"SELECT form FROM contacts WHERE id = '{made.json()['id']}'")
        return str(row["form"])

    assert await written_there() == "contact"
    earlier = await new_contact(ana)
    set_id = await _send(stage, mila, with_short_form(), "autumn")
    refused = await mila.ask("POST", f"/definitions/sets/{set_id}/put-in-force", {})
    assert (refused.status_code, refused.json()["error"]) == (409, "NotAccepted")
    ordered = await mila.ask("POST", f"/definitions/sets/{set_id}/put-in-force", {"accept": True})
    assert ordered.status_code == 201, ordered.text

    async def here() -> bool:
        return (await mila.ask("GET", "/forms/contact")).status_code == 403 and bool(
            (await ana.ask("GET", "/forms/contact")).json()["form"] == "brief"
        )

    async def there() -> bool:
        return await written_there() == "brief"

    await _eventually(here, stage)
    await _eventually(there, stage)
    # The draft of the next call, which the server opens by itself; and the one from before.
    leg = await talk(stage, ana)
    call = await contact_of(ana, stage, leg)
    assert call["form"] == "brief"
    assert (await ana.ask("GET", f"/contacts/{earlier}")).json()["form"] == "contact"
    told = (await mila.ask("GET", "/definitions")).json()
    assert (told["in_force"], told["versions"]["contact_form"]) == (set_id, "brief 2")
    back = await mila.ask("POST", f"/definitions/orders/{ordered.json()['id']}/take-back")
    assert back.json() == {"in_force": None}

    async def back_there() -> bool:
        return await written_there() == "contact"

    await _eventually(back_there, stage)
    if WHOLE:
        # After a restart it is read again, and what was written with the set stays readable.
        await stage.restart_server()
        assert (await contact_of(ana, stage, leg))["form"] == "brief"
    await served.stop()


async def _put_in_force(stage: Stage, mila: Counsellor, files: dict[str, str]) -> None:
    set_id = await _send(stage, mila, files, "autumn")
    path = f"/definitions/sets/{set_id}/put-in-force"
    ordered = await mila.ask("POST", path, {"accept": True})
    assert ordered.status_code == 201, ordered.text

    async def here() -> bool:
        return bool((await mila.ask("GET", "/definitions")).json()["in_force"] == set_id)

    await _eventually(here, stage)


# The file that says how a record goes on, its version, and the next one.
NEXT = {
    "cases": (SHIPPED / "workflow-case.yaml", "version: 2", "version: 3"),
    "referrals": (PROTOCOLS / "protocol-rs.yaml", "version: 3", "version: 4"),
}


# By day such a process neither reports, erases nor reminds (`tests/retention`, `tests/contacts`).
@nightly
@pytest.mark.parametrize("kind", NEXT)
async def test_a_process_that_has_not_read_the_new_definitions_says_so_of_new_records(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Its pages and lists go on, it changes nothing of such a record, and no job is lost."""
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    ana = await stage.add_counsellor("ana", state=None)
    file, before, after = NEXT[kind]
    contact = await completed(ana)
    async with _elsewhere(stage, monkeypatch) as there:
        await _put_in_force(stage, mila, {file.name: changed(file.read_text(), (before, after))})
        if kind == "cases":
            made = await ana.ask("POST", "/cases", {"contacts": [contact]})
            change: tuple[str, dict[str, str]] = ("/status", {"to": "in_progress"})
        else:
            wish = {"contact_id": contact, "services": ["shelter"], "urgency": "urgent"}
            made = await ana.ask("POST", "/referrals", wish)
            change = ("/urgency", {"urgency": "immediate", "reason": "It is worse."})
        assert made.status_code == 201, made.text
        here = f"/{kind}/{made.json()['id']}"
        unread = await there.ask(ana, here)
        assert unread.status_code == 503, unread.text
        assert "that this server has not read yet" in unread.text
        path, body = change
        tried = await there.ask(ana, f"/api/v1{here}{path}", body, "POST")
        assert (tried.status_code, tried.json()["error"]) == (503, "UnknownDefinition")
        for path in (f"/api/v1/{kind}", f"/{kind}", "/", f"/api/v1/contacts/{contact}"):
            assert (await there.ask(ana, path)).status_code == 200, path
        there.may_read.set()

        async def read_there() -> bool:
            return (await there.ask(ana, here)).status_code == 200

        await _eventually(read_there, stage)
        same = (await there.ask(ana, f"/api/v1{here}")).json()
        assert same == (await ana.ask("GET", here)).json()


async def test_an_archive_with_mistakes_is_refused_by_the_api(quiet: QuietStage) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    body = zipped(dict(with_short_form(("cue: danger_now", "cue: dangers"))))
    base = f"{quiet.settings.public_url}/api/v1/definitions"
    headers = {"Cookie": mila.cookie_header, "Content-Type": "application/zip"}
    found = await quiet.client.post(f"{base}/check", content=body, headers=headers)
    assert found.json()["problems"] == [
        {
            "file": "form-brief.yaml",
            "line": 16,
            "words": "there is no cue 'dangers' among the risk cues",
        }
    ]
    refused = await quiet.client.post(f"{base}/sets?name=x", content=body, headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (422, "BadSet")
    assert "form-brief.yaml:16: there is no cue" in refused.json()["detail"]
    none = await quiet.client.post(f"{base}/sets?name=x", content=b"no zip", headers=headers)
    assert none.json()["error"] == "BadSet"
    as_json = {**headers, "Content-Type": "application/json"}
    wrong = await quiet.client.post(f"{base}/sets?name=x", content=b"{}", headers=as_json)
    assert wrong.status_code == 422
    large = await quiet.client.post(f"{base}/check", content=b"x" * (9 << 20), headers=headers)
    assert large.status_code == 413
    assert await quiet.rows("SELECT FROM definition_sets") == []
