"""What is due is erased from the page, without waiting for the night."""

from datetime import timedelta

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.contacts import completed
from tests.support.profile import nightly
from tests.support.referrals import page

NAME = "Јована"


@nightly
async def test_an_administrator_erases_at_once_what_is_due_and_the_log_says_who(
    stage: Stage,
) -> None:
    """By day the page erases in test_shorter_rules, and running in test_erasing."""
    ana = await stage.add_counsellor("ana", shift=False, state=None)
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    here = f"/contacts/{await completed(ana)}"
    rule = {"revision": "0", "contacts": "90"}
    assert "The rules are saved." in (await page(stage, mila, "/admin/retention", **rule)).text
    # By day, a hundred days later.
    stage.stepped.move_to((stage.clock.now() + timedelta(days=100)).replace(hour=12))
    for who in (ana, mila):
        await who.sign_in()
    assert (await ana.ask("POST", "/retention/run")).status_code == 403
    told = await page(stage, mila, "/admin/retention/run", sent="x")
    assert "What is due is being erased." in told.text
    await stage.settle()
    assert NAME not in str((await ana.ask("GET", here)).json())
    (receipt,) = (await mila.ask("GET", "/retention")).json()["receipts"]
    assert (receipt["kind"], receipt["rows"]) == ("contacts", 1)
    logged = await stage.rows(
        "SELECT actor, action FROM audit_entries "
        "WHERE action IN ('erasing_asked', 'content_erased') ORDER BY id"
    )
    assert [(row["actor"], row["action"]) for row in logged] == [
        (str(mila.id), "erasing_asked"),
        ("program", "content_erased"),
    ]
    # Once more erases nothing, and does no harm.
    assert (await mila.ask("POST", "/retention/run")).status_code == 202
    await stage.settle()
    assert len((await mila.ask("GET", "/retention")).json()["receipts"]) == 1
