"""The states of a referral, of its recipients, and of attempts to reach them. Pure."""

from enum import StrEnum

from app.contacts.log_kinds import RecordKind


class ReferralState(StrEnum):
    DRAFT = "draft"
    SENT = "sent"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CLOSED = "closed"
    FAILED = "failed"
    REJECTED = "rejected"
    REDIRECTED = "redirected"
    RECALLED = "recalled"
    EXPIRED = "expired"
    CONSENT_WITHDRAWN = "consent_withdrawn"


class ReferralEvent(RecordKind):
    SEND = "send"
    DELIVER = "deliver"
    ACKNOWLEDGE = "acknowledge"
    ACCEPT = "accept"
    REJECT = "reject"
    PROGRESS = "progress"
    COMPLETE = "complete"
    CLOSE = "close"
    FAIL = "fail"
    EXPIRE = "expire"
    REDIRECT = "redirect"
    RECALL = "recall"
    WITHDRAW_CONSENT = "withdraw_consent"
    # The agency acknowledged and did not open the details in time: the escalation resumes.
    LAPSE = "lapse"


_S, _E = ReferralState, ReferralEvent

# Offered to an agency that has not replied.
_OFFERED = (_S.SENT, _S.DELIVERED)
# Held by an agency, or by our own staff.
HELD = (_S.ACKNOWLEDGED, _S.ACCEPTED, _S.IN_PROGRESS)
# The referral came back: the duty is open again.
CAME_BACK = (_S.REJECTED, _S.FAILED, _S.EXPIRED)
OVER = frozenset({_S.CLOSED, _S.RECALLED, _S.CONSENT_WITHDRAWN})
# In these states an urgent referral has a running `acknowledge` deadline; a constraint checks it.
UNACKNOWLEDGED = frozenset({_S.DRAFT, *_OFFERED, *CAME_BACK, _S.REDIRECTED})

TRANSITIONS: dict[tuple[ReferralState, ReferralEvent], ReferralState] = {
    (_S.DRAFT, _E.SEND): _S.SENT,
    (_S.REDIRECTED, _E.SEND): _S.SENT,
    (_S.SENT, _E.DELIVER): _S.DELIVERED,
    **{(s, _E.ACKNOWLEDGE): _S.ACKNOWLEDGED for s in (*_OFFERED, *CAME_BACK, _S.REDIRECTED)},
    **{(s, _E.ACCEPT): _S.ACCEPTED for s in (*_OFFERED, _S.ACKNOWLEDGED)},
    **{(s, _E.PROGRESS): _S.IN_PROGRESS for s in HELD},
    **{(s, _E.COMPLETE): _S.COMPLETED for s in HELD},
    **{(s, _E.REJECT): _S.REJECTED for s in (*_OFFERED, *HELD)},
    (_S.ACKNOWLEDGED, _E.LAPSE): _S.SENT,
    **{(s, _E.FAIL): _S.FAILED for s in (_S.DRAFT, *_OFFERED)},
    **{(s, _E.EXPIRE): _S.EXPIRED for s in _OFFERED},
    # What an agency has done is not always enough: a person may redirect the referral.
    **{(s, _E.REDIRECT): _S.REDIRECTED for s in (*_OFFERED, *HELD, *CAME_BACK, _S.COMPLETED)},
    # Only people close it; from acknowledged only while our own staff have it.
    **{
        (s, _E.CLOSE): _S.CLOSED for s in (_S.COMPLETED, *CAME_BACK, _S.REDIRECTED, _S.ACKNOWLEDGED)
    },
    **{
        (s, event): after
        for s in _S
        if s not in OVER
        for event, after in (
            (_E.RECALL, _S.RECALLED),
            (_E.WITHDRAW_CONSENT, _S.CONSENT_WITHDRAWN),
        )
        # A completed referral cannot be recalled, but consent to it can be withdrawn.
        if s is not _S.COMPLETED or event is _E.WITHDRAW_CONSENT
    },
}


class RecipientState(StrEnum):
    """What became of the offer to one agency, the recipient."""

    OFFERED = "offered"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    REJECTED = "rejected"
    UNANSWERED = "unanswered"
    WITHDRAWN = "withdrawn"


LIVE_RECIPIENT = frozenset(
    {
        RecipientState.OFFERED,
        RecipientState.DELIVERED,
        RecipientState.ACKNOWLEDGED,
        RecipientState.ACCEPTED,
        RecipientState.IN_PROGRESS,
    }
)


class OpenedHow(StrEnum):
    URGENT_BUTTON = "urgent_button"
    DANGER_KEY = "danger_key"
    CONTACT = "contact"
    BY_HAND = "by_hand"
    CASE = "case"


class DeadlineKind(StrEnum):
    """What a deadline waits for."""

    ACKNOWLEDGE = "acknowledge"
    # An agency has acknowledged and has yet to open the details.
    DETAILS = "details"
    SEEN = "seen"
    WRITTEN = "written"
    FOLLOW_UP = "follow_up"
    # A mobile outreach team that was asked for has to be with the child.
    TEAM = "team"
    # The professional who reported has to be told the outcome.
    FEEDBACK = "feedback"
    # Our own staff have acknowledged; an agency has yet to.
    HAND_OVER = "hand_over"


class Sector(StrEnum):
    SOCIAL_WELFARE = "social_welfare"
    POLICE = "police"
    HEALTH = "health"
    MENTAL_HEALTH = "mental_health"
    EDUCATION = "education"
    JUSTICE = "justice"
    SHELTER = "shelter"
    MOBILE_OUTREACH = "mobile_outreach"
    LEGAL_AID = "legal_aid"
    FAMILY_SUPPORT = "family_support"
    MISSING_CHILDREN = "missing_children"
    HELPLINE_ABROAD = "helpline_abroad"
    # Our own supervisor and director on call: they are rung like an agency.
    OWN_HOUSE = "own_house"


# Sectors with duties of their own by law; all others are services.
AUTHORITIES = frozenset({Sector.SOCIAL_WELFARE, Sector.POLICE, Sector.JUSTICE})


class Service(StrEnum):
    """What an agency is asked to do."""

    CHILD_PROTECTION = "child_protection"
    POLICE = "police"
    EMERGENCY_MEDICAL = "emergency_medical"
    HEALTH = "health"
    MENTAL_HEALTH = "mental_health"
    EDUCATION = "education"
    JUSTICE = "justice"
    SHELTER = "shelter"
    MOBILE_OUTREACH = "mobile_outreach"
    LEGAL_AID = "legal_aid"
    FAMILY_SUPPORT = "family_support"
    DISABILITY_SUPPORT = "disability_support"
    MISSING_CHILD = "missing_child"
    HELPLINE_ABROAD = "helpline_abroad"
    SUPERVISOR_ON_CALL = "supervisor_on_call"
    DIRECTOR_ON_CALL = "director_on_call"


# Services of authorities, which have duties by law.
ASKED_OF_AUTHORITIES = frozenset({Service.CHILD_PROTECTION, Service.POLICE, Service.JUSTICE})
OWN_SERVICES = frozenset({Service.SUPERVISOR_ON_CALL, Service.DIRECTOR_ON_CALL})


class RejectionReason(StrEnum):
    NO_CAPACITY = "no_capacity"
    OUTSIDE_AREA = "outside_area"
    OUTSIDE_MANDATE = "outside_mandate"
    AGE_OUT_OF_RANGE = "age_out_of_range"
    INSUFFICIENT_INFORMATION = "insufficient_information"
    DUPLICATE = "duplicate"
    CANNOT_LOCATE = "cannot_locate"
    OTHER = "other"


class ReferralOutcome(StrEnum):
    SAFE_AT_HOME = "child_safe_at_home_with_plan"
    SHELTER = "placed_shelter"
    KIN = "with_kin"
    FOSTER = "placed_foster"
    RESIDENTIAL = "placed_residential"
    POLICE_ACTION = "police_action"
    MEDICAL_CARE = "medical_care"
    FAMILY_SUPPORTED = "family_supported"
    DECLINED = "declined_by_family"
    NOT_LOCATED = "unable_to_locate"
    REFERRED_ON = "referred_on"
    OTHER = "other"


# Outcomes after which a child at risk of separation is still with its family. Relatives are family:
# the Guidelines for the Alternative Care of Children (A/RES/64/142, paragraph 3) name other close
# family members besides the parents.
STAYED = frozenset(
    {ReferralOutcome.SAFE_AT_HOME, ReferralOutcome.FAMILY_SUPPORTED, ReferralOutcome.KIN}
)
LEFT = frozenset({ReferralOutcome.SHELTER, ReferralOutcome.FOSTER, ReferralOutcome.RESIDENTIAL})


# After these outcomes a supervisor checks whether another agency has to act.
NOT_HELPED = frozenset(
    {ReferralOutcome.NOT_LOCATED, ReferralOutcome.DECLINED, ReferralOutcome.REFERRED_ON}
)


class Missing(StrEnum):
    """What figures count where a referral has no agency, or no outcome."""

    AGENCY = "none_yet"
    OUTCOME = "outcome_not_given"


class ToldHow(StrEnum):
    """How an agency was told what a referral says, or got its details."""

    MACHINE = "machine"
    PRIMERO = "primero"
    THEIR_SYSTEM = "their_system"
    BY_TELEPHONE = "by_telephone"
    IN_THE_TALK = "in_the_talk"
    ON_PAPER = "on_paper"
    WRITTEN_FORM = "written_form"
    WRITTEN_FORM_ON_PAPER = "written_form_on_paper"
    WRITTEN_FORM_BY_LINK = "written_form_by_link"
    LINK_BY_PHONE = "link_by_phone"
    LINK_BY_SMS = "link_by_sms"
    LINK_BY_EMAIL = "link_by_email"

    @classmethod
    def by_link(cls, channel: str) -> "ToldHow":
        """Return the way of a link that was sent by a channel."""
        return cls(f"link_by_{channel}")


class ToldBesides(StrEnum):
    """What an agency is told besides answers of the form."""

    TEAM_PLACE = "team.place"
    ANSWERS = "answers_to_its_questions"


class AgencyEvent(StrEnum):
    """What an agency's program is told, or tells us."""

    OFFERED = "referral.offered"
    UPDATED = "referral.updated"
    ACKNOWLEDGED = "referral.acknowledged"
    ACCEPTED = "referral.accepted"
    REJECTED = "referral.rejected"
    PROGRESS = "referral.progress"
    COMPLETED = "referral.completed"
    QUESTION = "referral.question"
    TEAM_ASKED_FOR = "referral.team_asked_for"
    RECALLED = "referral.recalled"
    WITHDRAWN = "referral.withdrawn"


class DeliveryState(StrEnum):
    """How far an event to an agency's program is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    # A person has to look at it.
    DEAD = "dead"


class AgencyCaseState(StrEnum):
    """How far a case in another case management system is."""

    WANTED = "wanted"
    CASE_MADE = "case_made"
    REFERRED = "referred"
    REFUSED = "refused"
    ENDED = "ended"


class Purpose(StrEnum):
    """Why a person at an agency is rung or written to."""

    ESCALATION = "escalation"
    # The code, sent by another channel than the link.
    CODE = "code"
    # A link for the next step.
    LINK = "link"
    WITHDRAWN = "withdrawn"
    RECALLED = "recalled"
    ANSWER = "answer"
    # More was written than the agency has read.
    UPDATE = "update"


class AttemptResult(StrEnum):
    """The result of one attempt. Only `acknowledged` and the next two come from a person."""

    ACKNOWLEDGED = "acknowledged"
    CALL_BACK = "wants_to_be_called_back"
    WRONG_NUMBER = "wrong_number"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    MACHINE = "machine"
    NO_KEY = "no_key_pressed"
    # Key 1 was pressed, but not the second key, which only the agency has a reason to press; or not
    # the PIN of its person, at a phone of ours that is not proven.
    NOT_CONFIRMED = "not_confirmed"
    UNREACHABLE = "unreachable"
    DELIVERED = "delivered"
    FAILED = "failed"
    STOPPED = "not_needed_any_more"


class DispatchState(StrEnum):
    """A mobile outreach team on its way to a child."""

    ASKED = "asked"
    ON_THE_WAY = "on_the_way"
    ARRIVED = "arrived"
    SEEN = "seen"
    DONE = "done"
    CALLED_OFF = "called_off"


DISPATCH_ORDER = [
    DispatchState.ASKED,
    DispatchState.ON_THE_WAY,
    DispatchState.ARRIVED,
    DispatchState.SEEN,
    DispatchState.DONE,
]
DISPATCH_RESULTS = (
    "child_safe_at_home",
    "child_brought_to_safety",
    "child_not_found",
    "entry_refused",
    "family_supported",
    "other",
)


class ForWhom(StrEnum):
    """Who has to see a notice."""

    OWNER = "owner"
    SUPERVISORS = "supervisors"


class NoticeKind(StrEnum):
    """What the owner or a supervisor has to see."""

    BREACH = "breach"
    OVERRIDE = "override"
    CALL_BACK = "call_back"
    QUESTION = "question"
    REJECTED = "rejected"
    NO_AGENCY_LEFT = "no_agency_left"
    WRONG_SERVICE = "wrong_service"
    # A duty phone is a wrong number: the directory has to be corrected.
    WRONG_NUMBER = "wrong_number"
    URGENCY_LOWERED = "urgency_lowered"
    COMPLETED = "completed"
    UNDELIVERED = "undelivered"
    # No message reaches the agency: our staff have to ring and tell them.
    RING_THEM = "ring_them"
    # Consent to an immediate referral was withdrawn: a supervisor decides.
    WITHDRAWN = "withdrawn"
    RECALL_WANTED = "recall_wanted"
    UNMAPPED = "unmapped"
    DANGER_UNANSWERED = "danger_unanswered"
    # The escalation has reached our own people on call.
    ESCALATED = "escalated"
    # Where the agency is reached changes, or is to change.
    ADDRESS_CHANGES = "address_changes"
