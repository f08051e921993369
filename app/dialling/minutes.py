"""How long the phones that were dialled were up: the bill grows by the minute, not by the call."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Select, func, literal, or_, select, union_all

from app.calls.models import Call, Leg
from app.calls.states import Direction
from app.dialling.models import Dial
from app.work import Work

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
# What was dialled earlier is over: providers end a call after a day.
_REACHES = timedelta(days=2)


def _talks(work: Work) -> list[Select[Any, Any, Any]]:
    """Return when each dialled phone was answered, and when it was over: counsellors and people
    who were asked into a talk, call-backs, and partners of lines."""
    since = work.now - _REACHES
    dialled = Dial.at > since, Dial.refused.is_(None)
    by_leg: Any = select(
        Leg.answered_at.label("begun"), Leg.ended_at.label("ended"), Leg.id.label("of")
    )
    by_call: Any = select(Call.answered_at, Call.ended_at, Call.id)
    by_partner: Any = select(Call.transferred_at, Call.ended_at, Call.id)
    return [
        by_leg.join(Dial, Dial.id == Leg.id).where(*dialled),
        # A person whose phone was rung again has several legs.
        by_leg.join(Dial, Dial.id == Leg.participant_id).where(*dialled),
        by_call.join(Dial, Dial.id == Call.id).where(
            *dialled, Call.direction == Direction.OUTBOUND
        ),
        by_partner.where(Call.opened_at > since, Call.partner_at.is_not(None)),
    ]


async def minutes(work: Work) -> tuple[int, int]:
    """Return for how many minutes dialled phones were up within the last hour, and the last day.

    A talk that goes on counts until now. Phones that ring and are not answered count nothing.
    """
    talk = union_all(*_talks(work)).subquery()
    now = literal(work.now, DateTime(timezone=True))
    ended = func.least(func.coalesce(talk.c.ended, now), now)

    def within(window: timedelta) -> ColumnElement[Any]:
        since: ColumnElement[datetime] = literal(work.now - window, DateTime(timezone=True))
        up = func.extract("epoch", ended - func.greatest(talk.c.begun, since))
        return func.coalesce(func.sum(func.greatest(up, 0)), 0)

    counted = select(within(_HOUR), within(_DAY)).where(
        talk.c.begun.is_not(None), or_(talk.c.ended.is_(None), talk.c.ended > work.now - _DAY)
    )
    hour, day = (await work.session.execute(counted)).one()
    return int(hour // 60), int(day // 60)
