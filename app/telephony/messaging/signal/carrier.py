"""Signal: a number of the line's own, which a service of the helpline plays as a phone."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from app.calls.states import Channel
from app.chats.carrier_rows import AccountProblem, AccountState
from app.chats.media import Attached
from app.chats.models import Failure, MediaKind
from app.chats.sendings import DeliveryReport
from app.outbox.responses import Refused, RequestFailed
from app.settings import Settings
from app.telephony.messaging.base import Arrived, AtCarrier, Carrier, MessageFate, ToChild
from app.telephony.messaging.signal import service
from app.telephony.messaging.signal.service import SignalService
from app.telephony.platforms.base import Platform

PREFIX = "signal:"
_NUMBER = re.compile(r"\+[0-9]{6,15}")
_PERSON = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# What a message may hold besides words: it is left where it is.
_MEDIA = frozenset(("contacts", "payment", "pollCreate"))
# What the database cannot store.
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff]")
# The sign that stands in the words for a person who is mentioned.
_MENTION = "\ufffc"
_WHY = {
    service.UNREGISTERED: Failure.UNREACHABLE,
    service.PROOF_WANTED: Failure.FILTERED,
}
_TROUBLE = {404: AccountProblem.TOKEN, service.WRONG_MODE: AccountProblem.MODE}


class Signal(Carrier):
    """A child is known by its number, or by an id of Signal if it keeps the number to itself."""

    channel = Channel.SIGNAL
    is_dialled = False
    has_accounts = True
    is_asked = True

    def read(self, fields: Mapping[str, Any]) -> Arrived | None:
        """Return what an envelope of signal-cli holds; groups, reactions and receipts are none."""
        envelope = _part(fields, "envelope")
        address, sent = _address(envelope), envelope.get("timestamp")
        if address is None or not isinstance(sent, int):
            return None
        # Signal names a message by who sent it, and when.
        bare = Arrived(sid=f"{address}.{sent}", address=address, text="", at=_instant(sent))
        if _part(_part(envelope, "callMessage"), "offerMessage"):
            # It rings, and no counsellor can answer: the child is asked to write.
            return replace(bare, has_media=True)
        changed = _part(_part(envelope, "editMessage"), "dataMessage")
        message = _part(envelope, "dataMessage") or changed
        if not message or "groupInfo" in message or "reaction" in message:
            return None
        text = _words(message)
        if changed:
            return replace(bare, text=text) if text else None
        attached, others = _attached(message)
        has_media = others or not _MEDIA.isdisjoint(message) or ("sticker" in message and not text)
        if not (text or attached or has_media):
            return None
        return replace(bare, text=text, has_media=has_media, attached=attached)

    def line_in(self, fields: Mapping[str, Any]) -> str | None:
        return None

    async def set_up(self, settings: Settings, account: AtCarrier) -> str | None:
        """Check that the service has the number. It is registered there by hand, and stays."""
        if account.state is AccountState.REGISTERED:
            await SignalService(settings).check(account.token)
        return account.token

    def trouble(self, error: RequestFailed) -> AccountProblem:
        return _TROUBLE.get(error.code or error.status, AccountProblem.ADDRESS)

    async def ask(self, settings: Settings, account: str, *, files: bool) -> bytes:
        return await SignalService(settings).receive(account, files=files)

    def unpack(self, content: bytes) -> list[Mapping[str, Any]]:
        found = json.loads(content)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise ValueError("this is no answer of the service for Signal")
        return found

    async def send(self, platform: Platform, out: ToChild) -> str | None:
        if out.account is None:
            raise Refused("the line has no number")
        to = out.to.removeprefix(PREFIX)
        named = await SignalService(platform.settings).send(out.account, to, out.text)
        # Two messages of one moment to two children have one name: ours tells them apart.
        return f"{named}.{out.id.hex}"

    async def find(
        self, platform: Platform, to: str, since: datetime, known: set[str]
    ) -> str | None:
        """Signal cannot be asked what became of a message."""
        return None

    def told(self, fields: Mapping[str, Any]) -> MessageFate | None:
        """Return what a receipt says, and of which messages."""
        envelope = _part(fields, "envelope")
        receipt, address = _part(envelope, "receiptMessage"), _address(envelope)
        named = receipt.get("timestamps")
        if address is None or not isinstance(named, list):
            return None
        seen = receipt.get("isRead") is True or receipt.get("isViewed") is True
        if not seen and receipt.get("isDelivery") is not True:
            return None
        about = tuple(str(one) for one in named if isinstance(one, int))
        return MessageFate(
            DeliveryReport.SEEN if seen else DeliveryReport.DELIVERED, about=about, address=address
        )

    def types(self, fields: Mapping[str, Any]) -> tuple[str, bool] | None:
        envelope = _part(fields, "envelope")
        sign, address = _part(envelope, "typingMessage"), _address(envelope)
        if address is None or not sign or "groupId" in sign:
            return None
        return address, sign.get("action") == "STARTED"

    async def fetch(self, platform: Platform, source: str, account: str | None, most: int) -> bytes:
        return await SignalService(platform.settings).attachment(source, most)

    async def drop(self, platform: Platform, source: str) -> None:
        await SignalService(platform.settings).drop(source)

    def why(self, code: int) -> Failure:
        return _WHY.get(code, Failure.REFUSED)


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a part of an envelope; empty if it is missing, or is not one."""
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _address(envelope: Mapping[str, Any]) -> str | None:
    """Return where the sender is answered: a number is the same by every carrier."""
    number, person = envelope.get("sourceNumber"), envelope.get("sourceUuid")
    if isinstance(number, str) and _NUMBER.fullmatch(number):
        return number
    if isinstance(person, str) and _PERSON.fullmatch(person):
        return f"{PREFIX}{person.lower()}"
    return None


def _words(message: Mapping[str, Any]) -> str:
    said = message.get("message")
    if not isinstance(said, str):
        return ""
    return _UNSTORABLE.sub("", said).replace(_MENTION, "@").strip()


def _attached(message: Mapping[str, Any]) -> tuple[tuple[Attached, ...], bool]:
    """Return the pictures and voice notes of a message, and whether there is anything else."""
    files = message.get("attachments")
    found, others = [], False
    for one in files if isinstance(files, list) else []:
        kind = _kind(one) if isinstance(one, dict) else None
        if kind is not None and isinstance(one.get("id"), str):
            found.append(Attached(kind, one["id"]))
        else:
            others = True
    return tuple(found), others


def _kind(file: Mapping[str, Any]) -> MediaKind | None:
    media_type = str(file.get("contentType") or "")
    if file.get("isVoiceNote") is True or media_type.startswith("audio/"):
        return MediaKind.VOICE
    return MediaKind.PICTURE if media_type.startswith("image/") else None


def _instant(milliseconds: int) -> datetime | None:
    """Return the instant of a date of Signal; None for what is none."""
    if not 0 < milliseconds < 2**45:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


CARRIER = Signal()
