"""Each kind of act that changes a setting, an account, a line, an agency, a shift or a token is
written with what was before and after; the others change none, and each says why."""

import ast
from collections.abc import Iterator
from functools import cache

import pytest

from app.staff.log_kinds import AuditLog as Kind
from tests.support.program import sources

pytestmark = pytest.mark.whole

READS = "a reading: nothing changed"
OF_CHILD = "about a child or a caller: the log holds nothing of them"
SECRET = "a secret of one person: neither the former nor the new one is ever written"
SIGNING = "a sign-in or a proof, which no setting follows"
OF_CALL = "the work on one call; the log of the call has its moves"
OF_RECORD = "the work on one record; the log of the record has its moves"
MADE = "a report, a file or a list was made or decided about: no setting is another one now"
RUNS = "the program ran a check or a test"

UNCHANGED = {
    Kind.ALARM_ACKNOWLEDGED: "a person saw an alarm",
    Kind.AUDIT_LOG_READ: READS,
    Kind.BACKUP_ASKED_FOR: RUNS,
    Kind.CALLBACK_ANSWERED: OF_CALL,
    Kind.CALLBACK_ENDED: OF_CALL,
    Kind.CALLBACK_RESTARTED: OF_CALL,
    Kind.CALLER_FLAGGED: OF_CHILD,
    Kind.CALLER_FLAGS_READ: READS,
    Kind.CALLER_FLAG_LIFTED: OF_CHILD,
    Kind.CALLER_NUMBERS_FORGOTTEN: OF_CHILD,
    Kind.CALLER_NUMBER_OPENED: READS,
    Kind.CALLER_NUMBER_OPENED_FOR_REFERRAL: READS,
    Kind.CALLER_WISHES_ENDED: OF_CHILD,
    Kind.CALLER_WISH_RECORDED: OF_CHILD,
    Kind.CALLS_OF_FIGURE_LISTED: READS,
    Kind.CALL_RECORD_READ: READS,
    Kind.CASE_READ: READS,
    Kind.CASE_READ_TO_REFER: READS,
    Kind.CHAT_MEDIA_OPENED: READS,
    Kind.CODES_READ: READS,
    Kind.CONNECTION_TESTED: RUNS,
    Kind.CONTACT_OPENED_FOR_REASON: READS,
    Kind.CONTACT_READ: READS,
    Kind.CONTACT_READ_TO_REFER: READS,
    Kind.CONTENT_ERASED: OF_CHILD,
    Kind.CONVERSATION_READ: READS,
    Kind.COVERAGE_ALARM_SEEN: "a person saw an alarm",
    Kind.DANGER_ALARM_DECIDED: OF_RECORD,
    Kind.LINE_ACCOUNT_ELSEWHERE: "another program changed it at its carrier; it was set back",
    Kind.DATA_REPORT_MADE: MADE,
    Kind.DATA_REPORT_OPENED: READS,
    Kind.DATA_REQUEST_APPROVED: MADE,
    Kind.DATA_REQUEST_ASKED: MADE,
    Kind.DATA_REQUEST_BEGUN: MADE,
    Kind.DATA_REQUEST_ERASED_AGAIN: OF_CHILD,
    Kind.DATA_REQUEST_LAPSED: MADE,
    Kind.DATA_REQUEST_REFUSED: MADE,
    Kind.DATA_REQUEST_WITHDRAWN: MADE,
    Kind.DOCUMENT_LIMIT_REACHED: "a person reached a limit, and nothing was stored",
    Kind.DOCUMENT_READ: READS,
    Kind.EMERGENCY_UNDONE: "which acts were undone; each change has its entry",
    Kind.ERASING_ASKED: "a person asked for what the rules say, and what it erases has its entries",
    Kind.EXPORT_DOWNLOADED: READS,
    Kind.EXPORT_MADE: MADE,
    Kind.EXPORT_REQUESTED: MADE,
    Kind.FACTOR_NOT_ASKED: SIGNING,
    Kind.FACTS_READ: READS,
    Kind.FIGURES_PUBLISHED: MADE,
    Kind.KEYS_RESEALED: "values are sealed with another key, and none is another one now",
    Kind.KEY_AT_UNPROVEN_PHONE: SIGNING,
    Kind.LOG_CHECKED: RUNS,
    Kind.LOG_ENTRIES_ERASED: "the oldest entries went by their rule, whose change has its own",
    Kind.LOG_CHECK_ASKED: RUNS,
    Kind.MARKED_ANSWERS_SEALED: "answers are sealed as they are, and none is another one now",
    Kind.NAMES_READ_TO_REBUILD_SEARCH: READS,
    Kind.NEW_BROWSER: SIGNING,
    Kind.OPENING_REVIEWED: OF_RECORD,
    Kind.PASSWORD_CHANGED: SECRET,
    Kind.PASSWORD_CHOSEN: SECRET,
    Kind.PHONE_CODE_MADE: SECRET,
    Kind.PHONE_LOCKED: SIGNING,
    Kind.PHONE_PAIRED: SIGNING,
    Kind.PHONE_PIN_SET: SECRET,
    Kind.PRACTICES_FORGOTTEN: "practice is no record",
    Kind.PRACTICE_READ: READS,
    Kind.PRACTICE_REMARK_WRITTEN: "practice is no record",
    Kind.PRACTICE_STARTED: "practice is no record",
    Kind.PROFILE_READ: READS,
    Kind.PROOF_FAILED: SIGNING,
    Kind.PROOF_NOT_ASKED: SIGNING,
    Kind.PROPOSAL_ACCEPTED: "each shift that it makes has an entry of its own",
    Kind.PROVED_AGAIN: SIGNING,
    Kind.RECORDS_LISTED: READS,
    Kind.RECORDS_SEARCHED: READS,
    Kind.RECORD_READ_TO_COMPARE: READS,
    Kind.RECOVERY_CODES_MADE: SECRET,
    Kind.RECOVERY_CODE_USED: SIGNING,
    Kind.REFERRAL_DISCLOSED: READS,
    Kind.REFERRAL_READ: READS,
    Kind.REPORT_MADE: MADE,
    Kind.REPORT_READ: READS,
    Kind.REQUESTS_READ: READS,
    Kind.RESEALING_ASKED: RUNS,
    Kind.SECOND_FACTOR_REMOVED: SECRET,
    Kind.SECOND_FACTOR_SET: SECRET,
    Kind.SESSIONS_ENDED: SIGNING,
    Kind.SESSION_ENDED: SIGNING,
    Kind.SESSION_OVER: SIGNING,
    Kind.SIGNED_IN: SIGNING,
    Kind.SIGNED_OUT: SIGNING,
    Kind.SIGNED_OUT_BY_PROVIDER: SIGNING,
    Kind.SIGN_IN_FAILED: SIGNING,
    Kind.STATE_SET_BY_SUPERVISOR: "who takes calls at the moment; the log of presence has it",
    Kind.STATISTICS_EXPORTED: READS,
    Kind.TALK_ENDED_BY_SUPERVISOR: OF_CALL,
    Kind.TALK_MOVED: OF_CALL,
    Kind.TALK_TAKEN_OVER: OF_CALL,
    Kind.TEAM_MESSAGES_READ: READS,
    Kind.TEAM_MESSAGE_SENT: "a message to the team",
    Kind.TELEPHONE_CLOCK_LEARNED: SIGNING,
    Kind.TELEPHONE_TOKEN_MADE: SIGNING,
    Kind.UNMAPPED_LIST_READ: READS,
    Kind.VOICE_MESSAGE_DONE: OF_CALL,
    Kind.VOICE_MESSAGE_OPENED: READS,
    Kind.VOICE_MESSAGE_TAKEN: OF_CALL,
    Kind.WRITTEN_MESSAGE_DONE: OF_CALL,
    Kind.WRITTEN_MESSAGE_TAKEN: OF_CALL,
}
CHANGES = {
    Kind.ACCESS_APPROVED,
    Kind.ACCESS_ASKED,
    Kind.ACCESS_ENDED_BY_PROVIDER,
    Kind.ACCESS_GIVEN_ALONE,
    Kind.ACCESS_REFUSED,
    Kind.ADDRESS_CHANGE_APPROVED,
    Kind.ADDRESS_CHANGE_ASKED,
    Kind.ADDRESS_CHANGE_REFUSED,
    Kind.AGENCY_ADDED,
    Kind.AGENCY_CHANGED,
    Kind.CALENDAR_FEED_MADE,
    Kind.CALENDAR_FEED_REVOKED,
    Kind.DATA_REQUEST_ERASED,
    Kind.DATA_REQUEST_EXTENDED,
    Kind.DATA_REQUEST_EXTENSION_TOLD,
    Kind.DATA_REQUEST_KEPT,
    Kind.DATA_REQUEST_TAKEN_OVER,
    Kind.DEFINITIONS_PUT_IN_FORCE,
    Kind.DEFINITIONS_TAKEN_BACK,
    Kind.DEFINITIONS_UPLOADED,
    Kind.DIALLING_CHANGED,
    Kind.SETTINGS_CHANGED,
    Kind.DUTY_MOVED,
    Kind.DUTY_REMOVED,
    Kind.EMERGENCY_ASKED,
    Kind.EMERGENCY_ENDED,
    Kind.EMERGENCY_ENTERED,
    Kind.EMERGENCY_OPENED,
    Kind.EMERGENCY_REFUSED,
    Kind.EMERGENCY_REVIEWED,
    Kind.EVENT_SENT_AGAIN,
    Kind.ERASURE_FOLDER_PREPARED,
    Kind.EXPORT_APPROVED,
    Kind.EXPORT_REFUSED,
    Kind.HASHES_ROTATED,
    Kind.HOLIDAY_CLEARED,
    Kind.HOLIDAY_SET,
    Kind.IDENTITY_LINKED,
    Kind.IDENTITY_UNLINKED,
    Kind.KEY_RETIRED,
    Kind.KEY_ROTATED,
    Kind.LEFT_BY_DIRECTORY,
    Kind.LINE_ACCOUNT_REMOVED,
    Kind.LINE_ACCOUNT_SET,
    Kind.LINE_ADDED,
    Kind.LINE_CHAT_SET,
    Kind.LINE_FACTS_SET,
    Kind.LINE_HOURS_SET,
    Kind.LINE_KEY_QUESTIONS_SET,
    Kind.LINE_LANGUAGE_ADDED,
    Kind.LINE_LANGUAGE_REMOVED,
    Kind.LINE_NUMBERS_SET,
    Kind.LINE_PLAN_SET,
    Kind.UNREAD_MESSAGE_PUT_AWAY,
    Kind.LINE_RENAMED,
    Kind.LINE_RETIRED,
    Kind.LINE_TAKEN_INTO_USE,
    Kind.MANDATE_MOVED,
    Kind.OPEN_SHIFT_MADE,
    Kind.OPEN_SHIFT_WITHDRAWN,
    Kind.PASSKEY_ADDED,
    Kind.PASSKEY_REMOVED,
    Kind.PASSKEY_STOPPED,
    Kind.PARTNER_APPROVED,
    Kind.PARTNER_ASKED,
    Kind.PARTNER_NOT_WANTED,
    Kind.PARTNER_REFUSED,
    Kind.PASSWORD_LINK_MADE,
    Kind.PASSWORD_LINK_WITHDRAWN,
    Kind.PASSWORD_OF_AGENCY_SYSTEM_SET,
    Kind.PROMPT_CHANGED,
    Kind.PROPOSAL_ASKED,
    Kind.PROPOSAL_DISCARDED,
    Kind.PROVIDER_REMOVED,
    Kind.PROVIDER_SET,
    Kind.PUSH_FORGOTTEN,
    Kind.PUSH_SUBSCRIBED,
    Kind.RECORD_HELD,
    Kind.RECORD_HOLD_LIFTED,
    Kind.REPORT_SCHEDULED,
    Kind.REPORT_SCHEDULE_ENDED,
    Kind.RETENTION_CHANGED,
    Kind.ROTA_CHANGE_MADE,
    Kind.ROTA_CHANGE_SETTLED,
    Kind.ROTA_CHANGE_WITHDRAWN,
    Kind.ROTA_IMPORTED,
    Kind.SECOND_FACTOR_RESET,
    Kind.SECOND_PHONE_SET,
    Kind.SHIFT_ADDED,
    Kind.SHIFT_ENDED,
    Kind.SHIFT_LEFT_OUT,
    Kind.SIGN_IN_RULES_SET,
    Kind.STAFF_ADDED,
    Kind.STAFF_CHANGED,
    Kind.STAFF_DEACTIVATED,
    Kind.STAFF_HANDED_OVER,
    Kind.STAFF_REACTIVATED,
    Kind.TELEPHONY_SET_UP,
    Kind.TOKEN_MADE,
    Kind.TOKEN_REVOKED,
    Kind.WALLBOARD_MADE,
    Kind.WALLBOARD_WITHDRAWN,
    Kind.WEBHOOK_SECRET_MADE,
    Kind.WEEK_TEMPLATE_DELETED,
    Kind.WEEK_TEMPLATE_SAVED,
    Kind.WORDS_IMPORTED,
    Kind.WORDS_TAKEN_BACK,
    Kind.WORKING_TIMES_SET,
}


def _name(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _members(node: ast.AST) -> set[Kind]:
    return {
        Kind[one.attr]
        for one in ast.walk(node)
        if isinstance(one, ast.Attribute)
        and isinstance(one.value, ast.Name)
        and one.value.id == "AuditLog"
    }


def _says_both(call: ast.Call) -> bool:
    return {"before", "after"} <= {one.arg for one in call.keywords}


def _entries(nodes: list[ast.AST]) -> Iterator[tuple[set[Kind], bool, int]]:
    """Yield for each entry that a file writes its kinds, whether it says both, and its place.

    A kind is named in the call, or by a name of the same function, or handed to the function.
    """
    functions = [one for one in nodes if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    for function in functions:
        named: dict[str, set[Kind]] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                named.setdefault(node.targets[0].id, set()).update(_members(node.value))
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and _name(node) in ("write_entry", "write_reading"):
                action = node.args[1]
                kinds = _members(action)
                if isinstance(action, ast.Name):
                    kinds = named.get(action.id, set()) or _handed(function.name, action.id)
                yield kinds, _says_both(node), node.lineno


def _handed(function: str, parameter: str) -> set[Kind]:
    """Return the kinds with which a function that writes an entry is called anywhere."""
    return {
        kind
        for node in _calls().get(function, ())
        for argument in (*node.args, *(one.value for one in node.keywords))
        for kind in _members(argument)
    }


@cache
def _calls() -> dict[str, list[ast.Call]]:
    """Return every call of these sources by the name of what is called."""
    found: dict[str, list[ast.Call]] = {}
    for path in sources.having("AuditLog"):
        for node in sources.nodes(path):
            if isinstance(node, ast.Call):
                found.setdefault(_name(node), []).append(node)
    return found


def test_each_kind_is_declared_as_a_change_or_says_why_it_changes_nothing() -> None:
    assert not CHANGES & set(UNCHANGED)
    assert set(UNCHANGED) | CHANGES == set(Kind)
    assert all(UNCHANGED.values())


def test_each_change_is_written_with_what_was_before_and_after() -> None:
    found: set[Kind] = set()
    for path in sources.having("AuditLog"):
        for kinds, both, line in _entries(sources.nodes(path)):
            assert both or not kinds & CHANGES, f"{path}:{line} says not both of {kinds}"
            found |= kinds
    assert found >= CHANGES, "an entry of each change was found"


@pytest.mark.parametrize(
    "written",
    [
        "write_entry(work, AuditLog.LINE_RENAMED, line, after=1)",
        "write_entry(work, AuditLog.LINE_ADDED if new else AuditLog.LINE_RENAMED, line)",
        "kind = AuditLog.LINE_RENAMED\n    write_entry(work, kind, line, before=1)",
    ],
)
def test_a_change_without_both_is_found(written: str) -> None:
    source = ast.parse(f"def rename():\n    {written}\n")
    ((kinds, both, _),) = _entries(list(ast.walk(source)))
    assert Kind.LINE_RENAMED in kinds
    assert not both
