"""What a person made, and saw the secret of, stops when they leave, and is named."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.administration import still_open
from app.api.people import HandedOver
from app.cli.staff.leaving import handed_lines
from app.errors import NotFound, NotSignedIn
from app.jobs.transaction import flush
from app.people import changing, leaving, provisioning, wallboards, work_left
from app.people.changing import Changes
from app.people.provider import access
from app.people.wallboards import Wallboard
from app.staff import tokens
from app.staff.accounts import actor_of
from app.staff.models import ApiToken, Staff
from app.staff.roles import Role
from app.staff.second_person import By, Outside
from app.work import PROGRAM, Work
from tests.support.identity.leavers import linked
from tests.support.verbs import an_administrator, logged

pytestmark = pytest.mark.whole


async def acts(work: Work, staff: Staff | None) -> None:
    await flush(work)
    work.actor = actor_of(staff) if staff is not None else PROGRAM


@pytest.fixture
async def leaver(work: Work) -> Staff:
    """An administrator who made tokens and wallboards, of which one each is still open."""
    mila = await an_administrator(work)
    await acts(work, mila)
    for name in ("directory", "revoked"):
        await tokens.add_token(work, name, ["accounts"], 400)
    await wallboards.make(work, mila, "Hall")
    await wallboards.make(work, mila, "Attic")
    await wallboards.withdraw(work, (await wallboards.in_use(work))[0].id)
    await tokens.revoke_token(work, "revoked")
    await acts(work, None)
    await tokens.add_token(work, "of the operator", ["statistics"], 30)
    return mila


async def test_the_tokens_and_wallboards_of_a_leaver_stop_and_are_named(
    work: Work, leaver: Staff
) -> None:
    olga = await an_administrator(work, "olga")
    await acts(work, olga)
    await tokens.add_token(work, "figures", ["statistics"], 30)
    await acts(work, None)
    # Long before she leaves.
    for row in [*await tokens.list_tokens(work), *(await work.session.scalars(select(Wallboard)))]:
        gone = "revoked_at" if isinstance(row, ApiToken) else "withdrawn_at"
        if getattr(row, gone) is not None:
            setattr(row, gone, work.now - 2 * tokens.NAMED)
    await work.session.flush()
    handed = await leaving.deactivate(work, leaver.id, by=olga)
    said = await HandedOver.of(work, handed, leaver.id)
    assert (said.tokens, said.wallboards) == (["directory"], ["Hall"])
    assert await handed_lines(work, handed, leaver) == [
        "token that they made: directory",
        "wallboard that they made: Hall",
    ]
    told = {action for action, _ in logged(work)}
    assert {"token_revoked", "wallboard_withdrawn"} <= told
    assert [one.name for one in await wallboards.in_use(work)] == []
    open_ones = [one.name for one in await tokens.list_tokens(work) if one.revoked_at is None]
    assert open_ones == ["figures", "of the operator"], "those of others go on"
    # Once there are others, those that stopped are named no more.
    work.now += timedelta(minutes=1)
    await tokens.add_token(work, "directory two", ["accounts"], 30)
    await wallboards.make(work, olga, "Hall")
    assert not any(await still_open.of(work, leaver))


async def test_a_token_that_may_do_less_takes_the_place_of_none_that_stopped(
    work: Work, leaver: Staff
) -> None:
    await an_administrator(work, "olga")
    await leaving.deactivate(work, leaver.id, by=None)
    work.now += timedelta(minutes=1)
    await tokens.add_token(work, "figures", ["statistics"], 30)
    assert "directory" in {one.name for one in await tokens.stopped_of(work, leaver)}
    await tokens.add_token(work, "both", ["accounts", "statistics"], 30)
    assert await tokens.stopped_of(work, leaver) == []


WAYS = ("page", "directory", "provider")


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_leaver_knew_opens_nothing_any_more_also_when_they_are_back(
    work: Work, leaver: Staff, way: str
) -> None:
    olga = await an_administrator(work, "olga")
    await acts(work, leaver)
    token = await tokens.add_token(work, "mine", ["accounts"], 400)
    screen = await wallboards.make(work, leaver, "Room")
    await acts(work, None)
    await tokens.token_of(work, token)
    await wallboards.find(work, screen)
    work.actor = PROGRAM
    if way == "page":
        await leaving.deactivate(work, leaver.id, by=olga)
    elif way == "directory":
        entry = provisioning.PersonEntry(leaver.name, active=False)
        await provisioning.change(work, leaver.id, entry)
    else:
        await access.close(work, leaver, await linked(work, leaver))
    for _ in range(2):
        with pytest.raises(NotSignedIn):
            await tokens.token_of(work, token)
        with pytest.raises(NotFound):
            await wallboards.find(work, screen)
        if way != "provider" and not leaver.active:
            await leaving.reactivate(work, leaver.id, by=None)
    if way == "provider":
        left = await still_open.of(work, leaver)
        assert {"mine"} <= {one.name for one in left.tokens}


async def _demoted(work: Work, staff: Staff, by: By) -> None:
    await changing.change(work, staff.id, Changes(role=Role.AUDITOR), by=by)
    await flush(work)


@pytest.mark.parametrize("way", ["page", "provider", "command"])
async def test_what_an_administrator_made_stops_when_they_lose_the_role_alone(
    work: Work, leaver: Staff, way: str
) -> None:
    olga = await an_administrator(work, "olga")
    await acts(work, leaver)
    token = await tokens.add_token(work, "mine", ["accounts"], 400)
    screen = await wallboards.make(work, leaver, "Room")
    await acts(work, olga if way == "page" else None)
    by: By = olga if way == "page" else Outside.PROVIDER if way == "provider" else None
    await _demoted(work, leaver, by)
    with pytest.raises(NotSignedIn):
        await tokens.token_of(work, token)
    with pytest.raises(NotFound):
        await wallboards.find(work, screen)
    stopped = {one.name: one.revoked_with for one in await tokens.list_tokens(work)}
    assert stopped["mine"] == stopped["directory"] == leaver.id
    assert stopped["of the operator"] is stopped["revoked"] is None
    left = await still_open.of(work, leaver)
    assert {"mine", "directory"} <= {one.name for one in left.tokens}
    assert {"Room"} <= {one.name for one in left.wallboards}
    # The other administrators are told, as of a leaver, until others are made or a week is over.
    await still_open.watch(work, leaver.id)
    assert await work_left.with_open(work) == [leaver]
    work.now += tokens.NAMED
    assert await still_open.to_close(work) == [leaver.id]


async def test_tokens_that_stopped_with_a_role_are_named_when_it_is_back(
    work: Work, leaver: Staff
) -> None:
    await an_administrator(work, "olga")
    await _demoted(work, leaver, None)
    await changing.change(work, leaver.id, Changes(role=Role.ADMINISTRATOR), by=None)
    await flush(work)
    # The one that was revoked by hand stopped with no role.
    assert [one.name for one in (await still_open.of(work, leaver)).tokens] == ["directory"]
    await still_open.watch(work, leaver.id)
    assert await work_left.with_open(work) == [leaver]
    work.now += tokens.NAMED
    assert await still_open.to_close(work) == [leaver.id]


async def test_wallboards_that_stopped_with_a_role_are_named_when_it_is_back(
    work: Work, leaver: Staff
) -> None:
    await an_administrator(work, "olga")
    await acts(work, leaver)
    for name in ("Room", "Cellar"):
        await wallboards.make(work, leaver, name)
    await acts(work, None)
    (cellar,) = [one for one in await wallboards.made_by(work, leaver) if one.name == "Cellar"]
    await wallboards.withdraw(work, cellar.id)
    await _demoted(work, leaver, None)
    # The one that was withdrawn by hand stopped with no role.
    stopped = [one.name for one in (await still_open.of(work, leaver)).wallboards]
    assert "Room" in stopped
    assert "Cellar" not in stopped
    await changing.change(work, leaver.id, Changes(role=Role.ADMINISTRATOR), by=None)
    await flush(work)
    assert [one.name for one in (await still_open.of(work, leaver)).wallboards] == stopped
    await still_open.watch(work, leaver.id)
    assert await work_left.with_open(work) == [leaver]
    work.now += tokens.NAMED
    assert await still_open.to_close(work) == [leaver.id]


async def test_a_person_who_may_make_them_still_keeps_what_they_made(
    work: Work, leaver: Staff
) -> None:
    await an_administrator(work, "olga")
    await acts(work, leaver)
    token = await tokens.add_token(work, "mine", ["accounts"], 400)
    await acts(work, None)
    await changing.change(work, leaver.id, Changes(name="Mila Two", team="East"), by=None)
    await tokens.token_of(work, token)
    assert not any(await still_open.of(work, leaver))
