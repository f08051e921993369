"""Lists of what was erased, kept outside the database: after a restore it is erased again.

```
FOLDER/erased/marker.json                         which folder it is (`erasure_folder.py`)
FOLDER/erased/3f0c…-20270110T120000000000.list    what one request has erased
```

The name says which decision about which request it was: a request that is decided anew after a
restore has a list of its own, and the earlier one stays. A line in clear says the same, and when it
was written. The rows stand in what follows, sealed twice:
by a secret that only this database and its field keys can make, and that stays when keys are
rotated, so that no other program can write a list; and for the public keys of the back-ups, so
that not even the server can read which rows belonged together.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from app.privacy.keys import CannotOpen, Keys
from app.safekeeping.backups import sealing
from app.safekeeping.backups.places import BackupRefused, alone, places_in, written
from app.settings import Settings

SUFFIX = ".list"
# The clocks of two machines differ by less.
_CLOCKS = timedelta(hours=1)


@dataclass(frozen=True)
class Head:
    """What a list says in clear."""

    id: UUID
    # Of the request, as on its receipt.
    code: str
    written_at: datetime
    # False: it was written before the rows were erased, and they may not all have been.
    whole: bool
    # When the request was approved.
    decided_at: datetime
    # The list that was the newest one when this was first written: its code, and when it was.
    before: str = ""
    before_at: datetime | None = None

    @property
    def name(self) -> str:
        """Return the name of the file."""
        return f"{self.id}-{self.decided_at.astimezone(UTC):%Y%m%dT%H%M%S%f}{SUFFIX}"

    def line(self) -> bytes:
        """Return it as the first line of the file."""
        values = {
            "erased": 1,
            "id": str(self.id),
            "code": self.code,
            "written_at": self.written_at.astimezone(UTC).isoformat(),
            "whole": self.whole,
            "decided_at": self.decided_at.astimezone(UTC).isoformat(),
            "before": self.before,
            "before_at": self.before_at.astimezone(UTC).isoformat() if self.before_at else None,
        }
        return json.dumps(values).encode() + b"\n"


@dataclass(frozen=True)
class Erased:
    """What one request has erased: rows by their kind, and what its receipt needs."""

    head: Head
    receipt: dict[str, str | None]
    rows: dict[str, list[str]]


def write(
    folder: Path,
    recipients: sealing.Recipients,
    keys: Keys,
    erased: Erased,
    instead_of: datetime | None = None,
) -> bool:
    """Write a list, in place of an earlier one of the same decision. It is there as a whole or not.

    With `instead_of`, only in place of one that was written at that moment: a job that carries out
    the request may have written a newer one, which stays. Return whether it was written. Raises
    BackupRefused, OSError, which is also raised where there is no folder.
    """
    with alone(folder):
        if instead_of is not None:
            there = {head.name: head.written_at for head in heads_in(folder)}
            if there.get(erased.head.name, instead_of) != instead_of:
                return False
        head = replace(erased.head, **_before(folder, erased.head.name))
        line = head.line()
        body = json.dumps({"receipt": erased.receipt, "rows": erased.rows}).encode()
        sealed = keys.seal_for_good(body, line)
        with written(folder / head.name) as file:
            file.write(line + sealing.packed(sealed, recipients))
    return True


def _before(folder: Path, own: str) -> dict[str, Any]:
    heads = list(heads_in(folder))
    for head in heads:
        if head.name == own:
            return {"before": head.before, "before_at": head.before_at}
    if not heads:
        return {}
    newest = max(heads, key=lambda head: head.written_at)
    return {"before": newest.code, "before_at": newest.written_at}


def paths_in(folder: Path) -> list[Path]:
    """Return the lists of a folder, whole or not."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def heads_in(folder: Path) -> Iterator[Head]:
    """Yield what the lists say in clear, without proof; those that cannot be read are left out."""
    for path in paths_in(folder):
        try:
            yield _head(path.read_bytes().partition(b"\n")[0], path)
        except BackupRefused:
            continue


def _head(line: bytes, path: Path) -> Head:
    try:
        values = json.loads(line)
        before_at = values["before_at"]
        head = Head(
            UUID(values["id"]),
            str(values["code"]),
            datetime.fromisoformat(values["written_at"]),
            values["whole"] is True,
            datetime.fromisoformat(values["decided_at"]),
            str(values["before"]),
            datetime.fromisoformat(before_at) if before_at else None,
        )
        if values["erased"] != 1 or path.name != head.name:
            raise ValueError
        return head
    except (ValueError, KeyError, TypeError):
        raise BackupRefused(
            f"{path.name} cannot be read: it was cut or changed, or a newer version of the program "
            "wrote it. Take it from another copy of the folder."
        ) from None


def read(path: Path, identities: sealing.Identities, keys: Keys) -> Erased:
    """Open a list. Raises BackupRefused if it was cut, changed, or is of another database."""
    line, _, rest = path.read_bytes().partition(b"\n")
    head = _head(line, path)
    sealed = sealing.unpacked(rest, identities, path.name)
    try:
        body = keys.open_for_good(sealed, line + b"\n")
    except CannotOpen:
        raise BackupRefused(
            f"{path.name} was changed, or belongs to another database than this one."
        ) from None
    values = json.loads(body)
    return Erased(head, values["receipt"], values["rows"])


def missing_in(lists: list[Head]) -> list[str]:
    """Return the codes of lists that others name, that are gone, and that were not due to go.

    Whole lists go from the oldest on; one that is not whole outlasts younger ones. Whether the
    newest are missing only the receipts say.
    """
    there = {head.code for head in lists}
    oldest = min((head.written_at for head in lists if head.whole), default=None)
    return sorted(
        head.before
        for head in lists
        if head.before and head.before not in there and head.before_at and oldest
        if head.before_at > oldest
    )


def forget(settings: Settings, now: datetime) -> int:
    """Delete the lists that no restore can need any more. Return how many.

    A list is needed while there is a back-up from before it, and for HELPLINE_ERASURE_DAYS, if that
    is set: other tools may have made copies. If neither is known it stays.
    """
    folder, days = settings.erasure_folder, settings.erasure_days
    if folder is None or not folder.is_dir() or (settings.backup_target is None and days is None):
        return 0
    oldest = None
    if settings.backup_target is not None:
        oldest = _oldest(settings.backup_target)
        if oldest is None:
            return 0
    gone = 0
    for head in list(heads_in(folder)):
        lasts = days is not None and head.written_at > now - timedelta(days=days)
        needed = oldest is not None and oldest - _CLOCKS <= head.written_at
        if head.whole and not lasts and not needed:
            (folder / head.name).unlink(missing_ok=True)
            gone += 1
    return gone


def _oldest(target: Path) -> datetime | None:
    """Return when the oldest back-up was begun; None if there is none that can be read."""
    try:
        made = [one for place in places_in(target) for one in place.all()]
    except BackupRefused:
        return None
    return min((datetime.fromisoformat(one.begun_at) for one in made), default=None)
