"""A back-up is made while rows are written, the server is killed, and everything comes back."""

import asyncio
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from app import tables
from app.clock import SystemClock
from app.database.embedded import folder_of
from app.database.own_server import as_role
from app.database.roles import PROGRAM
from app.database.running import database_of
from app.errors import BadSettings
from app.reading_settings import check_settings
from app.safekeeping.backups import making, restoring, sealing, trying
from app.safekeeping.backups.places import (
    BackupFolder,
    BackupRefused,
    Made,
    PartMissing,
    places_in,
    written,
)
from app.safekeeping.backups.server import server_of
from app.settings import Settings
from tests.support.command_line import run_main
from tests.support.profile import WHOLE
from tests.support.safekeeping.kept_lines import (
    a_folder,
    a_key,
    let_in,
    say,
    settings_in,
    subjects,
    ways_in,
)
from tests.support.sealing.keys import OTHER, text_of


def kill(data_dir: Path) -> None:
    pid = int((folder_of(data_dir) / "postmaster.pid").read_text().split()[0])
    server = psutil.Process(pid)
    server.kill()
    server.wait(20)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a back-up wait for a segment without end: for one that the server has not begun, too."""
    monkeypatch.setattr(making, "ARCHIVED_WITHIN", 24 * 3600)


@pytest.mark.whole
@pytest.mark.usefixtures("patient")
def test_a_killed_server_comes_back_as_it_was_at_a_moment(
    migrated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with a_folder() as folder:
        key, public = a_key(folder)
        settings = settings_in(
            folder,
            migrated,
            backup_target=folder / "target",
            backup_recipients=public,
            backup_log_seconds=3600,
        )
        check_settings(settings)
        with database_of(settings) as running:
            asyncio.run(say(running, "before", seal=True))
            asyncio.run(let_in(running))
            assert ways_in(running.database_url or "") == (1, 1)
            made = making.make_base(running, SystemClock().now())
            asyncio.run(say(running, "after"))
            moment = datetime.now(UTC)
            time.sleep(0.05)
            asyncio.run(say(running, "too late"))
            making.give_up_segment(running, server_of(running).address)
            kill(settings.data_dir)
        (place,) = places_in(folder / "target")
        assert [one.name for one in place.all()] == [made.name]
        for path in place.folder.rglob("*.age"):
            assert b"audit_entries" not in path.read_bytes()
            assert path.read_bytes().startswith(b"age-encryption.org/v1")
        _refused(folder, place, made, key)

        restored = folder / "restored"
        restoring.restore(folder / "target", restored, key, until=moment)
        # The keys are given apart, and wrong ones are told.
        wrong = settings.model_copy(update={"field_keys": text_of((1, OTHER))})
        with pytest.raises(BadSettings, match="HELPLINE_FIELD_KEYS is not the key 1"):
            asyncio.run(trying.look_into(wrong, restored, tables.metadata))
        tried = asyncio.run(trying.look_into(settings, restored, tables.metadata))
        assert tried.is_whole
        assert tried.rows["audit_entries"] == 2
        assert tried.opened >= 2, "the sealed text, and the secret of the hashes"
        again = settings.model_copy(update={"data_dir": restored, "backup_target": None})
        with database_of(again) as running:
            assert subjects(running.database_url or "") == ["before", "after"]
            assert ways_in(running.database_url or "") == (0, 0), "they may have left since"
            asyncio.run(say(running, "goes on"))
            # The back-ups from before do not lead to what it writes from now on.
            back = running.model_copy(update={"backup_target": folder / "target"})
            with pytest.raises(PartMissing, match="was restored"):
                making.drain(back)

        by_command = _Command(folder, settings, key, monkeypatch, capsys)
        by_command.refuses_a_folder_in_use()
        # Not by day: another server begins for it.
        if WHOLE:
            by_command.refuses_a_moment_too_late()
        # Without a moment it goes to the last that is known.
        by_command.drills()


@dataclass(frozen=True)
class _Command:
    """`helpline backup` as an operator types it."""

    folder: Path
    settings: Settings
    key: Path
    patch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def run(self, *words: str) -> tuple[int, str]:
        given = ("data_dir", "secret_key", "field_keys", "backup_target", "backup_recipients")
        for name in given:
            self.patch.setenv(f"HELPLINE_{name.upper()}", str(getattr(self.settings, name)))
        return run_main(self.capsys, "backup", *words, "--key", str(self.key))

    def refuses_a_folder_in_use(self) -> None:
        to = self.folder / "refused"
        assert list(to.iterdir())
        code, said = self.run("restore", str(self.folder / "target"), "--to", str(to))
        assert (code, "not empty" in said) == (2, True), said

    def refuses_a_moment_too_late(self) -> None:
        """What is not there takes a while to be missed: the server has begun by then."""
        tools, to = self.folder / "tools", self.folder / "late"
        tools.mkdir()
        (tools / "cp").write_text('#!/bin/sh\n[ -e "$1" ] || sleep 0.3\nexec /bin/cp "$@"\n')
        (tools / "cp").chmod(0o755)
        self.folder.chmod(0o755)
        late = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
        with self.patch.context() as patch:
            patch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
            code, said = self.run(
                "restore", str(self.folder / "target"), "--to", str(to), "--until", late
            )
        assert (code, "Give an earlier moment with --until" in said) == (2, True), said
        assert not to.exists()

    def drills(self) -> None:
        code, said = self.run("drill")
        assert (code, "audit_entries: 3 rows, whole" in said) == (0, True), said


def _refused(folder: Path, place: BackupFolder, made: Made, key: Path) -> None:
    """A wrong key, a cut file or a folder in use is refused, and nothing is left behind."""
    to = folder / "refused"

    def refusal(with_key: Path = key) -> str:
        with pytest.raises(BackupRefused) as refused:
            restoring.restore(folder / "target", to, with_key)
        assert not to.exists()
        assert not to.with_name("refused.part").exists()
        return str(refused.value)

    other, _ = a_key(folder, "other")
    assert "encrypted for another one" in refusal(other)
    assert "no private key" in refusal(folder / "target" / place.folder.name / ".lock")
    base = place.base_of(made.name)
    whole = base.read_bytes()
    base.write_bytes(whole[:-1000])
    assert "was cut" in refusal()
    base.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "was changed" in refusal()
    base.write_bytes(whole)
    segment = next(place.logs.glob("*.age"))
    kept = segment.read_bytes()
    segment.write_bytes(kept[: len(kept) // 2])
    assert "was cut or changed" in refusal()
    segment.write_bytes(kept)
    to.mkdir()
    (to / "something").touch()
    with pytest.raises(BackupRefused, match="not empty"):
        restoring.restore(folder / "target", to, key)


def test_a_file_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def half() -> None:
        with written(path) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert list(tmp_path.iterdir()) == []
    with written(path) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"


def test_the_newest_are_kept_with_what_was_written_since_the_oldest(tmp_path: Path) -> None:
    place = BackupFolder(tmp_path / "1")
    place.make()
    for n in range(4):
        name = f"2027010{n + 1}T020000Z"
        place.base_of(name).write_bytes(b"x")
        at = f"2027-01-0{n + 1}T02:00:00+00:00"
        place.describe(
            Made(name, "1", at, at, f"00000001000000000000000{n * 2}", 180000, 1, "", [])
        )
    for n in range(9):
        (place.logs / f"00000001000000000000000{n}.gz.age").touch()
    # Another time line, after a restore: its numbers go on.
    (place.logs / "000000020000000000000003.gz.age").touch()
    (place.logs / "00000002.history.gz.age").touch()
    assert place.gaps() == []
    making.expire(place, 2)
    assert [one.name[:8] for one in place.all()] == ["20270103", "20270104"]
    assert len(list(place.bases.iterdir())) == 4
    segments = [name for name in place.segments() if len(name) == 24]
    assert segments == [f"00000001000000000000000{n}" for n in range(4, 9)]
    assert "00000002.history" in place.segments()
    (place.logs / "000000010000000000000006.gz.age").unlink()
    assert place.gaps() == ["000000010000000000000005"]


def test_back_ups_of_one_day_take_no_other_day_away(tmp_path: Path) -> None:
    place = BackupFolder(tmp_path / "1")
    place.make()
    nights = [f"2027010{day}T020000Z" for day in range(1, 6)]
    pressed = [f"20270105T{hour}0000Z" for hour in range(10, 24)]
    for number, name in enumerate([*nights, *pressed]):
        at = f"{name[:4]}-{name[4:6]}-{name[6:8]}T{name[9:11]}:00:00+00:00"
        place.base_of(name).write_bytes(b"x")
        place.describe(Made(name, "1", at, at, f"{1:08X}{number:016X}", 180000, 1, "", []))
        (place.logs / f"{1:08X}{number:016X}.gz.age").touch()
        making.expire(place, 4)
    # The newest of each of four days, and the newest few of all.
    kept = [*nights[1:4], *pressed[-3:]]
    assert [one.name for one in place.all()] == kept
    assert place.segments()[0] == f"{1:08X}{1:016X}"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"backup_target": Path("var/backups")}, "inside HELPLINE_DATA_DIR"),
        ({"anchor_file": Path("var/anchors.jsonl")}, "inside HELPLINE_DATA_DIR"),
        ({"backup_target": Path("/srv/b"), "backup_recipients": ""}, "always encrypted"),
        ({"anchor_mail": "court@example.org"}, "HELPLINE_SMTP_URL"),
        ({"anchor_mail": "court", "smtp_url": "smtps://m.example.org"}, "e-mail addresses"),
        ({"anchor_time_stamp_url": "https://tsa.example.org"}, "root certificate"),
    ],
)
def test_settings_by_which_nothing_is_kept_apart_are_refused(
    changed: dict[str, object], says: str
) -> None:
    with pytest.raises(BadSettings, match=says):
        check_settings(Settings().model_copy(update=changed))


def test_what_cannot_be_a_key_is_refused(tmp_path: Path) -> None:
    for text in ("", "ssh-ed25519 AAAA", "age1nonsense"):
        with pytest.raises(BackupRefused, match="HELPLINE_BACKUP_RECIPIENTS"):
            sealing.recipients_of(text)


def test_a_database_of_its_own_is_not_backed_up_by_us(database: str, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        database_url=as_role(database, PROGRAM),
        backup_recipients=a_key(tmp_path)[1],
    )
    with pytest.raises(BackupRefused, match="HELPLINE_BACKUP_DATABASE_URL"):
        making.make_base(settings, SystemClock().now(), tmp_path / "target")
