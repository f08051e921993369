"""What the desk shows of written conversations. The values are made only here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.calls.chat_rules import ChatRules, read_chat
from app.calls.reporting import report_page
from app.calls.sentences import Sentence
from app.calls.speech import LineScript
from app.calls.states import Channel, EndedBy
from app.chats.at_desk import AtDesk
from app.chats.ended_without_counsellor import Gone
from app.chats.media import ShownMedia
from app.chats.models import Author, Failure, MediaProblem, ReaderKind
from app.chats.noticing import MessagePart, Personal, danger_in, parts_of
from app.chats.reading import ShownMessage
from app.contacts.models import Contact
from app.dashboard.views import language_words
from app.words import child_texts
from app.words.chats import chat_words
from app.words.pages import N_, said

# A page shows the last messages; all of them are on the page of the contact.
SHOWN = 80

PERSONAL = {
    Personal.PHONE: N_("phone number"),
    Personal.MAIL: N_("e-mail address"),
    Personal.HANDLE: N_("name on a network"),
    Personal.ID: N_("personal number"),
}
# What the child reads of the program, as its counsellor is told.
SENTENCES = {
    Sentence.COUNSELLOR_HERE: N_("The child was told that a counsellor is here."),
    Sentence.COUNSELLOR_LOST: N_("The child was told that its counsellor was lost."),
    Sentence.HANDED_OVER: N_("The child was told that a colleague goes on."),
    Sentence.BUSY_A_MOMENT: N_("The child was told that you are busy for a moment."),
    Sentence.WAIT: N_("The child was told that a counsellor will answer soon."),
    Sentence.CLOSED: N_("The child was told that no counsellor is here now."),
    Sentence.NO_MEDIA: N_("The child sent something else than words, and was asked to write it."),
    Sentence.BLOCKED: N_("The child was told that it cannot be answered here now."),
    Sentence.TOO_MANY: N_("The child was told that it has begun too many conversations."),
    Sentence.TOO_FAST: N_(
        "The child was told that it writes too fast, and that some words did not arrive."
    ),
    Sentence.OPTED_OUT: N_("The child was told that it gets no more messages."),
}
# How a conversation ended without its counsellor.
GONE = {
    EndedBy.CALLER: N_("The child ended the conversation."),
    # Words that crossed this, or came after it.
    EndedBy.COUNSELLOR: N_("The counsellor ended the conversation."),
    EndedBy.AWAY: N_("The child's page was disconnected for too long."),
    EndedBy.PROGRAM: N_("The program ended the conversation."),
    EndedBy.PROVIDER: N_("The messenger ended the conversation."),
}
_BY_MESSENGER = N_("It goes to the child's messenger at once. Another person may read it there.")
# Where the answer to a message that was left goes.
ANSWERS_GO = {
    Channel.WEB: N_("The child reads it when it comes back with its code."),
    Channel.SMS: N_("It goes to the phone at once, by SMS. Another person may read it there."),
    Channel.WHATSAPP: N_(
        "It goes to the phone at once, or a day after the child's last word only when the "
        "child writes again. Another person may read it there."
    ),
    Channel.TELEGRAM: _BY_MESSENGER,
    Channel.VIBER: _BY_MESSENGER,
    Channel.SIGNAL: _BY_MESSENGER,
}
# Why a message did not reach a child.
FAILURES = {
    Failure.NOT_DIALLED: N_("not sent: the rules of dialling do not allow this number"),
    Failure.OPTED_OUT: N_("not sent: the child wants no more messages"),
    Failure.WINDOW: N_(
        "not sent: the child was silent for a day, and the line has no approved message"
    ),
    Failure.UNREACHABLE: N_("not delivered: the phone could not be reached"),
    Failure.UNKNOWN_NUMBER: N_("not delivered: the number does not exist"),
    Failure.FILTERED: N_("not delivered: a network held the message back"),
    Failure.NO_ADDRESS: N_("not sent: the number of the child was erased"),
    Failure.REFUSED: N_("not sent: the provider refused the message"),
    Failure.NOT_SET_UP: N_("not sent: the line has no account at this messenger any more"),
    Failure.UNCERTAIN: N_("perhaps not delivered: the provider does not say"),
}


# Why a picture or a voice note is not there.
MEDIA_PROBLEMS = {
    MediaProblem.TOO_LARGE: N_("It was too large, and was not kept."),
    MediaProblem.UNKNOWN_KIND: N_("It was of a kind that is not taken, and was not kept."),
    MediaProblem.HARMFUL: N_("The scanner found something harmful in it. It was not kept."),
    MediaProblem.NOT_CLEANED: N_(
        "What the camera wrote into it could not be removed. It was not kept."
    ),
    MediaProblem.GONE: N_("The messenger did not give it out."),
}
Media = Mapping[UUID, Sequence[ShownMedia]]


@dataclass(frozen=True)
class Bubble:
    """A message, as staff see it."""

    number: int
    by: str
    name: str
    whisper: bool
    parts: list[MessagePart]
    # What the program said, in the words of the page.
    sentence: str
    at: str
    # Empty, "sending", "held", "sent", "delivered" or "seen".
    ticks: str
    # Why it did not reach the child, in the words of the page.
    failure: str
    erased: bool
    # When it was written, if it came late.
    sent_at: str
    # The pictures and voice notes that came with it.
    media: tuple[ShownMedia, ...] = ()

    @property
    def numbers(self) -> list[str]:
        """Return the phone numbers in it that can be dialled."""
        return [part.number for part in self.parts if part.number is not None]


@dataclass(frozen=True)
class Tools:
    """What a line gives its counsellors to write with, in the language of a conversation."""

    country: str = ""
    own: tuple[str, ...] = ()
    beginnings: tuple[str, ...] = ()
    emoji: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    # Where the child reports abuse material, in its own language; a whole sentence.
    report: str = ""


@dataclass(frozen=True)
class ChatCard:
    """A conversation on the desk of its counsellor."""

    call_id: UUID
    offer_id: UUID
    # Its place on the desk, from 1.
    place: int
    line: str
    language: str
    code: str
    # By what the child writes, if it is not the page.
    channel: str
    danger: bool
    returned: bool
    offered: bool
    seconds_left: int | None
    unread: int
    waits: int | None
    away: int | None
    types: bool
    typed: str | None
    last: int
    bubbles: list[Bubble]
    earlier: int
    tools: Tools
    # Words of the child that speak of danger.
    alarming: str | None = None
    contact_id: UUID | None = None
    contact_code: str = ""
    decided: bool = False
    agreed: str = ""
    practice: bool = False
    # The child reads each letter as it is typed.
    letters: bool = False
    # Danger was written from there again and again.
    danger_again: bool = False
    # The child writes from a phone number that is known.
    has_number: bool = False


def tools_of(line: LineScript | None, language: str) -> Tools:
    """Return what a counsellor has at hand for one line and language: first what the line has."""
    if line is None:
        return Tools()
    rules: ChatRules = read_chat(line.chat)
    own = tuple(rules.beginnings.get(language, ()))
    shipped = tuple(one for one in chat_words(language).beginnings if one not in own)
    # Children write in the languages of the line, whichever they chose.
    languages = tuple(dict.fromkeys((language, *(one.language for one in line.languages))))
    page, report = report_page(rules, line.country), ""
    if page:
        report = child_texts(language)["page"]["report"].replace("{page}", page)
    return Tools(line.country, line.own_numbers, own + shipped, rules.emoji, languages, report)


def bubble(
    message: ShownMessage, tools: Tools, names: dict[UUID, str], media: Media | None = None
) -> Bubble:
    """Return a message with personal data marked. `names`: those of the staff who wrote; `media`:
    what came with messages."""
    ticks = ""
    if message.author is Author.COUNSELLOR and message.kind is ReaderKind.SAID:
        left = message.on_its_way.value if message.on_its_way else "sent"
        ticks = "seen" if message.seen_at else "delivered" if message.delivered_at else left
    words = message.words or ""
    by_child = message.author is Author.CHILD
    return Bubble(
        number=message.number,
        by=message.author.value,
        name=names.get(message.staff_id, "") if message.staff_id else "",
        whisper=message.kind is ReaderKind.WHISPER,
        parts=parts_of(words, tools.country, tools.own) if by_child else [MessagePart(words)],
        sentence=said(SENTENCES[message.sentence]) if message.sentence else "",
        at=message.at.isoformat(),
        ticks=ticks,
        failure=said(FAILURES[message.failure]) if message.failure else "",
        erased=message.erased,
        sent_at=message.sent_at.isoformat() if message.sent_at else "",
        media=tuple((media or {}).get(message.id, ())),
    )


def alarming(words: Sequence[ShownMessage], tools: Tools) -> str | None:
    """Return the last words of the child that speak of danger."""
    for message in reversed(words):
        if message.author is Author.CHILD and message.words:
            found = danger_in(message.words, tools.languages)
            if found is not None:
                return found
    return None


def chat_card(
    one: AtDesk,
    place: int,
    words: list[ShownMessage],
    tools: Tools,
    now: datetime,
    names: dict[UUID, str],
    contact: Contact | None,
    agreed: str,
    media: Media | None = None,
) -> ChatCard:
    """Return a conversation as the desk shows it; an offered one without what was written."""
    return ChatCard(
        call_id=one.call_id,
        offer_id=one.offer_id,
        place=place,
        line=one.line,
        language=language_words(one.language),
        code=one.language,
        channel="" if one.channel is Channel.WEB else one.channel.value,
        danger=one.danger,
        returned=one.returned,
        offered=one.seconds_left is not None,
        seconds_left=one.seconds_left,
        unread=one.unread,
        waits=_seconds(one.waits_since, now),
        away=_seconds(one.away_since, now),
        types=one.types,
        typed=one.typed,
        last=one.last_number,
        bubbles=[bubble(message, tools, names, media) for message in words],
        earlier=max(0, one.last_number - SHOWN) if words else 0,
        tools=tools,
        alarming=alarming(words, tools),
        contact_id=contact.id if contact else None,
        contact_code=contact.code if contact else "",
        decided=contact is not None and contact.urgency is not None,
        agreed=agreed,
        practice=one.practice,
        letters=one.letters,
        danger_again=one.danger_again,
        has_number=one.has_number,
    )


@dataclass(frozen=True)
class GoneCard:
    """A conversation whose child has left."""

    call_id: UUID
    line: str
    language: str
    channel: str
    danger: bool
    # How it ended, in the words of the page.
    how: str
    at: str
    unread: int
    # The child's last message that is counted here.
    last: int
    contact_id: UUID | None
    # The words that were not seen are of a child whose words speak of danger.
    alarming: bool
    # The colleague on whose desk it is; empty if it is the reader.
    counsellor: str
    danger_words: str


def gone_card(one: Gone) -> GoneCard:
    return GoneCard(
        one.call_id,
        one.line,
        language_words(one.language),
        "" if one.channel is Channel.WEB else one.channel.value,
        one.danger,
        said(GONE.get(one.ended_by, GONE[EndedBy.CALLER])),
        one.ended_at.isoformat(),
        one.unread,
        one.last,
        one.contact_id,
        one.alarming and one.unread > 0,
        one.counsellor,
        one.danger_words,
    )


def _seconds(since: datetime | None, now: datetime) -> int | None:
    return None if since is None else max(0, int((now - since).total_seconds()))
