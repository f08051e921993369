"""Another country's forms: its own tree, a short contact form, and a referral form of its own."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from app.contacts.special_codes import codes_read
from app.definitions import library as definitions
from app.definitions.datafile import BadDefinition
from app.definitions.folder import read_folder
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.referrals import library as protocols
from app.referrals.models import Referral
from app.work import PROGRAM
from tests.support.contacts import new_contact, own_tree
from tests.support.mail import Mail, code_in, link_in
from tests.support.profile import WHOLE, by_day, nightly
from tests.support.referrals import add_agency, click, phone, referral_of, withdraw

CENTRE, POLICE, TEAM = "+381113000001", "+381113000002", "+381113000003"


TREE = own_tree(
    "code: HOME-TOUCHED, label: {en: Touched}, counts_as: V-SEXUAL",
    "code: HOME-GIVEN-UP, label: {en: Given up}, counts_as: FR-CARE",
)


# A ministry's form: other sections, other names, the same meanings.
FORM = """
form: ministry
version: 1
record: referral
languages: [en]
title: {en: Form 4}
lists:
  ability:
    - {code: no_limits, nothing: true, label: {en: No limits}}
    - {code: limits, label: {en: Limits}}
  alarm:
    - {code: at_this_hour, cue: danger_now, label: {en: At this hour}}
sections:
  - code: part_a
    title: {en: Part A}
    fields:
      - code: facts
        type: narrative
        personal: narrative
        means: why
        close_to: [summary]
        label: {en: Facts}
      - {code: topics, type: categories, means: categories, label: {en: Topics}}
      - {code: district, type: place, means: place, label: {en: District}}
      - {code: minor, type: text, personal: name, means: child_name, label: {en: Minor}}
      - {code: years, type: whole_number, means: child_age, label: {en: Years}}
      - {code: ability, type: choices, means: disability, options_from: ability, label: {en: Able}}
      - {code: telephone, type: text, personal: number, means: child_phone, label: {en: Telephone}}
      - {code: alarm, type: choices, means: danger_signs, options_from: alarm, label: {en: Alarm}}
      - {code: reply, type: yes_no, means: wants_feedback, label: {en: Reply wanted}}
"""


def _country(folder: Path, form: str = FORM) -> Path:
    """The shipped protocol, read with the forms and the tree of another country."""
    (folder / "tree.yaml").write_text(TREE.strip() + "\n")
    (folder / "form.yaml").write_text(form.strip() + "\n")
    country = (definitions.SHIPPED / "country.yaml").read_text()
    for old, new in (
        ("categories: chi", "categories: own"),
        ("contact_form: contact", "contact_form: short"),
        ("referral_form: referral", "referral_form: ministry"),
        ("protocol: rs", "protocol: land"),
    ):
        country = country.replace(old, new)
    (folder / "country.yaml").write_text(country)
    text = (protocols.SHIPPED / "protocol-rs.yaml").read_text()
    head, _ = text.split("discloses:\n")
    listed = [line for line in text.splitlines() if line.startswith("  - service:")]
    disclosed = "".join(f"{line}\n    fields: [part_a]\n" for line in listed)
    own = head.replace("protocol: rs", "protocol: land").replace("V-ONLINE-SEXUAL", "V-SEXUAL")
    (folder / "protocol.yaml").write_text(own + "discloses:\n" + disclosed)
    return folder


async def _there(night: Stage, folder: Path) -> Counsellor:
    night.settings.definitions_dir = _country(folder)
    await night.restart_server()
    ana = await night.add_counsellor("ana")
    await add_agency(
        night,
        "centre",
        "child_protection",
        sector="social_welfare",
        phones=(CENTRE,),
        email="c@centre.example",
        sms="+381641111111",
        areas=("RS-06",),
    )
    await add_agency(night, "police", "police", sector="police", phones=(POLICE,))
    for number in (CENTRE, POLICE):
        phone(night, number, presses="1")
    return ana


async def _refer(who: Counsellor, about: str, **more: Any) -> dict[str, dict[str, Any]]:
    contact_id = await new_contact(
        who,
        {
            "note.who": "child",
            "note.line": "A child",
            "note.about": [about],
            "note.district": "RS-06",
            "note.danger": "yes",
            "note.words": "She whispers.",
        },
    )
    body = {
        "urgency": "immediate",
        "contact_id": contact_id,
        "send": True,
        "consent": {"given_by": "child", "scope": ["services", "authorities"]},
        **more,
    }
    answer = await who.ask("POST", "/referrals", body)
    assert answer.status_code == 201, answer.text
    found = [await referral_of(who, one["id"]) for one in answer.json()["referrals"]]
    return {one["service"]: one for one in found}


async def _by_the_danger_key(night: Stage, ana: Counsellor) -> None:
    await ana.be("off_duty")
    leg = night.ring("+381642222222")
    await night.advance(2)
    night.exchange.press(leg, "9")
    await night.advance(90)
    rows = await night.rows("SELECT * FROM referrals")
    assert rows[0]["answers"] == {}
    # The signs of danger are sealed, too, whatever the country calls the question.
    assert set(rows[0]["sealed"]) == {"part_a.telephone", "part_a.alarm"}
    async with transaction(night.ground, PROGRAM) as work:
        referral = await work.session.get_one(Referral, rows[0]["id"])
        assert (await codes_read(work, referral))["part_a.alarm"] == ["at_this_hour"]
    await night.exchange.hang_up(leg)
    await night.advance(3)


async def test_a_referral_on_the_forms_of_another_country(
    night: Stage, post: Mail, tmp_path: Path
) -> None:
    """What its categories count as asks for the services; its own fields are told, and no more.

    The danger key of a call writes into its own form, too.
    """
    ana = await _there(night, tmp_path)
    await _by_the_danger_key(night, ana)
    texts = phone(night, "+381641111111").texts
    made = await _refer(ana, "HOME-TOUCHED")
    assert set(made) == {"child_protection", "police"}
    centre = made["child_protection"]
    assert set(centre["to_confirm"]) == {"part_a.district", "part_a.facts"}
    assert centre["answers"]["part_a.district"] == "RS-06"
    assert centre["answers"]["part_a.topics"] == ["HOME-TOUCHED"]
    if not WHOLE:
        return
    await night.advance(30)
    assert (await referral_of(ana, centre["id"]))["state"] == "acknowledged"
    # Written later, and read behind the link with the code of the other way.
    changes = [
        {"path": "part_a.minor", "value": "Lena", "base": 0},
        {"path": "part_a.years", "value": 9, "base": 0},
    ]
    saved = await ana.ask("PUT", f"/referrals/{centre['id']}/answers", {"changes": changes})
    assert set(saved.json()["saved"]) == {"part_a.minor", "part_a.years"}
    await night.advance(60)
    pdf = await ana.ask("POST", f"/referrals/{centre['id']}/written", {"on_paper": True})
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf.content)).pages)
    assert "Lena" in text
    assert "whispers" not in text, "not confirmed"
    await ana.ask("POST", f"/referrals/{centre['id']}/confirm", {"paths": ["part_a.facts"]})
    await night.advance(60)
    path = link_in(post.to("c@centre.example")[-1])
    shown = await click(night, f"{path}/code", {"code": code_in(texts[-1].text)})
    page = (await click(night, path, as_=shown)).text
    for told in ("Lena", "whispers", "Touched"):
        assert told in page
    await withdraw(night, ana, centre["id"])
    assert (await referral_of(ana, centre["id"]))["state"] == "consent_withdrawn"


@nightly
async def test_the_family_comes_first_whatever_the_category_is_called(
    night: Stage, tmp_path: Path
) -> None:
    ana = await _there(night, tmp_path)
    await add_agency(night, "house", "shelter", phones=("+381113000009",))
    await add_agency(night, "team", "mobile_outreach", sector="mobile_outreach", phones=(TEAM,))
    house, team = phone(night, "+381113000009"), phone(night, TEAM, presses="1")
    made = await _refer(ana, "HOME-GIVEN-UP", services=["shelter"])
    assert made["shelter"]["separation_risk"]
    await night.advance(30)
    assert (house.rung, team.rung) == (0, 1)


@pytest.mark.parametrize(
    ("line", "words"),
    by_day(
        [
            ("means: disability, ", "'disability'"),
            ("means: child_age, ", "'child_age'"),
            ("means: child_phone, ", "'child_phone'"),
        ]
    ),
)
def test_a_form_without_what_the_protocol_needs_is_refused(
    tmp_path: Path, line: str, words: str
) -> None:
    folder = _country(tmp_path, FORM.replace(line, ""))
    with pytest.raises(BadDefinition, match=rf"protocol\.yaml:\d+: .* with meaning {words}"):
        protocols.load(read_folder(folder))


def test_a_code_that_stands_for_nothing_is_refused(tmp_path: Path) -> None:
    folder = _country(tmp_path)
    text = (folder / "protocol.yaml").read_text().replace("MS-ABDUCTION", "MS-ABDUCTED")
    (folder / "protocol.yaml").write_text(text)
    with pytest.raises(BadDefinition, match=r"protocol\.yaml:\d+: 'MS-ABDUCTED' is neither"):
        protocols.load(read_folder(folder))
