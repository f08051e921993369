"""Questions to a caller who cannot speak: each is spoken, and answered with one key. Pure.

The words are prompts (`ask_…`) in the language of the call; this module says what each key means.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

YES_NO: Mapping[str, str] = {"1": "yes", "2": "no"}


@dataclass(frozen=True)
class Question:
    """A question that may be asked. `danger` holds the answers that mean danger now."""

    words: str
    answers: Mapping[str, str] = field(default_factory=lambda: YES_NO)
    danger: frozenset[str] = frozenset()


QUESTIONS: Mapping[str, Question] = {
    "alone": Question("Can you talk with me now?"),
    "safe": Question("Are you safe where you are?", danger=frozenset({"no"})),
    "hurt": Question("Are you hurt, or do you need a doctor?", danger=frozenset({"yes"})),
    "someone_there": Question(
        "Is the person you are afraid of near you?", danger=frozenset({"yes"})
    ),
    "help_come": Question("Do you want us to send help to you?", danger=frozenset({"yes"})),
    "call_back": Question("Shall we ring you later, when you can talk?"),
    "about": Question(
        "What is it about?",
        {"1": "home", "2": "school", "3": "friends", "4": "internet", "5": "other"},
    ),
    "who": Question("Who is it about?", {"1": "me", "2": "sibling", "3": "friend", "4": "other"}),
}
