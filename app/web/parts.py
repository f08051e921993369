"""Parts pushed by the live stream: made once for each change, and sent to all who see them alike.

What such a part shows depends on its scope and on the language of the reader, and on nothing else:
all with its permission, a team, or one person. For each scope and language there is one copy,
as long as a page is open that shows it. The live stream of the page carries the copy itself, so a
change costs one making, and no request.

A part that a team sees almost alike says in a view what differs: it is read once for the team, and
drawn once for all readers with the same view.

A copy is made again after every change: one that comes while it is being made is followed by
another copy. So what a page was sent last is never older than the last change.
"""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from app.database.bus import Bus
from app.database.topics import OwnTopic, Topic
from app.log import log
from app.staff.accounts import actor_of
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import finished
from app.words import pages
from app.work import PROGRAM, Ground, Work

# Seconds for which the changes of a moment are gathered: a call that comes and is offered at once
# is one change.
GATHERED = 0.03
# The same for what is the reader's own, such as a ring: what one transaction changed.
OWN_GATHERED = 0.005
# The shortest time between two makings of a copy that shows changes at once, and of one that shows
# them at most once a second.
AT_ONCE, SOON = 0.1, 1.0
# A new reader gets the copy that exists if it is not older than this, in seconds: the times that it
# shows count on in the page from when it is received.
_FRESH = 1.0
# After a making that failed.
AGAIN_AFTER = 1.0
# What counts on in the page by itself, and is no change.
_COUNTS = re.compile(r' (?:data-up|data-down|value|max)="\d*"')


class Reader(Protocol):
    """An open page that shows parts."""

    def hand(self, address: str, said: bytes) -> None:
        """Send the newest copy of a part."""


def all_readers(_staff: Staff) -> Hashable:
    """The scope of a part that all with its permission see alike."""
    return None


def team_of(staff: Staff) -> Hashable:
    """The scope of a part that the supervisors of a team see alike."""
    return staff.team


def own(staff: Staff) -> Hashable:
    """The scope of a part that is about its reader."""
    return staff


@dataclass(frozen=True)
class View:
    """What one reader sees of a part that is read for many. Readers with equal views see the same.

    `view` gets what `make` made, and a reader; `draw` gets what `make` made and the view alone, so
    what it renders can hold nothing of a reader but what the view says.
    """

    view: Callable[[Work, Any, Staff], Awaitable[Hashable]]
    draw: Callable[[Any, Any], str]


@dataclass(frozen=True)
class Part:
    """A part of pages. `make` gets the scope, and a unit of work of the person whose own part it
    is, or else of no person: it cannot depend on who reads. It returns the part as HTML, or what
    `views` draws."""

    # The address at which a page asks for it; its stream names it by this, too.
    address: str
    permission: Permission
    make: Callable[[Work, Any], Awaitable[Any]]
    # As in the templates: `calls` is a change of any call, `calls:me` of the reader's own.
    topics: frozenset[Topic | OwnTopic]
    # Topics that it shows at most once a second.
    soon: frozenset[Topic | OwnTopic] = frozenset()
    scope: Callable[[Staff], Hashable] = all_readers
    views: View | None = None

    async def seen_by(self, work: Work, staff: Staff) -> str:
        """Return the part for one reader, as their stream would bring it."""
        made = await self.make(work, self.scope(staff))
        if self.views is None:
            return str(made)
        return self.views.draw(made, await self.views.view(work, made, staff))


class Drawn(NamedTuple):
    """A part as it is sent, and as it is compared with what a page has."""

    said: bytes
    shown: str


@dataclass(eq=False)
class Copy:
    """A part as the readers of one scope and one language see it."""

    part: Part
    scope: Hashable
    language: str
    ground: Ground
    # Each with the person who reads.
    readers: dict[Reader, Staff] = field(default_factory=dict)
    # What each page shows; a page that is not here has not got the part yet.
    has: dict[Reader, str] = field(default_factory=dict)
    # The newest making, if all readers see it alike.
    alike: Drawn | None = None
    begun_at: float = float("-inf")
    timer: asyncio.TimerHandle | None = None
    # When the timer goes off, by the clock of the event loop. The timer cannot always say so:
    # uvloop makes none for 0 seconds.
    due: float = 0.0
    making: asyncio.Task[None] | None = None
    # It changed while it was being made, so it is made again.
    changed: bool = False

    def add(self, reader: Reader, staff: Staff) -> None:
        """Send the copy to a new reader, now or as soon as it is made."""
        self.readers[reader] = staff
        waits = self.timer is not None or self.making is not None
        if self.alike is not None and not waits and self._age() < _FRESH:
            self._hand(reader, self.alike)
        elif self.making is not None:
            # What this reader sees may not be read any more in the making that is under way.
            self.changed = self.changed or self.part.views is not None
        elif not waits:
            self._make_within(0)

    def remove(self, reader: Reader) -> None:
        """Forget a reader; a copy without readers is not made again."""
        self.readers.pop(reader, None)
        self.has.pop(reader, None)
        if not self.readers and self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def has_changed(self, topic: str) -> None:
        """Make it again: at once, or within a second if that is enough for this topic."""
        pace = SOON if topic in self.part.soon else AT_ONCE
        gathered = OWN_GATHERED if topic.endswith(":me") else GATHERED
        self._make_within(max(gathered, pace - self._age()))

    def shows(self, topic: str) -> bool:
        """Return whether a change of this topic changes it."""
        return topic in self.part.topics or topic in self.part.soon

    def _age(self) -> float:
        return asyncio.get_running_loop().time() - self.begun_at

    def _make_within(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if self.timer is not None:
            if self.due <= due:
                return
            self.timer.cancel()
        self.due, self.timer = due, loop.call_later(seconds, self._begin)

    def _begin(self) -> None:
        self.timer = None
        if self.making is not None:
            self.changed = True
            return
        self.begun_at = asyncio.get_running_loop().time()
        self.making = asyncio.create_task(self._make())

    async def _make(self) -> None:
        again: float | None = None
        try:
            await self._make_and_send()
        except Exception as error:
            kind = type(error).__name__
            log().error("a part could not be made", area="web", exception_type=kind)
            again = AGAIN_AFTER
        finally:
            self.making = None
        if self.changed:
            self.changed, again = False, again or GATHERED
        if again is not None and self.readers:
            self._make_within(again)

    async def _make_and_send(self) -> None:
        ground = self.ground
        pages.speak(self.language)
        sessions = ground.database.reading_sessions
        actor = actor_of(self.scope) if isinstance(self.scope, Staff) else PROGRAM
        work = Work(None, ground.clock.now(), actor, ground, opener=sessions)
        async with finished(work):
            made = await self.part.make(work, self.scope)
            seen = await self._views(work, made)
        if self.part.views is None:
            self.alike = self._drawn(made)
            self._send(dict.fromkeys(self.readers, self.alike))
            return
        drawn = {view: self._drawn(self.part.views.draw(made, view)) for view in set(seen.values())}
        self._send({reader: drawn[view] for reader, view in seen.items()})

    async def _views(self, work: Work, made: Any) -> dict[Reader, Hashable]:
        """Return what each reader sees of it; nothing if all see it alike."""
        views = self.part.views
        if views is None:
            return {}
        of: dict[UUID, Hashable] = {}
        for staff in list(self.readers.values()):
            if staff.id not in of:
                of[staff.id] = await views.view(work, made, staff)
        # Pages that came meanwhile wait for the next making.
        return {reader: of[one.id] for reader, one in self.readers.items() if one.id in of}

    def _drawn(self, html: str) -> Drawn:
        told = json.dumps({"address": self.part.address, "html": html})
        return Drawn(f"event: part\ndata: {told}\n\n".encode(), _COUNTS.sub("", html))

    def _send(self, drawn: dict[Reader, Drawn]) -> None:
        """Send what was made to the pages that show something else, or nothing yet."""
        for reader, one in drawn.items():
            if self.has.get(reader) != one.shown:
                self._hand(reader, one)

    def _hand(self, reader: Reader, drawn: Drawn) -> None:
        self.has[reader] = drawn.shown
        reader.hand(self.part.address, drawn.said)


class Parts:
    """The parts of a process, and the copies that open pages show."""

    def __init__(self, ground: Ground, bus: Bus) -> None:
        self._ground = ground
        self._parts: dict[str, Part] = {}
        self.copies: dict[tuple[str, Hashable, str], Copy] = {}
        self._of: defaultdict[str, set[Copy]] = defaultdict(set)
        bus.on_topic(self._hear)

    def offer(self, *parts: Part) -> None:
        """Let pages show these parts."""
        self._parts |= {part.address: part for part in parts}

    def readable(self, staff: Staff, addresses: Iterable[str]) -> list[Part]:
        """Return the parts at these addresses that exist and that a person may see.

        A page that was opened by another version, or before its reader got another role, asks for
        others, too. It must keep its stream.
        """
        found = (self._parts.get(address) for address in addresses)
        return [part for part in found if part and may(staff.role, part.permission)]

    def open(self, staff: Staff, parts: list[Part], reader: Reader) -> list[Copy]:
        """Send these parts to a reader from now on."""
        copies = [self._copy(part, staff) for part in parts]
        for copy in copies:
            copy.add(reader, staff)
        return copies

    def close(self, copies: list[Copy], reader: Reader) -> None:
        """Send no more to a reader."""
        for copy in copies:
            copy.remove(reader)
            if not copy.readers:
                self.copies.pop((copy.part.address, copy.scope, copy.language), None)
                for topic in copy.part.topics | copy.part.soon:
                    self._of[topic].discard(copy)

    def _copy(self, part: Part, staff: Staff) -> Copy:
        scope, language = part.scope(staff), pages.read_in(staff.page_language)
        key = part.address, scope, language
        if key not in self.copies:
            copy = self.copies[key] = Copy(part, scope, language, self._ground)
            for topic in part.topics | part.soon:
                self._of[topic].add(copy)
        return self.copies[key]

    def _hear(self, topic: str) -> None:
        every = topic == Topic.EVERYTHING
        for copy in list(self.copies.values() if every else self._of.get(topic, ())):
            copy.has_changed(topic)
