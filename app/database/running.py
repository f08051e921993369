"""The database of a process: its address from the settings, or the embedded server."""

import contextlib
from collections.abc import Iterator

from app.database import migrate as migrations
from app.database.embedded import EmbeddedPostgres
from app.settings import Settings


@contextlib.contextmanager
def database_of(settings: Settings) -> Iterator[Settings]:
    """Yield the settings with a database that is running and migrated."""
    with contextlib.ExitStack() as stack:
        if settings.database_url is None:
            server = stack.enter_context(EmbeddedPostgres(settings.data_dir))
            settings = settings.model_copy(update={"database_url": server.url})
        assert settings.database_url is not None
        migrations.migrate(settings.database_url)
        yield settings
