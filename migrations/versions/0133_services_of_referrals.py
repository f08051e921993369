"""Which services a referral asks for, and for which ones consent was given, is sealed: some of them
tell of a child's health.

Existing rows are converted: this migration needs the field keys, or the keeper, if there are any.
It rewrites the tables, so that no earlier copy of a row stays in their files. Until all processes
run this version, those of the one before open and read no referral: their jobs try again.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable
from contextlib import nullcontext

import sqlalchemy as sa
from alembic import op

from app.privacy.keys import Keys
from migrations.sealing import keys_of_database

revision = "0133"
down_revision = "0132"
branch_labels = None
depends_on = None

_PURPOSE = "This version of the program seals which services referrals ask for."
_REFERRAL = {"table": "referrals", "column": "services_sealed"}
_CONSENT = {"table": "consents", "column": "for_what_sealed"}
# Bytes of each value before it is sealed.
_LENGTH = 384

# As in 0119, and besides: what a consent names may be sealed anew, and stays when words go.
_SEALED_ANEW = (
    """
      IF current_setting('helpline.resealing', true) = 'on' AND now = was
        AND (sealed IS NULL)""",
    """
      IF current_setting('helpline.resealing', true) = 'on'
        AND now - 'for_what_sealed' = was - 'for_what_sealed'
        AND (now ->> 'for_what_sealed' IS NULL) = (was ->> 'for_what_sealed' IS NULL)
        AND (sealed IS NULL)""",
)
_FUNCTION = sa.text("SELECT pg_get_functiondef('refuse_change_but_seals()'::regprocedure)")

# Brothers and sisters: opened at once, for one service.
_ALIKE = """
WITH alike AS MATERIALIZED (
  SELECT opened_together, service, gen_random_uuid() AS id FROM referrals GROUP BY 1, 2
)
UPDATE referrals r SET opened_alike = alike.id FROM alike
WHERE alike.opened_together = r.opened_together AND alike.service = r.service
"""


def _body(codes: Iterable[str]) -> bytes:
    body = json.dumps(list(codes), separators=(",", ":")).encode()
    assert len(body) <= _LENGTH
    return body.ljust(_LENGTH)


def _seal_referrals(keys: Keys) -> None:
    bind = op.get_bind()
    write = sa.text("UPDATE referrals SET services_sealed = :sealed WHERE id = :id")
    for row in bind.execute(sa.text("SELECT id, service, family_first FROM referrals")).all():
        body = _body([row.service, *dict.fromkeys(row.family_first)])
        bind.execute(write, {"id": row.id, "sealed": keys.seal(body, **_REFERRAL, row=row.id)})


def _seal_consents(keys: Keys) -> None:
    bind = op.get_bind()
    write = sa.text(
        "UPDATE consents SET for_what_sealed = :sealed, for_what_sum = :sum WHERE id = :id"
    )
    read = sa.text("SELECT id, for_what FROM consents WHERE for_what <> '{}'")
    for row in bind.execute(read).all():
        body = secrets.token_bytes(16) + _body(dict.fromkeys(row.for_what))
        sealed = keys.seal(body, **_CONSENT, row=row.id)
        total = hashlib.sha256(b"\0" + body).digest()
        bind.execute(write, {"id": row.id, "sealed": sealed, "sum": total})


def upgrade() -> None:
    bind = op.get_bind()
    has_rows = bind.execute(sa.text("SELECT EXISTS (SELECT FROM referrals)")).scalar()
    # The keeper may have to be waited for: nothing is locked meanwhile.
    with keys_of_database(_PURPOSE) if has_rows else nullcontext() as keys:
        op.execute("LOCK TABLE referrals, consents IN ACCESS EXCLUSIVE MODE")
        op.add_column("referrals", sa.Column("services_sealed", sa.LargeBinary))
        op.add_column("referrals", sa.Column("opened_alike", sa.Uuid))
        op.add_column("consents", sa.Column("for_what_sealed", sa.LargeBinary))
        op.add_column("consents", sa.Column("for_what_sum", sa.LargeBinary))
        if keys is not None:
            # What is only sealed changes no figure, and no row of a log but in this.
            for table in ("referrals", "consents"):
                op.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            op.execute(_ALIKE)
            _seal_referrals(keys)
            _seal_consents(keys)
            for table in ("referrals", "consents"):
                op.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    op.alter_column("referrals", "services_sealed", nullable=False)
    op.alter_column("referrals", "opened_alike", nullable=False)
    op.drop_column("referrals", "service")
    op.drop_column("referrals", "family_first")
    op.drop_column("consents", "for_what")
    # The columns are written anew with the whole table, without what was dropped.
    op.execute("ALTER TABLE referrals ALTER COLUMN protocol TYPE text USING protocol || ''")
    op.execute("ALTER TABLE consents ALTER COLUMN kind TYPE text USING kind || ''")
    op.execute(_but_what_is_named(bind.execute(_FUNCTION).scalar_one()))


def _but_what_is_named(function: str) -> str:
    before, after = _SEALED_ANEW
    assert function.count(before) == 1
    return function.replace(before, after)
