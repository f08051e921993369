"""A program with a keeper, and with its database."""

import asyncio
import os
import threading
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from app import tables
from app.contacts import contacts
from app.contacts.events import earlier_of, events_of
from app.contacts.models import Contact
from app.contacts.records import Opened, open_record
from app.contacts.saving import Change
from app.contacts.states import ContactChannel
from app.demo.stage import stage_on
from app.jobs.transaction import flush, transaction
from app.privacy.hash_kinds import HashOf
from app.privacy.keeper.client import Keeper, KeeperAway
from app.privacy.keeper.serving import answer
from app.privacy.keys import Keys
from app.privacy.safe import Safe
from app.sealing import hashes, resealing
from app.sealing.knowing import learn, learn_now
from app.sealing.places import sealed_places
from app.settings import Settings
from app.staff import accounts
from app.staff.accounts import actor_of
from app.staff.log_kinds import AuditLog
from app.staff.roles import Role
from app.work import PROGRAM, Work, make_ground
from tests.support.sealing.keeper import FIRST, SECOND, TEXT, Kept, counted
from tests.support.sealing.keys import KEYS
from tests.support.verbs import a_counsellor


def by(work: Work, keeper: Keeper) -> Work:
    """Return the same unit of work as a program with a keeper would have it."""
    return replace(work, ground=replace(work.ground, keys=Keys(keeper)))


ANSWERS = [
    Change("child.a1.name", "Mina Petrović", 0),
    Change("child.a2.name", "Luka Petrović", 0),
    Change("child.a3.name", "Ana Petrović", 0),
]


async def test_a_record_is_saved_and_opened_in_a_request_of_each_kind_and_not_of_each_field(
    database: str, kept: Kept, anyio_backend: str
) -> None:
    kept.begin(FIRST)
    ground = make_ground(Settings(database_url=database, keeper_socket=kept.path))
    keeper = ground.keys.keeper
    assert keeper is not None
    await learn_now(ground)
    async with transaction(ground, PROGRAM) as work:
        ana = await accounts.add_staff(work, name="ana", role=Role.COUNSELLOR)
    asked = counted(keeper)
    async with transaction(ground, actor_of(ana)) as work:
        contact, saved = await contacts.create_contact(
            work, ana, channel=ContactChannel.CALL, changes=ANSWERS
        )
        assert saved.refused == {}
        assert len(contact.sealed) == 3
    assert sorted(asked) == ["hashes", "seal"]
    asked.clear()
    async with transaction(ground, actor_of(ana)) as work:
        opened = await open_record(work, ana, Contact, contact.id, AuditLog.CONTACT_READ)
        await events_of(opened)
        await earlier_of(opened)
        assert opened.answers()["child.a2.name"] == "Luka Petrović"
        assert opened.answer("child.a1.name") == "Mina Petrović"
    assert asked == ["open"]
    asked.clear()
    # What is overwritten is kept with its checksum; the other answers are as they were.
    async with transaction(ground, actor_of(ana)) as work:
        await work.session.execute(text("UPDATE contacts SET edited_at = '2020-01-01'"))
        again = [Change(one.path, f"{one.value} again", 1) for one in ANSWERS]
        await contacts.save(work, ana, contact.id, again)
    assert sorted(asked) == ["hashes", "seal", "seal", "sums"]
    keeper.close()
    await ground.database.close()


async def test_keys_and_hashes_are_rotated_while_the_program_runs(
    work: Work, kept: Kept, keeper: Keeper
) -> None:
    work = by(work, keeper)
    await learn(work)
    ana = await a_counsellor(work, "ana")
    work.actor = actor_of(ana)
    contact, _ = await contacts.create_contact(
        work, ana, channel=ContactChannel.CALL, changes=ANSWERS
    )
    await flush(work)
    before = work.keys.match_key(HashOf.NAME, "mina")
    kept.end()
    kept.begin(SECOND, FIRST)
    assert await resealing.rotate_key(work) == 2
    work.now += resealing.NOTICE
    await learn(work)
    assert work.keys.current == 2
    for place in sealed_places(tables.metadata):
        after: Any = None
        while True:
            _, after = await resealing.reseal_some(work, place, after)
            if after is None:
                break
    assert await resealing.is_left(work, tables.metadata) is False
    await hashes.rotate_hashes(work)
    work.now += resealing.NOTICE
    await learn(work)
    assert work.keys.generation == 2
    assert work.keys.match_keys(HashOf.NAME, "mina") == [*work.keys.carried([before], 2), before]
    # Without the old key everything opens: nothing was left sealed with it.
    work.now += resealing.SETTLED
    await resealing.retire_key(work, tables.metadata, 1)
    await learn(work)
    kept.end()
    kept.begin(SECOND)
    (sealed,) = await work.session.scalars(select(Contact.sealed))
    assert Opened(work, contact).unseal_answer("child.a1.name", sealed["child.a1.name"]) == (
        "Mina Petrović"
    )


async def test_while_a_process_looks_at_a_keeper_that_hangs_it_does_other_work(
    work: Work, kept: Kept, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, goes_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def paused(safe: Safe, message: dict[str, Any]) -> dict[str, Any]:
        loop.call_soon_threadsafe(asked.set)
        goes_on.wait(20)
        return answer(safe, message)

    monkeypatch.setattr("app.privacy.keeper.serving.answer", paused)
    learning = asyncio.create_task(learn(by(work, keeper)))
    await asked.wait()
    goes_on.set()
    await learning


async def test_a_wrong_keeper_is_named_and_seals_nothing(
    work: Work, kept: Kept, keeper: Keeper
) -> None:
    work = by(work, keeper)
    await learn(work)
    kept.end()
    kept.begin((1, KEYS[3]))
    with pytest.raises(KeeperAway):
        work.keys.seal(TEXT, table="calls", column="c", row=uuid4())
    assert keeper.away is None, "it answers: to look again for each request would not help"
    await learn(work)
    assert "is not the key 1 of this database" in work.keys.problem
    kept.end()
    kept.begin(FIRST)
    await learn(work)
    assert work.keys.problem == ""
    assert (await work.session.execute(text("SELECT count(*) FROM field_keys"))).scalar() == 1


async def test_a_server_without_its_keeper_refuses_in_words_and_writes_nothing_half(
    database: str, kept: Kept, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    """The test of whole processes is `test_killed_keeper`."""
    # How long requests wait for a restart is tried above.
    monkeypatch.setattr("app.privacy.keeper.client.RESTARTS_WITHIN", 0.05)
    kept.begin(FIRST)
    async with stage_on(database, keeper_socket=kept.path) as stage:
        await stage.add_line()
        ana = await stage.add_counsellor("ana")
        url = stage.settings.public_url
        body = {"channel": "email", "answers": {"child.a1.name": "Mina"}}
        made = await ana.ask("POST", "/contacts", body)
        assert made.status_code == 201, made.text
        path = f"/contacts/{made.json()['id']}"
        renamed = {"changes": [{"path": "child.a1.name", "value": "Luka", "base": 1}]}
        await asyncio.to_thread(kept.end)
        for method, where, sent in (
            ("GET", path, None),
            ("PUT", f"{path}/answers", renamed),
            ("POST", "/contacts", body),
        ):
            refused = await ana.ask(method, where, sent)
            assert refused.status_code == 503, where
            assert "the keeper of the keys does not answer" in refused.json()["detail"]
        # Who was at work stays signed in; a new sign-in has to wait.
        assert (await ana.ask("PUT", "/me/presence", {"state": "available"})).status_code == 200
        with pytest.raises(KeeperAway):
            await ana.sign_in()
        stranger = {"Cookie": "helpline_session=not-known"}
        unknown = await stage.client.get(f"{url}/", headers=stranger)
        assert unknown.status_code == 503
        assert "the keeper of the keys does not answer" in unknown.text
        readiness = await stage.client.get(f"{url}/readyz")
        assert readiness.status_code == 503
        assert "keeper" in readiness.json()["keys"]
        counted = "SELECT (SELECT count(*) FROM contacts) AS all, revision FROM contacts"
        assert await stage.rows(counted) == [{"all": 1, "revision": 1}]
        assert (await stage.rows("SELECT count(*) AS n FROM earlier_answers"))[0]["n"] == 0
        leg = stage.ring()
        await stage.advance(2)
        assert leg.heard, "the child hears that we are there"
        assert not leg.over
        await asyncio.to_thread(kept.begin, FIRST, user=os.geteuid() + 1)
        readiness = await stage.client.get(f"{url}/readyz")
        assert readiness.status_code == 503
        assert "is not served by the keeper of the keys" in readiness.json()["keys"]
        await asyncio.to_thread(kept.end)
        await asyncio.to_thread(kept.begin, FIRST)
        async with asyncio.timeout(10):
            while (await stage.client.get(f"{url}/readyz")).status_code != 200:
                await asyncio.sleep(0.05)
        (await ana.ask("PUT", f"{path}/answers", renamed)).raise_for_status()
        assert (await ana.ask("GET", path)).json()["answers"]["child.a1.name"] == "Luka"
        # The child was asked to wait, and is asked for a language then.
        await stage.advance(20)
        assert leg.has_heard("pritisni 1")
        assert len(await stage.rows("SELECT id FROM calls")) == 1
        await stage.exchange.hang_up(leg)
