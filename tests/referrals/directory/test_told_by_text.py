"""An agency hears of a changed address where it was texted before, however it was changed."""

from typing import Any

import pytest
from sqlalchemy import func, select

from app.demo.stage import Stage
from app.dialling.models import Dial, DialledFor, DialWay
from app.jobs.transaction import transaction
from app.outbox.responses import TryAgain
from app.referrals.directory.address_rows import AddressChange
from app.referrals.directory.agencies import save_agency
from app.referrals.directory.entries import Entry, Phone
from app.staff.roles import Role
from app.telephony.duty_phones.address_texts import text_of_new_address
from app.words import sms
from app.work import PROGRAM, Work
from tests.support.calls.text_provider import TextProvider
from tests.support.leaks.deferred import in_jobs
from tests.support.mail import Mail
from tests.support.profile import each_once
from tests.support.referrals import phone
from tests.support.verbs import a_line

FORMER, NEW = "+381641110001", "+381641110002"


def _house(**values: Any) -> Entry:
    there = {"code": "house", "name": "House", "sector": "shelter", "services": ("shelter",)}
    return Entry(**{**there, "languages": ("en",), "sms": FORMER, **values})


def _sent(stage: Stage, number: str) -> list[str]:
    return [one.text for one in stage.exchange.phones[number].texts]


async def _saved(stage: Stage, entry: Entry) -> None:
    """Saved on the command line, where it is in force at once."""
    async with transaction(stage.ground, PROGRAM) as work:
        await save_agency(work, entry)
    await stage.advance(2)


@pytest.mark.parametrize(
    ("new", "by_person"),
    each_once(
        [
            {"sms": NEW},
            {"email": "new@house.example"},
            {"email": "new@house.example", "sms": NEW},
            {"webhook_url": "https://elsewhere.example/events"},
        ],
        [True, False],
    ),
)
async def test_the_former_number_is_told_of_every_new_address(
    night: Stage, new: dict[str, Any], by_person: bool
) -> None:
    phone(night, FORMER)
    phone(night, NEW)
    await _saved(night, _house())
    assert _sent(night, FORMER) == [], "it is reached there for the first time"
    if by_person:
        officer = await night.add_counsellor(
            "officer", role=Role.REFERRAL_OFFICER, shift=False, state=None
        )
        body = {"code": "house", "name": "House", "sector": "shelter", "services": "shelter"}
        form = {**body, "languages": "en", "sms": FORMER, **new}
        for _ in range(2):
            # Sent again, it is the same change, of which the agency has heard.
            assert (await officer.ask("POST", "/agencies", form)).status_code == 200
        await night.advance(2)
    else:
        await _saved(night, _house(**new))
    (text,) = _sent(night, FORMER)
    assert "the way in which House is reached is being changed" in text
    assert "please ring the helpline now" in text
    assert _sent(night, NEW) == []
    (way,) = {row["way"] for row in await night.rows("SELECT way FROM dials")}
    assert way == DialWay.SMS
    # The number is in no job.
    assert in_jobs(FORMER[1:]) == []


async def test_a_number_that_may_not_be_dialled_is_not_texted(night: Stage) -> None:
    phone(night, FORMER)
    await _saved(night, _house())
    premium = "+381900123456"
    phone(night, premium)
    await night.change_rows(f"UPDATE agencies SET sms = '{premium}'")
    await _saved(night, _house(email="new@house.example"))
    assert _sent(night, premium) == []
    (refused,) = await night.rows("SELECT purpose, refused FROM dials")
    assert refused["purpose"] == DialledFor.NOTICE
    assert refused["refused"] is not None


async def test_a_text_of_several_parts_is_sent_by_the_next_run_and_no_other(work: Work) -> None:
    await a_line(work)
    for entry in (_house(languages=("sr",)), _house(languages=("sr",), sms=NEW)):
        await save_agency(work, entry)
    change = (
        await work.session.scalars(
            select(AddressChange).where(AddressChange.before.is_not(None)).limit(1)
        )
    ).one()
    provider = TextProvider(work, TryAgain, None, None)
    with pytest.raises(TryAgain):
        await provider.run(text_of_new_address, change)
    assert provider.texts == []
    for run in (1, 2):
        await provider.run(text_of_new_address, change, run)
    (text,) = provider.texts
    to, _, body = text.partition(": ")
    assert to == FORMER
    # Each part is billed, and counted.
    assert sms.parts_of(body) > 1
    counted = await work.session.scalar(select(func.count()).select_from(Dial))
    assert counted == sms.parts_of(body)


async def test_an_address_that_is_taken_out_first_is_told_all_the_same(
    night: Stage, post: Mail
) -> None:
    old, mine = "duty@house.example", "mine@elsewhere.example"
    phone(night, FORMER)
    await _saved(night, _house(email=old, duty_phones=(Phone("+381113000001"),)))
    officer = await night.add_counsellor(
        "officer", role=Role.REFERRAL_OFFICER, shift=False, state=None
    )
    body = {"code": "house", "name": "House", "sector": "shelter", "services": "shelter"}
    there = {**body, "languages": "en", "duty_phones": "+381113000001"}
    # Taken out: in force at once, and told once at each address.
    assert (await officer.ask("POST", "/agencies", there)).status_code == 200
    await night.advance(2)
    assert [to for to, _ in post.messages] == [old]
    assert len(_sent(night, FORMER)) == 1
    # A new one follows, and waits: the second person sees what was there before.
    form = {**there, "email": mine, "sms": NEW}
    assert (await officer.ask("POST", "/agencies", form)).status_code == 200
    await night.advance(2)
    assert [to for to, _ in post.messages] == [old, old]
    assert len(_sent(night, FORMER)) == 2
    waiting = (await officer.ask("GET", "/agencies/address-changes")).json()
    assert {(one["before"], one["value"]) for one in waiting} == {(old, mine), (FORMER, NEW)}
