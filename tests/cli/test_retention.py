"""`helpline retention …` on a database with one contact."""

import asyncio
from collections.abc import Iterator
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


@pytest.fixture
def on_a_database(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands are run on a database of this test."""
    monkeypatch.setenv("HELPLINE_DATABASE_URL", database)
    monkeypatch.setenv("HELPLINE_DATA_DIR", str(tmp_path))
    yield
    set_up_logging("ERROR")


@pytest.mark.usefixtures("on_a_database")
def test_a_rule_is_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(capsys, "retention", "set", "contacts", "90") == (0, "")
    assert "contacts\t90 days\tdefault for-ever" in run_main(capsys, "retention", "list")[1]
    for days, refusal in (("ninety", "Give a number of days"), ("3", "90 to 36500 days")):
        failed, said = run_main(capsys, "retention", "set", "contacts", days)
        assert failed
        assert refusal in said


@nightly
@pytest.mark.usefixtures("on_a_database")
def test_a_record_is_held_and_let_go_by_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    """By day the documented commands do so (test_documented_commands)."""
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
