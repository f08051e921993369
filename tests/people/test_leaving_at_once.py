"""Work that is given to a person while they leave: it is handed over too, or refused."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.calls import messages, record
from app.calls.lines import finding_lines
from app.chats import ended_without_counsellor
from app.chats.left import answering
from app.contacts import completing, contacts
from app.contacts.cases import case_requests, cases, people
from app.contacts.states import ContactChannel, FollowUpAbout
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.errors import Invalid, NotFound
from app.jobs.transaction import send_rows, transaction
from app.people import changing, leaving, provisioning
from app.people.holding import WorkKind
from app.referrals import staff_actions
from app.routing import changing_plans, partners
from app.routing.participants import inviting
from app.routing.responsible import pick_owner
from app.routing.rota import roster
from app.staff import receiving
from app.staff.models import Staff
from app.staff.receiving import AccountEnded
from app.staff.roles import Role
from app.work import PROGRAM, Work
from tests.support.profile import by_day, nightly
from tests.support.program.quiet import QuietStage
from tests.support.verbs import a_counsellor, a_referral, an_agency, another_talk


async def comes(stage: Stage, sql: str, *values: object, number: int = 1) -> None:
    """Wait until there are N rows."""
    for _ in range(300):
        if len(await stage.rows(sql, *values)) >= number:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not there: {sql}")


async def waits(stage: Stage, number: int = 1) -> None:
    """Wait until N transactions wait for other ones."""
    await comes(stage, "SELECT FROM pg_locks WHERE NOT granted", number=number)


async def staff_of(work: Work, who: Counsellor) -> Staff:
    return await work.session.get_one(Staff, who.id)


async def three(stage: Stage) -> list[Counsellor]:
    return [
        await stage.add_counsellor(name, role=Role.SUPERVISOR, shift=False, state=None)
        for name in ("ana", "vera", "boris")
    ]


async def a_draft(stage: Stage, owner: Counsellor) -> UUID:
    async with transaction(stage.ground, PROGRAM) as work:
        staff = await staff_of(work, owner)
        return (await contacts.create_contact(work, staff, channel=ContactChannel.CALL))[0].id


async def test_a_draft_that_is_given_first_goes_along_and_a_later_one_is_refused(
    quiet: QuietStage,
) -> None:
    ana, vera, boris = await three(quiet)
    first, second = [await a_draft(quiet, boris) for _ in range(2)]

    async def leaves() -> leaving.HandedOver:
        async with transaction(quiet.ground, PROGRAM) as work:
            return await leaving.deactivate(work, ana.id, leaving.everything_to(vera.id), by=None)

    async def gives(contact_id: UUID) -> None:
        async with transaction(quiet.ground, PROGRAM) as work:
            await contacts.assign(work, await staff_of(work, boris), contact_id, ana.id)

    async with transaction(quiet.ground, PROGRAM) as work:
        await contacts.assign(work, await staff_of(work, boris), first, ana.id)
        leaving_task = asyncio.create_task(leaves())
        await waits(quiet)
    assert (await leaving_task).given == {WorkKind.DRAFTS: 1}
    async with transaction(quiet.ground, PROGRAM) as work:
        await leaving.deactivate(work, vera.id, leaving.everything_to(boris.id), by=None)
        ana = vera
        giving_task = asyncio.create_task(gives(second))
        await waits(quiet)
    with pytest.raises(Invalid):
        await giving_task
    owners = await quiet.rows("SELECT DISTINCT owner_id FROM contacts")
    assert [row["owner_id"] for row in owners] == [boris.id]
    with pytest.raises(AccountEnded):
        await a_draft(quiet, ana)
    assert await quiet.rows("SELECT id FROM contacts WHERE owner_id = %s", ana.id) == []


async def test_every_place_that_gives_work_to_a_person_keeps_the_account_as_it_is(
    quiet: QuietStage,
) -> None:
    ana, _, boris = await three(quiet)
    draft = await a_draft(quiet, boris)
    async with transaction(quiet.ground, PROGRAM) as work:
        owner = await staff_of(work, boris)
        case = (await cases.open_case(work, owner, [])).id
        await an_agency(work, "house")
        referral = (await a_referral(work, owner)).id

    async def asks(work: Work, own: Staff) -> None:
        await case_requests.ask_transfer(work, own, case, name="ana", team="", reason="leave")

    async def sets(work: Work, own: Staff) -> None:
        due = work.now.date() + timedelta(days=2)
        await cases.set_follow_up(work, own, case, FollowUpAbout.CHECK, due, "", name="ana")

    gives: dict[str, Callable[[Work, Staff], Awaitable[object]]] = {
        "draft": lambda work, own: contacts.assign(work, own, draft, ana.id),
        "case": lambda work, own: people.assign_case(work, own, case, "ana"),
        "member": lambda work, own: people.add_member(work, own, case, "ana"),
        "transfer": asks,
        "follow-up": sets,
        "referral": lambda work, own: staff_actions.give_to(work, own, referral, "ana"),
        "what the program opens": lambda work, own: pick_owner(work),
    }
    takes: dict[str, Callable[[Work, Staff], Awaitable[object]]] = {
        "contact": lambda work, own: contacts.create_contact(
            work, own, channel=ContactChannel.CALL
        ),
        "case": lambda work, own: cases.open_case(work, own, []),
        "voice message": lambda work, own: messages.take(work, own, uuid4()),
        "written message": lambda work, own: answering.take(work, own, uuid4()),
        "referral": a_referral,
    }
    for who, verbs in ((boris, gives), (ana, takes)):
        for name, verb in verbs.items():
            async with transaction(quiet.ground, PROGRAM) as work:
                # A message that is not there is found missing after the account was locked.
                with contextlib.suppress(NotFound):
                    await verb(work, await staff_of(work, who))
                await send_rows(work)
                assert not await is_free(quiet, ana.id), name
                await work.undo()


async def is_free(stage: Stage, staff_id: UUID) -> bool:
    """Return whether a leaver can lock the account right now."""
    async with transaction(stage.ground, PROGRAM, aside=True) as work:
        await work.session.execute(text("SET LOCAL lock_timeout = '50ms'"))
        try:
            await changing.lock_person(work, staff_id)
        except OperationalError:
            await work.undo()
            return False
    return True


@nightly
async def test_a_contact_that_is_created_while_its_owner_leaves_goes_along_or_is_refused(
    stage: Stage,
) -> None:
    """By day each verb that makes or gives one keeps the account, and a draft is refused."""
    ana, vera, boris = await three(stage)
    async with transaction(stage.ground, PROGRAM) as work:
        owner = await staff_of(work, ana)
        first = (await contacts.create_contact(work, owner, channel=ContactChannel.CALL))[0].id
        await send_rows(work)
        leaving_task = asyncio.create_task(leaves(stage, ana.id, boris.id))
        await waits(stage)
    assert (await leaving_task).given == {WorkKind.DRAFTS: 1}
    async with transaction(stage.ground, PROGRAM) as work:
        await leaving.deactivate(work, vera.id, leaving.everything_to(boris.id), by=None)
        # Her page is open still: the account was active when the request began.
        creating_task = asyncio.create_task(a_draft(stage, vera))
        await waits(stage)
    with pytest.raises(AccountEnded):
        await creating_task
    owners = await stage.rows("SELECT id, owner_id FROM contacts")
    assert owners == [{"id": first, "owner_id": boris.id}]


async def leaves(stage: Stage, who: UUID, to: UUID) -> leaving.HandedOver:
    """Let a person leave; the shifts stay uncovered."""
    plan = leaving.everything_to(to, uncovered=True)
    async with transaction(stage.ground, PROGRAM) as work:
        return await leaving.deactivate(work, who, plan, by=None)


async def test_no_caller_waits_while_a_person_leaves_who_waits_for_the_rota(stage: Stage) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        ana, boris = await a_counsellor(work, "ana"), await a_counsellor(work, "boris")
        call = await another_talk(work, ana)
    async with transaction(stage.ground, PROGRAM) as work:
        await roster.lock_rota(work)
        leaving_task = asyncio.create_task(leaves(stage, ana.id, boris.id))
        await waits(stage)
        # A job that rings her may hold it for a moment.
        await comes(stage, "SELECT FROM calls WHERE id = %s FOR UPDATE SKIP LOCKED", call.id)
        # The colleague who gets the work goes on working meanwhile.
        assert await receiving.receiver_by_id(work, boris.id, waits=False) is not None
    await leaving_task


async def test_a_talk_is_not_given_to_a_colleague_who_leaves_right_now(stage: Stage) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        ana, boris = await a_counsellor(work, "ana"), await a_counsellor(work, "boris")
        call = await another_talk(work, boris)
    async with transaction(stage.ground, PROGRAM) as leaver:
        await changing.lock_person(leaver, ana.id)
        async with transaction(stage.ground, PROGRAM, aside=True) as work:
            await work.session.execute(text("SET LOCAL lock_timeout = '2s'"))
            locked = await record.lock_call(work, call.id)
            with pytest.raises(inviting.Busy):
                await inviting.consult(
                    work, await work.session.get_one(Staff, boris.id), locked, staff_id=ana.id
                )
            # What she did stays hers, however: her account may only have got another name.
            assert await receiving.is_here(work, ana.id)


async def test_late_words_stay_on_the_desk_of_an_account_that_is_only_changed(
    stage: Stage,
) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        ana = await a_counsellor(work, "ana")
        call = await another_talk(work, ana)
    await stage.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    async with transaction(stage.ground, PROGRAM) as changer:
        await changing.lock_person(changer, ana.id)
        async with transaction(stage.ground, PROGRAM, aside=True) as work:
            await ended_without_counsellor.keep(work, await record.lock_call(work, call.id))
    (row,) = await stage.rows("SELECT kept_on_desk, kept_for_id FROM offers")
    assert (row["kept_on_desk"], row["kept_for_id"]) == (True, None)


async def test_of_two_people_who_leave_into_each_other_one_stays(quiet: QuietStage) -> None:
    ana, _, boris = await three(quiet)
    for owner in (ana, boris):
        await a_draft(quiet, owner)
    async with transaction(quiet.ground, PROGRAM) as work:
        await roster.lock_rota(work)
        both = [
            asyncio.create_task(leaves(quiet, who.id, to.id))
            for who, to in ((ana, boris), (boris, ana))
        ]
        await waits(quiet, 2)
    ends = await asyncio.gather(*both, return_exceptions=True)
    assert {type(one) for one in ends} == {leaving.HandedOver, Invalid}


async def test_work_goes_to_no_colleague_who_left_after_they_were_looked_up(
    quiet: QuietStage,
) -> None:
    ana, vera, boris = await three(quiet)
    await a_draft(quiet, ana)
    async with transaction(quiet.ground, PROGRAM) as work:
        # As a command line does with the names that it was given.
        named = await staff_of(work, boris)
        await leaves(quiet, boris.id, vera.id)
        assert named.active, "as it was read"
        with pytest.raises(Invalid):
            await leaving.hand_over(work, ana.id, leaving.everything_to(boris.id), by=None)
        await work.undo()


async def test_a_contact_of_a_person_who_has_left_is_reopened_by_its_new_owner(
    quiet: QuietStage,
) -> None:
    ana, vera, boris = await three(quiet)
    async with transaction(quiet.ground, PROGRAM) as work:
        contact, _ = await contacts.create_contact(
            work, await staff_of(work, boris), channel=ContactChannel.CALL
        )
    await quiet.rows("UPDATE contacts SET state = 'complete', completed_at = taken_at RETURNING id")
    async with transaction(quiet.ground, PROGRAM) as work:
        reopened = await completing.reopen(work, await staff_of(work, ana), contact.id, "More")
        assert reopened.owner_id == boris.id, "while the owner is there, it stays theirs"
        await work.undo()
    await leaves(quiet, boris.id, vera.id)
    async with transaction(quiet.ground, PROGRAM) as work:
        await completing.reopen(work, await staff_of(work, ana), contact.id, "More")
    (row,) = await quiet.rows("SELECT owner_id, state FROM contacts")
    assert (row["owner_id"], row["state"]) == (ana.id, "reopened")


async def test_a_directory_lets_a_person_leave_who_is_approved_at_the_same_time(
    stage: Stage,
) -> None:
    """A person who is let in by a second person meanwhile is found in, and leaves."""
    async with transaction(stage.ground, PROGRAM) as work:
        ana = await a_counsellor(work, "ana")
        ana.active = False
        await work.session.flush()

    async def directory() -> bool:
        async with transaction(stage.ground, PROGRAM) as work:
            return await provisioning.could_come_in(work, await work.session.get_one(Staff, ana.id))

    async with transaction(stage.ground, PROGRAM) as work:
        await leaving.reactivate(work, ana.id, by=None)
        asked = asyncio.create_task(directory())
        await waits(stage)
    assert await asked


async def test_a_telephone_that_becomes_a_partner_while_its_person_leaves_is_found_or_refused(
    stage: Stage,
) -> None:
    """Also where the line had no partner before. No call waits for it."""
    numbers = {"ana": "+381641234567", "vera": "+381641234568"}
    async with transaction(stage.ground, PROGRAM) as work:
        ana, vera = [await a_counsellor(work, *one) for one in numbers.items()]
        boris = await a_counsellor(work, "boris")
        line = await finding_lines.any_line(work)
        assert line is not None
    async with transaction(stage.ground, PROGRAM) as work:
        await changing_plans.change_plan(work, line, partner_number=numbers["ana"])
        leaving_task = asyncio.create_task(leaves(stage, ana.id, boris.id))
        await waits(stage)
    assert (await leaving_task).reached.lines == (line.name,)
    async with transaction(stage.ground, PROGRAM) as work:
        plan = leaving.everything_to(boris.id, uncovered=True)
        await leaving.deactivate(work, vera.id, plan, by=None)
        async with transaction(stage.ground, PROGRAM, aside=True) as caller:
            await caller.session.execute(text("SET LOCAL lock_timeout = '2s'"))
            await caller.session.execute(
                text("SELECT FROM lines WHERE id = :id FOR KEY SHARE"), {"id": line.id}
            )

        async def sets() -> None:
            async with transaction(stage.ground, PROGRAM) as other:
                await changing_plans.change_plan(other, line, partner_number=numbers["vera"])

        setting = asyncio.create_task(sets())
        await waits(stage)
    with pytest.raises(partners.OfALeaver):
        await setting


async def _demotes(work: Work, who: Counsellor) -> None:
    await changing.change(work, who.id, changing.Changes(role=Role.AUDITOR), by=None)


async def _leaves(work: Work, who: Counsellor) -> None:
    await leaving.deactivate(work, who.id, leaving.shifts_uncovered(), by=None)


@pytest.mark.parametrize("ends", by_day([_leaves, _demotes]))
async def test_what_is_made_while_its_maker_leaves_or_loses_the_role_is_refused(
    quiet: QuietStage, ends: Callable[[Work, Counsellor], Awaitable[None]]
) -> None:
    olga, mila = [
        await quiet.add_counsellor(name, role=Role.ADMINISTRATOR, shift=False, state=None)
        for name in ("olga", "mila")
    ]
    token = {"name": "during", "scopes": ["accounts"], "days": 400}
    async with transaction(quiet.ground, PROGRAM) as work:
        await ends(work, mila)
        await work.session.flush()
        asked = [
            asyncio.create_task(mila.ask("POST", "/wallboards", {"name": "During"})),
            asyncio.create_task(mila.ask("POST", "/tokens", token)),
        ]
        done, _ = await asyncio.wait(asked, timeout=2)
        assert not done, "they wait for what ends the account"
    assert [one.status_code for one in await asyncio.gather(*asked)] == [403, 403]
    assert await quiet.rows("SELECT FROM wallboards WHERE withdrawn_at IS NULL") == []
    assert await quiet.rows("SELECT FROM api_tokens WHERE revoked_at IS NULL") == []
    # For others they are made as before.
    assert (await olga.ask("POST", "/tokens", token)).status_code == 201
    assert (await olga.ask("POST", "/wallboards", {"name": "Hall"})).status_code == 201
