"""A PostgreSQL that is not the program's own is backed up, lost, and restored to a moment."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from app import tables
from app.clock import SystemClock
from app.database.embedded import folder_of
from app.database.running import database_of
from app.errors import BadSettings
from app.jobs.transaction import transaction
from app.outbox.responses import TryAgain
from app.reading_settings import check_settings
from app.safekeeping.backups import making, nightly, outside, restoring, sealing, state, trying
from app.safekeeping.backups.places import BackupFolder, BackupRefused, Made, PartMissing, places_in
from app.safekeeping.backups.server import run_tool
from app.settings import Settings
from app.work import PROGRAM, make_ground
from tests.support import profile
from tests.support.safekeeping.another_server import Another, another_server
from tests.support.safekeeping.kept_lines import a_folder, a_key, say, subjects
from tests.support.sealing.keys import KEYS, SECRET, text_of


@pytest.mark.whole
@profile.nightly
def test_another_server_comes_back_as_it_was_at_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_folder() as folder, another_server(folder / "theirs") as server:
        key, public = a_key(folder)
        settings = Settings(
            data_dir=folder / "var",
            database_url=server.address("helpline"),
            migration_database_url=server.address("helpline_owner"),
            backup_database_url=server.address("helpline_backup"),
            secret_key=SECRET,
            field_keys=text_of((1, KEYS[1])),
            backup_target=folder / "target",
            backup_recipients=public,
        )
        check_settings(settings)
        assert f" {outside.VERSION}." in run_tool("postgres", ["--version"])
        with database_of(settings) as running:
            asyncio.run(say(running, "before", seal=True))
            _allow_what_is_missing(running, server)
            _break_off(running, server, monkeypatch)
            asyncio.run(nightly.make(make_ground(running)))
            asyncio.run(say(running, "after"))
            with ThreadPoolExecutor(2) as two:
                brought = list(two.map(making.drain, [running, running]))
            assert brought == [0, 0], "no segment is whole yet"
            # Another segment begins: what was brought of the first one is replaced.
            server.as_boss("SELECT pg_switch_wal()")
            asyncio.run(say(running, "in another segment"))
            moment = datetime.now(UTC)
            asyncio.run(say(running, "too late"))
            asyncio.run(nightly.bring_log(make_ground(running)))
            _is_known(running)
            _lose_a_part(running, server)
            server.kill()
        (place,) = places_in(folder / "target")
        for path in place.folder.rglob("*.age"):
            assert path.read_bytes().startswith(b"age-encryption.org/v1")
        other, _ = a_key(folder, "other")
        with pytest.raises(BackupRefused, match="encrypted for another one"):
            restoring.restore(folder / "target", folder / "restored", other)

        touched = server.folder.parent / "archived-by-a-copy"
        touched.unlink()
        restored = folder / "restored"
        restoring.restore(folder / "target", restored, key, until=moment)
        tried = asyncio.run(trying.look_into(settings, restored, tables.metadata))
        assert tried.is_whole
        assert tried.opened >= 2, "the sealed text, and the secret of the hashes"
        assert tried.rows["audit_entries"] == 3
        assert not touched.exists()
        # Under its old settings it is what it was.
        server.take_over(folder_of(restored), restoring.BEFORE)
        assert subjects(server.address("helpline")) == ["before", "after", "in another segment"]
        # The back-ups from before do not lead to what it writes from now on.
        with pytest.raises(PartMissing, match="was restored"):
            making.drain(settings)


def _allow_what_is_missing(settings: Settings, server: Another) -> None:
    """Carry out what each refusal says, until a back-up can be made."""
    said: list[str] = []
    for _ in range(3):
        with pytest.raises(BackupRefused) as refused:
            making.make_base(settings, SystemClock().now())
        said.append(str(refused.value))
        line = re.search(r"(host helpline helpline_backup .* scram-sha-256)\.", said[-1])
        if line:
            server.let_in(line[1])
        else:
            statements = said[-1].partition("superuser: ")[2].partition(" See the")[0]
            server.as_boss(*(f"{one};" for one in statements.split("; ")))
    assert ["pg_hba.conf" in said[0], "REPLICATION;" in said[1]] == [True, True]
    assert "max_slot_wal_keep_size" in said[2]
    other = settings.model_copy(update={"backup_database_url": server.address("boss", "postgres")})
    with pytest.raises(BackupRefused, match="another server or database"):
        making.make_base(other, SystemClock().now())


def _break_off(settings: Settings, server: Another, monkeypatch: pytest.MonkeyPatch) -> None:
    """A back-up that is cut off half-way is none, and is told."""
    write = sealing.Counted.write
    ended: list[object] = []

    def cut(self: sealing.Counted, data: bytes) -> int:
        if self.size > 100_000 and not ended:
            ended.extend(
                server.as_boss(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE backend_type = 'walsender'"
                )
            )
        return write(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(sealing.Counted, "write", cut)
        with pytest.raises(TryAgain):
            asyncio.run(nightly.make(make_ground(settings)))
    assert ended == [(True,)]
    (place,) = places_in(settings.backup_target or Path())
    assert place.all() == []
    assert list(place.bases.iterdir()) == []
    known = asyncio.run(_state(settings))
    assert known is not None
    assert (known.base, known.base_late) == (None, True)
    assert known.problem


def _is_known(settings: Settings) -> None:
    known = asyncio.run(_state(settings))
    assert known is not None
    assert known.base is not None
    assert known.log_at is not None
    assert known.log_at > known.base.ended_at
    assert [known.problem, known.base_late, known.log_late] == [None, False, False]


def _lose_a_part(settings: Settings, server: Another) -> None:
    """What the server has thrown away is told, and a back-up begins anew."""
    server.as_boss(
        # What closed its connection a moment ago may not be noticed yet.
        "SELECT pg_terminate_backend(active_pid, 20000) FROM pg_replication_slots WHERE active",
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots",
        *("SELECT pg_switch_wal()", "CREATE TABLE one ()", "SELECT pg_switch_wal()"),
        *("CREATE TABLE two ()", "SELECT pg_switch_wal()", "CHECKPOINT"),
    )
    with pytest.raises(PartMissing, match="until there is a new back-up"):
        making.drain(settings)
    asyncio.run(nightly.bring_log(make_ground(settings)))
    assert asyncio.run(_is_asked(settings))
    asyncio.run(nightly.make(make_ground(settings)))
    assert making.drain(settings) == 0


async def _state(settings: Settings) -> state.State | None:
    ground = make_ground(settings)
    async with transaction(ground, PROGRAM) as work:
        return await state.read(work)


async def _is_asked(settings: Settings) -> bool:
    ground = make_ground(settings)
    async with transaction(ground, PROGRAM) as work:
        return await state.is_under_way(work)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"standby": True}, "leads to a standby"),
        ({"may": False}, 'ALTER ROLE "one" REPLICATION;'),
        ({"log": "minimal"}, "ALTER SYSTEM SET wal_level = 'replica';"),
        ({"senders": 0}, "ALTER SYSTEM SET max_wal_senders = 10;"),
        ({"slots": 0}, "ALTER SYSTEM SET max_replication_slots = 10;"),
        ({"slots": 1}, "ALTER SYSTEM SET max_replication_slots = 10;"),
        ({"kept": "-1"}, "ALTER SYSTEM SET max_slot_wal_keep_size = '20GB';"),
        ({"segment": 1 << 26}, "another size than 16 megabytes"),
        ({"icu": True}, "sorts by ICU"),
    ],
)
def test_what_stands_in_the_way_is_said_with_what_to_do(
    changed: dict[str, object], says: str
) -> None:
    asked = {
        **{"standby": False, "may": True, "log": "replica", "senders": 10, "slots": 10},
        **{"kept": "20GB", "segment": 1 << 24, "icu": False},
    }
    outside.check(SimpleNamespace(**asked), "one")
    with pytest.raises(BackupRefused) as refused:
        outside.check(SimpleNamespace(**asked | changed), "one")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://backup@db/helpline", "is set and HELPLINE_DATABASE_URL is not"),
        ("mysql://backup@db/helpline", "must start with postgresql://"),
    ],
)
def test_an_address_for_back_ups_is_refused_if_nothing_can_come_of_it(url: str, says: str) -> None:
    with pytest.raises(BadSettings, match=f"HELPLINE_BACKUP_DATABASE_URL {says}"):
        check_settings(Settings(backup_database_url=url))


def test_a_part_that_is_missing_since_a_back_up_is_found(tmp_path: Path) -> None:
    place = BackupFolder(tmp_path / "1")
    place.make()
    made = Made("1", "1", "", "", "0000000100000000000000FE", 180000, 1, "", [])

    def holds(*names: str) -> bool:
        for path in place.logs.iterdir():
            path.unlink()
        for name in names:
            (place.logs / f"{name}.gz.age").touch()
        return place.breaks_after(made)

    first, second, third = (
        "0000000100000000000000FE",
        "0000000100000000000000FF",
        "000000010000000100000000",
    )
    assert holds()
    assert not holds(f"{first}.partial")
    assert not holds(first, second, f"{third}.partial")
    assert not holds("0000000100000000000000FD", first, second, third)
    assert not holds(first, second, f"{second}.partial", "000000020000000100000009")
    assert holds(first, third)
    assert holds(f"{first}.partial", second)
    assert holds("0000000100000000000000FD")
