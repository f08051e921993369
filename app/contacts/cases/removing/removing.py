"""Files without what a camera or program wrote into them. Pure; runs in `looking.py`.

A picture looks the same: it keeps its orientation, its colours and its compression.
"""

from collections.abc import Callable

from app.contacts.cases.removing.heic_pictures import without_words
from app.contacts.cases.removing.jpeg_pictures import without_segments
from app.contacts.cases.removing.mp3_sound import without_tags
from app.contacts.cases.removing.office_documents import without_authors
from app.contacts.cases.removing.ogg_sound import without_comments
from app.contacts.cases.removing.pdf_documents import without_programs
from app.contacts.cases.removing.png_pictures import without_chunks
from app.contacts.cases.removing.wav_sound import sound_alone


def removed(content: bytes, media_type: str) -> bytes:
    """Return the file without details. Raises CannotRemove, or whatever a library raises."""
    return _REMOVERS[media_type](content)


_REMOVERS: dict[str, Callable[[bytes], bytes]] = {
    "image/jpeg": without_segments,
    "image/png": without_chunks,
    "image/heic": without_words,
    "audio/mpeg": without_tags,
    "audio/ogg": without_comments,
    "audio/x-wav": sound_alone,
    "application/pdf": without_programs,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": without_authors,
    "application/vnd.oasis.opendocument.text": without_authors,
}
