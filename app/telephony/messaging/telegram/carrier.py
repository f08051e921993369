"""Telegram: a bot of the line's own, to which children write."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from app.calls.states import Channel
from app.chats.carrier_rows import AccountState
from app.chats.media import Attached
from app.chats.models import Failure, MediaKind
from app.outbox.responses import Refused
from app.settings import Settings
from app.telephony.messaging.base import Arrived, AtCarrier, Carrier, MessageFate, ToChild
from app.telephony.messaging.telegram import bot_api
from app.telephony.messaging.telegram.bot_api import BotApi
from app.telephony.platforms.base import Platform
from app.telephony.provider.urls import public, telegram_path

PREFIX = "telegram:"
# What a message may hold besides words: it is left at Telegram.
_MEDIA = frozenset(
    "animation audio contact dice document game location paid_media poll story venue video "
    "video_note".split()
)
# What the database cannot store.
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff]")
# The button with which a conversation with a bot begins; a link to the bot may add a word to it.
_BEGINS = re.compile(r"/start( [A-Za-z0-9_-]{0,64})?")
_WHY = {
    bot_api.BLOCKED: Failure.OPTED_OUT,
    bot_api.DEACTIVATED: Failure.UNREACHABLE,
    bot_api.NOT_BEGUN: Failure.UNREACHABLE,
    bot_api.NO_CHAT: Failure.UNREACHABLE,
}


class Telegram(Carrier):
    """A child is known by the id of a chat: Telegram gives a bot no phone number."""

    channel = Channel.TELEGRAM
    is_dialled = False
    has_accounts = True

    def read(self, fields: Mapping[str, Any]) -> Arrived | None:
        """Return what an update of Telegram brings; groups and other bots are ignored."""
        moved = _part(fields, "my_chat_member")
        message = _part(fields, "message") or _part(fields, "edited_message")
        chat = _part(message or moved, "chat")
        sender = _part(message or moved, "from")
        number, update = chat.get("id"), fields.get("update_id")
        if chat.get("type") != "private" or sender.get("is_bot") is True:
            return None
        if not isinstance(number, int) or not isinstance(update, int):
            return None
        bare = Arrived(
            sid=str(update),
            address=f"{PREFIX}{number}",
            text="",
            language=str(sender.get("language_code") or "").split("-")[0][:20] or None,
            at=_instant(message.get("edit_date") or message.get("date")),
        )
        if moved:
            # A child who stops the bot wants no more messages.
            gone = _part(moved, "new_chat_member").get("status") == "kicked"
            return replace(bare, stops=True) if gone else None
        text = _words(message)
        if "edited_message" in fields:
            # The words as they are now; a place that moves is edited every few seconds.
            return replace(bare, text=text) if text else None
        if _BEGINS.fullmatch(text):
            return replace(bare, begins=True)
        # A command is written with a stroke: /stop is the word.
        text = text.removeprefix("/") if text.lower() == "/stop" else text
        attached = _attached(message)
        has_media = not _MEDIA.isdisjoint(message) or ("sticker" in message and not text)
        if not (text or attached or has_media):
            return None
        return replace(bare, text=text, has_media=has_media, attached=attached)

    async def is_elsewhere(self, settings: Settings, account: AtCarrier) -> bool:
        return await BotApi(settings, account.token).brought_to() != _address(settings, account)

    async def set_up(self, settings: Settings, account: AtCarrier) -> str | None:
        """Register a bot, let Telegram keep its messages, or take it away."""
        bot = BotApi(settings, account.token)
        if account.state is AccountState.REMOVING:
            await bot.bring_nowhere()
            return None
        name = await bot.name()
        if account.state is AccountState.PAUSED:
            await bot.bring_nowhere()
        else:
            await bot.bring_to(_address(settings, account), account.secret)
        return name

    def line_in(self, fields: Mapping[str, Any]) -> str | None:
        return None

    async def send(self, platform: Platform, out: ToChild) -> str | None:
        if out.account is None:
            raise Refused("the line has no bot")
        bot = BotApi(platform.settings, out.account)
        number = await bot.send(out.to.removeprefix(PREFIX), out.text)
        # Telegram counts the messages of each chat: ours tells them apart.
        return f"{number}.{out.id.hex}"

    async def find(
        self, platform: Platform, to: str, since: datetime, known: set[str]
    ) -> str | None:
        """Telegram cannot be asked what became of a message."""
        return None

    async def fetch(self, platform: Platform, source: str, account: str | None, most: int) -> bytes:
        if account is None:
            raise Refused("the line has no bot")
        return await BotApi(platform.settings, account).file(source, most)

    def told(self, fields: Mapping[str, Any]) -> MessageFate | None:
        """Telegram does not say what a child has read."""
        return None

    def why(self, code: int) -> Failure:
        return _WHY.get(code, Failure.REFUSED)


def _address(settings: Settings, account: AtCarrier) -> str:
    """Return where messages of an account are to go; empty while Telegram is to keep them."""
    if account.state is not AccountState.REGISTERED:
        return ""
    return public(settings, telegram_path(account.id))


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a part of an update; empty if it is missing, or is not one."""
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _words(message: Mapping[str, Any]) -> str:
    """Return what a message says: its words, those under a picture, or a sticker as its emoji."""
    said = message.get("text") or message.get("caption") or _part(message, "sticker").get("emoji")
    return _UNSTORABLE.sub("", said).strip() if isinstance(said, str) else ""


def _attached(message: Mapping[str, Any]) -> tuple[Attached, ...]:
    """Return the picture or the voice note of a message, by Telegram's id of its file."""
    sizes = message.get("photo")
    # The last one is the largest.
    picture = sizes[-1] if isinstance(sizes, list) and sizes else None
    found = ((MediaKind.PICTURE, picture), (MediaKind.VOICE, message.get("voice")))
    return tuple(
        Attached(kind, one["file_id"])
        for kind, one in found
        if isinstance(one, dict) and isinstance(one.get("file_id"), str)
    )


CARRIER = Telegram()


def _instant(seconds: Any) -> datetime | None:
    """Return the instant of a date of Telegram; None for what is none."""
    if not isinstance(seconds, int) or not 0 < seconds < 2**35:
        return None
    return datetime.fromtimestamp(seconds, UTC)
