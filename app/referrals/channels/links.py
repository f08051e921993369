"""Links and codes for the people of an agency: a link and its code go by different channels.

Where no code goes by phone or none by e-mail (`codes_by_telephone` and `codes_by_mail` of the
settings), a link may have none: what it shows without one, and each step, stays. The details are
then told by a person, or by a system.
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, update

from app.definitions.risk import Urgency
from app.outbox.channels import BY_TELEPHONE, ChannelKind
from app.privacy.hash_kinds import HashOf
from app.referrals.channels.attempts import (
    add_attempt,
    has_phone_at_all_hours,
    phone_on_duty,
    phones_of,
)
from app.referrals.channels.code_limits import check_not_too_many
from app.referrals.channels.models import Attempt, Link
from app.referrals.channels.registry import writing_to
from app.referrals.directory.models import Agency
from app.referrals.models import Referral
from app.referrals.states import Purpose
from app.staff.phone_proofs import TEXTED_LIVES
from app.work import Work

CODE_DIGITS = 6
# For an immediate referral, once a code was asked for or where none can be: too long to be guessed,
# so that its tries are not counted, and the wrong ones of others keep no agency out.
LONG_DIGITS = 14
# How long a code counts after it was sent, by whatever channel.
CODE_LIVES = TEXTED_LIVES
# Wrong codes before the agency has to ask for a new one.
MOST_ATTEMPTS = 5


def new_token() -> str:
    """Return 160 random bits, encoded for a URL."""
    return secrets.token_urlsafe(20)


def new_code(digits: int = CODE_DIGITS) -> str:
    return f"{secrets.randbelow(10**digits):0{digits}d}"


async def _digits(work: Work, referral: Referral, agency_id: UUID) -> int:
    """Return how long the codes are that an agency is sent now.

    For an immediate referral they are long from the second one on that is asked for within a day:
    when no more may be asked for, the last one cannot be locked.
    """
    if referral.urgency != Urgency.IMMEDIATE:
        return CODE_DIGITS
    await work.session.flush()
    asked = await work.session.scalar(
        select(Attempt.id)
        .where(
            Attempt.referral_id == referral.id,
            Attempt.agency_id == agency_id,
            Attempt.purpose == Purpose.CODE,
            Attempt.wanted_at > work.now - timedelta(days=1),
        )
        .limit(1)
    )
    return LONG_DIGITS if asked is not None else CODE_DIGITS


def may_carry_code(work: Work, kind: str | None) -> bool:
    """Return whether a code may go by a channel."""
    if kind in BY_TELEPHONE:
        return work.settings.codes_by_telephone
    return work.settings.codes_by_mail or kind != ChannelKind.EMAIL


def has_code(work: Work, link: Link) -> bool:
    """Return whether a link has a code that counts."""
    is_over = link.code_until is None or link.code_until <= work.now
    return link.code_key is not None and not is_over and may_carry_code(work, link.code_channel)


def gets_codes(work: Work, agency: Agency) -> bool:
    """Return whether an agency can open the details at a link."""
    ways = writing_to(agency)
    return work.settings.codes_by_telephone or (
        len(ways) > 1 and any(may_carry_code(work, channel.kind) for channel, _ in ways)
    )


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
    link_id: UUID | None = None,
) -> tuple[Link, str]:
    """Add a link for one step; return it with its token, which is kept nowhere."""
    token, link_id = new_token(), link_id or uuid4()
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
        code_until=work.now + CODE_LIVES if code else None,
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
    # The code of each link goes by the channel after it, and the last one's by the first.
    codes = [
        new_code(digits) if len(ways) > 1 and may_carry_code(work, after.kind) else None
        for after, _ in (*ways[1:], *ways[:1])
    ]
    ids = [uuid4() for _ in ways]
    for n, (channel, address) in enumerate(ways):
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
            link_id=ids[n],
        )
        payload = {"token": token, "code": codes[n - 1], "code_of": before.kind.value}
        payload["code_for"] = str(ids[n - 1])
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
    work: Work,
    referral: Referral,
    agency: Agency,
    recipient_id: UUID,
    *,
    lives: timedelta,
    read_out_to: str | None,
) -> str:
    """Send a link by the agency's only written channel; return its code, to be read out at a phone.

    For an immediate referral it is long at once if the agency cannot ask for another one at any
    hour, because its only phone is the one that is written to: else wrong codes would lock it.
    """
    channel, address = writing_to(agency)[0]
    digits = await _digits(work, referral, agency.id)
    if referral.urgency == Urgency.IMMEDIATE and not await has_phone_at_all_hours(
        work, agency, besides=address
    ):
        digits = LONG_DIGITS
    code = new_code(digits)
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
        code_sent_to=read_out_to,
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


async def addresses_of(work: Work, agency: Agency) -> set[str]:
    """Return every address of the directory to which a code can go, on duty now or not."""
    written = {address for _, address in writing_to(agency)}
    return written | await phones_of(work, agency)


async def way_of_code(work: Work, agency: Agency, link: Link) -> tuple[ChannelKind, str] | None:
    """Return by which channel, and where, a code for a link goes; None if there is no such way."""
    ways = [(channel.kind, address) for channel, address in writing_to(agency)]
    came_to = dict(ways).get(ChannelKind(link.channel))
    if phone := await phone_on_duty(work, agency):
        ways.append((ChannelKind.PHONE, phone))
    # SMS and calls to the same number are one channel. No code goes by the kind of its link, also
    # if the address was changed meanwhile: a person who reads an agency's mail may read both.
    return next(
        (
            way
            for way in ways
            if way[1] != came_to and way[0].value != link.channel and may_carry_code(work, way[0])
        ),
        None,
    )


async def send_code(work: Work, referral: Referral, agency: Agency, link: Link) -> str | None:
    """Send a code for a link by another channel; return which, or None if there is no other.

    Raises TooMany.
    """
    await check_not_too_many(work, referral, agency, link, Purpose.CODE)
    way = await way_of_code(work, agency, link)
    if way is None:
        return None
    is_locked = referral.urgency == Urgency.IMMEDIATE and link.code_attempts >= MOST_ATTEMPTS
    code = new_code(LONG_DIGITS if is_locked else await _digits(work, referral, agency.id))
    if not may_carry_code(work, link.proof_channel or link.code_channel):
        # What the code before proved counts no more, and would count by the channel of this one.
        link.proven_until = link.proof_key = None
    link.code_key, link.code_channel = code_key(work, link.code_of, code), way[0].value
    link.code_sent_to, link.code_attempts = way[1], 0
    link.code_until = work.now + CODE_LIVES
    await add_attempt(
        work,
        referral,
        agency,
        way[0],
        way[1],
        purpose=Purpose.CODE,
        recipient_id=link.recipient_id,
        payload={"code": code, "code_for": str(link.code_of)},
    )
    return way[0].value


async def begin_code(work: Work, attempt: Attempt, payload: Mapping[str, Any]) -> None:
    """Let the time of a code begin when it goes out, however long its message has waited."""
    code, code_of = payload.get("code"), payload.get("code_for")
    if not code or not code_of or attempt.recipient_id is None:
        return
    await work.session.execute(
        update(Link)
        .where(
            Link.recipient_id == attempt.recipient_id,
            Link.code_of == UUID(code_of),
            Link.code_key == code_key(work, UUID(code_of), code),
        )
        .values(code_until=work.now + CODE_LIVES)
    )
