"""Two teams on one line: pages and routes show a person what is of their own team, and no more."""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.calls.callers import talks_unheard
from tests.support.program.quiet import QuietStage
from tests.support.referrals import page

_TEAM = "UPDATE staff SET team = :team WHERE name = :name RETURNING team"
_MESSAGE = (
    "INSERT INTO voice_messages (id, call_id, recording_sid, state, created_at, owner_id, taken_at)"
    " SELECT gen_random_uuid(), :call, 'RE1', 'imported', now(), id, now() FROM staff"
    " WHERE name = 'ana' RETURNING id"
)


async def _run(stage: Stage, sql: str, **values: Any) -> Any:
    async with transaction(stage.ground, PROGRAM) as work:
        found = await work.session.scalar(text(sql), values)
    stage.ground.memory.forget("everything")
    return found


async def test_another_team_neither_sees_nor_acts_on_what_is_not_theirs(
    quiet: QuietStage,
) -> None:
    stage = quiet
    ana, boro = await stage.add_counsellor("ana"), await stage.add_counsellor("boro")
    sanja = await stage.add_counsellor("sanja", role=Role.SUPERVISOR, state=None, shift=False)
    nora = await stage.add_counsellor("nora", role=Role.SUPERVISOR, state=None, shift=False)
    for name, team in (("ana", "north"), ("nora", "north"), ("boro", "south"), ("sanja", "south")):
        await _run(stage, _TEAM, name=name, team=team)
    call_id = await talks_unheard(stage, ana)
    window = {"from": "2030-01-14T20:00:00+01:00", "until": "2030-01-14T21:00:00+01:00"}
    agreed = {**window, "safe": True}
    assert (await sanja.ask("POST", f"/calls/{call_id}/callback", agreed)).status_code == 404
    made = await ana.ask("POST", f"/calls/{call_id}/callback", agreed)
    assert made.status_code == 201, made.text
    callback_id, message_id = made.json()["id"], await _run(stage, _MESSAGE, call=call_id)

    async def sees(who: Counsellor) -> set[str]:
        shown = [
            (await page(stage, who, f"/board/{part}")).text for part in ("messages", "callbacks")
        ]
        listed = (await who.ask("GET", "/callbacks")).json()
        found = {"message"} if str(message_id) in shown[0] else set()
        found |= {"callback"} if callback_id in shown[1] else set()
        return found | ({"listed"} if [one["id"] for one in listed] == [callback_id] else set())

    for who in (ana, nora):
        assert await sees(who) == {"message", "callback", "listed"}, who.staff.name
    for who in (boro, sanja):
        assert await sees(who) == set(), who.staff.name
        for method, path in (
            ("POST", f"/callbacks/{callback_id}/cancel"),
            ("POST", f"/callbacks/{callback_id}/again"),
            ("POST", f"/voice-messages/{message_id}/take"),
            ("POST", f"/voice-messages/{message_id}/done"),
            ("GET", f"/voice-messages/{message_id}"),
            ("GET", f"/calls/{call_id}/caller"),
        ):
            assert (await who.ask(method, path)).status_code == 404, (who.staff.name, path)
        asked = await who.ask("POST", f"/calls/{call_id}/number", {"reason": "complaint"})
        assert asked.status_code == 404
        assert (await page(stage, who, f"/board/messages/{message_id}/audio")).status_code == 404
    for verb in ("listen", "whisper", "barge"):
        assert (await sanja.ask("POST", f"/calls/{call_id}/{verb}")).status_code == 404
    # The record of the call has no number; the part about its caller is for its team.
    assert "data-number" not in (await page(stage, sanja, f"/calls/{call_id}")).text
    assert "data-number" in (await page(stage, nora, f"/calls/{call_id}")).text
    asked = await nora.ask("POST", f"/calls/{call_id}/number", {"reason": "complaint"})
    assert asked.json() == {"number": "+381641234567"}
    assert isinstance(message_id, UUID)
    assert (await nora.ask("POST", f"/voice-messages/{message_id}/done")).status_code == 204
