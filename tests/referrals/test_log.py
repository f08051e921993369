"""The log of a referral holds stable codes."""

import re

from app.contacts.log_kinds import RecordLog
from app.dashboard.referrals import referral_views
from app.referrals.log_kinds import LogKind
from app.referrals.states import ReferralEvent


def test_every_line_of_the_log_is_a_code_and_the_page_knows_no_other() -> None:
    kinds = {*LogKind, *ReferralEvent}
    assert all(re.fullmatch("[a-z_]+", kind) for kind in kinds)
    # These are written to the log of any record.
    of_any = {RecordLog.EDITED, RecordLog.DANGER_DECIDED, RecordLog.ERASED}
    of_any |= {RecordLog.HELD, RecordLog.HOLD_LIFTED}
    assert set(referral_views.KINDS) <= kinds | of_any
