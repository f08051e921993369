"""What must always hold, checked in the database and in what the exchange heard.

Each check returns a sentence for each broken invariant, numbered as in the design; an empty list
means that all hold.
"""

from collections import Counter
from datetime import timedelta
from typing import Any

from app.demo import readers
from app.demo.agencies import ENTRIES
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.legs import Leg
from app.practice.people import Phone
from app.routing import queue
from app.staff.log_checks.chains import verify_chains
from app.statistics.counting.labels import CELL
from app.statistics.counting.reconcile import reconcile, unexplained
from app.statistics.counting.summary import FiguresWanted, summarise
from app.statistics.dimensions import Dimension
from app.statistics.periods import Period, Window
from app.work import PROGRAM

# How long a caller may be alone in a conference: until a dead counsellor's line is noticed.
_ALONE = timedelta(seconds=30)
# How long a caller may hear nothing, in seconds: four, plus the time to fetch a document.
_LONGEST_SILENCE = 4.5
# How long a counsellor's phone may outlive its caller.
_OUTLIVES = timedelta(seconds=5)
# The agencies of the scripted hour; the demo's story is told in `agencies.py`.
DUTY_PHONES = frozenset(phone for entry in ENTRIES for phone in entry.numbers)


async def broken_now(stage: Stage) -> list[str]:
    """Return what is broken of that which must hold at every settled moment."""
    found: list[str] = []
    async with transaction(stage.ground, PROGRAM) as work:
        if await queue.pairs_now(work):
            found.append("4: a caller waits while an eligible counsellor is free")
    for sql, words in ALWAYS:
        rows = await stage.rows(sql)
        if rows:
            found.append(f"{words}: {rows[:2]}")
    return found


ALWAYS = (
    (
        "SELECT r.id, r.state FROM referrals r WHERE r.urgency IN ('immediate', 'urgent')"
        " AND r.state IN ('draft', 'sent', 'delivered', 'failed', 'rejected', 'redirected',"
        " 'expired') AND NOT EXISTS (SELECT FROM deadlines c WHERE c.referral_id = r.id"
        " AND c.kind = 'acknowledge' AND c.stopped_at IS NULL)",
        "6: an urgent referral without a running deadline",
    ),
    (
        "SELECT r.id, r.state FROM referrals r WHERE r.urgency IN ('immediate', 'urgent')"
        " AND r.state IN ('sent', 'delivered', 'failed', 'rejected', 'redirected', 'expired')"
        " AND r.escalates_at IS NULL",
        "6: an urgent referral has no next attempt",
    ),
    (
        "SELECT a.id FROM recipients a WHERE NOT EXISTS (SELECT FROM consents c"
        " WHERE c.referral_id = a.referral_id AND c.at <= a.offered_at)",
        "7: an agency heard of a child without consent or a recorded ground",
    ),
    (
        "SELECT g.target FROM attempts g JOIN attempts h ON h.referral_id = g.referral_id"
        " AND h.target = g.target AND h.purpose = 'escalation' AND g.purpose = 'escalation'"
        " AND g.number < h.number AND h.wanted_at - g.wanted_at < interval '60 seconds'",
        "two attempts at the same address of an agency within a minute",
    ),
    (
        "SELECT c.id FROM calls c LEFT JOIN contacts r ON r.call_id = c.id"
        " WHERE c.state = 'connected' AND r.id IS NULL",
        "a counsellor talks with a child and has no contact to write in",
    ),
    (
        "SELECT provider_sid FROM calls WHERE provider_sid IS NOT NULL"
        " GROUP BY provider_sid HAVING count(*) > 1",
        "1: one ring, several rows",
    ),
    (
        "SELECT o.id FROM offers o JOIN calls c ON c.id = o.call_id"
        " WHERE c.state = 'ended' AND o.released_at IS NULL",
        "5: an ended call holds an offer",
    ),
    (
        "SELECT p.counsellor_id, p.state FROM presences p LEFT JOIN offers o"
        " ON o.counsellor_id = p.counsellor_id AND o.released_at IS NULL"
        " WHERE (p.state IN ('offered', 'on_call', 'writing')) <> (o.id IS NOT NULL)",
        "5: presence and held offer do not agree",
    ),
    (
        "SELECT p.counsellor_id, p.state FROM presences p JOIN (SELECT counsellor_id,"
        " bool_or(slot IS NULL AND state <> 'open') AS talks, bool_or(slot IS NULL) AS rung,"
        " bool_or(slot IS NOT NULL AND state = 'connected') AS writes FROM offers"
        " WHERE released_at IS NULL GROUP BY counsellor_id) o ON o.counsellor_id = p.counsellor_id"
        " WHERE p.state <> CASE WHEN o.talks THEN 'on_call' WHEN o.rung THEN 'offered'"
        " WHEN o.writes THEN 'writing' ELSE 'offered' END",
        "13: a presence does not say what its counsellor holds",
    ),
    (
        "SELECT o.counsellor_id FROM offers o JOIN staff s ON s.id = o.counsellor_id"
        " JOIN calls c ON c.id = o.call_id WHERE o.released_at IS NULL AND o.slot IS NOT NULL"
        " GROUP BY o.counsellor_id, s.chats_at_once, s.role"
        " HAVING count(*) > s.chats_at_once + count(*) FILTER (WHERE c.danger)"
        " AND s.role <> 'supervisor'",
        "13: a counsellor has more conversations than they can have",
    ),
    (
        "SELECT o.id FROM offers o JOIN calls c ON c.id = o.call_id"
        " WHERE (c.channel <> 'voice') <> (o.slot IS NOT NULL)",
        "13: an offer and its call do not agree on the channel",
    ),
    (
        "SELECT l.id FROM legs l JOIN calls c ON c.id = l.call_id WHERE c.channel <> 'voice'",
        "13: a telephone was rung for a written conversation",
    ),
    (
        "SELECT call_id FROM (SELECT m.call_id, m.number, row_number() OVER"
        " (PARTITION BY m.call_id ORDER BY m.number) AS place, m.at, max(m.at) OVER"
        " (PARTITION BY m.call_id ORDER BY m.number ROWS UNBOUNDED PRECEDING) AS latest"
        " FROM chat_messages m) n WHERE number <> place OR at < latest",
        "13: the messages of a conversation are not in one order",
    ),
    (
        "SELECT c.id FROM calls c LEFT JOIN LATERAL (SELECT count(*) AS n FROM chat_messages m"
        " WHERE m.call_id = c.id) m ON true LEFT JOIN LATERAL (SELECT count(*) AS n"
        " FROM call_events e WHERE e.call_id = c.id AND e.kind = 'message_written') e ON true"
        " WHERE c.channel <> 'voice' AND m.n <> e.n",
        "13: the log of a conversation does not have its messages",
    ),
    (
        "SELECT DISTINCT c.id FROM calls c JOIN chat_messages m ON m.call_id = c.id"
        " AND m.author = 'child' LEFT JOIN chat_codes k ON k.call_id = c.id"
        " WHERE c.state = 'ended' AND c.answered_at IS NULL AND NOT c.blocked"
        " AND c.rings_only_id IS NULL AND m.erased_at IS NULL AND k.call_id IS NULL"
        " AND c.messages = 0",
        "13: no counsellor can read the words of a child who waited",
    ),
    (
        "SELECT m.id FROM chat_messages m JOIN calls c ON c.id = m.call_id"
        " LEFT JOIN chat_sent s ON s.message_id = m.id WHERE (s.id IS NOT NULL)"
        " <> (c.channel NOT IN ('voice', 'web') AND m.author <> 'child' AND m.kind = 'said')",
        "13: what is written to a child by a carrier is not on its way",
    ),
    (
        "SELECT c.id, c.state FROM calls c LEFT JOIN offers o"
        " ON o.call_id = c.id AND o.released_at IS NULL"
        " WHERE (c.state IN ('offered', 'connected') AND c.handed_to IS NULL)"
        " <> (o.id IS NOT NULL)",
        "3: call state and offer do not agree",
    ),
    (
        "SELECT a.counsellor_id FROM offers a JOIN offers b ON a.counsellor_id = b.counsellor_id"
        " AND a.id < b.id AND a.slot IS NOT DISTINCT FROM b.slot"
        " AND a.opened_at < coalesce(b.released_at, 'infinity')"
        " AND b.opened_at < coalesce(a.released_at, 'infinity')",
        "3: a counsellor held two calls at once",
    ),
    (
        "SELECT a.call_id FROM offers a JOIN offers b ON a.call_id = b.call_id AND a.id < b.id"
        " AND a.accepted_at < coalesce(b.released_at, 'infinity')"
        " AND b.accepted_at < coalesce(a.released_at, 'infinity')",
        "3: a call had two accepted offers at once",
    ),
)


def broken_on_the_phone(stage: Stage) -> list[str]:
    """Return what the exchange saw that must never happen."""
    found = [f"the provider complains: {fault}" for fault in stage.exchange.faults]
    for leg in stage.exchange.legs.values():
        if leg.direction == "inbound":
            found += _caller_troubles(stage, leg)
        else:
            found += _phone_troubles(stage, leg)
    return found


def _caller_troubles(stage: Stage, leg: Leg) -> list[str]:
    found = []
    if leg.ending in ("ran_out", "error", "rejected"):
        found.append(f"2: a caller was dropped ({leg.ending})")
    if leg.ending == "hangup" and not _was_sent_off(leg):
        found.append("2: a caller was hung up on without a goodbye")
    for at, quiet in leg.silences(leg.ended_at or stage.clock.now(), _LONGEST_SILENCE):
        found.append(f"2: a caller heard nothing for {quiet:.0f} s ({at:%H:%M:%S})")
    if leg.answered_at and not leg.heard:
        began = leg.answered_at
        if (leg.ended_at or stage.clock.now()) - began > timedelta(seconds=20):
            found.append("2: a caller heard nothing")
    for conference in stage.exchange.conferences.all.values():
        alone_since = None
        for at, talking in [*conference.talks, (stage.clock.now(), frozenset())]:
            if alone_since is not None and at - alone_since > _ALONE:
                found.append("2: a caller was alone in a conference")
            alone_since = at if talking == frozenset({leg.sid}) else None
    return found


def _was_sent_off(leg: Leg) -> bool:
    return bool(leg.heard) and any(
        word in leg.heard[-1].text for word in ("Hvala na pozivu", "Thank you for calling")
    )


def _phone_troubles(stage: Stage, leg: Leg) -> list[str]:
    others = [
        other
        for other in stage.exchange.legs.values()
        if other is not leg
        and other.to == leg.to
        and other.direction != "inbound"
        # A duty phone may be rung for two children at once.
        and other.to not in DUTY_PHONES
    ]
    for other in others:
        now = stage.clock.now()
        begins = max(leg.created_at, other.created_at)
        # One that ended in the very instant in which the next began did not ring beside it.
        overlap = begins < min(leg.ended_at or now, other.ended_at or now)
        if overlap and isinstance(leg.person, Phone) and leg.sid < other.sid:
            return [f"3: two legs to one counsellor at once ({leg.status}, {other.status})"]
    return []


async def broken_at_the_end(stage: Stage) -> list[str]:
    """Return what is broken after all have hung up: records, phones, sums and secrets."""
    found = await broken_now(stage)
    found += broken_on_the_phone(stage)
    inbound = {leg.sid: leg for leg in stage.exchange.legs.values() if leg.direction == "inbound"}
    rows = {
        row["provider_sid"]: row
        for row in await stage.rows(
            "SELECT * FROM calls WHERE direction = 'inbound' AND channel = 'voice'"
        )
    }
    if set(rows) != set(inbound):
        found.append(f"1: {len(inbound)} rings, {len(rows)} rows")
    staff = await stage.rows("SELECT endpoint FROM staff WHERE endpoint IS NOT NULL")
    ours = {row["endpoint"] for row in staff}
    for sid, row in rows.items():
        leg = inbound.get(sid)
        if leg is not None and leg.over and row["state"] != "ended":
            found.append(f"5: a caller is gone, and the call is {row['state']}")
        talked = leg is not None and _talked(stage, leg, ours)
        if leg is not None and leg.over and talked != (row["outcome"] == "answered"):
            found.append(f"9: talked is {talked}, and the record says {row['outcome']}")
    found += await _unwritten(stage)
    found += await _misread(stage)
    found += await _wrong_numbers(stage)
    found += await _outliving_phones(stage)
    found += await _open_numbers(stage, list(inbound.values()))
    async with stage.ground.database.sessions() as session:
        for report in await verify_chains(session):
            if report.broken:
                found.append(f"8: {report.table}: {report.broken}")
    return found


def _talked(stage: Stage, leg: Leg, ours: set[str]) -> bool:
    """Return whether the exchange had this caller in a started conference with another
    participant, or connected with one of our phones."""
    return any(bridge.other.to in ours for bridge in leg.bridges) or any(
        leg.sid in talking and len(talking) > 1
        for conference in stage.exchange.conferences.all.values()
        for _, talking in conference.talks
    )


async def _unwritten(stage: Stage) -> list[str]:
    """Check 9: every talk has one contact, and every contact has a reader."""
    rows = await stage.rows(
        "SELECT c.outcome, r.id AS contact, (SELECT count(*) FROM contact_readers"
        " WHERE contact_id = r.id) AS readers"
        " FROM calls c FULL JOIN contacts r ON r.call_id = c.id"
    )
    found = []
    for row in rows:
        if (row["outcome"] == "answered") != (row["contact"] is not None):
            found.append(f"9: a call that was {row['outcome']} and its contact do not agree")
        if row["contact"] is not None and not row["readers"]:
            found.append("9: a contact without a reader")
    return found


async def _misread(stage: Stage) -> list[str]:
    """Check 8: a person reads a contact if and only if they have a cause that is not over."""
    too_many = await stage.rows(readers.without_a_cause(stage.clock.now()))
    too_few = await stage.rows(readers.WITHOUT_READING)
    found = [f"8: {row['name']} reads a contact without a cause" for row in too_many]
    return found + [f"8: {row['name']} does not read a contact of theirs" for row in too_few]


async def _wrong_numbers(stage: Stage) -> list[str]:
    """Check 9: the statistics equal the calls, by outcome and in total, without a difference."""
    today = stage.clock.now().date()
    window = Window(today - timedelta(days=2), today + timedelta(days=2))
    async with transaction(stage.ground, PROGRAM) as work:
        asked = FiguresWanted(window, Period.HOUR, (Dimension.OUTCOME,))
        summary = await summarise(work, asked, reconciled=True)
    counted = Counter[str]()
    for row in summary.rows:
        if row.kind == CELL and row.group.sums["calls"]:
            counted[row.values[0]] += row.group.sums["calls"]
    rows = await stage.rows(
        # A caller who waited and left has abandoned; one who was told on arrival, turned away.
        "SELECT CASE WHEN c.outcome IN ('out_of_hours', 'no_counsellor_on_duty') THEN"
        " CASE WHEN c.queued_at IS NULL THEN 'turned_away' ELSE 'abandoned_in_queue' END"
        " WHEN c.channel <> 'voice' AND c.outcome = 'voicemail' THEN 'message_left'"
        " ELSE coalesce(c.outcome, 'open') END AS outcome, count(*) AS n FROM calls c"
        " LEFT JOIN lines l ON l.id = c.line_id WHERE NOT coalesce(l.practice, false)"
        " AND c.direction = 'inbound' GROUP BY 1"
    )
    found = []
    if dict(counted) != {row["outcome"]: row["n"] for row in rows}:
        found.append("9: the statistics do not say what the calls say")
    if summary.total.sums["calls"] != sum(counted.values()):
        found.append("9: a total is not the sum of its rows")
    if unexplained(reconcile(summary.total.sums, summary.recorded)):
        found.append("9: calls and contacts differ, and nothing explains it")
    return found


async def _outliving_phones(stage: Stage) -> list[str]:
    rows: list[dict[str, Any]] = await stage.rows(
        "SELECT l.provider_sid, c.ended_at FROM legs l JOIN calls c ON c.id = l.call_id"
        " WHERE c.state = 'ended' AND l.provider_sid IS NOT NULL"
    )
    found = []
    for row in rows:
        leg = stage.exchange.legs.get(row["provider_sid"])
        if leg is None:
            continue
        if not leg.over or (leg.ended_at and leg.ended_at - row["ended_at"] > _OUTLIVES):
            found.append("5: a phone outlived its caller")
    known = {
        row["provider_sid"]
        for row in await stage.rows(
            "SELECT provider_sid FROM legs UNION SELECT provider_sid FROM attempts"
            " UNION SELECT provider_sid FROM alarm_attempts"
            " UNION SELECT provider_sid FROM connection_tests"
            " UNION SELECT provider_sid FROM calls"
        )
    }
    found += [
        "5: a phone was rung without a row for it"
        for leg in stage.exchange.legs.values()
        if leg.direction == "outbound-api" and leg.sid not in known
    ]
    return found


async def _open_numbers(stage: Stage, legs: list[Leg]) -> list[str]:
    """Check 7: no number or name is in clear in any table, address or spoken text."""
    numbers = {leg.from_.lstrip("+") for leg in legs if leg.from_.startswith("+3816")}
    numbers |= {one.from_.lstrip("+") for one in stage.exchange.texts.came}
    # The numbers of counsellors' phones may be in clear.
    own = await stage.rows("SELECT endpoint FROM staff WHERE endpoint_kind = 'phone'")
    numbers -= {row["endpoint"].lstrip("+") for row in own}
    # The name that the counsellors of the scripted hour write.
    numbers.add("Zzorica")
    # One statement for all: to ask each table by itself takes as long as the rest of a short story.
    # A table without a page has no row, and to plan the look at it takes as long as the look.
    tables = await stage.rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r'"
        " AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0"
    )
    looked = " UNION ALL ".join(
        f"SELECT '{name}' AS name WHERE EXISTS (SELECT FROM \"{name}\" t"
        " WHERE t::text LIKE ANY (SELECT pattern FROM sought))"
        for name in (row["relname"] for row in tables)
    )
    held = await stage.rows(
        f"WITH sought AS (SELECT '%%' || unnest(%s::text[]) || '%%' AS pattern) {looked}",
        sorted(numbers),
    )
    found = [f"7: a caller's number or a child's name in clear in {row['name']}" for row in held]
    seen = [url for url, _ in stage.exchange.sender.sent]
    seen += [c.name for c in stage.exchange.conferences.all.values()]
    seen += [heard.text for leg in stage.exchange.legs.values() for heard in leg.heard]
    if any(number in text for number in numbers for text in seen):
        found.append("7: a caller's number where the provider sees it")
    return found
