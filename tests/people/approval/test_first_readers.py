"""The first of a helpline who read the records of others are given alone."""

from dataclasses import replace

import pytest

from app.people import changing, leaving, links
from app.people.changing import Changes
from app.people.links import LinkWaits
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import Work
from tests.support.identity.approval import (
    PASSWORD,
    a_reader,
    acts_of,
    decide,
    nothing_waits,
    token,
)
from tests.support.verbs import logged

pytestmark = pytest.mark.whole


async def test_the_first_of_a_helpline_are_given_alone_and_the_log_says_so(
    work: Work, mila: Staff
) -> None:
    wanted = Changes(name="Vera", role=Role.SUPERVISOR)
    vera, address = await links.invite(work, wanted, by=mila, by_mail=False)
    assert vera.active
    assert {act for act, _ in acts_of(work)} == {"access_given_alone"}
    # She was invited and could not approve yet; so the next one is given alone as well.
    nina, _ = await links.invite(work, replace(wanted, name="Nina"), by=mila, by_mail=False)
    assert nina.active
    # Nor does a counsellor wait yet; that she was given alone is in the log as well.
    ana, _ = await links.invite(work, Changes(name="Ana"), by=mila, by_mail=False)
    assert ana.active
    assert acts_of(work)[-1][1]["after"] == {"kind": "link", "role": "counsellor"}
    await links.choose_password(work, token(address), PASSWORD, "en")
    sanja, _ = await links.invite(work, Changes(name="Sanja"), by=mila, by_mail=False)
    rada, _ = await links.invite(work, replace(wanted, name="Rada"), by=mila, by_mail=False)
    assert (sanja.active, rada.active) == (False, False)
    await decide(work, vera, rada)
    assert rada.active


@pytest.mark.parametrize("how", ["leaves", "another role", "new password, never used"])
async def test_an_administrator_is_not_alone_again_when_the_second_person_is_gone(
    work: Work, mila: Staff, how: str
) -> None:
    vera = await a_reader(work, "vera")
    if how == "leaves":
        await leaving.deactivate(work, vera.id, by=mila)
    else:
        await changing.change(work, vera.id, Changes(role=Role.COUNSELLOR), by=mila)
    if how.startswith("new"):
        await links.make_link(work, vera.id, by=mila, by_mail=False)
    wanted = Changes(name="Nova", role=Role.SUPERVISOR)
    nova, address = await links.invite(work, wanted, by=mila, by_mail=False)
    assert not nova.active
    with pytest.raises(LinkWaits):
        await links.find(work, token(address))


async def test_a_role_given_to_a_person_who_signs_in_ends_the_exemption(
    work: Work, mila: Staff
) -> None:
    ana = await accounts.add_staff(work, name="ana", role=Role.COUNSELLOR, password=PASSWORD)
    await changing.change(work, ana.id, Changes(role=Role.SUPERVISOR), by=mila)
    assert ana.role == "supervisor"
    wanted = Changes(name="Nova", role=Role.SUPERVISOR)
    assert not (await links.invite(work, wanted, by=mila, by_mail=False))[0].active


async def test_the_operator_of_the_server_is_outside_and_in_the_log(
    work: Work, vera: Staff, mila: Staff
) -> None:
    wanted = Changes(name="Nova", role=Role.SUPERVISOR)
    nova, address = await links.invite(work, wanted, by=None, by_mail=False)
    assert (await links.find(work, token(address)))[1].id == nova.id
    assert "staff_added" in {act for act, _ in logged(work)}
    assert acts_of(work) == []
    # It also ends what waits: that would not be right any more.
    await leaving.deactivate(work, nova.id, by=mila)
    await leaving.reactivate(work, nova.id, by=mila)
    assert not nova.active
    await leaving.reactivate(work, nova.id, by=None)
    assert nova.active
    assert await nothing_waits(work)
