"""The whole database, as an intruder could read it."""

import base64
import contextlib
import re

from app.demo.stage import Stage


async def tables_with(stage: Stage, *words: str) -> list[str]:
    """The tables in which one of these words, in small letters, can be read."""
    tables = await stage.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert len(tables) > 20
    found = []
    for table in tables:
        name = table["tablename"]
        rows = await stage.rows(f"SELECT t::text AS words FROM {name} t")
        if any(word in legible(row["words"]) for row in rows for word in words):
            found.append(name)
    return found


def legible(words: str) -> str:
    """A row as an intruder could read it: hex and base64 undone."""
    found = [words]
    found += [
        bytes.fromhex(h).decode("latin1") for h in re.findall(r"\\x((?:[0-9a-f]{2})+)", words)
    ]
    for text in re.findall(r"[A-Za-z0-9+/]{12,}={0,2}", words):
        with contextlib.suppress(ValueError):
            found.append(base64.b64decode(text + "=" * (-len(text) % 4)).decode("latin1"))
    return " ".join(found).lower()
