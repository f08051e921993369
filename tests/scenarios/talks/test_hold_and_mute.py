"""Hold and mute."""

from app.demo.stage import Stage
from tests.support.talks import a_talk, act, client, done, room


async def test_mute_and_a_hold_whose_answer_did_not_come_and_is_settled_by_asking(
    stage: Stage,
) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    await act(ana, call, "mute", status=204)
    mine = next(p for p in room(stage).participants.values() if p.leg.to == client(ana))
    assert mine.muted
    await act(ana, call, "unmute", status=204)
    assert not mine.muted
    stage.exchange.knobs.turn("accept_and_time_out", "POST", seconds=2)
    await ana.do("hold")
    await stage.advance(3)
    assert room(stage).participants[leg.sid].held
    holds = [path for method, path, form, *_ in stage.exchange.asked if "Hold" in form]
    assert len(holds) == 1
    await done(stage, leg)
