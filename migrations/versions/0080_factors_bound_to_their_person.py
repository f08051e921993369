"""Second factors: the public key of a passkey and the secret of a telephone are sealed for their
person, so that a row that is changed or moved in the database proves no other person.

Existing rows are converted: this migration needs the field keys, or the keeper, if there are any.
Until all processes run this version, those of the one before accept no second factor, and an app
that is set up with one of them opens nothing here: it is not sealed for its person.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import sqlalchemy as sa
from alembic import op

from app.errors import BadSettings
from app.privacy.keys import CannotOpen, Keys
from migrations.sealing import keys_of_database

revision = "0080"
down_revision = "0078"
branch_labels = None
depends_on = None

_PURPOSE = "This version of the program seals second factors for their person."
_PASSKEY = {"table": "passkeys", "column": "public_key_sealed"}
_TELEPHONE = {"table": "second_factors", "column": "secret_sealed"}


def _rows(columns: str, table: str) -> list[Any]:
    return list(op.get_bind().execute(sa.text(f"SELECT {columns} FROM {table}")))


def _sealed_passkeys(keys: Keys, rows: list[Any]) -> Iterator[dict[str, Any]]:
    for row in rows:
        content = row.id.bytes + bytes(row.public_key)
        yield {"id": row.id, "sealed": keys.seal(content, **_PASSKEY, row=row.staff_id)}


def _sealed_telephones(keys: Keys, rows: list[Any]) -> Iterator[dict[str, Any]]:
    for row in rows:
        try:
            secret = keys.open(bytes(row.secret_sealed), **_TELEPHONE, row=row.id)
        except CannotOpen:
            raise BadSettings(
                f"The keys do not open the second factor {row.id} of the account {row.staff_id}, "
                "in the table second_factors. Nothing was changed. If the right keys are given, "
                "the row was damaged, and a code of this telephone opens nothing today: reset the "
                "second factor of this person with the version that you had, and start again."
            ) from None
        yield {"id": row.id, "sealed": keys.seal(secret, **_TELEPHONE, row=row.staff_id)}


def _write(table: str, column: str, changes: Iterator[dict[str, Any]]) -> None:
    statement = sa.text(f"UPDATE {table} SET {column} = :sealed WHERE id = :id")
    for change in changes:
        op.get_bind().execute(statement, change)


def _has_rows() -> bool:
    return bool(_rows("1", "passkeys LIMIT 1") or _rows("1", "second_factors LIMIT 1"))


def upgrade() -> None:
    # The keeper may have to be waited for: nothing is locked meanwhile.
    with keys_of_database(_PURPOSE) if _has_rows() else nullcontext() as keys:
        op.execute("LOCK TABLE passkeys, second_factors IN ACCESS EXCLUSIVE MODE")
        op.add_column("passkeys", sa.Column("public_key_sealed", sa.LargeBinary))
        if keys is not None:
            passkeys = _rows("id, staff_id, public_key", "passkeys")
            telephones = _rows("id, staff_id, secret_sealed", "second_factors")
            _write("passkeys", "public_key_sealed", _sealed_passkeys(keys, passkeys))
            _write("second_factors", "secret_sealed", _sealed_telephones(keys, telephones))
        op.alter_column("passkeys", "public_key_sealed", nullable=False)
        op.drop_column("passkeys", "public_key")
