"""`helpline retention …` on a database with one contact."""

import asyncio
import sys
from pathlib import Path

import pytest

from app.cli import main
from app.contacts.contacts import create_contact
from app.contacts.states import ContactChannel
from app.jobs.transaction import transaction
from app.log import set_up_logging
from app.reading_settings import read_settings
from app.staff import accounts
from app.staff.roles import Role
from app.work import PROGRAM, make_ground


async def _a_contact() -> str:
    """Add a contact; return its code."""
    ground = make_ground(read_settings())
    async with transaction(ground, PROGRAM) as work:
        ana = await accounts.add_staff(work, name="ana", role=Role.COUNSELLOR)
        contact, _ = await create_contact(work, ana, channel=ContactChannel.EMAIL)
    await ground.database.close()
    return contact.code


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["helpline", "retention", *words])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.out + said.err


def test_a_rule_is_set_and_a_record_is_held_and_let_go_by_its_code(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HELPLINE_DATABASE_URL", database)
    monkeypatch.setenv("HELPLINE_DATA_DIR", str(tmp_path))
    code = asyncio.run(_a_contact())
    assert _run(capsys, "set", "contacts", "90") == (0, "")
    assert "contacts\t90 days\tdefault for-ever" in _run(capsys, "list")[1]
    for days, refusal in (("ninety", "Give a number of days"), ("3", "90 to 36500 days")):
        failed, said = _run(capsys, "set", "contacts", days)
        assert failed
        assert refusal in said
    assert _run(capsys, "hold", code, "--reason", "A court asks for it.") == (0, "")
    assert f"held\t{code}\tsince" in _run(capsys, "list")[1]
    failed, said = _run(capsys, "hold", code, "--reason", "A court asks for it.")
    assert failed
    assert "held already" in said
    assert _run(capsys, "lift", code.lower()) == (0, "")
    assert "held" not in _run(capsys, "list")[1]
    assert "contacts\t90 days\t0\toldest -" in _run(capsys, "dry-run")[1]
    assert _run(capsys, "run") == (0, "")
    set_up_logging("ERROR")
