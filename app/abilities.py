"""What a telephony platform can do, as plain values that every area may read. Pure.

Rules and pages ask for an ability, never for a platform, and they ask in `app/calls/platform.py`.
How a platform does what it can do is in `app/telephony/platforms/`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Ability(StrEnum):
    """What some platforms can do and others cannot."""

    # In a talk
    HOLD = "hold"
    MUTE = "mute"
    ADD = "add"  # bring in a participant, or ask a colleague first
    SUPERVISE = "supervise"  # listen, whisper to the counsellor, join
    ASK_BY_KEY = "ask_by_key"  # take the caller out for a question that is answered with a key
    RENEW_LEGS = "renew_legs"  # carry a talk over to new legs before the old ones are too old
    # On the way into a talk
    JOIN_BY_CLICK = "join_by_click"  # a click on the desk is enough; no key is asked for
    RING_CALLBACK = "ring_callback"  # ring a call-back at our request, not from another leg
    WAITING_ROOM = "waiting_room"  # a queue of the provider, in which documents can be interrupted
    # What is reported
    REPORT_LEGS = "report_legs"  # how a leg rings and talks, while it does
    SHOW_TALKS = "show_talks"  # who is in a talk
    # At the provider
    FLOWS = "flows"  # words that callers hear while none of our servers answers
    DELETE_RECORDINGS = "delete_recordings"
    DELETE_COPIES = "delete_copies"  # its records of calls and texts that are over


class EndpointKind(StrEnum):
    """What rings when a person is called."""

    BROWSER = "browser"
    CLIENT = "client"
    PHONE = "phone"
    SIP = "sip"


@dataclass(frozen=True)
class Abilities:
    """What one platform can do.

    `rings` holds the kinds of counsellors' phones that it can ring, `rings_first` those that ring
    before a click on the desk. `at_home`: it runs at one known address, unless another is set.
    `signalling`: where the telephone of a page connects to at an edge of it; empty if it has none.
    """

    can_do: frozenset[Ability]
    rings: frozenset[EndpointKind]
    rings_first: frozenset[EndpointKind]
    at_home: bool
    signalling: str = ""

    def can(self, ability: Ability) -> bool:
        return ability in self.can_do


# Caller and counsellor meet in a conference.
CONFERENCES = Abilities(
    can_do=frozenset(Ability),
    rings=frozenset(EndpointKind),
    rings_first=frozenset(EndpointKind) - {EndpointKind.BROWSER},
    at_home=True,
    signalling="wss://voice-js.{edge}.twilio.com",
)
# The caller's own leg dials the counsellor.
DIAL_ONLY = Abilities(
    can_do=frozenset(),
    rings=frozenset({EndpointKind.PHONE, EndpointKind.SIP}),
    rings_first=frozenset({EndpointKind.PHONE}),
    at_home=False,
)
PLATFORMS: Mapping[str, Abilities] = {"twilio": CONFERENCES, "somleng": DIAL_ONLY}
