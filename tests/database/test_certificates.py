"""The program proves itself to the database by a certificate, if the address names one."""

from typing import Any

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database.bus import Bus
from app.database.engine import open_database
from app.jobs.app import make_job_app

_WANTED = {
    "sslmode": "verify-full",
    "sslrootcert": "/etc/helpline/authority.pem",
    "sslcert": "/etc/helpline/program.pem",
    "sslkey": "/etc/helpline/program.key",
}
_URL = "postgresql://helpline@db.example.org/helpline?" + "&".join(
    f"{name}={value}" for name, value in _WANTED.items()
)


def _of(engine: AsyncEngine) -> dict[str, Any]:
    return dict(engine.dialect.create_connect_args(engine.url)[1])


async def test_a_certificate_of_the_program_reaches_every_connection_to_the_database() -> None:
    database = open_database(_URL)
    pool: Any = database.quick.pool
    jobs: Any = make_job_app(_URL).connector
    given = [
        _of(database.engine),
        _of(database.aside),
        _of(database.counting),
        *(_of(one.kw["bind"]) for one in (database.sessions, database.reading_sessions)),
        conninfo_to_dict(database.url),
        conninfo_to_dict(pool.conninfo),
        conninfo_to_dict(Bus(database.url).url),
        conninfo_to_dict(jobs._pool_args["conninfo"]),
    ]
    for one in given:
        assert {name: one.get(name) for name in _WANTED} == _WANTED
    await database.close()
