"""Rows in every state of calls, contacts, cases and referrals, for what opens each page with each.

An hour ends with its calls ended and its referrals acknowledged, so the other states are set in the
rows. A page is drawn by its row, whatever led there.
"""

from app.calls.states import CallState, Outcome
from app.contacts.states import ContactState
from app.demo.stage import Stage
from app.referrals.states import ReferralState
from app.staff.roles import Role
from tests.support.referrals import OVERRIDE, by_hand

# What a row says about itself, and all that it may say. The states of cases are a country's.
SAID: dict[tuple[str, str], set[str]] = {
    ("calls", "state"): set(CallState),
    ("calls", "outcome"): set(Outcome),
    ("contacts", "state"): set(ContactState),
    ("cases", "status"): {"open", "in_progress", "closed"},
    ("referrals", "state"): set(ReferralState),
}
# By telephone: a conversation that has ended stays on a desk while words are unread.
_OF_AN_ANSWERED_CALL = (
    "answered_at IS NOT NULL AND queued_at IS NOT NULL AND state = 'ended' AND channel = 'voice'"
)


async def missing(stage: Stage) -> dict[str, set[str]]:
    """Return what no row says, by table and column."""
    found = {
        f"{table}.{column}": wanted - {row["said"] for row in await _said(stage, table, column)}
        for (table, column), wanted in SAID.items()
    }
    return {where: states for where, states in found.items() if states}


async def _said(stage: Stage, table: str, column: str) -> list[dict[str, str]]:
    return await stage.rows(f"SELECT DISTINCT {column} AS said FROM {table}")


async def add_states(stage: Stage) -> None:
    """Let a row say what no row says yet. There are answered calls, contacts, and every case."""
    olga = await stage.add_counsellor("olga", role=Role.REFERRAL_OFFICER, shift=False, state=None)
    lacking = await missing(stage)
    for state in sorted(lacking.get("referrals.state", ())):
        made = await by_hand(olga, override=OVERRIDE)
        await stage.change_rows(f"UPDATE referrals SET state = '{state}' WHERE id = '{made['id']}'")
    for state in lacking.get("contacts.state", ()):
        await _set(stage, "contacts", f"state = '{state}'", "state = 'complete'")
    await add_calls(stage)


async def add_calls(stage: Stage) -> None:
    """Put answered calls into the states in which none is, as what goes on may have moved one."""
    lacking = await missing(stage)
    for outcome in sorted(lacking.get("calls.outcome", ())):
        await _set(stage, "calls", f"outcome = '{outcome}'", _OF_AN_ANSWERED_CALL)
    for state in sorted(lacking.get("calls.state", ())):
        live = f"state = '{state}', outcome = NULL, ended_at = NULL"
        await _set(stage, "calls", live, _OF_AN_ANSWERED_CALL)


async def _set(stage: Stage, table: str, values: str, where: str) -> None:
    """Set values in a row whose own state other rows have as well."""
    of_its_kind = "outcome" if table == "calls" else "state"
    await stage.change_rows(
        f"UPDATE {table} SET {values} WHERE id = (SELECT id FROM {table} WHERE {where}"
        f" ORDER BY count(*) OVER (PARTITION BY {of_its_kind}) DESC, id DESC LIMIT 1)"
    )
