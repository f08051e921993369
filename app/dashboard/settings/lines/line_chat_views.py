"""What the page of a line shows of written conversations, and what its form sends."""

from collections.abc import Mapping
from typing import Any

from app.calls import reporting
from app.calls.chat_rules import ICONS, MEDIA, MOST_AT_ONCE, SERVED, ChatRules
from app.chats.carrier_rows import AccountProblem, AccountState
from app.errors import Invalid
from app.words.pages import N_

CHAT_NUMBERS = ("at_once", "reserve", "reserve_seconds")
ICON_WORDS = dict(zip(ICONS, (N_("A page"), N_("A sun"), N_("A star"), N_("A ball")), strict=True))
CARRIER_WORDS = dict(
    zip(
        SERVED,
        (N_("Text messages (SMS)"), N_("WhatsApp"), N_("Telegram"), N_("Signal")),
        strict=True,
    )
)
MEDIA_WORDS = dict(zip(MEDIA, (N_("Pictures"), N_("Voice notes")), strict=True))
BOT_STATES = {
    AccountState.WANTED: N_(
        "It is being registered at Telegram. Open this page again in a moment."
    ),
    AccountState.REGISTERED: N_("Children can write to it now."),
    AccountState.PAUSED: N_(
        "Children are not heard: Telegram, or writing itself, is switched off above. Telegram "
        "keeps for a day what they write."
    ),
    AccountState.REFUSED: N_("Children are not heard."),
}
BOT_PROBLEMS = {
    AccountProblem.TOKEN: N_("Telegram does not know the token. Copy it again from BotFather."),
    AccountProblem.ADDRESS: N_(
        "Telegram cannot bring messages to the address of this server: it must be https, with a "
        "certificate that others trust, on port 443, 80, 88 or 8443."
    ),
    AccountProblem.AWAY: N_("Telegram does not answer. The program goes on trying."),
}


SIGNAL_STATES = {
    AccountState.WANTED: N_("It is being looked for. Open this page again in a moment."),
    AccountState.REGISTERED: N_("Children can write to it now."),
    AccountState.PAUSED: N_(
        "Children are not heard: Signal, or writing itself, is switched off above. Signal keeps "
        "what they write."
    ),
    AccountState.REFUSED: N_("Children are not heard."),
}
SIGNAL_PROBLEMS = {
    AccountProblem.TOKEN: N_("The service for Signal does not have this number."),
    AccountProblem.MODE: N_(
        "The service for Signal loses what comes while this server is away: set its MODE to "
        "native or normal."
    ),
    AccountProblem.ADDRESS: N_("The service for Signal refuses it, or none is set up."),
    AccountProblem.AWAY: N_("The service for Signal does not answer. The program goes on trying."),
    AccountProblem.UNREAD: N_(
        "A message could not be read. It is kept for 30 days and tried again. Tell your operator."
    ),
}


def chat_values(rules: ChatRules, number: str, country: str, origin: str) -> dict[str, Any]:
    """Return what the page of a line says about writing: its settings, the address of the page of
    children, and what another site writes into its own to show it."""
    address = f"{origin}/chat/{rules.slug or number.lstrip('+')}"
    frame = (
        f'<iframe src="{address}" title="Chat" width="100%" height="640" '
        'style="border:0" referrerpolicy="no-referrer"></iframe>\n'
        f'<p><a href="{address}" rel="noreferrer">{address}</a></p>'
    )
    return {
        "chat": rules,
        "chat_icons": tuple(ICON_WORDS.items()),
        "chat_address": address,
        "chat_frame": frame,
        "report_page": reporting.report_page(rules, country),
        "most_at_once": MOST_AT_ONCE,
        "carriers": tuple(CARRIER_WORDS.items()),
        "taken": tuple(MEDIA_WORDS.items()),
    }


def read_chat_form(sent: Mapping[str, str]) -> dict[str, Any]:
    """Read the form of written conversations. Raises Invalid."""
    try:
        numbers = {name: int(sent.get(name, "")) for name in CHAT_NUMBERS}
    except ValueError:
        raise Invalid("Write each number as a whole number.") from None
    written = {name: value.strip() for name, value in sent.items()}
    closed = by_name(written, "closed.")
    beginnings = by_name(written, "beginnings.")
    return {
        **numbers,
        "on": "on" in sent,
        "slug": written.get("slug", ""),
        "languages": sorted(by_name(written, "language.")),
        "sites": written.get("sites", "").split(),
        "by": sorted(by_name(written, "by.")),
        "media": sorted(by_name(written, "media.")),
        "templates": written.get("templates", "").split(),
        "title": written.get("title", ""),
        "exit_site": written.get("exit_site", ""),
        "report_page": written.get("report_page"),
        "icon": written.get("icon", ""),
        "emoji": written.get("emoji", "").split(),
        "closed": closed,
        "beginnings": {
            language: [one.strip() for one in text.splitlines() if one.strip()]
            for language, text in beginnings.items()
        },
    }


def by_name(written: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the fields of one kind that are not empty, by what follows the prefix."""
    found = {n.removeprefix(prefix): text for n, text in written.items() if n.startswith(prefix)}
    return {language: text for language, text in found.items() if text}
