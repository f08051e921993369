"""Seeds of second factors that are in use lie where the keys open them for no asker: codes are
checked where the keys are held. A seed that is being set up stays where it can be shown.

Existing rows are converted: this migration needs the field keys, or the keeper, if there are any.
Until all processes run this version, those of the one before accept no code of a telephone.
"""

from contextlib import nullcontext
from typing import Any

import sqlalchemy as sa
from alembic import op

from app.errors import BadSettings
from app.privacy.keys import CannotOpen, Keys
from migrations.sealing import keys_of_database

revision = "0130"
down_revision = "0129"
branch_labels = None
depends_on = None

_PURPOSE = "This version of the program seals second factors where they are not opened."
_BEFORE = {"table": "second_factors", "column": "secret_sealed"}
_NOW = {"table": "second_factors", "column": "seed_sealed"}


def _seal(keys: Keys, row: Any) -> None:
    try:
        seed = keys.open(bytes(row.secret_sealed), **_BEFORE, row=row.staff_id)
    except CannotOpen:
        raise BadSettings(
            f"The keys do not open the second factor {row.id} of the account {row.staff_id}, "
            "in the table second_factors. Nothing was changed. If the right keys are given, "
            "the row was damaged, and a code of this telephone opens nothing today: reset the "
            "second factor of this person with the version that you had, and start again."
        ) from None
    op.get_bind().execute(
        sa.text("UPDATE second_factors SET seed_sealed = :sealed WHERE id = :id"),
        {"id": row.id, "sealed": keys.seal(seed, **_NOW, row=row.staff_id)},
    )


def upgrade() -> None:
    read = sa.text("SELECT id, staff_id, secret_sealed FROM second_factors")
    has_rows = op.get_bind().execute(read).first() is not None
    # The keeper may have to be waited for: nothing is locked meanwhile.
    with keys_of_database(_PURPOSE) if has_rows else nullcontext() as keys:
        op.execute("LOCK TABLE second_factors IN ACCESS EXCLUSIVE MODE")
        op.add_column("second_factors", sa.Column("seed_sealed", sa.LargeBinary))
        if keys is not None:
            for row in op.get_bind().execute(read).all():
                _seal(keys, row)
        op.alter_column("second_factors", "seed_sealed", nullable=False)
        op.alter_column("second_factors", "secret_sealed", nullable=True)
        op.execute("UPDATE second_factors SET secret_sealed = NULL WHERE confirmed_at IS NOT NULL")
