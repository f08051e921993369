"""The kinds of rows in the log of a record, and the causes in them. They are stored, and stay as
they are.

What a reader sees is the words of the code, in the reader's language.
"""

from enum import StrEnum


class RecordKind(StrEnum):
    """What the log of a record may say. Referrals, which are above, have kinds of their own."""


class RecordLog(RecordKind):
    """What happened to a contact, case or profile."""

    CASE_GIVEN = "case_given"
    CASE_LINKED = "case_linked"
    CASE_UNLINKED = "case_unlinked"
    CHILD_LINKED = "child_linked"
    CLOSED = "closed"
    COMPLETED = "completed"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    CONTACT_LINKED = "contact_linked"
    CONTACT_UNLINKED = "contact_unlinked"
    DANGER_DECIDED = "danger_decided"
    DOCUMENT_ADDED = "document_added"
    DOCUMENT_REMOVED = "document_removed"
    EDITED = "edited"
    ERASED = "erased"
    FLAG_LIFTED = "flag_lifted"
    FLAG_RAISED = "flag_raised"
    FOLLOW_UP_DONE = "follow_up_done"
    FOLLOW_UP_DUE = "follow_up_due"
    FOLLOW_UP_GIVEN = "follow_up_given"
    FOLLOW_UP_OVERDUE = "follow_up_overdue"
    FOLLOW_UP_SET = "follow_up_set"
    HANDED_OVER = "handed_over"
    HELD = "held"
    HOLD_LIFTED = "hold_lifted"
    MEMBER_ADDED = "member_added"
    MEMBER_REMOVED = "member_removed"
    MERGED = "merged"
    MERGED_INTO = "merged_into"
    MOVE_APPROVED = "move_approved"
    MOVE_REFUSED = "move_refused"
    MOVE_REQUESTED = "move_requested"
    NOT_ALL_COPIED = "not_all_copied"
    NOTE = "note"
    OPENED = "opened"
    OPENED_FOR_REASON = "opened_for_reason"
    OPENING_REVIEWED = "opening_reviewed"
    PRINTED = "printed"
    PROFILE_MADE = "profile_made"
    REOPENED = "reopened"
    REQUEST_WITHDRAWN = "request_withdrawn"
    RISK_SET = "risk_set"
    SPLIT = "split"
    SPLIT_FROM = "split_from"
    STATUS_CHANGED = "status_changed"
    TRANSFER_APPROVED = "transfer_approved"
    TRANSFER_REFUSED = "transfer_refused"
    TRANSFER_REQUESTED = "transfer_requested"
    URGENCY_DECIDED = "urgency_decided"


class ReadsBecause(StrEnum):
    """Why a person reads a contact."""

    OWNER = "owner"
    TAKEN_BY = "taken_by"
    CALL_TRANSFERRED = "call_transferred"
    GIVEN = "given"
    OPENED_FOR_REASON = "opened_for_reason"
    CASE = "case"


class ReopenedBecause(StrEnum):
    """Why the program opened a completed contact again."""

    CALLER_IS_BACK = "caller_is_back"


class ProfileCause(StrEnum):
    """Why a profile was made, or a contact put into another one."""

    FIRST_CALL = "first_call"
    LINKED = "linked"
    TOLD_APART = "told_apart"
    SPLIT = "split"
