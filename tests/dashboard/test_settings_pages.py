"""The pages of tokens and of the log: made, used, revoked; searched, with before and after."""

import ast
import inspect
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from app import words
from app.administration.own_settings import OWN
from app.dashboard.settings.log_pages import CHAIN_WORDS
from app.dashboard.settings.log_words import FIELD_WORDS
from app.dashboard.settings.own_setting_pages import LABELS
from app.dashboard.settings.token_pages import SCOPE_WORDS
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.people.log_check import ask_for_check
from app.retention.kinds import DataKind
from app.staff.audit import write_entry
from app.staff.log_checks import beginnings, chains, sealed_words
from app.staff.log_kinds import AuditLog
from app.staff.roles import Role
from app.staff.tokens import SCOPES
from app.work import PROGRAM
from tests.support.program import sources
from tests.support.program.quiet import QuietStage
from tests.support.referrals import page
from tests.support.verbs import an_agency
from tests.support.waiting import until


def test_each_scope_of_a_token_has_words() -> None:
    assert set(SCOPE_WORDS) == set(SCOPES)


async def test_a_token_is_made_read_once_used_and_revoked(quiet: QuietStage) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    refused = await page(quiet, mila, "/admin/tokens", name="warehouse", days="365")
    assert "A token is for one or more of" in refused.text
    assert 'value="warehouse"' in refused.text, "what was typed stays"
    made = await page(
        quiet, mila, "/admin/tokens", name="warehouse", days="30", scopes="statistics"
    )
    found = re.search(r"<code>(hl_[\w-]+)</code>", made.text)
    assert found
    assert made.headers["cache-control"] == "no-store"
    shown = (await page(quiet, mila, "/admin/tokens")).text
    assert found[1] not in shown, "it is shown once"
    figures = quiet.settings.public_url + "/api/v1/statistics/summary?from=2026-05-01&to=2026-05-02"
    bearer = {"Authorization": f"Bearer {found[1]}"}
    assert (await quiet.client.get(figures, headers=bearer)).status_code == 200
    assert (await page(quiet, mila, "/admin/tokens/revoke", name="warehouse")).status_code == 303
    assert (await quiet.client.get(figures, headers=bearer)).status_code == 401
    assert ": warehouse</span></button>" not in (await page(quiet, mila, "/admin/tokens")).text
    # The API does the same.
    again = await mila.ask("POST", "/tokens", {"name": "board", "scopes": ["single_calls"]})
    assert again.status_code == 201, again.text
    told = (await mila.ask("GET", "/tokens")).json()
    assert [(one["name"], bool(one["revoked_at"])) for one in told] == [
        ("board", False),
        ("warehouse", True),
    ]
    assert (await mila.ask("DELETE", "/tokens/board")).status_code == 204
    assert (await mila.ask("DELETE", "/tokens/board")).status_code == 404


async def test_the_page_says_why_a_token_stopped_with_the_role_of_its_maker(stage: Stage) -> None:
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    olga = await stage.add_counsellor("olga", role=Role.ADMINISTRATOR, shift=False, state=None)
    await page(stage, olga, "/admin/tokens", name="directory", days="30", scopes="accounts")
    await olga.ask("POST", "/wallboards", {"name": "Hall"})
    before = (await page(stage, mila, f"/admin/people/{olga.id}")).text
    assert before.index('id="made"') < before.index("directory") < before.index("Hall")
    about = (await mila.ask("GET", f"/people/{olga.id}")).json()
    changed = {"role": "auditor", "revision": about["revision"]}
    answer = await mila.ask("POST", f"/people/{olga.id}", changed)
    assert answer.status_code == 200, answer.text
    shown = (await page(stage, mila, "/admin/tokens")).text
    assert "stopped with the account or the role of olga, who made it" in shown
    (told,) = (await mila.ask("GET", "/tokens")).json()
    assert told["revoked_with"] == str(olga.id)
    still = (await mila.ask("GET", f"/people/{olga.id}")).json()["still_open"]
    assert (still["tokens"], still["wallboards"]) == (["directory"], ["Hall"])

    async def alarmed() -> bool:
        return 'id="left-open"' in (await page(stage, mila, "/admin/people")).text

    await until(alarmed, "the other administrators are told")


async def test_the_log_is_searched_and_shows_before_and_after(quiet: QuietStage) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    ana = await quiet.add_counsellor("ana", state=None)
    auditor = await quiet.add_counsellor("oto", role=Role.AUDITOR, shift=False, state=None)
    # A subject that is as long as an id, and is none.
    async with transaction(quiet.ground, PROGRAM) as work:
        write_entry(
            work, AuditLog.FIGURES_PUBLISHED, "x" * 36, rows=3, kinds=["a", "b"], whole=True
        )
    assert "x" * 36 in (await page(quiet, auditor, "/admin/log")).text
    told = (await mila.ask("GET", f"/people/{ana.staff.id}")).json()
    body = {"revision": told["revision"], "team": "north"}
    changed = await mila.ask("POST", f"/people/{ana.staff.id}", body)
    assert changed.status_code == 200, changed.text
    by_mila = f"/admin/log?person={mila.staff.id}&kind=staff_changed"
    shown = (await page(quiet, auditor, by_mila + "&subject=&since=&until=")).text
    rows = re.findall(r'<tr id="entry-\d+">.*?</tr>', shown, re.DOTALL)
    assert len(rows) == 1
    assert "<del>–</del> → <ins>north</ins>" in rows[0]
    assert ">ana</a>" in rows[0], "whom it is about is said by name"
    day = quiet.clock.now().date()
    assert rows[0] in (await page(quiet, auditor, by_mila + f"&since={day}&until={day}")).text
    for nothing in ("&subject=contact:none", f"&until={day.replace(year=2020)}"):
        answer = await page(quiet, auditor, by_mila + nothing)
        assert "No line matches. Widen the search." in answer.text
    assert (await page(quiet, mila, "/admin/log")).status_code == 403


async def test_the_logs_are_checked_from_the_page_and_a_forgery_is_shown(stage: Stage) -> None:
    auditor = await stage.add_counsellor("oto", role=Role.AUDITOR, shift=False, state=None)
    assert "The logs were never checked here." in (await page(stage, auditor, "/admin/log")).text
    # Asked for, and no job has got to it yet.
    async with transaction(stage.ground, PROGRAM) as work:
        write_entry(work, AuditLog.LOG_CHECK_ASKED, "audit_entries")
    assert "is under way" in (await page(stage, auditor, "/admin/log/check")).text
    async with transaction(stage.ground, PROGRAM) as work:
        ask_for_check(work)
    await stage.settle()
    assert "Every log is whole." in (await page(stage, auditor, "/admin/log/check")).text
    told = (await auditor.ask("GET", "/log/checks/last")).json()
    assert told["whole"]
    assert told["under_way_since"] is None
    assert told["begins"] is None
    assert "The log begins on" not in (await page(stage, auditor, "/admin/log")).text
    people = told["chains"][0]
    assert people["name"] == "audit_entries"
    (row,) = await stage.rows(
        "SELECT encode(hash, 'hex') AS hash FROM audit_entries WHERE id = %s", people["rows"]
    )
    assert people["head"] == row["hash"], "what a person writes down is the hash of the last row"
    await stage.watch.execute("SET session_replication_role = replica")
    await stage.watch.execute("UPDATE audit_entries SET subject = 'x' WHERE id = 1")
    assert (await page(stage, auditor, "/admin/log/check", ask="")).status_code == 303
    await stage.settle()
    shown = (await page(stage, auditor, "/admin/log")).text
    assert "A log is broken" in shown
    told = (await auditor.ask("GET", "/log/checks/last")).json()
    assert (told["whole"], told["chains"][0]["broken"]) == (False, [1])
    asked = (await auditor.ask("GET", "/log?action=log_check_asked")).json()
    assert [one["actor"] for one in asked] == [str(auditor.staff.id), "program", "program"]
    assert (await auditor.ask("GET", "/log?since=yesterday")).status_code == 422
    # The oldest part went by a rule.
    await stage.watch.execute(
        "INSERT INTO log_beginnings VALUES"
        " ('audit_entries', 1, '', 1, now(), now(), 1095, gen_random_uuid())"
    )
    shown = (await page(stage, auditor, "/admin/log")).text
    assert "earlier entries were erased after 1,095 days" in shown
    told = (await auditor.ask("GET", "/log/checks/last")).json()
    assert (told["begins"]["days"], told["begins"]["entries"]) == (1095, 1)
    await _is_held(stage, auditor)


async def _is_held(stage: Stage, auditor: Counsellor) -> None:
    """What would be erased of the log stays for a record that is held, and the dry run says so."""
    held, at = uuid4(), datetime(2019, 5, 1, 12, tzinfo=UTC)
    await stage.watch.execute(
        "INSERT INTO retention_rules (kind, days, decided_by) VALUES ('log', 1095, 'helpline')"
    )
    await stage.watch.execute(
        "UPDATE audit_entries SET at = %s, subject = %s WHERE id = 1", (at, f"case:{held}")
    )
    await stage.watch.execute(
        "INSERT INTO legal_holds (id, subject_kind, subject_id, reason_sealed, held_at)"
        " VALUES (gen_random_uuid(), 'case', %s, '', now())",
        (held,),
    )
    (due,) = [
        one
        for one in (await auditor.ask("GET", "/retention/dry-run")).json()
        if one["kind"] == "log"
    ]
    assert (due["rows"], datetime.fromisoformat(due["held_from"])) == (0, at)
    shown = (await page(stage, auditor, "/admin/retention")).text
    assert "on it is kept: a record is held." in shown


@pytest.mark.whole
def test_each_field_of_the_log_has_words() -> None:
    named: set[str] = {*OWN, *DataKind}
    for path in sources.having("write_entry", "write_reading", "_for_log", "_logged"):
        for node in sources.nodes(path):
            if isinstance(node, ast.Call):
                if getattr(node.func, "id", "") in ("write_entry", "write_reading"):
                    named |= {keyword.arg or "" for keyword in node.keywords}
                    named |= _keys(
                        one.value for one in node.keywords if one.arg in ("before", "after")
                    )
            # What is logged before and after has a function of its own where it is long.
            elif str(getattr(node, "name", "")).endswith(("_for_log", "_logged")):
                named |= _keys([node])
    assert len(named) > 120
    assert named - {"before", "after", ""} <= set(FIELD_WORDS) | set(LABELS)


def _keys(nodes: Iterable[ast.AST]) -> set[str]:
    return {
        key.value
        for node in nodes
        for one in ast.walk(node)
        if isinstance(one, ast.Dict)
        for key in one.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


def test_each_log_that_is_checked_has_words() -> None:
    sources = "".join(inspect.getsource(one) for one in (chains, beginnings, sealed_words))
    # From checks before there were checksums.
    for name in set(CHAIN_WORDS) - {"resealed_words"}:
        table = name.removeprefix(sealed_words.WORDS_OF)
        assert f'"{table}"' in sources


async def test_an_agency_gets_a_secret_and_a_password_on_a_page(quiet: QuietStage) -> None:
    olga = await quiet.add_counsellor("olga", role=Role.REFERRAL_OFFICER, shift=False, state=None)
    async with transaction(quiet.ground, PROGRAM) as work:
        await an_agency(work, "house")
    shown = (await page(quiet, olga, "/agencies/house/keys")).text
    assert "Without a secret, no event is sent." not in shown, "it has no address for events"
    refused = await page(quiet, olga, "/agencies/house/password", password="open sesame")
    assert "First enter the address and account of its system" in refused.text
    assert "open sesame" not in refused.text
    made = await page(quiet, olga, "/agencies/house/secret", make="")
    secret = re.search(r"<code>(whsec_[^<]+)</code>", made.text)
    assert secret, made.text
    assert made.headers["cache-control"] == "no-store"
    again = (await page(quiet, olga, "/agencies/house/keys")).text
    assert secret[1] not in again, "it is shown once"
    assert (await page(quiet, olga, "/agencies/nobody/keys")).status_code == 404
    assert "Its secret and password" in (await page(quiet, olga, "/agencies/house/entry")).text


async def test_numbers_of_pages_are_written_as_the_language_of_the_reader_writes_them(
    quiet: QuietStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # To read the catalogues of all languages takes a second.
    monkeypatch.setattr(words, "written", lambda: ("sr",))
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    english = (await page(quiet, mila, "/admin/languages")).text
    assert re.search(r"\b\d,\d{3} of \d,\d{3}\b", english)
    await page(quiet, mila, "/page-language", language="sr")
    serbian = (await page(quiet, mila, "/admin/languages")).text
    assert re.search(r"\b\d\.\d{3} od \d\.\d{3}\b", serbian)
    free = {"day": "2030-03-04", "name": "Dan linije", "free": True}
    assert (await mila.ask("POST", "/roster/holidays", free)).status_code < 300
    rota = (await page(quiet, mila, "/roster")).text
    assert "4. 3. 2030. Dan linije" in rota
