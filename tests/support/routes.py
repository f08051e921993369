"""Opens every route that reads, with every row there is, as every role."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

import app
from app.dashboard.rota.places import place_word
from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, Stage
from app.routing.rota.shifts import Layer, Place
from app.staff.roles import Role, may
from app.telephony.inbound.sounds import waiting_sound
from app.web.access import Guard
from tests.support.access.asking import ask, noting_late_logs
from tests.support.contacts import WHOLE as WHOLE_FORM
from tests.support.contacts import new_contact
from tests.support.definitions.sets import with_short_form, zipped
from tests.support.pages.every_state import add_every_state, in_no_row
from tests.support.pages.every_way import every_way
from tests.support.pages.in_each_state import (
    NEVER_WELL_IN,
    Said,
    add_settings_in_each_state,
    all_rows,
    ids_of,
    in_new_states,
    lacking,
)
from tests.support.pages.of_strangers import agency_links, publish_the_year
from tests.support.pages.states import add_calls
from tests.support.pages.ways import Way, with_cookie
from tests.support.profile import WHOLE
from tests.support.referrals import OVERRIDE, add_agency, by_hand

# All templates of the pages, as one text.
TEMPLATES = "".join(
    path.read_text() for path in (Path(app.__file__).parent / "dashboard/templates").rglob("*.html")
)


WORDS = {
    "record": ["contact", "case", "referral"],
    "kind": ["csv", "json", "xlsx", "parquet"],
    "what": ["calls", "categories", "referrals", "summary", "counsellors", "room"],
    "name": ["daily", "monthly", "agencies", "chi", "violence", "md-notifications", "feedback"],
    "period": ["2020"],
    "language": ["sr"],
    "which": ["pages"],
    "file_format": ["pdf", "json"],
    "line": [LINE.lstrip("+")],
    "message_number": ["1"],
}


# They keep settings, or read the log; a counsellor here has no record, no call and no case.
_READ_NO_CHILD = frozenset({Role.ADMINISTRATOR, Role.AUDITOR, Role.COUNSELLOR})
# Rows that a role opens of each route. The supervisor opens more, at least one in each state. With
# TESTS=whole she opens all, and so does the administrator, who must not learn of any child.
_SOME = 6 if WHOLE else 1
_MANY: dict[Role, int | None] = (
    {Role.SUPERVISOR: None, Role.ADMINISTRATOR: None}
    if WHOLE
    else {Role.SUPERVISOR: 2, Role.ADMINISTRATOR: 1}
)


# What a read may answer: done, moved elsewhere, not for this role, not there (any more), not now.
_WELL = {200, 204, 302, 303}
_FINE = _WELL | {401, 403, 404, 409, 410, 422}
# A browser that the provider of identities did not send back.
_FINE_AT = {"/login/provider/back": {400}}


# What says who a child is or what was told, in an hour: the name and the headline of its contacts,
# and how the numbers of its callers begin.
IDENTITY = ("Zzorica", "Quarrel with a friend", "+38164123")


@dataclass
class Opened:
    """What came of it: the errors, and which routes answered well for no role."""

    requests: int = 0
    broken: list[str] = field(default_factory=list)
    # Where a person read who a child is, who has no record of it; and whether a supervisor did, who
    # may.
    identities: list[str] = field(default_factory=list)
    read_by_supervisor: bool = False
    never_well: set[str] = field(default_factory=set)
    # Where one was not answered as they should be whose it is; and where another person was.
    not_answered: list[str] = field(default_factory=list)
    opened_by_others: list[str] = field(default_factory=list)
    # States in which no row is, and routes that are named and do not exist.
    in_no_row: dict[str, set[str]] = field(default_factory=dict)
    no_routes: set[str] = field(default_factory=set)
    # By route and state: where no role read a row in this state, though it should be read; and
    # where one did, though none should.
    never_well_in: set[str] = field(default_factory=set)
    excused_in_vain: set[str] = field(default_factory=set)
    # What was logged or committed after the answer had begun.
    late: list[str] = field(default_factory=list)


async def open_every_route(stage: Stage) -> Opened:
    """Open every GET route with every row, as every role. Returns what broke."""
    people = {
        role: await stage.add_counsellor(f"reader {role.value}", role=role, shift=False, state=None)
        for role in Role
    }
    await _add_settings(stage, people[Role.SUPERVISOR], people[Role.ADMINISTRATOR])
    await add_settings_in_each_state(stage)
    async with every_way(stage, people) as ways:
        return await _open_every_route(stage, people, ways)


async def _open_every_route(
    stage: Stage, people: dict[Role, Counsellor], ways: dict[str, list[Way]]
) -> Opened:
    # What moves rows by itself has done so before they are put into every state.
    await stage.settle()
    await add_calls(stage)
    await add_every_state(stage)
    lacks = await in_no_row(stage)
    year = await publish_the_year(stage)
    links = await agency_links(stage)
    said = await all_rows(stage)
    rows = _ids(said) | WORDS
    rows |= {"token": [await wallboard(stage, people[Role.ADMINISTRATOR])], "period": [year]}
    pairs = [
        (str(row["case_id"]), str(row["id"]))
        for row in await stage.rows("SELECT case_id, id FROM case_documents")
    ]
    found = Opened(in_no_row=lacking(said) | lacks)
    found.no_routes = ways.keys() - {one.path for one in routes(stage)}
    for route in routes(stage):
        if "GET" in (route.methods or ()):
            own = {"token": links} if route.path.startswith("/r/") else {}
            opened_by = ways.get(route.path, [])
            addresses = [
                *addresses_of(stage, route, rows | _ids(own), pairs),
                *(one.address for one in opened_by),
            ]
            states = {one: _states_at(route, one, said | own) for one in addresses}
            await _Opening(stage, route, people, states, found, opened_by).open()
    return found


def _ids(said: Said) -> dict[str, list[str]]:
    return {name: list(of) for name, of in said.items()}


async def _add_settings(stage: Stage, boss: Counsellor, admin: Counsellor) -> None:
    """Make what an administrator and a supervisor make: files, prompts, definitions, requests."""
    await _ask_for_a_file(stage, boss)
    await _record_a_prompt(stage, admin)
    await _import_definitions(stage, admin)
    await _test_a_connection(stage, admin)
    await _ask_for_data(stage, boss, admin)
    asked = await boss.ask("POST", "/roster/proposals", {"weeks": 1})
    assert asked.status_code == 202, asked.text
    await stage.settle()


async def rows_of_settings(stage: Stage, boss: Counsellor, admin: Counsellor) -> dict[str, str]:
    """Make these, and return one row of each by the name that addresses have for it."""
    await _add_settings(stage, boss, admin)
    names = ("line_id", "set_id", "test_id", "export_id", "proposal_id", "recording", "prompt_id")
    found = await ids_of(stage, (*names, "data_request_id"))
    return found | {"token": await wallboard(stage, admin)}


async def _test_a_connection(stage: Stage, admin: Counsellor) -> None:
    number = {"number": "+381641111111"}
    sent = await admin.ask("POST", "/connections/sms/test", number)
    assert sent.status_code == 202, sent.text


async def _ask_for_data(stage: Stage, boss: Counsellor, admin: Counsellor) -> None:
    """A report of a contact that can be opened, and an erasure that waits for a second person."""
    for kind, basis in (("access", "right_of_access"), ("erasure", "not_needed")):
        found = await _found_of_a_contact(stage, boss, kind)
        path = f"/data-requests/{found['id']}"
        # Some rows are still open, and all others may be another person's: the officer has looked.
        marked = [one for one in found["items"] if one["keep"] == "another_person"]
        released = [{"kind": one["kind"], "id": one["id"], "keep": None} for one in marked]
        kept = await boss.ask("PUT", f"{path}/kept", {"items": released})
        assert kept.status_code == 200, kept.text
        ground = {"basis": basis, "identity": "document", "words": "Shown at the door on Monday."}
        asked = await boss.ask("POST", f"{path}/ask", ground)
        assert asked.status_code == 200, asked.text
        if kind == "erasure":
            why = {"months": 2, "because": "complex", "words": "There are many records."}
            more = await boss.ask("POST", f"{path}/extension", why)
            assert more.status_code == 200, more.text
        if kind == "access":
            decided = await admin.ask("POST", f"{path}/decision", {"approve": True})
            assert decided.status_code == 200, decided.text


async def _found_of_a_contact(stage: Stage, boss: Counsellor, kind: str) -> Any:
    """Begin a request about the first contact of which not all is still open."""
    for row in await stage.rows("SELECT code FROM contacts ORDER BY opened_at, id"):
        sought = {"kind": kind, "person": "child", "sought": str(row["code"])}
        answer = await boss.ask("POST", "/data-requests", sought)
        assert answer.status_code == 201, answer.text
        found = answer.json()
        if any(one["keep"] != "still_open" for one in found["items"]):
            return found
        await boss.ask("POST", f"/data-requests/{found['id']}/withdraw")
    raise AssertionError("work on all of them is still open")


async def _import_definitions(stage: Stage, admin: Counsellor) -> None:
    """Import a set of definitions, which is not in force."""
    headers = {"Cookie": admin.cookie_header, "Content-Type": "application/zip"}
    url = f"{stage.settings.public_url}/api/v1/definitions/sets?name=autumn"
    body = zipped(dict(with_short_form()))
    sent = await stage.client.post(url, content=body, headers=headers)
    assert sent.status_code == 201, sent.text


async def wallboard(stage: Stage, admin: Counsellor) -> str:
    """Make a wallboard; return the secret part of its address, which is shown once."""
    made = await stage.client.post(
        f"{stage.settings.public_url}/admin/wallboards",
        data={"name": "Hall"},
        headers={"Cookie": admin.cookie_header},
    )
    found = re.search(r"/wall/([\w-]{43})<", made.text)
    assert found is not None
    return found[1]


async def add_cases(stage: Stage) -> None:
    """Cases in every status with a document, and files that were asked for: an hour has none."""
    ana = await stage.add_counsellor("keeper", shift=False, state=None)
    vera = await stage.add_counsellor("closer", role=Role.SUPERVISOR, shift=False, state=None)
    # A counsellor's wish to close waits for a supervisor, who closes another case.
    moves: list[tuple[Counsellor, list[str]]] = [
        (ana, []),
        (ana, ["in_progress"]),
        (ana, ["in_progress", "closed"]),
        (vera, ["closed"]),
    ]
    for who, to in moves:
        # Newer than all contacts of the hour: who may read a child's words reads these.
        told = {"contact.headline": IDENTITY[1]}
        made = await ana.ask("POST", "/contacts", {"channel": "call", "answers": told})
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
                "X-Document-Details": "keep",
                "Content-Type": "application/octet-stream",
            },
        )
        assert answer.status_code < 300, answer.text
        for status in to:
            asked = {"to": status, "reason": "Well."}
            moved = await who.ask("POST", f"/cases/{case}/status", asked)
            assert moved.status_code < 300, moved.text


async def add_practice(stage: Stage) -> None:
    """A practice call that its trainee has taken and ended: an hour has none."""
    trainee = await stage.add_counsellor("trainee", training=True)
    asked = {"scenario": "school_bullying", "language": "en"}
    made = await trainee.ask("POST", "/practices", asked)
    assert made.status_code == 201, made.text

    async def talking() -> bool:
        offer = await trainee.offer()
        return offer is not None and offer["state"] == "connected"

    await stage.until(trainee.offer, what="the child rings")
    await trainee.accept()
    await stage.until(talking, what="they talk")
    (await trainee.do("hang-up")).raise_for_status()


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


async def _record_a_prompt(stage: Stage, admin: Counsellor) -> None:
    for line in await stage.rows("SELECT id FROM lines WHERE active"):
        answer = await stage.client.post(
            f"{stage.settings.public_url}/admin/lines/{line['id']}/prompts/sr/hold",
            files={"sound": ("hold.wav", waiting_sound(), "audio/wav")},
            headers={"Cookie": admin.cookie_header, "Origin": stage.settings.public_url},
        )
        assert answer.status_code == 303, answer.text


def _a_duty(stage: Stage, person_id: str) -> str:
    """An hour of duty, as an address of the rota names it."""
    start = stage.clock.now()
    place = Place(UUID(person_id), start, start + timedelta(hours=1), Layer.PRIMARY)
    return place_word(place)


def addresses_of(
    stage: Stage, route: APIRoute, rows: dict[str, list[str]], pairs: list[tuple[str, str]]
) -> list[str]:
    names = [p.name for p in route.dependant.path_params]
    day = stage.clock.now().date()
    asked = ""
    required = {p.name for p in route.dependant.query_params if p.field_info.is_required()}
    if required == {"language"}:
        asked = "?language=sr"
    elif required == {"at"}:
        asked = "?" + urlencode({"at": _a_duty(stage, rows["person_id"][0])})
    elif required:
        asked = f"?from={day - timedelta(days=3)}&to={day + timedelta(days=1)}"
    if "document_id" in names:
        return [route.path.format(case_id=case, document_id=one) for case, one in pairs]
    found = [route.path]
    for name in names:
        found = [
            path.replace(f"{{{name}}}", value) for path in found for value in rows.get(name, [])
        ]
    return [path + asked for path in found]


def _states_at(route: APIRoute, address: str, said: Said) -> set[str]:
    """Return the states of all rows that an address names."""
    parts = set(re.split(r"[/.?]", address))
    names = [p.name for p in route.dependant.path_params if p.name in said]
    return {state for n in names for one in parts & said[n].keys() for state in said[n][one]}


@dataclass
class _Opening:
    """One route, at its addresses: by each, the states of the rows that it names."""

    stage: Stage
    route: APIRoute
    people: dict[Role, Counsellor]
    addresses: dict[str, set[str]]
    found: Opened
    ways: list[Way]
    well: bool = False
    # The states in which it answered well.
    well_in: set[str] = field(default_factory=set)
    answers: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    async def open(self) -> None:
        for number, way in enumerate(self.ways):
            await self._open_by(way, number)
        for number, role in enumerate(self.people):
            await self._open_some(role, number)
        excused = NEVER_WELL_IN.get(self.route.path, set())
        lacking = set().union(*self.addresses.values()) - self.well_in
        await self._open_in(lacking if WHOLE else lacking - excused)
        if not self.well:
            self.found.never_well.add(f"{self.route.path} {dict(self.answers)}")
            return
        self.found.never_well_in |= {
            f"{self.route.path}: {state}" for state in lacking - self.well_in - excused
        }
        if "{call_id}" not in self.route.path and "{contact_id}" not in self.route.path:
            # What an hour leaves, of which some have had a talk, is left to the dice.
            self.found.excused_in_vain |= {
                f"{self.route.path}: {state}" for state in excused & self.well_in
            }

    async def _open_by(self, way: Way, number: int) -> None:
        """Let one open it whose it is, and all others try to: by day of later ways one in turn."""
        status = await self._asked(None, way.address, way.headers)
        if status != way.answers:
            self.found.not_answered.append(f"{way.address}: {status}, not {way.answers}")
        others = list(self.people)
        if number and not WHOLE:
            others = [others[number % len(others)]]
        for role in others:
            if way.alone and await self._ask(role, way.address) in _WELL:
                self.found.opened_by_others.append(f"{role.value} {way.address}")

    async def _open_some(self, role: Role, number: int) -> None:
        is_open, addresses = _is_open(self.route, role), list(self.addresses)
        many = _MANY.get(role, _SOME)
        prints = self.route.path.endswith((".pdf", ".po")) and not WHOLE
        # Each role begins with another row.
        first = number % max(len(addresses), 1)
        if prints:
            # To print a page takes as long as to open thirty, and prints what the page says; a
            # catalogue takes as long as ten, and is the same for all.
            many = 0 if self.well and is_open else 1
        elif role is Role.SUPERVISOR and many is not None:
            many, first = max(many, in_new_states(self.addresses)), 0
        for address in [*addresses[first:], *addresses[:first]][:many]:
            status = await self._ask(role, address)
            if not is_open and status in _WELL:
                self.found.opened_by_others.append(f"{role.value} {address}")
            if not is_open and status in (401, 403):
                # Refused by the route, before any row is read: the others are alike.
                break

    async def _open_in(self, states: set[str]) -> None:
        """Open it in states in which it was not opened well, until one who may read it does."""
        for role in self.people:
            for address, of in self.addresses.items():
                if not _is_open(self.route, role):
                    break
                if of & states - self.well_in:
                    await self._ask(role, address)

    async def _ask(self, role: Role, address: str) -> int:
        return await self._asked(role, address, with_cookie(self.people[role].cookie_header))

    async def _asked(self, role: Role | None, address: str, headers: dict[str, str]) -> int:
        late: list[str] = []
        with noting_late_logs(late):
            answer = await ask(self.stage.app, "GET", address, headers | {"Host": "127.0.0.1"})
        found = self.found
        found.late += [f"{address}: {what}" for what in late]
        found.requests += 1
        self.answers[answer.status] += 1
        if answer.status in _WELL:
            self.well = True
            self.well_in |= self.addresses[address]
        said = answer.body.decode(errors="replace")
        if any(word in said for word in IDENTITY):
            found.read_by_supervisor = found.read_by_supervisor or role is Role.SUPERVISOR
            if role in _READ_NO_CHILD:
                found.identities.append(f"{role.value} {address}")
        if answer.status not in _FINE | _FINE_AT.get(self.route.path, set()):
            found.broken.append(f"{role} {address}: {answer.status}")
        return answer.status


def _is_open(route: APIRoute, role: Role) -> bool:
    """Return whether a role has every permission that a route demands."""
    pending = list(route.dependant.dependencies)
    while pending:
        one = pending.pop()
        if isinstance(one.call, Guard) and not may(role, one.call.permission):
            return False
        pending += one.dependencies
    return True


def routes(stage: Stage) -> Iterator[APIRoute]:
    return (route for route in stage.app.routes if isinstance(route, APIRoute))


async def rows_of_every_kind(stage: Stage, ana: Counsellor) -> None:
    """A contact, a case with a follow-up, a referral that no person has seen, and an agency."""
    await add_agency(
        stage, "house", "shelter", name="Sigurna kuća " + "dugog imena " * 5, email="h@a.example"
    )
    contact_id = await new_contact(ana, WHOLE_FORM)
    made = await ana.ask("POST", "/cases", {"contacts": [contact_id]})
    assert made.status_code == 201, made.text
    await by_hand(ana, override=OVERRIDE, send=True)
    await new_contact(ana, {"contact.kind": "child", "contact.headline": "N" * 80})


def guards_of(dependant: Dependant) -> Iterator[Guard]:
    """Return what a route asks of who uses it."""
    for one in dependant.dependencies:
        if isinstance(one.call, Guard):
            yield one.call
        yield from guards_of(one)
