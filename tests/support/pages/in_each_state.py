"""The rows with which every route is opened, and what each says about itself: its states.

An hour leaves one row of what is seldom: those in other states are copies of it. What is sealed in
a row is opened by its id, so a copy has none of it.
"""

import json
from collections.abc import Iterable
from typing import Any

from app.calls.states import CallState, Channel, Outcome
from app.chats.models import MediaState
from app.contacts.states import ContactChannel, ContactState
from app.demo.stage import Stage
from app.people.finding import PersonState
from app.retention.data_requests.kinds import UNDER_WAY, RequestState
from app.routing.rota.planning_rows import ProposalState
from app.statistics.models import ExportState
from app.training.script import Ended

_STAFF = (
    "SELECT s.id, ARRAY[CASE WHEN NOT active THEN 'inactive'"
    " WHEN password_hash IS NULL AND NOT by_provider THEN 'invited' ELSE 'active' END, role,"
    " CASE WHEN training THEN 'in training' END, CASE WHEN emergency THEN 'for emergencies' END,"
    " CASE WHEN by_provider THEN 'by a provider' END,"
    " CASE WHEN locked_until IS NOT NULL THEN 'locked telephone' END,"
    " CASE WHEN endpoint_kind = 'phone' THEN 'with a telephone' END] AS said"
    " FROM staff s LEFT JOIN phone_proofs ON staff_id = s.id"
    # A page of a team is of those who are in it.
    " ORDER BY active DESC, role <> 'counsellor', s.id"
)
# Where the rows of a parameter of an address come from, with the states of each: for calls and
# contacts also the line and the channel, as some pages are only of what was practised, or written.
ROWS = {
    "call_id": (
        "SELECT c.id, ARRAY[concat_ws(', ', state, outcome), channel,"
        " CASE WHEN practice THEN 'for practice' ELSE 'of a child' END,"
        " CASE WHEN rings_only_id IS NOT NULL THEN 'rings only one' END] AS said"
        " FROM calls c LEFT JOIN lines l ON l.id = line_id ORDER BY opened_at, c.id"
    ),
    "contact_id": "SELECT id, ARRAY[state, channel] AS said FROM contacts ORDER BY opened_at, id",
    "case_id": "SELECT id, ARRAY[status] AS said FROM cases ORDER BY opened_at, id",
    "referral_id": "SELECT id, ARRAY[state] AS said FROM referrals ORDER BY opened_at, id",
    "profile_id": (
        "SELECT id, ARRAY[CASE WHEN merged_into IS NULL THEN 'by itself' ELSE 'merged' END] AS said"
        " FROM profiles"
    ),
    "media_id": "SELECT id, ARRAY[state] AS said FROM chat_media",
    "message_id": "SELECT id, ARRAY[state] AS said FROM voice_messages",
    "export_id": "SELECT id, ARRAY[state] AS said FROM exports ORDER BY state <> 'ready', id",
    "prompt_id": "SELECT id, ARRAY[]::text[] AS said FROM prompts",
    "practice_id": (
        "SELECT id, ARRAY[coalesce(ended_how, 'goes on'),"
        " CASE WHEN written THEN 'written' ELSE 'by voice' END] AS said FROM practices"
    ),
    "person_id": _STAFF,
    "staff_id": _STAFF,
    "proposal_id": "SELECT id, ARRAY[state] AS said FROM rota_proposals ORDER BY state <> 'ready'",
    "line_id": (
        "SELECT id, ARRAY[CASE WHEN retired_at IS NOT NULL THEN 'retired'"
        " WHEN active THEN 'in use' ELSE 'unused' END,"
        " CASE WHEN practice THEN 'for practice' END] AS said"
        " FROM lines ORDER BY active DESC, created_at"
    ),
    "test_id": "SELECT id, ARRAY[coalesce(result, 'under way')] AS said FROM connection_tests",
    "data_request_id": (
        "SELECT id, ARRAY[state, kind] AS said FROM data_requests ORDER BY began_at, id"
    ),
    "set_id": (
        "SELECT s.id, ARRAY[CASE WHEN o.id IS NULL THEN 'not in force'"
        " WHEN taken_back_at IS NULL THEN 'ordered' ELSE 'taken back' END] AS said"
        " FROM definition_sets s LEFT JOIN definition_orders o ON set_id = s.id ORDER BY s.id"
    ),
    "code": (
        "SELECT code AS id, ARRAY[CASE WHEN doubted_at IS NOT NULL THEN 'doubted'"
        " WHEN valid_until IS NOT NULL THEN 'left' ELSE 'in use' END] AS said FROM agencies"
    ),
    "recording": (
        "SELECT id, ARRAY[]::text[] AS said FROM prompts WHERE audio IS NOT NULL"
        # A line has no recording of every line.
        " ORDER BY line_id IS NULL"
    ),
}
# What the rows of settings have to say, each at least once. Only one proposal is open at once.
WANTED: dict[str, set[str]] = {
    "person_id": {
        *PersonState,
        "in training",
        "for emergencies",
        "by a provider",
        "locked telephone",
        "with a telephone",
    },
    "export_id": set(ExportState),
    "data_request_id": {*RequestState, "access", "erasure"},
    "proposal_id": {one.value for one in ProposalState if one is not ProposalState.ASKED},
    "practice_id": {*Ended, "goes on", "written", "by voice"},
    "set_id": {"not in force", "ordered", "taken back"},
    "line_id": {"in use", "retired", "for practice"},
    "code": {"in use", "doubted", "left"},
}
_NO_LINE_OF_CHILDREN = {"for practice", "retired", "unused"}
_NO_FILE = {"asked", "approved", "refused", "in_progress", "failed", "expired"}
_NO_REPORT = {*UNDER_WAY, "refused", "withdrawn", "lapsed", "failed", "expired", "erasure"}
_TAKES_NO_CALLS = {"administrator", "auditor", "referral_officer", "for emergencies", "inactive"}
_NO_TALK = {f"ended, {one}" for one in Outcome if one is not Outcome.ANSWERED}
_NO_CONVERSATION = {
    *(f"ended, {one}" for one in Outcome),
    *CallState,
    *(set(Channel) - {Channel.WEB}),
    "for practice",
    "rings only one",
}
# What the desk of its counsellor asks of a conversation: it is held now, by a carrier that is used.
_NOT_HELD = {
    *(f"ended, {one}" for one in Outcome),
    *(set(CallState) - {CallState.CONNECTED}),
    Channel.VOICE,
    Channel.VIBER,
}
_WITHOUT_WORDS = {*ContactState, *ContactChannel} - {ContactChannel.CHAT}
# Where a route rightly finds no row in a state, or refuses it.
NEVER_WELL_IN: dict[str, set[str]] = {
    "/board/chats/{call_id}/news": _NOT_HELD,
    "/board/chats/{call_id}/caller": _NOT_HELD,
    "/board/chats/{call_id}/translations": _NOT_HELD,
    "/api/v1/chats/{call_id}/translations": _NOT_HELD,
    # A child at a page writes from no number, nor does one of a script write any.
    "/board/chats/{call_id}/ring": {
        *_NOT_HELD,
        Channel.WEB,
        Channel.TELEGRAM,
        "for practice",
        "rings only one",
    },
    "/board/chats/{call_id}/ring/{message_number}": {*_NOT_HELD, "for practice", "rings only one"},
    # Of a conversation under way, and of a message that a child left: no other call is one.
    "/board/chats/{call_id}/along": _NO_CONVERSATION - {CallState.CONNECTED},
    "/board/messages/written/{call_id}": _NO_CONVERSATION,
    "/api/v1/chats/left/{call_id}/messages": _NO_CONVERSATION,
    # What comes with a talk.
    "/api/v1/calls/{call_id}/contact": _NO_TALK,
    "/api/v1/calls/{call_id}/questions": _NO_TALK,
    "/api/v1/chats/{call_id}/messages": _NO_TALK,
    "/contacts/{contact_id}/conversation": _WITHOUT_WORDS,
    # A call of a practice, which has ended.
    "/practice/of/{call_id}": {
        *(f"ended, {one}" for one in Outcome),
        *(set(CallState) - {CallState.ENDED}),
        *Channel,
        "of a child",
        "rings only one",
    },
    # A line that is not in use is taken into use again, or is for practice alone.
    "/admin/lines/{line_id}": _NO_LINE_OF_CHILDREN,
    "/admin/lines/{line_id}/recordings/{recording}": _NO_LINE_OF_CHILDREN,
    "/api/v1/lines/{line_id}": _NO_LINE_OF_CHILDREN,
    "/api/v1/lines/{line_id}/changes": _NO_LINE_OF_CHILDREN,
    "/api/v1/lines/{line_id}/chat": _NO_LINE_OF_CHILDREN,
    "/api/v1/lines/{line_id}/prompts": _NO_LINE_OF_CHILDREN,
    "/api/v1/lines/{line_id}/signal": _NO_LINE_OF_CHILDREN,
    "/api/v1/lines/{line_id}/telegram": _NO_LINE_OF_CHILDREN,
    "/api/v1/lines/{line_id}/recordings/{recording}": _NO_LINE_OF_CHILDREN,
    # There is no sound yet, or none any more.
    "/api/v1/voice-messages/{message_id}": {"recorded", "absent"},
    "/board/messages/{message_id}/audio": {"recorded", "absent"},
    "/api/v1/chats/media/{media_id}": {*(set(MediaState) - {MediaState.KEPT})},
    # A person who has left cannot leave again.
    "/admin/people/{person_id}/leave": {"inactive"},
    "/api/v1/data-requests/{data_request_id}/report.{file_format}": _NO_REPORT,
    "/api/v1/statistics/exports/{export_id}/file": _NO_FILE,
    "/reports/files/{export_id}": _NO_FILE,
    "/roster/working-times/{staff_id}": _TAKES_NO_CALLS,
    "/team/people/{person_id}/state": _TAKES_NO_CALLS,
}
Said = dict[str, dict[str, set[str]]]


async def all_rows(stage: Stage) -> Said:
    """Return the states of every row, by the name that addresses have for it, and by its id.

    The first ones are in as many states as there are.
    """
    return {name: _various_first(await stage.rows(sql)) for name, sql in ROWS.items()}


async def ids_of(stage: Stage, names: Iterable[str]) -> dict[str, str]:
    """Return one row of each of these kinds."""
    return {name: str((await stage.rows(ROWS[name]))[0]["id"]) for name in names}


def _various_first(rows: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Order rows so that those that are the first in a state come before all others."""
    of = {str(row["id"]): {one for one in row["said"] if one is not None} for row in rows}
    seen: set[str] = set()
    first = []
    for one, said in of.items():
        if not said <= seen:
            first.append(one)
            seen |= said
    return {one: of[one] for one in (*first, *of)}


def in_new_states(rows: dict[str, set[str]]) -> int:
    """Return how many of the first rows are each in a state in which none before is."""
    seen: set[str] = set()
    for number, of in enumerate(rows.values()):
        if of <= seen:
            return number
        seen |= of
    return len(rows)


def lacking(rows: Said) -> dict[str, set[str]]:
    """Return the states of settings in which no row is."""
    found = {name: states - set().union(*rows[name].values()) for name, states in WANTED.items()}
    return {name: states for name, states in found.items() if states}


async def add_settings_in_each_state(stage: Stage) -> None:
    """Copy rows of settings into the states in which none is."""
    missing = lacking(await all_rows(stage))
    for state in sorted(missing.get("export_id", ())):
        await _copy(stage, "exports", {"state": state, "reason_sealed": None, "personal": False})
    for state in sorted(missing.get("data_request_id", ())):
        await _copy(stage, "data_requests", _DATA_REQUEST | {"code": f"D-{state}", "state": state})
    for state in sorted(missing.get("proposal_id", ())):
        await _copy(stage, "rota_proposals", {"state": state})
    for state in sorted(missing.get("practice_id", ())):
        await _copy(stage, "practices", {"call_id": None} | _practice(state))
    await _add_people(stage, missing.get("person_id", set()))
    await _add_sets(stage)
    await _add_places(stage)
    stage.ground.memory.forget("everything")


_BEFORE = "2030-01-14T09:00:00Z"
_DATA_REQUEST = {
    "kind": "access",
    "sought_sealed": None,
    "words_sealed": None,
    "extension_sealed": None,
    "decided_at": _BEFORE,
    "decided_by": None,
    "decided_role": None,
}


def _practice(state: str) -> dict[str, Any]:
    if state == "goes on":
        return {"ended_how": None, "ended_at": None}
    how = state if state in set(Ended) else Ended.WELL
    return {"ended_how": how, "ended_at": _BEFORE, "written": state == "written"}


_PEOPLE: dict[str, dict[str, Any]] = {
    PersonState.ACTIVE: {"password_hash": "none"},
    PersonState.INACTIVE: {"active": False, "password_hash": "none"},
    PersonState.INVITED: {"password_hash": None},
    "in training": {"training": True},
    "for emergencies": {"emergency": True, "role": "administrator"},
    "by a provider": {"by_provider": True},
    "with a telephone": {
        "endpoint_kind": "phone",
        "endpoint": "+38164999777",
        "second_phone": None,
    },
}


async def _add_people(stage: Stage, missing: set[str]) -> None:
    for state, values in _PEOPLE.items():
        if state in missing:
            named = {"name": state, "identity": f"c{state.replace(' ', '')}", "active": True}
            await _copy(stage, "staff", named | values, of="active AND role = 'counsellor'")
    if "locked telephone" in missing:
        await stage.change_rows(
            "INSERT INTO phone_proofs (staff_id, paired_at, failures, locked_until)"
            " SELECT id, created_at, 0, '2031-01-01Z' FROM staff WHERE endpoint_kind = 'phone'"
            " AND active ORDER BY name LIMIT 1"
            " ON CONFLICT (staff_id) DO UPDATE SET locked_until = excluded.locked_until"
        )


async def _add_sets(stage: Stage) -> None:
    """A set that will be in force one day, and one of which that was taken back."""
    for name, taken_back in (("ordered", "NULL"), ("taken back", "now() + interval '50 y'")):
        await _copy(stage, "definition_sets", {"name": name, "digest": f"\\x{name.encode().hex()}"})
        await stage.change_rows(
            "INSERT INTO definition_orders (set_id, from_at, ordered_at, taken_back_at)"
            f" SELECT id, '2090-01-01Z', now(), {taken_back} FROM definition_sets"
            f" WHERE name = '{name}'"
        )


async def _add_places(stage: Stage) -> None:
    """A line and agencies that are in use no more, or not sure to be."""
    out = {"active": False, "retired_at": _BEFORE, "practice": False, "chat": {}}
    await _copy(stage, "lines", {"number": "+38111999888", "name": "Former"} | out)
    for state, said in (
        ("doubted", {"doubted_at": _BEFORE}),
        ("left", {"valid_until": "2030-01-01"}),
    ):
        values = {"code": state, "webhook_secret_sealed": None, "primero_password_sealed": None}
        await _copy(stage, "agencies", values | said)


async def _copy(stage: Stage, table: str, values: dict[str, Any], of: str = "true") -> None:
    """Write a row like the first one of a table for which a condition holds, with other values."""
    new = "gen_random_uuid()" if table != "definition_sets" else "(SELECT max(id) + 1 FROM t)"
    await stage.watch.execute(
        f"INSERT INTO {table} OVERRIDING SYSTEM VALUE"
        f" SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(one) || %s::jsonb"
        f" || jsonb_build_object('id', {new.replace(' t)', f' {table})')}))).*"
        f" FROM (SELECT * FROM {table} WHERE {of} ORDER BY ctid LIMIT 1) AS one",
        (json.dumps(values),),
    )
