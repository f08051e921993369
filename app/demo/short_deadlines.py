"""In the demo an urgent referral is late within minutes, so that a visitor sees what happens then.

The protocol is changed as an administrator changes it: a set of definitions is imported and put in
force. The page of definitions shows it, and takes it back.
"""

import re

from app.country import sets
from app.country.archive import from_files
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.referrals.library import SHIPPED
from app.work import PROGRAM

_FILE = "protocol-rs.yaml"
# What is shipped, and what the demo has.
_SHORTER = (
    ("deadline: acknowledge, within: PT15M", "deadline: acknowledge, within: PT3M"),
    ("hand_over: PT15M", "hand_over: PT2M"),
    ("step: messages, wait: 120", "step: messages, wait: 60"),
    ("step: supervisor, wait: 90", "step: supervisor, wait: 60"),
    ("step: director, wait: 120", "step: director, wait: 60"),
)


async def shorten_deadlines(stage: Stage) -> None:
    """Shorten the deadlines of an immediate referral: three minutes for an agency to acknowledge
    it, two for our own people to hand it over."""
    text = shortened((SHIPPED / _FILE).read_text())
    async with transaction(stage.ground, PROGRAM) as work:
        received = from_files([(f"demo/{_FILE}", text.encode())])
        imported = await sets.upload(work, "Short deadlines of the demo", received)
        await sets.put_in_force(work, imported.set.id, accept=True)


def shortened(text: str) -> str:
    """Return the next version of the protocol, with these deadlines. Raises ValueError."""
    for shipped, shorter in _SHORTER:
        if shipped not in text:
            raise ValueError(f"{_FILE} does not say {shipped!r} any more")
        text = text.replace(shipped, shorter, 1)
    version = re.search(r"^version: (\d+)$", text, re.MULTILINE)
    if version is None:
        raise ValueError(f"{_FILE} has no version")
    return text.replace(version[0], f"version: {int(version[1]) + 1}", 1)
