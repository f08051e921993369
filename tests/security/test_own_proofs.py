"""Passwords and sessions as the standard wants them."""

import importlib.util
import re
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from uuid import UUID

import pytest
from sqlalchemy import text

import app
from app.staff import accounts, hashing, passwords, session_tokens
from app.staff.hashing import password_is_right
from app.staff.roles import Role
from app.staff.sessions import Duty
from app.work import Work

TEMPLATES = Path(app.__file__).parent / "dashboard/templates"
# Of letters that have a short and a long form, with spaces at both ends, and long.
LONG = "  Ångström žuti ЗЕЛЕНИ ﬁ " + "x y 7!" * 20 + " "


async def test_a_long_password_of_any_letters_counts_as_it_was_typed(work: Work) -> None:
    assert len(LONG) > 128
    staff = await accounts.add_staff(work, name="ana", role=Role.COUNSELLOR, password=LONG)
    assert await password_is_right(staff, LONG)
    for other in (LONG.strip(), LONG[:-1], LONG[:72], LONG.lower(), LONG.replace("ﬁ", "fi")):
        assert not await password_is_right(staff, other), other


async def test_passwords_are_kept_by_argon2(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    # As in service: the tests hash at the least cost.
    monkeypatch.setattr(hashing, "HASHER", in_service().HASHER)
    staff = await accounts.add_staff(work, name="ana", role=Role.COUNSELLOR, password=LONG)
    again = await accounts.add_staff(work, name="vera", role=Role.COUNSELLOR, password=LONG)
    assert staff.password_hash
    found = re.fullmatch(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=\d+\$.+", staff.password_hash)
    assert found, "the kind and what it costs"
    assert int(found[1]) >= 64 * 1024
    assert int(found[2]) >= 3
    # With a salt of its own.
    assert staff.password_hash != again.password_hash


def in_service() -> ModuleType:
    """Load the module anew, without what the tests have changed in it."""
    spec = importlib.util.find_spec("app.staff.hashing")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_a_password_does_not_end_by_age(work: Work) -> None:
    staff = await accounts.add_staff(work, name="ana", role=Role.COUNSELLOR, password=LONG)
    await work.session.flush()
    work.now += timedelta(days=5 * 365)
    assert await session_tokens.staff_of_session(
        work, await session_tokens.open_session(work, staff), _idle
    )
    assert await password_is_right(staff, LONG)


async def _idle(*_: object) -> dict[UUID, Duty]:
    """No person is at work."""
    return {}


async def test_a_session_has_a_token_of_its_own_that_no_table_holds(work: Work) -> None:
    staff = await accounts.add_staff(work, name="ana", role=Role.COUNSELLOR, password=LONG)
    tokens = [await session_tokens.open_session(work, staff) for _ in range(3)]
    await work.session.flush()
    assert len(set(tokens)) == 3
    # 256 random bits, as letters of 6 bits each.
    assert all(re.fullmatch(r"[\w-]{43}", one) for one in tokens)
    rows = (
        await work.session.execute(text("SELECT to_jsonb(s)::text FROM staff_sessions s"))
    ).all()
    assert len(rows) == 3
    for token in tokens:
        assert not [row for row in rows if token in row[0] or token.encode().hex() in row[0]]
        assert await session_tokens.staff_of_session(work, token, _idle)
    # A new password gives up all of them but the one at which it was chosen.
    staff.password_hash = await hashing.hash_password(LONG)
    await passwords.change_own(work, staff, LONG, "violet kettle under snow", tokens[0])
    await work.session.flush()
    rest = (await work.session.execute(text("SELECT count(*) FROM staff_sessions"))).scalar_one()
    assert rest == 1


def test_fields_of_passwords_are_masked_and_leave_managers_alone() -> None:
    found = []
    for file in TEMPLATES.rglob("*.html"):
        for field in re.findall(r"<input[^>]*>", file.read_text()):
            if re.search(r'name="(password|new|again|present|proof|pin)"', field):
                found.append((file.name, field))  # noqa: PERF401
    # A code of a telephone is shown as it is typed: it counts once.
    found = [one for one in found if "one-time-code" not in one[1]]
    assert len(found) >= 10
    for name, field in found:
        assert 'type="password"' in field, name
        assert "onpaste" not in field, name
        known = re.search(r'autocomplete="(current-password|new-password|off)"', field)
        assert known, name
        # Only what is no password of the reader is kept out of their manager.
        if known[1] == "off":
            assert "pin" in field or "numeric" in field or name == "agency_keys.html", name
    for script in (TEMPLATES.parent / "static/source").rglob("*.js"):
        assert not re.search(r"\"paste\"[^}]*preventDefault", script.read_text()), script.name
