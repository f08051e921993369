"""What a counsellor answers is sent to the child: once, in order; what became of it is noted."""

from datetime import timedelta
from uuid import UUID

from procrastinate import JobContext

from app.calls import record
from app.calls.chat_rules import read_chat
from app.calls.lines import finding_lines
from app.calls.models import Call
from app.calls.sentences import Sentence
from app.calls.speech import LineScript
from app.chats import accounts, by_carrier, reading, sendings, stopped_numbers
from app.chats.carrier_rows import Sent
from app.chats.models import Failure, Message
from app.dialling import outward
from app.dialling.models import AnsweredBy, DialledFor, DialWay
from app.jobs.names import Task
from app.outbox.once import send_once
from app.outbox.responses import Refused
from app.outbox.states import Sending
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.messaging.base import Carrier, ToChild
from app.telephony.messaging.registry import carrier_of
from app.telephony.messaging.sentences import words_of
from app.telephony.outgoing import AtProvider
from app.telephony.provider.signature import Signed
from app.telephony.provider.urls import chat_path
from app.work import Work

# How long a message waits for the one before it.
_AFTER = timedelta(seconds=0.5)


class AnswerOnce(AtProvider[Sent]):
    """A message to a child, or the approved text that asks it to write."""

    purpose = DialledFor.CONVERSATION
    _carrier: Carrier
    _call: Call
    out: ToChild
    _by: AnsweredBy

    def __init__(self, parts: Parts, sent_id: str) -> None:
        super().__init__(Task.SEND_TO_CHILD, sent_id=sent_id)
        self.platform, self._id = parts.platform, UUID(sent_id)

    def is_message(self) -> bool:
        return True

    async def lock(self, work: Work) -> Sent | None:
        row = await work.session.get(Sent, self._id)
        if row is None:
            return None
        self._call = await record.lock_call(work, row.call_id)
        self._carrier = carrier_of(self._call.channel)
        return await sendings.lock_sent(work, self._id)

    def is_over(self, row: Sent) -> bool:
        return row.held_at is not None

    async def address(self, work: Work, row: Sent) -> str:
        return by_carrier.address_of(work, self._call) or ""

    async def prepare(self, work: Work, row: Sent) -> bool:
        line = await finding_lines.line_of_id(work, self._call.line_id)
        to = by_carrier.address_of(work, self._call)
        if line is None or to is None:
            return await self._give_up(work, row, Failure.NO_ADDRESS)
        if await sendings.is_after_another(work, row):
            self.later(work, _AFTER)
            return False
        message = await work.session.get(Message, row.message_id) if row.message_id else None
        confirms = message is not None and message.sentence == Sentence.OPTED_OUT
        if await stopped_numbers.is_out(work, self._call) and not confirms:
            return await self._give_up(work, row, Failure.OPTED_OUT)
        token = await self._token(work)
        if self._carrier.has_accounts and token is None:
            return await self._give_up(work, row, Failure.NOT_SET_UP)
        template = read_chat(line.chat).template(self._call.language or "")
        if message is not None and await self._is_outside(work):
            if template is None:
                return await self._give_up(work, row, Failure.WINDOW)
            await sendings.hold(work, self._call, row)
            return False
        text = await _text(work, self._call, line, message) if message is not None else ""
        if message is not None and not text:
            # Its time was over before it could be sent.
            return await self._give_up(work, row, Failure.NO_ADDRESS)
        row.parts = self._carrier.parts(text)
        by_program = message is not None and message.sentence is not None
        self._by = AnsweredBy.PROGRAM if by_program else AnsweredBy.PERSON
        self.out = ToChild(
            to=to,
            line=await by_carrier.written_to(work, self._call) or line.shown_number or line.number,
            text=text,
            template=template if message is None else None,
            told=chat_path(row.id, "status"),
            id=row.id,
            account=token,
        )
        return True

    async def _token(self, work: Work) -> str | None:
        if not self._carrier.has_accounts:
            return None
        account = await accounts.account_of(work, self._call.line_id, self._carrier.channel)
        return accounts.token_of(work, account) if account is not None else None

    async def _is_outside(self, work: Work) -> bool:
        last = await sendings.last_word_at(work, self._call)
        return self._carrier.is_outside(last, work.now)

    async def _give_up(self, work: Work, row: Sent, why: Failure) -> bool:
        row.sending = Sending.FAILED.value
        await sendings.fail(work, self._call, row, why)
        return False

    async def may_go(self, work: Work, row: Sent) -> bool:
        if not self._carrier.is_dialled:
            return True
        return await outward.may_dial(
            work,
            self.out.to,
            row.id,
            self.purpose,
            DialWay.SMS,
            parts=row.parts or 1,
            # The child wrote first.
            answered_by=self._by,
        )

    async def send(self) -> str | None:
        return await self._carrier.send(self.platform, self.out)

    async def find(self) -> str | None:
        return await self._carrier.find(self.platform, self._to, self._since, self._known)

    async def accepted(self, work: Work, row: Sent) -> None:
        await sendings.note_sent(work, self._call, row)

    async def failed(self, work: Work, row: Sent, error: Refused | None) -> None:
        if error is None:
            await sendings.fail(work, self._call, row, Failure.UNCERTAIN)
        elif not error.code and not error.status:
            await sendings.fail(work, self._call, row, Failure.NOT_DIALLED)
        else:
            why = self._carrier.why(error.code)
            await sendings.fail(work, self._call, row, why, error.code or error.status)


async def _text(work: Work, call: Call, line: LineScript, message: Message) -> str:
    if message.sentence is not None:
        return await words_of(work, call, line, Sentence(message.sentence))
    return reading.opened(work, message).words or ""


@task(Task.SEND_TO_CHILD)
async def send_to_child(context: JobContext, sent_id: str) -> None:
    """Send a message to a child by its carrier."""
    parts = parts_of(context)
    await send_once(parts.ground, AnswerOnce(parts, sent_id))


async def reported(work: Work, sent_id: UUID, signed: Signed) -> None:
    """Handle what the provider reports of a message to a child. Raises NotFound."""
    sent = await work.session.get(Sent, sent_id)
    call = await record.lock_call(work, sent.call_id) if sent is not None else None
    sent = await sendings.lock_sent(work, sent_id)
    assert call is not None
    sid = signed.fields.get("MessageSid", "")[:64]
    if sent.provider_sid is None and sid:
        # The report came before the response to our own request.
        sent.provider_sid, sent.sending = sid, Sending.SENT.value
        await sendings.note_sent(work, call, sent)
    told = carrier_of(call.channel).told(signed.fields)
    if told is not None:
        await sendings.note_report(work, call, sent, told.report, told.why, told.code)
