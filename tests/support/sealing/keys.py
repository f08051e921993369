"""Keys for tests, and a unit of work with others than its own."""

import base64
from dataclasses import replace

from app.privacy.keys import Keys, keys_in_program
from app.settings import Settings
from app.work import Work

# The first is the key of the other tests.
KEYS = {1: b"practice-key-practice-key-123456", 2: b"2" * 32, 3: b"3" * 32}
OTHER = b"o" * 32
SECRET = "practice-secret-key-practice-secret-key"


def keys_of(*keys: tuple[int, bytes]) -> Keys:
    return keys_in_program(list(keys), SECRET)


def with_keys(work: Work, *keys: tuple[int, bytes]) -> Work:
    """Return the same unit of work as a process with these keys would have it."""
    return replace(work, ground=replace(work.ground, keys=keys_of(*keys)))


def text_of(*keys: tuple[int, bytes]) -> str:
    """Return keys as they stand in the settings."""
    return ",".join(f"{number}:{base64.b64encode(key).decode()}" for number, key in keys)


def settings_on(database: str, *keys: tuple[int, bytes]) -> Settings:
    return Settings(database_url=database, secret_key=SECRET, field_keys=text_of(*keys))
