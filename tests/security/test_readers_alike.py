"""Two readers of one text read the same in it, or it is refused."""

import itertools
import json
import pkgutil
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from pydantic_core import from_json

import app.api
from app import strict_json
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.outbox.addresses import reads_alike
from app.outbox.fetching import is_on
from app.outbox.push.subscriptions import may_send_to
from app.referrals.channels.webhook.signing import headers_for
from app.referrals.directory.agencies import set_webhook_secret
from app.referrals.directory.entries import Problem, check_address
from app.settings import Settings
from app.staff.roles import Role
from app.web.strict_bodies import StrictRoute
from app.work import PROGRAM
from tests.support.program.quiet import QuietStage
from tests.support.referrals import add_agency
from tests.support.systems import signing_by

SCHEMES = ("https://", "http:/", "https:", "//", "HTTPS://", "https:///", "https:\\\\", " https://")
OWN = "https://a.example/"
HOSTS = (
    *("a.example", "A.EXAMPLE", "a.example.", "127.0.0.1", "0177.0.0.1", "2130706433", "127.1"),
    *("[::1]", "[::1%25eth0]", "[::ffff:10.0.0.1]", "[a.example]", "[::1]x", "x[::1]", "", "@"),
    *("ⓐ.example", "straße.example", "xn--strae-oqa.example", "１２７.0.0.1", "a。example"),
    *("a.example:443", "a.example:0443", "a.example:", "a.example:99999", "a.example:4_4", ":80"),
    *("a%2eexample", "a%00.example", "a b.example", "a\\b.example", "a.example\\@b.example"),
    *("a.example@b.example", "user:pw@a.example", "a@b@c.example", "a.example#@b.example"),
    *("a.example?@b.example", "a.example/@b.example", "a.example;b.example", "a..example"),
    *("a.example\t", "\ta.example", "a\n.example", "a\u200b.example", "a\u00ad.example"),
    *("a\uff0fb.example", "a\uff20b.example", "a\uff1a80.example", "a.example\u2044b.example"),
)
CORPUS = [scheme + host + "/p" for scheme, host in itertools.product(SCHEMES, HOSTS)]


def _server(address: str) -> tuple[Any, ...]:
    """Return where a client connects, and where a rule says that it does."""
    ours, theirs = urlsplit(address), httpx2.URL(address)
    usual = {"http": 80, "https": 443}
    return (
        (ours.scheme, ours.hostname, ours.port or usual[ours.scheme]),
        (theirs.scheme, theirs.raw_host.decode(), theirs.port or usual[theirs.scheme]),
    )


def test_the_rules_and_the_client_read_one_server_in_an_address() -> None:
    settings = Settings(push_services="a.example,a。example,xn--strae-oqa.example,straße.example")
    accepted = set()
    for address in CORPUS:
        wrong: list[Problem] = []
        check_address("webhook", address, False, wrong)
        if wrong == [] or may_send_to(settings, address) or is_on(OWN, address):
            accepted.add(address)
            rule, client = _server(address)
            assert rule == client, address
            assert reads_alike(address)
    # Ordinary ones are accepted.
    assert {"https://a.example/p", "https://127.0.0.1/p", "https://[::1]/p"} <= accepted
    assert {address for address in accepted if not address.isascii() or " " in address} == set()


JSON = (
    *('{"a": 1}', '{"a": 1, "b": {"a": 2}}', '[1.0, 1e5, -0, true, null, "ž"]', '"\\u017e"', "[]"),
    *('{"a": 1, "a": 2}', '[{"b": {"a": 1, "a": 1}}]', '{"a": 1, "\\u0061": 2}'),
    *("NaN", '{"a": NaN}', "[Infinity]", "[-Infinity]"),
    *(
        '"\\ud83d\\ude00"',
        "01",
        "1.",
        "[1,]",
        '{"a": 1,}',
        "{'a': 1}",
        "",
        "nul",
        "[1] x",
        "\ufeff[1]",
    ),
)


def _strict(text: str) -> Any:
    try:
        return strict_json.read(text)
    except ValueError:
        return ValueError


def _pydantic(text: str) -> Any:
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return ValueError


def _first_wins(text: str) -> Any:
    """Read as a reader does that takes the first value of a name."""
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    except ValueError:
        return ValueError


@pytest.mark.parametrize("text", JSON)
def test_both_readers_of_json_agree(text: str) -> None:
    read = _strict(text)
    if read is ValueError:
        # Refused, before the other one is asked.
        return
    assert read == _pydantic(text) == _first_wins(text)


def test_every_route_for_programs_reads_json_strictly() -> None:
    names = [one.name for one in pkgutil.walk_packages(app.api.__path__, "app.api.")]
    routers = [getattr(import_module(name), "router", None) for name in names]
    routes = [route for router in routers if router for route in router.routes]
    assert len(routes) > 200
    assert [route.path for route in routes if not isinstance(route, StrictRoute)] == []


async def test_json_that_readers_understand_differently_is_refused(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    cookies = "; ".join(f"{name}={value}" for name, value in ana.cookies.items())
    headers = {"Cookie": cookies, "Content-Type": "application/json"}
    url = f"{stage.settings.public_url}/api/v1/me/presence"
    for body in ('{"state": "available", "state": "break"}', '{"state": "break", "x": NaN}'):
        refused = await stage.client.put(url, content=body, headers=headers)
        assert (refused.status_code, refused.json()["error"]) == (422, "Invalid")
    assert (await ana.ask("GET", "/me")).json()["presence"]["state"] == "available"
    # A long one is read apart, and in the same way.
    long = '{"state": "break", "x": [' + "{}," * 9_000 + '{"y": 1, "y": 2}]}'
    assert (await stage.client.put(url, content=long, headers=headers)).status_code == 422
    # Where there is no such route, nothing is read; pages say nothing of it, either.
    for path, status in (("/api/v1/nothing", 404), ("/api/v1/me/presence", 405), ("/nothing", 404)):
        other = f"{stage.settings.public_url}{path}"
        assert (await stage.client.post(other, content=long, headers=headers)).status_code == status
    taken = await stage.client.put(url, content='{"state": "break"}', headers=headers)
    assert taken.status_code == 200, taken.text
    # An agency's event says its content type as it likes, or not at all.
    await add_agency(stage, "house", "shelter", email="a@house.example")
    async with transaction(stage.ground, PROGRAM) as work:
        secret = await set_webhook_secret(work, "house")
    twice = b'{"type": "accepted", "type": "rejected", "data": {"referral": "x", "sequence": 1}}'
    signed = headers_for(signing_by(secret), "msg-1", stage.clock.now(), twice)
    events = f"{stage.settings.public_url}/api/v1/agencies/house/events"
    refused = await stage.client.post(events, content=twice, headers=signed)
    assert refused.status_code == 422
    assert refused.json()["detail"] == "The body cannot be read. Send valid JSON."


async def test_what_is_encoded_twice_is_decoded_once(quiet: QuietStage) -> None:
    """A part of an address, its query and a form: each is checked and used as it was decoded."""
    boss = await quiet.add_counsellor("boss", role=Role.ADMINISTRATOR, shift=False, state=None)
    await quiet.add_counsellor("mira", shift=False, state=None)
    found = {}
    for words in ("m%69ra", "m%2569ra", "m%252569ra"):
        answer = await boss.ask("GET", f"/people?words={words}")
        found[words] = [one["name"] for one in answer.json()]
    assert found == {"m%69ra": ["mira"], "m%2569ra": [], "m%252569ra": []}
    reports = quiet.settings.public_url + "/reports/"
    for name, status in (("feedbac%6b", 200), ("feedbac%256b", 404)):
        page = await quiet.client.get(reports + name, headers={"Cookie": boss.cookie_header})
        assert page.status_code == status, name
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for name, said in (("m%69ra", "mira"), ("m%2569ra", "m%69ra")):
        again = await quiet.client.post(
            quiet.settings.public_url + "/login", content=f"username={name}", headers=form
        )
        assert f'value="{said}"' in again.text
