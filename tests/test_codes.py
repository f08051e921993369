"""What is written into a log, and what is announced, is a code of an enum; each code is used."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from types import NoneType
from typing import Any, NewType, get_args, get_type_hints

import pytest

import app
from app.api.settings import line_chats
from app.api.writing import chats as writing_chats
from app.calls import record
from app.calls.labels import Label
from app.calls.log_kinds import CallLog, Cause
from app.calls.states import CallEvent
from app.contacts.events import note_event
from app.contacts.log_kinds import ProfileCause, ReadsBecause, RecordLog
from app.contacts.states import KeyKind
from app.database.topics import Topic
from app.privacy.hash_kinds import HashOf
from app.privacy.keys import Keys
from app.privacy.numbers import Caller
from app.referrals.channels.links import add_link
from app.referrals.consent.rules import NotConsented
from app.referrals.disclosures import disclose
from app.referrals.escalation.trying import go_to
from app.referrals.opening.offering import Following, offer_to
from app.referrals.replies.details import note_opened
from app.referrals.replies.in_talk import DutyInTalk
from app.routing.offers import lock_leg_for_delivery, lock_offer_for_delivery
from app.staff.log_kinds import AuditLog
from app.staff.log_values import (
    IDENTITY_PROVIDER,
    AccountSaid,
    Changed,
    PartnerAsked,
    PromptSaid,
    SetSaid,
    WordsSaid,
)
from app.statistics.counting.referral_figures import ReferralsBy
from app.statistics.exports.exporting import read_wanted
from app.statistics.facts.columns import pack
from app.telephony.counsellor.conference import fold, label_of_owner
from app.telephony.participants.participant_legs import joined_or_left
from app.telephony.platforms.base import Platform
from app.telephony.steps import Join
from app.web.parts import Part
from tests.support.program import sources
from tests.support.routes import TEMPLATES

pytestmark = pytest.mark.whole

FOLDER = Path(app.__file__).parent
KEYED = ("match_key", "match_keys", "is_match", "secret_of", "secrets_of", "lasting_secret")
ENUMS: dict[str, type[StrEnum]] = {
    enum.__name__: enum
    for enum in (
        AuditLog,
        CallEvent,
        CallLog,
        Cause,
        HashOf,
        Label,
        ProfileCause,
        ReadsBecause,
        RecordLog,
        Topic,
    )
}
# The verbs that keep a cause, and the place of the cause among their arguments.
KEEP_A_CAUSE = {
    "_leave": 4,
    "come_back": 2,
    "counsellor_left": 3,
    "end_participant": 3,
    "gone": 3,
    "lose_counsellor": 3,
    "miss_offer": 3,
    "restate": 2,
    "send_away": 2,
    "send_back": 3,
    "set_free": 2,
    "set_presence": 3,
    "start_wrap_up": 2,
    "withdraw_offer": 3,
    "withdraw_open": 2,
}
# A move, and what the provider reports of a leg or a conference; mypy checks that they are codes.
HANDED_DOWN = {
    "event",
    "ignored(event)",
    "kind_of_status(status, 'caller')",
    "kind_of_status(status, 'leg')",
}
# Arguments and fields by which parts of the program understand each other, and who has them.
CODES: list[tuple[Any, str]] = [
    (record.record, "kind"),
    (record.record, "cause"),
    (record.move, "event"),
    (record.move, "cause"),
    (record.last_detail, "kind"),
    (record.restate, "why"),
    (record.WebhookDelivery, "key"),
    (record.earlier_answer, "key"),
    (record.lock_for_delivery, "key"),
    (lock_offer_for_delivery, "key"),
    (lock_leg_for_delivery, "key"),
    (note_event, "kind"),
    *((getattr(Keys, name), "kind") for name in KEYED),
    (Caller, "kind"),
    (Join, "label"),
    (Platform.add, "label"),
    (Platform.enter, "label"),
    (fold, "mine"),
    (label_of_owner, "return"),
    (joined_or_left, "label"),
    (offer_to, "why"),
    (go_to, "why"),
    (Following, "why"),
    (NotConsented, "barred"),
    (add_link, "channel"),
    (disclose, "how"),
    (note_opened, "how"),
    (DutyInTalk, "mode"),
    (DutyInTalk, "state"),
    (Part, "topics"),
    (Part, "soon"),
]
DETAILS = (Changed, PromptSaid, PartnerAsked, AccountSaid, WordsSaid, SetSaid)
UNDOING = Path("administration/undoing.py")
# What of an event or a notice says why, for what or to whom it is.
REASONS = {"cause", "purpose", "to", "way", "why"}
# Made of another code: each by the functions of one file.
MADE = {
    "MadeKind": "calls/log_kinds.py",
    "LegCause": "calls/log_kinds.py",
    "OtherLabel": "calls/labels.py",
    "DeliveryKey": "calls/delivery_keys.py",
    "OwnTopic": "database/topics.py",
}


@lru_cache(maxsize=1)
def members() -> dict[type[StrEnum], set[str]]:
    """The members of our enums that the program names anywhere, by their enum."""
    found: dict[type[StrEnum], set[str]] = {}
    for _, node in written():
        if (one := member(node)) is not None:
            found.setdefault(type(one), set()).add(str(one))
    return found


@lru_cache(maxsize=1)
def calls() -> dict[str, list[tuple[Path, ast.Call]]]:
    """Every call that may write a code, by the name of what is called, each with its file."""
    found: dict[str, list[tuple[Path, ast.Call]]] = {}
    for path, node in written():
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            found.setdefault(name, []).append((path, node))
    return found


@lru_cache(maxsize=1)
def written() -> list[tuple[Path, ast.Call | ast.Attribute | ast.Constant]]:
    """Every call, attribute and constant of the files that may write a code, each with its file."""
    calls = (f"{verb}(" for verb in ("record", "note_event", "announce", *KEEP_A_CAUSE))
    names = (f"{enum}." for enum in ENUMS)
    return [
        (path, node)
        for path in sources.having("call_events", *calls, *names)
        for node in sources.nodes(path)
        if isinstance(node, ast.Call | ast.Attribute | ast.Constant)
    ]


def calls_of(*names: str) -> Iterator[tuple[Path, ast.Call]]:
    yield from (one for name in names for one in calls().get(name, ()))


def branches(node: ast.expr) -> list[ast.expr]:
    """The values that an argument can have: both sides of a condition."""
    return [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]


def member(node: ast.AST) -> StrEnum | None:
    """The member of one of our enums that an expression names."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        enum = ENUMS.get(node.value.id)
        return enum[node.attr] if enum else None
    return None


def named(enum: type[StrEnum]) -> set[str]:
    """The members of an enum that the program names anywhere."""
    return members().get(enum, set())


def kinds_of_calls() -> set[str]:
    """Every kind that is written into the log of a call."""
    kinds: set[str] = set()
    for path, node in calls_of("record"):
        if len(node.args) < 3 or path.parts[0] == "practice":
            continue
        if ast.unparse(node.args[2]) in HANDED_DOWN:
            continue
        for value in branches(node.args[2]):
            known = member(value)
            assert isinstance(known, CallLog | CallEvent), (path, ast.unparse(value))
            kinds.add(str(known))
    return kinds


def test_every_kind_of_the_log_of_a_call_is_a_code_and_each_code_is_written() -> None:
    assert kinds_of_calls() - set(CallEvent) == set(CallLog)


def test_every_kind_of_the_log_of_a_record_is_a_code_and_each_code_is_written() -> None:
    for path, node in calls_of("note_event"):
        kind = node.args[3]
        if path.parts[0] == "referrals" and isinstance(kind, ast.Name):
            # The log of a referral has kinds of its own.
            continue
        for value in branches(kind):
            # A name is checked by mypy, where it is given its value.
            assert isinstance(member(value), RecordLog) or ast.unparse(value) == "kind", path
    assert named(RecordLog) == set(RecordLog)


def kinds_within(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation allows, without None."""
    parts = get_args(annotation)
    if parts:
        yield from (one for part in parts for one in kinds_within(part))
    elif annotation not in (NoneType, Ellipsis):
        yield annotation


@pytest.mark.parametrize(("owner", "name"), CODES)
def test_what_parts_of_the_program_understand_each_other_by_is_a_code(
    owner: Any, name: str
) -> None:
    """mypy refuses a bare string where a code is demanded; here it is seen that it is demanded."""
    allowed = list(kinds_within(get_type_hints(owner)[name]))
    assert allowed
    for one in allowed:
        assert isinstance(one, NewType) or issubclass(one, StrEnum), one


def is_prose(value: ast.expr) -> bool:
    """Return whether an argument is a text, or the sentence of a refusal."""
    match value:
        case ast.Constant():
            return isinstance(value.value, str)
        case ast.JoinedStr() | ast.Call(func=ast.Name(id="N_" | "Message")):
            return True
        case ast.Attribute(attr=name):
            return name == "detail"
    return False


def test_what_is_kept_of_an_event_or_a_notice_says_why_by_a_code() -> None:
    counted = 0
    for path in sources.having("add_notice(", "note(", "note_event(", "move(", "record("):
        for node in sources.nodes(path):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name not in ("add_notice", "note", "note_event", "move", "record"):
                continue
            for given in (one for one in node.keywords if one.arg in REASONS):
                counted += 1
                prose = [one for one in branches(given.value) if is_prose(one)]
                assert not prose, (path, node.lineno, ast.unparse(given))
    assert counted > 40


@pytest.mark.parametrize(("kind", "path"), MADE.items())
def test_what_is_made_of_another_code_is_made_in_one_place(kind: str, path: str) -> None:
    found = {str(where) for where, text in sources.texts().items() if f"{kind}(" in text}
    assert found == {path}


def test_a_keyed_hash_has_the_kind_by_which_stored_ones_are_found() -> None:
    """With another word in it, nothing that a helpline has stored would be found again."""
    assert {one.name: one.value for one in HashOf} == {
        "CALLER": "caller",
        "VISIT": "visit",
        "NAME": "name",
        "HEARD": "heard",
        "NUMBER": "number",
        "BORN": "born",
        "STAFF_ADDRESS": "staff address",
        "LINK": "link",
        "LINK_CODE": "link code",
        "LINK_PROOF": "link proof",
        "LIMIT": "limit",
        "PUSH": "push",
        "KNOWN_BROWSER": "known browser",
        "OUTBOX": "outbox",
        "PASSWORD_LINK": "password_link",
        "STATISTICS": "statistics",
        "ERASURE": "erasure",
    }


def test_what_rows_hold_of_files_and_settings_is_the_code_that_it_always_was() -> None:
    assert pack("id", "raw", [bytes(16)]).kind == "raw:16"
    assert IDENTITY_PROVIDER == "identity_provider"
    known = ["sector", "urgency", "service", "outcome", "state", "opened_how"]
    assert list(ReferralsBy) == known
    for by in known:
        asked = read_wanted("referrals", "2030-01-01", "2030-01-31", "csv", {"by": [by]})
        stored = json.loads(json.dumps(asked.options))
        assert stored["referrals_by"] == by
        assert read_wanted("referrals", "2030-01-01", "2030-01-31", "csv", stored) == asked


def test_a_record_is_found_by_hashes_of_its_own_kind() -> None:
    made = set(KeyKind) - {KeyKind.SOUND}
    assert {one.hash_of for one in made} == {HashOf(one.value) for one in made}


@pytest.mark.parametrize("enum", [AuditLog, Cause, HashOf, Label, ReadsBecause, ProfileCause])
def test_each_code_is_written_somewhere(enum: type[StrEnum]) -> None:
    assert named(enum) == set(enum)


def test_figures_are_made_of_codes_that_are_written() -> None:
    """The queries over the log of calls name kinds in SQL."""
    named_in_sql = set()
    for _, node in written():
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if "call_events" not in node.value:
            continue
        for found in re.findall(r"\bkind (?:=|IN) (\([^)]*\)|'[^']*')", node.value):
            named_in_sql |= set(re.findall(r"'([^']*)'", found))
    assert len(named_in_sql) > 10
    assert named_in_sql <= set(CallLog) | set(CallEvent)


def topic_of(value: ast.expr) -> Topic | None:
    """The topic that an argument of `announce` names, without the row."""
    if isinstance(value, ast.Call) and getattr(value.func, "attr", "") == "of":
        assert isinstance(value.func, ast.Attribute)
        value = value.func.value
    known = member(value)
    return known if isinstance(known, Topic) else None


def announced() -> set[Topic]:
    """The topics that the program sends; no argument is a bare string."""
    topics = set()
    for path, node in calls_of("announce"):
        if ast.unparse(node.func) not in ("work.announce", "self._work.announce"):
            continue
        for value in node.args:
            topic = topic_of(value)
            assert topic is not None, (path, ast.unparse(value))
            topics.add(topic)
    return topics


def test_every_topic_is_sent() -> None:
    assert announced() | {Topic.EVERYTHING} == set(Topic)


@pytest.mark.parametrize("attribute", ["data-topics", "data-soon", "data-later", "data-told"])
def test_every_part_of_a_page_listens_to_topics_that_exist(attribute: str) -> None:
    """With a typo it would never be refreshed."""
    heard = {
        # A part that shows only what is the reader's own listens to `topic:me`.
        topic.removesuffix(":me")
        for found in re.findall(rf'{attribute}\s*=\s*"([^"]*)"', TEMPLATES)
        # Some readers are told of more.
        for topic in re.sub(r"\{%.*?%\}", " ", found).split()
    }
    assert heard
    assert heard <= set(Topic)


def test_the_scripts_of_the_pages_name_topics_that_exist() -> None:
    named_there = set()
    for path in (FOLDER / "dashboard/static/source").rglob("*.js"):
        code = path.read_text()
        named_there |= set(re.findall(r'topic === "([a-z_]+)"', code))
        named_there |= set(re.findall(r'topics\.includes\("([a-z_]+)"\)', code))
        named_there |= set(re.findall(r'refresh\(\["([a-z_]+)"\]\)', code))
    assert {"record", "everything"} <= named_there <= set(Topic)


def test_the_page_for_integrators_names_every_topic() -> None:
    page = (FOLDER.parent / "docs/integrators.md").read_text()
    table = page[page.index("| Topic |") :].split("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+)`", table)) == set(Topic) - {Topic.EVERYTHING}


def test_the_page_for_integrators_says_how_children_write() -> None:
    page = (FOLDER.parent / "docs/integrators.md").read_text()
    section = page[page.index("## Written conversations") :].split("\n## ")[0]
    for route in writing_chats.router.routes:
        path = re.sub(r"{\w+}", "{id}", getattr(route, "path", ""))
        # Acts on one message stand in one row.
        first, _, last = path.rpartition("/")
        named = path in section or (f"{first}/take`" in section and f"`/{last}`" in section)
        assert named, path
    (settings,) = re.findall(r"^.*`PATCH /lines/{id}/chat`.*$", page, re.MULTILINE)
    assert set(line_chats.ChatSettingsIn.model_fields) <= set(re.findall(r"`([a-z_]+)`", settings))


def test_every_cause_is_a_code() -> None:
    counted = 0
    for path, node in calls_of(*KEEP_A_CAUSE):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if path.parts[0] in ("practice", "demo") or len(node.args) <= KEEP_A_CAUSE[name]:
            continue
        for value in branches(node.args[KEEP_A_CAUSE[name]]):
            counted += 1
            of_a_leg = ast.unparse(value).startswith("of_leg(")
            handed_down = isinstance(value, ast.Name)
            is_code = (
                isinstance(member(value), Cause) or ast.unparse(value) == "participants.HELPING"
            )
            assert is_code or handed_down or of_a_leg, (path, ast.unparse(value))
    assert counted > 30


def test_what_is_read_again_of_the_log_has_the_names_by_which_it_was_written() -> None:
    """An emergency access would else leave a setting as it was changed under it."""
    assert {one.__name__: [name.name for name in fields(one)] for one in DETAILS} == {
        "Changed": ["before", "after"],
        "PromptSaid": ["key", "language"],
        "PartnerAsked": ["change"],
        "AccountSaid": ["carrier", "account", "name"],
        "WordsSaid": ["number", "kind", "translated", "reviewed"],
        "SetSaid": ["set"],
    }


def test_what_an_emergency_access_changed_is_read_by_types() -> None:
    (tree,) = (tree for path, tree in sources.naming("undo_settings") if path == UNDOING)
    by_hand = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if (isinstance(node, ast.Subscript) and ast.unparse(node.value) == "act.detail")
        or (isinstance(node, ast.Call) and ast.unparse(node.func) == "act.detail.get")
    ]
    assert by_hand == []
    assert "Changed.of(act.detail)" in ast.unparse(tree)
