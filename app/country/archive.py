"""A set of definitions as it is sent: the files of a folder, or a .zip of them. Pure.

Nothing is written to the disk, and a name from outside is only ever a name. What is sent is
bounded: an archive is read entry by entry, and no entry further than a file may be long.
"""

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from app.definitions.datafile import BadDefinition, Wrong, check_depth
from app.definitions.folder import Folder, folder_with
from app.errors import Message
from app.words.pages import N_

MOST_FILES = 200
LARGEST_FILE = 1024 * 1024
LARGEST_SET = 4 * 1024 * 1024
# The limit of a body with files or an archive.
LARGEST_UPLOAD = 8 * 1024 * 1024
# Everything that may lie in a folder or an archive, definitions or not.
MOST_ENTRIES = 1000
# In place of the name of a file: the whole of what was sent.
_ARCHIVE = N_("archive")
_NAME = re.compile(r"\w[\w .()-]{0,79}\.yaml")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
# The beginning of an entry in the list at the end of an archive.
_ENTRY = b"PK\x01\x02"
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NOT_READABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)

Read = Callable[[], bytes]


class Received(NamedTuple):
    """The definition files that were sent, and the names of what was left out."""

    folder: Folder
    left_out: list[str]


def from_files(files: Iterable[tuple[str, bytes]]) -> Received:
    """Return the definition files among files with their paths. Raises BadDefinition."""
    return _received([(path, partial(bytes, data)) for path, data in files])


def from_zip(data: bytes) -> Received:
    """Return the definition files of an archive. Raises BadDefinition."""
    if data.count(_ENTRY) > MOST_ENTRIES:
        raise BadDefinition(
            _ARCHIVE, 1, Message("holds more than %(most)s files", most=MOST_ENTRIES)
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _received(
                [
                    (entry.filename, _reader(archive, entry))
                    for entry in archive.infolist()
                    if not entry.is_dir()
                ]
            )
    except _NOT_READABLE:
        raise BadDefinition(
            _ARCHIVE, 1, Message("is not a .zip archive that can be read")
        ) from None


def to_zip(folder: Folder) -> bytes:
    """Return an archive of the files; the same files make the same archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in folder.files:
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _reader(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Read:
    def read() -> bytes:
        name = shown(entry.filename)
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise BadDefinition(name, 1, Message("is a link: put the file itself into the archive"))
        if entry.flag_bits & 0x1:
            raise BadDefinition(
                name, 1, Message("is encrypted: make the archive without a password")
            )
        if entry.compress_type not in _PACKED:
            raise BadDefinition(
                name, 1, Message("is packed in an unusual way: make an ordinary .zip")
            )
        try:
            with archive.open(entry) as opened:
                return opened.read(LARGEST_FILE + 1)
        except _NOT_READABLE:
            raise BadDefinition(
                name, 1, Message("cannot be unpacked: make the archive anew")
            ) from None

    return read


def shown(path: str) -> str:
    """Return a path from outside as it can be shown: short, and without unprintable characters."""
    text = "".join(letter if letter.isprintable() else "?" for letter in path)
    return text if len(text) <= 100 else text[:97] + "..."


def _received(entries: list[tuple[str, Read]]) -> Received:
    if len(entries) > MOST_ENTRIES:
        raise BadDefinition(
            _ARCHIVE, 1, Message("holds more than %(most)s files", most=MOST_ENTRIES)
        )
    wanted, left_out = _wanted(entries)
    if len(wanted) > MOST_FILES:
        raise BadDefinition(
            _ARCHIVE, 1, Message("holds more than %(most)s definition files", most=MOST_FILES)
        )
    wrong, texts, size = Wrong(), dict[str, str](), 0
    for name, read in wanted:
        with wrong:
            if name.casefold() in {known.casefold() for known in texts}:
                raise BadDefinition(
                    name, 1, Message("appears twice: give each file a name of its own")
                )
            data = read()
            size += len(data)
            if size > LARGEST_SET:
                words = Message(
                    "the files together are larger than %(most)s MB", most=LARGEST_SET // 1024**2
                )
                raise BadDefinition(_ARCHIVE, 1, words)
            texts[name] = _text(name, data)
        if size > LARGEST_SET:
            break
    if not wanted:
        raise BadDefinition(
            _ARCHIVE, 1, Message("holds no definition file: their names end in .yaml")
        )
    wrong.refuse()
    return Received(folder_with(texts), left_out)


def _wanted(entries: list[tuple[str, Read]]) -> tuple[list[tuple[str, Read]], list[str]]:
    """Return the definition files of the folder itself, and the names of everything else.

    An archive of a folder holds the folder: what all paths begin with does not count.
    """
    wrong = Wrong()
    paths: list[tuple[list[str], Read]] = []
    left_out: list[str] = []
    for path, read in entries:
        parts = path.replace("\\", "/").split("/")
        with wrong:
            if ".." in parts or "" in parts or ":" in path:
                raise BadDefinition(
                    shown(path), 1, Message("is not a name of a file in the folder")
                )
            if any(part.startswith(".") or part == "__MACOSX" for part in parts):
                left_out.append(shown(path))
            else:
                paths.append((parts, read))
    wrong.refuse()
    if len({parts[0] for parts, _ in paths}) == 1 and all(len(parts) > 1 for parts, _ in paths):
        paths = [(parts[1:], read) for parts, read in paths]
    found = []
    for parts, read in paths:
        name = parts[-1]
        if len(parts) > 1 or not name.lower().endswith((".yaml", ".yml")):
            left_out.append(shown("/".join(parts)))
            continue
        with wrong:
            if not _NAME.fullmatch(name):
                words = Message("is not a name for a definition: use letters and digits, and .yaml")
                raise BadDefinition(shown(name), 1, words)
            found.append((name, read))
    wrong.refuse()
    return found, left_out


def _text(name: str, data: bytes) -> str:
    if len(data) > LARGEST_FILE:
        raise BadDefinition(
            name, 1, Message("is larger than %(most)s MB", most=LARGEST_FILE // 1024**2)
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadDefinition(name, line, Message("is not UTF-8 text: save it as UTF-8")) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    strange = _CONTROLS.search(text)
    if strange is not None:
        line = text.count("\n", 0, strange.start()) + 1
        raise BadDefinition(
            name, line, Message("is not text, or holds a character that cannot be shown")
        )
    check_depth(text, name)
    return text
