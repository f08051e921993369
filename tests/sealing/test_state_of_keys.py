"""The page of the keys: which one seals, what each has sealed, and sealing everything anew."""

import pytest

from app import tables
from app.demo.stage import Stage
from app.sealing import resealing, state
from app.sealing.knowing import learn
from app.sealing.state import KeyUse
from app.staff.roles import Role
from app.work import Work
from tests.support.contacts import new_contact
from tests.support.referrals import page
from tests.support.sealing.keys import KEYS, with_keys
from tests.support.verbs import a_counsellor, a_line, rings


async def test_an_administrator_sees_the_keys_and_has_everything_sealed_anew(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sealing anew counts what each key has sealed; the page reads what was counted."""
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    ana = await stage.add_counsellor("ana", state=None)
    await new_contact(ana, {"contact.headline": "Quarrel"})
    shown = (await page(stage, mila, "/admin/keys")).text
    assert "Seal everything anew" in shown
    assert "not yet" in shown
    known = (await mila.ask("GET", "/keys")).json()
    (key,) = known["keys"]
    assert (key["use"], known["can_rotate"], known["resealed_at"]) == ("seals", False, None)
    assert key["values"] is None, "not counted yet"
    assert (await ana.ask("GET", "/keys")).status_code == 403
    assert (await page(stage, mila, "/admin/keys/reseal", sent="x")).status_code == 303
    await stage.settle()

    async def counts(work: Work, metadata: object) -> list[resealing.Count]:
        raise AssertionError("a page counts all values of all tables")

    monkeypatch.setattr(resealing, "counts", counts)
    known = (await mila.ask("GET", "/keys")).json()
    assert known["counted_at"] is not None
    assert known["keys"][0]["values"] > 0
    shown = await page(stage, mila, "/admin/keys")
    assert (shown.status_code, "Counted" in shown.text) == (200, True)
    assert (known["resealed_at"] is not None, known["under_way_since"]) == (True, None)
    logged = await stage.rows(
        "SELECT actor, action FROM audit_entries WHERE action LIKE '%%reseal%%' ORDER BY id"
    )
    assert [(row["actor"], row["action"]) for row in logged] == [
        (str(mila.id), "resealing_asked"),
        ("program", "keys_resealed"),
    ]
    # The only key stays, and the page says why.
    refused = await page(stage, mila, "/admin/keys/retire", number=str(key["number"]))
    assert "This key seals" in refused.text
    assert (await mila.ask("POST", "/keys/rotate")).status_code == 409


async def test_each_key_is_shown_with_what_it_does_and_has_sealed(work: Work) -> None:
    await a_line(work)
    await a_counsellor(work, "ana")
    await rings(work)
    await learn(work)
    assert [(key.number, key.values) for key in (await state.read(work)).keys] == [(1, None)]
    await state.count(work, tables.metadata)
    before = await state.read(work)
    assert before.counted_at == work.now
    counted = before.keys[0].values
    assert counted
    assert [(key.number, key.use) for key in before.keys] == [(1, KeyUse.SEALS)]
    later = with_keys(work, (2, KEYS[2]), (1, KEYS[1]))
    await learn(later)
    assert (await state.read(later)).can_rotate
    await resealing.rotate_key(later)
    soon = await state.read(later)
    assert [key.use for key in soon.keys] == [KeyUse.SEALS, KeyUse.SEALS_SOON]
    assert not soon.can_rotate
    later.now += resealing.NOTICE
    await learn(later)
    await state.count(later, tables.metadata)
    after = await state.read(later)
    assert [(key.use, key.values, key.can_retire) for key in after.keys] == [
        (KeyUse.OPENS, counted, False),
        (KeyUse.SEALS, 0, False),
    ]
    assert after.left == counted
