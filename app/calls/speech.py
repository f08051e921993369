"""A line with everything that it says, as plain values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app import words
from app.words.keys import PromptKey

# The emergency number to ring when no counsellor is there, as it is spoken.
EMERGENCY = {"RS": "1 9 2", "GB": "9 9 9"}
EMERGENCY_ELSEWHERE = "1 1 2"


@dataclass(frozen=True)
class Spoken:
    """A language of a line: its digit in the menu, its locale, its voice."""

    language: str
    digit: str
    locale: str
    voice: str | None


@dataclass(frozen=True)
class PromptText:
    """A text, or the id of a recorded file."""

    text: str | None
    recording: UUID | None


@dataclass(frozen=True)
class LineScript:
    """A line with everything it says: plain values, safe to remember."""

    id: UUID
    number: str
    name: str
    country: str
    timezone: str
    danger_digit: str
    # What the menu offers, in its order.
    languages: tuple[Spoken, ...]
    prompts: dict[tuple[str, str], PromptText]
    # Who else is offered a call as it waits; see `app/routing/plan.py`.
    plan: Mapping[str, Any] = field(default_factory=dict)
    # Languages that the menu does not offer any more: calls that are under way may be in them.
    removed: tuple[Spoken, ...] = ()
    # Whether and how children write to the line; see `chat_rules.py`.
    chat: Mapping[str, Any] = field(default_factory=dict)
    practice: bool = False
    # False: it is retired, and only calls that are under way are in it.
    active: bool = True
    # The number that the phones of counsellors and agencies show.
    shown_number: str = ""
    # The questions to a caller who cannot speak; None for all. See `key_questions.py`.
    key_questions: tuple[str, ...] | None = None

    @property
    def own_numbers(self) -> tuple[str, ...]:
        """The helpline's own numbers, as a child may write them."""
        return tuple(one for one in (self.number, self.shown_number) if one)

    @property
    def emergency(self) -> str:
        return EMERGENCY.get(self.country, EMERGENCY_ELSEWHERE)

    def spoken(self, language: str | None) -> Spoken:
        """Return the language asked for, also one that was removed, or the line's first."""
        known = (*self.languages, *self.removed)
        return next((s for s in known if s.language == language), self.languages[0])

    def prompt(self, language: str, key: PromptKey) -> PromptText:
        """Return the line's own prompt for a key, or the shipped one in that language."""
        own = self.prompts.get((language, key))
        return own or PromptText(words.prompt(language, key) or "", None)
