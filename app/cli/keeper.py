"""`helpline keeper`, apart from the other commands: it loads what it needs and no more."""

import os
import pwd
import signal
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from app.errors import BadSettings
from app.log import log, set_up_logging
from app.privacy.keeper.locking import lock_memory
from app.privacy.keeper.serving import Given, Serving
from app.secret_files import check_files, read_files
from app.settings import parse_field_keys
from app.strength import check_field_keys, check_length, check_random

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
_PREFIX = "HELPLINE_"


@app.command()
def keeper(
    user: Annotated[
        str, typer.Option(help="The user of the program, by name or number. Empty: this user.")
    ] = "",
) -> None:
    """Hold the keys in a process of its own, and seal, open and hash for one user.

    It reads HELPLINE_FIELD_KEYS and HELPLINE_SECRET_KEY (or HELPLINE_FIELD_KEYS_FILE and
    HELPLINE_SECRET_KEY_FILE), and HELPLINE_KEEPER_SOCKET. Keys that can be guessed are refused,
    unless HELPLINE_ENV is development.
    """
    set_up_logging("INFO")
    served = user_of(user)
    keys, path = read_own_settings(os.environ)
    lacking = lock_memory()
    if lacking:
        log().warning("the memory of the keeper is not locked", area="keeper", cause=lacking)
    serving = Serving(keys, path, served)

    def stop(_number: int, _frame: FrameType | None) -> None:
        serving.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    serving.run()


def user_of(text: str) -> int:
    """Return the number of a user. Raises BadSettings."""
    if not text:
        return os.geteuid()
    if text.isdecimal():
        return int(text)
    try:
        return pwd.getpwnam(text).pw_uid
    except KeyError:
        raise BadSettings(f"There is no user {text} on this machine.") from None


def read_own_settings(environment: Mapping[str, str]) -> tuple[Given, Path]:
    """Return the keys and the path of the socket. Raises BadSettings."""
    files = read_files(environment, _PREFIX)
    text = files.get("field_keys") or environment.get(f"{_PREFIX}FIELD_KEYS")
    secret = files.get("secret_key") or environment.get(f"{_PREFIX}SECRET_KEY")
    path = environment.get(f"{_PREFIX}KEEPER_SOCKET")
    if not text or not secret or not path:
        raise BadSettings(
            "The keeper needs HELPLINE_FIELD_KEYS and HELPLINE_SECRET_KEY (or "
            "HELPLINE_FIELD_KEYS_FILE and HELPLINE_SECRET_KEY_FILE), and HELPLINE_KEEPER_SOCKET, "
            "for example /run/helpline-keeper/socket."
        )
    keys = Given(parse_field_keys(text), secret)
    check_length(secret)
    # Unlike the program it has no address that would tell whether others depend on it.
    if environment.get(f"{_PREFIX}ENV") != "development":
        check_files(environment, _PREFIX)
        check_field_keys(keys.field_keys)
        check_random("HELPLINE_SECRET_KEY", secret)
    return keys, Path(path)
