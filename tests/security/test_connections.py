"""The program connects to nothing that is not in the list of the rules."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_PAGE = (ROOT / "docs/security/rules.md").read_text()
# What makes a connection to another program.
_CONNECTS = frozenset(
    "client_for_outside client_for_own client_for_inside AsyncClient AsyncHTTPTransport SMTP "
    "SMTP_SSL TwilioHttpClient Session ClientSession urlopen open_connection create_connection "
    "HTTPSConnection".split()
)


def _connects(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            if getattr(node.func, "attr", getattr(node.func, "id", "")) in _CONNECTS:
                return True
        elif isinstance(node, ast.Import):
            if any(one.name.split(".")[0] == "requests" for one in node.names):
                return True
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("twilio.rest"):
            return True
    return False


def test_every_place_that_connects_to_another_program_stands_in_the_list() -> None:
    part = _PAGE.split("\n## Where the program connects to\n")[1].split("\n## ")[0]
    listed = set(re.findall(r"`(app/[^`]+\.py)`", part))
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "app").rglob("*.py")
        if path.relative_to(ROOT).parts[1] not in ("demo", "practice") and _connects(path)
    }
    assert found == listed
