"""Take more than the month of the law for a request, and tell the person so.

Once, by at most two months, and only within the first one; in it the person is told, with the
reason (GDPR, art. 12(3)). Without that the extension does not count.
"""

from datetime import date
from uuid import UUID

from app.database.topics import Topic
from app.errors import Conflict, Invalid, Message
from app.retention.data_requests.deadlines import (
    answer_by,
    asked_day,
    day_of,
    extended_day,
    first_day,
    is_unanswered,
)
from app.retention.data_requests.kinds import EXTENSION_WORDS, OPEN, ExtensionReason
from app.retention.data_requests.models import DataRequest
from app.retention.data_requests.requests import (
    check_officer,
    lock_request,
    needs_words,
)
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.words.pages import N_, _, message_words, said
from app.work import Work

# The months that can be added to the first one.
MOST_MONTHS = 2


def may_extend(work: Work, request: DataRequest) -> bool:
    """Return whether a request can be extended now."""
    return (
        request.state in OPEN
        and request.extended_at is None
        and day_of(work, work.now) <= first_day(work, request)
    )


async def extend(
    work: Work,
    staff: Staff | None,
    request_id: UUID,
    months: int,
    because: ExtensionReason,
    words: str,
) -> DataRequest:
    """Add one or two months, with the reason; any officer may. The person has to be told then.

    `words`: the reason, to the person. Raises Invalid, NotFound, NotAllowed, Conflict.
    """
    request = await lock_request(work, request_id)
    check_officer(staff)
    words = needs_words(words, N_("Write to the person why, in at least 10 characters."))
    if not 1 <= months <= MOST_MONTHS:
        raise Invalid("Choose one or two months.")
    if request.state not in OPEN:
        raise Conflict("This request has already been decided.")
    if request.extended_at is not None:
        raise Conflict("This request was extended already: it can be extended once.")
    if not may_extend(work, request):
        raise Conflict("The first month is over: this request cannot be extended any more.")
    request.extension_months, request.extension_because = months, because.value
    request.extended_at = work.now
    request.extended_by = staff.id if staff is not None else None
    request.extension_sealed = work.keys.seal(
        words.encode(), table="data_requests", column="extension_sealed", row=request.id
    )
    until = extended_day(work, request)
    write_entry(
        work,
        AuditLog.DATA_REQUEST_EXTENDED,
        f"data_request:{request.id}",
        because=because.value,
        before={"extended_until": None},
        after={"extended_until": str(until)},
    )
    return await _changed(work, request)


async def note_told(
    work: Work, staff: Staff | None, request_id: UUID, on: date | None = None
) -> DataRequest:
    """Note on which day the person was told of the extension: from now on it counts.

    `on` None: today. A day that has passed may be noted later, if it was in the first month. Raises
    Invalid, NotFound, NotAllowed, Conflict.
    """
    request = await lock_request(work, request_id)
    check_officer(staff)
    if not is_unanswered(request):
        raise Conflict("This request is over.")
    if request.extended_at is None:
        raise Conflict("This request was not extended.")
    if request.told_on is not None:
        raise Conflict("It is noted already that the person was told.")
    today, last = day_of(work, work.now), first_day(work, request)
    on = on or today
    if not day_of(work, request.extended_at) <= on <= today:
        raise Invalid("Write a day from the extension to today.")
    if on > last:
        raise Conflict(
            "The person had to be told by %(day)s: the extension does not count. Answer the "
            "person now.",
            day=last,
        )
    request.told_on = on
    write_entry(
        work,
        AuditLog.DATA_REQUEST_EXTENSION_TOLD,
        f"data_request:{request.id}",
        before={"answer_by": str(last), "told_on": None},
        after={"answer_by": str(answer_by(work, request)), "told_on": str(on)},
    )
    return await _changed(work, request)


async def _changed(work: Work, request: DataRequest) -> DataRequest:
    """Remind again: to tell the person, or before the new day."""
    request.reminded_at = None
    await work.session.flush()
    work.announce(Topic.DATA_REQUESTS)
    return request


def letter_for(work: Work, staff: Staff | None, request: DataRequest) -> list[str]:
    """Return the letter that tells the person of an extension, for an officer: its paragraphs.

    It is in the language of the reader, and empty for others, when the request is over, and without
    an extension.
    """
    is_officer = staff is None or may(staff.role, Permission.ANSWER_DATA_REQUESTS)
    if not is_officer or not is_unanswered(request) or request.extension_sealed is None:
        return []
    until = extended_day(work, request)
    words = work.keys.open(
        request.extension_sealed, table="data_requests", column="extension_sealed", row=request.id
    ).decode()
    why = said(EXTENSION_WORDS[ExtensionReason(str(request.extension_because))])
    asked = asked_day(work, request)
    return [
        message_words(
            Message(
                "You asked us on %(day)s about data that we hold. Your request has the code "
                "%(code)s. We need more than one month to answer it.",
                day=asked,
                code=request.code,
            )
        ),
        _("The reason: %(why)s.", why=why),
        words,
        message_words(Message("We will answer you by %(day)s at the latest.", day=until)),
        _("You may complain to the authority for data protection, or go to court."),
    ]
