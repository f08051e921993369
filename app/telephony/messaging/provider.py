"""What SMS and WhatsApp have in common: both go through the telephony provider."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from app.chats.media import Attached
from app.chats.models import Failure, MediaKind
from app.chats.sendings import DeliveryReport
from app.privacy.numbers import CallerKind, dialled, read_caller
from app.telephony.messaging.base import Arrived, Carrier, MessageFate, ToChild
from app.telephony.platforms.base import Platform
from app.telephony.provider.signature import read_number

_REPORTS = {
    "sent": DeliveryReport.ON_ITS_WAY,
    "delivered": DeliveryReport.DELIVERED,
    "read": DeliveryReport.SEEN,
    "undelivered": DeliveryReport.FAILED,
    "failed": DeliveryReport.FAILED,
    "canceled": DeliveryReport.FAILED,
}
# By the provider's code; see its dictionary of errors.
_WHY = {
    21211: Failure.UNKNOWN_NUMBER,
    21408: Failure.NOT_DIALLED,
    21610: Failure.OPTED_OUT,
    21614: Failure.UNKNOWN_NUMBER,
    30003: Failure.UNREACHABLE,
    30004: Failure.UNREACHABLE,
    30005: Failure.UNKNOWN_NUMBER,
    30006: Failure.UNREACHABLE,
    30007: Failure.FILTERED,
    63003: Failure.UNKNOWN_NUMBER,
    63016: Failure.WINDOW,
    63024: Failure.UNKNOWN_NUMBER,
}


# More than this comes with no message.
_MOST_MEDIA = 10
_KINDS = {
    "image/jpeg": MediaKind.PICTURE,
    "image/png": MediaKind.PICTURE,
    "audio/ogg": MediaKind.VOICE,
}
# Where a file is at the provider. Only the ids are used: the address itself leads where its sender
# wants.
_SOURCE = re.compile(r"/Messages/((?:MM|SM)[0-9a-f]{32})/Media/(ME[0-9a-f]{32})")


def _attached(fields: Mapping[str, str], n: int) -> Attached | None:
    """Return a picture or a voice note of a text; None for what no line takes."""
    kind = _KINDS.get(fields.get(f"MediaContentType{n}", "").partition(";")[0].strip().lower())
    found = _SOURCE.search(fields.get(f"MediaUrl{n}", ""))
    return Attached(kind, f"{found[1]}/{found[2]}") if kind and found else None


class ByProvider(Carrier):
    """A carrier to which the provider gives an address by a prefix of the number."""

    prefix: ClassVar[str]

    def read(self, fields: Mapping[str, str]) -> Arrived | None:
        caller = read_caller(fields.get("From", "").removeprefix(self.prefix))
        sid = fields.get("MessageSid", "")
        # A short code or a name cannot be answered, and who withholds the number neither.
        if caller.kind is not CallerKind.E164 or caller.address is None or not sid:
            return None
        count = min(read_number(fields.get("NumMedia", "0")) or 0, _MOST_MEDIA)
        attached = [one for n in range(count) if (one := _attached(fields, n)) is not None]
        # Films, contacts, and where the child is: none of it is fetched or kept.
        return Arrived(
            sid=sid,
            address=caller.address,
            text=fields.get("Body", "").replace("\x00", "").strip(),
            has_media=len(attached) < count or "Latitude" in fields,
            stops=fields.get("OptOutType", "") == "STOP",
            attached=tuple(attached),
            ours=self.line_in(fields),
        )

    def line_in(self, fields: Mapping[str, str]) -> str | None:
        return dialled(fields.get("To", "").removeprefix(self.prefix))

    async def send(self, platform: Platform, out: ToChild) -> str | None:
        to, from_ = self.prefix + out.to, self.prefix + out.line
        if out.template is not None:
            return await platform.send_template(
                to=to, from_=from_, template=out.template, told=out.told
            )
        return await platform.send_message(to=to, from_=from_, body=out.text, told=out.told)

    async def find(
        self, platform: Platform, to: str, since: datetime, known: set[str]
    ) -> str | None:
        return await platform.find_message(to=self.prefix + to, since=since, known=known)

    def told(self, fields: Mapping[str, str]) -> MessageFate | None:
        report = _REPORTS.get(fields.get("MessageStatus", ""))
        if report is None:
            return None
        code = read_number(fields.get("ErrorCode", "")) if report is DeliveryReport.FAILED else None
        return MessageFate(
            report, self.why(code or 0) if report is DeliveryReport.FAILED else None, code
        )

    async def fetch(self, platform: Platform, source: str, account: str | None, most: int) -> bytes:
        return await platform.fetch_media(*source.split("/"), most=most)

    async def drop(self, platform: Platform, source: str) -> None:
        await platform.delete_media(*source.split("/"))

    def why(self, code: int) -> Failure:
        return _WHY.get(code, Failure.REFUSED)
