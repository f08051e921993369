"""The files that can be exported, and which of them are about single persons."""

from enum import StrEnum


class File(StrEnum):
    """What an export holds. The codes are stored, and stand in URLs and file names."""

    SUMMARY = "summary"
    CATEGORIES = "categories"
    REFERRALS = "referrals"
    COUNSELLORS = "counsellors"
    ROOM = "room"
    AT_ONCE = "at_once"
    FEEDBACK = "feedback"
    REPORT = "report"
    CALLS = "calls"
    RECORDS = "records"


WHAT = tuple(File)
PERSONAL = frozenset({File.RECORDS})
