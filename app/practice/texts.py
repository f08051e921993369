"""Text messages at the exchange: SMS and WhatsApp, from children who write and to their phones.

Strict as the provider is: what it would refuse is refused, with its codes, and what it would not
bring is reported as such. See `docs/developers/exchange.md`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.practice.people import Heard
from app.practice.refusal import RestError
from app.practice.rooms import Message
from app.practice.webhooks import Unanswered
from app.practice.wire import Fields

if TYPE_CHECKING:
    from app.practice.exchange import Exchange

WHATSAPP = "whatsapp:"
# How long after a person's last message WhatsApp brings words that were not approved.
_WINDOW = timedelta(hours=24)
_LONGEST = 1600
# What the provider itself takes for a wish to get no more, and for one to get them again.
_STOPS = frozenset("stop stopall unsubscribe cancel end quit revoke optout".split())
_STARTS = frozenset(("start", "yes", "unstop"))


def media_sid(n: int) -> str:
    """Return the provider's id of the n-th file of a message."""
    return f"ME{n:032x}"


@dataclass
class Pocket:
    """How a phone takes texts: what becomes of them, and whether they are read."""

    # The provider's code of what goes wrong: 30003 unreachable, 30005 unknown, 30007 filtered.
    fails: int | None = None
    # Seconds from its arrival until a WhatsApp message is read; None: it is not.
    reads_after: float | None = 1.0


class Texts:
    """All text messages of an account."""

    def __init__(self, exchange: "Exchange") -> None:
        self._x = exchange
        # Numbers of ours that are WhatsApp senders, and the approved texts, by their id.
        self.senders: set[str] = set()
        self.templates: dict[str, str] = {}
        # The provider keeps words like STOP itself, and sends nothing to who wrote them.
        self.keeps_opt_outs = True
        self.opted_out: set[tuple[str, str]] = set()
        self.pockets: dict[str, Pocket] = {}
        # When each address last wrote to each of ours.
        self.last: dict[tuple[str, str], datetime] = {}
        # What came with messages, by their sid and its own: the content and its type.
        self.files: dict[tuple[str, str], tuple[bytes, str]] = {}
        # Messages that came in: sid, from, to.
        self.came: list[Message] = []

    def pocket(self, address: str) -> Pocket:
        return self.pockets.setdefault(address, Pocket())

    # -- to the account --------------------------------------------------------------------------

    def write(
        self,
        from_: str,
        to: str,
        body: str,
        *,
        media: tuple[str, ...] = (),
        files: tuple[bytes, ...] = (),
        name: str = "",
        **more: str,
    ) -> str:
        """Let a person write to one of our numbers. Return the id of the message.

        `media`: the types of what comes with it, and `files` what it is. `name`: how the person is
        called in WhatsApp.
        """
        message = Message(
            sid=self._x.sids.new("MM" if media else "SM"),
            to=to,
            from_=from_,
            body=body,
            created_at=self._x.clock.now(),
            status="received",
            direction="inbound",
            media=media,
        )
        self.came.append(message)
        for n, content in enumerate(files):
            self.files[message.sid, media_sid(n)] = (content, media[n])
        self.last[from_, to] = message.created_at
        word = body.strip().lower()
        if self.keeps_opt_outs and not from_.startswith(WHATSAPP):
            if word in _STOPS:
                self.opted_out.add((from_, to))
                more = {"OptOutType": "STOP", **more}
            elif word in _STARTS:
                self.opted_out.discard((from_, to))
                more = {"OptOutType": "START", **more}
        number = self._x.numbers[to.removeprefix(WHATSAPP)]
        if number.sms_url is not None:
            self._bring(number.sms_url, message, name, more)
        return message.sid

    def _bring(self, url: str, message: Message, name: str, more: dict[str, str]) -> None:
        """Bring a message to its webhook: it may overtake others, come twice, late, or never."""
        fields = self._fields(message, name, more)
        path, knobs = urlsplit(url).path, self._x.knobs
        if knobs.fires("lose", path):
            return
        delay = knobs.fires("delay", path)

        async def deliver() -> None:
            if delay is not None:
                await self._x.clock.sleep(delay.seconds)
            try:
                answered = await self._x.sender.fetch(url, fields, {}, allowed={"Message"})
            except Unanswered:
                return
            for verb in answered.verbs:
                self._answer(message, verb.text)

        self._x.spawn(self._in_turn(path, deliver))

    async def _in_turn(self, path: str, deliver: Callable[[], Awaitable[None]]) -> None:
        if self._x.knobs.fires("reorder", path):
            await self._x.clock.sleep(2)
        await deliver()

    def _fields(self, message: Message, name: str, more: dict[str, str]) -> Fields:
        fields = [
            ("ToCountry", "RS"),
            ("ToState", ""),
            ("SmsMessageSid", message.sid),
            ("NumMedia", str(len(message.media))),
            ("ToCity", ""),
            ("FromZip", ""),
            ("SmsSid", message.sid),
            ("FromState", ""),
            ("SmsStatus", "received"),
            ("FromCity", ""),
            ("Body", message.body),
            ("FromCountry", "RS"),
            ("To", message.to),
            ("ToZip", ""),
            ("NumSegments", "1"),
            ("MessageSid", message.sid),
            ("AccountSid", self._x.account_sid),
            ("From", message.from_),
            ("ApiVersion", "2010-04-01"),
        ]
        if message.from_.startswith(WHATSAPP):
            number = message.from_.removeprefix(WHATSAPP)
            fields += [
                ("ProfileName", name or "Zvezdica"),
                ("WaId", number.removeprefix("+")),
                ("MessageType", "image" if message.media else "text"),
                ("ChannelMetadata", '{"type":"whatsapp","data":{}}'),
            ]
        base = f"https://api.twilio.com/2010-04-01/Accounts/{self._x.account_sid}/Messages"
        for n, kind in enumerate(message.media):
            fields.append((f"MediaUrl{n}", f"{base}/{message.sid}/Media/{media_sid(n)}"))
            fields.append((f"MediaContentType{n}", kind))
        return fields + list(more.items())

    def _answer(self, to: Message, words: str) -> None:
        """Send what a document answers to a message."""
        if words:
            answer = Message(
                sid=self._x.sids.new("SM"),
                to=to.from_,
                from_=to.to,
                body=words,
                created_at=self._x.clock.now(),
                direction="outbound-reply",
            )
            self.send(answer)

    # -- from the account ------------------------------------------------------------------------

    def check(self, to: str, from_: str, body: str, template: str) -> str:
        """Return the words of a message that is to be sent. Raises RestError, as the provider."""
        if template and template not in self.templates:
            raise RestError(404, 20404, f"Content {template} was not found")
        words = self.templates.get(template, "") if template else body
        if not words:
            raise RestError(400, 21602, "Message body is required")
        if len(words) > _LONGEST:
            raise RestError(400, 21617, "The concatenated message body exceeds the 1600 limit")
        if from_.startswith(WHATSAPP) != to.startswith(WHATSAPP):
            raise RestError(400, 21910, "From and To are not of the same channel")
        if from_.startswith(WHATSAPP) and from_.removeprefix(WHATSAPP) not in self.senders:
            raise RestError(400, 63007, "Could not find a Channel with the From address")
        if not from_.startswith(WHATSAPP) and from_ not in self._x.numbers:
            raise RestError(400, 21606, "The 'From' number is not a valid message-capable number")
        if not to.removeprefix(WHATSAPP).startswith("+"):
            raise RestError(400, 21211, "The 'To' phone number is not a valid number")
        if (to, from_) in self.opted_out:
            raise RestError(400, 21610, "Attempt to send to unsubscribed recipient")
        return words

    def send(self, message: Message) -> None:
        """Carry a message: sent, delivered, and read; or not, as its phone has it."""
        self._x.messages[message.sid] = message
        self._x.spawn(self._carry(message))

    async def _carry(self, message: Message) -> None:
        phone, pocket = self._x.phone_at(message.to), self.pocket(message.to)
        await self._x.clock.sleep(0.5)
        by_whatsapp = message.to.startswith(WHATSAPP)
        if by_whatsapp and not message.template and self._is_closed(message):
            self._tell(message, "failed", 63016)
            return
        self._tell(message, "sent")
        await self._x.clock.sleep(1.5)
        fails = pocket.fails or (30003 if phone.unreachable and not by_whatsapp else None)
        if fails is not None:
            self._tell(message, "undelivered", fails)
            return
        phone.texts.append(Heard(self._x.clock.now(), message.body))
        self._tell(message, "delivered")
        if by_whatsapp and pocket.reads_after is not None:
            await self._x.clock.sleep(pocket.reads_after)
            self._tell(message, "read")

    def _is_closed(self, message: Message) -> bool:
        last = self.last.get((message.to, message.from_))
        return last is None or self._x.clock.now() - last >= _WINDOW

    def _tell(self, message: Message, status: str, code: int | None = None) -> None:
        message.status, message.code = status, code
        if not message.status_callback:
            return
        fields = [
            ("MessageSid", message.sid),
            ("SmsSid", message.sid),
            ("SmsStatus", status),
            ("MessageStatus", status),
            ("To", message.to),
            ("From", message.from_),
            ("AccountSid", self._x.account_sid),
            ("ApiVersion", "2010-04-01"),
        ]
        if message.to.startswith(WHATSAPP):
            fields += [("ChannelPrefix", "whatsapp"), ("ChannelToAddress", message.to)]
            fields += [("EventType", status.upper())] if status in ("delivered", "read") else []
        if code is not None:
            fields.append(("ErrorCode", str(code)))
        self._x.call_back(message.status_callback, fields, status)
