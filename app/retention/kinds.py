"""The kinds of data that have a rule of their own, and how long each is kept by default. Pure."""

from enum import StrEnum


class DataKind(StrEnum):
    """A kind of data; the values are stored."""

    CALLER_NUMBERS = "caller_numbers"
    VOICE_MESSAGES = "voice_messages"
    CHAT_MESSAGES = "chat_messages"
    CONTACTS = "contacts"
    CASES = "cases"
    REFERRALS = "referrals"
    EXPORT_FILES = "export_files"
    CALLER_HASHES = "caller_hashes"
    CALLER_FLAGS = "caller_flags"
    THIRD_PARTY_NUMBERS = "third_party_numbers"
    DRAFTS = "drafts"
    FILE_REASONS = "file_reasons"
    DATA_REQUESTS = "data_requests"
    LOG = "log"


class HeldKind(StrEnum):
    """A record that can be held; the values are stored."""

    CONTACT = "contact"
    CASE = "case"
    REFERRAL = "referral"


class Decider(StrEnum):
    """Whose rule it is for how long a kind is kept; the values are stored."""

    # The default of the program: there is no decision.
    PROGRAM = "program"
    # The definitions in force.
    COUNTRY = "country"
    # A person of the helpline: what the country says is shown beside it, and changes nothing.
    HELPLINE = "helpline"


# What a child told is needed for months at least: a complaint, a court, a follow-up.
_LEAST = {
    DataKind.VOICE_MESSAGES: 30,
    DataKind.CHAT_MESSAGES: 30,
    DataKind.CONTACTS: 90,
    DataKind.CASES: 90,
    DataKind.REFERRALS: 90,
    # Whether a caller is known decides who is asked first, and what a counsellor is told.
    DataKind.CALLER_HASHES: 90,
    DataKind.DRAFTS: 90,
    # Who read a record is asked years later: when a breach comes to light, when a complaint about
    # the staff is heard, when a child has come of age. Claims for damage end after three years from
    # when it was known in many laws (Serbia: ZOO, art. 376; Germany: BGB, sec. 195), so less would
    # erase the proof before the claim. The owner's function in the database refuses less, too.
    DataKind.LOG: 1095,
}
MOST_DAYS = 36_500


def least_days(kind: DataKind) -> int:
    """Return the fewest days for which a kind can be kept."""
    return _LEAST.get(kind, 1)


def default_days(kind: DataKind, number_days: int) -> int | None:
    """Return for how many days a kind is kept until an administrator decides; None: for ever.

    To erase what a child told is the helpline's decision, so records and voices are kept.
    """
    match kind:
        case DataKind.CALLER_NUMBERS | DataKind.THIRD_PARTY_NUMBERS:
            return number_days
        case DataKind.CALLER_FLAGS:
            return 365
        # For as long as a complaint about it may come.
        case DataKind.FILE_REASONS | DataKind.DATA_REQUESTS:
            return 1095
        case DataKind.EXPORT_FILES:
            return 7
        case _:
            return None
