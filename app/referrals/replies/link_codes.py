"""Codes of agencies: the proof that opens a child's details at a link, and what is sent anew."""

from datetime import timedelta

from sqlalchemy import select

from app.definitions.risk import Urgency
from app.errors import Conflict, TooMany
from app.privacy.hash_kinds import HashOf
from app.referrals.channels.code_limits import check_not_too_many, is_a_days_worth
from app.referrals.channels.links import (
    LONG_DIGITS,
    MOST_ATTEMPTS,
    addresses_of,
    has_code,
    is_code,
    new_token,
    send_code,
    send_links,
    way_of_code,
)
from app.referrals.channels.models import Link
from app.referrals.deadlines import tracking
from app.referrals.directory.models import Agency
from app.referrals.log_kinds import LogKind
from app.referrals.models import Referral
from app.referrals.reasons import RingAbout
from app.referrals.replies import details, replying
from app.referrals.replies.links import check_usable, locked
from app.referrals.spoken import refusal
from app.referrals.states import (
    OVER,
    ForWhom,
    Purpose,
    ReferralState,
    ToldHow,
)
from app.referrals.trail import By, Via, ask_to_ring, note
from app.work import Work

# How long the details can be read after the code was entered.
_PROVEN = timedelta(minutes=30)
# With how many codes of other links one is compared: each is one more chance for a guess.
_OTHERS, _OTHERS_LONG = 2, 20


async def prove(work: Work, token: str, code: str) -> str | None:
    """Return the proof for the browser to keep if the code is right, else None.

    The code of another link that went the same way is right, too: a person who was sent two cannot
    know which code is whose. A wrong one is a try of the link at which it was entered, and of no
    other, so the holder of an old link cannot lock the new one. One that is too long to be guessed
    is none. Raises NoSuchLink, LinkUsed, LinkExpired, TooMany.
    """
    link, referral, agency, _ = await locked(work, token)
    check_usable(work, link)
    given = "".join(c for c in code if c.isdigit())[: LONG_DIGITS + 1]
    is_long = len(given) == LONG_DIGITS
    if link.code_attempts >= MOST_ATTEMPTS and not is_long:
        raise refusal(TooMany, "too_many_codes")
    possible = await _with_codes(work, agency, link, is_long=is_long)
    for found in possible:
        assert found.code_key is not None
        if is_code(work, found.code_of, given, found.code_key):
            break
    else:
        if not is_long:
            await _count_wrong(work, referral, agency, link)
        return None
    proof, found.code_key = new_token(), None
    if not has_code(work, link):
        # A code of its own counts no more: the browser is proven by the other one.
        link.code_key, link.code_channel = None, found.code_channel
    for one in (link, found):
        one.proven_until = work.now + _PROVEN
        one.proof_key = work.keys.match_key(HashOf.LINK_PROOF, proof)
        one.proof_channel = found.code_channel
    way, of = ToldHow.by_link(link.channel), str(found.code_of)
    note(work, referral, LogKind.CODE_ENTERED, By(Via.LINK, agency.code), way=way, link=of)
    return proof


async def _count_wrong(work: Work, referral: Referral, agency: Agency, link: Link) -> None:
    """Count a wrong code. Our people are told at once of a locked link of an immediate referral, or
    of any referral if the agency can ask for no other code."""
    link.code_attempts += 1
    if link.code_attempts < MOST_ATTEMPTS:
        return
    is_immediate = referral.urgency == Urgency.IMMEDIATE
    if is_immediate or await way_of_code(work, agency, link) is None:
        await _tell_of_codes(work, referral, agency)


async def _tell_of_codes(work: Work, referral: Referral, agency: Agency) -> None:
    """Tell our people, once until they saw it, that an agency's codes fail."""
    if not await details.waits_to_ring(work, referral, agency, RingAbout.CODES):
        whom = ForWhom.SUPERVISORS
        ask_to_ring(work, referral, agency.code, RingAbout.CODES, for_whom=whom)


async def _with_codes(work: Work, agency: Agency, link: Link, *, is_long: bool) -> list[Link]:
    """Return the links whose codes may be entered at this one.

    Tries of codes too long to be guessed are not counted.

    First itself, then the latest of those that can be used, were sent to the same agency for the
    same referral at the same address, and whose codes went to one address, too, or to any that the
    agency still has. A link that came without a code, to an agency with one written address, has
    no address of a code to compare. All are changed under the lock of the referral.
    """
    theirs = await addresses_of(work, agency)
    if link.code_sent_to is not None and link.code_sent_to not in theirs:
        theirs = {link.code_sent_to}
    others = await work.session.scalars(
        select(Link)
        .where(
            Link.referral_id == link.referral_id,
            Link.agency_id == link.agency_id,
            Link.recipient_id == link.recipient_id,
            Link.channel == link.channel,
            Link.sent_to == link.sent_to,
            Link.code_sent_to.in_(theirs),
            Link.id != link.id,
            Link.used_at.is_(None),
            Link.expires_at > work.now,
            Link.code_key.is_not(None),
            Link.code_until > work.now,
        )
        .order_by(Link.created_at.desc())
        .limit(_OTHERS_LONG if is_long else _OTHERS)
    )
    return [one for one in (link, *others) if has_code(work, one)]


async def ask_for_code(work: Work, token: str) -> str:
    """Send a code by another channel than the link; return which channel.

    Raises NoSuchLink, LinkUsed, LinkExpired, Conflict, TooMany.
    """
    link, referral, agency, _ = await locked(work, token)
    check_usable(work, link)
    way = await send_code(work, referral, agency, link)
    if way is None:
        raise refusal(Conflict, "no_second_channel")
    is_immediate = referral.urgency == Urgency.IMMEDIATE
    if is_immediate and await is_a_days_worth(work, referral, agency, Purpose.CODE):
        await _tell_of_codes(work, referral, agency)
    by, of = By(Via.LINK, agency.code), str(link.code_of)
    note(work, referral, LogKind.CODE_ASKED_FOR, by, way=way, link=of)
    return way


async def ask_for_link(work: Work, token: str) -> None:
    """Send new links to the addresses in the directory, never to an address that is given.

    Raises NoSuchLink, replying.Over, Conflict, TooMany.
    """
    link, referral, agency, _ = await locked(work, token)
    if ReferralState(referral.state) in OVER:
        raise replying.Over()
    await check_not_too_many(work, referral, agency, link, Purpose.LINK)
    lives = tracking.protocol_of(work, referral).link_lives
    sent = await send_links(
        work, referral, agency, link.recipient_id, lives=lives, purpose=Purpose.LINK
    )
    if not sent:
        raise refusal(Conflict, "no_address")
    by, of = By(Via.LINK, agency.code), str(link.code_of)
    note(work, referral, LogKind.LINK_ASKED_FOR, by, link=of)
