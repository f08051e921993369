"""What is due: whose time is over, and what keeps a record although its time is over.

A record is kept while it, or a record that it belongs to, is held or open: a case that is not
closed or has a follow-up to be done, a referral that is not over. A contact is due when it is
complete. The number and the voice message of a call are kept with the case or referral of that
call, and with its contact if that is held; so are the flags and wishes of a number from which a
held record has come. A conversation is kept, with the number to which an answer would go, while a
child's words in it were not read; so is the number of a call while a voice message of it was not
heard.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from app.calls.caller_rows import CallerFlag
from app.calls.models import Call, VoiceMessage
from app.calls.states import MessageState
from app.chats.left import untaken
from app.chats.models import Message
from app.contacts.cases.models import CaseContact, CaseRequest, FollowUp
from app.contacts.models import Case, Contact
from app.contacts.states import ContactState
from app.referrals.models import Referral
from app.retention.data_requests.models import DataRequest
from app.retention.held_numbers import held_keys
from app.retention.kinds import DataKind
from app.retention.models import LegalHold
from app.routing.participants.participants import Participant
from app.statistics.models import Export, ExportState
from app.work import Work

# The size of a seal of nothing, in bytes: see `records.empty`.
NOTHING_SEALED = 30

# What else a record belongs to. Each condition has its own: one stands within another. They are
# made once, because to work out the columns of an alias takes longer than the query.
_OF_CONTACT = aliased(Case), aliased(CaseContact), aliased(Referral)
_OF_CALL = aliased(Contact), aliased(Referral), aliased(VoiceMessage)
_OF_CASE = aliased(CaseContact), aliased(Referral)
_OF_REFERRAL = aliased(Case), aliased(Referral)
_LATER = aliased(Call)


def _held(subject: Any) -> ColumnElement[bool]:
    return exists().where(LegalHold.subject_id == subject, LegalHold.lifted_at.is_(None))


def _case_alive(case: Any) -> ColumnElement[bool]:
    """Return the condition that a case is open or held."""
    return or_(
        case.closed_at.is_(None),
        exists().where(FollowUp.case_id == case.id, FollowUp.done_at.is_(None)),
        exists().where(CaseRequest.case_id == case.id, CaseRequest.decided_at.is_(None)),
        _held(case.id),
    )


def _referral_alive(referral: Any) -> ColumnElement[bool]:
    return or_(referral.closed_at.is_(None), _held(referral.id))


def _kept_with_contact(contact_id: Any) -> ColumnElement[bool]:
    """Return the condition that a contact is held, or that a case or referral of it is alive."""
    case, link, referral = _OF_CONTACT
    return or_(
        _held(contact_id),
        exists().where(referral.contact_id == contact_id, _referral_alive(referral)),
        exists().where(link.contact_id == contact_id, link.case_id == case.id, _case_alive(case)),
        # A referral of a case with it.
        exists().where(
            link.contact_id == contact_id,
            link.case_id == referral.case_id,
            _referral_alive(referral),
        ),
    )


def _kept_with_call(call_id: Any) -> ColumnElement[bool]:
    contact, referral, message = _OF_CALL
    return or_(
        exists().where(contact.call_id == call_id, _kept_with_contact(contact.id)),
        # Urgent referrals begin with the call, often before there is a contact.
        exists().where(referral.call_id == call_id, _referral_alive(referral)),
        untaken.waits(call_id),
        # A message that no person has heard: the child is rung back at this number.
        exists().where(
            message.call_id == call_id,
            message.heard_at.is_(None),
            message.state != MessageState.ABSENT,
        ),
    )


def _kept_with_case(case: Any) -> ColumnElement[bool]:
    link, referral = _OF_CASE
    return or_(
        _case_alive(case),
        exists().where(referral.case_id == case.id, _referral_alive(referral)),
        exists().where(link.case_id == case.id, _held(link.contact_id)),
        exists().where(
            link.case_id == case.id,
            link.contact_id == referral.contact_id,
            _referral_alive(referral),
        ),
    )


def _kept_with_referral(referral: Any) -> ColumnElement[bool]:
    case, sibling = _OF_REFERRAL
    return or_(
        _referral_alive(referral),
        exists().where(case.id == referral.case_id, _case_alive(case)),
        _kept_with_contact(referral.contact_id),
        # The referrals of brothers and sisters are read together.
        exists().where(
            sibling.opened_together == referral.opened_together, _referral_alive(sibling)
        ),
    )


def _numbers(before: datetime) -> tuple[Any, Any, ColumnElement[bool]]:
    over = and_(Call.ended_at < before, Call.caller_number_sealed.is_not(None))
    return Call, Call.ended_at, and_(over, ~_kept_with_call(Call.id))


def _voices(before: datetime) -> tuple[Any, Any, ColumnElement[bool]]:
    # A message that no person has heard and marked as done is work that waits.
    over = and_(
        VoiceMessage.heard_at < before,
        VoiceMessage.audio_sealed.is_not(None),
    )
    return VoiceMessage, VoiceMessage.heard_at, and_(over, ~_kept_with_call(VoiceMessage.call_id))


def _chats(before: datetime) -> tuple[Any, Any, ColumnElement[bool]]:
    # The time runs from the end of the conversation, so that it is kept whole or not at all.
    ended = exists().where(Call.id == Message.call_id, Call.ended_at < before)
    over = and_(Message.at < before, Message.text_sealed.is_not(None), ended)
    return Message, Message.at, and_(over, ~_kept_with_call(Message.call_id))


def _contacts(before: datetime) -> tuple[Any, Any, ColumnElement[bool]]:
    over = and_(
        Contact.completed_at < before,
        Contact.state == ContactState.COMPLETE,
        Contact.erased_at.is_(None),
    )
    return Contact, Contact.completed_at, and_(over, ~_kept_with_contact(Contact.id))


def _cases(before: datetime) -> tuple[Any, Any, ColumnElement[bool]]:
    over = and_(Case.closed_at < before, Case.erased_at.is_(None))
    return Case, Case.closed_at, and_(over, ~_kept_with_case(Case))


def _referrals(before: datetime) -> tuple[Any, Any, ColumnElement[bool]]:
    over = and_(Referral.closed_at < before, Referral.erased_at.is_(None))
    return Referral, Referral.closed_at, and_(over, ~_kept_with_referral(Referral))


def _files(before: datetime) -> tuple[Any, Any, ColumnElement[bool]]:
    # A report that is sent at fixed times has no single persons in it, and a time of its own.
    over = and_(Export.state == ExportState.READY, Export.role.is_(None), Export.as_of < before)
    return Export, Export.as_of, over


def _hashes(before: datetime) -> tuple[Any, Any, ColumnElement[bool]]:
    # A number is forgotten after its last call, with all its calls.
    later = _LATER
    over = and_(
        Call.ended_at < before,
        Call.caller_key.is_not(None),
        Call.caller_number_sealed.is_(None),
        ~exists().where(
            later.caller_key == Call.caller_key,
            or_(later.ended_at.is_(None), later.ended_at >= before),
        ),
        ~exists().where(
            CallerFlag.caller_key == Call.caller_key,
            CallerFlag.lifted_at.is_(None),
            CallerFlag.expires_at >= before,
        ),
        # Flags and wishes go with it, and those of a held call stay.
        Call.caller_key.not_in(held_keys()),
    )
    return Call, Call.ended_at, and_(over, ~_kept_with_call(Call.id))


def _flags(before: datetime) -> tuple[Any, Any, ColumnElement[bool]]:
    ended = func.coalesce(CallerFlag.lifted_at, CallerFlag.expires_at)
    return CallerFlag, ended, and_(ended < before, CallerFlag.caller_key.not_in(held_keys()))


def _third_parties(before: datetime) -> tuple[Any, Any, ColumnElement[bool]]:
    over = and_(
        Participant.left_at < before,
        func.octet_length(Participant.number_sealed) > NOTHING_SEALED,
    )
    return Participant, Participant.left_at, and_(over, ~_kept_with_call(Participant.call_id))


def _drafts(before: datetime) -> tuple[Any, Any, ColumnElement[bool]]:
    # From the last time that a person wrote in it.
    written = func.coalesce(Contact.edited_at, Contact.opened_at)
    over = and_(
        Contact.state != ContactState.COMPLETE,
        Contact.erased_at.is_(None),
        written < before,
        ~exists().where(Call.id == Contact.call_id, Call.ended_at.is_(None)),
    )
    return Contact, written, and_(over, ~_kept_with_contact(Contact.id))


def _reasons(before: datetime) -> tuple[Any, Any, ColumnElement[bool]]:
    over = and_(
        Export.asked_at < before,
        func.octet_length(Export.reason_sealed) > NOTHING_SEALED,
        Export.state.not_in((ExportState.ASKED, ExportState.APPROVED, ExportState.IN_PROGRESS)),
    )
    return Export, Export.asked_at, over


def _requests(before: datetime) -> tuple[Any, Any, ColumnElement[bool]]:
    words = or_(DataRequest.words_sealed.is_not(None), DataRequest.extension_sealed.is_not(None))
    over = and_(DataRequest.done_at < before, words)
    return DataRequest, DataRequest.done_at, over


_OVER = {
    DataKind.CALLER_NUMBERS: _numbers,
    DataKind.VOICE_MESSAGES: _voices,
    DataKind.CHAT_MESSAGES: _chats,
    DataKind.CONTACTS: _contacts,
    DataKind.CASES: _cases,
    DataKind.REFERRALS: _referrals,
    DataKind.EXPORT_FILES: _files,
    DataKind.CALLER_HASHES: _hashes,
    DataKind.CALLER_FLAGS: _flags,
    DataKind.THIRD_PARTY_NUMBERS: _third_parties,
    DataKind.DRAFTS: _drafts,
    DataKind.FILE_REASONS: _reasons,
    DataKind.DATA_REQUESTS: _requests,
}


async def count_due(work: Work, kind: DataKind, days: int) -> tuple[int, datetime | None]:
    """Return how many rows are due, and the oldest instant from which their time is counted."""
    _, at, due = _OVER[kind](work.now - timedelta(days=days))
    row = (await work.session.execute(select(func.count(), func.min(at)).where(due))).one()
    return row[0], row[1]


async def lock_due(
    work: Work, kind: DataKind, days: int, limit: int, left_out: set[UUID]
) -> list[UUID]:
    """Lock the oldest due rows and return their ids; rows that are being changed are left out."""
    model, at, due = _OVER[kind](work.now - timedelta(days=days))
    statement: Select[Any] = select(model.id).where(due).order_by(at).limit(limit)
    if left_out:
        statement = statement.where(model.id.not_in(left_out))
    return list(await work.session.scalars(statement.with_for_update(of=model, skip_locked=True)))
