"""The table of accounts that a directory of people (SCIM) keeps."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base


class DirectoryAccount(Base):
    """What a directory says of an account besides what the account says itself, and what stays of
    a person whom it or the provider let leave."""

    __tablename__ = "directory_accounts"

    staff_id: Mapped[UUID] = mapped_column(
        ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True
    )
    # The directory's own name for the person.
    external_id: Mapped[str | None]
    changed_at: Mapped[datetime]
    # The directory deleted it: it finds it no more, and the account has left.
    deleted_at: Mapped[datetime | None]
    # The person left by the directory, and holds work that no colleague may take over. NULL: all of
    # it is handed over.
    work_left_at: Mapped[datetime | None]
    # The person left by the directory, or lost the role at the provider, and something of theirs is
    # open: see `app/administration/still_open.py`. It stays if an administrator deactivates them
    # then. NULL: nothing is open, or they left by an administrator alone, who was told on the page.
    left_open_at: Mapped[datetime | None]
