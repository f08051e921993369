"""Telegram at the exchange: its bots, and the children who write to them.

Updates come as Telegram brings them: one after the other for each bot, with the secret, and again
until they are answered well. See `docs/developers/exchange.md`.
"""

import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from app.practice.people import Heard

if TYPE_CHECKING:
    from app.practice.exchange import Exchange

SECRET = "X-Telegram-Bot-Api-Secret-Token"
# Seconds after which an update that was not answered well is brought again.
_AGAIN = 2.0


@dataclass
class Chat:
    """A person who has a chat with a bot, and what has arrived there."""

    id: int
    texts: list[Heard] = field(default_factory=list)
    blocked: bool = False
    # Telegram has closed the person's account.
    deactivated: bool = False


@dataclass
class Bot:
    """A bot as its owner made it with BotFather."""

    token: str
    name: str
    url: str = ""
    secret: str = ""
    allowed: tuple[str, ...] = ()
    chats: dict[int, Chat] = field(default_factory=dict)
    # Updates that wait to be brought, the oldest first.
    waiting: deque[dict[str, Any]] = field(default_factory=deque)
    brings: bool = False

    @property
    def id(self) -> int:
        return int(self.token.partition(":")[0])


class Telegram:
    """All bots, by their token."""

    def __init__(self, exchange: "Exchange") -> None:
        self._x = exchange
        self.bots: dict[str, Bot] = {}
        # Files that people sent, by their id.
        self.files: dict[str, bytes] = {}
        self.files_read = 0
        self._updates = itertools.count(870_000_001)
        self._messages = itertools.count(11)

    def make_bot(self) -> Bot:
        """Make a bot, as its owner does with BotFather."""
        number = 7_000_116_111
        bot = Bot(f"{number}:AAE{number:0>32}", "plavi_telefon_bot")
        self.bots[bot.token] = bot
        return bot

    def next_message(self) -> int:
        return next(self._messages)

    # -- what people do ---------------------------------------------------------------------

    def write(
        self, bot: Bot, person: int, text: str = "", *, language: str = "sr", **more: Any
    ) -> dict[str, Any]:
        """Let a person write to a bot; returns the message. `more`: what else is in it."""
        message = {
            "message_id": self.next_message(),
            "from": {
                "id": person,
                "is_bot": False,
                "first_name": "Zvezdica",
                "username": "zvezdica",
                "language_code": language,
            },
            "chat": {"id": person, "first_name": "Zvezdica", "type": "private"},
            "date": int(self._x.clock.now().timestamp()),
            **({"text": text} if text else {}),
            **more,
        }
        bot.chats.setdefault(person, Chat(person)).blocked = False
        self.update(bot, "message", message)
        return message

    def edit(self, bot: Bot, message: dict[str, Any], text: str) -> None:
        """Let a person change what they wrote."""
        at = int(self._x.clock.now().timestamp())
        self.update(bot, "edited_message", {**message, "text": text, "edit_date": at})

    def stop(self, bot: Bot, person: int) -> None:
        """Let a person stop the bot."""
        bot.chats.setdefault(person, Chat(person)).blocked = True
        me = {"id": bot.id, "is_bot": True, "first_name": bot.name, "username": bot.name}
        self.update(
            bot,
            "my_chat_member",
            {
                "chat": {"id": person, "first_name": "Zvezdica", "type": "private"},
                "from": {"id": person, "is_bot": False, "first_name": "Zvezdica"},
                "date": int(self._x.clock.now().timestamp()),
                "old_chat_member": {"user": me, "status": "member"},
                "new_chat_member": {"user": me, "status": "kicked", "until_date": 0},
            },
        )

    def send_file(self, bot: Bot, person: int, kind: str, content: bytes, **more: Any) -> None:
        """Let a person send a `photo` or a `voice`."""
        file_id = f"AgACAgQAAx{len(self.files):04}"
        self.files[file_id] = content
        one = {"file_id": file_id, "file_unique_id": file_id[-6:], "file_size": len(content)}
        small = {**one, "file_id": file_id + "s"}
        more[kind] = [small, one] if kind == "photo" else one
        self.write(bot, person, **more)

    # -- to the program ---------------------------------------------------------------------

    def update(self, bot: Bot, kind: str, what: dict[str, Any]) -> None:
        """Have an update brought, if the bot asked for its kind."""
        if kind not in bot.allowed and bot.url:
            return
        bot.waiting.append({"update_id": next(self._updates), kind: what})
        self.bring(bot)

    def bring(self, bot: Bot) -> None:
        """Bring what waits, unless that is under way."""
        if bot.url and bot.waiting and not bot.brings:
            bot.brings = True
            self._x.spawn(self._bring(bot))

    async def _bring(self, bot: Bot) -> None:
        try:
            while bot.url and bot.waiting:
                update = bot.waiting[0]
                if await self._deliver(bot, update):
                    if bot.waiting and bot.waiting[0] is update:
                        bot.waiting.popleft()
                else:
                    await self._x.clock.sleep(_AGAIN)
        finally:
            bot.brings = False

    async def _deliver(self, bot: Bot, update: dict[str, Any]) -> bool:
        """Return whether an update was answered well. Its answer can get lost."""
        path = urlsplit(bot.url).path
        lost = self._x.knobs.fires("lose", path)
        if self._x.knobs.fires("disconnect", path):
            return False
        well = await self._x.sender.bring(bot.url, update, {SECRET: bot.secret})
        if self._x.knobs.fires("duplicate", path):
            await self._x.sender.bring(bot.url, update, {SECRET: bot.secret})
        return well and lost is None
