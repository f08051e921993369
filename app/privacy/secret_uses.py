"""What is done with a sealed secret where it is held, so that no other part has it in hand. Pure.

Codes of a phone are made and compared by `pyotp`, and the signatures of events between systems
by the library of their specification, Standard Webhooks.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import pyotp
from standardwebhooks import Webhook

# The columns in which these secrets are sealed.
OF_CODES = ("second_factors", "seed_sealed")
OF_EVENTS = ("agencies", "webhook_secret_sealed")


def step_of(seed: str, code: str, steps: Sequence[int]) -> int | None:
    """Return the first of some steps (RFC 6238) in which the phone of a seed shows a code."""
    telephone = pyotp.TOTP(seed)
    for step in steps:
        if pyotp.utils.strings_equal(code, telephone.generate_otp(step)):
            return step
    return None


def signature_of(secret: str, event_id: str, at: int, body: str) -> str:
    """Return the signature of an event. `secret` is in its exchange format, `whsec_` and base64.

    `at`: seconds since 1970.
    """
    return Webhook(secret).sign(event_id, datetime.fromtimestamp(at, UTC), body)
