"""Change the state of a referral, each time with a log row: who, when, how, from, to, why."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from app.contacts.records import note_event
from app.definitions.risk import Urgency
from app.errors import Conflict
from app.referrals.models import Notice, Referral
from app.referrals.states import TRANSITIONS, NoticeKind, ReferralEvent, ReferralState
from app.work import Work

Channel = Literal["phone", "link", "machine", "primero", "by_hand", "program"]


@dataclass(frozen=True)
class By:
    """Who caused an event, and by which channel: a person at an agency, our staff, the program."""

    how: Channel
    agency: str = ""
    # The name that the person at the agency gave; sealed in the log.
    name: str = ""


PROGRAM_ITSELF = By("program")
# How long a notice waits for the owner before the supervisors get it.
_IMMEDIATE, _OTHERWISE = timedelta(minutes=5), timedelta(hours=2)


class NotPossible(Conflict):
    """The referral's state does not allow this."""


def note(
    work: Work, referral: Referral, kind: str, by: By, *, words: str | None = None, **detail: Any
) -> None:
    """Append to the log of a locked referral."""
    more = {"agency": by.agency} if by.agency else {}
    spoken = " – ".join(part for part in (by.name, words or "") if part)
    note_event(
        work,
        "referral",
        referral.id,
        kind,
        words=spoken or None,
        how=by.how,
        **{**more, **detail},
    )
    work.announce("referrals")


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
            f"A referral that is {before.value.replace('_', ' ')} cannot "
            f"{event.value.replace('_', ' ')}. Reload it: its state may have changed."
        )
    referral.state = after.value
    note(
        work,
        referral,
        event.value,
        by,
        words=words,
        **{"from": before.value, "to": after.value, **detail},
    )


def can(referral: Referral, event: ReferralEvent) -> bool:
    return (ReferralState(referral.state), event) in TRANSITIONS


def tell_house(
    work: Work,
    referral: Referral,
    kind: NoticeKind,
    *,
    for_whom: str = "supervisors",
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
        for_whom=for_whom,
        at=work.now,
        detail=detail,
        author_id=author,
    )
    work.session.add(notice)
    work.announce("notices")
    if for_whom == "owner":
        # An owner who has gone home does not see it: then a supervisor has to.
        wait = _IMMEDIATE if referral.urgency == Urgency.IMMEDIATE else _OTHERWISE
        work.defer("referrals:escalate_notice", delay=wait, notice_id=str(notice.id))
    elif work.settings.smtp_url is not None:
        work.defer("referrals:mail_notice", notice_id=str(notice.id))
    return notice
