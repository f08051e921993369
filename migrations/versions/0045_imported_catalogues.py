"""What a helpline imports is called imported, in the database, too."""

from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def _rename(former: str, present: str) -> None:
    for part in ("at", "by"):
        op.alter_column("own_catalogues", f"{former}_{part}", new_column_name=f"{present}_{part}")
    op.execute(
        "ALTER TABLE own_catalogues RENAME CONSTRAINT "
        f"fk_own_catalogues_{former}_by TO fk_own_catalogues_{present}_by"
    )
    # From PostgreSQL 18 on, what must be given has a name, too, and takes that of its column.
    op.alter_column("own_catalogues", f"{present}_at", nullable=True)
    op.alter_column("own_catalogues", f"{present}_at", nullable=False)


def upgrade() -> None:
    _rename("taken_in", "imported")
