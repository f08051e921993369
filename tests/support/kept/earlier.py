"""A database of an earlier version, for the migrations that change its rows."""

from alembic import command

from app.database.migrate import _config, engine_for


def upgrade_to(revision: str, url: str) -> None:
    engine = engine_for(url)
    with engine.connect() as connection:
        command.upgrade(_config(connection), revision)
        connection.commit()
    engine.dispose()
