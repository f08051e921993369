"""The keeper: a process that alone holds the keys. Nothing that it says is one."""

import asyncio
import base64
import contextlib
import hmac
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyotp
import pytest
from sqlalchemy import select, text
from standardwebhooks import Webhook

from app import tables
from app.cli.keeper import read_own_settings
from app.contacts import contacts
from app.contacts.events import earlier_of, events_of
from app.contacts.models import Contact
from app.contacts.records import Opened, open_record
from app.contacts.saving import Change
from app.contacts.states import ContactChannel
from app.demo.stage import stage_on
from app.errors import BadSettings
from app.jobs.transaction import flush, transaction
from app.privacy.hash_kinds import HashOf
from app.privacy.keeper.client import Keeper, KeeperAway
from app.privacy.keeper.serving import Given, Serving, answer
from app.privacy.keeper.wire import BadMessage, receive, send
from app.privacy.keys import CannotOpen, Keys, told
from app.privacy.safe import Bound, InForce, Item, Safe, Secret, derived
from app.privacy.secret_uses import OF_CODES, OF_EVENTS
from app.reading_settings import check_settings, with_generated_secrets
from app.sealing import hashes, resealing
from app.sealing.knowing import learn, learn_now
from app.sealing.places import sealed_places
from app.settings import Settings
from app.staff import accounts
from app.staff.accounts import actor_of
from app.staff.log_kinds import AuditLog
from app.staff.roles import Role
from app.work import PROGRAM, Work, make_ground
from tests.support.sealing.keys import KEYS, SECRET, keys_of, text_of
from tests.support.verbs import a_counsellor

FIRST, SECOND = (1, KEYS[1]), (2, KEYS[2])
# A text that is sealed everywhere below.
TEXT = b"She fears her uncle."


class Kept:
    """A keeper in a thread of the tests, which can be ended and begun again with other keys."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._serving: Serving | None = None
        self._thread: threading.Thread | None = None

    def begin(
        self, *keys: tuple[int, bytes], user: int | None = None, secret_key: str = SECRET
    ) -> None:
        given = Given(list(keys), secret_key)
        self._serving = Serving(given, self.path, os.geteuid() if user is None else user)
        self._thread = threading.Thread(target=self._serving.run)
        self._thread.start()
        ends = time.monotonic() + 10
        while not self._listens() and time.monotonic() < ends:
            time.sleep(0.005)

    def _listens(self) -> bool:
        """Whether it takes connections: its socket is there a moment before."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            return line.connect_ex(str(self.path)) == 0

    def end(self) -> None:
        if self._serving is not None and self._thread is not None:
            self._serving.stop()
            self._thread.join(10)
        self._serving = None


@pytest.fixture
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    made = Kept(tmp_path_factory.mktemp("k") / "s")
    yield made
    made.end()


@pytest.fixture
def keeper(kept: Kept) -> Iterator[Keeper]:
    kept.begin(FIRST)
    client = Keeper(kept.path)
    yield client
    client.close()


def facts_of(keys: Keys, **more: Any) -> InForce:
    row = uuid4()
    secrets = {1: Secret(keys.hash_secret(row, first=True), row)}
    known = {n: keys.check_value(n) for n in keys.numbers}
    given = {"sealing": 1, "retired": (), "written": 1, "oldest": 1, "check_values": known}
    return InForce(hash_secrets=secrets, **{**given, **more})


def test_it_seals_and_hashes_as_the_program_itself_would(keeper: Keeper) -> None:
    far, near, row = Keys(keeper), keys_of(FIRST), uuid4()
    place: dict[str, Any] = {"table": "calls", "column": "c", "row": row}
    assert near.open(far.seal(TEXT, **place), **place) == TEXT
    assert far.open(near.seal(TEXT, **place), **place) == TEXT
    with pytest.raises(CannotOpen, match="moved"):
        far.open(near.seal(TEXT, **place), **{**place, "row": uuid4()})
    assert far.match_keys(HashOf.NAME, "Ana") == near.match_keys(HashOf.NAME, "Ana")
    assert far.secret_of(HashOf.PUSH, "x") == near.secret_of(HashOf.PUSH, "x")
    for token in ("a token", "", "š" * 3_000):
        assert far.session_key(token) == near.session_key(token) == far.text_key(token)
    assert far.numbers == [1]
    assert far.check_value(1) == near.check_value(1)
    salted = [(b"salt", Bound(**place), near.seal(TEXT, **place)), (b"salt", Bound(**place), b"")]
    (mine, damaged) = asyncio.run(far.sums_all(salted))
    assert mine == asyncio.run(near.sums_all(salted))[0] == sha256(b"salt" + TEXT).digest()
    assert isinstance(damaged, CannotOpen)


def test_codes_signatures_and_lists_are_made_by_secrets_that_it_does_not_hand_out(
    keeper: Keeper,
) -> None:
    far, near, row = Keys(keeper), keys_of(FIRST), uuid4()
    of_codes, of_events = ({"table": a, "column": b} for a, b in (OF_CODES, OF_EVENTS))
    owned = pyotp.random_base32()
    seed, code = (
        near.seal(owned.encode(), row=row, **of_codes),
        pyotp.TOTP(owned).generate_otp(1001),
    )
    for keys in (near, far):
        assert keys.step_of(seed, code, [1000, 1001], row=row, **of_codes) == 1001
        assert keys.step_of(seed, code, [1000, 1002], row=row, **of_codes) is None
        with pytest.raises(CannotOpen, match="moved"):
            keys.step_of(seed, code, [1001], row=uuid4(), **of_codes)
        # With another secret than that of a telephone it makes no code.
        with pytest.raises(CannotOpen, match="no secret for that"):
            keys.step_of(seed, code, [1001], row=row, **of_events)
    secret = f"whsec_{base64.b64encode(b'24 bytes of an agency...').decode()}"
    sealed, now = far.seal(secret.encode(), row=row, **of_events), datetime.now(UTC)
    for keys in (near, far):
        signed = keys.sign_event(
            sealed, "msg_1", int(now.timestamp()), '{"a": "š"}', row=row, **of_events
        )
        headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp()))}
        Webhook(secret).verify('{"a": "š"}', {**headers, "webhook-signature": signed})
        with pytest.raises(CannotOpen, match="never handed out"):
            keys.open(sealed, row=row, **of_events)
    assert near.open_for_good(far.seal_for_good(TEXT, b"line"), b"line") == TEXT
    assert far.open_for_good(near.seal_for_good(TEXT, b"line"), b"line") == TEXT
    with pytest.raises(CannotOpen):
        far.open_for_good(near.seal_for_good(TEXT, b"line"), b"another line")
    for keys in (near, far):
        with pytest.raises(CannotOpen, match="never handed out"):
            keys.lasting_secret(HashOf.ERASURE, "lists")


def test_no_request_returns_a_key() -> None:
    safe, row = Safe([FIRST, SECOND], SECRET), uuid4()
    place = bytes(Bound("calls", "c", row))
    secret = Secret(safe.make_secret(row, first=True), row)
    own = derived(KEYS[2], b"helpline keyed hashes")
    of_sessions = derived(SECRET.encode(), b"helpline sessions")
    (sealed,) = safe.seal([Item(place, TEXT)])
    known = dict(safe.check_values())
    requests: list[dict[str, Any]] = [
        {"act": "check_values"},
        {
            "act": "work_by",
            "sealing": 1,
            "retired": [],
            "secrets": {1: [secret.sealed, row.bytes]},
            "written": 1,
            "oldest": 1,
            "known": known,
        },
        {"act": "make_secret", "row": row.bytes, "first": True},
        {"act": "make_secret", "row": row.bytes, "first": False},
        {"act": "hashes", "texts": [["name", "Ana"], ["", ""]]},
        {"act": "carry", "stored": [b"x" * 32], "generation": 1},
        *(
            {"act": act, "items": [list(item)]}
            for act in ("seal", "open", "attempt", "seal_anew")
            for item in (secret.item, Item(place, sealed))
        ),
        {"act": "sums", "items": [list(secret.item)], "starts": [b""]},
        {"act": "session_keys", "texts": [b"a token", b""]},
        {"act": "seal_for_good", "items": [list(secret.item)]},
        {"act": "open_for_good", "items": [list(secret.item)]},
        {"act": "step_of", "items": [list(secret.item)], "code": "1", "steps": [1]},
        {"act": "sign_event", "items": [list(secret.item)], "id": "", "at": 1, "body": ""},
    ]
    # The secret of the first generation, named as that of another one, would make the key of the
    # lists of what was erased from what looks like a stored hash.
    of_lists = hmac.digest(own, b"erasure:lists", "sha256")
    for named in ([1, 102], [102], [], [1, 2]):
        twice = {n: [secret.sealed, row.bytes] for n in named}
        requests.append({**requests[1], "secrets": twice})
        for stored in (b"erasure:lists", b"\x01" + b"x" * 32, b"\xff" + b"x" * 32, b""):
            requests.extend(
                {"act": "carry", "stored": [stored], "generation": g} for g in (102, 2, 1)
            )
    for request in requests:
        said = repr(answer(safe, request)).encode("unicode_escape")
        if request["act"] == "carry" and request["stored"] != [b"x" * 32]:
            assert b"refused" in said, request
        for key in (KEYS[1], KEYS[2], own, SECRET.encode(), of_sessions, of_lists):
            assert repr(key)[2:-1].encode("unicode_escape") not in said, request["act"]
    # The secret of the hashes opens for the keeper, and for no one who asks it.
    assert answer(safe, {"act": "open", "items": [list(secret.item)]}) != {"done": [own]}
    assert "refused" in answer(safe, {"act": "seal", "items": [[secret.item.bound, b"own"]]})
    assert told(safe.open([Item(place, sealed)])[0]) == TEXT
    for wrong in ("open_key", "export", ""):
        with pytest.raises(BadMessage):
            answer(safe, {"act": wrong})


@pytest.mark.parametrize(
    "message",
    [
        {"act": "seal"},
        {"act": "seal", "items": [[b"a", b"b"]] * 5001},
        {"act": "seal", "items": [["a", "b"]]},
        {"act": "sums", "items": [[b"a", b"b"]], "starts": []},
        {"act": "sums", "items": [[b"a", b"b"]], "starts": [2**33]},
        {"act": "hashes", "texts": [["name", "x" * 20_001]]},
        {"act": "make_secret", "row": b"short", "first": True},
        {"act": "step_of", "items": [], "code": "1", "steps": [1]},
        {"act": "step_of", "items": [[b"a", b"b"]], "code": "1", "steps": [1] * 5001},
        {"act": "session_keys", "texts": ["a token"]},
        {"act": "session_keys", "texts": [b"x" * 4_097]},
        {"act": ["seal"]},
    ],
)
def test_what_is_not_understood_or_too_much_is_cut(message: dict[str, Any]) -> None:
    with pytest.raises(BadMessage):
        answer(Safe([FIRST], SECRET), message)


def test_a_line_that_sends_nonsense_is_cut_and_the_others_stay(kept: Kept, keeper: Keeper) -> None:
    far = Keys(keeper)
    far.match_key(HashOf.NAME, "Ana")
    for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 8, b"\x00\x00\x00\x01\xff"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(5)
            line.connect(str(kept.path))
            line.sendall(nonsense)
            # It may be cut before all of it was read.
            with contextlib.suppress(ConnectionResetError):
                assert line.recv(10) == b""
    assert far.match_key(HashOf.NAME, "Ana") == keys_of(FIRST).match_key(HashOf.NAME, "Ana")


def test_only_the_user_of_the_program_is_served(kept: Kept) -> None:
    kept.begin(FIRST, user=os.geteuid() + 1)
    assert kept.path.stat().st_mode & 0o777 == 0o666
    keeper = Keeper(kept.path)
    with pytest.raises(KeeperAway, match="is not served"):
        keeper.look()
    with pytest.raises(BadSettings, match="is not served"):
        keeper.wait(0)
    kept.end()
    kept.begin(FIRST)
    assert kept.path.stat().st_mode & 0o777 == 0o600, "this user alone"
    with pytest.raises(BadSettings, match="already"):
        Serving(Given([FIRST], SECRET), kept.path, os.geteuid()).run()


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


def test_tokens_that_were_made_up_push_no_session_out(kept: Kept, keeper: Keeper) -> None:
    far = Keys(keeper)
    known = far.session_key("a token")
    far.keep_session_key("a token")
    for number in range(4_100):
        far.session_key(f"made up {number}")
    kept.end()
    assert far.session_key("a token") == known
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


def test_as_a_process_it_is_not_looked_into_and_ends_when_told(tmp_path: Path) -> None:
    path = Path("/tmp") / f"hlk{os.getpid()}"
    environment = {
        **os.environ,
        "HELPLINE_FIELD_KEYS": text_of(FIRST),
        "HELPLINE_SECRET_KEY": SECRET,
        "HELPLINE_KEEPER_SOCKET": str(path),
    }
    command = [sys.executable, "-m", "app.cli", "keeper"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    try:
        keeper = Keeper(path)
        keeper.wait(30)
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file"))
        assert core.split()[4:6] == ["0", "0"]
        # What cannot be dumped belongs to root in /proc, also of a user's own process.
        assert Path(f"/proc/{process.pid}/environ").stat().st_uid == 0
        assert Keys(keeper).match_key(HashOf.NAME, "A") == keys_of(FIRST).match_key(
            HashOf.NAME, "A"
        )
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert not path.exists()
    assert text_of(FIRST).encode() not in said
    assert SECRET.encode() not in said


def test_a_program_with_a_keeper_holds_no_key(tmp_path: Path) -> None:
    socket = tmp_path / "s"
    for name, key in (("field_keys", text_of(FIRST)), ("secret_key", SECRET)):
        both = Settings(keeper_socket=socket).model_copy(update={name: key})
        with pytest.raises(BadSettings, match=f"HELPLINE_{name.upper()} are both set"):
            check_settings(both)
    settings = Settings(keeper_socket=socket, data_dir=tmp_path / "var")
    check_settings(settings)
    assert with_generated_secrets(settings) == settings
    assert not settings.data_dir.exists(), "the program makes no key of its own"


@pytest.mark.parametrize("name", ["HELPLINE_FIELD_KEYS", "HELPLINE_SECRET_KEY"])
def test_a_keeper_starts_with_both_keys_and_with_none_that_can_be_guessed(name: str) -> None:
    weak = {"HELPLINE_FIELD_KEYS": text_of((1, b"a" * 32)), "HELPLINE_SECRET_KEY": "a" * 32}
    good = {
        "HELPLINE_FIELD_KEYS": text_of((1, secrets.token_bytes(32))),
        "HELPLINE_SECRET_KEY": secrets.token_urlsafe(48),
        "HELPLINE_KEEPER_SOCKET": "/tmp/x",
    }
    given = {**good, name: weak[name]}
    assert read_own_settings(given)[1] == Path("/tmp/x")
    with pytest.raises(BadSettings, match="can be guessed"):
        read_own_settings({**given, "HELPLINE_ENV": "production"})
    del given[name]
    with pytest.raises(BadSettings, match=name):
        read_own_settings(given)
    with pytest.raises(BadSettings, match="shorter than 32"):
        read_own_settings({**good, "HELPLINE_SECRET_KEY": "short"})


# -- with the database ---------------------------------------------------------------------------


def by(work: Work, keeper: Keeper) -> Work:
    """Return the same unit of work as a program with a keeper would have it."""
    return replace(work, ground=replace(work.ground, keys=Keys(keeper)))


def counted(keeper: Keeper) -> list[str]:
    """Have every request of the keeper written down, in the list that is returned."""
    asked: list[str] = []
    before = keeper.ask

    def ask(what: str, **values: Any) -> Any:
        asked.append(what)
        return before(what, **values)

    keeper.ask = ask  # type: ignore[method-assign, assignment]
    return asked


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
    # What is overwritten is kept with its sum; the other answers are as they were.
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
        await asyncio.to_thread(kept.begin, FIRST)
        assert (await stage.client.get(f"{url}/readyz")).status_code == 200
        (await ana.ask("PUT", f"{path}/answers", renamed)).raise_for_status()
        assert (await ana.ask("GET", path)).json()["answers"]["child.a1.name"] == "Luka"
        # The child was asked to wait, and is asked for a language then.
        await stage.advance(20)
        assert leg.has_heard("pritisni 1")
        assert len(await stage.rows("SELECT id FROM calls")) == 1
        await stage.exchange.hang_up(leg)


def test_messages_have_a_bound() -> None:
    near, far = socket.socketpair()
    with near, far:
        near.sendall((200 * 1024 * 1024).to_bytes(4, "big"))
        with pytest.raises(BadMessage):
            receive(far)
        with pytest.raises(BadMessage):
            send(near, {"items": bytes(111 * 1024 * 1024)})
