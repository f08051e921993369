"""Whether a child, or another person who has its phone, wants no more messages. Pure.

The words are in the `language.yaml` of each language. HELP is none of them, although a provider may
say so: a child who writes it needs help. Where a provider takes more words, its own mark says so.
"""

from app.words import stop_words


def means_stop(text: str) -> bool:
    """Return whether a whole text says that no more is wanted: "stop hitting me" does not."""
    return " ".join(text.casefold().split()).strip(".!") in stop_words()
