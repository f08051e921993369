"""A talk that lasts longer than the provider allows is carried over."""

from app.demo.stage import Stage
from tests.support.profile import WHOLE
from tests.support.talks import a_talk, act, client, done, inside, room


def is_soon_too_long(stage: Stage) -> None:
    """Let a talk be carried over after a minute, ten before the end of its leg."""
    stage.settings.longest_leg_seconds = 660


async def test_a_talk_beyond_the_providers_limit_is_carried_over(stage: Stage) -> None:
    is_soon_too_long(stage)
    leg, call, (ana,) = await a_talk(stage, "ana")
    for _ in range(2):
        await stage.advance(40)
        assert (await stage.call_of(leg))["state"] == "connected"
        assert inside(stage) == {"+381641234567", client(ana)}
    row = await stage.call_of(leg)
    assert row["returned"] == 0
    kinds = [r["kind"] for r in await stage.rows("SELECT kind FROM call_events ORDER BY id")]
    assert kinds.count("talk_carried_over") == 1
    page = await stage.client.get(
        f"{stage.settings.public_url}/board/desk", headers={"Cookie": ana.cookie_header}
    )
    assert "both lines are renewed" in page.text
    assert not room(stage).participants[leg.sid].held
    assert call["id"] == row["id"]
    if not WHOLE:
        await done(stage, leg)
        return
    # And again when it was handed over.
    boris = await stage.add_counsellor("boris")
    await act(ana, call, "transfer", {"counsellor_id": str(boris.id), "warm": False})
    await stage.advance(80)
    carried = "SELECT 1 FROM call_events WHERE kind = 'talk_carried_over'"
    assert len(await stage.rows(carried)) == 2
    assert inside(stage) == {"+381641234567", client(boris)}
    assert (await stage.call_of(leg))["returned"] == 0
    await done(stage, leg)
