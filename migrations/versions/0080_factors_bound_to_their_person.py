"""Second factors: the public key of a passkey and the secret of a telephone are sealed for their
person, so that a row that is changed or moved in the database proves no other person.

Existing rows are converted: this migration needs the field keys if there are any. Until all
processes run this version, those of the one before accept no second factor.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from app.errors import BadSettings
from app.privacy.keys import CannotOpen, Keys, read_keys

revision = "0080"
down_revision = "0078"
branch_labels = None
depends_on = None

_PASSKEY = {"table": "passkeys", "column": "public_key_sealed"}
_TELEPHONE = {"table": "second_factors", "column": "secret_sealed"}


def _rows(columns: str, table: str) -> list[Any]:
    return list(op.get_bind().execute(sa.text(f"SELECT {columns} FROM {table}")))


def _keys() -> Keys:
    settings = context.config.attributes.get("settings")
    if settings is None or not (settings.field_keys or settings.keeper_socket):
        raise BadSettings(
            "This version of the program seals second factors for their person. Run `helpline "
            "migrate` with the HELPLINE_FIELD_KEYS of this database, or its keeper."
        )
    keys = read_keys(settings)
    sealing = (
        op.get_bind()
        .execute(
            sa.text(
                "SELECT number FROM field_keys WHERE seals_from <= now() AND retired_at IS NULL "
                "ORDER BY seals_from DESC LIMIT 1"
            )
        )
        .scalar()
    )
    if sealing is not None:
        keys.seal_with(sealing)
    return keys


def _sealed_passkeys(keys: Keys, rows: list[Any]) -> Iterator[dict[str, Any]]:
    for row in rows:
        content = row.id.bytes + bytes(row.public_key)
        yield {"id": row.id, "sealed": keys.seal(content, **_PASSKEY, row=row.staff_id)}


def _sealed_telephones(keys: Keys, rows: list[Any]) -> Iterator[dict[str, Any]]:
    for row in rows:
        try:
            secret = keys.open(bytes(row.secret_sealed), **_TELEPHONE, row=row.id)
        except CannotOpen:
            # It opened nothing before, either.
            continue
        yield {"id": row.id, "sealed": keys.seal(secret, **_TELEPHONE, row=row.staff_id)}


def _write(table: str, column: str, changes: Iterator[dict[str, Any]]) -> None:
    statement = sa.text(f"UPDATE {table} SET {column} = :sealed WHERE id = :id")
    for change in changes:
        op.get_bind().execute(statement, change)


def upgrade() -> None:
    op.add_column("passkeys", sa.Column("public_key_sealed", sa.LargeBinary))
    passkeys = _rows("id, staff_id, public_key", "passkeys")
    telephones = _rows("id, staff_id, secret_sealed", "second_factors")
    if passkeys or telephones:
        keys = _keys()
        _write("passkeys", "public_key_sealed", _sealed_passkeys(keys, passkeys))
        _write("second_factors", "secret_sealed", _sealed_telephones(keys, telephones))
    op.alter_column("passkeys", "public_key_sealed", nullable=False)
    op.drop_column("passkeys", "public_key")
