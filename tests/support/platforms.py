"""Phones and talks on a platform with or without conferences."""

from datetime import timedelta
from typing import Any

import pytest

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.practice.legs import Leg
from app.practice.people import Phone
from app.telephony.provider.client import Provider
from tests.support.talks import CHILD, agrees

EVA = "+38164999003"


async def said(stage: Stage, state: str) -> bool:
    return bool(await stage.rows("SELECT 1 FROM offers WHERE state = %s", state))


async def wait_in_queue(stage: Stage, from_: str = "+381641234567") -> Leg:
    leg = stage.ring(from_)
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.advance(2)
    return leg


async def agreed_callback(stage: Stage, keeper: Counsellor) -> Phone:
    """A child wants to be called back; `keeper` is on a break meanwhile."""
    stage.exchange.phones[CHILD] = child = Phone(picks_up=4, presses=None)
    await keeper.be("break")
    await agrees(stage)
    return child


async def unseen(stage: Stage, leg: Leg) -> Leg:
    """No list shows the leg that is dialled."""
    await stage.until(lambda: said(stage, "accepted"), limit=20)
    while leg.talks_with is None:
        for one in others(stage, "outbound-dial"):
            del stage.exchange.legs[one.sid]
        await stage.advance(0.1)
    return leg.talks_with


def list_is_silent(stage: Stage, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """For a while the platform's list does not say what is dialled (an outage of it, deadlines that
    differ by more than two seconds, two hundred newer calls).
    """
    until, real = stage.clock.now() + timedelta(seconds=seconds), Provider.dialled_by

    async def newest(self: Any, sid: str) -> Any:
        return [] if stage.clock.now() < until else await real(self, sid)

    monkeypatch.setattr(Provider, "dialled_by", newest)


VERA, MIRA = "+38164999001", "+38164999002"


PLATFORMS = ["twilio", "somleng"]


async def at_phone(stage: Stage, name: str, number: str, **how: Any) -> tuple[Counsellor, Phone]:
    """A counsellor with nothing but a phone."""
    state = how.pop("state", "available")
    skills = how.pop("skills", None)
    stage.exchange.phones[number] = phone = Phone(**{"picks_up": 2.0, **how})
    return await stage.add_counsellor(name, endpoint=number, state=state, skills=skills), phone


def talks(stage: Stage, leg: Leg) -> bool:
    """Whether the exchange connects this caller with another leg."""
    found = stage.exchange.conferences.of_leg(leg)
    if found is not None:
        return found[0].status == "in-progress" and len(found[0].participants) > 1
    return leg.talks_with is not None


async def reach(stage: Stage, leg: Leg, digit: str = "1", *, told_within: float = 5) -> Leg:
    """Choose a language, and wait until a counsellor talks with the caller and we know of it.

    If the reports of the talk may be late or lost, the provider is asked again and again.
    """
    await stage.advance(2)
    stage.exchange.press(leg, digit)
    await stage.until(lambda: talks(stage, leg), limit=60, what="a talk")
    await stage.until(lambda: is_in(stage, leg, "connected"), limit=told_within, what="we know")
    return leg


async def is_in(stage: Stage, leg: Leg, state: str) -> bool:
    return str((await stage.call_of(leg))["state"]) == state


def others(stage: Stage, direction: str) -> list[Leg]:
    return [leg for leg in stage.exchange.legs.values() if leg.direction == direction]
