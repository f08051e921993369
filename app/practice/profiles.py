"""The platforms that the exchange can imitate: Twilio, or Somleng, which supports less.

What Somleng executes was read in its source (`somleng-switch`, `execute_twiml.rb` and the verbs
beside it; `somleng`, the controllers of its REST interface). There, an unknown element ends the
call and an unknown attribute is ignored without notice. Here both are reported, because the
program that sent them relied on them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Table = Mapping[str, frozenset[str]]


def _table(**words: str) -> Table:
    return {name: frozenset(text.split()) for name, text in words.items()}


@dataclass(frozen=True)
class Profile:
    """What a platform executes, and how it reports it."""

    name: str
    # The attributes and children of each element; only what the exchange executes is listed.
    attributes: Table
    children: Table
    # Parameters with which a call may be created and updated; None allows all.
    creates: frozenset[str] | None = None
    updates: frozenset[str] | None = None
    # Ids are UUIDs, without a prefix.
    uuids: bool = False
    # Progress callbacks for outbound legs; otherwise one callback, when a leg has ended.
    progress: bool = True
    # Fallback addresses, retries, and overrides in an address's fragment.
    second_chances: bool = True
    # Conferences, waiting rooms, and deleting.
    rooms: bool = True
    # Lists of calls can be filtered by number, status and time.
    filters: bool = True
    # A redirect takes a moment, in seconds.
    redirect_pause: float = 0.0
    # Outbound legs begin one after the other, at a limited rate.
    paced: bool = True
    # A phone that is in a call is busy.
    one_call_per_phone: bool = False


TWILIO = Profile(
    "twilio",
    attributes=_table(
        Response="",
        Message="",
        Say="voice language loop",
        Play="loop digits",
        Pause="length",
        Gather="action method input timeout finishOnKey numDigits actionOnEmptyResult language "
        "bargeIn",
        Redirect="method",
        Hangup="",
        Leave="",
        Reject="reason",
        Record="action method timeout finishOnKey maxLength playBeep trim recordingStatusCallback "
        "recordingStatusCallbackMethod recordingStatusCallbackEvent",
        Enqueue="action method waitUrl waitUrlMethod maxQueueSize",
        Dial="action method timeout timeLimit callerId hangupOnStar answerOnBridge",
        Number="url method",
        Sip="url method",
        Conference="coach muted beep startConferenceOnEnter endConferenceOnExit participantLabel "
        "waitUrl waitMethod maxParticipants statusCallback statusCallbackEvent "
        "statusCallbackMethod",
    ),
    children=_table(
        Response="Say Play Pause Gather Redirect Hangup Leave Reject Record Enqueue Dial Message",
        Gather="Say Play Pause",
        Dial="Conference Number Sip",
    ),
)

SOMLENG = Profile(
    "somleng",
    attributes=_table(
        Response="",
        Message="",
        Say="voice language loop",
        Play="loop",
        Gather="action method timeout finishOnKey numDigits actionOnEmptyResult",
        Redirect="method",
        Hangup="",
        Reject="reason",
        Record="action method timeout finishOnKey maxLength playBeep recordingStatusCallback "
        "recordingStatusCallbackMethod",
        Dial="action method timeout callerId",
        Number="",
        Sip="",
    ),
    children=_table(
        Response="Say Play Gather Redirect Hangup Reject Record Dial Message",
        Gather="Say Play",
        Dial="Number Sip",
    ),
    creates=frozenset("To From Url Method StatusCallback StatusCallbackMethod Twiml".split()),
    updates=frozenset("Status Url Method Twiml StatusCallback StatusCallbackMethod".split()),
    uuids=True,
    progress=False,
    second_chances=False,
    rooms=False,
    filters=False,
    paced=False,
    redirect_pause=1.0,
    one_call_per_phone=True,
)
PROFILES = {profile.name: profile for profile in (TWILIO, SOMLENG)}
