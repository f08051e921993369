"""Connections of back-ups: a server that is silent is given up, and no address is repeated."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from app.safekeeping.backups import connecting, outside, receiving, replicating, sealing
from app.safekeeping.backups.places import BackupFolder, BackupRefused, alone
from app.settings import Settings

pytestmark = pytest.mark.whole


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes every connection, and then says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"postgresql://u:p@127.0.0.1:{listening.getsockname()[1]}/helpline?connect_timeout=2"


def test_a_server_that_is_silent_from_the_beginning_is_given_up(
    silent: str, tmp_path: Path
) -> None:
    place = BackupFolder(tmp_path)
    known = outside.KnownServer("1", "helpline", "5", "boss")
    recipients: sealing.Recipients = []
    with ThreadPoolExecutor() as beside:
        # Each waits two seconds.
        received = beside.submit(receiving.receive, silent, known, place, recipients)
        looked = beside.submit(outside.look, Settings(), silent)
        with pytest.raises(BackupRefused), replicating.linked(silent):
            pass
        with pytest.raises(BackupRefused, match=r"127\.0\.0\.1, port"):
            received.result()
        with pytest.raises(BackupRefused, match="HELPLINE_BACKUP_DATABASE_URL cannot be reached"):
            looked.result()
    with alone(place.logs):
        pass


def test_a_server_that_falls_silent_is_given_up(server: str) -> None:
    """The statement is one that it does not answer in time."""
    with (
        pytest.raises(BackupRefused, match=r"within 0\.2 seconds"),
        connecting.asked(server, within=0.2) as connection,
    ):
        connection.execute("SELECT pg_sleep(30)")


def test_every_connection_of_back_ups_has_limits(server: str) -> None:
    with connecting.asked(server) as connection:
        row: Any = connection.execute("SHOW statement_timeout").fetchone()
        assert row[0] == "30s"
        asked = connection.info.get_parameters()
    with replicating.linked(server) as link:
        linked = {one.keyword.decode(): one.val for one in link.pgconn.info}
    for name in ("connect_timeout", "keepalives_idle", "tcp_user_timeout"):
        assert int(asked[name]) > 0
        assert int(linked[name]) > 0
    own = connecting.limited("postgresql://h/d?connect_timeout=3&tcp_user_timeout=5")
    assert "connect_timeout=3" in own
    assert "tcp_user_timeout=5" in own


def test_a_log_of_which_nothing_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server says that it is alive, and sends nothing of what it named."""
    alive = memoryview(replicating.ALIVE.pack(b"k", 0, 0, 0))
    link: Any = SimpleNamespace(
        send=lambda _: None, messages=lambda: iter([alive] * 1000), say=lambda _: None
    )
    seconds = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(seconds)))
    with pytest.raises(BackupRefused, match="sent nothing of its log for 60 seconds"):
        list(replicating.written_since(link, "one", 0, 10, 1))


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("postgresql://u:word@tail@127.0.0.1:1/d", "not read as it is meant"),
        ("postgresql://u:word/tail@127.0.0.1:1/d", "not read as it is meant"),
        ("postgresql://u:wo/tail/x@127.0.0.1:1/d", "not read as it is meant"),
        ("postgresql://u:word%tail@127.0.0.1:1/d", "not read as it is meant"),
        ("postgresql://u:p@tail/word@127.0.0.1:1/d", "not read as it is meant"),
        ("postgresql://u:tail%40word@127.0.0.1:1/d", r"127\.0\.0\.1, port 1: Connection refused"),
        ("postgresql://u:tail@no.host.invalid/d", "port 5432: this host is not known"),
    ],
)
def test_a_part_of_a_password_is_not_repeated_as_a_host(address: str, says: str) -> None:
    with pytest.raises(BackupRefused, match=says) as refused:
        outside.look(Settings(), address)
    assert "tail" not in str(refused.value)
    assert "word@" not in str(refused.value)
    with pytest.raises(BackupRefused, match=says) as refused, replicating.linked(address):
        pass
    assert "tail" not in str(refused.value)
    with pytest.raises(psycopg.Error) as error:
        psycopg.connect(address)
    assert "tail" not in connecting.told_by(error.value, address)
