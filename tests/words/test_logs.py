"""Each code of a log that a page shows is said in words, in every language of the pages."""

from datetime import UTC, datetime
from enum import StrEnum
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from app.calls.log_kinds import CallLog
from app.calls.states import CallEvent
from app.contacts.log_kinds import RecordLog
from app.dashboard.referrals.referral_views import told
from app.referrals.channels.primero.problems import problem_words
from app.referrals.log_kinds import LogKind
from app.referrals.reasons import WORDS, Fits, WhyNoAgency
from app.referrals.services import Asked
from app.referrals.states import ReferralEvent
from app.staff.log_kinds import AuditLog
from app.words import pages
from tests.support.profile import by_day

pytestmark = pytest.mark.whole

ANA = UUID(int=1)
# What rows of these kinds hold, so that a sentence has something to fill in.
DETAIL: dict[str, Any] = {
    "agency": "csr-bg",
    "recipient": "csr-bg",
    "how": "phone",
    "why": [Fits.OPEN],
    "way": "sms",
    "team": "Team 4",
    "event": "referral.recalled",
    "status": "in_progress",
    "problem": "HTTP 500",
    "deadline": "seen",
    "result": "no_answer",
    "outcome": "police_action",
    "reason": "no_capacity",
    "from": "urgent",
    "to": "immediate",
    "protocol": "rs",
    "version": 3,
    "urgency": "urgent",
}
KINDS = [*LogKind, *ReferralEvent, RecordLog.EDITED, RecordLog.DANGER_DECIDED]
LANGUAGES = pages.page_languages()


def _sentence(kind: StrEnum, staff_id: UUID | None) -> str:
    why = DETAIL["why"] if kind == ReferralEvent.SEND else WhyNoAgency.NONE_IN_TIME
    event = SimpleNamespace(
        kind=kind.value, detail={**DETAIL, "why": why}, staff_id=staff_id, at=datetime.now(UTC)
    )
    names, agencies = {ANA: "Ana"}, {"csr-bg": "Centar"}
    story: Any = SimpleNamespace(
        asked=Asked("police"), events=[(event, "")], names=names, agencies=agencies
    )
    return told(story)[0].words


@pytest.mark.parametrize("language", by_day(LANGUAGES, 3))
def test_each_line_of_a_referral_is_a_sentence_in_each_language(language: str) -> None:
    for kind in KINDS:
        with pages.spoken_in(language):
            for staff_id in (ANA, None):
                said = _sentence(kind, staff_id)
                # A kind without a sentence is shown as its code.
                assert not said.endswith(f": {kind.value.replace('_', ' ')}"), kind
                assert kind.value not in said or "_" not in kind.value, kind
                assert "%(" not in said, kind
                assert "None" not in said, kind
        if language != pages.SOURCE:
            with pages.spoken_in(pages.SOURCE):
                assert said != _sentence(kind, None), kind


def test_a_kind_without_a_sentence_is_noticed() -> None:
    unknown: Any = SimpleNamespace(value="something_new")
    assert _sentence(unknown, ANA) == "Ana: something new"


@pytest.mark.parametrize("language", by_day((one for one in LANGUAGES if one != pages.SOURCE), 3))
def test_each_code_of_a_log_has_words_in_each_language(language: str) -> None:
    with pages.spoken_in(language):
        same = [
            kind.value
            for kinds in (CallLog, CallEvent, RecordLog, AuditLog)
            for kind in kinds
            if pages.code_words(kind) == kind.replace("_", " ")
        ]
    assert same == []


@pytest.mark.parametrize("language", by_day(LANGUAGES, 3))
def test_each_reason_is_said_in_each_language(language: str) -> None:
    """Also one that an earlier version has stored as a sentence."""
    for code, english in WORDS.items():
        with pages.spoken_in(language):
            words = problem_words(code.value)
            assert words == problem_words(str(english)) == pages.message_words(english)
        assert (words == str(english)) is (language == pages.SOURCE), code
