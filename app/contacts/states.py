"""The states of a contact, and the short lists that belong to no form. Pure."""

from enum import StrEnum

from app.privacy.hash_kinds import HashOf


class ContactState(StrEnum):
    DRAFT = "draft"
    COMPLETE = "complete"
    REOPENED = "reopened"


class ContactEvent(StrEnum):
    SAVE = "save"
    COMPLETE = "complete"
    CLOSE = "close"
    REOPEN = "reopen"


# A save changes no state, but is allowed only in the states listed here.
TRANSITIONS: dict[tuple[ContactState, ContactEvent], ContactState] = {
    (ContactState.DRAFT, ContactEvent.SAVE): ContactState.DRAFT,
    (ContactState.DRAFT, ContactEvent.COMPLETE): ContactState.COMPLETE,
    (ContactState.DRAFT, ContactEvent.CLOSE): ContactState.COMPLETE,
    (ContactState.COMPLETE, ContactEvent.REOPEN): ContactState.REOPENED,
    (ContactState.REOPENED, ContactEvent.SAVE): ContactState.REOPENED,
    (ContactState.REOPENED, ContactEvent.COMPLETE): ContactState.COMPLETE,
    (ContactState.REOPENED, ContactEvent.CLOSE): ContactState.COMPLETE,
}


class NonCounselling(StrEnum):
    """Why a contact was not counselling; each is counted as a category of the framework."""

    SILENT = "silent"
    HANG_UP = "hang_up"
    WRONG_NUMBER = "wrong_number"
    TEST = "test"
    PRANK = "prank"
    ABUSIVE = "abusive"
    THANKS = "thanks"
    QUESTION = "question"


# The framework's category that each is counted as.
NON_COUNSELLING: dict[NonCounselling, str] = {
    NonCounselling.SILENT: "NC-SILENT",
    NonCounselling.HANG_UP: "NC-HANG-UP",
    NonCounselling.WRONG_NUMBER: "NC-WRONG",
    NonCounselling.TEST: "NC-TEST",
    NonCounselling.PRANK: "NC-PRANK",
    NonCounselling.ABUSIVE: "NC-ABUSIVE",
    NonCounselling.THANKS: "NC-THANKS",
    NonCounselling.QUESTION: "NC-HELPLINE",
}


class ContactChannel(StrEnum):
    """The way in which a person was in contact."""

    CALL = "call"
    VOICE_MESSAGE = "voice_message"
    EMAIL = "email"
    WALK_IN = "walk_in"
    LETTER = "letter"
    OUTREACH = "outreach"
    CHAT = "chat"
    SMS = "sms"
    WHATSAPP = "whatsapp"
    TELEGRAM = "telegram"
    VIBER = "viber"
    SIGNAL = "signal"
    OTHER = "other"


CHANNELS = tuple(ContactChannel)
# What these are called in a contact; the others have the same name.
_OF_CALLS = {"voice": ContactChannel.CALL, "web": ContactChannel.CHAT}


def channel_of_call(channel: str) -> ContactChannel:
    """Return the channel of a contact that comes about in a call of this channel."""
    return _OF_CALLS.get(channel) or ContactChannel(channel)


class Source(StrEnum):
    """How the record came about: while it happened, from paper, or for a colleague."""

    LIVE = "live"
    AFTERWARDS = "afterwards"
    PAPER = "paper"
    ON_BEHALF = "on_behalf"


class FollowUpAbout(StrEnum):
    CHECK = "check"
    CALL_BACK = "call_back"
    SEPARATION = "separation"
    DOCUMENT = "document"
    CONFERENCE = "conference"
    # Part of the plan: what is done for a goal, by whom, by when.
    INTERVENTION = "intervention"
    REVIEW = "review"


class SeparationOutcome(StrEnum):
    """Where a child at risk of separation is, when the follow-up is done."""

    WITH_FAMILY = "with_family"
    KIN = "kin"
    FOSTER = "foster"
    RESIDENTIAL = "residential"
    UNKNOWN = "unknown"


# Results of the other follow-ups, of interventions, and of reviews.
DONE = ("done", "not_reached", "no_longer_needed")
INTERVENED = ("done", "partly_done", "refused", "not_available", "no_longer_needed")
REVIEWED = ("plan_goes_on", "plan_changed", "ready_to_close")


class Subject(StrEnum):
    """What a row of the log of records is about. The codes are stored."""

    CONTACT = "contact"
    CASE = "case"
    PROFILE = "profile"
    REFERRAL = "referral"


class ReminderTo(StrEnum):
    """Who gets a letter about a follow-up. The codes stand in jobs that wait to be run."""

    OWNER = "owner"
    SUPERVISORS = "supervisors"


class RequestTo(StrEnum):
    """Who gets a letter about a request. The codes stand in jobs that wait to be run."""

    # Those who can decide it.
    DECIDERS = "deciders"
    # The supervisors of the team, when it has been undecided for a day.
    SUPERVISORS = "supervisors"


class CaseTie(StrEnum):
    """How two cases belong together."""

    SIBLINGS = "siblings"
    SAME_HOUSEHOLD = "same_household"
    SAME_INCIDENT = "same_incident"
    SAME_CHILD = "same_child"


class FlagAbout(StrEnum):
    """What a colleague who opens a case has to know before anything else."""

    DANGER_AT_A_VISIT = "danger_at_a_visit"
    DO_NOT_RING = "do_not_ring"
    COURT_DATE = "court_date"
    TO_BE_REVIEWED = "to_be_reviewed"
    OTHER = "other"


class KeyKind(StrEnum):
    """What a hash is made of, by which a record is found."""

    NAME = "name"
    # From an earlier version: see `finding/rebuilding.py`.
    SOUND = "sound"
    HEARD = "heard"
    NUMBER = "number"
    BORN = "born"

    @property
    def hash_of(self) -> HashOf:
        """What the hash itself is of. Of `sound` none is made any more."""
        return HashOf(self.value)
