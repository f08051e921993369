"""Whatever is in the environment, a start is refused in one sentence that says what to do."""

import errno
import pwd
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from app.data_folder import cannot_write, make_folder
from app.database.embedded import EmbeddedPostgres
from app.demo.served import free_port
from app.errors import BadSettings
from app.reading_settings import read_settings
from app.secret_files import SECRETS, SUFFIX
from app.server.sockets import listen
from app.settings import Settings
from tests.support.commands import command
from tests.support.profile import WHOLE, each_once
from tests.support.program.given_settings import GOOD, set_only

pytestmark = pytest.mark.whole

_RUBBISH = {
    "nothing": "",
    "spaces": "   ",
    "a line end of Windows": "AC1\r",
    "a control character": "\x1b[31m",
    "written from the right": "\u202eabc",
    "other letters": "пројекат☎",
    "bytes that are no UTF-8": "\udcff\udcfe",
    "very long": "a" * 100_000,
    "a very long address": "https://" + "a" * 90_000,
    "negative": "-1",
    "not a number": "nan",
    "too large a number": "9" * 400,
    "quotation marks": "'\"`$(x)",
    "half an address": "https://[::1",
    "a port that is none": "https://h:99999999",
    "a port in letters": "postgresql://h:port/x",
    "half an address of a database": "postgresql://[::1",
    "a part that is none": "postgresql://h/x?part=1",
    "half a mail server": "smtp://[",
    "a device": "/dev/null",
    "under a file": "/etc/hostname/x",
    "where nothing can be made": "/proc/nowhere",
}
# What the environment has beside the rubbish.
_PLACES = {"in production": GOOD, "in development": {"DATABASE_URL": "postgresql:///none"}}


_FIELDS: dict[tuple[str, int], Any] = {}


@pytest.fixture
def fields_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names and kinds of all settings are worked out once: that takes half of the reading."""
    for name in ("_extract_field_info", "_field_is_complex"):

        def once(
            self: EnvSettingsSource,
            field: FieldInfo,
            *given: Any,
            name: str = name,
            does: Any = getattr(EnvSettingsSource, name),
        ) -> Any:
            key = (name, id(field))
            if key not in _FIELDS:
                _FIELDS[key] = does(self, field, *given)
            return _FIELDS[key]

        monkeypatch.setattr(EnvSettingsSource, name, once)


@pytest.mark.usefixtures("fields_known")
@pytest.mark.parametrize(("kind", "place"), each_once(_RUBBISH, _PLACES))
def test_rubbish_in_a_setting_is_refused_by_its_name_or_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, place: str
) -> None:
    # Rubbish is also the name of a folder, which is made.
    monkeypatch.chdir(tmp_path)
    names = [*Settings.model_fields, *(f"{one}{SUFFIX}" for one in SECRETS)]
    # By day each kind in every third setting, and each setting gets every third kind.
    turn = list(_RUBBISH).index(kind) % 3
    for name in names if WHOLE else names[turn::3]:
        given = {"DATA_DIR": str(tmp_path / "data"), **_PLACES[place]}
        given.pop(name.upper().removesuffix(SUFFIX), None)
        set_only(monkeypatch, **{**given, name.upper(): _RUBBISH[kind]})
        named = f"HELPLINE_{name.upper().removesuffix(SUFFIX)}"
        said = named
        try:
            read_settings()
        except BadSettings as refused:
            said = str(refused)
        assert named in said
        assert len(said) < 1000


def test_a_path_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = {"URL": "https://stamps.example.org", "CERTIFICATE": "a" * 5000}
    given = {f"ANCHOR_TIME_STAMP_{name}": value for name, value in stamp.items()}
    set_only(monkeypatch, **GOOD, **given)
    with pytest.raises(BadSettings, match="CERTIFICATE is not a file"):
        read_settings()


@pytest.fixture
def full() -> Iterator[None]:
    """No file of this process can hold a byte more, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="Make room") as refused:
        make_folder(tmp_path / "data")
    assert str(tmp_path / "data") in str(refused.value)
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "do"),
    [
        (errno.ENOSPC, "Make room on its disk"),
        (errno.EROFS, "Mount its disk so that it can be written to"),
        (errno.EACCES, "Let it belong to the user who runs the program"),
        (errno.EIO, "Look at the path and at its disk"),
    ],
)
def test_what_is_to_be_done_is_said(number: int, do: str) -> None:
    said = str(cannot_write(Path("/var/lib/helpline"), OSError(number, "")))
    assert do in said
    assert "HELPLINE_DATA_DIR" in said


@pytest.mark.parametrize(
    "folder", ["/proc/nowhere", "/etc/hostname", "/etc/hostname/data", "x" * 5000]
)
@pytest.mark.parametrize("words", [("migrate",), ("serve", "--port", "0")])
def test_a_folder_that_cannot_be_written_to_ends_the_start(
    words: tuple[str, ...], folder: str
) -> None:
    words = tuple(str(free_port()) if word == "0" else word for word in words)
    done = command(*words, environment={"HELPLINE_DATA_DIR": folder})
    assert done.returncode == 2
    assert "HELPLINE_DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_kept_secret_that_is_empty_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret_key").touch()
    set_only(monkeypatch, DATA_DIR=str(tmp_path))
    with pytest.raises(BadSettings, match="secret_key holds no secret"):
        read_settings()


def test_a_host_that_is_none_is_named() -> None:
    for host in ("ž" * 70, "a" * 100, "1.2.3.4.5"):
        with pytest.raises(BadSettings, match="Cannot listen on"):
            listen(host, 18473)


def test_a_user_without_a_name_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_entry(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    with pytest.raises(BadSettings, match="no name"), EmbeddedPostgres(tmp_path):
        pass
    assert not (tmp_path / "postgres").exists()


def test_a_kept_secret_is_read_where_nothing_can_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    set_only(monkeypatch, DATA_DIR=str(tmp_path))
    before = read_settings()
    request.getfixturevalue("full")
    assert read_settings() == before


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgresql://127.0.0.1:9/none"),
        ("DATABASE_URL", "postgresql:///none?host=/nonexistent"),
        ("MIGRATION_DATABASE_URL", "postgresql://127.0.0.1:9/none"),
    ],
)
def test_a_database_that_is_not_there_is_named(
    database: str, tmp_path: Path, name: str, url: str
) -> None:
    environment = {"HELPLINE_DATA_DIR": str(tmp_path), "HELPLINE_DATABASE_URL": database}
    environment[f"HELPLINE_{name}"] = url
    done = command("migrate", environment=environment)
    assert done.returncode == 2
    assert f"The database of HELPLINE_{name} cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_role_that_is_not_let_in_is_named(database: str, tmp_path: Path) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(database)
    url = f"postgresql://no_role@/{parts['dbname']}?host={parts['host']}"
    environment = {"HELPLINE_DATA_DIR": str(tmp_path), "HELPLINE_DATABASE_URL": url}
    done = command("migrate", environment=environment)
    assert done.returncode == 2
    assert "no_role" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("folder", ["/nonexistent", "x" * 5000])
def test_definitions_that_cannot_be_read_end_the_start(
    database: str, tmp_path: Path, folder: str
) -> None:
    environment = {
        "HELPLINE_DATA_DIR": str(tmp_path),
        "HELPLINE_DATABASE_URL": database,
        "HELPLINE_DEFINITIONS_DIR": folder,
    }
    done = command("serve", "--port", str(free_port()), environment=environment)
    assert done.returncode == 2
    assert "HELPLINE_DEFINITIONS_DIR is not a folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_cannot_be_set_up_is_named(tmp_path: Path) -> None:
    (tmp_path / "postgres").write_text("a file in place of the folder")
    with pytest.raises(BadSettings, match="postgres"), EmbeddedPostgres(tmp_path):
        pass
