"""Where the program connects to: each place in the code stands in the table, under who it is."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_PAGE = (ROOT / "docs/security/rules.md").read_text()
# Calls that make a connection or a client, or run another program.
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
_UNKNOWN = frozenset(
    "aiohttp asyncpg ftplib httpx imaplib poplib telnetlib urllib3 websockets".split()
)


def _connects(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [one.name for one in node.names]
            assert not {name.split(".")[0] for name in names} & _UNKNOWN, path
        if isinstance(node, ast.Call) and re.search(
            rf"(^|\.){_MAKES.pattern}$", ast.unparse(node.func)
        ):
            return True
    return False


def _rows(begin: str) -> list[list[str]]:
    part = _PAGE.split(begin)[1].split("\n|---|")[1].split("\n\n")[0]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in part.splitlines()[1:]]


def test_every_place_that_connects_stands_in_the_table() -> None:
    table = {row[0] for row in _rows("## Where the program connects to\n")}
    places = _rows("**Where the code connects.**")
    listed = {path: to for cell, to in places for path in re.findall(r"`([^`]+)`", cell)}
    found = {
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "app").rglob("*.py"))
        if path.relative_to(ROOT).parts[1] not in ("demo", "practice")
        if _connects(path)
    }
    assert set(listed) == found
    # Each leads to rows of the table, or stays with this program; and no row is without a place.
    meant = {one for to in listed.values() for one in to.split("; ")}
    assert meant - _NOT_OTHERS == table
