import psycopg
from sqlalchemy import make_url

from app import tables
from app.database.migrate import differences, migrate


def test_the_migrations_make_what_the_models_say(database: str, server: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE modelled")
        fresh = make_url(server).set(database="modelled").render_as_string(hide_password=False)
        try:
            assert differences(database, fresh, tables.metadata) == []
        finally:
            connection.execute("DROP DATABASE modelled WITH (FORCE)")


def test_migrating_twice_is_the_same(database: str) -> None:
    found = []
    for _ in range(2):
        migrate(database)
        with psycopg.connect(database) as connection:
            rows = connection.execute(
                "SELECT version_num, (SELECT count(*) FROM pg_class) FROM alembic_version"
            )
            found.append(rows.fetchall())
    assert found[0] == found[1]
    assert len(found[0]) == 1, "one version is in force"
