"""A person signs in by the provider while another one decides about their account."""

import asyncio

from app.jobs.transaction import transaction
from app.people import changing
from app.people.provider import access
from app.people.provider.access import AlreadyLinked, NoAccountHere
from app.people.provider.mapping import MappingWanted
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.program.quiet import QuietStage

_WAIT = (
    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
WANTED = MappingWanted(
    name="City", issuer="https://id.example", client_id="x", roles=(("help", "counsellor"),)
)
CLAIMS = {"sub": "1", "groups": ["help"]}


async def test_the_account_is_locked_before_its_identity_by_both(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", role=Role.COUNSELLOR, shift=False, state=None)
    async with transaction(quiet.ground, PROGRAM) as work:
        staff = await work.session.get_one(Staff, ana.id)
        await access.link_own(work, staff, WANTED, CLAIMS)

    async def signs_in() -> str:
        async with transaction(quiet.ground, PROGRAM) as work:
            try:
                await access.signed_in_person(work, WANTED, CLAIMS)
            except NoAccountHere:
                return "unlinked"
            return "in"

    refused = False
    async with transaction(quiet.ground, PROGRAM) as work:
        staff = await changing.lock_person(work, ana.id)
        waits = asyncio.create_task(signs_in())
        while not waits.done() and not await quiet.rows(_WAIT):
            await asyncio.sleep(0.01)
        assert not waits.done(), "the sign-in has to wait for the account"
        try:
            await access.link_approved(work, staff, WANTED.issuer, "1")
        except AlreadyLinked:
            refused = True
        await access.unlink(work, staff, by=None)
    assert refused
    assert await waits == "unlinked"
