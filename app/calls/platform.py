"""What areas below telephony may ask of the telephony platform: their only way to its abilities.

How a platform does what it can do is in `app/telephony/platforms/`. Here it is only said what a
rule or a page has to know before anything is sent: whether to refuse, and whom to ring.
"""

from datetime import timedelta
from typing import NamedTuple

from app.abilities import PLATFORMS, Ability, EndpointKind
from app.errors import Conflict
from app.settings import Settings
from app.work import Work

# Without a waiting room, a waiting caller's leg asks us every few seconds, and only one callback
# reports its end. So a shorter silence is suspicious.
_QUIET_AFTER = timedelta(seconds=30)


class NotOnThisPlatform(Conflict):
    default = (
        "Your telephony platform cannot do this in a talk. You can hand the caller over to a "
        "colleague or a skill."
    )


class InTalk(NamedTuple):
    """What a page offers in a talk."""

    hold: bool = False
    add: bool = False
    supervise: bool = False


# A conversation in writing has no sound.
IN_WRITING = InTalk()


def can_in_talk(settings: Settings) -> InTalk:
    """Return what a page offers in a talk by phone."""
    can = settings.abilities.can
    return InTalk(can(Ability.HOLD), can(Ability.ADD), can(Ability.SUPERVISE))


def need(work: Work, ability: Ability) -> None:
    """Refuse what the telephony platform cannot do. Raises NotOnThisPlatform."""
    if not work.settings.abilities.can(ability):
        raise NotOnThisPlatform()


def adds_participants(work: Work) -> bool:
    """Return whether a third person can be rung into a talk."""
    return work.settings.abilities.can(Ability.ADD)


def asks_by_key(work: Work) -> bool:
    """Return whether a caller can be asked a question that they answer with a key."""
    return work.settings.abilities.can(Ability.ASK_BY_KEY)


def rings(settings: Settings, kind: str) -> bool:
    """Return whether a counsellor's phone of this kind can be rung."""
    return kind in settings.abilities.rings


def could_ring_browsers(settings: Settings) -> bool:
    """Return whether the platform can ring a page at all, with an API key or without one."""
    return EndpointKind.BROWSER in PLATFORMS[settings.telephony_platform].rings


def rings_first(work: Work, kind: str) -> bool:
    """Return whether a phone of this kind rings before a click on the desk."""
    return kind in work.settings.abilities.rings_first


def joins_by_click(work: Work) -> bool:
    """Return whether a click on the desk is enough to take a call, without a key."""
    return work.settings.abilities.can(Ability.JOIN_BY_CLICK)


def rings_callbacks(work: Work) -> bool:
    """Return whether a call-back is rung by a request, and not from the counsellor's own leg."""
    return work.settings.abilities.can(Ability.RING_CALLBACK)


def reports_legs(work: Work) -> bool:
    """Return whether we are told how a leg rings and talks, while it does."""
    return work.settings.abilities.can(Ability.REPORT_LEGS)


def shows_talks(work: Work) -> bool:
    """Return whether the provider can be asked who is in a talk."""
    return work.settings.abilities.can(Ability.SHOW_TALKS)


def renews_legs(work: Work) -> bool:
    """Return whether a talk can be carried over to new legs."""
    return work.settings.abilities.can(Ability.RENEW_LEGS)


def quiet_after(settings: Settings) -> timedelta:
    """Return after what silence the provider is asked about a waiting caller."""
    silent = timedelta(seconds=settings.silence_seconds)
    waits_there = settings.abilities.can(Ability.WAITING_ROOM)
    return silent if waits_there else min(silent, _QUIET_AFTER)
