"""The sentences of practice calls as a catalogue of gettext, for a translator. Pure."""

import unicodedata
from collections.abc import Mapping

from app.errors import Message
from app.training import scenarios
from app.words.keyed import Keyed
from app.words.practice import LONGEST

# Parts of the key of a sentence that the trainee reads, and of one that the child writes.
_READ = frozenset({"title", "trains", "before", "topic", "name"})
_WRITTEN = frozenset({"written", "written_silence", "written_reacts"})


class Scripted(Keyed):
    """What scripted children say."""

    def texts_of(self, language: str) -> Mapping[str, str]:
        return scenarios.texts_of(language)

    def shipped_of(self, language: str) -> Mapping[str, str]:
        return scenarios.shipped_texts_of(language)

    def use(self, own: Mapping[str, Mapping[str, str]]) -> None:
        scenarios.use(own)

    def notes(self, key: str) -> list[str]:
        places = key.split(".")
        if places[-1] in _READ:
            return ["The trainee reads it."]
        if _WRITTEN & set(places):
            return ["The child writes it, as children write."]
        return ["The child says it, as children speak."]

    def problem_of(self, key: str, source: str, text: str) -> Message | None:
        if not text.strip():
            return Message("%(key)s is empty", key=key)
        if any(unicodedata.category(one) == "Cc" for one in text):
            return Message("%(key)s must be one line, without control characters", key=key)
        if len(text) > LONGEST:
            return Message("%(key)s may have at most %(most)s characters", key=key, most=LONGEST)
        return None
