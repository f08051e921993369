"""Change the state of a referral, each time with a log row: who, when, how, from, to, why."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from app.contacts.events import note_event
from app.contacts.states import Subject
from app.database.topics import Topic
from app.definitions.risk import Urgency
from app.errors import Code, Conflict
from app.jobs.names import Task
from app.referrals.log_kinds import LogKind
from app.referrals.models import Notice, Referral
from app.referrals.reasons import RingAbout
from app.referrals.states import (
    TRANSITIONS,
    ForWhom,
    NoticeKind,
    Purpose,
    ReferralEvent,
    ReferralState,
)
from app.work import Work


class Via(StrEnum):
    """By which way something was said."""

    PHONE = "phone"
    LINK = "link"
    # A signed event of the agency's own program.
    SYSTEM = "machine"
    PRIMERO = "primero"
    # A member of our staff wrote it down.
    BY_HAND = "by_hand"
    PROGRAM = "program"


@dataclass(frozen=True)
class By:
    """Who caused an event, and by which channel: a person at an agency, our staff, the program."""

    how: Via
    agency: str = ""
    # The name that the person at the agency gave; sealed in the log.
    name: str = ""
    # The duty phone at which it was said; not written in the log.
    phone: str = ""


PROGRAM_ITSELF = By(Via.PROGRAM)
# How long a notice waits for the owner before the supervisors get it.
_IMMEDIATE, _OTHERWISE = timedelta(minutes=5), timedelta(hours=2)


class NotPossible(Conflict):
    """The referral's state does not allow this."""


def note(
    work: Work,
    referral: Referral,
    kind: LogKind | ReferralEvent,
    by: By,
    *,
    words: str | None = None,
    **detail: Any,
) -> None:
    """Append to the log of a locked referral."""
    more = {"agency": by.agency} if by.agency else {}
    spoken = " – ".join(part for part in (by.name, words or "") if part)
    note_event(
        work,
        Subject.REFERRAL,
        referral.id,
        kind,
        words=spoken or None,
        how=by.how.value,
        **{**more, **detail},
    )
    work.announce(Topic.REFERRALS)


def move(
    work: Work,
    referral: Referral,
    event: ReferralEvent,
    by: By,
    *,
    words: str | None = None,
    **detail: Any,
) -> None:
    """Apply an event to a locked referral, and log it. Raises NotPossible."""
    before = ReferralState(referral.state)
    after = TRANSITIONS.get((before, event))
    if after is None:
        raise NotPossible(
            "This is not possible now: %(event)s. The referral is %(state)s. Reload it: its "
            "state may have changed.",
            state=Code(before),
            event=Code(event),
        )
    referral.state = after.value
    note(
        work,
        referral,
        event,
        by,
        words=words,
        **{"from": before.value, "to": after.value, **detail},
    )


def can(referral: Referral, event: ReferralEvent) -> bool:
    return (ReferralState(referral.state), event) in TRANSITIONS


def add_notice(
    work: Work,
    referral: Referral,
    kind: NoticeKind,
    *,
    for_whom: ForWhom = ForWhom.SUPERVISORS,
    author: UUID | None = None,
    **detail: Any,
) -> Notice:
    """Add a notice for the owner or the supervisors, shown on their pages.

    The supervisors on call also get it by mail.
    """
    notice = Notice(
        id=uuid4(),
        referral_id=referral.id,
        kind=kind.value,
        for_whom=for_whom.value,
        at=work.now,
        detail=detail,
        author_id=author,
    )
    work.session.add(notice)
    work.announce(Topic.NOTICES)
    if for_whom is ForWhom.OWNER:
        # An owner who has gone home does not see it: then a supervisor has to.
        wait = _IMMEDIATE if referral.urgency == Urgency.IMMEDIATE else _OTHERWISE
        work.defer(Task.ESCALATE_NOTICE, delay=wait, notice_id=str(notice.id))
    elif work.settings.smtp_url is not None:
        work.defer(Task.MAIL_NOTICE, notice_id=str(notice.id))
    return notice


def ask_to_ring(
    work: Work,
    referral: Referral,
    agency: str,
    about: RingAbout | Purpose,
    *,
    for_whom: ForWhom = ForWhom.OWNER,
    **detail: Any,
) -> None:
    """Add a notice that an agency, named by its code, has to be rung by one of our staff."""
    add_notice(
        work,
        referral,
        NoticeKind.RING_THEM,
        for_whom=for_whom,
        agency=agency,
        purpose=about.value,
        **detail,
    )
