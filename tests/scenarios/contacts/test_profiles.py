"""Contacts of one person are put together, and told apart."""

import asyncio

from app.demo.stage import Stage
from tests.support.contacts import chains_are_whole, new_contact
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.talks import talk


@nightly
async def test_two_callers_behind_one_number_are_told_apart_and_put_together(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    contacts = []
    for _ in range(3):
        leg = await talk(stage, ana)
        call = await stage.call_of(leg)
        contacts.append((await ana.ask("GET", f"/calls/{call['id']}/contact")).json())
        await stage.exchange.hang_up(leg)
        await stage.settle()
        await ana.be("available")
    first, second, third = contacts
    assert first["profile_id"] == second["profile_id"] == third["profile_id"] is not None
    apart = await ana.ask("POST", f"/contacts/{second['id']}/profile", {})
    assert apart.status_code == 204
    other = (await ana.ask("GET", f"/contacts/{second['id']}")).json()["profile_id"]
    assert other != first["profile_id"]
    # From now on the program does not choose between the two.
    leg = await talk(stage, ana)
    call = await stage.call_of(leg)
    fourth = (await ana.ask("GET", f"/calls/{call['id']}/contact")).json()
    assert fourth["profile_id"] is None
    chosen = await ana.ask("POST", f"/contacts/{fourth['id']}/profile", {"profile_id": other})
    assert chosen.status_code == 204
    merged = await ana.ask(
        "POST", f"/profiles/{other}/merge", {"into": first["profile_id"], "reason": "her voice"}
    )
    assert merged.status_code == 204
    rows = await stage.rows("SELECT DISTINCT profile_id FROM contacts")
    assert [str(r["profile_id"]) for r in rows] == [first["profile_id"]]
    body = {"contacts": [second["id"], fourth["id"]], "reason": "it was her brother"}
    split = await ana.ask("POST", f"/profiles/{first['profile_id']}/split", body)
    assert split.status_code == 201
    rows = await stage.rows(
        "SELECT count(*) AS n FROM contacts WHERE profile_id = %s", split.json()["profile_id"]
    )
    assert rows == [{"n": 2}]
    trail = await stage.rows("SELECT kind FROM record_events WHERE subject_kind = 'profile'")
    assert {"profile_made", "merged", "merged_into", "split", "split_from"} <= {
        r["kind"] for r in trail
    }
    # A stranger to these contacts may do none of it.
    bora = await stage.add_counsellor("bora", state=None)
    for path, given in (
        (f"/profiles/{first['profile_id']}/split", body),
        (f"/profiles/{first['profile_id']}/merge", {"into": other, "reason": "x"}),
        (f"/contacts/{second['id']}/profile", {}),
    ):
        assert (await bora.ask("POST", path, given)).status_code == 404


# By day `tests/contacts/test_callers_of_one_number.py` puts them together one by one.
@nightly
async def test_profiles_are_put_together_by_many_requests_at_once(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    contacts = [await new_contact(ana) for _ in range(6)]
    codes = [(await ana.ask("GET", f"/contacts/{c}")).json()["code"] for c in contacts]
    wishes = []
    for n, contact in enumerate(contacts):
        for other in (codes[(n + 1) % 6], codes[(n + 3) % 6]):
            wishes += [ana.ask("POST", f"/contacts/{contact}/profile", {"same_as": other})]
        wishes.append(ana.ask("POST", f"/contacts/{contact}/profile", {}))
    answers = await asyncio.gather(*wishes)
    codes_seen = {answer.status_code for answer in answers}
    assert 204 in codes_seen
    assert codes_seen <= {204, 404}, "one that was merged meanwhile is not found"
    assert await chains_are_whole(quiet)
