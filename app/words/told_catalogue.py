"""What callers, children and agencies are told, as a catalogue of gettext. Pure.

The words are in the YAML files of each language; `texts.py` gives them their keys.
"""

from collections.abc import Mapping

from app import words
from app.errors import Message as Said
from app.words import danger, texts
from app.words.chats import chat_words
from app.words.foreign_addresses import leads_elsewhere
from app.words.keyed import Keyed

_DUTY_WORDS = "letters.duty_words."


class SpokenAndMailed(Keyed):
    """The prompts and letters."""

    def texts_of(self, language: str) -> Mapping[str, str]:
        return words.texts_of(language)

    def shipped_of(self, language: str) -> Mapping[str, str]:
        return words.shipped_texts(language)

    def use(self, own: Mapping[str, Mapping[str, str]]) -> None:
        words.use(own)
        chat_words.cache_clear()

    def problem_of(self, key: str, source: str, text: str) -> Said | None:
        return texts.problem_of(key, source, text)

    def notes(self, key: str) -> list[str]:
        if texts.is_list(key):
            return ["A list: one entry on each line, as many as the language needs."]
        if texts.is_sent_as_sms(key):
            return [f"Sent by SMS: at most {texts.MOST_PARTS} parts. Keep it short."]
        return []

    def counts_anyway(self, key: str) -> bool:
        # Words of danger are those of the language itself.
        return key == danger.KEY

    def clash_of(self, key: str, language: str, mine: Mapping[str, str]) -> Said | None:
        """Return which word of danger would be found in almost everything, which number or address
        is new, or which word that a counsellor texts has another meaning already."""
        if key == danger.KEY:
            return danger.problem_of(language, mine[key])
        known = (words.texts_of(words.SOURCE)[key], words.shipped_texts(language).get(key, ""))
        found = leads_elsewhere(mine[key], known)
        if found is not None:
            return Said(
                "%(key)s: “%(found)s” is a number or an address that the English does not have",
                key=key,
                found=found,
            )
        return _meant_otherwise(key, language, mine) if key.startswith(_DUTY_WORDS) else None


def _meant_otherwise(key: str, language: str, mine: Mapping[str, str]) -> Said | None:
    """Return which word a counsellor texts that has another meaning already: all count in every
    language at once."""
    chosen = {one.lower() for one in texts.entries(mine[key])}
    for other in words.languages():
        for name, said in (mine if other == language else words.texts_of(other)).items():
            if name.startswith(_DUTY_WORDS) and name != key:
                for word in chosen & {one.lower() for one in texts.entries(said)}:
                    return Said(
                        "%(key)s: “%(word)s” has another meaning in %(language)s",
                        key=key,
                        word=word,
                        language=words.about(other).name,
                    )
    return None
