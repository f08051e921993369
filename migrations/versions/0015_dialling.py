"""Which numbers are dialled, and how many; whose voice messages are; proofs by telephone."""

import phonenumbers
import sqlalchemy as sa
from alembic import op
from phonenumbers import PhoneNumberType

revision = "0015"
# Written before 0016, and merged after it.
down_revision = "0016"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
_BEFORE = (
    "no_counsellor_signed_in",
    "all_away",
    "last_one_misses",
    "long_wait",
    "draft_not_sent",
    "override_not_seen",
    "danger_not_referred",
    "risk_rose",
    "details_not_opened",
    "withdrawal_undecided",
)
_WAYS = ("call", "sms", "agreed")
_PURPOSES = ("counsellor", "participant", "callback", "duty_phone", "alarm", "partner", "notice")
_WHY = ("not_a_number", "expensive", "country", "kind")
_IN_USE = """
    SELECT number FROM duty_phones WHERE gone_at IS NULL
    UNION SELECT sms FROM agencies WHERE sms IS NOT NULL
    UNION SELECT endpoint FROM staff WHERE endpoint_kind = 'phone' AND active
    UNION SELECT plan ->> 'partner_number' FROM lines WHERE plan ->> 'partner_number' IS NOT NULL
"""
_KINDS = {
    PhoneNumberType.UAN: "company_number",
    PhoneNumberType.PERSONAL_NUMBER: "personal_number",
    PhoneNumberType.UNKNOWN: "unknown",
}


def _in(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _set_alarm_kinds(kinds: tuple[str, ...]) -> None:
    op.drop_constraint("ck_alarms_kind", "alarms", type_="check")
    op.create_check_constraint("ck_alarms_kind", "alarms", _in("kind", kinds))


def _allow_what_is_in_use() -> None:
    """Allow the countries and kinds of the numbers that are dialled now, so that all go on."""
    bind = op.get_bind()
    home = set(bind.scalars(sa.text("SELECT country FROM lines WHERE active")))
    countries, kinds = set(), {"fixed_line", "mobile", "toll_free", "voip"}
    for number in bind.scalars(sa.text(_IN_USE)):
        try:
            parsed = phonenumbers.parse(number)
        except phonenumbers.NumberParseException:
            continue
        country = phonenumbers.region_code_for_number(
            parsed
        ) or phonenumbers.region_code_for_country_code(parsed.country_code)
        if country == "001":
            # Of no country: satellites and the like are never dialled.
            continue
        countries |= {country} - home
        kind = _KINDS.get(phonenumbers.number_type(parsed))
        kinds |= {kind} if kind else set()
    if countries or len(kinds) > 4:
        bind.execute(
            sa.text(
                "INSERT INTO dialling_rules"
                " (id, countries, kinds, person_hour, person_day, alarm_hour, alarm_day)"
                " VALUES (1, :countries, :kinds, 30, 120, 1000, 8000)"
            ),
            {"countries": sorted(countries), "kinds": sorted(kinds)},
        )


def upgrade() -> None:
    op.create_table(
        "dialling_rules",
        sa.Column("id", sa.Integer, nullable=False, server_default="1"),
        sa.Column("countries", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("kinds", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("person_hour", sa.Integer, nullable=False),
        sa.Column("person_day", sa.Integer, nullable=False),
        sa.Column("alarm_hour", sa.Integer, nullable=False),
        sa.Column("alarm_day", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_dialling_rules"),
        sa.CheckConstraint("id = 1", name="ck_dialling_rules_one_row"),
        sa.CheckConstraint(
            "person_hour >= 1 AND person_day >= 1 AND alarm_hour >= 1 AND alarm_day >= 1",
            name="ck_dialling_rules_limits",
        ),
    )
    op.create_table(
        "dials",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("way", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("staff_id", sa.Uuid),
        sa.Column("country", sa.Text, nullable=False),
        sa.Column("refused", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_dials"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name="fk_dials_staff_id"),
        sa.CheckConstraint(_in("way", _WAYS), name="ck_dials_way"),
        sa.CheckConstraint(_in("purpose", _PURPOSES), name="ck_dials_purpose"),
        sa.CheckConstraint(_in("refused", _WHY), name="ck_dials_refused"),
    )
    op.create_index("ix_dials_at", "dials", ["at"])
    op.create_index(
        "ix_dials_staff_id",
        "dials",
        ["staff_id", "at"],
        postgresql_where=sa.text("staff_id IS NOT NULL"),
    )
    _set_alarm_kinds((*_BEFORE, "dialling_hour", "dialling_day"))
    _allow_what_is_in_use()
    op.add_column("voice_messages", sa.Column("taken_at", INSTANT))
    _add_proofs()


def _add_proofs() -> None:
    op.create_table(
        "phone_proofs",
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("pin_hash", sa.Text),
        sa.Column("chosen_hash", sa.Text),
        sa.Column("paired_at", INSTANT),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("locked_until", INSTANT),
        sa.Column("code_hash", sa.Text),
        sa.Column("code_kind", sa.Text),
        sa.Column("code_until", INSTANT),
        sa.Column("wants", sa.Text),
        sa.PrimaryKeyConstraint("staff_id", name="pk_phone_proofs"),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name="fk_phone_proofs_staff_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint(
            _in("code_kind", ("texted", "handed")), name="ck_phone_proofs_code_kind"
        ),
    )
    # The phones that calls ring at now were entered by an administrator and are in use.
    op.execute(
        "INSERT INTO phone_proofs (staff_id, paired_at)"
        " SELECT id, now() FROM staff WHERE endpoint_kind = 'phone' AND active"
    )
