"""SMS, through the telephony provider."""

from typing import ClassVar

from app.calls.states import Channel
from app.telephony.messaging.provider import ByProvider
from app.words.sms import parts_of


class Sms(ByProvider):
    channel = Channel.SMS
    prefix: ClassVar[str] = ""

    def parts(self, text: str) -> int:
        return parts_of(text)


CARRIER = Sms()
