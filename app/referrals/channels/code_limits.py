"""How often the people of an agency may ask, at their link, for a new code or a new link."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select

from app.contacts.models import RecordEvent
from app.definitions.risk import Urgency
from app.errors import TooMany
from app.referrals.channels.models import Attempt, Link
from app.referrals.directory.models import Agency
from app.referrals.log_kinds import LogKind
from app.referrals.models import Referral
from app.referrals.spoken import english, refusal
from app.referrals.states import Purpose
from app.work import Work

# How many codes that no one enters, and how many new links, an agency may ask for per day and
# referral.
MOST_A_DAY = 10
_APART = timedelta(seconds=60)
# How far apart codes are from then on, and links of an immediate referral: twice as far each time
# up to the most. An agency is never kept out, and the holder of an old link does not ring it all
# night.
SLOWED_APART, MOST_APART = timedelta(minutes=10), timedelta(minutes=120)
_ASKED = {Purpose.CODE: LogKind.CODE_ASKED_FOR, Purpose.LINK: LogKind.LINK_ASKED_FOR}


class AskedTooOften(TooMany):
    letter = "asked_too_often"
    default = english(letter)


async def check_not_too_many(
    work: Work, referral: Referral, agency: Agency, link: Link, purpose: Purpose
) -> None:
    """Limit how many messages the holder of a link can cause, and how many codes they can guess.

    - A code that was entered does not count: a duty worker who reads the details all night needs
      one each half hour.
    - After `MOST_A_DAY` within 24 hours, links of a referral that is not immediate are refused.
      Codes are only slowed down, because each counts for minutes; so are links of an immediate
      referral.
    - At the link that asks, and those that follow it, they come further and further apart until a
      right code is entered. So the holder of an old link does not ring the agency all night.
    - At any other link of the agency, one comes `SLOWED_APART` after the last message. The holder
      of an old link has no such link: a new one goes to the agency's own address. An agency that
      waits longer, at the old link, was sent a newer one, or asks for it on the page that says so.

    Raises TooMany.
    """
    await work.session.flush()
    last = await work.session.scalar(
        select(func.max(Attempt.wanted_at)).where(
            Attempt.referral_id == referral.id,
            Attempt.agency_id == agency.id,
            Attempt.purpose == purpose,
        )
    )
    if last is not None and work.now - last < _APART:
        raise refusal(TooMany, "just_sent")
    asked, entered_at = await _asked_lately(work, referral, agency, purpose)
    if len(asked) < MOST_A_DAY:
        return
    if purpose == Purpose.CODE or referral.urgency == Urgency.IMMEDIATE:
        # Those that were slowed down, asked for at this link since a right code was entered.
        here = [
            one.at
            for one in asked[MOST_A_DAY:]
            if one.detail.get("link") == str(link.code_of)
            if entered_at is None or one.at > entered_at
        ]
        due = asked[-1].at + SLOWED_APART
        if here:
            due = max(due, here[-1] + apart_after(len(here)))
        if work.now >= due:
            return
    raise AskedTooOften()


def apart_after(slowed: int) -> timedelta:
    """Return how far a message of an immediate referral is from the last one, after this many that
    were slowed down."""
    return min(SLOWED_APART * (1 << min(slowed, 8)), MOST_APART)


async def is_a_days_worth(work: Work, referral: Referral, agency: Agency, purpose: Purpose) -> bool:
    """Return whether the message that is asked for now is the last of a day, or one more."""
    asked, _ = await _asked_lately(work, referral, agency, purpose)
    return len(asked) + 1 >= MOST_A_DAY


async def _asked_lately(
    work: Work, referral: Referral, agency: Agency, purpose: Purpose
) -> tuple[list[RecordEvent], datetime | None]:
    """Return the messages of a purpose that an agency asked for within a day, without the codes
    that were entered, in order; and when it last entered a right code."""
    rows = await work.session.scalars(
        select(RecordEvent)
        .where(
            RecordEvent.subject_id == referral.id,
            RecordEvent.kind.in_((_ASKED[purpose], LogKind.CODE_ENTERED)),
            RecordEvent.detail["agency"].astext == agency.code,
            RecordEvent.at > work.now - timedelta(days=1),
        )
        .order_by(RecordEvent.id)
    )
    return _without_entered(rows.all())


def _without_entered(
    events: Sequence[RecordEvent],
) -> tuple[list[RecordEvent], datetime | None]:
    """Return the messages asked for whose code was not entered, and when one was entered last."""
    asked, entered_at = list[RecordEvent](), None
    # A code ends the one before it at the same link: only the last one can be entered.
    last = dict[str | None, RecordEvent]()
    for event in events:
        link = event.detail.get("link")
        if event.kind != LogKind.CODE_ENTERED:
            asked.append(event)
            last[link] = event
            continue
        entered_at = event.at
        used = last.pop(link, None)
        if used is not None and used.kind == LogKind.CODE_ASKED_FOR:
            asked.remove(used)
    return asked, entered_at
