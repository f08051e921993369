"""The rows of tests of connections: how many there may be, what came of each, and the last ones."""

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from app.database.topics import Topic
from app.errors import Conflict, NotFound, TooMany
from app.jobs.transaction import run_verb, transaction
from app.log import log
from app.outbox.responses import Refused, RequestFailed
from app.outbox.states import Sending
from app.people.connection_rows import WORKED, ConnectionTest, Found, Means
from app.people.connection_words import words_of
from app.referrals.directory.models import Agency
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import PROGRAM, Ground, Work

# After this time a text or a call is given up: its person looks at the page no longer.
GIVEN_UP_AFTER = timedelta(minutes=2)
# How many tests of one kind there may be within the time.
MOST, WITHIN = 10, timedelta(minutes=10)
# How long a test is kept.
_KEPT = timedelta(days=31)
# How httpx says that there was no connection.
_NOT_CONNECTED = frozenset({"ConnectError", "ConnectTimeout", "ProxyError"})


class DoesNotWork(Conflict):
    """The other side was asked, and it does not work."""


_TESTS = select(ConnectionTest, func.coalesce(Agency.name, "")).outerjoin(
    Agency, Agency.id == ConnectionTest.agency_id
)


class Tested(NamedTuple):
    """A test, and the name of the agency whose system was asked; empty if none was."""

    test: ConnectionTest
    agency: str


# -- the row of a test ---------------------------------------------------------------------------


async def add_test(
    work: Work, means: Means, *, staff: Staff | None = None, agency: Agency | None = None
) -> ConnectionTest:
    """Add the row of a test. Raises TooMany."""
    # Of two requests at once, the second counts the first.
    await work.session.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(means.value, 710032)))
    )
    lately = await work.session.scalar(
        select(func.count())
        .select_from(ConnectionTest)
        .where(ConnectionTest.means == means, ConnectionTest.wanted_at > work.now - WITHIN)
    )
    if (lately or 0) >= MOST:
        raise TooMany(
            "This was tested %(count)s times within ten minutes. Wait ten minutes, then test it "
            "again.",
            count=MOST,
        )
    test = ConnectionTest(
        id=uuid4(),
        means=means.value,
        staff_id=staff.id if staff else None,
        agency_id=agency.id if agency else None,
        wanted_at=work.now,
        details=[],
    )
    work.session.add(test)
    await work.session.flush()
    return test


async def begin_test(
    work: Work, means: Means, *, staff: Staff | None = None, agency: Agency | None = None
) -> ConnectionTest:
    """Commit the row of a test whose answer is waited for. Raises TooMany."""
    test = await add_test(work, means, staff=staff, agency=agency)
    test.sending, test.sent_at = Sending.SENDING.value, work.now
    await work.session.flush()
    # Another system takes seconds; no connection to the database is held meanwhile.
    await work.let_go()
    return test


async def end_test(
    work: Work,
    test: ConnectionTest,
    result: Found,
    status: int | None = None,
    *,
    details: Iterable[str] = (),
) -> Tested:
    """Write down what came of a test, and who asked for it; return the test.

    Raises DoesNotWork if it failed. What was written down stays.
    """

    async def verb(after: Work) -> Tested:
        row = await after.session.get_one(ConnectionTest, test.id)
        note_result(after, row, result, status, details)
        said = {"result": result.value, "status": status, "agency": str(row.agency_id or "")}
        write_entry(
            after, AuditLog.CONNECTION_TESTED, row.means, **{k: v for k, v in said.items() if v}
        )
        agency = await after.session.get(Agency, row.agency_id) if row.agency_id else None
        return Tested(row, agency.name if agency else "")

    tested = await run_verb(work.ground, work.actor, verb)
    if not tested.test.worked:
        raise DoesNotWork(words_of(*tested))
    return tested


def note_result(
    work: Work,
    test: ConnectionTest,
    result: Found,
    status: int | None = None,
    details: Iterable[str] = (),
) -> None:
    """Note what came of a test. The number that was rung is not kept longer."""
    test.result, test.status, test.ended_at = result.value, status, work.now
    sent = result in WORKED or result is Found.UNDELIVERED
    test.sending = (Sending.SENT if sent else Sending.FAILED).value
    test.target, test.details = None, list(details)
    if result not in WORKED:
        log().warning("a test failed", area="people", kind=test.means, cause=result.value)
    work.announce(Topic.CONNECTIONS)


def result_of(error: RequestFailed) -> tuple[Found, int | None]:
    """Return what a failed request says of a connection, and the status it came with."""
    status = error.status or None
    if status is None:
        if isinstance(error, Refused):
            return Found.NOT_ITS_API, None
        gone = error.what in _NOT_CONNECTED
        return (Found.NO_CONNECTION if gone else Found.NO_ANSWER), None
    if 300 <= status < 400:
        return Found.REDIRECTED, status
    if status >= 500:
        return Found.THEIR_FAULT, status
    known = {
        401: Found.NOT_LET_IN,
        403: Found.NOT_LET_IN,
        404: Found.NOT_THERE,
        410: Found.NOT_THERE,
        429: Found.TOO_BUSY,
    }
    return known.get(status, Found.REFUSED), status


# -- reading -------------------------------------------------------------------------------------


async def read_test(work: Work, test_id: UUID) -> Tested:
    """Return a test. Raises NotFound."""
    found = (await work.session.execute(_TESTS.where(ConnectionTest.id == test_id))).one_or_none()
    if found is None:
        raise NotFound()
    return Tested(*found)


async def last_tests(work: Work) -> dict[Means, Tested]:
    """Return the newest test of each connection."""
    newest = _TESTS.ext(distinct_on(ConnectionTest.means)).order_by(
        ConnectionTest.means, ConnectionTest.wanted_at.desc(), ConnectionTest.id
    )
    return {
        Means(test.means): Tested(test, name) for test, name in await work.session.execute(newest)
    }


async def forget_old_tests(ground: Ground) -> None:
    """Delete old tests."""
    async with transaction(ground, PROGRAM) as work:
        old = work.now - _KEPT
        await work.session.execute(delete(ConnectionTest).where(ConnectionTest.wanted_at < old))
