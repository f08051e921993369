"""A test text to a phone of staff: sent once, as every text is. It says nothing about a child."""

from uuid import UUID

from procrastinate import JobContext

from app.calls.lines.finding_lines import any_line
from app.dialling.models import DialledFor
from app.errors import NotFound
from app.jobs.names import Task
from app.outbox.once import send_once
from app.outbox.responses import Refused
from app.people.connection_rows import ConnectionTest, Found
from app.people.connection_test_rows import GIVEN_UP_AFTER, note_result
from app.referrals.channels.sms.channel import CHANNEL as SMS
from app.referrals.states import AttemptResult
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.outgoing import AtProvider
from app.telephony.provider.signature import Signed
from app.telephony.provider.urls import test_path
from app.words.pages import _, spoken_in
from app.work import Work

# The largest number that is a code of the provider.
_LARGEST_CODE = 99_999


class Trial(AtProvider[ConnectionTest]):
    """A text or a call that tests telephony."""

    purpose = DialledFor.TEST

    def __init__(self, parts: Parts, task: Task, test_id: str) -> None:
        super().__init__(task, test_id=test_id)
        self.platform, self._id = parts.platform, UUID(test_id)

    async def lock(self, work: Work) -> ConnectionTest | None:
        row = await lock_test(work, self._id)
        late = row is not None and row.wanted_at + GIVEN_UP_AFTER < work.now
        if row is not None and row.ended_at is None and late:
            note_result(work, row, Found.NOT_IN_TIME)
        return row

    def is_over(self, row: ConnectionTest) -> bool:
        return row.ended_at is not None

    async def address(self, work: Work, row: ConnectionTest) -> str:
        return row.target or ""

    async def failed(self, work: Work, row: ConnectionTest, error: Refused | None) -> None:
        if error is None:
            note_result(work, row, Found.NO_ANSWER)
        elif error.code or error.status:
            note_result(work, row, Found.REFUSED, error.code or error.status)
        else:
            note_result(work, row, Found.NOT_DIALLED)


class _TestText(Trial):
    """A text that says that texts work."""

    def is_message(self) -> bool:
        return True

    async def prepare(self, work: Work, row: ConnectionTest) -> bool:
        line = await any_line(work)
        if line is None:
            note_result(work, row, Found.REFUSED)
            return False
        self._number, self._from = row.target or "", line.shown_number
        with spoken_in(row.language):
            self._body = _("This is a test of the helpline: its texts work. You need not answer.")
        return True

    async def send(self) -> str:
        return await self.platform.send_message(
            to=self._number, from_=self._from, body=self._body, told=test_path(self._id, "status")
        )

    async def accepted(self, work: Work, row: ConnectionTest) -> None:
        # A report of the provider may have come before its response.
        if row.result not in (Found.DELIVERED, Found.UNDELIVERED):
            note_result(work, row, Found.ACCEPTED)


async def lock_test(work: Work, test_id: UUID) -> ConnectionTest | None:
    """Lock a test. Return None if there is none."""
    return await work.session.get(ConnectionTest, test_id, with_for_update=True)


@task(Task.SEND_TEST_MESSAGE)
async def send_test_message(context: JobContext, test_id: str) -> None:
    """Send a test text."""
    parts = parts_of(context)
    await send_once(parts.ground, _TestText(parts, Task.SEND_TEST_MESSAGE, test_id))


async def message_status(work: Work, test_id: UUID, signed: Signed) -> None:
    """Handle what the provider reports of a test text, in any order. Raises NotFound."""
    row = await lock_test(work, test_id)
    if row is None:
        raise NotFound("There is no such test.")
    row.provider_sid = row.provider_sid or signed.fields.get("MessageSid", "")[:64] or None
    came = SMS.result_of(signed.fields.get("MessageStatus", ""))
    if came is None or row.result == Found.DELIVERED:
        return
    if came is AttemptResult.DELIVERED:
        note_result(work, row, Found.DELIVERED)
        return
    code = signed.fields.get("ErrorCode", "")
    known = code.isascii() and code.isdigit() and int(code[:9]) <= _LARGEST_CODE
    note_result(work, row, Found.UNDELIVERED, int(code) if known else None)
