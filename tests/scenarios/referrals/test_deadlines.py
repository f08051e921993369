"""Deadlines of a referral."""

from tests.support.program.quiet import QuietStage
from tests.support.referrals import OVERRIDE, add_agency, by_hand, referral_of


async def test_the_deadline_to_see_the_child_runs_until_the_child_was_seen(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    for code in ("house", "other"):
        await add_agency(quiet, code, "shelter", email=f"a@{code}.example")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    path = f"/referrals/{made['id']}"
    not_found = {"agency": "house", "name": "M", "outcome": "unable_to_locate"}
    assert (await ana.ask("POST", f"{path}/complete", not_found)).status_code == 200

    async def seen_deadline_runs() -> bool:
        found = await referral_of(ana, made["id"])
        deadline = next(c for c in found["deadlines"] if c["kind"] == "seen")
        return deadline["stopped_at"] is None

    assert await seen_deadline_runs()
    # It could not find the child: one of our staff looks, and goes on.
    notices = await quiet.rows("SELECT for_whom FROM notices WHERE kind = 'completed'")
    assert {n["for_whom"] for n in notices} == {"owner", "supervisors"}
    sent = await ana.ask("POST", f"{path}/send", {"agency": "other"})
    assert sent.json()["state"] == "sent"
    found = await referral_of(ana, made["id"])
    assert [c["kind"] for c in found["deadlines"] if c["stopped_at"] is None].count("acknowledge")
    assert found["outcome"] is None
    await ana.ask("POST", f"{path}/accept", {"agency": "other", "name": "X"})
    assert await seen_deadline_runs()
    # An outcome that rests on having met the child stops it; sent on unseen, it runs again.
    placed = {"agency": "other", "outcome": "placed_shelter", "name": "X"}
    await ana.ask("POST", f"{path}/complete", placed)
    assert not await seen_deadline_runs()
    await ana.ask("POST", f"{path}/send", {"agency": "house"})
    assert await seen_deadline_runs()
