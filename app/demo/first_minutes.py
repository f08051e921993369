"""What happens in the first minutes of a new demo, so that no page is empty.

A child leaves a message and another asks to be called back; a counsellor writes about two children
and opens a case; a referral goes to agencies of which none takes it, so that our own people on call
are rung. All of it by the webhooks and the interface that others use, too.
"""

import asyncio
from datetime import timedelta
from zoneinfo import ZoneInfo

from app.demo.counsellor import Counsellor
from app.demo.first_papers import play_first_papers
from app.demo.people import send, signed_in
from app.demo.stage import TIMEZONE, Stage
from app.practice.people import Caller

# Words of the Serbian prompts that a child waits for, and the key that it presses then.
_ASKS_TO_BE_RUNG = (
    ("pozovemo, pritisni 3", "3"),
    ("bezbedno", "1"),
    ("niko drugi ne sme", "1"),
    ("Što pre možemo", "3"),
)
# Seconds within which a prompt is said, or the child gives up.
_PATIENCE = 60

_BULLIED = {
    "contact.kind": "child",
    "contact.headline": "Girl is bullied at school",
    "contact.categories": ["V-BULLYING", "EO-SCHOOL"],
    "contact.place": "RS-BG",
    "child.a1": 1,
    "child.a1.age": 11,
    "child.a1.age_is": "told",
    "child.a1.gender": "girl",
    "wishes.safe_to_contact": "no",
    "consent.not_asked_because": "She asked only to be heard.",
    "actions.taken": ["listening"],
    "actions.summary": "She knows now whom to talk to at school.",
}
_RAN_AWAY = _BULLIED | {
    "contact.headline": "Boy does not want to go home",
    "contact.categories": ["V-PHYSICAL"],
    "child.a1.age": 14,
    "child.a1.gender": "boy",
    "wishes.safe_to_contact": "yes",
}


async def play_first_minutes(stage: Stage) -> None:
    """Play them; they take about a minute."""
    iva, ana = await signed_in(stage, "iva", "ana")
    await asyncio.gather(_message(stage), _callback(stage), _writes(stage, iva, ana))


async def _message(stage: Stage) -> None:
    """A child finds no counsellor, and speaks after the tone."""
    caller = Caller(message_seconds=12)
    leg = stage.ring("+381641290001", caller=caller)
    await stage.clock.sleep(2)
    stage.exchange.press(leg, "1")
    for _ in range(2 * _PATIENCE):
        await stage.clock.sleep(1)
        if leg.over:
            return
    await stage.exchange.hang_up(leg)


async def _callback(stage: Stage) -> None:
    """A child asks to be called back."""
    leg = stage.ring("+381641290002")
    await stage.clock.sleep(2)
    stage.exchange.press(leg, "1")
    for words, key in _ASKS_TO_BE_RUNG:
        for _ in range(_PATIENCE):
            if leg.has_heard(words) or leg.over:
                break
            await stage.clock.sleep(1)
        stage.exchange.press(leg, key)
    await stage.clock.sleep(8)
    await stage.exchange.hang_up(leg)


async def _writes(stage: Stage, iva: Counsellor, ana: Counsellor) -> None:
    bullied = await send(iva, "/contacts", channel="email", answers=_BULLIED)
    await send(iva, f"/contacts/{bullied['id']}/complete")
    ran_away = await send(iva, "/contacts", channel="email", answers=_RAN_AWAY)
    case = await send(iva, "/cases", contacts=[ran_away["id"]])
    today = stage.clock.now().astimezone(ZoneInfo(TIMEZONE)).date()
    for days, about in ((0, "call_back"), (7, "check")):
        due = today + timedelta(days=days)
        await send(iva, f"/cases/{case['id']}/follow-ups", about=about, due_on=due.isoformat())
    why = {"basis": "vital_interests", "reason": "The boy is in the street tonight."}
    services = ["mobile_outreach"]
    await send(ana, "/referrals", urgency="immediate", services=services, override=why, send=True)
    await play_first_papers(stage, bullied, case)
