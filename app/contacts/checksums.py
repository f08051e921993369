"""A log keeps a salted checksum of each sealed answer, so that replaced words are noticed.

A log takes an answer as it is sealed in the record, so the holder of the keys opens it to work out
the checksum, and hands out nothing else. See `app/privacy/safe.py`; what compares is
`app/staff/log_checks/sealed_words.py`.
"""

import base64
from collections.abc import Mapping
from typing import Any

from app.contacts.models import CompletedVersion, EarlierAnswer, Filled
from app.privacy.keys import SALT_COLUMN, Bound, CannotOpen, told
from app.privacy.safe import new_salt, start_of
from app.work import Work

_EARLIER, _VERSIONS = EarlierAnswer.__tablename__, CompletedVersion.__tablename__


async def add_checksums(work: Work, record: Filled, rows: list[dict[str, Any]]) -> None:
    """Add to rows of earlier answers the checksum of what is sealed, and its salt."""
    for row in rows:
        row["words_sum"] = row[SALT_COLUMN] = None
    of_sealed = [row for row in rows if row["sealed"] is not None]
    salts = [new_salt() for _ in of_sealed]
    bound = Bound(_EARLIER, SALT_COLUMN, record.id)
    sealed = await work.keys.seal_all([(bound, salt) for salt in salts])
    answers = [(row["path"], row["sealed"]) for row in of_sealed]
    checksums = await _checksums(work, record, answers, salts)
    for row, one, salt_sealed in zip(of_sealed, checksums, sealed, strict=True):
        row["words_sum"], row[SALT_COLUMN] = one, salt_sealed


async def checksums_of_version(
    work: Work, record: Filled, sealed: Mapping[str, str], salt_sealed: bytes | None = None
) -> dict[str, Any]:
    """Return the columns of a completed version with the checksums of these answers and their salt.

    `salt_sealed`: the salt that the version has already.
    """
    if not sealed:
        return {"words_sums": {}}
    bound = Bound(_VERSIONS, SALT_COLUMN, record.id)
    if salt_sealed is None:
        salt = new_salt()
        (salt_sealed,) = await work.keys.seal_all([(bound, salt)])
    else:
        salt = told((await work.keys.open_all([(bound, salt_sealed)]))[0])
    answers = list(sealed.items())
    checksums = await _checksums(work, record, answers, [salt] * len(answers))
    hexadecimal = {path: one.hex() for path, one in zip(sealed, checksums, strict=True) if one}
    return {"words_sums": hexadecimal, SALT_COLUMN: salt_sealed}


async def _checksums(
    work: Work, record: Filled, answers: list[tuple[str, str]], salts: list[bytes]
) -> list[bytes | None]:
    """Return the checksum of each answer of a record; none for a damaged one."""
    table = record.__tablename__
    values = [
        (start_of(salt, path), Bound(table, path, record.id), base64.b64decode(sealed))
        for (path, sealed), salt in zip(answers, salts, strict=True)
    ]
    checksums = await work.keys.sums_all(values)
    return [None if isinstance(one, CannotOpen) else one for one in checksums]
