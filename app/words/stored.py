"""Sentences that the program writes into rows, where otherwise a person writes.

They are stored in English; a page says them again in the language of its reader.
"""

from app.errors import Message, recognised
from app.words.pages import N_, message_words

BY_KEY = N_("Answered by key: %(question)s")
SAYS_NO = N_("%(code)s says no.")
URGENT_BUTTON = N_("Urgent button in a live call: the child is in danger now.")
NO_COUNSELLOR = N_("The danger key was pressed, and no counsellor could take the call in time.")

STORED = (BY_KEY, SAYS_NO, URGENT_BUTTON, NO_COUNSELLOR)


def stored(template: str, **values: object) -> str:
    """Return a sentence as it is stored."""
    return str(Message(template, **values))


def said_again(text: str) -> str:
    """Return a stored sentence in the reader's language; what a person wrote stays as it is."""
    found = recognised(text, STORED)
    # What is filled in may be a message, too: the question that was asked.
    return message_words(Message(found.text, **{k: Message(v) for k, v in found.values.items()}))
