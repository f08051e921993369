"""Questions to a caller who cannot speak: each is spoken, and answered with one key. Pure.

The caller hears `prompt` in the language of the call, and the counsellor reads `words`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.words.keys import PromptKey
from app.words.pages import N_

YES_NO: Mapping[str, str] = {"1": "yes", "2": "no"}


@dataclass(frozen=True)
class Question:
    """A question that may be asked. `danger` holds the answers that mean danger now."""

    words: str
    prompt: PromptKey
    answers: Mapping[str, str] = field(default_factory=lambda: YES_NO)
    danger: frozenset[str] = frozenset()


QUESTIONS: Mapping[str, Question] = {
    "alone": Question(N_("Can you talk with me now?"), PromptKey.ASK_ALONE),
    "safe": Question(
        N_("Are you safe where you are?"), PromptKey.ASK_SAFE, danger=frozenset({"no"})
    ),
    "hurt": Question(
        N_("Are you hurt, or do you need a doctor?"), PromptKey.ASK_HURT, danger=frozenset({"yes"})
    ),
    "someone_there": Question(
        N_("Is the person you are afraid of near you?"),
        PromptKey.ASK_SOMEONE_THERE,
        danger=frozenset({"yes"}),
    ),
    "help_come": Question(
        N_("Do you want us to send help to you?"),
        PromptKey.ASK_HELP_COME,
        danger=frozenset({"yes"}),
    ),
    "call_back": Question(
        N_("Shall we call you later, when you can talk?"), PromptKey.ASK_CALL_BACK
    ),
    "about": Question(
        N_("What is it about?"),
        PromptKey.ASK_ABOUT,
        {"1": "home", "2": "school", "3": "friends", "4": "internet", "5": "other"},
    ),
    "who": Question(
        N_("Who is it about?"),
        PromptKey.ASK_WHO,
        {"1": "me", "2": "sibling", "3": "friend", "4": "other"},
    ),
}
