"""`helpline retention …` on a database with one contact."""

import asyncio
from pathlib import Path

import pytest

from app.contacts.contacts import create_contact
from app.contacts.states import ContactChannel
from app.jobs.transaction import transaction
from app.log import set_up_logging
from app.reading_settings import read_settings
from app.staff import accounts
from app.staff.roles import Role
from app.work import PROGRAM, make_ground
from tests.support.command_line import run_main
from tests.support.profile import nightly


async def _a_contact() -> str:
    """Add a contact; return its code."""
    ground = make_ground(read_settings())
    async with transaction(ground, PROGRAM) as work:
        ana = await accounts.add_staff(work, name="ana", role=Role.COUNSELLOR)
        contact, _ = await create_contact(work, ana, channel=ContactChannel.EMAIL)
    await ground.database.close()
    return contact.code


def test_a_rule_is_set(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HELPLINE_DATABASE_URL", database)
    monkeypatch.setenv("HELPLINE_DATA_DIR", str(tmp_path))
    assert run_main(capsys, "retention", "set", "contacts", "90") == (0, "")
    assert "contacts\t90 days\tdefault for-ever" in run_main(capsys, "retention", "list")[1]
    for days, refusal in (("ninety", "Give a number of days"), ("3", "90 to 36500 days")):
        failed, said = run_main(capsys, "retention", "set", "contacts", days)
        assert failed
        assert refusal in said
    set_up_logging("ERROR")


@nightly
def test_a_record_is_held_and_let_go_by_its_code(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By day the documented commands do so (test_documented_commands)."""
    monkeypatch.setenv("HELPLINE_DATABASE_URL", database)
    monkeypatch.setenv("HELPLINE_DATA_DIR", str(tmp_path))
    code = asyncio.run(_a_contact())
    assert run_main(capsys, "retention", "set", "contacts", "90") == (0, "")
    assert run_main(capsys, "retention", "hold", code, "--reason", "A court asks for it.") == (
        0,
        "",
    )
    assert f"held\t{code}\tsince" in run_main(capsys, "retention", "list")[1]
    failed, said = run_main(capsys, "retention", "hold", code, "--reason", "A court asks for it.")
    assert failed
    assert "held already" in said
    assert run_main(capsys, "retention", "lift", code.lower()) == (0, "")
    assert "held" not in run_main(capsys, "retention", "list")[1]
    assert "contacts\t90 days\t0\toldest -" in run_main(capsys, "retention", "dry-run")[1]
    assert run_main(capsys, "retention", "run") == (0, "")
    set_up_logging("ERROR")
