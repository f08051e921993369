"""The directory of agencies and their mandates."""

from app.staff.roles import Role
from tests.support.program.quiet import QuietStage


async def test_a_mandate_is_not_taken_silently(quiet: QuietStage) -> None:
    olga = await quiet.add_counsellor("olga", role=Role.REFERRAL_OFFICER, shift=False, state=None)
    body = {"sector": "police", "services": "police", "email": "a@x.example"}
    one = {**body, "code": "aa", "name": "A", "mandated_for": "police@*"}
    assert (await olga.ask("POST", "/agencies", one)).status_code == 200
    two = await olga.ask("POST", "/agencies", {**one, "code": "bb", "name": "B"})
    assert "is the mandate of aa" in two.json()["detail"]
    unknown = await olga.ask(
        "POST", "/agencies", {**body, "code": "cc", "name": "C", "deputy": "zz"}
    )
    assert "there is no agency 'zz'" in unknown.json()["detail"]
