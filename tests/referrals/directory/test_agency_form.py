"""The form of an agency refuses what would change another agency, or another person's change."""

from typing import Any

import pytest

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.referrals import add_agency, page

HOUSE = {"name": "Druga kuća", "sector": "shelter", "services": "shelter", "timezone": ""}
HOUSE |= {"email": "b@house.example"}


@pytest.fixture
async def keeper(stage: Stage) -> Any:
    await add_agency(
        stage,
        "house",
        "shelter",
        name="Sigurna kuća",
        email="a@house.example",
        mandated_for=("shelter@RS-BG",),
    )
    return await stage.add_counsellor("olga", role=Role.REFERRAL_OFFICER, shift=False, state=None)


async def _names(stage: Stage) -> list[tuple[str, str]]:
    rows = await stage.rows("SELECT code, name FROM agencies ORDER BY code")
    return [(row["code"], row["name"]) for row in rows]


async def test_a_new_agency_never_takes_the_place_of_another(stage: Stage, keeper: Any) -> None:
    refused = (await page(stage, keeper, "/agencies/new", **HOUSE, code="house")).text
    assert "Another agency has this code." in refused
    assert 'value="Druga kuća"' in refused, "what was typed stays"
    assert await _names(stage) == [("house", "Sigurna kuća")]
    # Without a code, one is made that is free.
    same = HOUSE | {"name": "House"}
    assert "Saved." in (await page(stage, keeper, "/agencies/new", **same)).text
    assert await _names(stage) == [("house", "Sigurna kuća"), ("house-2", "House")]


async def test_a_mandate_of_another_agency_is_refused_in_words(stage: Stage, keeper: Any) -> None:
    law = {"mandate.0.service": "shelter", "mandate.0.place": "RS-BG"}
    refused = (await page(stage, keeper, "/agencies/new", **HOUSE, **law)).text
    assert "shelter, Belgrade: by law it is Sigurna kuća. Remove it there first." in refused
    assert "RS-BG@" not in refused
    assert await _names(stage) == [("house", "Sigurna kuća")]


async def test_what_another_person_changed_meanwhile_is_not_lost(stage: Stage, keeper: Any) -> None:
    refused = await page(stage, keeper, "/agencies/house/entry", **HOUSE, seen="2020-01-01")
    assert "The state has changed in the meantime." in refused.text
    assert await _names(stage) == [("house", "Sigurna kuća")]
    ana = await stage.add_counsellor("ana", shift=False, state=None)
    assert (await page(stage, ana, "/agencies/house/entry", **HOUSE)).status_code == 403
    assert (await page(stage, keeper, "/agencies/nobody/entry")).status_code == 404
