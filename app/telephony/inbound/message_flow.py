"""The webhooks of a voice message: a recording, or silence."""

from uuid import UUID, uuid4

from sqlalchemy.dialects.postgresql import insert as pg_insert

from app.calls import delivery_keys, record
from app.calls.log_kinds import CallLog, Cause
from app.calls.models import Call, VoiceMessage
from app.calls.record import WebhookDelivery
from app.calls.speech import LineScript
from app.calls.states import EndedBy, MessageState
from app.database.topics import Topic
from app.jobs.names import Task
from app.routing import releasing
from app.telephony import answers
from app.telephony.answers import Answer
from app.telephony.inbound.arriving import admit_again
from app.telephony.inbound.deciding import Decision, caller_is_gone, delivery_of, visit
from app.telephony.platforms.choose import platform_of
from app.telephony.provider.signature import Signed, read_number
from app.work import Work


def message_left(signed: Signed) -> Decision:
    """Keep a voice message, thank the caller, and let them record more. We do not hang up."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        if platform_of(work.settings).holds_no_message(signed):
            return await message_again()(work, call, delivery, line)
        await note_recording(work, call, signed)
        if caller_is_gone(signed) or signed.fields.get("Digits") == "hangup":
            nothing = answers.Nothing()
            await record.record(work, call, CallLog.MESSAGE_LEFT, delivery=delivery, answer=nothing)
            await releasing.end_call(work, call, ended_by=EndedBy.CALLER)
            return nothing
        answer = answers.Message(n=visit(call), thanks=True)
        await record.record(
            work,
            call,
            CallLog.MESSAGE_LEFT,
            delivery=delivery,
            answer=answer,
            language=call.language,
        )
        return answer

    return decision


def message_again() -> Decision:
    """Handle silence: queue the caller if a counsellor is on duty by now; else ask again."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        return await admit_again(work, call, delivery, line)

    return decision


def recording_of(signed: Signed) -> str:
    """Return the id of a recording. If there is no field for it, the address ends with it."""
    sid = signed.fields.get("RecordingSid")
    if not sid:
        sid = signed.fields.get("RecordingUrl", "").rpartition("/")[2].partition(".")[0]
    return sid[:64]


async def note_recording(work: Work, call: Call, signed: Signed) -> None:
    """Note a recording, whichever of its webhooks comes first, and have it fetched."""
    sid = recording_of(signed)
    status = signed.fields.get("RecordingStatus", "completed")
    if not sid or status not in ("completed", "absent"):
        return
    if platform_of(work.settings).holds_no_message(signed):
        return
    seconds = signed.fields.get("RecordingDuration", "")
    message_id = await work.session.scalar(
        pg_insert(VoiceMessage)
        .values(
            id=uuid4(),
            call_id=call.id,
            recording_sid=sid,
            state=MessageState.RECORDED if status == "completed" else MessageState.ABSENT,
            seconds=read_number(seconds),
            created_at=work.now,
        )
        .on_conflict_do_nothing(index_elements=[VoiceMessage.recording_sid])
        .returning(VoiceMessage.id)
    )
    if message_id is not None and status == "completed":
        call.messages += 1
        work.defer(Task.IMPORT_MESSAGE, message_id=str(message_id))
        await record.restate(work, call, Cause.MESSAGE_HEARD_LATE)
        work.announce(Topic.MESSAGES)


async def recording_status(work: Work, call_id: UUID, signed: Signed) -> None:
    """Handle the recording callback: the message is complete, or there is none."""
    call = await record.lock_call(work, call_id)
    sid = signed.fields.get("RecordingSid", "")
    key = delivery_keys.recording(sid, signed.fields.get("RecordingStatus", ""))
    if await record.earlier_answer(work, key) is not None:
        return
    await record.record(work, call, CallLog.RECORDING, delivery=delivery_of(signed, key))
    await note_recording(work, call, signed)
