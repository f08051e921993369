"""Special codes (health, sexual life, origin, belief) are sealed in the record, and what is made of
them, too.

Existing rows are converted: this migration needs the field keys. It rewrites the tables, so that no
earlier copy of a row stays in their files. Kept days of facts are made again from the record.
"""

import base64
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import sqlalchemy as sa
import yaml
from alembic import op

from app.privacy.keys import Keys
from migrations.sealing import keys_of_database

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_PURPOSE = "This version of the program seals codes about health in records that exist."
# What was special when this migration was written: by the meaning of a question, by the sign of
# danger of an answer, and by its place in a form that comes with the program.
_MEANINGS = frozenset({"disability", "access_needs", "groups", "residence", "danger_signs"})
_CUES = frozenset({"suicide", "self_harm", "sexual_violence"})
_LISTED = {
    "contact": {
        "child.harm",
        "child.nationality",
        "child.school",
        "child.disability",
        "child.residence",
        "child.groups",
        "actions.taken",
        "contact.categories",
        "danger.signs",
    },
    "short": {"note.about"},
    "case": {"case.categories", "child.disability", "separation.drivers"},
    "referral": {"reason.asked", "reason.categories", "child.disability", "danger.signs"},
}
_RECORDS = {"contact": "contacts", "case": "cases", "referral": "referrals"}
_AT_ONCE = 500
_FILLED_UP = 128


class _Sealing:
    """The keys of this database."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def code(self, table: str, path: str, row: Any, value: Any) -> str:
        sealed = self._keys.seal(_filled_up(value), table=table, column=path, row=row)
        return base64.b64encode(sealed).decode()

    def column(self, table: str, column: str, row: Any, value: Any) -> bytes:
        return self._keys.seal(_filled_up(value), table=table, column=column, row=row)

    def words(self, row: Any, sealed: bytes | None) -> str:
        if sealed is None:
            return ""
        place = {"table": "urgency_decisions", "column": "reason_sealed"}
        return self._keys.open(bytes(sealed), **place, row=row).decode()


def _filled_up(value: Any) -> bytes:
    body = json.dumps(value, ensure_ascii=False).encode()
    return body.ljust(-(-len(body) // _FILLED_UP) * _FILLED_UP)


@cache
def _special(form: str, version: int) -> frozenset[str]:
    """Return the questions of a form that are special, as `section.field`."""
    text = (
        op.get_bind()
        .execute(
            sa.text(
                "SELECT text FROM definitions WHERE kind = 'forms' AND name = :name "
                "AND version = :version"
            ),
            {"name": form, "version": version},
        )
        .scalar()
    )
    found = set(_LISTED.get(form, ()))
    data = yaml.safe_load(text) if text is not None else {}
    for section in data.get("sections", ()):
        for field in section["fields"]:
            path = f"{section['code']}.{field['code']}"
            options = field.get("options") or data.get("lists", {}).get(field.get("options_from"))
            cues = {option.get("cue") for option in options or ()}
            is_special = (
                field.get("special")
                or field["type"] == "categories"
                or field.get("means") in _MEANINGS
                or bool(cues & _CUES)
            )
            if is_special and not field.get("personal"):
                found.add(path)
    return frozenset(found)


def _is_special(form: str, version: int, path: str) -> bool:
    parts = path.split(".")
    return len(parts) in (2, 3) and f"{parts[0]}.{parts[-1]}" in _special(form, version)


def _rows(columns: str, source: str, key: str, where: str = "true") -> Iterator[Any]:
    """Yield rows by their key, some at a time."""
    after: Any = None
    while True:
        beyond = f"AND {key} > :after" if after is not None else ""
        rows = (
            op.get_bind()
            .execute(
                sa.text(
                    f"SELECT {key} AS of_key, {columns} FROM {source} WHERE {where} {beyond} "
                    f"ORDER BY {key} LIMIT {_AT_ONCE}"
                ),
                {"after": after} if after is not None else {},
            )
            .all()
        )
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].of_key


def _moved(
    sealing: _Sealing, table: str, row: Any, form: tuple[str, int], answers: Any, sealed: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the answers without special codes, and the sealed ones with them."""
    plain, kept = dict(answers), dict(sealed)
    for path in [one for one in plain if _is_special(*form, one)]:
        kept[path] = sealing.code(table, path, row, plain.pop(path))
    return plain, kept


def _convert_records(sealing: _Sealing) -> None:
    for table in _RECORDS.values():
        columns = "form, form_version, answers, sealed, category_codes"
        for row in _rows(columns, table, "id"):
            form = (row.form, row.form_version)
            plain, kept = _moved(sealing, table, row.of_key, form, row.answers, row.sealed)
            codes = row.category_codes
            listed = (
                sealing.column(table, "categories_sealed", row.of_key, codes) if codes else None
            )
            if kept == row.sealed and listed is None:
                continue
            op.get_bind().execute(
                sa.text(
                    f"UPDATE {table} SET answers = CAST(:plain AS jsonb), "
                    "sealed = CAST(:kept AS jsonb), categories_sealed = :listed WHERE id = :id"
                ),
                {
                    "plain": json.dumps(plain),
                    "kept": json.dumps(kept),
                    "listed": listed,
                    "id": row.of_key,
                },
            )


def _convert_versions(sealing: _Sealing) -> None:
    source = "completed_versions v JOIN contacts c ON c.id = v.contact_id"
    columns = "v.contact_id, v.number, c.form, c.form_version, v.answers, v.sealed, c.erased_at"
    for row in _rows(columns, source, "(v.contact_id, v.number)::text"):
        form = (row.form, row.form_version)
        plain, kept = _moved(sealing, "contacts", row.contact_id, form, row.answers, row.sealed)
        if row.erased_at is not None:
            # Of an erased record, no version keeps what is sealed.
            kept = dict(row.sealed)
        if plain != row.answers:
            op.get_bind().execute(
                sa.text(
                    "UPDATE completed_versions SET answers = CAST(:plain AS jsonb), "
                    "sealed = CAST(:kept AS jsonb) WHERE contact_id = :id AND number = :number"
                ),
                {
                    "plain": json.dumps(plain),
                    "kept": json.dumps(kept),
                    "id": row.contact_id,
                    "number": row.number,
                },
            )


def _convert_earlier(sealing: _Sealing) -> None:
    for kind, table in _RECORDS.items():
        source = f"earlier_answers e JOIN {table} r ON r.id = e.subject_id"
        columns = "e.subject_id, e.path, r.form, r.form_version, e.answer"
        where = f"e.subject_kind = '{kind}' AND e.answer IS NOT NULL AND e.answer <> 'null'"
        for row in _rows(columns, source, "e.id", where):
            if not _is_special(row.form, row.form_version, row.path):
                continue
            value = sealing.code(table, row.path, row.subject_id, row.answer)
            op.get_bind().execute(
                sa.text("UPDATE earlier_answers SET answer = NULL, sealed = :value WHERE id = :id"),
                {"value": value, "id": row.of_key},
            )


def _convert_decisions(sealing: _Sealing) -> None:
    where = "cues <> '{}' OR reason_sealed IS NOT NULL"
    source = "urgency_decisions d JOIN contacts c ON c.id = d.contact_id"
    for row in _rows("d.cues, d.reason_sealed, c.erased_at", source, "d.id", f"({where})"):
        if row.erased_at is not None:
            continue
        why = {"signs": row.cues, "words": sealing.words(row.of_key, row.reason_sealed)}
        value = sealing.column("urgency_decisions", "reason_sealed", row.of_key, why)
        op.get_bind().execute(
            sa.text("UPDATE urgency_decisions SET reason_sealed = :value WHERE id = :id"),
            {"value": value, "id": row.of_key},
        )


_LOGS = ("completed_versions", "earlier_answers", "urgency_decisions")
# A column of each table that is written anew with the whole table.
_REWRITTEN = {
    "contacts": ("answers", "answers || '{}'::jsonb", "jsonb"),
    "cases": ("answers", "answers || '{}'::jsonb", "jsonb"),
    "referrals": ("answers", "answers || '{}'::jsonb", "jsonb"),
    "completed_versions": ("answers", "answers || '{}'::jsonb", "jsonb"),
    "earlier_answers": ("path", "path || ''", "text"),
    "urgency_decisions": ("urgency", "urgency || ''", "text"),
}


def _convert() -> None:
    bind = op.get_bind()
    tables = (*_RECORDS.values(), *_LOGS)
    if not any(bind.execute(sa.text(f"SELECT EXISTS (SELECT FROM {t})")).scalar() for t in tables):
        return
    with keys_of_database(_PURPOSE) as keys:
        _convert_with(_Sealing(keys))


def _convert_with(sealing: _Sealing) -> None:
    # What is only sealed anew changes no figure, and no row of a log but in this.
    op.execute("SELECT set_config('helpline.resealing', 'on', true)")
    for log in _LOGS:
        op.execute(f"ALTER TABLE {log} DISABLE TRIGGER USER")
    _convert_records(sealing)
    _convert_versions(sealing)
    _convert_earlier(sealing)
    _convert_decisions(sealing)
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for log in _LOGS:
        op.execute(f"ALTER TABLE {log} ENABLE TRIGGER USER")
    for table, (column, value, kind) in _REWRITTEN.items():
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind} USING {value}")
    op.execute("SELECT set_config('helpline.resealing', '', true)")


def upgrade() -> None:
    for table in _RECORDS.values():
        op.add_column(table, sa.Column("categories_sealed", sa.LargeBinary))
    _special.cache_clear()
    _convert()
    for table in _RECORDS.values():
        op.drop_index(f"ix_{table}_category_codes", table)
        op.drop_column(table, "category_codes")
    op.drop_column("urgency_decisions", "cues")
    op.execute("TRUNCATE statistic_columns, statistic_days")
    op.add_column(
        "statistic_columns",
        sa.Column("id", sa.Uuid, server_default=sa.text("gen_random_uuid()"), nullable=False),
    )
    op.add_column("statistic_columns", sa.Column("data_sealed", sa.LargeBinary))
