"""A directory lets people leave: what they hold goes to colleagues, and access ends at once."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from app.calls.models import Call
from app.calls.states import CallState
from app.contacts import contacts
from app.contacts.models import Contact
from app.dashboard import rail
from app.errors import NotFound
from app.jobs.names import Task
from app.jobs.transaction import send_rows
from app.people import leaving, provisioning, work_left
from app.people.changing import LastAdministrator
from app.people.letters import letter_to_owner
from app.people.provisioning import NotTheDirectorys, PersonEntry
from app.referrals.models import Referral
from app.staff import accounts, session_tokens
from app.staff.roles import Role
from app.staff.telling import Told
from app.work import Work
from tests.support.profile import by_day
from tests.support.verbs import (
    a_counsellor,
    a_referral,
    a_supervisor,
    a_talk,
    an_administrator,
    an_agency,
    logged,
    sessions_of,
)

pytestmark = pytest.mark.whole


async def test_a_new_person_has_the_language_that_the_directory_says(work: Work) -> None:
    said = {"Ana": "sr-Cyrl-RS", "Bob": "mk_MK", "Cem": "tr", "Dan": None}
    made = {
        name: (await provisioning.add(work, PersonEntry(name, language=said[name])))
        for name in said
    }
    found = {name: one.staff.page_language for name, one in made.items()}
    assert found == {"Ana": "sr-Cyrl", "Bob": "mk", "Cem": "en", "Dan": "en"}
    # Directories send everything again and again: what the person chose since stays.
    ana = made["Ana"].staff
    await accounts.choose_page_language(work, ana, "sr")
    await provisioning.change(work, ana.id, PersonEntry("Ana", email="a@x.example", language="bg"))
    await work.session.refresh(ana)
    assert (ana.email, ana.page_language) == ("a@x.example", "sr")


async def test_who_leaves_in_a_talk_hands_everything_over_in_the_same_step(work: Work) -> None:
    ana, vera = await a_counsellor(work, "ana"), await a_supervisor(work)
    await a_counsellor(work, "bob")
    ana.team = vera.team = "north"
    await an_agency(work, "house")
    referral = await a_referral(work, ana)
    call, _ = await a_talk(work, ana)
    await contacts.open_for_call(work, call, ana.id)
    await send_rows(work)
    await session_tokens.open_session(work, ana)
    await provisioning.change(work, ana.id, PersonEntry("ana", active=False))
    assert (ana.active, ana.password_hash, await sessions_of(work, ana)) == (False, None, 0)
    again = await work.session.scalar(
        select(Referral).where(Referral.id == referral.id).execution_options(populate_existing=True)
    )
    assert again is not None
    assert again.owner_id == vera.id, "a supervisor of the team"
    drafts = await work.session.scalars(select(Contact.owner_id).where(Contact.call_id == call.id))
    assert drafts.all() == [vera.id]
    kept = await work.session.get_one(Call, call.id, populate_existing=True)
    assert (kept.state, kept.ended_at) == (CallState.QUEUED, None), "the child goes on"
    acts = [act for act, _ in logged(work)]
    assert acts[-2:] == ["staff_deactivated", "left_by_directory"]
    # Active again, nothing of before opens.
    await provisioning.change(work, ana.id, PersonEntry("ana", active=True))
    assert (ana.active, ana.password_hash, await sessions_of(work, ana)) == (True, None, 0)


async def test_work_that_no_colleague_may_take_over_keeps_no_leaver_in_and_alarms(
    work: Work,
) -> None:
    ana, mila = await a_counsellor(work, "ana"), await an_administrator(work)
    work.settings.smtp_url, mila.email = "smtp://127.0.0.1:1", "mila@helpline.example"
    await an_agency(work, "house")
    referral = await a_referral(work, ana)
    await session_tokens.open_session(work, ana)
    work.jobs.clear()
    await provisioning.change(work, ana.id, PersonEntry("ana", active=False))
    assert (ana.active, ana.password_hash, await sessions_of(work, ana)) == (False, None, 0)
    detail = logged(work)[-1][1]
    assert isinstance(detail, dict)
    assert detail["left"] == {"referrals": 1}
    (told,) = [job.arguments for job in work.jobs if job.task == Task.TELL_OWNER]
    assert (told["staff_id"], told["what"]) == (str(mila.id), "work_left")
    letter = await letter_to_owner(work, mila.id, Told.WORK_LEFT, work.now, "")
    assert letter is not None
    assert "ana" not in letter[2].lower().replace("/admin/people", "")
    await work.session.flush()
    assert 'data-count="admin">1<' in await rail.counts_part(work, rail.seat_of(mila))
    assert await work_left.people(work) == [ana]
    # As soon as there is a colleague, an administrator hands it over.
    vera = await a_supervisor(work)
    await leaving.hand_over(work, ana.id, leaving.everything_to(vera.id), by=mila)
    await work.session.flush()
    assert 'data-count="admin"><' in await rail.counts_part(work, rail.seat_of(mila))
    assert await work_left.people(work) == []
    await work.session.refresh(referral)
    assert referral.owner_id == vera.id


# What a directory writes of a leaver besides: as it renames, disables and moves accounts.
BESIDES = [
    PersonEntry("ana", False, email=""),
    PersonEntry("zzz_ana", False, email="ana@city.example"),
    PersonEntry("ana", False, role="no such role", email="ana@city.example"),
    PersonEntry("ana", False, role="administrator"),
    PersonEntry("mila", False),
    PersonEntry("", False, email="no address"),
    PersonEntry("ana", False, external_id="x" * 1000),
]


_OTHERS = [role for role in Role if role not in (Role.COUNSELLOR, Role.ADMINISTRATOR)]


@pytest.mark.parametrize("role", by_day([Role.COUNSELLOR, Role.ADMINISTRATOR, *_OTHERS]))
async def test_a_leaver_is_out_whatever_else_the_directory_says_of_them(
    work: Work, role: Role
) -> None:
    await an_administrator(work)
    await a_supervisor(work)
    # By day those of a counsellor alone: the directory is read before the role matters.
    for number, entry in enumerate(BESIDES):
        ana = await accounts.add_staff(
            work,
            name=f"ana{number}",
            role=role,
            email="ana@city.example",
        )
        ana.password_hash = "a hash"
        await session_tokens.open_session(work, ana)
        await provisioning.change(work, ana.id, entry)
        assert not ana.active, entry
        assert ana.password_hash is None
        assert await sessions_of(work, ana) == 0
        assert (ana.name, ana.role, ana.email) == (f"ana{number}", role, "ana@city.example")


async def test_a_directory_gives_no_role_that_keeps_accounts(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    mila, vera = await an_administrator(work), await a_supervisor(work)
    said: list[str] = []
    logger = SimpleNamespace(error=lambda words, **_more: said.append(words))
    monkeypatch.setattr(provisioning, "log", lambda: logger)
    for role in ("administrator", "auditor"):
        with pytest.raises(NotTheDirectorys):
            await provisioning.add(work, PersonEntry("x", role=role))
        with pytest.raises(NotTheDirectorys):
            await provisioning.change(work, vera.id, PersonEntry("vera", role=role))
    for wrong in (
        PersonEntry("mila", role="counsellor"),
        PersonEntry("other"),
        PersonEntry("mila", email="e@x.example"),
    ):
        with pytest.raises(NotTheDirectorys):
            await provisioning.change(work, mila.id, wrong)
    with pytest.raises(LastAdministrator):
        await provisioning.change(work, mila.id, PersonEntry("mila", active=False))
    assert said == ["the last administrator has left by the directory, and stays"]
    second = await an_administrator(work, "nina")
    await provisioning.change(work, mila.id, PersonEntry("mila", active=False))
    assert mila.active is False
    second.emergency = True
    with pytest.raises(NotTheDirectorys):
        await provisioning.change(work, second.id, PersonEntry("nina", active=False))


async def test_an_account_is_added_changed_deleted_and_comes_back_without_its_password(
    work: Work,
) -> None:
    made = await provisioning.add(work, PersonEntry("Ana", email="a@x.example", external_id="7"))
    ana = made.staff
    assert (ana.role, ana.password_hash, made.external_id) == (Role.COUNSELLOR, None, "7")
    with pytest.raises(accounts.NameTaken):
        await provisioning.add(work, PersonEntry("Ana"))
    work.now += timedelta(minutes=1)
    changed = await provisioning.change(work, ana.id, PersonEntry("Ana B", role="supervisor"))
    assert (ana.name, ana.role, ana.email, changed.changed_at) == (
        "Ana B",
        "supervisor",
        None,
        work.now,
    )
    await provisioning.delete(work, ana.id)
    assert ana.active is False
    for gone in (provisioning.one, provisioning.delete):
        with pytest.raises(NotFound):
            await gone(work, ana.id)
    assert ana.id not in {one.staff.id for one in await provisioning.all_accounts(work)}
    back = await provisioning.add(work, PersonEntry("Ana B", external_id="8"))
    assert (back.staff.id, back.staff.active, back.external_id) == (ana.id, True, "8")
    assert back.staff.password_hash is None
