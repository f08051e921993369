"""Where the program connects to: each place in the code stands in the table, under who it is."""

import ast
import re
from pathlib import Path

from tests.support.program import sources

ROOT = Path(__file__).parent.parent.parent
_PAGE = (ROOT / "docs/security/rules.md").read_text()
# Calls that make a connection or a client, or run another program.
_THREATS = (ROOT / "docs/security/threats.md").read_text()
# Under which flow of the threat model each stands to which the program connects.
_FLOW_OF = {
    "PostgreSQL": "Program ↔ database",
    "the telephony provider": "Program → provider's interface",
    "the mail server": "Program → staff (mail, web push)",
    "systems of agencies": "Program ↔ agencies' systems",
    "services of web push": "Program → staff (mail, web push)",
    "the service of `LEAKED_PASSWORDS`": "Program → service of leaked passwords",
    "the virus scanner": "Files → scanner and cleaner → documents",
    "Telegram": "Messengers and texts (provider, Telegram, service for Signal) ↔ program",
    "the service for Signal": (
        "Messengers and texts (provider, Telegram, service for Signal) ↔ program"
    ),
    "the translation engine": "Program → translation engine",
    "the provider of identities": "Provider of identities → sign-in",
    "the time stamp authority": "Program → back-ups, anchors, time stamps",
    "the keeper of the keys": "Program ↔ keeper of the keys",
}
_MAKES = re.compile(
    r"(client_for_\w+|(httpx2|httpcore2)\.\w*(Client|Transport|Pool)|\w*HTTPAdapter"
    r"|SMTP(_SSL)?|HTTPS?Connection|create_(async_)?engine|AsyncConnectionPool|urlopen"
    r"|psycopg\.(AsyncConnection\.)?connect|open_(unix_)?connection|create_connection"
    r"|create_datagram_endpoint|create_subprocess_(exec|shell)|subprocess\.(run|Popen)"
    r"|socket\.socket)"
)
_NOT_OTHERS = {
    "nothing by itself",
    "nothing in production, which refuses its setting",
    "this program itself",
}
# Other libraries with which a place could connect that no call above finds.
_UNKNOWN = "aiohttp|asyncpg|ftplib|httpx|imaplib|poplib|telnetlib|urllib3|websockets"
_IMPORTED = re.compile(rf"^\s*(from|import) ({_UNKNOWN})\b", re.MULTILINE)
_CALLED = re.compile(rf"(^|\.){_MAKES.pattern}$")


def _connects(path: Path, text: str) -> bool:
    """Return whether a file makes a connection: only one that has such a word is parsed."""
    assert not _IMPORTED.search(text), text[:80]
    if not _MAKES.search(text):
        return False
    lines = text.split("\n")
    for node in sources.nodes(path):
        if isinstance(node, ast.Call):
            # To write each call anew takes seconds.
            written = "\n".join(lines[node.func.lineno - 1 : node.func.end_lineno])
            if _MAKES.search(written) and re.search(_CALLED, ast.unparse(node.func)):
                return True
    return False


def _rows(begin: str) -> list[list[str]]:
    return _rows_of(_PAGE, begin)


def _rows_of(page: str, begin: str) -> list[list[str]]:
    part = page.split(begin)[1].split("\n|---|")[1].split("\n\n")[0]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in part.splitlines()[1:]]


def test_every_place_that_connects_stands_in_the_table() -> None:
    table = {row[0] for row in _rows("## Where the program connects to\n")}
    places = _rows("**Where the code connects.**")
    listed = {path: to for cell, to in places for path in re.findall(r"`([^`]+)`", cell)}
    found = {
        f"app/{path.as_posix()}"
        for path, text in sources.texts().items()
        if path.parts[0] not in ("demo", "practice") and _connects(path, text)
    }
    assert set(listed) == found
    # Each leads to rows of the table, or stays with this program; and no row is without a place.
    meant = {one for to in listed.values() for one in to.split("; ")}
    assert meant - _NOT_OTHERS == table


def test_each_of_them_has_a_flow_in_the_threat_model_and_each_letter_an_answer() -> None:
    table = {row[0] for row in _rows("## Where the program connects to\n")}
    assert set(_FLOW_OF) == table
    flows = _rows_of(_THREATS, "## The flows of data, and what could be done to each\n")
    assert set(_FLOW_OF.values()) <= {row[0].strip("*") for row in flows}
    for name, *answers in flows:
        assert len(answers) == len("STRIDE"), name
        # What has no answer is empty for at most two of the six questions.
        assert sum(not one for one in answers) <= 2, name
