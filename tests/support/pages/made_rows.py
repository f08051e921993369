"""How a row in a state is made: as a copy of one that is there, or of what its columns demand."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.work import PROGRAM
from tests.support.documents.files import png

Values = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """How the rows of one table are made.

    `like`: the row that it is like, in SQL; in it stand {n}, the number of the row among those that
    are made, and {now}. `values`: what else it says, by its state and number. `sealed`: what it
    says sealed, by column; `sealed_in`: the same by state, of some states only.
    """

    like: str
    values: Callable[[str, int], Values] = lambda _state, _number: {}
    sealed: dict[str, bytes] = field(default_factory=dict)
    sealed_in: dict[str, dict[str, bytes]] = field(default_factory=dict)


def _like(table: str, where: str = "true") -> str:
    return f"SELECT * FROM {table} WHERE {where} ORDER BY ctid LIMIT 1"


# The n-th of the staff, and another one.
_TWO = (
    "(SELECT id AS one, lead(id) OVER (ORDER BY id) AS other FROM staff WHERE active ORDER BY id"
    " OFFSET {n} LIMIT 1) AS two"
)
_TALKS = (
    "(SELECT id FROM calls ORDER BY state = 'connected' AND channel = 'voice' DESC, id LIMIT 1)"
    " AS talk"
)
_CHANNELS = ("telegram", "viber", "signal", "telegram", "whatsapp")
_ASKED_OF = "'counsellor' AS asked_role, {now} AS asked_at, two.other AS asked_by"


def _of_media(state: str, _number: int) -> Values:
    if state == "kept":
        return {"media_type": "image/png", "scan": "clean"}
    return {"problem": "harmful"} if state == "refused" else {}


MADE: dict[str, Made] = {
    "emergencies.state": Made(
        "SELECT 'record' AS kind, 'case' AS subject_kind, c.id AS subject_id, 60 AS minutes,"
        " two.one AS asked_by, 'counsellor' AS asked_role, {now} AS asked_at,"
        " {now} + interval '15 min' AS confirm_until, two.other AS decided_by,"
        " 'supervisor' AS decided_role, {now} AS decided_at, {now} + interval '1 h' AS until"
        f" FROM (SELECT id FROM cases LIMIT 1) AS c, {_TWO}",
        lambda state, _number: (
            {"decided_by": None, "decided_role": None, "decided_at": None, "until": None}
            if state in ("asked", "lapsed")
            else {}
        ),
        {"ground_sealed": b"All who may read it are away."},
    ),
    "rota_changes.state": Made(
        "SELECT 'absence' AS kind, two.one AS counsellor_id, 'primary' AS layer,"
        " {now} + interval '1 day' AS from_at, {now} + interval '2 days' AS until_at,"
        f" 'Ill' AS reason, two.one AS made_by, {{now}} AS made_at FROM {_TWO}"
    ),
    "address_changes.state": Made(
        "SELECT a.id AS agency_id, 'email' AS field, to_jsonb('new@a.example'::text) AS value,"
        f" to_jsonb('old@a.example'::text) AS before, {_ASKED_OF}"
        f" FROM (SELECT id FROM agencies ORDER BY ctid LIMIT 1) AS a, {_TWO}",
    ),
    "access_requests.state": Made(
        "SELECT two.one AS staff_id, 'change' AS kind, 0 AS revision, 'counsellor' AS role_before,"
        f" 'supervisor' AS role, {_ASKED_OF} FROM {_TWO}"
    ),
    "partner_requests.state": Made(
        f"SELECT l.id AS line_id, '+38111777{{n}}00' AS number, {_ASKED_OF}"
        f" FROM (SELECT id FROM lines WHERE active ORDER BY ctid LIMIT 1) AS l, {_TWO}"
    ),
    "participants.state": Made(
        "SELECT talk.id AS call_id, o.id AS room_id, 'third_party' AS purpose, 'talk' AS mode,"
        " 'police' AS role, {now} AS wanted_at, {now} AS joined_at"
        f" FROM {_TALKS}, (SELECT id FROM offers ORDER BY ctid LIMIT 1) AS o",
        lambda state, _number: {} if state in ("in", "left") else {"joined_at": None},
        {"number_sealed": b"+38111000111"},
    ),
    "call_questions.state": Made(
        f"SELECT talk.id AS call_id, 'safe' AS code, {{now}} AS asked_at FROM {_TALKS}"
    ),
    "deliveries.state": Made(
        "SELECT a.id AS agency_id, r.id AS referral_id, 990 + {n} AS sequence,"
        " 'referral.offered' AS kind, '{{}}'::jsonb AS detail, {now} AS created_at, 9 AS attempts,"
        " {now} AS last_attempt_at, '500' AS last_response, {now} AS ended_at"
        " FROM agencies a, referrals r ORDER BY a.ctid, r.ctid LIMIT 1",
        lambda state, _number: {"ended_at": None} if state == "waiting" else {},
    ),
    "dispatches.state": Made(
        "SELECT r.id AS referral_id, {now} AS wanted_at, 'Teren' AS team, {now} AS asked_at"
        " FROM referrals r ORDER BY r.ctid LIMIT 1",
        sealed={"place_sealed": b"A house by the river"},
    ),
    "agency_cases.state": Made(
        "SELECT r.id AS recipient_id, gen_random_uuid() AS case_id,"
        " gen_random_uuid() AS service_id, 'primero' AS mapping, 1 AS mapping_version,"
        " 'Not reached' AS problem, '{{}}'::text[] AS left_out"
        " FROM recipients r ORDER BY r.id OFFSET {n} LIMIT 1"
    ),
    "chat_accounts.state": Made(
        "SELECT l.id AS line_id, 'their' || {n} AS their_id, 'Bot' AS name, {now} AS set_at"
        " FROM lines l WHERE active ORDER BY ctid LIMIT 1",
        lambda state, number: {
            "channel": _CHANNELS[number - 1],
            "problem": "token" if state == "refused" else None,
        },
        {"token_sealed": b"1:token", "secret_sealed": b"secret"},
    ),
    "chat_media.state": Made(
        "SELECT m.call_id, m.id AS message_id, 90 + {n} AS place, 'picture' AS kind, {now} AS at"
        " FROM chat_messages m JOIN calls c ON c.id = m.call_id"
        " ORDER BY c.state = 'ended', m.id LIMIT 1",
        _of_media,
        sealed_in={"kept": {"content_sealed": png()}},
    ),
    "provider_copies.state": Made(
        "SELECT r.id AS request_id, 'call' AS kind, 'CA' || {n} AS sid, {now} AS wanted_at,"
        " 1 AS attempts FROM data_requests r"
        " ORDER BY r.kind = 'erasure' DESC, r.state = 'done' DESC LIMIT 1"
    ),
    "callbacks.state": Made(
        _like("callbacks"),
        lambda _state, _number: {"caller_key": f"\\x{uuid4().hex}", "number_sealed": None},
    ),
    "voice_messages.state": Made(
        _like("voice_messages"),
        lambda _state, number: {"recording_sid": f"RE{number}", "audio_sealed": None},
    ),
    "recipients.state": Made(
        _like("recipients"),
        lambda state, number: {
            "number": 90 + number,
            "reason": "no_capacity" if state == "rejected" else None,
        },
    ),
    "connection_tests.result": Made(
        "SELECT * FROM connection_tests WHERE result IS NOT NULL ORDER BY ctid LIMIT 1",
        lambda _state, _number: {"provider_sid": None},
    ),
    "offers.state": Made(
        _like("offers", "released_at IS NOT NULL"),
        lambda state, number: {
            "slot": 90 + number,
            "connected_at": None,
            **({"released_at": None} if state in ("open", "accepted", "connected") else {}),
        },
    ),
    "attempts.result": Made(
        _like("attempts"), lambda _state, number: {"number": 900 + number, "provider_sid": None}
    ),
    "legs.status": Made(_like("legs"), lambda _state, _number: {"provider_sid": None}),
    "proposed_duties.state": Made(
        "SELECT p.id AS proposal_id, two.one AS counsellor_id, {now} + interval '1 day' AS from_at,"
        f" {{now}} + interval '2 days' AS until_at FROM {_TWO},"
        " (SELECT id FROM rota_proposals ORDER BY state <> 'ready', ctid LIMIT 1) AS p"
    ),
}
# There are enough rows: one whose state others have as well is put into another.
CHANGED = ("presences.state", "presences.telephone", "referrals.outcome")


async def make(stage: Stage, where: str, state: str, number: int) -> None:
    """Make the n-th row of a table in a state of a column."""
    made, (table, column) = MADE[where], where.split(".")
    row = uuid4()
    values = made.values(state, number) | {"id": str(row), column: state}
    words = made.sealed | made.sealed_in.get(state, {})
    sealed = {name: await _seal(stage, table, name, row, of) for name, of in words.items()}
    like = made.like.format(n=number, now=f"'{stage.clock.now().isoformat()}'::timestamptz")
    done = await stage.watch.execute(
        f"INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table},"
        " to_jsonb(one) || %s::jsonb)).*"
        f" FROM ({like}) AS one",
        (json.dumps(values | sealed),),
    )
    assert done.rowcount == 1, f"{where}: there is no row that it could be like"


async def change(stage: Stage, where: str, state: str) -> None:
    """Put a row whose own state other rows have as well into this one."""
    table, column = where.split(".")
    await stage.change_rows(
        f"UPDATE {table} SET {column} = '{state}' WHERE ctid = (SELECT ctid FROM {table}"
        f" ORDER BY count(*) OVER (PARTITION BY {column}) DESC, ctid DESC LIMIT 1)"
    )


async def _seal(stage: Stage, table: str, column: str, row: UUID, said: bytes) -> str:
    async with transaction(stage.ground, PROGRAM) as work:
        return f"\\x{work.keys.seal(said, table=table, column=column, row=row).hex()}"
