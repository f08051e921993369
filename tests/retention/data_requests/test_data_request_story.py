"""A request about a person's data from the first click to the provider, as its people see it."""

import json
import re
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, Stage
from app.jobs.transaction import transaction
from app.practice.legs import Leg
from app.referrals.models import Referral
from app.staff.roles import Role
from app.telephony.platforms.choose import platform_of
from app.telephony.provider.urls import message_path
from app.work import PROGRAM
from tests.support.calls.callers import flag
from tests.support.contacts import WHOLE, all_completed, new_contact, write
from tests.support.planted import close_referral
from tests.support.profile import nightly
from tests.support.referrals import add_agency, page, phone
from tests.support.talks import CHILD, POLICE, act, busy

HERE = "/admin/data-requests"


def chosen(form: str) -> list[str]:
    """Return what is chosen in the lists of a form."""
    return re.findall(r'<option value="(\w+)" selected>', form)


async def test_a_person_is_shown_and_then_erased_here_and_at_the_provider(stage: Stage) -> None:
    phone(stage, ANA, presses="1")
    ana = await stage.add_counsellor("ana", endpoint=ANA)
    vera = await stage.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    olga = await stage.add_counsellor("olga", role=Role.AUDITOR, shift=False, state=None)
    await stage.exchange.hang_up(await at_telephone(stage, ana, "+381641999999"))
    await stage.advance(5)
    await ana.be("available")
    of_others = set(stage.exchange.legs)
    call = await talked_with_others(stage, ana)
    await flag(ana, call, "at_risk")
    written = (await ana.ask("GET", f"/calls/{call}/contact")).json()
    await write(ana, written["id"], {"contact.kind": "child"})
    siblings = {"child.a1.phone": CHILD, "child.a2": 2, "child.a2.name": "Марко"}
    contact = await new_contact(ana, WHOLE | siblings)
    assert contact
    await all_completed(stage)
    provider = platform_of(stage.settings)
    await provider.send_message(to=CHILD, from_=LINE, body="Hello", told=message_path(uuid4()))
    await stage.advance(5)
    before = stage.exchange.legs.keys() - of_others
    assert {leg.to for leg in stage.exchange.legs.values()} >= {ANA, POLICE, DUTY}

    house = House(stage, ana, vera, mila, olga)
    (row,) = await stage.rows("SELECT code FROM contacts WHERE id = %s", contact)
    await extended_for_the_child_of_a_place(house, f"{row['code']}/2")
    await reported_to_the_officer_alone(house)
    erasure = await erased_with_a_second_person(house)
    told = (await olga.ask("GET", f"/data-requests/{erasure}")).json()
    assert (told["state"], told["items"], told["numbers"]) == ("done", [], None)
    assert told["counts"]["call"] == 1
    deleted = {(one["kind"], one["state"]): one["count"] for one in told["copies"]}
    assert deleted[("call", "deleted")] == len(before)
    assert deleted[("message", "deleted")] == 1
    # No leg of the call is left, to whom it ever went; all those of another child are.
    assert stage.exchange.legs.keys() == of_others
    assert stage.exchange.messages == {}
    assert deleted[("recording", "deleted")] == 1
    assert all(one.deleted for one in stage.exchange.recordings.values())
    receipt = (await page(stage, vera, f"{HERE}/{erasure}")).text
    assert 'id="data-receipt"' in receipt
    assert CHILD not in receipt
    rows = await stage.rows("SELECT caller_key, caller_number_sealed FROM calls ORDER BY opened_at")
    assert rows[0]["caller_key"] is not None
    assert rows[1] == {"caller_key": None, "caller_number_sealed": None}
    log = str(await stage.rows("SELECT subject, detail FROM audit_entries"))
    assert CHILD not in log


ANA = "+381641000001"
DUTY = "+381113000001"


async def at_telephone(stage: Stage, who: Counsellor, from_: str) -> Leg:
    """A talk at the counsellor's own telephone."""
    leg = await busy(stage, who, from_)
    await stage.advance(10)
    assert stage.exchange.conferences.of_leg(leg) is not None
    return leg


async def talked_with_others(stage: Stage, ana: Counsellor) -> Any:
    """A talk at the counsellor's own telephone, with a third party and a duty phone, of which the
    provider has a recording that we know nothing of. Return the id of the call."""
    await add_agency(stage, "shelter", "shelter", phones=(DUTY,))
    phone(stage, DUTY, presses="1")
    phone(stage, POLICE)
    leg = await at_telephone(stage, ana, CHILD)
    call = await stage.call_of(leg)
    await act(ana, call, "add", {"number": POLICE, "role": "police"})
    made = await ana.ask("POST", f"/calls/{call['id']}/urgent", {"service": "shelter"})
    assert made.status_code == 201, made.text
    await stage.advance(40)
    stage.exchange.keep_recording(leg, 5)
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    async with transaction(stage.ground, PROGRAM) as work:
        referral = await work.session.get_one(Referral, UUID(made.json()["id"]))
        await close_referral(work, referral)
    return call["id"]


class House(NamedTuple):
    """A counsellor, a supervisor who is the officer, an administrator and an auditor."""

    stage: Stage
    ana: Counsellor
    vera: Counsellor
    mila: Counsellor
    olga: Counsellor


GROUND = {"basis": "right_of_access", "identity": "called_back", "words": "Called on Monday."}


async def extended_for_the_child_of_a_place(house: House, typed: str) -> None:
    """The officer sees which child is meant; the second person where it stands, and no name."""
    stage, _, vera, mila, _ = house
    found = await page(stage, vera, HERE, kind="access", person="child", sought=typed)
    here = found.headers["location"]
    shown = (await page(stage, vera, here)).text
    assert 'data-standing="there"' in shown
    assert "Марко" in shown
    of_second = (await page(stage, mila, here)).text
    assert 'data-standing="there"' in of_second
    assert "Марко" not in of_second
    path = f"/data-requests/{here.rpartition('/')[2]}"
    told = (await mila.ask("GET", path)).json()
    code, _, place = typed.partition("/")
    meant = {"code": code, "place": int(place), "standing": "there", "now": int(place)}
    assert told["meant"] == [meant]
    assert "Марко" not in str(told)
    # More time: the officer alone, once, and the letter that tells the person.
    more = {"months": "2", "because": "complex", "words": "Many records are looked at."}
    assert 'id="extend-data"' not in of_second
    assert (await mila.ask("POST", f"{path}/extension", {**more, "months": 2})).status_code == 403
    assert (await page(stage, vera, f"{here}/extension", **more)).status_code == 303
    shown = (await page(stage, vera, here)).text
    assert 'id="untold"' in shown
    assert "Many records are looked at." in shown
    assert 'id="extend-data"' not in shown
    assert "Many records" not in (await page(stage, mila, here)).text
    again = await page(stage, vera, f"{here}/extension", **more)
    assert "extended already" in again.text
    before = (await vera.ask("GET", path)).json()
    noted = await vera.ask("POST", f"{path}/extension/told", {"on": None})
    assert noted.status_code == 200, noted.text
    after = noted.json()
    assert before["answer_by"] < after["answer_by"] == after["extended_until"]
    assert 'id="untold"' not in (await page(stage, vera, here)).text
    # The first day is over, and the new one too: it is open, and overdue.
    await stage.change_rows("UPDATE data_requests SET began_at = began_at - interval '4 months'")
    assert "data-overdue" in (await page(stage, vera, here)).text
    assert "data-overdue" in (await page(stage, mila, HERE)).text
    (listed,) = (await vera.ask("GET", "/data-requests")).json()
    assert (listed["is_overdue"], listed["state"]) == (True, "found")
    assert (await page(stage, vera, f"{here}/withdraw", sure="yes")).status_code == 303


async def reported_to_the_officer_alone(house: House) -> None:
    """A report: found by the number, decided by a second person, opened by the officer alone."""
    stage, ana, vera, mila, olga = house
    assert 'id="new-data-request"' not in (await page(stage, mila, HERE)).text
    wrong = await page(stage, vera, HERE, kind="access", person="child", sought="nobody")
    assert "Entry 1 is neither a number nor a code" in wrong.text
    found = await page(stage, vera, HERE, kind="access", person="child", sought=CHILD)
    assert found.status_code == 303, found.text
    here = found.headers["location"]
    shown = (await page(stage, vera, here)).text
    assert CHILD in shown
    assert 'data-kind="flag"' in shown
    # It says what is set already and why, and by when the person is answered.
    assert 'id="preset"' in shown
    assert "No contact says that the child itself rang" in shown
    assert 'id="answer-by"' in shown
    assert "data-near" not in (await page(stage, vera, HERE)).text
    stage.settings.data_request_reminder_days = 0
    assert "data-near" in (await page(stage, vera, HERE)).text
    listed = (await vera.ask("GET", "/data-requests")).json()
    open_ones = [one for one in listed if one["state"] == "found"]
    assert [(one["is_near"], one["answer_by"] > one["began_at"]) for one in open_ones] == [
        (True, True)
    ]
    # The record of two children is marked, and the page says what the report shows of it.
    assert shown.count("<small>several children</small>") == 1
    assert 'id="several"' in shown
    for who in (mila, olga):
        assert CHILD not in (await page(stage, who, here)).text
    assert (await page(stage, vera, f"{here}/ask", **GROUND)).status_code == 303
    assert 'id="decide-data"' not in (await page(stage, vera, here)).text
    assert 'id="decide-data"' in (await page(stage, mila, here)).text
    assert (await page(stage, mila, f"{here}/decision", decision="approve")).status_code == 303
    await stage.settle()
    path = f"/data-requests/{here.rpartition('/')[2]}"
    report = await vera.ask("GET", f"{path}/report.pdf")
    assert (report.status_code, report.content[:4]) == (200, b"%PDF")
    told = (await vera.ask("GET", f"{path}/report.json")).text
    assert CHILD in told
    assert "Марко" not in told
    # What no row of ours is about: a text, and a recording. The legs of the talk are ours.
    (only,) = [one for one in json.loads(told)["sections"] if "only the telephony" in one["title"]]
    assert [(one["title"], len(one["lines"])) for one in only["blocks"]] == [
        ("Recordings at the telephony provider", 1),
        ("Texts at the telephony provider", 1),
    ]
    for who, status in ((mila, 403), (olga, 403), (ana, 403)):
        assert (await who.ask("GET", f"{path}/report.pdf")).status_code == status
    assert f'href="/api/v1{path}/report.pdf"' in (await page(stage, vera, here)).text


async def erased_with_a_second_person(house: House) -> str:
    """An erasure: the officer keeps nothing, and an administrator confirms it. Return its id."""
    stage, _, vera, mila, _ = house
    asked = {"kind": "erasure", "person": "child", "sought": CHILD}
    begun = (await vera.ask("POST", "/data-requests", asked)).json()
    path = f"/data-requests/{begun['id']}"
    told = {(one["kind"], one["children"]): one["keep"] for one in begun["items"]}
    assert told["contact", 2] == "another_person"
    assert told["contact", 0] is told["call", None] is None
    shown = (await page(stage, vera, f"{HERE}/{begun['id']}")).text
    assert "it is erased for all of them" in shown
    kept = [{"kind": one["kind"], "id": one["id"], "keep": None} for one in begun["items"]]
    assert (await vera.ask("PUT", f"{path}/kept", {"items": kept})).status_code == 200
    ground = {**GROUND, "basis": "not_needed"}
    assert (await vera.ask("POST", f"{path}/ask", ground)).status_code == 200
    assert (await vera.ask("POST", f"{path}/decision", {"approve": True})).status_code == 403
    done = await mila.ask("POST", f"{path}/decision", {"approve": True})
    assert done.status_code == 200, done.text
    await stage.settle()
    return str(begun["id"])


@nightly
async def test_a_report_of_a_leaver_is_taken_over_and_an_ended_request_is_begun_again(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    vera = await stage.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    nora = await stage.add_counsellor("nora", role=Role.SUPERVISOR, shift=False, state=None)
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    await new_contact(ana, WHOLE | {"child.a1.phone": CHILD})
    # It came by letter: the day is that of the person, on the page and for programs.
    form = (await page(stage, vera, HERE)).text
    (today,) = re.findall(r'name="asked_on" required value="([-0-9]+)"', form)
    asked_on = str(date.fromisoformat(today) - timedelta(days=9))
    asked = {"kind": "access", "person": "child", "sought": CHILD, "asked_on": asked_on}
    wrong = await page(stage, vera, HERE, **asked | {"asked_on": "2001-01-01"})
    assert "within the last year" in wrong.text
    here = (await page(stage, vera, HERE, **asked)).headers["location"]
    path = f"/data-requests/{here.rpartition('/')[2]}"
    begun = (await vera.ask("GET", path)).json()
    assert begun["asked_on"] == asked_on
    assert (await vera.ask("POST", f"{path}/withdraw")).status_code == 200
    # Begun again, the form has that day.
    link = f'href="{HERE}?replaces={begun["id"]}#new-data-request"'
    assert link in (await page(stage, nora, here)).text
    form = (await page(stage, vera, f"{HERE}?replaces={begun['id']}")).text
    assert f'name="asked_on" required value="{asked_on}"' in form
    assert f'name="replaces" value="{begun["id"]}"' in form
    again = {"kind": "access", "person": "child", "sought": CHILD, "replaces": begun["id"]}
    # It is of the same kind, for the same person: these stand there, and no other one is taken.
    assert chosen(form) == ["access", "child"]
    for other in ({"kind": "erasure"}, {"person": "guardian"}):
        typed = again | other
        wrong = (await page(stage, vera, HERE, **typed)).text
        assert "Begin a request again as it was: the same kind, for the same person." in wrong
        assert chosen(wrong) == [typed["kind"], typed["person"]]
        assert f'name="replaces" value="{begun["id"]}"' in wrong
        assert f">{CHILD}</textarea>" in wrong
    second = (await vera.ask("POST", "/data-requests", again)).json()
    assert (second["asked_on"], second["answer_by"]) == (asked_on, begun["answer_by"])
    assert second["code"] in (await page(stage, nora, here)).text

    here, path = f"{HERE}/{second['id']}", f"/data-requests/{second['id']}"
    assert (await vera.ask("POST", f"{path}/ask", GROUND)).status_code == 200
    decided = await mila.ask("POST", f"{path}/decision", {"approve": True})
    assert decided.status_code == 200, decided.text
    await stage.settle()
    assert (await nora.ask("POST", f"{path}/take-over")).status_code == 403
    await stage.change_rows("UPDATE staff SET active = false WHERE name = 'vera'")
    for who, offered in ((nora, True), (mila, False)):
        shown = (await page(stage, who, here)).text
        assert ('id="take-over-data"' in shown) is offered
        assert 'id="answer-by"' in shown
    assert (await nora.ask("GET", f"{path}/report.json")).status_code == 403
    assert (await mila.ask("POST", f"{path}/take-over")).status_code == 403
    assert (await page(stage, nora, f"{here}/take-over", sure="yes")).status_code == 303
    shown = (await page(stage, nora, here)).text
    assert 'id="taken-over"' in shown
    assert GROUND["words"] in shown
    assert CHILD in (await nora.ask("GET", f"{path}/report.json")).text
    told = (await nora.ask("GET", path)).json()
    assert (told["answer_by"], told["opened_at"] is not None) == (None, True)
