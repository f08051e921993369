"""The table of the first step of a helpline."""

from datetime import datetime

from sqlalchemy.orm import Mapped

from app.database.base import Base, Identifier, Sealed


class SetUpCode(Base):
    """The code that makes the first administrator; there is one row until it was used."""

    __tablename__ = "set_up_codes"

    id: Mapped[Identifier]
    code_sealed: Mapped[Sealed]
    made_at: Mapped[datetime]
