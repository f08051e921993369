"""Hold and mute."""

from app.demo.stage import Stage
from tests.support.talks import a_talk, act, client, done, room, talk


async def test_a_hold_whose_answer_did_not_come_is_settled_by_asking(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    stage.exchange.knobs.turn("accept_and_time_out", "POST", seconds=1.2)
    await ana.do("hold")
    await stage.advance(3)
    conference = next(iter(stage.exchange.conferences.all.values()))
    assert conference.participants[leg.sid].held
    holds = [path for method, path, form, *_ in stage.exchange.asked if "Hold" in form]
    assert len(holds) == 1


async def test_mute(stage: Stage) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    await act(ana, call, "mute", status=204)
    mine = next(p for p in room(stage).participants.values() if p.leg.to == client(ana))
    assert mine.muted
    await act(ana, call, "unmute", status=204)
    assert not mine.muted
    await done(stage, leg)
