"""The keys by which a message of the provider is known when it comes again. Pure.

A key is unique in the log of calls, and its event holds our answer. A job may look for the same key
to learn whether a leg has asked already. So keys never change: a program that is still running, and
a message that comes again after an update, must find what was written.
"""

from typing import NewType
from uuid import UUID

DeliveryKey = NewType("DeliveryKey", str)

# The most characters that a key keeps of what the provider said.
_OF_SID, _OF_EVENT, _OF_SEQUENCE = 64, 40, 12


# -- the number and the menu -----------------------------------------------------------------


def voice(sid: str) -> DeliveryKey:
    """Return the key of a ring. `sid`: the provider's id of the leg."""
    return DeliveryKey(f"voice:{sid}")


def status(sid: str, status: str, sequence: str) -> DeliveryKey:
    """Return the key of a status of the caller's leg. `sequence`: its number at the provider."""
    return DeliveryKey(f"status:{sid}:{status}:{sequence[:_OF_SEQUENCE]}")


def menu(call_id: UUID, n: int, *, again: bool) -> DeliveryKey:
    """Return the key of a turn in the menu. `again`: it was silent, and is asked once more."""
    return DeliveryKey(f"menu:{call_id}:{n}" + (":again" if again else ""))


def blocked(call_id: UUID, n: int) -> DeliveryKey:
    """Return the key of a blocked caller's key, or silence."""
    return DeliveryKey(f"blocked:{call_id}:{n}")


# -- the wait --------------------------------------------------------------------------------


def wait(call_id: UUID, entry: int, step: int) -> DeliveryKey:
    """Return the key of a step of the wait, in an entry to the waiting room."""
    return DeliveryKey(f"wait:{call_id}:{entry}.{step}")


def choice(call_id: UUID, entry: int, step: int) -> DeliveryKey:
    """Return the key of a digit that was pressed at a step of the wait."""
    return DeliveryKey(f"choice:{call_id}:{entry}.{step}")


def queue_exit(call_id: UUID, entry: int, result: str) -> DeliveryKey:
    """Return the key of the way out of the waiting room."""
    return DeliveryKey(f"exit:{call_id}:{entry}:{result}")


def callback(call_id: UUID, place: str, question: str) -> DeliveryKey:
    """Return the key of a question about a call-back. `place`: entry and step of the wait."""
    return DeliveryKey(f"callback:{call_id}:{place}:{question}")


def returned(call_id: UUID, entry: int) -> DeliveryKey:
    """Return the key of a caller who is back in the waiting room."""
    return DeliveryKey(f"returned:{call_id}:{entry}")


def message(call_id: UUID, n: int) -> DeliveryKey:
    """Return the key of a voice message that was spoken."""
    return DeliveryKey(f"message:{call_id}:{n}")


def message_again(call_id: UUID, n: int) -> DeliveryKey:
    """Return the key of a caller who spoke no message."""
    return DeliveryKey(f"message-again:{call_id}:{n}")


def recording(sid: str, status: str) -> DeliveryKey:
    """Return the key of a status of a recording. `sid`: its id at the provider."""
    return DeliveryKey(f"recording:{sid}:{status}")


# -- the partner of a line -------------------------------------------------------------------


def partner(call_id: UUID, sid: str, attempt: int) -> DeliveryKey:
    """Return the key of a question to the partner's phone. `sid`: the provider's id of the leg."""
    return DeliveryKey(f"partner:{call_id}:{sid}:{attempt}")


def partner_left(call_id: UUID, n: int) -> DeliveryKey:
    """Return the key of a caller whom the partner did not take, or hung up on."""
    return DeliveryKey(f"partner-left:{call_id}:{n}")


# -- a counsellor who rings their own line ---------------------------------------------------


def duty(call_id: UUID, n: int) -> DeliveryKey:
    """Return the key of a counsellor's choice of presence."""
    return DeliveryKey(f"duty:{call_id}:{n}")


def duty_proof(call_id: UUID, attempt: int) -> DeliveryKey:
    """Return the key of a PIN or code that was entered."""
    return DeliveryKey(f"duty-proof:{call_id}:{attempt}")


def duty_pin(call_id: UUID, attempt: int) -> DeliveryKey:
    """Return the key of a PIN that was chosen."""
    return DeliveryKey(f"duty-pin:{call_id}:{attempt}")


# -- the talk --------------------------------------------------------------------------------


def bridge(offer_id: UUID, n: int | None = None) -> DeliveryKey:
    """Return the key of a caller who comes into the conference of an offer. `n`: not at first, but
    because the dial was renewed or no document came."""
    return DeliveryKey(f"bridge:{offer_id}:" + ("" if n is None else str(n)))


def left(offer_id: UUID) -> DeliveryKey:
    """Return the key of a caller who has left the conference."""
    return DeliveryKey(f"left:{offer_id}")


def dialled(offer_id: UUID) -> DeliveryKey:
    """Return the key of the end of a dial from the caller's leg to the counsellor."""
    return DeliveryKey(f"dialled:{offer_id}")


def question(question_id: UUID, attempt: int, *, pressed: bool) -> DeliveryKey:
    """Return the key of a question that the caller answers with a key, or does not."""
    return DeliveryKey(f"question:{question_id}:{attempt}:{'key' if pressed else 'silence'}")


def conference(sid: str, sequence: str, event: str) -> DeliveryKey:
    """Return the key of an event of a conference. `sid`: its id at the provider."""
    return DeliveryKey(f"conference:{sid[:_OF_SID]}:{sequence[:_OF_SEQUENCE]}:{event[:_OF_EVENT]}")


# -- the counsellor's leg, and other legs that we rang ---------------------------------------


def whisper(offer_id: UUID, sid: str) -> DeliveryKey:
    """Return the key of a counsellor's phone that was answered. `sid`: the id of the leg."""
    return DeliveryKey(f"whisper:{offer_id}:{sid}")


def take(offer_id: UUID, sid: str, attempt: int) -> DeliveryKey:
    """Return the key of the counsellor's key, or silence.

    The leg is part of it: a phone that is rung again for the same offer is asked for a key again.
    """
    return DeliveryKey(f"answer:{offer_id}:{sid}:{attempt}")


def counsellor_left(offer_id: UUID) -> DeliveryKey:
    """Return the key of a counsellor's leg that has left the conference."""
    return DeliveryKey(f"counsellor-left:{offer_id}")


def leg(leg_id: UUID, status: str, sequence: str) -> DeliveryKey:
    """Return the key of a status of a counsellor's leg."""
    return DeliveryKey(f"leg:{leg_id}:{status}:{sequence[:_OF_SEQUENCE]}")


def participant(participant_id: UUID, sid: str, attempt: int) -> DeliveryKey:
    """Return the key of a question to a participant's phone. `sid`: the id of the leg."""
    return DeliveryKey(f"participant:{participant_id}:{sid}:{attempt}")


def participant_left(participant_id: UUID) -> DeliveryKey:
    """Return the key of a participant who has left the conference."""
    return DeliveryKey(f"participant-left:{participant_id}")


def back(call_id: UUID, status: str, sequence: str) -> DeliveryKey:
    """Return the key of a status of the leg to the caller of a call-back."""
    return DeliveryKey(f"back:{call_id}:{status}:{sequence[:_OF_SEQUENCE]}")


def machine(call_id: UUID, sid: str) -> DeliveryKey:
    """Return the key of the word whether a person or a machine answered a call-back."""
    return DeliveryKey(f"machine:{call_id}:{sid}")


def rang_back(offer_id: UUID) -> DeliveryKey:
    """Return the key of the end of a dial from the counsellor's leg in a call-back."""
    return DeliveryKey(f"rang-back:{offer_id}")
