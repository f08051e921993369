"""Words that a migration ships: added for all lines, and taken away again."""

from collections.abc import Mapping
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

Texts = Mapping[str, Mapping[str, str]]


def add_prompts(texts: Texts) -> None:
    """Texts by language and key."""
    prompts = sa.table(
        "prompts",
        sa.column("id", sa.Uuid()),
        sa.column("language", sa.Text()),
        sa.column("key", sa.Text()),
        sa.column("text", sa.Text()),
    )
    op.bulk_insert(
        prompts,
        [
            {"id": uuid4(), "language": language, "key": key, "text": text}
            for language, words in texts.items()
            for key, text in words.items()
        ],
    )


def drop_prompts(texts: Texts) -> None:
    """All words of these keys, changed ones too."""
    keys = ", ".join(f"'{key}'" for key in texts["en"])
    op.execute(f"DELETE FROM prompts WHERE key IN ({keys})")
