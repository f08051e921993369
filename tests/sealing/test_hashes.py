"""The key of the hashes is rotated while callers ring, and every one of them is still known."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import select, text

from app import tables
from app.calls.callers import history
from app.calls.models import Call
from app.contacts import contacts
from app.contacts.saving import Change
from app.contacts.states import ContactChannel
from app.demo.served import Served, free_port
from app.demo.stage import Stage
from app.jobs.transaction import flush, transaction
from app.main import make_app
from app.people import links
from app.people.changing import Changes
from app.privacy.hash_kinds import HashOf
from app.privacy.safe import InForce, Secret, generation_of
from app.sealing import hashes, resealing
from app.sealing.knowing import learn
from app.sealing.places import hashed_columns
from app.staff import former_addresses
from app.staff.models import FormerAddress
from app.staff.roles import Role
from app.work import PROGRAM, Work, make_ground
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.sealing.keys import KEYS, keys_of, text_of
from tests.support.talks import CHILD, talk, waits
from tests.support.verbs import a_counsellor, a_line, an_administrator, rings

COLUMNS = hashed_columns(tables.metadata)


def test_a_hash_of_the_next_generation_is_made_from_the_one_before() -> None:
    keys = keys_of((1, KEYS[1]))
    old = keys.match_key(HashOf.CALLER, CHILD)
    assert len(old) == 32
    secrets = {}
    for generation in (1, 2, 3):
        row = uuid4()
        secrets[generation] = Secret(keys.hash_secret(row, first=generation == 1), row)
    keys.work_by(InForce(1, (), secrets, written=3, oldest=1))
    new = keys.match_key(HashOf.CALLER, CHILD)
    assert generation_of(new) == 3
    assert keys.carried([old], 3) == [new]
    (second,) = keys.carried([old], 2)
    assert keys.carried([second, old], 3) == [new, new]
    assert set(keys.match_keys(HashOf.CALLER, CHILD)) == {old, second, new}
    assert keys.is_match(HashOf.CALLER, CHILD, old)
    assert not keys.is_match(HashOf.CALLER, "+381649999999", old)
    # What is drawn for figures stays, so that two reports never tell what was rounded.
    assert keys.lasting_secret(HashOf.STATISTICS, "cells") == keys_of((1, KEYS[1])).match_key(
        HashOf.STATISTICS, "cells"
    )


async def generations(work: Work) -> set[int]:
    found = set()
    for columns in COLUMNS.values():
        for column in columns:
            table, _, name = column.partition(".")
            rows = await work.session.scalars(text(f"SELECT {name} FROM {table}"))
            found |= {generation_of(bytes(row)) for row in rows if row is not None}
    return found


async def carried_over(work: Work) -> None:
    for columns in COLUMNS.values():
        for column in columns:
            after = b""
            while some := await hashes.carry_some(work, column, columns, after):
                after = some[-1]


async def test_all_hashes_are_carried_over_and_find_the_same(work: Work) -> None:
    await learn(work)
    await a_line(work)
    ana = await a_counsellor(work, "ana")
    call, _ = await rings(work)
    await contacts.create_contact(
        work, ana, channel=ContactChannel.CALL, changes=[Change("child.a1.name", "Mina", 0)]
    )
    mila = await an_administrator(work)
    _, address = await links.invite(work, Changes(name="Nova"), by=mila, by_mail=False)
    await flush(work)
    old = call.caller_key
    assert await hashes.rotate_hashes(work) == 2
    work.now += resealing.NOTICE
    await learn(work)
    assert work.keys.rotates_hashes
    assert await generations(work) == {1}
    await carried_over(work)
    assert await generations(work) == {2}
    await work.session.refresh(call)
    assert call.caller_key == work.keys.match_key(HashOf.CALLER, CHILD) != old
    # A link that waits for its letter keeps its address.
    link = await links.find(work, (address or "").partition("#")[2])
    letter = links.address_of(work, link[0])
    assert letter == address


async def test_what_is_noted_twice_during_a_rotation_is_carried_over_once(work: Work) -> None:
    await learn(work)
    ana = await a_counsellor(work, "ana")
    await former_addresses.note(work, ana, [CHILD])
    await hashes.rotate_hashes(work)
    work.now += resealing.NOTICE
    await learn(work)
    await former_addresses.note(work, ana, [CHILD, "ana@home.example"])
    keys = await work.session.scalars(select(FormerAddress.address_key))
    assert sorted(generation_of(one) for one in keys) == [1, 2]
    # Another process that did not see the first one yet has written it in the next form.
    both = FormerAddress(
        staff_id=ana.id, address_key=work.keys.match_key(HashOf.STAFF_ADDRESS, CHILD)
    )
    work.session.add(both)
    await work.session.flush()
    await carried_over(work)
    keys = await work.session.scalars(select(FormerAddress.address_key))
    assert [generation_of(one) for one in keys] == [2, 2]
    assert await former_addresses.which_of(work, ana, [CHILD]) == {CHILD}


async def test_a_caller_who_rings_in_the_middle_of_a_rotation_is_known(quiet: QuietStage) -> None:
    """All that is stored of them is carried over before, by itself."""
    ground = quiet.ground
    async with transaction(ground, PROGRAM) as work:
        await learn(work)
        first, _ = await rings(work)
        assert generation_of(first.caller_key or b"") == 1
        await hashes.rotate_hashes(work)
        # Nothing is carried over yet, and this process learns of the key below.
        work.jobs.clear()
        work.topics.clear()
    quiet.stepped.move_to(quiet.clock.now() + resealing.NOTICE)
    async with transaction(ground, PROGRAM) as work:
        await learn(work)
        assert work.keys.rotates_hashes
        again, _ = await rings(work, "CA2")
        assert (await history(work, again)).calls == 1
    async with transaction(ground, PROGRAM) as work:
        keys = (await work.session.scalars(select(Call.caller_key))).all()
        assert [generation_of(key or b"") for key in keys] == [2, 2]


@nightly
async def test_a_caller_is_known_and_found_in_the_middle_of_a_rotation(stage: Stage) -> None:
    """By day a caller is known by the verb, and each process finds by name."""
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    first = await stage.call_of(leg)
    saved = await ana.ask("GET", f"/calls/{first['id']}/contact")
    contact = saved.json()
    changes = [{"path": "child.a1.name", "value": "Mina", "base": 0}]
    path = f"/contacts/{contact['id']}/answers"
    (await ana.ask("PUT", path, {"changes": changes})).raise_for_status()
    async with transaction(stage.ground, PROGRAM) as work:
        await hashes.rotate_hashes(work)
        # The job is left out: nothing is carried over yet.
        work.jobs.clear()
    await stage.advance(resealing.NOTICE.total_seconds() + 1)
    # The process hears of it by the bus, which no clock moves.
    await stage.until(lambda: stage.ground.keys.generation == 2, what="the next hashes")
    await stage.exchange.hang_up(leg)
    await stage.advance(40)
    found = (await ana.ask("POST", "/contacts/search", {"name": "Mina"})).json()
    assert [row["id"] for row in found["contacts"]] == [contact["id"]]
    # The caller rings again: all that is stored of them is carried over before.
    again = await stage.call_of(await waits(stage))
    calls = await stage.rows("SELECT caller_key FROM calls")
    assert {generation_of(bytes(row["caller_key"])) for row in calls} == {2}
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    known = (await chief.ask("GET", f"/calls/{again['id']}/caller")).json()
    assert known["calls_before"] == 1
    await hashes.carry_hashes(stage.ground, tables.metadata)
    await stage.advance((resealing.SETTLED + timedelta(seconds=5)).total_seconds())
    rows = await stage.rows("SELECT complete_at FROM hash_keys WHERE generation = 2")
    assert rows[0]["complete_at"] is not None
    assert not stage.ground.keys.rotates_hashes
    found = (await ana.ask("POST", "/contacts/search", {"name": "Mina"})).json()
    assert [row["id"] for row in found["contacts"]] == [contact["id"]]


async def test_each_process_finds_by_hashes_that_another_one_has_rotated(stage: Stage) -> None:
    """What each has written before and after it; nothing is carried over yet."""
    ana = await stage.add_counsellor("ana", state=None)
    other, port = make_ground(stage.settings, stage.clock), free_port()
    served = Served(make_app(other, with_worker=False), port)
    await served.start()
    bases = stage.settings.public_url, f"http://127.0.0.1:{port}"
    cookie = {"Cookie": ana.cookie_header}

    async def post(base: str, path: str, body: Any) -> Any:
        answer = await stage.client.post(f"{base}/api/v1{path}", json=body, headers=cookie)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def written(base: str, name: str) -> str:
        answers = {"child.a1": 1, "child.a1.name": name}
        made = await post(base, "/contacts", {"channel": "email", "answers": answers})
        assert made["refused"] == {}
        return str(made["id"])

    known = {"Mina": await written(bases[0], "Mina"), "Zora": await written(bases[1], "Zora")}
    async with transaction(stage.ground, PROGRAM) as work:
        await hashes.rotate_hashes(work)
        work.jobs.clear()
    await stage.advance(resealing.NOTICE.total_seconds() + 1)
    await stage.until(
        lambda: other.keys.generation == stage.ground.keys.generation == 2, what="the next hashes"
    )
    known |= {"Vida": await written(bases[0], "Vida"), "Lena": await written(bases[1], "Lena")}
    for base in bases:
        for name, id_ in known.items():
            found = await post(base, "/contacts/search", {"name": name})
            assert [row["id"] for row in found["contacts"]] == [id_], (base, name)
    await served.stop()


@nightly
async def test_field_keys_rotate_while_the_program_runs(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    keys = text_of((2, KEYS[2]), (1, KEYS[1]))
    stage.settings = stage.settings.model_copy(update={"field_keys": keys})
    await stage.restart_server()
    assert stage.ground.keys.current == 1
    async with transaction(stage.ground, PROGRAM) as work:
        await resealing.rotate_key(work)
    await stage.advance(resealing.NOTICE.total_seconds() + 1)
    await stage.until(lambda: stage.ground.keys.current == 2, what="the next key")
    call = await stage.call_of(leg)
    assert call["caller_number_sealed"][1] == 2
    log = await stage.rows(
        "SELECT action, detail FROM audit_entries WHERE subject = 'field_keys' ORDER BY id"
    )
    assert log[0] == {"action": "key_rotated", "detail": {"before": 1, "after": 2}}
    # When everything is sealed with it, the job says so.
    assert [one["action"] for one in log[1:]] == ["keys_resealed"]
    await stage.exchange.hang_up(leg)
    await stage.advance(40)
    async with transaction(stage.ground, PROGRAM) as work:
        work.now += resealing.SETTLED
        await resealing.retire_key(work, tables.metadata, 1)
    alone = text_of((2, KEYS[2]))
    stage.settings = stage.settings.model_copy(update={"field_keys": alone})
    await stage.restart_server()
    assert stage.ground.keys.problem == ""
    again = await stage.call_of(await waits(stage))
    assert again["caller_key"] == call["caller_key"]
