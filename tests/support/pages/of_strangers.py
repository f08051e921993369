"""Rows that an hour leaves none of: links of agencies, and a year that was told."""

from datetime import timedelta
from uuid import UUID, uuid4

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.outbox.channels import ChannelKind
from app.referrals.channels.links import add_link
from app.referrals.models import Recipient, Referral
from app.statistics.published import release
from app.work import PROGRAM
from tests.support.pages.ways import Way, with_cookie
from tests.support.referrals import click, referral_of

_DAY = timedelta(days=1)
# One recipient of a referral in each state, and one in each state of its own.
_EACH = (
    "SELECT DISTINCT ON (r.state) r.id AS referral, of.id AS recipient, r.state AS said"
    " FROM referrals r LEFT JOIN recipients of ON of.referral_id = r.id"
    " ORDER BY r.state, of.id IS NULL, r.id",
    "SELECT DISTINCT ON (of.state) referral_id AS referral, of.id AS recipient,"
    " 'recipient ' || of.state AS said FROM recipients of ORDER BY of.state, of.id",
)


async def agency_links(stage: Stage) -> dict[str, set[str]]:
    """Return the secrets of links of agencies, with the state of what each is for."""
    rows = [row for sql in _EACH for row in await stage.rows(sql)]
    (agency_id,) = [row["id"] for row in await stage.rows("SELECT id FROM agencies LIMIT 1")]
    found = {}
    async with transaction(stage.ground, PROGRAM) as work:
        for number, row in enumerate(rows, 900):
            referral = await work.session.get_one(Referral, row["referral"])
            if row["recipient"] is None:
                recipient = _a_recipient(referral, agency_id, number)
                work.session.add(recipient)
                await work.session.flush()
            else:
                recipient = await work.session.get_one(Recipient, row["recipient"])
            _, token = add_link(
                work, referral, recipient.agency_id, recipient.id, ChannelKind.EMAIL, lives=_DAY
            )
            found[token] = {row["said"]}
    return found


def _a_recipient(referral: Referral, agency_id: UUID, number: int) -> Recipient:
    """An agency that was told of a referral which nothing was sent of."""
    return Recipient(
        id=uuid4(),
        referral_id=referral.id,
        agency_id=agency_id,
        number=number,
        round=1,
        state="delivered",
        why=[],
        offered_at=referral.opened_at,
        delivered_at=referral.opened_at,
    )


_HELD = (
    "SELECT r.id AS referral, of.id AS recipient, of.agency_id AS agency FROM referrals r"
    " JOIN recipients of ON of.id = r.recipient_id WHERE r.state = 'acknowledged'"
    " ORDER BY r.id LIMIT 1"
)
_NEWS, _CODE = "/r/{token}/news", "246810"


async def told_more(stage: Stage, writes: Counsellor) -> list[Way]:
    """The browser of an agency, in which the code was entered and the details were read before more
    was written. Any other hears of no news."""
    (row,) = await stage.rows(_HELD)
    async with transaction(stage.ground, PROGRAM) as work:
        referral = await work.session.get_one(Referral, row["referral"])
        _, token = add_link(
            work,
            referral,
            row["agency"],
            row["recipient"],
            ChannelKind.EMAIL,
            lives=_DAY,
            code=_CODE,
            code_channel=ChannelKind.SMS,
        )
    proven = await click(stage, f"/r/{token}/code", {"code": _CODE})
    cookie = with_cookie(proven.headers["set-cookie"].partition(";")[0])
    details = await click(stage, f"/r/{token}", as_=proven)
    assert "data-news" in details.text, details.text
    await _write_more(writes, str(row["referral"]))
    address = _NEWS.format(token=token)
    return [Way(_NEWS, address, cookie, alone=False), Way(_NEWS, address, answers=204, alone=False)]


async def _write_more(who: Counsellor, referral_id: str) -> None:
    base = (await referral_of(who, referral_id))["revision"]
    changes = {"changes": [{"path": "child.name", "value": "Jovanka", "base": base}]}
    saved = await who.ask("PUT", f"/referrals/{referral_id}/answers", changes)
    assert saved.json()["refused"] == {}, saved.text


async def publish_the_year(stage: Stage) -> str:
    """Publish this year, as is done when it is over; return its name."""
    async with transaction(stage.ground, PROGRAM) as work:
        year = str(work.now.year)
        work.now += timedelta(days=400)
        await release.publish(work, year)
    return year
