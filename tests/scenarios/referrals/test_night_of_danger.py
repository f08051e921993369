"""One night: from the urgent button of a call to the closed referral."""

from datetime import datetime, timedelta
from io import BytesIO

from pypdf import PdfReader

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.people import Phone
from app.staff.log_checks.chains import verify_chains
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.contacts import skip
from tests.support.mail import Mail, code_in, link_in
from tests.support.referrals import (
    SHELTER,
    add_agency,
    click,
    page,
    phone,
    referral_of,
)
from tests.support.talks import talk


async def test_a_child_in_danger_at_two_in_the_night(night: Stage, post: Mail) -> None:
    """From the urgent button of a call to the closed referral: one story, read on one page."""
    ana = await night.add_counsellor("ana")
    await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    other = await two_houses(night)
    third = phone(night, SHELTER[2], presses="1")
    referral_id = await pressed_urgent_in_a_call(night, ana)
    await night.advance(120)
    await was_acknowledged_by_the_third_phone(ana, referral_id, third)
    await write_what_is_known(night, ana, referral_id)
    await details_are_read_and_the_house_has_no_bed(night, post)
    await night.advance(30)
    await was_acknowledged_by_the_next_agency(ana, referral_id, other)
    await child_is_brought_there(night, ana, referral_id)
    await handed_over_on_paper_and_closed(ana, referral_id)
    await whole_story_is_on_one_page(night, ana, referral_id)
    await nothing_is_left_open(night, ana, referral_id)


async def two_houses(night: Stage) -> Phone:
    """The mandated house has three phones and links; the other has one phone, which is returned."""
    await add_agency(
        night,
        "safe-house",
        "shelter",
        phones=SHELTER,
        email="duty@safe.example",
        sms="+381640000001",
        mandated_for=("shelter@RS-BG",),
        areas=("RS-BG",),
    )
    await add_agency(night, "other-house", "shelter", phones=("+381113000009",))
    phone(night, SHELTER[0], picks_up=None)
    phone(night, SHELTER[1], machine=True)
    phone(night, "+381640000001")
    return phone(night, "+381113000009", presses="1")


async def pressed_urgent_in_a_call(night: Stage, ana: Counsellor) -> str:
    """Two clicks on the desk: open the box, and say what is needed."""
    call = await night.call_of(await talk(night, ana))
    at = f"/board/calls/{call['id']}/urgent"
    assert 'id="urgent-shelter"' in (await page(night, ana, at)).text
    sent = await page(night, ana, at, service="shelter", place="RS-BG")
    assert "R-" in sent.text
    assert "sent" in sent.text
    (row,) = await night.rows("SELECT id, owner_id, state FROM referrals")
    assert str(row["owner_id"]) == str(ana.id)
    return str(row["id"])


async def was_acknowledged_by_the_third_phone(
    ana: Counsellor, referral_id: str, third: Phone
) -> None:
    found = await referral_of(ana, referral_id)
    tried = [r["result"] for r in found["attempts"] if r["purpose"] == "escalation"]
    assert tried == ["no_answer", "machine", "acknowledged"]
    assert found["state"] == "acknowledged"
    assert third.rung == 1
    # What they hear names no person.
    heard = " ".join(h.text for h in third.heard)
    assert "press 1" in heard.lower()
    assert " ".join(found["code"].replace("-", "")) in heard


async def write_what_is_known(night: Stage, ana: Counsellor, referral_id: str) -> None:
    """The details follow; a shelter is not told who is suspected."""
    write = {
        "child.name": "Jovana Petrović",
        "child.age": 11,
        "child.found_at": "Ulica 5",
        "danger.suspected": "the stepfather",
        "reason.why": "He drinks.",
    }
    base = (await referral_of(ana, referral_id))["revision"]
    changes = [{"path": path, "value": value, "base": base} for path, value in write.items()]
    saved = await ana.ask("PUT", f"/referrals/{referral_id}/answers", {"changes": changes})
    assert saved.json()["refused"] == {}, saved.text
    written = await ana.ask("POST", f"/referrals/{referral_id}/written", {})
    assert written.headers["content-type"] == "application/pdf"
    text = "".join(p.extract_text() for p in PdfReader(BytesIO(written.content)).pages)
    assert "Jovana" in text
    assert "stepfather" not in text
    await night.advance(5)


async def details_are_read_and_the_house_has_no_bed(night: Stage, post: Mail) -> None:
    """The house opens its link, proves itself, reads, and rejects."""
    mail, sms = post.to("duty@safe.example")[-1], night.exchange.phones["+381640000001"].texts[-1]
    for message in (mail, sms.text):
        assert not {"Jovana", "Petrović", "Ulica", "11"} & set(message.replace(".", " ").split())
    path = link_in(mail)
    seen = await click(night, path)
    assert seen.status_code == 200
    assert "Jovana" not in seen.text
    shown = await click(night, f"{path}/code", {"code": code_in(sms.text)})
    assert shown.status_code == 303
    details = await click(night, path, as_=shown)
    assert "Jovana Petrović" in details.text
    # Only in the browser that was proved: the address alone opens nothing.
    assert "Jovana" not in (await click(night, path)).text
    assert "stepfather" not in details.text
    rejected = await click(
        night, f"{path}/step", {"kind": "reject", "name": "Mira", "reason": "no_capacity"}
    )
    assert rejected.status_code == 303


async def was_acknowledged_by_the_next_agency(
    ana: Counsellor, referral_id: str, other: Phone
) -> None:
    """The next right one was rung at once, and the deadline is the one of the beginning."""
    found = await referral_of(ana, referral_id)
    assert other.rung == 1
    assert found["state"] == "acknowledged"
    assert [a["agency"] for a in found["recipients"]] == ["safe-house", "other-house"]
    deadline = next(c for c in found["deadlines"] if c["kind"] == "acknowledge")
    due, opened = (datetime.fromisoformat(t) for t in (deadline["due_at"], found["opened_at"]))
    assert due - opened == timedelta(minutes=15)


async def child_is_brought_there(night: Stage, ana: Counsellor, referral_id: str) -> None:
    """The house accepts by telephone, what was agreed is noted, and the child is seen."""
    told = await ana.ask(
        "POST",
        f"/referrals/{referral_id}/accept",
        {"agency": "other-house", "name": "Sestra Ana, on duty"},
    )
    assert told.json()["state"] == "accepted"
    agreed = {
        "agreed": "A bed from three o'clock; we bring her.",
        "name": "Sestra Ana",
        "agency": "other-house",
        "details_told": True,
        "at": (night.clock.now() - timedelta(minutes=1)).isoformat(),
    }
    await ana.ask("POST", f"/referrals/{referral_id}/handover", agreed)
    await skip(night, 1)
    seen_at = (night.clock.now() - timedelta(minutes=5)).isoformat()
    await ana.sign_in()
    seen = {"agency": "other-house", "seen_at": seen_at}
    done = await ana.ask("POST", f"/referrals/{referral_id}/progress", seen)
    assert done.json()["state"] == "in_progress"


async def handed_over_on_paper_and_closed(ana: Counsellor, referral_id: str) -> None:
    """The second house has no address for messages: the form is handed over on paper, and only
    then its deadline stops. What the first one got does not count for the second.
    """
    deadlines = (await referral_of(ana, referral_id))["deadlines"]
    assert next(c for c in deadlines if c["kind"] == "written")["stopped_at"] is None
    mute = await ana.ask("POST", f"/referrals/{referral_id}/written", {})
    assert (mute.status_code, "on paper" in mute.json()["detail"]) == (409, True)
    again = await ana.ask("POST", f"/referrals/{referral_id}/written", {"on_paper": True})
    assert again.status_code == 200
    for verb, body in (
        ("complete", {"agency": "other-house", "outcome": "placed_shelter"}),
        ("feedback", {"words": "The teacher was rung."}),
        ("close", {"words": "Safe."}),
    ):
        answer = await ana.ask("POST", f"/referrals/{referral_id}/{verb}", body)
        assert answer.status_code == 200, answer.text


STORY = (
    "ana pressed urgent during the call: immediate, shelter",
    "recorded an override of consent: vital interests",
    "Offered to Safe House (the mandated recipient for this place",
    "Safe House, phone: no answer",
    "Safe House, phone: answering machine",
    "Safe House, phone: a person pressed 1",
    "Safe House acknowledged by phone",
    "sent the written confirmation to Safe House",
    "Safe House rejected: no capacity by link",
    "Offered to Other House",
    "Other House acknowledged by phone",
    "Other House accepted",
    'Agreed with Other House by phone at <time data-clock datetime="2030-01-14T',
    "Other House saw the child",
    "sent the written confirmation to Other House on paper",
    "Other House completed its part: placed shelter",
    "gave feedback to the person who reported",
    "ana closed the referral",
)


async def whole_story_is_on_one_page(night: Stage, ana: Counsellor, referral_id: str) -> None:
    """The whole trail reads as a story, in this order."""
    whole = (await page(night, ana, f"/referrals/{referral_id}")).text
    at = 0
    for words in STORY:
        assert words in whole[at:], words
        at = whole.index(words, at)


async def nothing_is_left_open(night: Stage, ana: Counsellor, referral_id: str) -> None:
    found = await referral_of(ana, referral_id)
    assert all(c["stopped_at"] for c in found["deadlines"])
    assert all(c["breached_at"] is None for c in found["deadlines"])
    told_to = [(d["to"], d["how"]) for d in found["disclosures"]]
    assert ("Safe House", "link_by_email") in told_to
    assert all("danger.suspected" not in d["fields"] for d in found["disclosures"])
    async with transaction(night.ground, PROGRAM) as work:
        assert [r.broken for r in await verify_chains(work.session) if r.broken] == []
