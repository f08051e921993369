"""What a carrier of written messages is: the one contract that every folder beside this file
fulfils.

A carrier brings what a child writes, and takes what a counsellor answers. See
`docs/developers/add-a-written-channel.md`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from app.calls.states import Channel
from app.chats.carrier_rows import AccountProblem, AccountState
from app.chats.media import Attached
from app.chats.models import Failure
from app.chats.sendings import DeliveryReport
from app.outbox.responses import Refused, RequestFailed
from app.settings import Settings
from app.telephony.platforms.base import Platform


@dataclass(frozen=True)
class Arrived:
    """A message of a child, as its carrier brought it.

    `sid`: the carrier's own id of it, by which a repeat is known. `address`: where the child is
    answered; the number of a phone is the same by every carrier. `has_media`: there was more
    than words that no line takes, and it was left at the carrier. `attached`: pictures and voice
    notes, which a line may take. `stops`: the carrier itself took it for a wish to get no more.
    `begins`: the child has opened the conversation, and has not written yet. `language`: that of
    the child's phone, if the carrier tells it.
    """

    sid: str
    address: str
    text: str
    has_media: bool = False
    stops: bool = False
    begins: bool = False
    attached: tuple[Attached, ...] = ()
    language: str | None = None
    # The number of ours to which it came: the child is answered from it.
    ours: str | None = None
    # When the carrier had it, if it did not bring it at once.
    at: datetime | None = None


@dataclass(frozen=True)
class ToChild:
    """What is sent: words, or the carrier's id of an approved text, from a line to a child."""

    to: str
    line: str
    text: str
    template: str | None
    # The path that is told what becomes of it.
    told: str
    # Our own id of it.
    id: UUID
    # The token of the line's account, if the carrier has accounts of lines.
    account: str | None = None


@dataclass(frozen=True)
class MessageFate:
    """What a carrier says became of a message.

    Where a child's phone says it: `about`, the carrier's names of the messages, and `address`,
    that of the child.
    """

    report: DeliveryReport
    why: Failure | None = None
    code: int | None = None
    about: tuple[str, ...] = ()
    address: str = ""


class AtCarrier(NamedTuple):
    """How an account of a line is to be set up at its carrier, and with what. `state`: registered,
    paused or removing."""

    id: UUID
    state: AccountState
    their_id: str
    token: str
    # What the carrier shows with each message that it brings.
    secret: str


class Carrier(ABC):
    """One way by which children write and are answered."""

    channel: ClassVar[Channel]
    # How long after the child's last word it can be answered in words of our own; None: always.
    window: ClassVar[timedelta | None] = None
    # Whether it costs money by the number, so that the rules of dialling hold for it.
    is_dialled: ClassVar[bool] = True
    # Whether each line has an account of its own there; see `app/chats/accounts.py`.
    has_accounts: ClassVar[bool] = False
    # Whether it brings nothing by itself, and is asked; see `asking.py`.
    is_asked: ClassVar[bool] = False

    @abstractmethod
    def read(self, fields: Mapping[str, Any]) -> Arrived | None:
        """Return what a child wrote, from a request that is proven to come from the carrier.

        None if there is no sender to answer.
        """

    @abstractmethod
    def line_in(self, fields: Mapping[str, Any]) -> str | None:
        """Return the number of the line to which it was written; None where an account says it."""

    def parts(self, text: str) -> int:
        """Return in how many parts a text is billed."""
        return 1

    @abstractmethod
    async def send(self, platform: Platform, out: ToChild) -> str | None:
        """Send a message once, and return the carrier's id of it.

        Raises TryAgain, Uncertain, Refused.
        """

    @abstractmethod
    async def find(
        self, platform: Platform, to: str, since: datetime, known: set[str]
    ) -> str | None:
        """Ask for the id of the one unknown message to a child since then.

        None if the carrier has none, or cannot be asked. Raises TryAgain, Uncertain.
        """

    @abstractmethod
    def told(self, fields: Mapping[str, Any]) -> MessageFate | None:
        """Return what a report says; None for a word that says nothing new."""

    async def is_elsewhere(self, settings: Settings, account: AtCarrier) -> bool:
        """Return whether messages of an account that was set up go to another address than then.

        Raises TryAgain, Uncertain, Refused.
        """
        return False

    async def set_up(self, settings: Settings, account: AtCarrier) -> str | None:
        """Have messages of an account brought, kept or forgotten. Return how children find it.

        May run twice. Raises TryAgain, Uncertain, Refused.
        """
        raise Refused("this carrier has no accounts")

    def trouble(self, error: RequestFailed) -> AccountProblem:
        """Return what a refusal to set an account up means for the administrator."""
        return AccountProblem.TOKEN if error.status in (401, 404) else AccountProblem.ADDRESS

    async def ask(self, settings: Settings, account: str, *, files: bool) -> bytes:
        """Take one message that was written to an account, as it comes: the carrier forgets it with
        that. Empty: there is none. `account`: its token; `files`: what comes besides words, too.
        Raises TryAgain, Uncertain, Refused."""
        return b""

    def unpack(self, content: bytes) -> Sequence[Mapping[str, Any]]:
        """Return the messages and reports in what was taken. Raises ValueError."""
        raise ValueError("this carrier brings its messages")

    def types(self, fields: Mapping[str, Any]) -> tuple[str, bool] | None:
        """Return the address of a child that began to type, or stopped; None if it says neither."""
        return None

    async def fetch(self, platform: Platform, source: str, account: str | None, most: int) -> bytes:
        """Return what a child sent, of at most `most` bytes. `source`: as `Attached` has it.

        Raises TryAgain, Uncertain, Refused; TooLong if it is longer.
        """
        raise Refused("this carrier brings nothing but words")

    async def drop(self, platform: Platform, source: str) -> None:
        """Delete it at the carrier, where that can be asked.

        Raises TryAgain, Uncertain, Refused.
        """
        return None

    def why(self, code: int) -> Failure:
        """Return what a code of the carrier means for the counsellor."""
        return Failure.REFUSED

    def is_outside(self, last_word_at: datetime, now: datetime) -> bool:
        """Return whether the child was silent for so long that only an approved text may be
        sent."""
        return self.window is not None and now - last_word_at >= self.window
