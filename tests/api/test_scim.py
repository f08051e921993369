"""SCIM 2.0 over HTTP: what a directory sends, and errors as RFC 7644 writes them."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from app.administration import still_open
from app.api.scim import says_leaving
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff import tokens
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.identity.second_step import browser
from tests.support.program.quiet import QuietStage

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
KING = {"op": "replace", "path": "roles", "value": [{"value": "king"}]}
WRONG: list[tuple[Any, int, str | None]] = [
    ([{"op": "replace", "path": "id", "value": "x"}], 400, "mutability"),
    ([{"op": "remove", "path": "userName"}], 400, "mutability"),
    ([{"op": "replace", "path": "no such", "value": 1}], 400, "invalidPath"),
    ([{"op": "burn", "path": "active"}], 400, "invalidValue"),
    ([{"op": "replace", "path": "active", "value": "perhaps"}], 400, "invalidValue"),
    ([{"op": "replace", "path": "userName", "value": " "}], 400, "invalidValue"),
    ([KING], 400, "invalidValue"),
    ([{"op": "replace", "path": "roles", "value": [{"value": "administrator"}]}], 403, None),
    ([{"op": "replace", "path": "userName", "value": "vera"}], 409, "uniqueness"),
    ([], 400, "invalidValue"),
    ("x", 400, "invalidValue"),
]


@pytest.mark.parametrize(
    ("sent", "leaves"),
    [
        ({"active": False}, True),
        ({"Active": "False", "userName": "", "emails": "no list"}, True),
        ({"active": True}, False),
        ({"userName": "ana"}, False),
        ({"active": "perhaps"}, False),
        ({"Operations": [{"op": "replace", "path": f"{USER}:active", "value": False}]}, True),
        ({"Operations": [{"op": "replace", "value": {"active": False, "roles": 7}}]}, True),
        ({"operations": ["x", {"op": "Replace", "path": "Active", "value": "false"}, 7]}, True),
        ({"Operations": [{"op": "remove", "path": "active"}]}, False),
        (
            {"Operations": [{"path": "active", "value": False}, {"path": "active", "value": 1}]},
            False,
        ),
        ({"Operations": "x"}, False),
    ],
)
def test_a_message_by_which_a_person_leaves_is_known_before_the_rest_is_read(
    sent: dict[str, Any], leaves: bool
) -> None:
    assert says_leaving(sent) is leaves


async def directory(stage: Stage, *scopes: str) -> httpx2.AsyncClient:
    async with transaction(stage.ground, PROGRAM) as work:
        token = await tokens.add_token(work, "-".join(scopes), list(scopes), 30)
    client = browser(stage)
    client.base_url = httpx2.URL(f"{stage.settings.public_url}/api/v1/scim/v2")
    client.headers |= {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
    return client


def said(answer: httpx2.Response, status: int, scim_type: str | None = None) -> None:
    """Check that an answer is an error as the protocol writes it."""
    body = answer.json()
    assert (answer.status_code, body["schemas"], body["status"], body.get("scimType")) == (
        status,
        [ERROR],
        str(status),
        scim_type,
    ), answer.text
    assert answer.headers["content-type"].startswith("application/scim+json")
    assert body["detail"]


async def test_only_a_token_for_accounts_opens_it(quiet: QuietStage) -> None:
    boss = await quiet.add_counsellor("boss", role=Role.ADMINISTRATOR, shift=False, state=None)
    url = f"{quiet.settings.public_url}/api/v1/scim/v2/Users"
    said(await quiet.client.get(url, headers={"Cookie": boss.cookie_header}), 401)
    said(await quiet.client.get(url, headers={"Authorization": "Bearer hl_x"}), 401)
    async with await directory(quiet, "statistics") as other:
        said(await other.get("/Users"), 403)
        said(await other.get("/Schemas"), 403)


async def _says_what_it_can(client: httpx2.AsyncClient) -> None:
    config = (await client.get("/ServiceProviderConfig")).json()
    assert (config["patch"]["supported"], config["bulk"]["supported"]) == (True, False)
    types = (await client.get("/ResourceTypes")).json()
    assert [one["endpoint"] for one in types["Resources"]] == ["/Users"]
    assert (await client.get("/ResourceTypes/User")).json()["schema"] == USER
    (schema,) = (await client.get("/Schemas")).json()["Resources"]
    assert (await client.get(f"/Schemas/{USER}")).json() == schema
    kept = {one["name"] for one in schema["attributes"]}
    assert kept == {"userName", "displayName", "active", "preferredLanguage", "emails", "roles"}
    for path in ("/Schemas/x", "/ResourceTypes/Group", "/Users/x"):
        said(await client.get(path), 404)


async def _adds(client: httpx2.AsyncClient) -> dict[str, Any]:
    sent = {
        "schemas": [USER],
        "userName": "Ana",
        "externalId": "7",
        "name": {"givenName": "Ana"},
        "preferredLanguage": "sr-RS",
        "emails": [{"value": "ana@city.example", "type": "work", "primary": True}],
    }
    made = await client.post("/Users", json=sent)
    assert made.status_code == 201, made.text
    ana = made.json()
    assert made.headers["location"] == ana["meta"]["location"]
    said_back = [ana[one] for one in ("userName", "active", "externalId", "preferredLanguage")]
    assert said_back == ["Ana", True, "7", "sr"]
    said(await client.post("/Users", json=sent), 409, "uniqueness")
    said(await client.post("/Users", json={"schemas": [USER]}), 400, "invalidValue")
    said(await client.post("/Users", content=b"{"), 400, "invalidSyntax")
    said(await client.post("/Users", json=[]), 400, "invalidSyntax")
    return dict(ana)


async def _finds(client: httpx2.AsyncClient, ana: dict[str, Any]) -> None:
    found = (await client.get("/Users", params={"filter": 'userName eq "ana"'})).json()
    assert [one["id"] for one in found["Resources"]] == [ana["id"]]
    none = (await client.get("/Users", params={"filter": 'userName eq "x"'})).json()
    assert none["totalResults"] == 0
    page = (await client.get("/Users", params={"startIndex": 2, "count": 1})).json()
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (2, 2, 1)
    for wrong in ("userName eq", 'nope eq "x"', "x" * 2000):
        said(await client.get("/Users", params={"filter": wrong}), 400, "invalidFilter")
    said(await client.get("/Users", params={"count": "many"}), 400, "invalidValue")


async def _changes_and_ends(client: httpx2.AsyncClient, ana: dict[str, Any]) -> None:
    path = f"/Users/{ana['id']}"
    for operations, status, scim_type in WRONG:
        asked = {"schemas": [PATCH], "Operations": operations}
        said(await client.patch(path, json=asked), status, scim_type)
    assert (await client.get(path)).json() == ana, "nothing was changed"

    put = await client.put(path, json={"schemas": [USER], "userName": "Ana B"})
    assert (put.json()["userName"], put.json().get("emails")) == ("Ana B", None)
    # As Microsoft Entra writes it, with what would be refused by itself; then as Okta does.
    for body, active in (
        ([{"op": "Replace", "path": "active", "value": "False"}, KING], False),
        ([{"op": "replace", "value": {"active": True}}], True),
    ):
        asked = {"schemas": [PATCH], "Operations": body}
        changed = await client.patch(path, json=asked)
        assert (changed.status_code, changed.json()["active"]) == (200, active), changed.text
    assert (await client.delete(path)).status_code == 204
    said(await client.get(path), 404)
    said(await client.delete(path), 404)


async def test_a_directory_adds_finds_changes_and_ends_an_account(quiet: QuietStage) -> None:
    await quiet.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    async with await directory(quiet, "accounts") as client:
        await _says_what_it_can(client)
        ana = await _adds(client)
        await _finds(client, ana)
        await _changes_and_ends(client, ana)
    rows = await quiet.rows(
        "SELECT action, actor FROM audit_entries WHERE subject = %s ORDER BY id", ana["id"]
    )
    acts = [row["action"] for row in rows]
    assert acts.count("left_by_directory") == 2
    programs = await quiet.rows("SELECT id::text FROM api_tokens")
    assert {row["actor"] for row in rows} == {programs[0]["id"]}


async def test_who_leaves_there_is_signed_out_here_and_the_stream_ends(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana", shift=False, state=None)
    await stage.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    asked = {
        "schemas": [PATCH],
        "Operations": [{"op": "replace", "path": "active", "value": False}],
    }
    headers = {"Cookie": ana.cookie_header}
    url = f"{stage.settings.public_url}/api/v1/events"
    async with (
        await directory(stage, "accounts") as client,
        stage.client.stream("GET", url, headers=headers) as stream,
    ):
        assert stream.status_code == 200
        assert (await client.patch(f"/Users/{ana.id}", json=asked)).status_code == 200
        async for _ in stream.aiter_raw():
            pass
        assert (await ana.ask("GET", "/me")).status_code == 401
        active = [{"op": "replace", "path": "active", "value": True}]
        back = await client.patch(f"/Users/{ana.id}", json={**asked, "Operations": active})
        assert back.json()["active"] is True
        assert (await ana.ask("GET", "/me")).status_code == 401, "until she signs in anew"
        await _ends_an_alarm(stage)
        await _waits_and_leaves(stage, client)


async def _ends_an_alarm(stage: Stage) -> None:
    """The worker ends an alarm of what is open by itself, once nothing is, and looks at partners of
    before that were never looked at."""
    async with transaction(stage.ground, PROGRAM) as work:
        await work.session.execute(text("UPDATE directory_accounts SET left_open_at = now()"))
        await work.session.execute(text("UPDATE lines SET partner_to_look_at = true"))
    still = (
        "SELECT (SELECT count(*) FROM directory_accounts WHERE left_open_at IS NOT NULL),"
        " (SELECT count(*) AS lines FROM lines WHERE partner_to_look_at)"
    )
    assert list((await stage.rows(still))[0].values()) == [1, 1]
    await still_open.look_again(stage.ground)
    assert list((await stage.rows(still))[0].values()) == [0, 0]


async def _waits_and_leaves(stage: Stage, client: httpx2.AsyncClient) -> None:
    """A new account waits for a second person, also if it is renamed, until it leaves."""
    waiting = "SELECT count(*) FROM access_requests WHERE state = 'waits'"
    async with transaction(stage.ground, PROGRAM) as work:
        await work.session.execute(text("UPDATE staff SET could_approve = true"))
    made = await client.post("/Users", json={"schemas": [USER], "userName": "Nova"})
    assert made.json()["active"] is False
    path = f"/Users/{made.json()['id']}"
    rename = {"op": "replace", "path": "userName", "value": "Nova B"}
    leaves = {"op": "replace", "path": "active", "value": False}
    for operations, still in (([rename], 1), ([leaves, KING], 0)):
        asked = {"schemas": [PATCH], "Operations": operations}
        assert (await client.patch(path, json=asked)).status_code == 200
        assert (await stage.rows(waiting))[0]["count"] == still
