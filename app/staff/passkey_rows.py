"""The tables of passkeys: the public half of each, and the challenges that are open."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import SEALED, Base, Identifier, KeyedHash, Sealed, one_of


class Passkey(Base):
    """A key in a person's device or on a token. Its private half never leaves it."""

    __tablename__ = "passkeys"
    __table_args__ = (UniqueConstraint("staff_id", "name", name="uq_passkeys_name"),)

    id: Mapped[Identifier]
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    # As its person calls it.
    name: Mapped[str]
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    # Sealed for its person, with its own id: in another row it opens nothing.
    public_key_sealed: Mapped[Sealed] = mapped_column(info={SEALED: "bytes", "row": "staff_id"})
    # How often it was used, as it counts itself; 0 for one that does not count.
    sign_count: Mapped[int] = mapped_column(BigInteger)
    # How a browser reaches it: `internal`, `usb`, `hybrid`.
    transports: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    # Its counter went back: perhaps there is a copy of it. It opens nothing any more.
    stopped_at: Mapped[datetime | None]


class ChallengePurpose(StrEnum):
    """What a challenge is for. One that was made for one of these counts for no other."""

    ADDING = "adding"
    SIGN_IN = "sign_in"
    PROOF = "proof"


class PasskeyChallenge(Base):
    """A challenge that was given to a person's browser. It is deleted when it is used."""

    __tablename__ = "passkey_challenges"
    __table_args__ = (one_of("purpose", ChallengePurpose),)

    challenge_key: Mapped[KeyedHash] = mapped_column(primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str]
    expires_at: Mapped[datetime]
