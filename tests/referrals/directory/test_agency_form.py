"""The form of an agency refuses what would change another agency, or another person's change."""

from collections import defaultdict
from typing import Any

import lxml.html
import pytest

from app.staff.roles import Role
from tests.support.program.quiet import QuietStage
from tests.support.referrals import add_a_house_with_dates, add_agency, page

HOUSE = {"name": "Druga kuća", "sector": "shelter", "services": "shelter", "timezone": ""}
HOUSE |= {"email": "b@house.example"}


@pytest.fixture
async def keeper(quiet: QuietStage) -> Any:
    await add_agency(
        quiet,
        "house",
        "shelter",
        name="Sigurna kuća",
        email="a@house.example",
        mandated_for=("shelter@RS-BG",),
    )
    return await quiet.add_counsellor("olga", role=Role.REFERRAL_OFFICER, shift=False, state=None)


async def _names(quiet: QuietStage) -> list[tuple[str, str]]:
    rows = await quiet.rows("SELECT code, name FROM agencies ORDER BY code")
    return [(row["code"], row["name"]) for row in rows]


async def test_a_new_agency_never_takes_the_place_of_another(
    quiet: QuietStage, keeper: Any
) -> None:
    refused = (await page(quiet, keeper, "/agencies/new", **HOUSE, code="house")).text
    assert "Another agency has this code." in refused
    assert 'value="Druga kuća"' in refused, "what was typed stays"
    assert await _names(quiet) == [("house", "Sigurna kuća")]
    # Without a code, one is made that is free.
    same = HOUSE | {"name": "House"}
    assert "Saved." in (await page(quiet, keeper, "/agencies/new", **same)).text
    assert await _names(quiet) == [("house", "Sigurna kuća"), ("house-2", "House")]


async def test_a_mandate_of_another_agency_is_refused_in_words(
    quiet: QuietStage, keeper: Any
) -> None:
    law = {"mandate.0.service": "shelter", "mandate.0.place": "RS-BG"}
    refused = (await page(quiet, keeper, "/agencies/new", **HOUSE, **law)).text
    assert "shelter, Belgrade: by law it is Sigurna kuća. Remove it there first." in refused
    assert "@RS-BG" not in refused, "said in words"
    assert await _names(quiet) == [("house", "Sigurna kuća")]


async def test_what_another_person_changed_meanwhile_is_not_lost(
    quiet: QuietStage, keeper: Any
) -> None:
    refused = await page(quiet, keeper, "/agencies/house/entry", **HOUSE, seen="2020-01-01")
    assert "The state has changed in the meantime." in refused.text
    assert await _names(quiet) == [("house", "Sigurna kuća")]
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    assert (await page(quiet, ana, "/agencies/house/entry", **HOUSE)).status_code == 403
    assert (await page(quiet, keeper, "/agencies/nobody/entry")).status_code == 404


def _form_of(html: str) -> dict[str, Any]:
    """Return what a browser would send of the form of the agency, by the name of each field."""
    (form,) = lxml.html.fromstring(html).xpath("//form[.//*[@name='sector']]")
    sent = defaultdict(list)
    for name, value in form.form_values():
        sent[name].append(value)
    return dict(sent)


async def _everything(quiet: QuietStage) -> list[Any]:
    return [
        *await quiet.rows("SELECT to_jsonb(agencies) - 'updated_at' AS kept FROM agencies"),
        *await quiet.rows("SELECT number, hours FROM duty_phones WHERE gone_at IS NULL ORDER BY 1"),
        *await quiet.rows("SELECT service, place FROM mandates"),
    ]


async def test_what_a_week_cannot_say_and_what_is_not_touched_stays_when_the_form_is_saved(
    quiet: QuietStage, keeper: Any
) -> None:
    await add_a_house_with_dates(quiet)
    before = await _everything(quiet)
    assert "Dec 24 off" in str(before)
    assert "Dec 24-26" in str(before)
    shown = _form_of((await page(quiet, keeper, "/agencies/house/entry")).text)
    saved = await page(quiet, keeper, "/agencies/house/entry", **shown)
    assert "Saved." in saved.text
    assert await _everything(quiet) == before
    changed = _form_of(saved.text) | {"areas": ["RS-VO"], "services": ["shelter"]}
    assert "Saved." in (await page(quiet, keeper, "/agencies/house/entry", **changed)).text
    agency, *rest = await _everything(quiet)
    was = before[0]["kept"]
    assert agency["kept"] == was | {"areas": ["RS-VO"], "services": ["shelter"]}
    assert rest == before[1:]


async def test_one_day_of_a_week_is_closed(quiet: QuietStage, keeper: Any) -> None:
    await add_agency(quiet, "plain", "shelter", email="p@a.example", hours="Mo-Fr 08:00-16:00")
    path = "/agencies/plain/entry"
    changed = _form_of((await page(quiet, keeper, path)).text) | {"hours.Fr": ["closed"]}
    assert "Saved." in (await page(quiet, keeper, path, **changed)).text
    hours = await quiet.rows("SELECT hours FROM agencies WHERE code = 'plain'")
    assert hours == [{"hours": "Mo-Th 08:00-16:00"}]


async def test_a_refused_agency_keeps_all_that_was_filled_in(
    quiet: QuietStage, keeper: Any
) -> None:
    shown = _form_of((await page(quiet, keeper, "/agencies/house/entry")).text)
    wrong = shown | {
        "name": ["Сигурна кућа Нада"],
        "services": ["family_support"],
        "areas": ["RS-BG", "RS-VO"],
        "age_from": ["18"],
        "age_to": ["17"],
        "hours.Mo": ["open"],
        "hours.Mo.from": ["08:00"],
        "hours.Mo.until": ["16:00"],
        "hours.Sa": ["closed"],
        "email": ["nada at example"],
        "phone.0.number": ["12"],
        "phone.0.when": ["other"],
        "phone.0.text": ["pon 8-16"],
        "verified_on": ["2026-11-01"],
    }
    before = await _everything(quiet)
    refused = (await page(quiet, keeper, "/agencies/house/entry", **wrong)).text
    kept = _form_of(refused)
    assert {name: kept.get(name) for name in wrong} == wrong
    problems = lxml.html.fromstring(refused).get_element_by_id("problems")
    said = " ".join(problems.text_content().split())
    for words in (
        "Youngest age: it is above the oldest age",
        "E-mail: not an address",
        "Recipient by law: 'shelter' is not a service of this agency.",
        "Duty phones: '12' needs a +",
        "Duty phones: 'pon 8-16' is not understood. Write days and times like Mon–Fri",
    ):
        assert words in said, said
    assert not any(code in said for code in ("duty_phones", "RS-BG", "mandated_for", "Mo-Fr"))
    # The link of a problem leads to its field.
    (link,) = problems.xpath(".//a[normalize-space()='E-mail']/@href")
    place = lxml.html.fromstring(refused).get_element_by_id(link.removeprefix("#"))
    assert place.xpath("descendant-or-self::*[@name='email']"), link
    assert await _everything(quiet) == before
