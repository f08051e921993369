"""Addresses of every page: each pattern, and the addresses at which it may be found."""

from collections.abc import Iterator

from app.demo.stage import Stage
from tests.support.pages.in_each_state import all_rows
from tests.support.routes import WORDS, addresses_of, routes

# No pages: programs, parts of the desk, what the telephone asks, and files.
_NO_PAGES = ("/api/", "/board/", "/telephony", "/static", "/healthz", "/readyz", "/metrics")
# Pages that the walk cannot open, and why.
ELSEWHERE = {
    "/r/{token}": "an agency's link: tests/browser/test_without_an_account.py",
    "/r/{token}/news": "part of an agency's page",
    "/calendar/{token}.ics": "a file, by a secret of each person",
    "/setup": "until there is an account: tests/browser/test_without_an_account.py",
    "/welcome": "with an invitation: tests/browser/test_without_an_account.py",
    "/chat/conversation": "a child's part of a page: tests/browser/child",
    "/chat/conversation/messages": "a child's part of a page: tests/browser/child",
    "/chat/conversation/events": "a stream without end",
    "/chat/{line}": "a child's page, in its own words: tests/browser/child",
    "/chat/{line}/about": "a child's part of a page: tests/browser/child",
    "/admin/every-line/recordings/{recording}": "a file: tests/dashboard/test_line_pages.py",
    "/admin/log/anchors": "leads to the form on the page of the log",
    "/login/provider": "leads to a provider of identities",
    "/login/provider/back": "leads back from a provider of identities",
    "/login/provider/proof": "leads to a provider of identities",
    "/practice/of/{call_id}": "leads to a practice",
    "/reports/files/{export_id}": "leads to a file",
}
# Each value of these parameters is a page of its own: what the others show proves nothing of it.
_EACH_ITS_OWN = ("name", "record")
# The most rows that are tried until one can be opened.
_TRIED = 4


class Pattern(str):
    """A page: the path of its route, in which a value that makes it a page of its own is filled in.

    `route`: the path as it is, which several pages may share.
    """

    route: str

    @classmethod
    def of(cls, route: str, name: str = "", value: str = "") -> "Pattern":
        found = cls(route.replace(f"{{{name}}}", value))
        found.route = route
        return found


async def page_addresses(stage: Stage, chosen: dict[str, str]) -> dict[Pattern, list[str]]:
    """Return the addresses of each page, with rows of each kind; first, those that are `chosen`."""
    rows = {name: list(of)[:_TRIED] for name, of in (await all_rows(stage)).items()} | WORDS
    rows |= {"period": [str(stage.clock.now().year)]}
    for name, row in chosen.items():
        rows[name] = [row, *(one for one in rows.get(name, []) if one != row)]
    found = {}
    for route in routes(stage):
        path = route.path
        if "GET" in (route.methods or ()) and not path.startswith(_NO_PAGES):
            for pattern, some in _patterns(path, rows):
                found[pattern] = addresses_of(stage, route, rows | some, [])[:_TRIED]
    return {path: found[path] for path in sorted(found) if path not in ELSEWHERE}


def _patterns(
    path: str, rows: dict[str, list[str]]
) -> Iterator[tuple[Pattern, dict[str, list[str]]]]:
    """Yield each page of a path, and the values that belong to it alone."""
    for name in _EACH_ITS_OWN:
        if f"{{{name}}}" in path:
            for value in rows[name]:
                yield Pattern.of(path, name, value), {name: [value]}
            return
    yield Pattern.of(path), {}
