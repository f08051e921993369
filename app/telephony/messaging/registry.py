"""All carriers of written messages: the only list of them."""

from app.calls.states import Channel
from app.telephony.messaging.base import Carrier
from app.telephony.messaging.signal.carrier import CARRIER as SIGNAL
from app.telephony.messaging.sms.carrier import CARRIER as SMS
from app.telephony.messaging.telegram.carrier import CARRIER as TELEGRAM
from app.telephony.messaging.whatsapp.carrier import CARRIER as WHATSAPP

# A new carrier is one line here, and one in `SERVED` of `app/calls/chat_rules.py`.
CARRIERS: tuple[Carrier, ...] = (SMS, WHATSAPP, TELEGRAM, SIGNAL)
_OF_CHANNEL = {carrier.channel: carrier for carrier in CARRIERS}


def carrier_of(channel: str) -> Carrier:
    """Return the carrier of a conversation's channel."""
    return _OF_CHANNEL[Channel(channel)]


def by_prefix(address: str) -> Carrier | None:
    """Return the carrier of an address in a webhook of the provider; None for one unknown."""
    kind, colon, _ = address.partition(":")
    if not colon:
        return SMS
    return WHATSAPP if kind.lower() == "whatsapp" else None
