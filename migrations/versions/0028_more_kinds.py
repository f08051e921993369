"""Kinds of data that had no rule of retention."""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_BEFORE = (
    "caller_numbers",
    "voice_messages",
    "contacts",
    "cases",
    "referrals",
    "export_files",
)
_NEW = (
    "caller_hashes",
    "caller_flags",
    "third_party_numbers",
    "drafts",
    "file_reasons",
    "data_requests",
)


def _set(*kinds: str) -> None:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    for table in ("retention_rules", "erasures"):
        op.drop_constraint(f"ck_{table}_kind", table)
        op.create_check_constraint(f"ck_{table}_kind", table, f"kind IN ({listed})")


def upgrade() -> None:
    _set(*_BEFORE, *_NEW)
