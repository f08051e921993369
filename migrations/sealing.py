"""The keys for a migration that seals what is stored: those of this database, or none.

The program checks its keys after the migrations, so one that seals checks them itself, before it
changes anything.
"""

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import context, op

from app.errors import BadSettings
from app.privacy.keys import CannotOpen, Keys, read_keys
from app.sealing.knowing import KnownKey, problem_of

# Seconds that the keeper may take to start.
_KEEPER_STARTS_WITHIN = 30.0


@contextlib.contextmanager
def keys_of_database(purpose: str) -> Iterator[Keys]:
    """Yield the keys of the settings, which seal with the key that is in force.

    `purpose`: a sentence about what is sealed, for those who gave no keys. Raises BadSettings.
    """
    settings = context.config.attributes.get("settings")
    if settings is None or not (settings.field_keys or settings.keeper_socket):
        raise BadSettings(
            f"{purpose} Run `helpline migrate` with the HELPLINE_FIELD_KEYS of this database, or "
            "its keeper."
        )
    keys = read_keys(settings)
    with contextlib.closing(keys.keeper) if keys.keeper else contextlib.nullcontext():
        if keys.keeper is not None:
            keys.keeper.wait(_KEEPER_STARTS_WITHIN)
        _check(keys)
        yield keys


def _check(keys: Keys) -> None:
    bind = op.get_bind()
    known = bind.execute(
        sa.text("SELECT number, check_value, seals_from, retired_at FROM field_keys")
    )
    problem = problem_of(
        keys, [KnownKey(one.number, bytes(one.check_value), *one[2:]) for one in known]
    )
    if problem:
        raise BadSettings(f"{problem} Nothing was changed.")
    sealing = bind.execute(
        sa.text(
            "SELECT number FROM field_keys WHERE seals_from <= now() AND retired_at IS NULL "
            "ORDER BY seals_from DESC LIMIT 1"
        )
    ).scalar()
    if sealing is None:
        return
    try:
        keys.seal_with(sealing)
    except CannotOpen as error:
        raise BadSettings(f"The keys cannot seal: {error}. Nothing was changed.") from None
