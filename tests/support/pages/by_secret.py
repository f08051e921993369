"""Routes that are opened by a secret: of a child, of a person's calendar, of a directory of people,
and of an agency that has entered its code."""

import json
from uuid import uuid4

from app.calls import record
from app.calls.lines import finding_lines
from app.calls.states import CallState, EndedBy
from app.chats import opening
from app.chats.as_child import Phase
from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, Stage
from app.demo.writing import a_child
from app.jobs.transaction import transaction
from app.routing import offers, presence, releasing
from app.routing.rota import feeds
from app.staff import tokens
from app.staff.models import Staff
from app.work import PROGRAM, Work
from tests.support.access.asking import ask
from tests.support.access.rows import Rows
from tests.support.pages.ways import Way, with_token

_OF_A_CHILD = (
    "/chat/conversation",
    "/chat/conversation/messages",
    "/chat/conversation/events",
)
_FEED = "/calendar/{token}.ics"
_SCIM = "/api/v1/scim/v2"
_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
_PERSON = f"{_SCIM}/Users/{{person_id}}"
_OF_A_DIRECTORY = {
    f"{_SCIM}/ServiceProviderConfig": "",
    f"{_SCIM}/ResourceTypes": "",
    f"{_SCIM}/ResourceTypes/{{kind}}": "User",
    f"{_SCIM}/Schemas": "",
    f"{_SCIM}/Schemas/{{schema}}": _SCHEMA,
    f"{_SCIM}/Users": "",
}


async def read_while_closed(stage: Stage) -> None:
    """Let a child write while no counsellor does, and read that."""
    child = a_child(stage)
    await child.open()
    assert await _phase(stage, child.secret) == Phase.CLOSED


async def of_children(stage: Stage, writer: Counsellor, rows: Rows) -> list[Way]:
    """Conversations in each other phase in which a child may find its own: one is talked in, one
    has a message that is left; and a secret that is none."""
    async with transaction(stage.ground, PROGRAM) as work:
        phases = [await _opened(work, one, writer) for one in ("waits", "over", "blocked")]
    known = dict.fromkeys((rows["secret"], rows["secret_of_left"], *phases), 200)
    found = {await _phase(stage, secret) for secret in known}
    assert found == set(Phase) - {Phase.CLOSED}, "each other phase"
    return [
        Way(path, path, with_token(secret), answers)
        for secret, answers in (known | {"x" * 43: 404}).items()
        for path in _OF_A_CHILD
    ]


async def _phase(stage: Stage, secret: str) -> str:
    answer = await ask(stage.app, "GET", _OF_A_CHILD[0], with_token(secret) | {"Host": "127.0.0.1"})
    assert answer.status == 200, answer
    return str(json.loads(answer.body)["phase"])


async def _opened(work: Work, phase: str, writer: Counsellor) -> str:
    """Open a conversation, and let it come to a phase. Return its secret."""
    line = await finding_lines.line_of_number(work, LINE)
    assert line is not None
    opened = await opening.open_conversation(
        work, line, language="sr", danger=False, client_key=uuid4().hex
    )
    call = await record.lock_call(work, opened.call.id)
    if phase == "waits":
        staff = await work.session.get_one(Staff, writer.id)
        await offers.open_offer(
            work, call, staff, await presence.lock_presence(work, writer.id), slot=20
        )
    elif phase == "over":
        await releasing.end_call(work, call, ended_by=EndedBy.CALLER)
    elif phase == "blocked":
        call.blocked, call.state = True, CallState.GREETING.value
    return opened.secret


async def of_calendars(stage: Stage) -> list[Way]:
    """Calendars of a person who works, of one who made a new address, and of one who has left."""
    people = [
        await stage.add_counsellor(f"{name} with a calendar", state=None)
        for name in ("one", "former", "gone")
    ]
    async with transaction(stage.ground, PROGRAM) as work:
        staff = [await work.session.get_one(Staff, who.id) for who in people]
        secrets = [await feeds.make_feed(work, one) for one in staff]
        anew = await feeds.make_feed(work, staff[1])
        staff[2].active = False
    known = {secrets[0]: 200, secrets[1]: 404, anew: 200, secrets[2]: 404}
    return [
        Way(_FEED, _FEED.format(token=secret), answers=answers, alone=answers == 404)
        for secret, answers in known.items()
    ]


async def of_directories(stage: Stage, people: list[str]) -> list[Way]:
    """What a directory reads with its token; with another one, or one that is over, nothing."""
    async with transaction(stage.ground, PROGRAM) as work:
        made = {
            await tokens.add_token(work, "directory", ["accounts"], 30): 200,
            await tokens.add_token(work, "figures", ["statistics"], 30): 403,
            await tokens.add_token(work, "former", ["accounts"], 30): 401,
        }
        await tokens.revoke_token(work, "former")
    addresses = [
        (path, f"{path.partition('{')[0]}{word}") for path, word in _OF_A_DIRECTORY.items()
    ]
    addresses += [(_PERSON, _PERSON.format(person_id=one)) for one in people]
    return [
        Way(path, address, with_token(token), answers)
        for path, address in addresses
        for token, answers in made.items()
    ]
