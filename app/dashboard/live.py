"""The live stream of a page, and the parts that it carries: those that many readers see alike."""

import contextlib
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from app.dashboard import desk, inbox, rail, team, team_parts
from app.dashboard.desk_values import frame_part
from app.database.topics import Topic
from app.errors import NotFound
from app.routing.supervision import supervised
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with, refuse_other_person
from app.web.parts import Part, own, team_of
from app.web.stream import StreamWanted, names_in, stream_of
from app.work import Work

router = APIRouter(include_in_schema=False)
SignedIn = Annotated[Staff, reader_with(Permission.SIGNED_IN)]
Names = Annotated[str | None, Query(max_length=800)]
# The most conversations that one page reads along.
_MOST_READ_ALONG = 20


PARTS = (
    Part(
        "/board/frame",
        Permission.TAKE_CALLS,
        frame_part,
        frozenset({Topic.PRESENCE.own, Topic.OFFERS.own, Topic.CALLS.own, Topic.ROSTER}),
        scope=own,
    ),
    Part(
        "/board/queue",
        Permission.SEE_QUEUE,
        desk.queue_part,
        frozenset({Topic.QUEUE}),
        scope=desk.reads_words,
    ),
    Part(
        "/board/callbacks",
        Permission.TAKE_CALLS,
        inbox.callbacks_part,
        frozenset({Topic.CALLBACKS, Topic.STAFF}),
        scope=team_of,
    ),
    Part(
        "/board/messages",
        Permission.HEAR_MESSAGES,
        inbox.messages_part,
        frozenset({Topic.MESSAGES, Topic.STAFF}),
        scope=team_of,
    ),
    Part("/board/alarms", Permission.PLAN_ROSTER, desk.alarms_part, frozenset({Topic.ALARMS})),
    Part(
        "/board/calls-for-help",
        Permission.SUPERVISE,
        team.calls_for_help_part,
        frozenset({Topic.TALKS}),
        frozenset({Topic.CALLS}),
    ),
    team_parts.TALKS_LINK,
    team_parts.TALKS,
    Part(
        "/board/counts",
        Permission.SIGNED_IN,
        rail.counts_part,
        frozenset({Topic.CALLBACKS, Topic.MESSAGES, Topic.ALARMS, Topic.TALKS, Topic.STAFF}),
        frozenset({Topic.QUEUE}),
        rail.seat_of,
    ),
    Part(
        "/board/counts/own",
        Permission.SEE_REFERRALS,
        rail.own_counts_part,
        frozenset({Topic.NOTICES}),
        frozenset({Topic.DEADLINES}),
        own,
    ),
    Part(
        "/board/alerts",
        Permission.SEE_DEADLINES,
        rail.alerts_part,
        frozenset({Topic.NOTICES}),
        scope=own,
    ),
    team_parts.STRIP,
    Part(
        "/team/people",
        Permission.SUPERVISE,
        team.people_part,
        frozenset({Topic.ROSTER, Topic.TALKS, Topic.STAFF}),
        frozenset({Topic.PRESENCE, Topic.OFFERS, Topic.CALLS}),
        team_of,
    ),
)


@router.get("/board/live")
async def live(
    request: Request,
    work: InWork,
    staff: SignedIn,
    record: UUID | None = None,
    topics: Names = None,
    later: Names = None,
    parts: Names = None,
    along: Names = None,
    me: UUID | None = None,
) -> StreamingResponse:
    """Stream what changes on a page: the names of topics, and whole parts.

    `later`: those of the topics that may wait for the next message. `parts`: the addresses of the
    parts that the stream brings whenever they change, and first of all as they are now; those that
    the reader may not see are left out. `along`: the conversations that a supervisor reads along;
    for each, the stream says when there is something new (`chats:` and the id), and never what.
    `me`: whose page it is; if another person has signed in meanwhile, the page gives way.

    Raises NotAllowed.
    """
    refuse_other_person(staff, me)
    wanted = StreamWanted(
        record,
        names_in(topics),
        names_in(later),
        tuple(sorted(names_in(parts))),
        await _supervised(work, staff, names_in(along)),
    )
    return await stream_of(request, work, staff, wanted)


async def _supervised(work: Work, staff: Staff, names: frozenset[str]) -> frozenset[UUID]:
    """Return those of these conversations that a person may read along now.

    One that has ended is left out: a page that still shows it must keep its stream.
    """
    if not may(staff.role, Permission.SUPERVISE):
        return frozenset()
    found = set()
    for name in sorted(names)[:_MOST_READ_ALONG]:
        with contextlib.suppress(NotFound, ValueError):
            await supervised.check_supervises(work, staff, UUID(name))
            found.add(UUID(name))
    return frozenset(found)
