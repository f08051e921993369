"""Names in place of the ids of the log, and codes of records, for who may open them."""

import ast
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from app.calls.lines.line_rows import Line
from app.contacts import contacts
from app.contacts.states import ContactChannel
from app.dashboard.settings.log_pages import values_of
from app.jobs.transaction import send_rows
from app.people.log_names import BARE, Name, names_in, subject_name, subjects_named
from app.referrals.directory.agencies import agency_of_code
from app.staff import accounts
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.staff.roles import Role
from app.words.pages import spoken_in
from app.work import Work
from tests.support.program import sources
from tests.support.verbs import (
    a_counsellor,
    a_line,
    a_referral,
    a_supervisor,
    an_agency,
)


def entry(subject: str, action: AuditLog = AuditLog.STAFF_CHANGED, **detail: Any) -> AuditEntry:
    return AuditEntry(actor="program", action=action.value, subject=subject, detail=detail)


async def an_auditor(work: Work) -> Staff:
    return await accounts.add_staff(work, name="oto", role=Role.AUDITOR, endpoint="browser")


def test_a_switch_of_the_log_says_yes_or_no_in_the_language_of_its_reader() -> None:
    row = entry("", before={"training": False}, after={"training": True})
    for language, words in (("en", ("no", "yes")), ("sr", ("ne", "da"))):
        with spoken_in(language):
            (found,) = values_of(row, {})
        assert (found.before, found.after) == ([Name(words[0])], [Name(words[1])])


def test_a_language_of_the_log_is_said_by_its_name() -> None:
    row = entry("", before={"page_language": "en"}, after={"page_language": "sr-Cyrl"})
    calls = entry("", languages=["mk", "ar"])
    with spoken_in("sr"):
        (found,), (spoken,) = values_of(row, {}), values_of(calls, {})
    said = [one.text for one in (*found.before, *found.after, *spoken.after)]
    assert said == ["engleski", "srpski (ćirilica)", "makedonski", "arapski"]


def test_a_field_of_the_log_says_what_it_means_in_its_kind_of_entry() -> None:
    named = {
        (AuditLog.CONVERSATION_READ, "left"): "message that was left",
        (AuditLog.RECOVERY_CODE_USED, "left"): "remaining",
        (AuditLog.EMERGENCY_REVIEWED, "fitting"): "was it right to open",
        (AuditLog.CALLBACK_ANSWERED, "said"): "who answered",
    }
    with spoken_in("en"):
        for (action, field), words in named.items():
            (found,) = values_of(entry("", action, **{field: 2}), {})
            assert found.name == words


def test_a_time_of_the_log_is_said_in_the_language_of_its_reader() -> None:
    row = entry("", before={}, after={"from": "2026-12-24T07:00:00+00:00", "on": "2026-12-24"})
    for language, instant, day in (
        ("en", "Dec 24, 2026, 07:00 UTC", "Dec 24, 2026"),
        ("sr", "24. 12. 2026. 07:00 UTC", "24. 12. 2026."),
    ):
        with spoken_in(language):
            since, on = values_of(row, {})
        assert (since.after[0].text, on.after[0].text) == (instant, day)
        # The page says it in the zone of the helpline, and its script in that of the part.
        assert since.after[0].at == datetime(2026, 12, 24, 7, tzinfo=UTC)
    odd = entry("", before={}, after={"code": "2026-13-99"})
    assert values_of(odd, {})[0].after == [Name("2026-13-99")]


async def test_ids_of_people_lines_and_agencies_are_names(work: Work) -> None:
    await a_line(work)
    await an_agency(work, "house")
    line = (await work.session.scalars(select(Line))).one()
    ana, oto = await a_counsellor(work, "ana"), await an_auditor(work)
    house = await agency_of_code(work, "house")
    stranger = str(uuid4())
    rows = [
        entry(str(ana.id), lines=[str(line.id), stranger], agency=str(house.id)),
        entry(f"agency:{house.code}", before={"owner": None}, after={"owner": str(ana.id)}),
        entry("referral:none", AuditLog.REFERRAL_DISCLOSED, to="house"),
        entry("sms", to="house"),
    ]
    names = await names_in(work, oto, rows)
    assert [subject_name(one.subject, names).text for one in rows] == [
        "ana",
        "House",
        "referral:none",
        "sms",
    ]
    lines, agency = values_of(rows[0], names)
    assert [part.text for part in lines.after] == ["Plavi telefon", stranger]
    assert agency.after == [Name("House")]
    (owner,) = values_of(rows[1], names)
    assert (owner.before, owner.after, owner.changed) == ([], [Name("ana")], True)
    assert values_of(rows[2], names)[0].after == [Name("House")]
    assert values_of(rows[3], names)[0].after == [Name("house")], "a word that is no agency"


async def test_a_record_shows_its_code_and_leads_there_only_who_may_open_it(work: Work) -> None:
    await a_line(work)
    await an_agency(work, "house")
    ana, oto = await a_counsellor(work, "ana"), await an_auditor(work)
    vera = await a_supervisor(work)
    other = await a_supervisor(work, "vesna", in_team="north")
    made, _saved = await contacts.create_contact(work, ana, channel=ContactChannel.WALK_IN)
    await send_rows(work)
    referral = await a_referral(work, ana)
    await work.session.flush()
    rows = [
        entry(f"contact:{made.id}"),
        entry("contacts", ids=[str(made.id), str(referral.id)]),
    ]
    for reader, opens in ((oto, False), (vera, True), (other, False)):
        names = await names_in(work, reader, rows)
        address = f"/contacts/{made.id}" if opens else ""
        assert subject_name(rows[0].subject, names)[:2] == (f"Contact {made.code}", address)
        (ids,) = values_of(rows[1], names)
        assert [part.text for part in ids.after] == [made.code, referral.code]
        assert [bool(part.address) for part in ids.after] == [opens, opens]


async def test_the_log_is_searched_by_what_its_lines_show(work: Work) -> None:
    await a_line(work)
    await an_agency(work, "house")
    ana = await a_counsellor(work, "ana")
    made, _saved = await contacts.create_contact(work, ana, channel=ContactChannel.WALK_IN)
    await send_rows(work)
    await work.session.flush()
    line = (await work.session.scalars(select(Line))).one()
    house = await agency_of_code(work, "house")
    assert await subjects_named(work, "ana") == (str(ana.id),)
    # A phone begins a word with a capital letter, and a number is typed with spaces.
    for written in (
        "Plavi telefon",
        "plavi Telefon",
        line.number,
        f" {line.number[:4]} {line.number[4:]}",
    ):
        assert await subjects_named(work, written) == (str(line.id),)
    assert await subjects_named(work, "Ana") == (str(ana.id),)
    assert set(await subjects_named(work, "House")) == {"agency:house", str(house.id)}
    for written in (made.code, f"Contact {made.code}"):
        assert await subjects_named(work, written) == (f"contact:{made.id}", str(made.id))
    assert await subjects_named(work, "nobody") == ()


def test_a_subject_that_is_no_row_is_said_in_words() -> None:
    written = {
        node.args[2].value
        for _path, tree in sources.naming("write_entry", "write_reading")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and len(node.args) > 2
        if getattr(node.func, "id", "") in ("write_entry", "write_reading")
        if isinstance(node.args[2], ast.Constant)
    }
    assert {"settings", "contacts"} <= written <= set(BARE)
    assert subject_name("settings", {}) == Name("Times and limits")
