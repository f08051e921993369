"""Talks where no telephone rings: the rows that a ring, an offer and its acceptance leave."""

from uuid import UUID

from app.contacts import contacts
from app.demo.counsellor import Counsellor
from app.jobs.transaction import transaction
from app.routing import own_presence
from app.staff.models import Staff
from app.work import PROGRAM
from tests.support.program.quiet import QuietStage
from tests.support.verbs import another_talk

# Without a provider, a browser is no telephone.
HER_PHONE = "+381641110001"


async def quiet_talk(quiet: QuietStage, who: Counsellor) -> UUID:
    """Let a counsellor at a phone of their own talk with a caller. Return the call, whose contact
    is open."""
    async with transaction(quiet.ground, PROGRAM) as work:
        staff = await work.session.get_one(Staff, who.id)
        await own_presence.choose_presence_by_name(work, staff, "available")
        call = await another_talk(work, staff)
        await contacts.open_for_call(work, call, staff.id)
        return call.id
