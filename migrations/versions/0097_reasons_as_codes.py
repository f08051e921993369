"""Why an agency is asked, or may not be told, is a code: pages go on to say it in words.

The log of a referral is chained and stays: a page says what an earlier version wrote as it is.
"""

from alembic import op

revision = "0097"
down_revision = "0096"
branch_labels = None
depends_on = None


# What an earlier version stored, and the code of today.
CODES = {
    "the mandated recipient for this place": "mandated",
    "deputy of an agency that is closed now": "deputy",
    "serves this place": "serves_this_place",
    "serves everywhere": "serves_everywhere",
    "open now": "open_now",
    "closed now: messages only until it opens": "closed_now",
    "chosen by hand": "chosen_by_hand",
    "asked about a brother or sister": "asked_about_sibling",
    "Nothing is sent: there is neither consent for this recipient nor an override with its basis "
    "and reason. Record one of them first.": "no_consent",
    "Nothing is sent: the consent excludes this recipient. Choose another one, or record an "
    "override that names it.": "excluded",
    "Nothing is sent: the consent was withdrawn. Record new consent, or an override with its basis "
    "and reason.": "consent_withdrawn",
    "Nothing is sent: consent was given, but not for authorities. Ask for it, or record an "
    "override with its basis and reason.": "not_for_authorities",
    "Nothing is sent: consent was given, but not for services. Ask for it, or record an "
    "override with its basis and reason.": "not_for_services",
    "Nothing is sent: consent was given for other services. Ask for it, or record an override with "
    "its basis and reason.": "for_other_services",
    "no agency of the directory fits": "no_agency_fits",
    "at their system": "at_their_system",
}
_ROWS = ", ".join(f"('{words}', '{code}')" for words, code in CODES.items())
STATEMENTS = (
    f"CREATE TEMPORARY TABLE reason_codes ON COMMIT DROP AS "
    f"SELECT * FROM (VALUES {_ROWS}) AS codes (words, code)",
    """
    UPDATE recipients SET why = ARRAY(
      SELECT coalesce(c.code, one.words)
      FROM unnest(why) WITH ORDINALITY AS one (words, n) LEFT JOIN reason_codes c USING (words)
      ORDER BY one.n)
    WHERE why && ARRAY(SELECT words FROM reason_codes)
    """,
    """
    UPDATE notices SET detail = jsonb_set(detail, '{why}', to_jsonb(c.code))
    FROM reason_codes c WHERE detail ->> 'why' = c.words
    """,
    """
    UPDATE notices SET detail = jsonb_set(detail, '{purpose}', to_jsonb(c.code))
    FROM reason_codes c WHERE detail ->> 'purpose' = c.words
    """,
    """
    UPDATE agency_cases SET problem = c.code FROM reason_codes c WHERE problem = c.words
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
