"""Remarks of supervisors about a practice; they are sealed."""

from uuid import UUID, uuid4

from sqlalchemy import select

from app.database.topics import Topic
from app.errors import Invalid
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.training.models import Practice, PracticeRemark
from app.training.practices import find
from app.work import Work

_REMARK = 4000


async def add_remark(work: Work, staff: Staff, practice_id: UUID, words: str) -> None:
    """Write a remark about a practice; it is sealed. Raises NotFound, Invalid."""
    await find(work, staff, practice_id)
    words = words.strip()
    if not words or len(words) > _REMARK or "\x00" in words:
        raise Invalid("Write a remark of at most 4000 letters.")
    remark_id = uuid4()
    work.session.add(
        PracticeRemark(
            id=remark_id,
            practice_id=practice_id,
            at=work.now,
            by_id=staff.id,
            words_sealed=work.keys.seal(
                words.encode(), table="practice_remarks", column="words_sealed", row=remark_id
            ),
        )
    )
    write_entry(work, AuditLog.PRACTICE_REMARK_WRITTEN, f"practice:{practice_id}")
    work.announce(Topic.PRACTICES)


async def remarks_of(work: Work, practice: Practice) -> list[tuple[PracticeRemark, str]]:
    """Return the remarks of an opened practice, oldest first."""
    rows = await work.session.scalars(
        select(PracticeRemark)
        .where(PracticeRemark.practice_id == practice.id)
        .order_by(PracticeRemark.at)
    )
    return [
        (
            row,
            work.keys.open(
                row.words_sealed, table="practice_remarks", column="words_sealed", row=row.id
            ).decode(),
        )
        for row in rows
    ]
