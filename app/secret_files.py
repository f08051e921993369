"""Secrets in files: `NAME_FILE` names a file that holds the value of the setting `NAME`.

In this way systemd, Docker and Kubernetes hand secrets over. What is in a file is in no
environment, which a process gives to its children, and which tools that show processes show, too.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from app.errors import BadSettings

# Only what holds a secret, in whole or in part.
SECRETS = (
    "secret_key",
    "field_keys",
    "database_url",
    "migration_database_url",
    "backup_database_url",
    "twilio_auth_token",
    "twilio_previous_auth_token",
    "twilio_api_key_secret",
    "translation_key",
    "monitoring_token",
    "smtp_url",
)
SUFFIX = "_FILE"
# In bytes. A device or a log that was named by mistake is not read to its end.
_LONGEST = 64 * 1024
# Characters of a path that are told: a wrong one may be of any length.
_TOLD = 200
# Others may do nothing with the file, and its group may only read it.
_TOO_OPEN = 0o027


def names_of_files(prefix: str) -> dict[str, str]:
    """Return the variables that name a file, each with the field that the file is for."""
    return {f"{prefix}{field.upper()}{SUFFIX}": field for field in SECRETS}


def read_files(environment: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the secrets that are in files, by field. A line end at the end is no part of one.

    Raises BadSettings.
    """
    found = {}
    for variable, field in names_of_files(prefix).items():
        path = environment.get(variable)
        if not path:
            continue
        name = variable.removesuffix(SUFFIX)
        if environment.get(name):
            raise BadSettings(f"{name} and {variable} are both set. Unset one of them.")
        found[field] = _read(variable, Path(path))
    return found


def _read(variable: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
    except OSError as error:
        raise BadSettings(
            f"{variable} names {str(path)[:_TOLD]}, which cannot be read ({error.strerror}). It "
            "must be a file that the program's user may read."
        ) from None
    try:
        text = content.decode() if len(content) <= _LONGEST else "\0"
    except UnicodeDecodeError:
        text = "\0"
    value = text.rstrip("\r\n")
    if "\0" in value:
        raise BadSettings(f"{variable} names {path}, which is no text, or longer than 64 KB.")
    if not value:
        raise BadSettings(f"{variable} names {path}, which is empty.")
    return value


def check_files(environment: Mapping[str, str], prefix: str) -> None:
    """Refuse files that others than the program's user and its group could read or change.

    Raises BadSettings.
    """
    for variable in names_of_files(prefix):
        if not (path := environment.get(variable)):
            continue
        state = os.stat(path)
        if state.st_mode & _TOO_OPEN:
            raise BadSettings(
                f"{variable} names {path}, which others can read or change. Make it readable for "
                f"the program's user or group alone: chmod 0440 {path}"
            )
        if state.st_uid not in (0, os.geteuid()):
            raise BadSettings(
                f"{variable} names {path}, which belongs to another user. It must belong to root "
                "or to the program's user."
            )
