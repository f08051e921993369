"""What an engine for translations is: the one contract that every file beside this one fulfils.

It is a machine of the helpline's own: what a child writes leaves for no other.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum


class Why(StrEnum):
    """Why there is no translation."""

    # No answer in time, or an answer that cannot be read.
    AWAY = "away"
    # It does not know one of the languages, or not this way between them.
    LANGUAGES = "languages"
    # It does not accept our key.
    KEY = "key"


class NoTranslation(Exception):
    """The engine has not translated. It carries no word of what was to be translated."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


class Engine(ABC):
    """A machine that translates."""

    @abstractmethod
    async def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """Return texts in another language, in their order. `source`, `target`: codes of languages.

        Raises NoTranslation, within the time that the settings allow.
        """
