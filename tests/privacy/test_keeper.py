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
from datetime import UTC, datetime
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pyotp
import pytest
from standardwebhooks import Webhook

from app.cli.keeper import read_own_settings
from app.errors import BadSettings
from app.privacy.cipher import PIECE
from app.privacy.hash_kinds import HashOf
from app.privacy.keeper.client import Keeper, KeeperAway
from app.privacy.keeper.serving import Given, Serving, answer
from app.privacy.keeper.wire import LONGEST_MESSAGE, MOST_ITEMS, BadMessage, receive, send
from app.privacy.keys import CannotOpen, Keys, told
from app.privacy.safe import Bound, Item, Safe, Secret, derived
from app.privacy.secret_uses import OF_CODES, OF_EVENTS
from app.reading_settings import check_settings, with_generated_secrets
from app.settings import Settings
from tests.support.sealing.keeper import FIRST, SECOND, TEXT, Kept
from tests.support.sealing.keys import KEYS, SECRET, keys_of, text_of


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


def test_no_message_is_long_whatever_is_sealed() -> None:
    sent: list[bytes] = []
    here, there = socket.socketpair()
    here.settimeout(20)

    class Noted:
        def sendall(self, piece: bytes) -> None:
            sent.append(bytes(piece))

    many = [[b"a place " * 8, bytes([number % 256]) * 200] for number in range(MOST_ITEMS)]
    for items in ([[b"a place", b"x" * 3_000_000], [b"another", b""]], many):
        sent.clear()
        request = {"act": "seal", "items": items}
        send(cast(socket.socket, Noted()), request)
        assert len(sent[0]) <= LONGEST_MESSAGE + 4
        assert max(map(len, sent[1:])) <= PIECE
        writing = threading.Thread(target=there.sendall, args=(b"".join(sent),))
        writing.start()
        assert receive(here) == request
        writing.join()
    with pytest.raises(BadMessage, match="too long"):
        send(there, {"act": "hashes", "texts": [["name", "x" * LONGEST_MESSAGE]]})
    there.sendall((LONGEST_MESSAGE + 1).to_bytes(4))
    with pytest.raises(BadMessage, match="too long"):
        receive(here)
    here.close()
    there.close()


def test_codes_signatures_and_lists_are_made_by_secrets_that_it_does_not_hand_out(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
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
        with pytest.raises(CannotOpen, match="never handed out"):
            keys.open(seed, row=row, **of_codes)
        with pytest.raises(CannotOpen, match="moved"):
            keys.step_of(seed, code, [1001], row=uuid4(), **of_codes)
        # With another secret than that of a telephone it makes no code.
        with pytest.raises(CannotOpen, match="no secret for that"):
            keys.step_of(seed, code, [1001], row=row, **of_events)
    secret = f"whsec_{base64.b64encode(b'24 bytes of an agency...').decode()}"
    sealed, now = far.seal(secret.encode(), row=row, **of_events), datetime.now(UTC)
    asked, ask = list[dict[str, Any]](), keeper.ask

    def noted(act: str, **values: Any) -> Any:
        asked.append(values)
        return ask(act, **values)

    monkeypatch.setattr(keeper, "ask", noted)
    # The second one is longer than a message: it follows in pieces.
    for keys, body in product((near, far), ('{"a": "š"}', f'"{"š" * 550_000}"')):
        signed = keys.sign_event(sealed, "msg_1", int(now.timestamp()), body, row=row, **of_events)
        headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp()))}
        Webhook(secret).verify(body, {**headers, "webhook-signature": signed})
        with pytest.raises(CannotOpen, match="never handed out"):
            keys.open(sealed, row=row, **of_events)
    # A short one is sent as keepers have always read it.
    shapes = [(len(one["items"]), "body" in one) for one in asked if "at" in one]
    assert shapes == [(1, True), (2, False)]
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
        {"act": "sign_event", "items": [list(secret.item), [b"", b""]], "at": 1},
        {"act": "sign_event", "items": [list(secret.item)], "id": "m", "at": 1, "body": "{}"},
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


def test_as_a_process_it_is_not_looked_into_and_ends_when_told(tmp_path: Path) -> None:
    path = Path("/tmp") / f"hlk{os.getpid()}"
    environment = {
        **os.environ,
        "HELPLINE_FIELD_KEYS": text_of(FIRST),
        "HELPLINE_SECRET_KEY": SECRET,
        "HELPLINE_KEEPER_SOCKET": str(path),
        "HELPLINE_ENV": "development",
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


def test_a_program_with_a_keeper_is_given_no_key_and_makes_none(tmp_path: Path) -> None:
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
    assert read_own_settings({**given, "HELPLINE_ENV": "development"})[1] == Path("/tmp/x")
    # It has no address that would tell whether others depend on it.
    for production in ({}, {"HELPLINE_ENV": "production"}):
        with pytest.raises(BadSettings, match="can be guessed"):
            read_own_settings({**given, **production})
    del given[name]
    with pytest.raises(BadSettings, match=name):
        read_own_settings(given)
    with pytest.raises(BadSettings, match="shorter than 32"):
        read_own_settings({**good, "HELPLINE_SECRET_KEY": "short"})


def test_messages_have_a_bound() -> None:
    near, far = socket.socketpair()
    with near, far:
        near.sendall((200 * 1024 * 1024).to_bytes(4, "big"))
        with pytest.raises(BadMessage):
            receive(far)
        with pytest.raises(BadMessage):
            send(near, {"items": bytes(111 * 1024 * 1024)})
