"""What a request about a person's data can be, what is found, and why something is kept. Pure."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from app.words.pages import N_


class RequestKind(StrEnum):
    """What the person asks for; the values of all these kinds are stored."""

    ACCESS = "access"
    ERASURE = "erasure"


class AskingPerson(StrEnum):
    """Who asks. A guardian asks for the child; a caller asks about themselves alone."""

    CHILD = "child"
    GUARDIAN = "guardian"
    CALLER = "caller"


class RequestState(StrEnum):
    # Rows were found, and the officer says which of them are kept.
    FOUND = "found"
    # A second person has to decide.
    ASKED = "asked"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    # Another request erased what it was about.
    LAPSED = "lapsed"
    # The report can be opened, or everything is erased here.
    DONE = "done"
    FAILED = "failed"
    # The files of the report are gone.
    EXPIRED = "expired"


OPEN = (RequestState.FOUND, RequestState.ASKED)
# Nothing has come of it yet: the person who asked waits.
UNDER_WAY = (*OPEN, RequestState.APPROVED)
# If it is a request for a report, the person waits until the report was opened.
CARRIED_OUT = (RequestState.DONE, RequestState.FAILED, RequestState.EXPIRED)


class Reminder(StrEnum):
    """Why people are reminded of a request; the values are in jobs."""

    # It is near the day by which the person is to be answered, in this state.
    FOUND = "found"
    ASKED = "asked"
    # Its report was not opened, or could not be made.
    UNOPENED = "unopened"
    # It was extended, and the person was not told yet.
    UNTOLD = "untold"
    OVERDUE = "overdue"


class ExtensionReason(StrEnum):
    """Why more than a month is needed. The law knows no other reason (GDPR, art. 12(3))."""

    COMPLEX = "complex"
    MANY_REQUESTS = "many_requests"


class RequestEnd(StrEnum):
    """How a request ended without who began it; the values are in jobs."""

    # Another request erased all that it was about.
    OVERTAKEN = "overtaken"
    # Another officer, or the operator, withdrew it.
    WITHDRAWN = "withdrawn"
    # An erasure deleted the report.
    REPORT_GONE = "expired"
    # The report could not be made.
    FAILED = "failed"


class RequestBasis(StrEnum):
    """The ground on which the person asks."""

    RIGHT_OF_ACCESS = "right_of_access"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    NOT_NEEDED = "not_needed"
    OBJECTION = "objection"
    UNLAWFUL = "unlawful"
    BY_LAW = "by_law"


# The reason that the log gives for what is read to answer a request.
READ_BECAUSE = RequestBasis.BY_LAW.value


class IdentityCheck(StrEnum):
    """How the helpline made sure who asks."""

    CALLED_BACK = "called_back"
    DOCUMENT = "document"
    GUARDIAN_DOCUMENT = "guardian_document"
    FACTS_OF_RECORD = "facts_of_record"
    COURT = "court"


class ItemKind(StrEnum):
    """What is found about a person, in the order in which it is erased.

    The call is the last: by its keyed hash the other rows are known to belong to the number.
    """

    REFERRAL = "referral"
    CASE = "case"
    CONTACT = "contact"
    VOICE_MESSAGE = "voice_message"
    CALLBACK = "callback"
    FLAG = "flag"
    WISH = "wish"
    THIRD_PARTY = "third_party"
    PROFILE = "profile"
    CALL = "call"


class Because(StrEnum):
    """Why a row is taken to be about the person."""

    CODE = "code"
    NUMBER = "number"
    NUMBER_IN_RECORD = "number_in_record"
    PROFILE = "profile"
    CALL = "call"
    CASE = "case"
    CONTACT = "contact"


class Keep(StrEnum):
    """Why a row is not erased, or is left out of a report."""

    # The program sees these by itself; no person can take them away here.
    LEGAL_HOLD = "legal_hold"
    STILL_OPEN = "still_open"
    # The officer says these.
    ANOTHER_PERSON = "another_person"
    LEGAL_DUTY = "legal_duty"
    LEGAL_CLAIM = "legal_claim"
    PROTECTS_CHILD = "protects_child"


SEEN_BY_PROGRAM = frozenset({Keep.LEGAL_HOLD, Keep.STILL_OPEN})
# A report shows what is held or still open, too.
CHOSEN = tuple(keep for keep in Keep if keep not in SEEN_BY_PROGRAM)


class CopyKind(StrEnum):
    """What the telephony provider keeps a copy of."""

    CALL = "call"
    RECORDING = "recording"
    MESSAGE = "message"


class Copy(NamedTuple):
    """A copy that the telephony provider has."""

    kind: CopyKind
    sid: str
    at: datetime | None = None
    # For a recording, or a leg that the provider made for a call: that call.
    of_call: str | None = None


class CopyState(StrEnum):
    WAITING = "waiting"
    DELETED = "deleted"
    # The provider has none (any more).
    GONE = "gone"
    # The provider refuses for good, or this platform has no way to ask: a person deletes it there.
    BY_HAND = "by_hand"


REQUEST_WORDS = {
    RequestKind.ACCESS: N_("What is held about the person"),
    RequestKind.ERASURE: N_("Erase what is held about the person"),
}
PERSON_WORDS = {
    AskingPerson.CHILD: N_("The child"),
    AskingPerson.GUARDIAN: N_("A parent or guardian, for the child"),
    AskingPerson.CALLER: N_("Another caller, about themselves"),
}
# What is kept or left out at first, and why.
PRESET_WORDS = {
    AskingPerson.CHILD: N_(
        "Set already: what may be about another person. No contact says that the child itself "
        "rang, several children share it, or only a shared number or profile led here. Look at "
        "each row before you change it."
    ),
    AskingPerson.GUARDIAN: N_(
        "Set already: every row, to protect the child. The person who asks may be the one who "
        "hurts the child. Change a row only where the child is safe."
    ),
    AskingPerson.CALLER: N_(
        "Set already: every row, as that of another person. A household shares a phone. "
        "Change a row only where you are sure that it was this person."
    ),
}
# What becomes of a record about several children.
SEVERAL_WORDS = {
    RequestKind.ACCESS: N_(
        "Of a record about several children the report shows one child: the one whose own number "
        "was looked for, or whose place was written after the code (K-7F3-9QD-2XC/2: the second "
        "child)."
    ),
    RequestKind.ERASURE: N_(
        "A record about several children is kept at first, all of it: it is each child's. If you "
        "choose that it is erased, it is erased for all of them."
    ),
}
STATE_WORDS = {
    RequestState.FOUND: N_("being prepared"),
    RequestState.ASKED: N_("waits for a second person"),
    RequestState.APPROVED: N_("is being carried out"),
    RequestState.REFUSED: N_("refused"),
    RequestState.WITHDRAWN: N_("withdrawn"),
    RequestState.LAPSED: N_("ended: another request erased its rows"),
    RequestState.DONE: N_("done"),
    RequestState.FAILED: N_("failed"),
    RequestState.EXPIRED: N_("done; the file is gone"),
}
# What the letter says: what has happened, and what can be done.
END_WORDS = {
    RequestEnd.OVERTAKEN: N_(
        "A request about a person's data has ended, because another request has erased what it was "
        "about. To see whether anything is left, begin a new request."
    ),
    RequestEnd.WITHDRAWN: N_(
        "A request about a person's data was withdrawn by another person: nothing was shown and "
        "nothing was erased. If the person still waits for an answer, begin a new request."
    ),
    RequestEnd.REPORT_GONE: N_(
        "A person's data was erased, and all reports were deleted with it. Ask for yours "
        "again if it is still needed."
    ),
    RequestEnd.FAILED: N_(
        "The report about a person's data could not be made, and the request has ended. The person "
        "still waits for an answer: begin a new request, and tell the operator if it fails again."
    ),
}
# What the reminder says.
REMINDER_WORDS = {
    Reminder.FOUND: N_(
        "A request about a person's data is still being prepared. The law sets a day by which the "
        "person is answered: ask a second person to decide it, so that it is done by %(at)s."
    ),
    Reminder.ASKED: N_(
        "A request about a person's data still waits for a decision. The law sets a day by which "
        "the person is answered: approve or refuse it, so that it is done by %(at)s."
    ),
    Reminder.UNOPENED: N_(
        "A person still waits for the report about their data: it was not opened, or could not be "
        "made. The law sets a day by which the person is answered: open it, or begin the request "
        "again, so that it is done by %(at)s."
    ),
    Reminder.UNTOLD: N_(
        "More time was taken for a request about a person's data, and it is not noted that the "
        "person was told. Without that the law gives no more time: tell the person why by %(at)s, "
        "and note the day."
    ),
    Reminder.OVERDUE: N_(
        "A request about a person's data is overdue: the person had to be answered by %(at)s. "
        "Answer now. This letter comes each day until the request is answered or withdrawn."
    ),
}
EXTENSION_WORDS = {
    ExtensionReason.COMPLEX: N_("The request is complex"),
    ExtensionReason.MANY_REQUESTS: N_("The person has made many requests"),
}
BASIS_WORDS = {
    RequestBasis.RIGHT_OF_ACCESS: N_("Right of access"),
    RequestBasis.CONSENT_WITHDRAWN: N_("Consent is withdrawn"),
    RequestBasis.NOT_NEEDED: N_("No longer needed for its purpose"),
    RequestBasis.OBJECTION: N_("The person objects"),
    RequestBasis.UNLAWFUL: N_("It was not lawful to keep it"),
    RequestBasis.BY_LAW: N_("A law or a court demands it"),
}
IDENTITY_WORDS = {
    IdentityCheck.CALLED_BACK: N_("The number was called back"),
    IdentityCheck.DOCUMENT: N_("A document of the person was seen"),
    IdentityCheck.GUARDIAN_DOCUMENT: N_("A document of the guardian was seen"),
    IdentityCheck.FACTS_OF_RECORD: N_("The person knew what only they could know"),
    IdentityCheck.COURT: N_("A court or authority confirms it"),
}
ITEM_WORDS = {
    ItemKind.REFERRAL: N_("Referral"),
    ItemKind.CASE: N_("Case"),
    ItemKind.CONTACT: N_("Contact"),
    ItemKind.VOICE_MESSAGE: N_("Voice message"),
    ItemKind.CALLBACK: N_("Call-back"),
    ItemKind.FLAG: N_("Flag of the number"),
    ItemKind.WISH: N_("Wish about a counsellor"),
    ItemKind.THIRD_PARTY: N_("Number of a third party in a call"),
    ItemKind.PROFILE: N_("Profile"),
    ItemKind.CALL: N_("Call"),
}
BECAUSE_WORDS = {
    Because.CODE: N_("its code"),
    Because.NUMBER: N_("the number"),
    Because.NUMBER_IN_RECORD: N_("the number is in the record"),
    Because.PROFILE: N_("the profile"),
    Because.CALL: N_("the call"),
    Because.CASE: N_("the case"),
    Because.CONTACT: N_("the contact"),
}
KEEP_WORDS = {
    Keep.LEGAL_HOLD: N_("A legal hold"),
    Keep.STILL_OPEN: N_("Work on it is still open"),
    Keep.ANOTHER_PERSON: N_("It is about another person, too"),
    Keep.LEGAL_DUTY: N_("A law says to keep it"),
    Keep.LEGAL_CLAIM: N_("Needed for a legal claim"),
    Keep.PROTECTS_CHILD: N_("Needed to protect a child"),
}
COPY_WORDS = {
    CopyKind.CALL: N_("Calls at the telephony provider"),
    CopyKind.RECORDING: N_("Recordings at the telephony provider"),
    CopyKind.MESSAGE: N_("Texts at the telephony provider"),
}
COPY_STATE_WORDS = {
    CopyState.WAITING: N_("waits"),
    CopyState.DELETED: N_("deleted"),
    CopyState.GONE: N_("was gone already"),
    CopyState.BY_HAND: N_("delete it there by hand"),
}
