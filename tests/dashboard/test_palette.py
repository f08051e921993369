"""What the command palette offers: only what its reader may open, and never a child's name."""

from typing import Any

import pytest

from app.contacts.cases.cases import open_case
from app.dashboard import palette
from app.dashboard.palette import CodeWanted
from app.dashboard.places import PLACES
from app.staff import accounts
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import Work
from tests.support.verbs import a_counsellor, a_line, a_referral, an_agency


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What was logged before it was answered; here it is not committed apart."""
    found: list[tuple[str, dict[str, Any]]] = []

    async def kept(work: Work, action: AuditLog, subject: str, **detail: Any) -> None:
        found.append((subject, detail))

    monkeypatch.setattr(palette, "write_reading", kept)
    return found


async def person(work: Work, name: str, role: Role, team: str = "") -> Staff:
    return await accounts.add_staff(work, name=name, role=role, team=team)


async def offered(work: Work, staff: Staff, code: str = "") -> list[dict[str, str]]:
    found: list[dict[str, str]] = (await palette.palette(work, staff, CodeWanted(code=code)))[
        "entries"
    ]
    return found


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_is_offered_its_own_pages_and_acts(work: Work, role: Role) -> None:
    found = await offered(work, await person(work, "one", role))
    pages = [one["go"] for one in found if one["key"].startswith("page ")]
    expected = {
        Role.COUNSELLOR: 7,
        Role.SUPERVISOR: len(PLACES),
        Role.ADMINISTRATOR: 5,
        Role.REFERRAL_OFFICER: 7,
        Role.AUDITOR: 4,
    }
    assert len(pages) == expected[role], pages
    takes_calls = role in (Role.COUNSELLOR, Role.SUPERVISOR)
    assert ("be-break" in {one["key"] for one in found}) is takes_calls
    assert "sign-out" in {one["key"] for one in found}


async def test_people_are_those_of_a_supervisors_own_team(work: Work) -> None:
    jelena = await person(work, "Jelena", Role.SUPERVISOR, "north")
    ana = await person(work, "Ana", Role.COUNSELLOR, "north")
    await person(work, "Boris", Role.COUNSELLOR, "south")
    shown = [one for one in await offered(work, jelena) if one["key"].startswith("person")]
    assert [one["words"] for one in shown] == ["Ana", "Jelena"]
    assert shown[0]["go"] == f"/team#person-{ana.id}"
    olga = await person(work, "Olga", Role.ADMINISTRATOR)
    all_ = [one for one in await offered(work, olga) if one["key"].startswith("person")]
    assert [one["words"] for one in all_] == ["Ana", "Boris", "Jelena", "Olga"]
    assert all_[0]["go"] == f"/admin/people/{ana.id}"
    assert not [one for one in await offered(work, ana) if one["key"].startswith("person")]


async def test_a_code_finds_only_what_its_reader_may_read(
    work: Work, readings: list[tuple[str, dict[str, Any]]]
) -> None:
    await a_line(work)
    await an_agency(work, "police")
    ana, boris = await a_counsellor(work, "Ana"), await a_counsellor(work, "Boris")
    case = await open_case(work, ana, [])
    referral = await a_referral(work, ana)
    await work.session.flush()
    for row, where in ((case, "cases"), (referral, "referrals")):
        # As it stands, without its hyphens, and in small letters with spaces.
        for typed in (row.code, row.code.replace("-", ""), row.code.lower().replace("-", " ")):
            found = await offered(work, ana, typed)
            assert [(one["words"], one["go"]) for one in found] == [
                (row.code, f"/{where}/{row.id}")
            ]
        assert readings[-1] == (where, {"by": ["code"], "ids": [str(row.id)]})
        assert await offered(work, boris, row.code) == []
        assert readings[-1] == (where, {"by": ["code"], "ids": []})
    assert await offered(work, await person(work, "Olga", Role.AUDITOR), case.code) == []


async def test_a_code_is_found_in_the_other_script(
    work: Work, readings: list[tuple[str, dict[str, Any]]]
) -> None:
    ana = await a_counsellor(work, "Ana")
    case = await open_case(work, ana, [])
    case.code = "C-7B3-9AD-2EK"
    await work.session.flush()
    assert [one["words"] for one in await offered(work, ana, "Ц-7Б3-9АД-2ЕК")] == [case.code]


async def test_what_is_no_code_asks_for_nothing(
    work: Work, readings: list[tuple[str, dict[str, Any]]]
) -> None:
    ana = await a_counsellor(work, "Ana")
    for typed in ("Jovana Petrović", "C-7F3", "X-7F3-9QD-2XC", "\x00", "%"):
        assert await offered(work, ana, typed) == []
    assert readings == []
