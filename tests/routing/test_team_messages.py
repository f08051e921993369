"""Messages between a supervisor and the team: sealed, within the team, and soon gone."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.demo.stage import Stage
from app.demo.stepped_clock import SteppedClock
from app.errors import Invalid, NotFound
from app.routing.supervision import team_messages
from app.routing.supervision.team_messages import TeamMessage
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import Work
from tests.support.verbs import a_counsellor, a_supervisor, logged

SECRET = "Zzwords: come to my room after this one."


async def said(work: Work, staff: Staff) -> list[tuple[str, bool, str]]:
    return [(m.other, m.own, m.words) for m in await team_messages.open_all(work, staff)]


async def sent(work: Work, by: Staff, to: Staff, words: str = SECRET) -> None:
    await team_messages.send(work, by, to.id, words)


async def test_a_message_is_sealed_and_read_by_the_two_alone(work: Work) -> None:
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    boris = await a_counsellor(work, "boris")
    await sent(work, vera, ana)
    assert logged(work)[-1] == ("team_message_sent", {})
    (row,) = await work.session.scalars(select(TeamMessage))
    assert SECRET.encode() not in row.words_sealed
    assert f"team_messages:{ana.id}" in {str(topic) for topic in work.topics}
    assert await team_messages.count_unread(work, ana) == 1
    assert await said(work, vera) == [("ana", True, SECRET)]
    assert await said(work, boris) == []
    shown = [one.id for one in await team_messages.open_all(work, ana)]
    # One that comes in while the others are read stays new.
    work.now += timedelta(seconds=1)
    await sent(work, vera, ana, "Another.")
    await team_messages.mark_read(work, ana, shown)
    assert await team_messages.count_unread(work, ana) == 1
    await team_messages.mark_read(
        work, ana, [m.id for m in await team_messages.open_all(work, ana)]
    )
    assert await team_messages.count_unread(work, ana) == 0
    work.now += timedelta(seconds=1)
    await sent(work, ana, vera, "Coming.")
    assert [words for _, _, words in await said(work, vera)] == [SECRET, "Another.", "Coming."]


async def test_what_is_sent_twice_is_there_once(work: Work) -> None:
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    key = uuid4()
    for _again in range(2):
        await team_messages.send(work, vera, ana.id, SECRET, key)
    assert await said(work, ana) == [("vera", False, SECRET)]
    assert [kind for kind, _ in logged(work)].count("team_message_sent") == 1


async def test_only_within_the_team_and_with_a_supervisor(work: Work) -> None:
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    boris = await a_counsellor(work, "boris")
    north = await a_supervisor(work, "mira", in_team="north")
    for by, to in ((ana, boris), (ana, north), (north, ana), (vera, vera), (vera, north)):
        with pytest.raises(NotFound):
            await sent(work, by, to)
    for words in ("  ", "x" * (team_messages.LONGEST + 1)):
        with pytest.raises(Invalid):
            await sent(work, ana, vera, words)
    assert await team_messages.partners(work, ana) == [(vera.id, "vera")]
    assert [name for _, name in await team_messages.partners(work, vera)] == ["ana", "boris"]
    # A line from the desk goes to a supervisor: not to a colleague, nor to herself.
    assert await team_messages.supervisors(work, ana) == [(vera.id, "vera")]
    assert await team_messages.supervisors(work, vera) == []


async def test_what_was_written_in_another_team_is_not_read_on(work: Work) -> None:
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    await sent(work, vera, ana)
    vera.team = "north"
    await work.session.flush()
    assert await said(work, vera) == []
    assert await team_messages.count_unread(work, ana) == 0, "what is not shown is not counted"


async def test_a_message_is_shown_for_a_day_only(work: Work) -> None:
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    await sent(work, vera, ana)
    clock = work.ground.clock
    assert isinstance(clock, SteppedClock)
    work.now += timedelta(hours=24)
    assert await said(work, ana) == []
    assert await team_messages.count_unread(work, ana) == 0


async def test_after_a_day_it_is_deleted_and_no_log_has_its_words(stage: Stage) -> None:
    vera = await stage.add_counsellor("vera", role=Role.SUPERVISOR, state=None)
    ana = await stage.add_counsellor("ana", state=None)
    base = stage.settings.public_url
    form = {"to": str(ana.id), "words": SECRET, "key": str(uuid4())}
    headers = {"Cookie": vera.cookie_header}
    (
        await stage.client.post(f"{base}/team/messages", data=form, headers=headers)
    ).raise_for_status()
    headers = {"Cookie": ana.cookie_header}
    unread = await stage.client.get(f"{base}/team/messages/unread", headers=headers)
    assert "1" in unread.text
    assert SECRET not in unread.text
    opened = await stage.client.post(f"{base}/team/messages/read", headers=headers)
    assert SECRET in opened.text
    await stage.advance(1)
    # A line back from her desk, sent once however often; to a colleague it is refused.
    line = {"to": str(vera.id), "words": SECRET, "key": str(uuid4())}
    for _again in range(2):
        sent_ = await stage.client.post(f"{base}/board/note", data=line, headers=headers)
        assert sent_.status_code == 204, sent_.text
    wrong = {**line, "to": str(ana.id), "key": str(uuid4())}
    refused = await stage.client.post(f"{base}/board/note", data=wrong, headers=headers)
    assert refused.status_code == 404
    # A program of theirs does the same, with the same key once.
    assert (await vera.ask("GET", "/team/messages/unread")).json() == {"unread": 1}
    to = (await ana.ask("GET", "/team/messages/recipients")).json()
    assert to == [{"id": str(vera.id), "name": "vera"}]
    sent_again = await ana.ask("POST", "/team/messages", line)
    assert (sent_again.status_code, sent_again.json()) == (201, {"id": line["key"]})
    assert (await ana.ask("POST", "/team/messages", wrong)).status_code == 404
    read = (await vera.ask("POST", "/team/messages/read")).json()
    assert [(one["other"], one["own"], one["read"]) for one in read] == [
        ("ana", True, True),
        ("ana", False, False),
    ]
    assert {one["words"] for one in read} == {SECRET}
    assert (await vera.ask("GET", "/team/messages/unread")).json() == {"unread": 0}
    entries = await stage.rows("SELECT * FROM audit_entries")
    assert {"team_message_sent", "team_messages_read"} <= {row["action"] for row in entries}
    assert "Zzwords" not in str(entries)
    await team_messages.forget_messages(stage.ground)
    assert len(await stage.rows("SELECT id FROM team_messages")) == 2
    await stage.watch.execute("UPDATE team_messages SET sent_at = sent_at - interval '24 hours'")
    await team_messages.forget_messages(stage.ground)
    assert await stage.rows("SELECT id FROM team_messages") == []
