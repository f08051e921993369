"""Links and codes for the people of an agency: a link and its code go by different channels."""

import secrets
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, select

from app.definitions.risk import Urgency
from app.errors import TooMany
from app.outbox.channels import ChannelKind
from app.privacy.hash_kinds import HashOf
from app.referrals.channels.attempts import add_attempt, phone_on_duty, phones_of
from app.referrals.channels.models import Attempt, Link
from app.referrals.channels.registry import writing_to
from app.referrals.directory.models import Agency
from app.referrals.models import Referral
from app.referrals.spoken import refusal
from app.referrals.states import Purpose
from app.work import Work

CODE_DIGITS = 6
# Of an immediate referral, once a code was asked for: too long to be guessed, so that its tries are
# not counted, and the wrong ones of others keep no agency out.
LONG_DIGITS = 14
# Wrong codes before the agency has to ask for a new one.
MOST_ATTEMPTS = 5
# How many codes, and how many new links, an agency may ask for per day and referral.
MOST_A_DAY = 10
_APART = timedelta(seconds=60)
# How far apart they are from then on of an immediate referral, twice as far each time up to the
# most: its agency is never kept out, and the holder of an old link does not ring it all night.
SLOWED_APART, MOST_APART = timedelta(minutes=10), timedelta(minutes=120)


def new_token() -> str:
    """Return 160 random bits, encoded for a URL."""
    return secrets.token_urlsafe(20)


def new_code(digits: int = CODE_DIGITS) -> str:
    return f"{secrets.randbelow(10**digits):0{digits}d}"


async def _digits(work: Work, referral: Referral, agency_id: UUID) -> int:
    """Return how long the codes are that an agency is sent now.

    Of an immediate referral they are long from the second one on that is asked for within a day:
    when no more may be asked for, the last one cannot be locked.
    """
    if referral.urgency != Urgency.IMMEDIATE:
        return CODE_DIGITS
    await work.session.flush()
    asked = await _sent_lately(work, referral, agency_id, Purpose.CODE)
    return LONG_DIGITS if asked else CODE_DIGITS


def code_key(work: Work, link_id: UUID, code: str) -> bytes:
    return work.keys.match_key(HashOf.LINK_CODE, f"{link_id}:{code}")


def is_code(work: Work, link_id: UUID, code: str, stored: bytes) -> bool:
    """Return whether a code is the one whose hash is stored with a link."""
    return work.keys.is_match(HashOf.LINK_CODE, f"{link_id}:{code}", stored)


def add_link(
    work: Work,
    referral: Referral,
    agency_id: UUID,
    recipient_id: UUID | None,
    channel: ChannelKind,
    *,
    lives: timedelta,
    sent_to: str | None = None,
    code: str | None = None,
    code_channel: ChannelKind | None = None,
    code_sent_to: str | None = None,
) -> tuple[Link, str]:
    """Add a link for one step; return it with its token, which is kept nowhere."""
    token, link_id = new_token(), uuid4()
    link = Link(
        token_key=work.keys.match_key(HashOf.LINK, token),
        id=link_id,
        code_of=link_id,
        referral_id=referral.id,
        recipient_id=recipient_id,
        agency_id=agency_id,
        channel=channel.value,
        created_at=work.now,
        expires_at=work.now + lives,
        code_key=code_key(work, link_id, code) if code else None,
        code_channel=code_channel.value if code_channel else None,
        sent_to=sent_to,
        code_sent_to=code_sent_to,
        code_attempts=0,
    )
    work.session.add(link)
    return link, token


async def send_links(
    work: Work,
    referral: Referral,
    agency: Agency,
    recipient_id: UUID | None,
    *,
    lives: timedelta,
    purpose: Purpose = Purpose.ESCALATION,
) -> int:
    """Write to an agency by each written channel: a link, and the code of another channel's link.

    Return how many messages are sent.
    """
    ways = writing_to(agency)
    digits = await _digits(work, referral, agency.id)
    codes = [new_code(digits) if len(ways) > 1 else None for _ in ways]
    for n, (channel, address) in enumerate(ways):
        # The code of each link goes by the channel after it, and the last one's by the first.
        (after, code_sent_to), (before, _) = ways[(n + 1) % len(ways)], ways[n - 1]
        _, token = add_link(
            work,
            referral,
            agency.id,
            recipient_id,
            channel.kind,
            lives=lives,
            sent_to=address,
            code=codes[n],
            code_channel=after.kind if codes[n] else None,
            code_sent_to=code_sent_to if codes[n] else None,
        )
        payload = {"token": token, "code": codes[n - 1], "code_of": before.kind.value}
        await add_attempt(
            work,
            referral,
            agency,
            channel.kind,
            address,
            purpose=purpose,
            recipient_id=recipient_id,
            payload=payload,
        )
    return len(ways)


async def send_links_with_code(
    work: Work, referral: Referral, agency: Agency, recipient_id: UUID, *, lives: timedelta
) -> str:
    """Send a link by the agency's only written channel; return its code, to be read out."""
    channel, address = writing_to(agency)[0]
    code = new_code(await _digits(work, referral, agency.id))
    _, token = add_link(
        work,
        referral,
        agency.id,
        recipient_id,
        channel.kind,
        lives=lives,
        sent_to=address,
        code=code,
        code_channel=ChannelKind.PHONE,
    )
    await add_attempt(
        work,
        referral,
        agency,
        channel.kind,
        address,
        purpose=Purpose.LINK,
        recipient_id=recipient_id,
        payload={"token": token, "code": None},
    )
    return code


async def _sent_lately(work: Work, referral: Referral, agency_id: UUID, purpose: Purpose) -> int:
    """Return how many messages of a purpose went to an agency for this referral within a day."""
    return (
        await work.session.scalar(
            select(func.count(func.distinct(Attempt.wanted_at))).where(
                Attempt.referral_id == referral.id,
                Attempt.agency_id == agency_id,
                Attempt.purpose == purpose,
                Attempt.wanted_at > work.now - timedelta(days=1),
            )
        )
        or 0
    )


async def check_not_too_many(
    work: Work, referral: Referral, agency_id: UUID, purpose: Purpose
) -> None:
    """Limit how many messages the holder of a link can cause, and how many codes they can guess.

    Of an immediate referral they are slowed down after those of a day, and never refused for good.
    Raises TooMany.
    """
    await work.session.flush()
    last = await work.session.scalar(
        select(func.max(Attempt.wanted_at)).where(
            Attempt.referral_id == referral.id,
            Attempt.agency_id == agency_id,
            Attempt.purpose == purpose,
        )
    )
    if last is None:
        return
    if work.now - last < _APART:
        raise refusal(TooMany, "just_sent")
    sent = await _sent_lately(work, referral, agency_id, purpose)
    if sent < MOST_A_DAY:
        return
    if referral.urgency != Urgency.IMMEDIATE:
        raise refusal(TooMany, "asked_too_often")
    wait = last + apart_after(sent) - work.now
    if wait > timedelta(0):
        # Where some minutes are enough, the agency need not ring the helpline.
        raise refusal(TooMany, "just_sent" if wait <= SLOWED_APART else "asked_too_often")


def apart_after(sent: int) -> timedelta:
    """Return how far apart two messages of an immediate referral are, after this many within a day:
    those of a day, or more."""
    return min(SLOWED_APART * (1 << min(sent - MOST_A_DAY, 8)), MOST_APART)


async def is_a_days_worth(
    work: Work, referral: Referral, agency_id: UUID, purpose: Purpose
) -> bool:
    """Return whether an agency was sent as many messages of a purpose as it may ask for a day."""
    await work.session.flush()
    return await _sent_lately(work, referral, agency_id, purpose) >= MOST_A_DAY


async def addresses_of(work: Work, agency: Agency) -> set[str]:
    """Return every address of the directory to which a code can go, on duty now or not."""
    written = {address for _, address in writing_to(agency)}
    return written | await phones_of(work, agency)


async def send_code(work: Work, referral: Referral, agency: Agency, link: Link) -> str | None:
    """Send a code for a link by another channel; return which, or None if there is no other.

    Raises TooMany.
    """
    await check_not_too_many(work, referral, agency.id, Purpose.CODE)
    ways = [(channel.kind, address) for channel, address in writing_to(agency)]
    came_to = dict(ways).get(ChannelKind(link.channel))
    if phone := await phone_on_duty(work, agency):
        ways.append((ChannelKind.PHONE, phone))
    # SMS and calls to the same number are one channel. No code goes by the kind of its link, also
    # if the address was changed meanwhile: who reads an agency's mails may read those of both.
    way = next(
        (way for way in ways if way[1] != came_to and way[0].value != link.channel),
        None,
    )
    if way is None:
        return None
    is_locked = referral.urgency == Urgency.IMMEDIATE and link.code_attempts >= MOST_ATTEMPTS
    code = new_code(LONG_DIGITS if is_locked else await _digits(work, referral, agency.id))
    link.code_key, link.code_channel = code_key(work, link.code_of, code), way[0].value
    link.code_sent_to, link.code_attempts = way[1], 0
    await add_attempt(
        work,
        referral,
        agency,
        way[0],
        way[1],
        purpose=Purpose.CODE,
        recipient_id=link.recipient_id,
        payload={"code": code},
    )
    return way[0].value
