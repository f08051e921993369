"""What a row keeps about the one thing that it sends."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column


class SentOnce:
    """The columns of a table whose rows are each sent once."""

    sending: Mapped[str] = mapped_column(server_default="wanted")
    sent_at: Mapped[datetime | None]
    # How often the other side said that it has no trace of it.
    asks: Mapped[int] = mapped_column(server_default="0")
    # The id that the other side gave it.
    provider_sid: Mapped[str | None] = mapped_column(unique=True)
