"""WhatsApp, through the telephony provider."""

from datetime import timedelta
from typing import ClassVar

from app.calls.states import Channel
from app.telephony.messaging.provider import ByProvider


class WhatsApp(ByProvider):
    channel = Channel.WHATSAPP
    prefix: ClassVar[str] = "whatsapp:"
    # The rule of WhatsApp, with a minute for the way.
    window = timedelta(hours=24) - timedelta(minutes=1)


CARRIER = WhatsApp()
