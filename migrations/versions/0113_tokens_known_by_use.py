"""A token that a messenger took before 0111 is known to be taken also if the messenger was away, or
had refused it since, when that was noted: by what came with it."""

from alembic import op

revision = "0113"
down_revision = "0112"
branch_labels = None
depends_on = None

# Each token has a secret of its own, without which no message is heard: one that a child wrote
# since the token was set came by it.
#
# A messenger is asked each hour. Of one that had the account before, and that was away a day and
# more after the token was set, we take it that it was not away all that time.
_TAKEN = """
UPDATE chat_accounts AS account SET taken_at = coalesce(asked_at, set_at)
WHERE taken_at IS NULL AND state <> 'removing' AND (
  EXISTS (
    SELECT FROM chat_messages JOIN calls ON calls.id = call_id
    WHERE calls.line_id = account.line_id AND calls.channel = account.channel
      AND author = 'child' AND at > account.set_at
  )
  OR (state = 'wanted' AND name IS NOT NULL AND asked_at > set_at + interval '1 day')
)
"""


def upgrade() -> None:
    op.execute(_TAKEN)
