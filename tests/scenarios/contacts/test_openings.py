"""The child rings back at night, and the colleague who knows it is asleep."""

from datetime import timedelta

from app.contacts import openings
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.calls.callers import hangs_up_unheard, talks_unheard
from tests.support.contacts import completed, desk_page, write
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage

CHILD = "+381641234567"


WHY = {"reason": "She says that it is as it was in June."}


async def _known(stage: Stage) -> tuple[Counsellor, Counsellor, str]:
    """A child whom ana knows, and who talks with bora now; the id of bora's contact."""
    ana = await stage.add_counsellor("ana")
    call = await talks_unheard(stage, ana, CHILD, over=True)
    first = (await ana.ask("GET", f"/calls/{call}/contact")).json()["id"]
    await write(ana, first, {"contact.headline": "June", "actions.summary": "Her uncle."})
    stage.stepped.move_to(stage.clock.now() + timedelta(seconds=5))
    bora = await stage.add_counsellor("bora")
    call = await talks_unheard(stage, bora, CHILD)
    mine = (await bora.ask("GET", f"/calls/{call}/contact")).json()["id"]
    return ana, bora, str(mine)


async def test_a_counsellor_in_a_talk_opens_earlier_contacts_for_a_reason(
    quiet: QuietStage,
) -> None:
    ana, bora, mine = await _known(quiet)
    (earlier,) = await quiet.rows("SELECT id, code FROM contacts WHERE headline = 'June'")
    assert (await bora.ask("GET", f"/contacts/{earlier['id']}")).status_code == 404
    (call,) = await quiet.rows("SELECT id FROM calls WHERE ended_at IS NULL")
    wish = {"wish": "never"}
    (await bora.ask("POST", f"/calls/{call['id']}/wishes", wish)).raise_for_status()
    # The card of the caller on her desk says the wish, and holds the way to open them.
    shown = await desk_page(quiet, bora)
    assert "Never with <strong>bora</strong>" in shown
    assert f"/api/v1/contacts/{mine}/open-earlier" in shown
    assert (
        await bora.ask("POST", f"/contacts/{mine}/open-earlier", {"reason": " "})
    ).status_code == 422
    # A contact by e-mail is no ground, nor is the talk of a colleague.
    by_mail = await completed(bora)
    assert (await bora.ask("POST", f"/contacts/{by_mail}/open-earlier", WHY)).status_code == 403
    vera = await quiet.add_counsellor("vera", state=None)
    assert (await vera.ask("POST", f"/contacts/{mine}/open-earlier", WHY)).status_code == 404
    opened = await bora.ask("POST", f"/contacts/{mine}/open-earlier", WHY)
    assert [one["code"] for one in opened.json()] == [earlier["code"]]
    shown = await desk_page(quiet, bora)
    assert earlier["code"] in shown
    assert "open-earlier" not in shown
    read = await bora.ask("GET", f"/contacts/{earlier['id']}")
    assert read.json()["answers"]["actions.summary"] == "Her uncle."
    # It was logged before it was read; the owner and a supervisor see it, with the reason.
    log = await quiet.rows(
        "SELECT action FROM audit_entries WHERE subject = %s ORDER BY id",
        f"contact:{earlier['id']}",
    )
    assert [row["action"] for row in log][-2:] == ["contact_opened_for_reason", "contact_read"]
    for who in (ana, await quiet.add_counsellor("chief", role=Role.SUPERVISOR, state=None)):
        (seen,) = (await who.ask("GET", "/openings")).json()
        assert (seen["reader"], seen["reason"]) == ("bora", WHY["reason"])
        assert seen["contacts"] == [earlier["code"]]
    assert (await bora.ask("GET", "/openings")).json() == []
    # It may be read, and not written.
    late = {"changes": [{"path": "actions.summary", "value": "x", "base": 9}]}
    assert (await bora.ask("PUT", f"/contacts/{earlier['id']}/answers", late)).status_code == 404
    assert (await bora.ask("POST", f"/contacts/{mine}/open-earlier", WHY)).status_code == 409
    # It ends after the shift, by its job.
    await bora.be("off_duty")
    quiet.stepped.move_to(quiet.clock.now().replace(hour=23, minute=50))
    (opening,) = await quiet.rows("SELECT id FROM openings")
    async with transaction(quiet.ground, PROGRAM) as work:
        await openings.close_opening(work, opening["id"])
    await bora.sign_in()
    assert (await bora.ask("GET", f"/contacts/{earlier['id']}")).status_code == 404


@nightly
async def test_a_supervisor_reviews_it(quiet: QuietStage) -> None:
    ana, bora, mine = await _known(quiet)
    chief = await quiet.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    (earlier,) = await quiet.rows("SELECT id FROM contacts WHERE headline = 'June'")
    await bora.ask("POST", f"/contacts/{mine}/open-earlier", WHY)
    (seen,) = (await chief.ask("GET", "/openings")).json()
    path = f"/openings/{seen['id']}/review"
    for who, status in ((bora, 404), (ana, 403)):
        assert (await who.ask("POST", path, {"fitting": True})).status_code == status
    assert (await chief.ask("POST", path, {"fitting": False})).status_code == 422
    done = await chief.ask("POST", path, {"fitting": False, "words": "Ring me first."})
    assert done.status_code == 204
    assert (await bora.ask("GET", f"/contacts/{earlier['id']}")).status_code == 404
    assert (await chief.ask("GET", "/openings")).json() == []
    assert (await chief.ask("POST", path, {"fitting": True})).status_code == 404


@nightly
async def test_a_talk_of_this_morning_opens_nothing(quiet: QuietStage) -> None:
    _, bora, mine = await _known(quiet)
    (call,) = await quiet.rows("SELECT id FROM calls WHERE ended_at IS NULL")
    await hangs_up_unheard(quiet, call["id"])
    await bora.be("off_duty")
    quiet.stepped.move_to(quiet.clock.now().replace(hour=13))
    assert (await bora.ask("POST", f"/contacts/{mine}/open-earlier", WHY)).status_code == 403


@nightly
async def test_a_counsellor_who_has_become_the_owner_may_go_on_reading(quiet: QuietStage) -> None:
    _, bora, mine = await _known(quiet)
    chief = await quiet.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    (earlier,) = await quiet.rows("SELECT id FROM contacts WHERE headline = 'June'")
    await bora.ask("POST", f"/contacts/{mine}/open-earlier", WHY)
    given = await chief.ask("POST", f"/contacts/{earlier['id']}/assign", {"staff_id": str(bora.id)})
    assert given.status_code == 200, given.text
    (seen,) = (await chief.ask("GET", "/openings")).json()
    body = {"fitting": False, "words": "Ring me first."}
    assert (await chief.ask("POST", f"/openings/{seen['id']}/review", body)).status_code == 204
    assert (await bora.ask("GET", f"/contacts/{earlier['id']}")).status_code == 200
