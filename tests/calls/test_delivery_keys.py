"""The keys of the provider's messages are stored: each is written as it always was."""

import inspect
from uuid import UUID

import pytest

from app.calls import delivery_keys
from app.calls.delivery_keys import DeliveryKey
from app.telephony.answers import CallbackQuestion

ROW = UUID("0b8f6f1e-6d0c-4a53-9f0e-2f8a7c1d9e44")
SID, LONG = "CA0001", "x" * 99

STORED = {
    delivery_keys.voice(SID): f"voice:{SID}",
    delivery_keys.status(SID, "completed", "3"): f"status:{SID}:completed:3",
    delivery_keys.status(SID, "unknown", LONG): f"status:{SID}:unknown:{'x' * 12}",
    delivery_keys.menu(ROW, 2, again=False): f"menu:{ROW}:2",
    delivery_keys.menu(ROW, 2, again=True): f"menu:{ROW}:2:again",
    delivery_keys.blocked(ROW, 1): f"blocked:{ROW}:1",
    delivery_keys.wait(ROW, 1, 7): f"wait:{ROW}:1.7",
    delivery_keys.choice(ROW, 1, 7): f"choice:{ROW}:1.7",
    delivery_keys.queue_exit(ROW, 1, "leave"): f"exit:{ROW}:1:leave",
    delivery_keys.callback(ROW, "1.7", CallbackQuestion.SAFE): f"callback:{ROW}:1.7:safe",
    delivery_keys.returned(ROW, 3): f"returned:{ROW}:3",
    delivery_keys.message(ROW, 1): f"message:{ROW}:1",
    delivery_keys.message_again(ROW, 2): f"message-again:{ROW}:2",
    delivery_keys.recording("RE1", "completed"): "recording:RE1:completed",
    delivery_keys.partner(ROW, SID, 0): f"partner:{ROW}:{SID}:0",
    delivery_keys.partner_left(ROW, 1): f"partner-left:{ROW}:1",
    delivery_keys.duty(ROW, 1): f"duty:{ROW}:1",
    delivery_keys.duty_proof(ROW, 2): f"duty-proof:{ROW}:2",
    delivery_keys.duty_pin(ROW, 2): f"duty-pin:{ROW}:2",
    delivery_keys.bridge(ROW): f"bridge:{ROW}:",
    delivery_keys.bridge(ROW, 4): f"bridge:{ROW}:4",
    delivery_keys.left(ROW): f"left:{ROW}",
    delivery_keys.dialled(ROW): f"dialled:{ROW}",
    delivery_keys.question(ROW, 1, pressed=True): f"question:{ROW}:1:key",
    delivery_keys.question(ROW, 1, pressed=False): f"question:{ROW}:1:silence",
    delivery_keys.conference(LONG, LONG, LONG): f"conference:{'x' * 64}:{'x' * 12}:{'x' * 40}",
    delivery_keys.whisper(ROW, SID): f"whisper:{ROW}:{SID}",
    delivery_keys.take(ROW, SID, 1): f"answer:{ROW}:{SID}:1",
    delivery_keys.counsellor_left(ROW): f"counsellor-left:{ROW}",
    delivery_keys.leg(ROW, "in-progress", "2"): f"leg:{ROW}:in-progress:2",
    delivery_keys.participant(ROW, SID, 1): f"participant:{ROW}:{SID}:1",
    delivery_keys.participant_left(ROW): f"participant-left:{ROW}",
    delivery_keys.back(ROW, "busy", LONG): f"back:{ROW}:busy:{'x' * 12}",
    delivery_keys.machine(ROW, SID): f"machine:{ROW}:{SID}",
    delivery_keys.rang_back(ROW): f"rang-back:{ROW}",
}


@pytest.mark.parametrize(("key", "stored"), STORED.items(), ids=STORED.values())
def test_a_key_is_stored_as_it_always_was(key: DeliveryKey, stored: str) -> None:
    """A message that comes again after an update must find its event."""
    assert key == stored


def test_each_kind_of_message_has_a_key_of_its_own() -> None:
    made = [one for one in vars(delivery_keys).values() if inspect.isfunction(one)]
    assert len({stored.partition(":")[0] for stored in STORED.values()}) == len(made)
