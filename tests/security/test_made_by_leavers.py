"""What a person made, and saw the secret of, is named when they leave."""

import pytest

from app.api.people import HandedOver
from app.cli.staff.leaving import handed_lines
from app.jobs.transaction import flush
from app.people import leaving
from app.staff import tokens
from app.staff.accounts import actor_of
from app.staff.models import Staff
from app.statistics import wallboards
from app.work import PROGRAM, Work
from tests.support.verbs import an_administrator


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


async def test_the_open_tokens_and_wallboards_of_a_leaver_are_named(
    work: Work, leaver: Staff
) -> None:
    olga = await an_administrator(work, "olga")
    await acts(work, olga)
    await tokens.add_token(work, "figures", ["statistics"], 30)
    await acts(work, None)
    handed = await leaving.deactivate(work, leaver.id, by=olga)
    said = await HandedOver.of(work, handed, leaver.id)
    assert (said.tokens, said.wallboards) == (["directory"], ["Hall"])
    assert await handed_lines(work, handed, leaver) == [
        "token that they made: directory",
        "wallboard that they made: Hall",
    ]
    # Revoked, it is named no more; nor is one that is over.
    await tokens.revoke_token(work, "directory")
    assert await tokens.made_by(work, leaver) == []
