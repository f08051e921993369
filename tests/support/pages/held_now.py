"""Conversations that a counsellor holds now: one in each way of writing, and one of a practice."""

from uuid import UUID, uuid4

from app.calls import record
from app.calls.lines import finding_lines
from app.calls.speech import LineScript
from app.calls.states import Channel
from app.chats import by_carrier, ending, messages, opening
from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, Stage
from app.jobs.transaction import transaction
from app.routing import offers, presence
from app.staff.models import Staff
from app.work import PROGRAM, Work
from tests.support.access.rows import Rows
from tests.support.pages.ways import Way, with_cookie

_CHATS = "/board/chats/{call_id}"
# What the desk of its counsellor asks about a conversation. By a number of the child, which only
# some carriers bring, and for a message of it.
_OF_EACH = (f"{_CHATS}/news", f"{_CHATS}/caller")
_BY_NUMBER = f"{_CHATS}/ring"
_OF_A_MESSAGE = f"{_CHATS}/ring/{{message_number}}"
_TRANSLATED = (f"{_CHATS}/translations", "/api/v1/chats/{call_id}/translations")
_MEDIA = ("/board/chats/media/{media_id}", "/api/v1/chats/media/{media_id}")
_WRITTEN = "Zovi me na 064 765 4321"


async def held_now(stage: Stage, writer: Counsellor, rows: Rows) -> list[Way]:
    """Return how a counsellor opens what is theirs. `rows`: of the conversation that they have at
    the page of a child."""
    held = {Channel.WEB: (rows["chat"], int(rows["message_number"]))}
    async with transaction(stage.ground, PROGRAM) as work:
        line = await finding_lines.line_of_number(work, LINE)
        assert line is not None
        for slot, channel in enumerate(_FROM, 10):
            held[channel] = await _begin(work, line, channel, writer.id, slot)
    ways = [one for channel, (call, n) in held.items() for one in _ways(writer, channel, call, n)]
    cookie = with_cookie(writer.cookie_header)
    ways += [
        # A supervisor may read it, too.
        Way(path, path.format(media_id=rows["media"]), cookie, alone=False)
        for path in _MEDIA
    ]
    return [*ways, *await _in_practice(stage)]


def _ways(who: Counsellor, channel: Channel, call_id: str, number: int) -> list[Way]:
    cookie = with_cookie(who.cookie_header)
    said = _OF_A_MESSAGE.format(call_id=call_id, message_number=number)
    other = _OF_A_MESSAGE.format(call_id=call_id, message_number=number + 1)
    return [
        *_of_each(cookie, call_id, number),
        Way(
            _BY_NUMBER,
            _BY_NUMBER.format(call_id=call_id),
            cookie,
            200 if channel in _NUMBERED else 404,
        ),
        Way(_OF_A_MESSAGE, said, cookie),
        Way(_OF_A_MESSAGE, other, cookie, 404),
    ]


def _of_each(cookie: dict[str, str], call_id: str, number: int) -> list[Way]:
    asked = dict.fromkeys(_OF_EACH, "") | dict.fromkeys(_TRANSLATED, f"?numbers={number}")
    return [
        Way(path, path.format(call_id=call_id) + query, cookie) for path, query in asked.items()
    ]


# What children write from: by each carrier that there is, some from a telephone number.
_FROM = {
    Channel.SMS: "+381641112001",
    Channel.WHATSAPP: "+381641112002",
    Channel.TELEGRAM: "telegram:5550100300",
    Channel.SIGNAL: "+381641112003",
}
_NUMBERED = {channel for channel, address in _FROM.items() if address.startswith("+")}


async def _begin(
    work: Work, line: LineScript, channel: Channel, writer: UUID, slot: int
) -> tuple[str, int]:
    """Let a child write by a carrier, and a counsellor accept. Return the conversation, and the
    number of its message."""
    call = await by_carrier.begin(
        work, line, channel, _FROM[channel], language="sr", says_danger=False
    )
    said = await messages.say_as_child(work, call.id, text=_WRITTEN, client_key=uuid4().hex)
    call = await record.lock_call(work, call.id)
    await opening.admit(work, call, line)
    locked = await presence.lock_presence(work, writer)
    staff = await work.session.get_one(Staff, writer)
    offer = await offers.open_offer(work, call, staff, locked, slot=slot)
    await work.session.flush()
    await ending.accept(work, call, offer)
    return str(call.id), said.number


async def _in_practice(stage: Stage) -> list[Way]:
    """A scripted child writes with a person who learns to."""
    learner = await stage.add_counsellor("learner", training=True)
    asked = {"scenario": "exam_fear", "language": "sr", "written": True}
    (await learner.ask("POST", "/practices", asked)).raise_for_status()
    (chat,) = (await learner.ask("GET", "/chats/mine")).json()
    (await learner.ask("POST", f"/offers/{chat['offer_id']}/accept")).raise_for_status()
    words = (await learner.ask("GET", f"/chats/{chat['call_id']}/messages")).json()
    number = next(one["number"] for one in words if one["author"] == "child")
    return _of_each(with_cookie(learner.cookie_header), chat["call_id"], number)
