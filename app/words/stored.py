"""Sentences that the program writes into rows, where otherwise a person writes.

They are stored in English; a page says them again in the language of its reader.
"""

from app.errors import Message, recognised
from app.words.pages import N_, message_words

BY_KEY = N_("Answered by key: %(question)s")
SAYS_NO = N_("%(code)s says no.")

_STORED = (BY_KEY, SAYS_NO)


def stored(template: str, **values: object) -> str:
    """Return a sentence as it is stored."""
    return str(Message(template, **values))


def said_again(text: str) -> str:
    """Return a stored sentence in the reader's language; what a person wrote stays as it is."""
    found = recognised(text, _STORED)
    # What is filled in may be a message, too: the question that was asked.
    return message_words(Message(found.text, **{k: Message(v) for k, v in found.values.items()}))
