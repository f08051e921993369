"""What other threads than that of the requests do, and what they share with it."""

import ast
import re
import secrets
import threading
from pathlib import Path
from uuid import uuid4

from app.privacy.safe import Bound, CannotOpen, InForce, Item, Safe, Secret
from tests.support.profile import WHOLE
from tests.support.program import sources

ROOT = Path(__file__).parent.parent.parent
_PAGE = (ROOT / "docs/security/rules.md").read_text()
_STARTS = frozenset(
    {"to_thread", "Thread", "ThreadPoolExecutor", "run_in_executor", "run_in_threadpool"}
)


def _uses_threads(path: Path) -> bool:
    return any(
        isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) in _STARTS
        for node in sources.nodes(path)
    )


def test_every_place_that_uses_another_thread_stands_in_the_list() -> None:
    part = _PAGE.split("\n## Threads\n")[1].split("\n## ")[0]
    listed = {
        path
        for row in re.findall(r"^\| (`app/[^|]+) \|", part, re.MULTILINE)
        for path in re.findall(r"`([^`]+)`", row)
    }
    found = {
        f"app/{path.as_posix()}"
        for path in sources.having(*_STARTS)
        if path.parts[0] not in ("demo", "practice") and _uses_threads(path)
    }
    assert listed == found


def test_values_are_sealed_and_opened_in_threads_while_the_keys_change() -> None:
    """Each value comes back as itself, and in its own place, whichever key seals meanwhile."""
    safe = Safe([(1, secrets.token_bytes(32)), (2, secrets.token_bytes(32))], "s" * 40)
    row = uuid4()
    secret = Secret(safe.make_secret(row, first=True), row)
    stop = threading.Event()
    wrong: list[str] = []

    def change() -> None:
        number = 1
        while not stop.is_set():
            number = 3 - number
            safe.work_by(InForce(number, (), {1: secret}, 1, 1, safe.check_values()))

    def work(name: str) -> None:
        places = [bytes(Bound(name, "words", uuid4())) for _ in range(3)]
        items = [Item(place, f"{name} {n} ".encode() * 30_000) for n, place in enumerate(places)]
        for _ in range(12 if WHOLE else 4):
            sealed = safe.seal(items)
            there = [Item(one.bound, value) for one, value in zip(items, sealed, strict=True)]
            anew = zip(items, safe.seal_anew(there), strict=True)
            opened, again = safe.open(there), safe.open([Item(a.bound, b) for a, b in anew])
            if opened != [one.value for one in items] or again != opened:
                wrong.append(name)
            if not isinstance(safe.open([Item(there[0].bound, sealed[1])])[0], CannotOpen):
                wrong.append(f"{name}: moved")

    changing = threading.Thread(target=change)
    workers = [threading.Thread(target=work, args=(f"table{n}",)) for n in range(6)]
    for one in (changing, *workers):
        one.start()
    for one in workers:
        one.join()
    stop.set()
    changing.join()
    assert wrong == []
