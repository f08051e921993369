"""Secrets that are in files: for each setting `NAME` that is one, `NAME_FILE` names a file."""

import os
from pathlib import Path

import pytest

from app.errors import BadSettings
from app.reading_settings import read_settings
from app.secret_files import SECRETS
from app.settings import Settings
from tests.support.program.given_settings import GOOD, set_only


def _file(folder: Path, content: bytes, mode: int = 0o400) -> str:
    path = folder / "secret"
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("name", ["SECRET_KEY", "FIELD_KEYS", "DATABASE_URL", "TWILIO_AUTH_TOKEN"])
def test_a_secret_is_read_from_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, end: str
) -> None:
    rest = {key: value for key, value in GOOD.items() if key != name}
    file = _file(tmp_path, (GOOD[name] + end).encode())
    set_only(monkeypatch, **rest, **{f"{name}_FILE": file})
    assert getattr(read_settings(), name.lower()) == GOOD[name]


def test_every_setting_that_holds_a_secret_may_be_a_file() -> None:
    """A new one is found by its name."""
    telling = ("secret", "token", "_key", "keys", "password", "_url")
    found = {name for name in Settings.model_fields if any(part in name for part in telling)}
    known = {
        "public_url",
        "signal_service_url",
        "telegram_api_base_url",
        "translation_url",
        "twilio_api_base_url",
        "twilio_api_key_sid",
        "anchor_time_stamp_url",
        "leaked_passwords",
    }
    assert found - known == set(SECRETS)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"\xff\xfe", "no text"),
        (b"s\0t", "no text"),
        (b"a" * 70_000, "longer"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes, word: str
) -> None:
    rest = {key: value for key, value in GOOD.items() if key != "SECRET_KEY"}
    set_only(monkeypatch, **rest, SECRET_KEY_FILE=_file(tmp_path, content))
    with pytest.raises(BadSettings, match=f"HELPLINE_SECRET_KEY_FILE .*{word}"):
        read_settings()
    set_only(monkeypatch, **rest, SECRET_KEY_FILE=str(tmp_path / "nowhere"))
    with pytest.raises(BadSettings, match="cannot be read"):
        read_settings()


def test_a_secret_from_a_file_is_checked_like_any_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rest = {key: value for key, value in GOOD.items() if key != "SECRET_KEY"}
    set_only(monkeypatch, **rest, SECRET_KEY_FILE=_file(tmp_path, b"s" * 40))
    with pytest.raises(BadSettings, match="can be guessed") as refused:
        read_settings()
    assert "ssss" not in str(refused.value)


def test_of_a_value_and_a_file_only_one_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_only(monkeypatch, **GOOD, SECRET_KEY_FILE=_file(tmp_path, b"other"))
    with pytest.raises(BadSettings, match="both set"):
        read_settings()
    set_only(monkeypatch, **GOOD, SECRET_KEYS_FILE="x")
    with pytest.raises(BadSettings, match="Did you mean HELPLINE_SECRET_KEY_FILE"):
        read_settings()


@pytest.mark.parametrize(
    ("mode", "starts"),
    [(0o400, True), (0o600, True), (0o440, True), (0o640, True)]
    + [(mode, False) for mode in (0o444, 0o604, 0o660, 0o402)],
)
def test_in_production_only_the_programs_user_reads_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: int, starts: bool
) -> None:
    rest = {key: value for key, value in GOOD.items() if key != "SECRET_KEY"}
    file = _file(tmp_path, GOOD["SECRET_KEY"].encode(), mode)
    set_only(monkeypatch, **rest, SECRET_KEY_FILE=file)
    if starts:
        assert read_settings().secret_key == GOOD["SECRET_KEY"]
        # Another user who owns the file could open it for others at any time.
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
        if os.stat(file).st_uid:
            with pytest.raises(BadSettings, match="another user"):
                read_settings()
    else:
        with pytest.raises(BadSettings, match="chmod 0440"):
            read_settings()
        set_only(monkeypatch, DATA_DIR=str(tmp_path), SECRET_KEY_FILE=file)
        assert read_settings().secret_key == GOOD["SECRET_KEY"]
