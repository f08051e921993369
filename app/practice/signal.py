"""Signal at the exchange: the service signal-cli-rest-api, and the people who write to its numbers.

Signal keeps what people write until the service takes it, and forgets it with that. See
`docs/developers/exchange.md`.
"""

import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.practice.people import Heard

if TYPE_CHECKING:
    from app.practice.exchange import Exchange


@dataclass
class SignalPerson:
    """A person with Signal on a telephone, and what has arrived there."""

    uuid: str
    # None: the person keeps the number to itself.
    number: str | None
    texts: list[Heard] = field(default_factory=list)
    # Signal has closed the account.
    unregistered: bool = False
    # The telephone is new, so its key is another one.
    untrusted: bool = False

    @property
    def addresses(self) -> tuple[str | None, str]:
        return self.number, self.uuid


@dataclass
class OwnNumber:
    """A number of the helpline that the service plays."""

    number: str
    trust_mode: str = "on-first-use"
    # What Signal keeps for it, the oldest first.
    kept: deque[dict[str, Any]] = field(default_factory=deque)


class Signal:
    """The service, by the numbers that are registered or linked there."""

    def __init__(self, exchange: "Exchange") -> None:
        self._x = exchange
        self.mode = "native"
        self.numbers: dict[str, OwnNumber] = {}
        self.people: list[SignalPerson] = []
        # Files that the service has on its disk, and those that Signal still has, by their id.
        self.files: dict[str, bytes] = {}
        self.at_signal: dict[str, bytes] = {}
        # Signal wants a puzzle solved by a person before it sends more.
        self.wants_proof = False
        # Messages of which no telephone tells that they arrived.
        self.silent = False
        self._instants = itertools.count(1)

    def register(self, number: str) -> OwnNumber:
        """Register a number at the service, as its operator does by hand."""
        self.numbers[number] = OwnNumber(number)
        return self.numbers[number]

    def person(self, uuid: str, number: str | None) -> SignalPerson:
        """Return the person with an id, who has Signal from now on."""
        for one in self.people:
            if one.uuid == uuid:
                return one
        self.people.append(SignalPerson(uuid, number))
        return self.people[-1]

    def find(self, address: str) -> SignalPerson | None:
        """Return the person at a number or an id."""
        return next((one for one in self.people if address in one.addresses), None)

    def now(self) -> int:
        """Return this instant in milliseconds, another one each time."""
        return int(self._x.clock.now().timestamp() * 1000) + next(self._instants)

    # -- what people do ---------------------------------------------------------------------

    def write(self, to: str, person: SignalPerson, text: str = "", **more: Any) -> int:
        """Let a person write to a number; returns the instant that names the message. `more`: what
        else is in it."""
        at = self.now()
        message = {"timestamp": at, "message": text or None, "expiresInSeconds": 0}
        self.keep(to, person, at, dataMessage={**message, "viewOnce": False, **more})
        return at

    def edit(self, to: str, person: SignalPerson, target: int, text: str) -> None:
        """Let a person change what they wrote."""
        at = self.now()
        changed = {"timestamp": at, "message": text, "expiresInSeconds": 0}
        what = {"targetSentTimestamp": target, "dataMessage": changed}
        self.keep(to, person, at, editMessage=what)

    def types(self, to: str, person: SignalPerson, action: str = "STARTED") -> None:
        """Let a person begin to type, or stop."""
        at = self.now()
        self.keep(to, person, at, typingMessage={"action": action, "timestamp": at})

    def call(self, to: str, person: SignalPerson) -> None:
        """Let a person ring with Signal."""
        offer = {"id": 7, "type": "audio_call", "opaque": ""}
        self.keep(to, person, self.now(), callMessage={"offerMessage": offer})

    def send_file(self, to: str, person: SignalPerson, media_type: str, content: bytes) -> str:
        """Let a person send a file; returns its id."""
        name = f"a{len(self.at_signal):07}.bin"
        self.at_signal[name] = content
        file = {"contentType": media_type, "id": name, "size": len(content), "filename": None}
        file |= {"isVoiceNote": media_type.startswith("audio/")}
        self.write(to, person, attachments=[file])
        return name

    def receipt(self, to: str, person: SignalPerson, kind: str, *named: int) -> None:
        """Let a telephone tell what became of messages: `isDelivery`, `isRead` or `isViewed`."""
        at = self.now()
        says = {name: name == kind for name in ("isDelivery", "isRead", "isViewed")}
        says_all = {"when": at, **says, "timestamps": list(named)}
        self.keep(to, person, at, receiptMessage=says_all)

    # -- to the service ---------------------------------------------------------------------

    def keep(self, to: str, person: SignalPerson, at: int, **what: Any) -> None:
        """Have Signal keep an envelope for a number. It may come twice."""
        envelope = {
            "source": person.number or person.uuid,
            "sourceNumber": person.number,
            "sourceUuid": person.uuid,
            "sourceName": "Zvezdica",
            "sourceDevice": 1,
            "timestamp": at,
            "serverReceivedTimestamp": at,
            "serverDeliveredTimestamp": at,
            **what,
        }
        twice = self._x.knobs.fires("duplicate", "/signal/receive") is not None
        for _ in range(2 if twice else 1):
            self.numbers[to].kept.append({"account": to, "envelope": envelope})
