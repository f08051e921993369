"""What a child thought of a conversation: asked once, linked to nothing, never after danger."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.chats import as_child, ending, feedback
from app.chats.models import Feedback
from app.contacts import contacts
from app.contacts.models import Contact
from app.contacts.registry import beginning
from app.definitions.risk import Urgency
from app.errors import Conflict
from app.referrals import services
from app.referrals.models import Referral
from app.referrals.states import OpenedHow
from app.work import Work
from tests.support.calls.conversations import a_chat_line, a_writer, writing


async def test_a_child_is_asked_once_and_its_channel_is_kept(work: Work) -> None:
    line = await a_chat_line(work)
    await a_writer(work, "ana")
    call, _ = await writing(work, line)
    await ending.end_as_child(work, call.id)
    assert (await as_child.conversation(work, call.id)).may_rate
    await feedback.rate(work, call.id, helped=4, again=None)
    await feedback.rate(work, call.id, helped=1, again=1)
    await work.session.flush()
    (kept,) = await work.session.scalars(select(Feedback))
    assert (kept.helped, kept.again, kept.channel) == (4, None, "web")
    assert not (await as_child.conversation(work, call.id)).may_rate


@pytest.mark.parametrize("urgency", [Urgency.IMMEDIATE, Urgency.URGENT])
async def test_a_child_whose_counsellor_called_it_urgent_is_not_asked(
    work: Work, urgency: Urgency
) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call, _ = await writing(work, line)
    contact = await work.session.scalar(select(Contact).where(Contact.call_id == call.id))
    assert contact is not None
    await contacts.decide_urgency(work, ana, contact.id, urgency, "he is at the door")
    await ending.end_as_child(work, call.id)
    assert not (await as_child.conversation(work, call.id)).may_rate
    with pytest.raises(Conflict):
        await feedback.rate(work, call.id, helped=5, again=5)
    assert await work.session.scalar(select(Feedback.id)) is None


async def test_a_child_who_was_not_urgent_is_asked(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call, _ = await writing(work, line)
    contact = await work.session.scalar(select(Contact).where(Contact.call_id == call.id))
    assert contact is not None
    await contacts.decide_urgency(work, ana, contact.id, Urgency.PRIORITY, None)
    work.now += timedelta(minutes=5)
    await ending.end_as_child(work, call.id)
    assert (await as_child.conversation(work, call.id)).may_rate


@pytest.mark.parametrize("through", ["call", "contact"])
async def test_a_child_for_whom_an_urgent_referral_was_opened_is_not_asked(
    work: Work, through: str
) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call, _ = await writing(work, line)
    contact = await work.session.scalar(select(Contact).where(Contact.call_id == call.id))
    assert contact is not None
    referral = Referral(
        **beginning(work, "referral"),
        owner_id=ana.id,
        team=ana.team,
        call_id=call.id if through == "call" else None,
        contact_id=contact.id if through == "contact" else None,
        opened_together=uuid4(),
        opened_alike=uuid4(),
        opened_how=OpenedHow.URGENT_BUTTON,
        urgency=Urgency.IMMEDIATE,
        protocol="rs",
        protocol_version=1,
    )
    services.ask_for(work, referral, "shelter")
    work.session.add(referral)
    await work.session.flush()
    await ending.end_as_child(work, call.id)
    assert not (await as_child.conversation(work, call.id)).may_rate
    with pytest.raises(Conflict):
        await feedback.rate(work, call.id, helped=5, again=5)
