"""A search and a new contact go the short way once the session is remembered, and are answered
there as on the long one."""

import asyncio
from typing import Any

import fastapi.routing
import httpx2
import pytest

from app.api.records.record_views import ContactRow, ContactView
from app.database.topics import Topic
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.program.quiet import QuietStage

JSON = "application/json"


async def _sent(
    stage: Stage, who: Counsellor, path: str, body: bytes, kind: str = JSON, **more: str
) -> httpx2.Response:
    headers = {"Cookie": who.cookie_header, "Content-Type": kind, **more}
    url = f"{stage.settings.public_url}/api/v1{path}"
    return await stage.client.request("POST", url, content=body, headers=headers)


def _forget(stage: Stage) -> None:
    """Let the next request ask for its session again, and so go the long way."""
    stage.ground.memory.forget(Topic.STAFF)


@pytest.fixture
def long_ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the requests that went the long way."""
    found: list[str] = []
    usual = vars(fastapi.routing)["solve_dependencies"]

    async def noted(*, request: Any, **more: Any) -> Any:
        found.append(request.scope["path"])
        return await usual(request=request, **more)

    monkeypatch.setattr(fastapi.routing, "solve_dependencies", noted)
    return found


async def test_what_is_sent_again_and_again_goes_the_short_way(
    quiet: QuietStage, long_ways: list[str]
) -> None:
    who = await quiet.add_counsellor("ana", state=None, shift=False)
    for path, body, status in (
        ("/contacts/search", b'{"headline": "otac"}', 200),
        ("/cases/search", b'{"name": "Jovana", "code": "C-1"}', 200),
        ("/contacts", b'{"channel": "call", "answers": {"contact.headline": "Otac"}}', 201),
    ):
        _forget(quiet)
        for _ in range(3):
            assert (await _sent(quiet, who, path, body)).status_code == status
        assert long_ways == [f"/api/v1{path}"]
        long_ways.clear()
    found = await _sent(quiet, who, "/contacts/search", b'{"headline": "otac"}')
    assert [one["headline"] for one in found.json()["contacts"]] == ["Otac"] * 3
    log = await quiet.rows(
        "SELECT count(*) AS n FROM audit_entries WHERE action = 'records_searched'"
    )
    assert log[0]["n"] == 7, "each search is in the log"


# A body, its kind, more headers, and the status of the answer.
_ASKED: list[tuple[bytes, str, dict[str, str], int]] = [
    (b'{"headline": "otac", "headline": "majka"}', JSON, {}, 422),
    (b'{"headline": NaN}', JSON, {}, 422),
    (b'{"headline": 3}', JSON, {}, 422),
    (b'{"born": "1"}', JSON, {}, 422),
    (b'{"from": "2026-11-24T08:00:00"}', JSON, {}, 422),
    (b'{"headline": "."}', JSON, {}, 422),
    (b"[]", JSON, {}, 422),
    (b"", JSON, {}, 422),
    (b"{", JSON, {}, 422),
    (b"[" * 9000, JSON, {}, 422),
    (b"{}", "application/vnd.api+json", {}, 200),
    (b"{}", "application/octet-stream", {}, 422),
    (b"{}", "text/plain", {}, 403),
    (b"{}", JSON, {"Origin": "https://other.example"}, 403),
    (b"{}", JSON, {"Sec-Fetch-Site": "cross-site"}, 403),
    (b'{"born": "2012", "nothing": 1}', JSON + "; charset=utf-8", {}, 200),
]


async def test_the_short_and_the_long_way_answer_alike(quiet: QuietStage) -> None:
    who = await quiet.add_counsellor("ana", state=None, shift=False)
    for body, kind, more, status in _ASKED:
        _forget(quiet)
        long = await _sent(quiet, who, "/contacts/search", body, kind, **more)
        await who.ask("GET", "/me")
        short = await _sent(quiet, who, "/contacts/search", body, kind, **more)
        assert (short.status_code, short.content) == (long.status_code, long.content), body
        assert short.status_code == status, body


async def test_a_role_that_may_not_search_is_refused_on_both_ways(quiet: QuietStage) -> None:
    auditor = await quiet.add_counsellor("eva", role=Role.AUDITOR, state=None, shift=False)
    for _ in range(2):
        assert (await _sent(quiet, auditor, "/contacts/search", b"{}")).status_code == 403


async def test_a_search_the_short_way_is_an_act_of_its_person(
    stage: Stage, long_ways: list[str]
) -> None:
    """Else an open page, which asks by itself and is no act, would keep the session remembered, and
    searches would not keep it from ending as idle."""
    who = await stage.add_counsellor("ana", state=None, shift=False)
    await _sent(stage, who, "/contacts/search", b"{}")
    await stage.advance(120)
    # A page that asks by itself: it is remembered by this one.
    url = f"{stage.settings.public_url}/api/v1/me"
    headers = {"Cookie": who.cookie_header, "Sec-Fetch-Mode": "cors"}
    (await stage.client.request("GET", url, headers=headers)).raise_for_status()
    long_ways.clear()
    await _sent(stage, who, "/contacts/search", b"{}")
    assert long_ways == []
    rows = await stage.rows("SELECT max(active_at) AS at FROM staff_sessions")
    assert rows[0]["at"] == stage.clock.now()


async def test_a_session_that_ends_while_the_body_arrives_searches_nothing(stage: Stage) -> None:
    who = await stage.add_counsellor("ana", state=None, shift=False)
    (await who.ask("GET", "/contacts")).raise_for_status()
    address = stage.settings.public_url.removeprefix("http://")
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST /api/v1/contacts/search HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n"
        f"Cookie: {who.cookie_header}\r\nContent-Type: {JSON}\r\nContent-Length: 2\r\n\r\n"
    )
    writer.write(head.encode())
    await writer.drain()
    await asyncio.sleep(0.2)
    (await who.ask("DELETE", "/session")).raise_for_status()
    writer.write(b"{}")
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_an_opened_contact_and_a_list_have_the_fields_of_their_description(
    quiet: QuietStage,
) -> None:
    who = await quiet.add_counsellor("ana", state=None, shift=False)
    made = {"channel": "call", "answers": {"contact.headline": "Otac", "child.a1": 1}}
    made_id = (await who.ask("POST", "/contacts", made)).json()["id"]
    opened = (await who.ask("GET", f"/contacts/{made_id}")).json()
    assert opened == ContactView.model_validate(opened).model_dump(mode="json")
    assert opened["answers"]["contact.headline"] == "Otac"
    (listed,) = (await who.ask("GET", "/contacts")).json()["contacts"]
    assert listed == ContactRow.model_validate(listed).model_dump(mode="json")
