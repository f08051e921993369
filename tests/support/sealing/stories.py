"""A story after which there are sealed values of every shape."""

from datetime import datetime, timedelta

from sqlalchemy import text

from app.calls import callers
from app.calls.caller_rows import FlagKind
from app.contacts import completing, contacts
from app.contacts.saving import STRETCH, Change, merged
from app.contacts.states import ContactChannel
from app.definitions.risk import Urgency
from app.jobs.transaction import flush
from app.referrals.consent.consenting import Agreed, record_consent
from app.referrals.consent.rules import GivenBy, How, Scope
from app.referrals.states import Service
from app.referrals.trail import By, Via
from app.staff.accounts import actor_of
from app.staff.models import Staff
from app.work import PROGRAM, Work
from tests.support.contacts import WHOLE
from tests.support.verbs import a_counsellor, a_line, a_referral, an_agency, rings


async def a_story(work: Work) -> Staff:
    """Store sealed values of every shape: in columns, in answers, in logs."""
    await a_line(work)
    ana = await a_counsellor(work, "ana")
    call, _ = await rings(work)
    await callers.flag_caller(
        work, ana, call, FlagKind.TEST_CALLER, "Rings to test", timedelta(days=1)
    )
    await an_agency(work, "house")
    referral = await a_referral(work, ana)
    named = (Service.MENTAL_HEALTH,)
    agreed = Agreed(GivenBy.CHILD, How.SPOKEN, (Scope.SERVICES,), for_what=named)
    await record_consent(work, referral, agreed, By(Via.BY_HAND))
    work.actor = actor_of(ana)
    contact, _ = await contacts.create_contact(
        work, ana, channel=ContactChannel.CALL, changes=merged({**WHOLE, "child.a1.name": "Mina"})
    )
    await flush(work)
    # Overwritten later, so that the earlier answer is kept.
    await work.session.execute(text("UPDATE contacts SET edited_at = :at"), {"at": _long_ago(work)})
    saved = [Change("child.a1.name", "Mina Petrović", contact.revision)]
    await contacts.save(work, ana, contact.id, saved)
    await contacts.decide_urgency(work, ana, contact.id, Urgency.URGENT, "She fears her uncle.")
    await completing.complete(work, ana, contact.id)
    await flush(work)
    await completing.reopen(work, ana, contact.id, "It was a call.")
    await flush(work)
    work.actor = PROGRAM
    return ana


def _long_ago(work: Work) -> datetime:
    return work.now - 2 * STRETCH
