"""Each route that changes something writes who did it: into the log of acts, or that of its record
or call. The others are named here, each with its reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program.paths import ROOT, Paths

pytestmark = pytest.mark.whole

# What appends to the log of acts, of a record, of a call, and of presence.
LOGS = frozenset(
    {
        "app.staff.audit.write_entry",
        "app.staff.audit.append",
        "app.contacts.events.note_event",
        "app.calls.record.record",
        "app.routing.presence.set_presence",
    }
)

READS = "reads only; what it reads about a child is logged before"
KEPT_NOWHERE = "a translation of words that are not sent yet, which is kept nowhere"
SIGN_OF_LIFE = "a heartbeat, a typing notice or a read receipt"
CHALLENGE = "begins a proof; what comes of it is logged"
BEGINS = "begins a request by a search, which is logged before it runs"
COMPOSED = "the telephony does it, and logs the numbers before and after"
SEEN = "its row says who saw the alarm, and when"
PRACTICE = "practice is no record"
CHILD = "a child's own words about the talk, which no person's act follows"
LETTERS = "a child's choice of how it is read while it types"
ASKS_ANOTHER = "asks another system whether it answers, and stores nothing"
WAKES = "wakes the same person's other browsers"
COOKIE = "a cookie of the browser"
CHOSEN = "by the verbs of `app.api.rota.roster.move_duty` and `remove_duty`, which are followed"

UNLOGGED = {
    "app.api.callers.number": READS,
    "app.api.data_requests.find": BEGINS,
    "app.api.definitions.check": READS,
    "app.api.definitions.try_form": READS,
    "app.api.emergencies.emergency_seen": SEEN,
    "app.api.log.compare_anchors": READS,
    "app.api.numbers.set_up": COMPOSED,
    "app.api.own.passkeys.begin_passkey": CHALLENGE,
    "app.api.own.passkeys.passkey_for_proof": CHALLENGE,
    "app.api.own.passkeys.passkey_for_sign_in": CHALLENGE,
    "app.api.practices.note_act": PRACTICE,
    "app.api.provider.link_own_identity": CHALLENGE,
    "app.api.provider.test_provider": ASKS_ANOTHER,
    "app.api.records.cases.search_cases": READS,
    "app.api.records.contacts.search_contacts": READS,
    "app.api.team.messages.read": SIGN_OF_LIFE,
    "app.api.urgent.agencies.match": READS,
    "app.api.writing.chats.preview": KEPT_NOWHERE,
    "app.api.writing.chats.types": SIGN_OF_LIFE,
    "app.child.conversations.choose_letters": LETTERS,
    "app.child.conversations.here": SIGN_OF_LIFE,
    "app.child.conversations.rate": CHILD,
    "app.child.conversations.see": SIGN_OF_LIFE,
    "app.child.conversations.types": SIGN_OF_LIFE,
    "app.dashboard.agency_page.written_form": READS,
    "app.dashboard.chats.pages.types": SIGN_OF_LIFE,
    "app.dashboard.chats.translation_pages.preview": KEPT_NOWHERE,
    "app.dashboard.languages.choose_language": COOKIE,
    "app.dashboard.desk.heartbeat": SIGN_OF_LIFE,
    "app.dashboard.desk.writing": SIGN_OF_LIFE,
    "app.dashboard.palette.palette": READS,
    "app.dashboard.people.emergency_pages.seen": SEEN,
    "app.dashboard.people.passkey_pages.options": CHALLENGE,
    "app.dashboard.people.provider_pages.link": CHALLENGE,
    "app.dashboard.people.welcome.open_link": READS,
    "app.dashboard.records.lists.found": READS,
    "app.dashboard.directory.list_page.right_agencies": READS,
    "app.dashboard.rota.duty.change_duty": CHOSEN,
    "app.dashboard.settings.data_request_pages.find": BEGINS,
    "app.dashboard.settings.log_pages.compare_anchors": READS,
    "app.dashboard.settings.number_pages.set_up": COMPOSED,
    "app.dashboard.settings.provider_page.test_provider": ASKS_ANOTHER,
    "app.dashboard.sounds.push_key": READS,
    "app.dashboard.sounds.wake_others": WAKES,
    "app.dashboard.team_messages.read": SIGN_OF_LIFE,
    "app.dashboard.training.practice.note_act": PRACTICE,
}

_WRITES = frozenset({"post", "put", "patch", "delete"})


def _routes(paths: Paths) -> Iterator[str]:
    """Yield each function that answers a request which is more than a reading."""
    for path, tree in paths.trees.items():
        if path.relative_to(ROOT).parts[0] in ("api", "child", "dashboard", "web"):
            for node in tree.body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _answers(node):
                    yield ".".join((*_parts(path), node.name))


def _parts(path: Path) -> tuple[str, ...]:
    return path.relative_to(ROOT.parent).with_suffix("").parts


def _answers(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(
        isinstance(one, ast.Call)
        and isinstance(one.func, ast.Attribute)
        and one.func.attr in _WRITES
        for one in node.decorator_list
    )


@pytest.fixture(scope="module")
def paths() -> Paths:
    return Paths()


def test_each_route_that_changes_something_writes_a_log_or_says_why_not(paths: Paths) -> None:
    found = set(_routes(paths))
    assert len(found) > 380
    silent = {name for name in found if not paths.lead_to(name, LOGS)}
    assert silent == set(UNLOGGED)
    assert all(UNLOGGED.values())


@pytest.mark.parametrize(
    ("name", "leads"),
    [
        # By a verb of another area, by one of two modules, and by a method of a class.
        ("app.api.connections.send_again", True),
        ("app.api.rota.roster.move_duty", True),
        ("app.api.settings.lines.change_facts", True),
        # Its permission leads to what ends a session; that is not the act itself.
        ("app.dashboard.desk.heartbeat", False),
        ("app.people.emergency.reviewing.seen", False),
    ],
)
def test_only_what_the_body_of_a_function_names_is_counted(
    paths: Paths, name: str, *, leads: bool
) -> None:
    assert paths.lead_to(name, LOGS) is leads
