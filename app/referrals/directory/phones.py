"""The duty phones of an agency, in the order in which they are rung."""

from uuid import UUID, uuid4

from sqlalchemy import select, update

from app.database.topics import Topic
from app.referrals.directory.entries import Phone
from app.referrals.directory.models import Agency, DutyPhone
from app.work import Work


async def set_phones(work: Work, agency: Agency, phones: tuple[Phone, ...]) -> None:
    """Set the phones; those that are gone are kept for the attempts that were made on them."""
    rows = await work.session.scalars(select(DutyPhone).where(DutyPhone.agency_id == agency.id))
    known = {row.number: row for row in rows}
    # Positions are unique: move all rows out of the way first, below those that went before.
    lowest = min((0, *(row.position for row in known.values())))
    for n, row in enumerate(known.values()):
        row.position, row.gone_at = lowest - 1 - n, row.gone_at or work.now
    await work.session.flush()
    for n, phone in enumerate(phones):
        kept = known.get(phone.number)
        if kept is None:
            work.session.add(
                DutyPhone(
                    id=uuid4(),
                    agency_id=agency.id,
                    position=n,
                    number=phone.number,
                    hours=phone.hours,
                )
            )
        else:
            kept.position, kept.hours, kept.gone_at = n, phone.hours, None
    await work.session.flush()


async def phones_of(work: Work, agency_id: UUID) -> list[DutyPhone]:
    """Return the duty phones of an agency in their order."""
    rows = await work.session.scalars(
        select(DutyPhone)
        .where(DutyPhone.agency_id == agency_id, DutyPhone.gone_at.is_(None))
        .order_by(DutyPhone.position)
    )
    return list(rows)


async def doubt_phone(work: Work, agency_id: UUID, number: str) -> None:
    """Mark a number that was reported as a wrong number, for those who may change the directory."""
    await work.session.execute(
        update(DutyPhone)
        .where(
            DutyPhone.agency_id == agency_id,
            DutyPhone.number == number,
            DutyPhone.doubted_at.is_(None),
        )
        .values(doubted_at=work.now)
        .execution_options(synchronize_session="fetch")
    )
    work.announce(Topic.DIRECTORY)
