"""A database of an earlier version, for the migrations that change its rows."""

from alembic import command

from app.database.migrate import config_of, engine_for


def upgrade_to(revision: str, url: str) -> None:
    engine = engine_for(url)
    with engine.connect() as connection:
        command.upgrade(config_of(connection), revision)
        connection.commit()
    engine.dispose()
