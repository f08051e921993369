"""Each decision about a request is in the program's log: counted, so that it stays readable."""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from fastapi.routing import APIRoute

from app.api.scim import SyncsPeople
from app.api.statistics.statistics import AsksNumbers
from app.calls.lines.finding_lines import line_of_number
from app.chats import opening
from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, MONDAY, Stage
from app.demo.stepped_clock import SteppedClock
from app.jobs.transaction import transaction
from app.log import ALLOWED_FIELDS, set_up_logging
from app.outbox.channels import ChannelKind
from app.referrals.channels.links import add_link
from app.referrals.directory.agencies import agency_of_code
from app.referrals.models import Referral
from app.staff import tokens
from app.staff.roles import Role
from app.web import decisions
from app.web.access import Public
from app.web.decisions import Decision, Decisions, Right
from app.work import PROGRAM, Work
from tests.support.access.asking import ask
from tests.support.calls.signed import post
from tests.support.profile import WHOLE
from tests.support.program.quiet import QuietStage, quiet_stage_on
from tests.support.program.reach import reached_from
from tests.support.referrals import OVERRIDE, add_agency, by_hand
from tests.support.routes import routes, wallboard

Lines = Callable[[], list[dict[str, Any]]]
# What is open to all, and where a person signs in, which is in the log of acts.
_TO_ALL = {
    "GET /chat/{line}",
    "GET /chat/{line}/about",
    "GET /login",
    "GET /login/provider",
    "GET /login/provider/back",
    "GET /manifest.webmanifest",
    "GET /service-worker.js",
    "GET /setup",
    "GET /welcome",
    "POST /api/v1/session",
    "POST /api/v1/session/passkey",
    "POST /chat/{line}/conversations",
    "POST /login",
}
_EVENTS = {"allowed requests", "refused requests", "refused a request"}
_QUEUE = "/api/v1/queue"


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Return what was logged of decisions since it was asked last; the first time asks for it."""

    def read() -> list[dict[str, Any]]:
        set_up_logging("INFO")
        told = [one for one in capsys.readouterr().err.splitlines() if one.startswith("{")]
        found = [json.loads(one) for one in told]
        return [one for one in found if one["event"] in _EVENTS]

    return read


async def _wait(stage: Stage, minutes: int = 1) -> None:
    assert isinstance(stage.clock, SteppedClock)
    stage.clock.move_to(stage.clock.now() + timedelta(minutes=minutes))
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_first_allowed_request_is_a_line_at_once(quiet: QuietStage, lines: Lines) -> None:
    ana = await quiet.add_counsellor("Zzana")
    lines()
    assert (await ana.ask("GET", "/queue")).status_code == 200
    (told,) = lines()
    assert re.fullmatch("[0-9a-f]{6}", told.pop("session"))
    told.pop("timestamp")
    assert told == {
        "event": "allowed requests",
        "level": "info",
        "area": "web",
        "path": _QUEUE,
        "method": "GET",
        "permission": "see_queue",
        "staff_id": str(ana.id),
        "role": "counsellor",
        "count": 1,
    }


async def test_more_of_the_same_are_one_line_a_minute_with_their_count(
    quiet: QuietStage, lines: Lines
) -> None:
    ana = await quiet.add_counsellor("ana")
    await ana.ask("GET", "/queue")
    lines()
    for _ in range(50):
        await ana.ask("GET", "/queue")
    assert lines() == []
    await _wait(quiet)
    (told,) = lines()
    assert (told["path"], told["count"]) == (_QUEUE, 50)
    await ana.ask("GET", "/queue")
    assert lines() == [], "at most one line a minute"
    await _wait(quiet)
    assert [one["count"] for one in lines()] == [1]
    # A minute without one: it is forgotten, and the next one is the first again.
    await _wait(quiet)
    assert len(quiet.app.state.decisions) == 0
    await ana.ask("GET", "/queue")
    assert [one["count"] for one in lines()] == [1]


async def test_the_short_way_is_counted_with_the_long_one(quiet: QuietStage, lines: Lines) -> None:
    ana = await quiet.add_counsellor("ana")
    lines()
    for _ in range(4):
        (await ana.ask("POST", "/contacts/search", {"headline": "otac"})).raise_for_status()
    await _wait(quiet)
    told = [(one["path"], one["staff_id"], one["count"]) for one in lines()]
    assert told == [("/api/v1/contacts/search", str(ana.id), count) for count in (1, 3)]


async def test_who_asks_what_by_which_session_is_counted_apart(
    quiet: QuietStage, lines: Lines
) -> None:
    ana, vera = (
        await quiet.add_counsellor("ana"),
        await quiet.add_counsellor("vera", role=Role.SUPERVISOR),
    )
    lines()
    for who in (ana, vera):
        await who.ask("GET", "/queue")
        await who.ask("GET", "/me")
        await who.ask("GET", "/queue")
    told = lines()
    who_asked = [(one["staff_id"], one["role"], one["path"]) for one in told]
    assert len(set(who_asked)) == len(told) == 4
    assert len({one["session"] for one in told}) == 2


async def test_what_was_counted_is_written_when_the_process_ends(
    database: str, anyio_backend: str, lines: Lines
) -> None:
    async with quiet_stage_on(database) as quiet:
        ana = await quiet.add_counsellor("ana")
        for _ in range(4):
            await ana.ask("GET", "/queue")
        lines()
    (told,) = [one for one in lines() if one.get("path") == _QUEUE]
    assert told["count"] == 3


async def test_no_line_of_a_decision_has_an_id_of_a_row_or_what_was_asked(
    quiet: QuietStage, lines: Lines
) -> None:
    people = [
        await quiet.add_counsellor(f"Zz{role.value}", role=role)
        for role in (Role.SUPERVISOR, Role.ADMINISTRATOR)
    ]
    lines()
    secrets, known = {"Zz", "38164"}, {route.path for route in routes(quiet)}
    opened = [route for route in routes(quiet) if "GET" in (route.methods or ())]
    # By day some are, each by one of them, who may open it if either of them may.
    for route in opened if WHOLE else opened[::4]:
        for who in people if WHOLE else [people["/admin" in route.path]]:
            await ask(quiet.app, "GET", _filled(route, secrets), {"cookie": who.cookie_header})
    told = [one for one in lines() if one["event"] == "allowed requests"]
    assert len({one["path"] for one in told}) > (150 if WHOLE else 35)
    assert all(set(one) <= ALLOWED_FIELDS for one in told)
    assert {one["path"] for one in told} <= known
    staff = {str(who.id) for who in people}
    assert {one["staff_id"] for one in told if "staff_id" in one} == staff
    for one in told:
        text = json.dumps({**one, "timestamp": "", "staff_id": ""})
        assert not any(secret in text for secret in secrets), text
        assert not re.search(r"[0-9a-f]{8}-|\d{7}", text), text


def _filled(route: APIRoute, secrets: set[str]) -> str:
    """Return an address of a route, with an id of its own, a name and a number."""
    path = route.path
    for one in route.dependant.path_params:
        secrets.add(made := str(uuid4()))
        path = path.replace(f"{{{one.name}}}", made)
    return f"{path}?q=Zzorica&name=Zzorica&number=%2B38164123456"


async def _link_of_an_agency(stage: Stage, who: Counsellor) -> str:
    await add_agency(stage, "house", "shelter", email="h@a.example")
    made = await by_hand(who, override=OVERRIDE)
    async with transaction(stage.ground, PROGRAM) as work:
        referral = await work.session.get_one(Referral, UUID(made["id"]))
        agency = await agency_of_code(work, "house")
        lives = timedelta(hours=1)
        _, token = add_link(work, referral, agency.id, None, ChannelKind.EMAIL, lives=lives)
    return token


async def _conversation(work: Work) -> str:
    line = await line_of_number(work, LINE)
    assert line is not None
    opened = await opening.open_conversation(
        work, line, language="sr", danger=False, client_key=uuid4().hex
    )
    return opened.secret


async def _secrets(quiet: QuietStage) -> dict[Right, tuple[str, str]]:
    """Return a request of each right: its path, and its bearer token if it has one."""
    ana = await quiet.add_counsellor("ana")
    admin = await quiet.add_counsellor("boss", role=Role.ADMINISTRATOR)
    await quiet.let_write()
    async with transaction(quiet.ground, PROGRAM) as work:
        figures = await tokens.add_token(work, "figures", ["statistics"], 30)
        people = await tokens.add_token(work, "people", ["accounts"], 30)
        child = await _conversation(work)
    url, headers = f"{quiet.settings.public_url}/roster/feed", {"Cookie": ana.cookie_header}
    made = await quiet.client.post(url, headers=headers)
    feed = made.text.split('class="address">')[1].split("<")[0]
    return {
        Right.AGENCY_LINK: (f"/r/{await _link_of_an_agency(quiet, ana)}", ""),
        Right.CALENDAR_LINK: (feed.removeprefix(quiet.settings.public_url), ""),
        Right.CONVERSATION: ("/chat/conversation", child),
        Right.MONITORING: ("/healthz", ""),
        Right.PEOPLE_TOKEN: ("/api/v1/scim/v2/Users", people),
        Right.STATISTICS_TOKEN: ("/api/v1/statistics/dictionary", figures),
        Right.WALLBOARD_LINK: (f"/wall/{await wallboard(quiet, admin)}", ""),
    }


async def test_the_right_of_a_link_or_a_token_is_a_line_without_it(
    quiet: QuietStage, lines: Lines
) -> None:
    for right, (path, token) in (await _secrets(quiet)).items():
        lines()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        for _ in range(3):
            answer = await quiet.client.get(quiet.settings.public_url + path, headers=headers)
            assert answer.status_code == 200, (right, answer.text)
        (told,) = lines()
        assert (told["event"], told["kind"]) == ("allowed requests", right.value)
        assert not {"staff_id", "session", "role"} & set(told)
        secret = token or path.rpartition("/")[2].removesuffix(".ics")
        if right is not Right.MONITORING:
            assert secret not in json.dumps(told)


async def test_a_webhook_of_the_provider_is_counted_by_its_signature(
    stage: Stage, lines: Lines
) -> None:
    lines()
    assert await post(stage) == 200
    (told,) = [one for one in lines() if one["path"].startswith("/telephony")]
    assert (told["event"], told["kind"]) == ("allowed requests", "provider_signature")
    assert await post(stage, token="other") == 403
    assert lines() == [], "it has a line of its own"


def test_of_each_public_route_its_right_is_counted(quiet: QuietStage) -> None:
    without = set[str]()
    for route in routes(quiet):
        asked = [one.call for one in route.dependant.dependencies]
        if not any(isinstance(one, Public) for one in asked):
            continue
        starts = [route.endpoint, *(type(one).__call__ for one in asked if one is not None)]
        if not any(decisions.grant in reached_from(start) for start in starts):
            without |= {f"{method} {route.path}" for method in route.methods or ()}
    assert sorted(without) == sorted(_TO_ALL)


async def test_a_refusal_of_a_permission_stays_a_line_each(quiet: QuietStage, lines: Lines) -> None:
    ana = await quiet.add_counsellor("ana")
    async with transaction(quiet.ground, PROGRAM) as work:
        figures = await tokens.add_token(work, "figures", ["statistics"], 30)
        people = await tokens.add_token(work, "people", ["accounts"], 30)
    lines()
    base = quiet.settings.public_url
    for _ in range(2):
        for path in ("/people", "/statistics/dictionary"):
            assert (await ana.ask("GET", path)).status_code == 403, path
        for path, token in (("/scim/v2/Users", figures), ("/statistics/dictionary", people)):
            headers = {"Authorization": f"Bearer {token}"}
            answer = await quiet.client.get(f"{base}/api/v1{path}", headers=headers)
            assert answer.status_code == 403, path
    told = lines()
    assert [one["event"] for one in told] == ["refused a request"] * 8
    assert [one["level"] for one in told] == ["warning"] * 8
    assert {one.get("kind", one.get("role")) for one in told} == {
        "counsellor",
        "people_token",
        "statistics_token",
    }
    assert {one["cause"] for one in told} == {"keep_people", "see_statistics", "sync_people"}


async def test_other_refusals_are_counted(quiet: QuietStage, lines: Lines) -> None:
    admin = await quiet.add_counsellor("boss", role=Role.ADMINISTRATOR)
    ana = await quiet.add_counsellor("ana")
    lines()
    base = quiet.settings.public_url
    await _wait(quiet, 30)
    for _ in range(3):
        assert (await quiet.client.get(f"{base}/api/v1/me")).status_code == 401
        assert (await quiet.client.get(f"{base}/r/{'x' * 43}")).status_code == 404
        assert (await ana.ask("GET", f"/contacts/{uuid4()}")).status_code == 404
        needs_proof = await admin.ask("POST", "/tokens", {"name": "a", "scopes": ["statistics"]})
        assert needs_proof.status_code == 403
    refused = [one for one in lines() if one["event"] == "refused requests"]
    assert {(one["path"], one["cause"], one["count"]) for one in refused} == {
        ("/api/v1/me", "NotSignedIn", 1),
        ("/r/{token}", "NoSuchLink", 1),
        ("/api/v1/contacts/{contact_id}", "NotFound", 1),
        ("/api/v1/tokens", "ProofNeeded", 1),
    }
    tried = await quiet.client.post(f"{base}/welcome/open", data={"token": "x" * 43})
    assert tried.status_code == 200
    (told,) = [one for one in lines() if one["event"] == "refused requests"]
    assert (told["kind"], told["cause"]) == ("password_link", "NoSuchLink")
    by_person = {one["path"] for one in refused if "staff_id" in one}
    assert by_person == {"/api/v1/contacts/{contact_id}", "/api/v1/tokens"}


async def test_a_refusal_that_a_page_says_itself_is_counted(
    quiet: QuietStage, lines: Lines
) -> None:
    ana = await quiet.add_counsellor("ana")
    lines()
    url = f"{quiet.settings.public_url}/board/calls/{uuid4()}/hold"
    for _ in range(2):
        said = await quiet.client.post(url, headers={"Cookie": ana.cookie_header})
        assert said.status_code == 200
    (refused,) = [one for one in lines() if one["event"] == "refused requests"]
    assert (refused["path"], refused["cause"], refused["staff_id"], refused["count"]) == (
        "/board/calls/{call_id}/{action}",
        "NotFound",
        str(ana.id),
        1,
    )


# -- the counting itself -------------------------------------------------------------------------


def _counted(path: str) -> Decision:
    return Decision("allowed requests", path, "GET", kind="monitoring")


def test_the_kinds_that_are_held_have_a_bound_and_nothing_is_left_out(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines()
    counts, most = Decisions(SteppedClock(MONDAY)), 2_000
    monkeypatch.setattr(decisions, "MOST_KINDS", most)
    for number in range(most + 500):
        counts.count(_counted(f"/{number}"))
        counts.count(_counted(f"/{number}"))
    assert len(counts) == most
    counts.write_rest()
    assert sum(one["count"] for one in lines()) == 2 * (most + 500)


def test_many_lines_are_written_in_turns(lines: Lines) -> None:
    clock = SteppedClock(MONDAY)
    counts = Decisions(clock)
    for number in range(2 * 120):
        counts.count(_counted(f"/{number % 120}"))
    lines()
    clock.move_to(MONDAY + timedelta(minutes=1))
    written = []
    while counts.write_due():
        written.append(len(lines()))
    written.append(len(lines()))
    assert written == [50, 50, 20]


def test_a_clock_that_is_put_back_keeps_no_line_waiting(lines: Lines) -> None:
    lines()
    clock = SteppedClock(MONDAY)
    counts = Decisions(clock)
    for _ in range(3):
        counts.count(_counted("/healthz"))
    lines()
    clock.leap(timedelta(hours=-1))
    counts.write_due()
    assert [one["count"] for one in lines()] == [2]


def test_a_log_that_takes_no_line_fails_no_request_and_loses_no_count(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines()
    clock = SteppedClock(MONDAY)
    counts = Decisions(clock)

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(structlog.PrintLogger, "info", full)
        counts.count(_counted("/healthz"))
        counts.count(_counted("/healthz"))
    clock.move_to(MONDAY + timedelta(minutes=1))
    counts.write_due()
    assert [one["count"] for one in lines()] == [2]


def test_guards_beside_that_of_people_are_known_here() -> None:
    """Each class that decides by itself counts what it decides."""
    for guard in (AsksNumbers, SyncsPeople):
        reached = reached_from(guard.__call__)
        assert {decisions.grant, decisions.deny_permission} <= reached
