"""Opens every route that reads, with every row there is, as every role."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from fastapi.routing import APIRoute

from app.demo.stage import Counsellor, Stage
from app.staff.roles import Role
from tests.api.test_access import routes

# Where the rows of a parameter of an address come from.
_ROWS = {
    "call_id": "SELECT id FROM calls",
    "contact_id": "SELECT id FROM contacts",
    "case_id": "SELECT id FROM cases",
    "referral_id": "SELECT id FROM referrals",
    "profile_id": "SELECT id FROM profiles",
    "message_id": "SELECT id FROM voice_messages",
    "export_id": "SELECT id FROM exports",
    "prompt_id": "SELECT id FROM prompts",
}
_WORDS = {
    "record": ["contact", "case", "referral"],
    "kind": ["csv", "json", "xlsx", "parquet"],
    "what": ["calls", "categories", "referrals", "summary", "counsellors", "room"],
    "name": ["daily", "monthly", "agencies", "chi", "violence", "md-notifications"],
    "period": ["2020"],
}
# Rows that a role other than the supervisor opens of each route; the supervisor opens all.
_SOME = 6
# What a read may answer: done, moved elsewhere, not for this role, not there (any more), not now.
_FINE = {200, 204, 302, 303, 401, 403, 404, 409, 410, 422}
# Streams do not end, tokens of strangers are tested where they are made, and a release needs a year
# that is over.
_LEFT_OUT = {
    "/api/v1/events",
    "/r/{token}",
    "/r/{token}/news",
    "/calendar/{token}.ics",
    "/api/v1/statistics/public/{period}",
    "/api/v1/statistics/public/{period}/csv",
    "/reports/public/{period}",
}


@dataclass
class Opened:
    """What came of it: the errors, and which routes answered well for no role."""

    requests: int = 0
    broken: list[str] = field(default_factory=list)
    never_well: set[str] = field(default_factory=set)


async def open_every_route(stage: Stage) -> Opened:
    """Open every GET route with every row, as every role. Returns what broke."""
    people = {
        role: await stage.add_counsellor(f"reader {role.value}", role=role, shift=False, state=None)
        for role in Role
    }
    await _ask_for_a_file(stage, people[Role.SUPERVISOR])
    rows = {
        name: [str(row["id"]) for row in await stage.rows(sql)] for name, sql in _ROWS.items()
    } | _WORDS
    pairs = [
        (str(row["case_id"]), str(row["id"]))
        for row in await stage.rows("SELECT case_id, id FROM case_documents")
    ]
    found = Opened()
    for route in routes(stage):
        # The provider's own addresses are signed.
        if (
            "GET" in (route.methods or ())
            and _path(route) not in _LEFT_OUT
            and "/telephony" not in _path(route)
        ):
            await _open(stage, route, people, rows, pairs, found)
    return found


async def add_cases(stage: Stage) -> None:
    """Cases in every status with a document, and files that were asked for: an hour has none."""
    ana = await stage.add_counsellor("keeper", shift=False, state=None)
    moves: list[list[str]] = [[], ["in_progress"], ["in_progress", "closed"]]
    for to in moves:
        made = await ana.ask("POST", "/contacts", {"channel": "call", "answers": {}})
        contact = made.json()["id"]
        case = (await ana.ask("POST", "/cases", {"contacts": [contact]})).json()["id"]
        url = f"{stage.settings.public_url}/api/v1/cases/{case}/documents"
        answer: Any = await stage.client.post(
            url,
            content=b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n",
            headers={
                "Cookie": ana.cookie_header,
                "Origin": stage.settings.public_url,
                "X-Document-Name": "letter.pdf",
                "Content-Type": "application/octet-stream",
            },
        )
        assert answer.status_code < 300, answer.text
        for status in to:
            await ana.ask("POST", f"/cases/{case}/status", {"to": status, "reason": "Well."})


async def _ask_for_a_file(stage: Stage, boss: Counsellor) -> None:
    day = stage.clock.now().date()
    wanted = {
        "what": "calls",
        "from": f"{day}",
        "to": f"{day + timedelta(days=1)}",
        "format": "csv",
    }
    answer = await boss.ask("POST", "/statistics/exports", wanted)
    assert answer.status_code == 202, answer.text
    await stage.settle()


def _path(route: APIRoute) -> str:
    """The whole path of a route, with the prefix under which the interface for programs stands."""
    programs = route.endpoint.__module__.startswith("app.api.")
    open_ = route.path in ("/healthz", "/readyz", "/metrics")
    return f"/api/v1{route.path}" if programs and not open_ else route.path


def _addresses(
    stage: Stage, route: APIRoute, rows: dict[str, list[str]], pairs: list[tuple[str, str]]
) -> list[str]:
    names = [p.name for p in route.dependant.path_params]
    day = stage.clock.now().date()
    asked = ""
    if any(p.field_info.is_required() for p in route.dependant.query_params):
        asked = f"?from={day - timedelta(days=3)}&to={day + timedelta(days=1)}"
    if "document_id" in names:
        return [_path(route).format(case_id=case, document_id=one) for case, one in pairs]
    found = [_path(route)]
    for name in names:
        found = [
            path.replace(f"{{{name}}}", value) for path in found for value in rows.get(name, [])
        ]
    return [path + asked for path in found]


async def _open(
    stage: Stage,
    route: APIRoute,
    people: dict[Role, Counsellor],
    rows: dict[str, list[str]],
    pairs: list[tuple[str, str]],
    found: Opened,
) -> None:
    addresses = _addresses(stage, route, rows, pairs)
    well = False
    answers: dict[int, int] = defaultdict(int)
    for role, who in people.items():
        every = addresses if role is Role.SUPERVISOR else addresses[:_SOME]
        for address in every:
            url = stage.settings.public_url + address
            headers = {"Cookie": who.cookie_header}
            answer: Any = await stage.client.get(url, headers=headers)
            found.requests += 1
            answers[answer.status_code] += 1
            well = well or answer.status_code in (200, 204, 302, 303)
            if answer.status_code not in _FINE:
                found.broken.append(f"{role.value} {address}: {answer.status_code}")
    if not well:
        found.never_well.add(f"{_path(route)} {dict(answers)}")
