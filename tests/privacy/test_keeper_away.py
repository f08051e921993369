"""A keeper that is restarted, hangs, refuses, or is older: what waits, and what is said."""

import asyncio
import os
import socket
import threading
import time
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from app.errors import BadSettings
from app.privacy.hash_kinds import HashOf
from app.privacy.keeper.client import LONG, Keeper, KeeperAway
from app.privacy.keeper.serving import answer
from app.privacy.keeper.wire import send
from app.privacy.keys import Keys
from app.privacy.safe import Item, Safe
from tests.support.sealing.keeper import FIRST, SECOND, TEXT, Kept, counted, facts_of
from tests.support.sealing.keys import KEYS, keys_of

pytestmark = pytest.mark.whole


class Later:
    """The clock of the client, ten seconds later."""

    @staticmethod
    def monotonic() -> float:
        return time.monotonic() + 10


def test_an_older_keeper_is_named_and_a_request_that_is_not_known_is_not_waited_for(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeeperAway):
        keeper.ask("what it does not know")
    assert keeper.away is None, "it answers, so the next request does not wait for it"

    cut: list[str] = []

    def older(safe: Safe, message: dict[str, Any]) -> dict[str, Any]:
        if message["act"] != "session_keys":
            return answer(safe, message)
        cut.append("session_keys")
        return answer(safe, {"act": None})

    monkeypatch.setattr("app.privacy.keeper.serving.answer", older)
    # As the start, /readyz and a request do: it is asked by the first of them only.
    with pytest.raises(KeeperAway, match="older than this program"):
        keeper.look()
    for _ in range(3):
        with pytest.raises(BadSettings, match="older than this program"):
            keeper.wait(0)
        with pytest.raises(KeeperAway, match="older than this program"):
            keeper.hashes([("name", "Ana")])
    assert len(cut) == 2, "a keeper that is being restarted may have cut one of them"
    monkeypatch.setattr("app.privacy.keeper.serving.answer", answer)
    monkeypatch.setattr("app.privacy.keeper.client.time", Later)
    keeper.look()
    assert keeper.hashes([("name", "Ana")])


class Stepped:
    """A clock of the client that goes on when it is told to."""

    now = 1000.0

    @classmethod
    def monotonic(cls) -> float:
        return cls.now


def test_a_keeper_that_goes_on_refusing_is_asked_less_and_less_often(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def noted(connection: socket.socket, message: dict[str, Any]) -> None:
        asked.append(Stepped.now)
        send(connection, message)

    kept.begin(FIRST, user=os.geteuid() + 1)
    monkeypatch.setattr("app.privacy.keeper.serving.send", noted)
    monkeypatch.setattr("app.privacy.keeper.client.time", Stepped)
    keeper = Keeper(kept.path)
    # As the task that watches it does, and requests beside it.
    for _ in range(600):
        for ask in (keeper.look, lambda: keeper.hashes([("name", "Ana")])):
            with pytest.raises(KeeperAway, match="not served by the keeper"):
                ask()
        Stepped.now += 0.05
    apart = [after - before for before, after in pairwise(asked)]
    assert len(asked) < 25
    assert apart[2:] == sorted(apart[2:])
    assert 4.5 < apart[-1] < 5.1
    kept.end()
    kept.begin(FIRST)
    Stepped.now += 5
    keeper.look()
    assert keeper.hashes([("name", "Ana")])
    keeper.close()


def test_a_keeper_that_is_being_restarted_is_not_called_older(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarts = [True]

    def cuts_once(safe: Safe, message: dict[str, Any]) -> dict[str, Any]:
        if message["act"] == "session_keys" and restarts:
            restarts.clear()
            return answer(safe, {"act": None})
        return answer(safe, message)

    monkeypatch.setattr("app.privacy.keeper.serving.answer", cuts_once)
    assert keeper.hashes([("name", "Ana")])
    assert not restarts


def test_a_look_asks_on_a_connection_of_its_own(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    is_asked, goes_on = threading.Event(), threading.Event()

    def noted(safe: Safe, message: dict[str, Any]) -> dict[str, Any]:
        asked.append(message["act"])
        if message["act"] == "hashes":
            is_asked.set()
            goes_on.wait(20)
        return answer(safe, message)

    monkeypatch.setattr("app.privacy.keeper.serving.answer", noted)
    monkeypatch.setattr("app.privacy.keeper.client.PATIENCE", 20)
    other = threading.Thread(target=keeper.hashes, args=([("name", "Ana")],))
    other.start()
    assert is_asked.wait(10)
    keeper.session_keys([b"a token"])
    before, close = len(asked), socket.socket.close

    def meanwhile(line: socket.socket) -> None:
        if threading.current_thread() is threading.main_thread():
            # The other thread gives its connection back while the look closes those kept so far.
            goes_on.set()
            other.join()
        close(line)

    with monkeypatch.context() as during:
        during.setattr(socket.socket, "close", meanwhile)
        keeper.look()
    assert "check_values" in asked[before:]


def test_the_way_to_an_answer_takes_no_longer_than_one_request_may(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.privacy.keeper.client.PATIENCE", 0.3)

    def slow(safe: Safe, message: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.2)
        return answer(safe, message)

    monkeypatch.setattr("app.privacy.keeper.serving.answer", slow)
    # Each part of it may.
    with pytest.raises(KeeperAway):
        keeper.hashes([("name", "Ana")])


def test_a_keeper_that_is_busy_with_a_long_value_is_not_away(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.privacy.keeper.client.PATIENCE", 0.05)
    is_asked, goes_on = threading.Event(), threading.Event()
    late: list[KeeperAway] = []

    def paused(safe: Safe, message: dict[str, Any]) -> dict[str, Any]:
        is_asked.set()
        goes_on.wait(20)
        return answer(safe, message)

    def seal_long(bytes_a_second: int) -> None:
        monkeypatch.setattr("app.privacy.keeper.client.BYTES_A_SECOND", bytes_a_second)
        try:
            keeper.seal([Item(b"a place", b"x" * (LONG + 1))])
        except KeeperAway as away:
            late.append(away)

    keeper.hashes([("name", "Ana")])
    monkeypatch.setattr("app.privacy.keeper.serving.answer", paused)
    seal_long(10**9)
    assert late
    assert keeper.away is None, "that it is slow says nothing of short requests"
    is_asked.clear()
    other = threading.Thread(target=seal_long, args=(10_000,))
    other.start()
    assert is_asked.wait(10)
    for hangs in (False, True):
        with pytest.raises(KeeperAway):
            keeper.hashes([("name", "Ana")])
        assert (keeper.away is not None) == hangs, "the second one shows that it hangs"
    goes_on.set()
    other.join()
    assert len(late) == 1
    assert keeper.away is None


def test_it_survives_a_restart_and_other_keys_seal_nothing(kept: Kept, keeper: Keeper) -> None:
    far, row = Keys(keeper), uuid4()
    place: dict[str, Any] = {"table": "calls", "column": "c", "row": row}
    far.work_by(facts_of(far))
    sealed = far.seal(TEXT, **place)
    kept.end()
    with pytest.raises(KeeperAway, match="Nothing was changed"):
        far.open(sealed, **place)
    kept.begin(FIRST)
    assert far.open(sealed, **place) == TEXT
    kept.end()
    # Another key under the number of the first: it would seal what no key opens.
    kept.begin((1, KEYS[3]))
    with pytest.raises(KeeperAway):
        far.seal(TEXT, **place)
    kept.end()
    kept.begin(SECOND, FIRST)
    assert far.seal(TEXT, **place)[1] == 1, "until the database says so, the old key seals"
    assert far.numbers == [2, 1]


def test_a_session_is_known_while_it_is_away_and_by_another_secret_key_no_more(
    kept: Kept, keeper: Keeper
) -> None:
    far, near = Keys(keeper), keys_of(FIRST)
    asked = counted(keeper)
    assert far.session_key("a token") == far.session_key("a token") == near.session_key("a token")
    assert asked == ["session_keys"], "one trip for each session, and not for each request"
    far.text_key("a code")
    # As each GET /readyz does.
    keeper.look()
    kept.end()
    assert far.session_key("a token") == near.session_key("a token")
    # What may be guessed is remembered nowhere, and what is new needs the key.
    for refused in (far.text_key, far.session_key):
        with pytest.raises(KeeperAway):
            refused("a code")
    kept.begin(FIRST, secret_key="another-secret-key-another-secret-key")
    far.match_key(HashOf.NAME, "Ana")
    assert far.session_key("a token") != near.session_key("a token")


def test_tokens_that_were_made_up_push_no_session_or_conversation_out_and_no_chat_a_session(
    kept: Kept, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.privacy.keeper.remembered.MOST", 40)
    far = Keys(keeper)
    known = far.session_key("a token")
    far.keep_session_key("a token")
    for number in range(50):
        far.session_key(f"a chat {number}")
        far.keep_session_key(f"a chat {number}", of_chat=True)
    for number in range(50):
        far.session_key(f"made up {number}")
    kept.end()
    assert far.session_key("a token") == known
    assert far.session_key("a chat 49") == keys_of(FIRST).session_key("a chat 49")
    with pytest.raises(KeeperAway):
        far.session_key("made up 0")


async def test_requests_wait_while_it_is_restarted_and_go_on_after_that(
    kept: Kept, keeper: Keeper, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    far, returned = Keys(keeper), asyncio.Event()
    watching = asyncio.create_task(keeper.watch(returned.set))
    await asyncio.wait_for(returned.wait(), 5)
    await asyncio.sleep(0.1)
    await asyncio.to_thread(kept.end)
    while keeper.away is None:
        await asyncio.sleep(0.01)
    waiting = asyncio.create_task(far.ready())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await asyncio.to_thread(kept.begin, FIRST)
    await asyncio.wait_for(waiting, 5)
    far.match_key(HashOf.NAME, "Ana")
    # Nothing waits for long: what needs no key goes on.
    await asyncio.to_thread(kept.end)
    monkeypatch.setattr("app.privacy.keeper.client.RESTARTS_WITHIN", 0.05)
    await asyncio.wait_for(far.ready(), 5)
    watching.cancel()


async def test_a_keeper_that_hung_for_a_moment_is_asked_again(
    kept: Kept, keeper: Keeper, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    monkeypatch.setattr("app.privacy.keeper.client.PATIENCE", 0.2)
    far, returned, goes_on = Keys(keeper), asyncio.Event(), threading.Event()
    watching = asyncio.create_task(keeper.watch(returned.set))
    await asyncio.wait_for(returned.wait(), 5)

    def paused(safe: Safe, message: dict[str, Any]) -> dict[str, Any]:
        goes_on.wait(20)
        return answer(safe, message)

    monkeypatch.setattr("app.privacy.keeper.serving.answer", paused)
    with pytest.raises(KeeperAway):
        await asyncio.to_thread(far.match_key, HashOf.NAME, "Ana")
    goes_on.set()
    await until_found_well(keeper)
    assert far.match_key(HashOf.NAME, "Ana")

    def full(safe: Safe, message: dict[str, Any]) -> dict[str, Any]:
        return {"refused": "too many connections"}

    # One new connection was refused, while it served the others.
    keeper.close()
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("app.privacy.keeper.serving.answer", full)
        with pytest.raises(KeeperAway, match="too many"):
            far.match_key(HashOf.NAME, "Ana")
    await until_found_well(keeper)
    watching.cancel()


async def until_found_well(keeper: Keeper) -> None:
    """Wait until the task that watches the keeper has found that it is not away any more."""
    async with asyncio.timeout(10):
        while keeper.away is not None:
            await asyncio.sleep(0.01)


def test_a_keeper_that_hangs_holds_no_request_up_twice(kept: Kept) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as deaf:
        deaf.bind(str(kept.path))
        deaf.listen(8)
        far = Keys(Keeper(kept.path))
        begun = time.monotonic()
        with pytest.raises(KeeperAway):
            far.match_key(HashOf.NAME, "Ana")
        first = time.monotonic() - begun
        with pytest.raises(KeeperAway):
            far.match_key(HashOf.NAME, "Ana")
        assert time.monotonic() - begun - first < 0.2 < first < 3
