"""How children write to a line: whether they can, in which languages, and with whom. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from app.calls.states import Channel
from app.errors import BadText

# The most conversations that a counsellor can have at once, and the most sites of one line.
MOST_AT_ONCE = 8
_MOST_SITES = 20
_MOST_RESERVE = 100
_LONGEST = 3600
# What a line says of itself on the child's page, and what its counsellors have at hand.
_LONGEST_WORDS = 600
_MOST_EMOJI, _MOST_BEGINNINGS = 24, 30
EMOJI = ("🙂", "💙", "👍", "🤗", "💪", "🌱", "☀️", "🙏")
# Words of our own in the addresses of the child's page.
_TAKEN = ("conversation", "return")
_SLUG = re.compile(r"[a-z][a-z0-9-]{1,39}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
# The address of a page: nothing that could end an attribute.
_PAGE = re.compile(r"https://[a-z0-9][a-z0-9.-]*(:\d{1,5})?(/[!#-&(-;=?-Z_a-z~]*)?")
_LONGEST_TITLE, _LONGEST_ADDRESS = 40, 200
# The pictures beside the title of the page, which say nothing of a helpline.
ICONS = ("page", "sun", "star", "ball")
# The provider's id of an approved message, for a language of the line.
_TEMPLATE = re.compile(r"([A-Za-z-]{2,20})=(HX[0-9a-f]{32})")


# The carriers that exist; see `app/telephony/messaging/registry.py`.
SERVED = (Channel.SMS, Channel.WHATSAPP, Channel.TELEGRAM, Channel.SIGNAL)
# The settings that are lists.
LISTS = ("languages", "sites", "emoji", "by", "media", "templates")
# What children can send besides words, where a line takes it; see `MediaKind`.
MEDIA = ("picture", "voice")


@dataclass(frozen=True)
class ChatRules:
    """The settings of a line for written conversations.

    `slug`: the line's word in the address of its page, beside its number. `languages`: those in
    which children can write; empty means all of the line. `at_once`: the most conversations of a
    counsellor at once, if they may have more. `reserve`: how many available counsellors are kept
    for calls, until a child has waited `reserve_seconds`. `sites`: the origins that may show the
    page within theirs. `exit_site`: where a child goes that leaves at once. `title` and `icon`:
    what the browser shows of the page instead of the helpline's name; without a title it is a
    word of the child's language. `report_page`: where pictures and videos of child abuse are
    reported; without one that of the line's country, and empty for none.

    What counsellors have at hand: `emoji`, and `beginnings` by language, which come before those of
    the program. `closed`: what the child reads out of hours, by language.

    `by`: the carriers by which children write besides the page, such as `sms`. `media`: what is
    taken by them besides words, `picture` and `voice`; empty means that all else is refused.
    `templates`: what is sent by WhatsApp when the child was silent for a day, like `sr=HX...`.
    """

    on: bool = False
    slug: str | None = None
    languages: tuple[str, ...] = ()
    at_once: int = 3
    reserve: int = 0
    reserve_seconds: int = 120
    sites: tuple[str, ...] = ()
    exit_site: str = "https://www.wikipedia.org/"
    title: str = ""
    icon: str = "page"
    report_page: str | None = None
    emoji: tuple[str, ...] = EMOJI
    closed: Mapping[str, str] = field(default_factory=dict)
    beginnings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    by: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()

    def speaks(self, language: str) -> bool:
        return not self.languages or language in self.languages

    def template(self, language: str) -> str | None:
        """Return the provider's id of the approved message in a language, or of the first one."""
        known = dict(one.split("=", 1) for one in self.templates)
        return known.get(language) or next(iter(known.values()), None)


def read_chat(kept: Mapping[str, Any]) -> ChatRules:
    """Read the rules as stored with their line. Missing values take their defaults."""
    known = {one.name for one in fields(ChatRules)}
    values = {name: value for name, value in kept.items() if name in known}
    for name in LISTS:
        if name in values:
            values[name] = tuple(values[name])
    return ChatRules(**values)


def check_chat(rules: ChatRules, spoken: tuple[str, ...]) -> dict[str, Any]:
    """Return the rules as they are stored, without defaults. `spoken`: the line's languages.

    Raises ValueError with the reason.
    """
    if rules.slug is not None and (not _SLUG.fullmatch(rules.slug) or rules.slug in _TAKEN):
        raise BadText(
            "'%(slug)s' cannot stand in an address. Write 2 to 40 lower-case letters, digits and "
            "hyphens, and begin with a letter.",
            slug=rules.slug,
        )
    for language in rules.languages:
        if language not in spoken:
            raise BadText(
                "The line does not have the language '%(language)s'. Add it to the line first, "
                "or choose from: %(spoken)s.",
                language=language,
                spoken=", ".join(spoken),
            )
    if not 1 <= rules.at_once <= MOST_AT_ONCE:
        raise BadText(
            "A counsellor can have 1 to %(most)s conversations at once", most=MOST_AT_ONCE
        )
    if not 0 <= rules.reserve <= _MOST_RESERVE:
        raise BadText("0 to %(most)s counsellors can be kept for calls", most=_MOST_RESERVE)
    if not 0 <= rules.reserve_seconds <= _LONGEST:
        raise BadText(
            "Counsellors can be kept for calls for 0 to %(longest)s seconds", longest=_LONGEST
        )
    if len(rules.sites) > _MOST_SITES:
        raise BadText("At most %(most)s sites can show the page", most=_MOST_SITES)
    for site in rules.sites:
        _check_site(site)
    _check_looks(rules)
    _check_words(rules, spoken)
    _check_carriers(rules, spoken)
    usual = asdict(ChatRules())
    kept = {name: value for name, value in asdict(rules).items() if value != usual[name]}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in kept.items()}


def _check_looks(rules: ChatRules) -> None:
    """Refuse a title, a picture, a way out and a hotline that the page could not use."""
    if len(rules.title) > _LONGEST_TITLE or not rules.title.isprintable():
        raise BadText(
            "The title has at most %(longest)s characters, in one line", longest=_LONGEST_TITLE
        )
    if rules.icon not in ICONS:
        raise BadText("Choose one of these pictures: %(icons)s", icons=", ".join(ICONS))
    site = rules.exit_site
    if not _PAGE.fullmatch(site) or len(site) > _LONGEST_ADDRESS:
        raise BadText(
            "'%(site)s' is not the address of a page to leave to. Write it like "
            "https://www.example.org/weather",
            site=site[:120],
        )
    page = rules.report_page or ""
    if page and (not _PAGE.fullmatch(page) or len(page) > _LONGEST_ADDRESS):
        raise BadText(
            "'%(page)s' is not the address of a page on which children report. Write it like "
            "https://www.example.org/report",
            page=page[:120],
        )


def _check_carriers(rules: ChatRules, spoken: tuple[str, ...]) -> None:
    known = [str(channel) for channel in SERVED]
    for name in rules.by:
        if name not in known:
            raise BadText(
                "Children cannot write by '%(name)s'. Choose from: %(known)s.",
                name=name[:40],
                known=", ".join(known),
            )
    for name in rules.media:
        if name not in MEDIA:
            raise BadText(
                "Children cannot send '%(name)s'. Choose from: %(known)s.",
                name=name[:40],
                known=", ".join(MEDIA),
            )
    for one in rules.templates:
        found = _TEMPLATE.fullmatch(one)
        if found is None or found[1] not in spoken:
            raise BadText(
                "'%(template)s' is not a template. Write a language of the line and the "
                "provider's id of the approved message, like sr=HX followed by 32 digits.",
                template=one[:80],
            )


def _check_site(site: str) -> None:
    """Refuse what is not an origin. Only https: a page within an open one could be replaced."""
    parts = urlsplit(site)
    try:
        right = parts.scheme == "https" and _HOST.fullmatch(parts.hostname or "") is not None
        whole = f"https://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        right, whole = False, ""
    if not right or site != whole:
        raise BadText(
            "'%(site)s' is not the address of a site. Write it like https://www.example.org, "
            "without a path.",
            site=site[:120],
        )


def _check_words(rules: ChatRules, spoken: tuple[str, ...]) -> None:
    """Refuse words that do not fit on a page, or that are in no language of the line."""
    if len(rules.emoji) > _MOST_EMOJI or any(not 1 <= len(one) <= 12 for one in rules.emoji):
        raise BadText("Choose at most %(most)s emoji, with spaces between them", most=_MOST_EMOJI)
    for language in (*rules.closed, *rules.beginnings):
        if language not in spoken:
            raise BadText("The line does not have the language '%(language)s'.", language=language)
    if any(len(words) > _LONGEST_WORDS for words in rules.closed.values()):
        raise BadText("Write at most %(longest)s characters.", longest=_LONGEST_WORDS)
    for beginnings in rules.beginnings.values():
        if len(beginnings) > _MOST_BEGINNINGS or any(len(one) > 200 for one in beginnings):
            raise BadText(
                "Write at most %(most)s beginnings, each of at most 200 characters",
                most=_MOST_BEGINNINGS,
            )
