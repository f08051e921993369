"""Every message of the program, read once in a process: it takes seconds."""

from collections.abc import Mapping
from functools import cache

from babel.messages.catalog import Message

from scripts import page_words


@cache
def every_message() -> Mapping[object, Message]:
    """Return the messages by their ids."""
    return {message.id: message for message in page_words.messages() if message.id}
