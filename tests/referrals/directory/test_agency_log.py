"""The log of the directory: what was before and after, of numbers and addresses only the ends."""

from typing import Any

from sqlalchemy import select

from app.referrals.directory import addresses
from app.referrals.directory.address_rows import AddressChange
from app.referrals.directory.agencies import save_agency, set_webhook_secret
from app.referrals.directory.entries import Entry, Phone
from app.staff.log_kinds import AuditLog
from app.work import Actor, ActorKind, Work
from tests.support.duties import log_of
from tests.support.verbs import logged


def _house(**values: Any) -> Entry:
    there: dict[str, Any] = {"code": "house", "name": "House", "sector": "shelter"}
    there |= {"services": ("shelter",), "languages": ("sr",), "email": "duty@house.example"}
    there |= {"duty_phones": (Phone("+381113000001"),), "mandated_for": ("shelter@*",)}
    return Entry(**{**there, **values})


async def test_an_agency_is_added_and_changed_with_before_and_after(work: Work) -> None:
    await save_agency(work, _house())
    made = log_of(work, AuditLog.AGENCY_ADDED)
    assert made["before"] is None
    assert made["after"]["email"] == "d…@house.example"
    assert made["after"]["duty_phones"] == ["+381…01"]
    assert "deputy" not in made["after"], "what is empty is left out"
    await save_agency(work, _house(name="Safe house", duty_phones=(Phone("+381113000009"),)))
    assert log_of(work, AuditLog.AGENCY_CHANGED) == {
        "before": {"duty_phones": ["+381…01"], "name": "House"},
        "after": {"duty_phones": ["+381…09"], "name": "Safe house"},
    }
    other = _house(code="other", name="Other", mandated_for=("shelter@*",))
    await save_agency(work, _house(mandated_for=()), with_={"house", "other"})
    await save_agency(work, other, with_={"house", "other"})
    await save_agency(work, _house(mandated_for=("shelter@*",)), with_={"house", "other"})
    assert log_of(work, AuditLog.MANDATE_MOVED) == {
        "before": "agency:other",
        "after": "agency:house",
        "mandate": "shelter@*",
    }


async def test_an_address_and_a_secret_that_wait_are_logged_without_themselves(
    work: Work,
) -> None:
    await save_agency(work, _house(webhook_url="https://house.example/events?key=abc"))
    await set_webhook_secret(work, "house")
    assert log_of(work, AuditLog.WEBHOOK_SECRET_MADE) == {
        "before": {"webhook_secret": None},
        "after": {"webhook_secret": "new"},
    }
    work.actor = Actor(ActorKind.PERSON, None, "referral_officer")
    await save_agency(work, _house(email="new@other.example", webhook_url=None))
    asked = [detail for kind, detail in logged(work) if kind == AuditLog.ADDRESS_CHANGE_ASKED]
    assert {
        "before": {"email": "d…@house.example"},
        "after": {"email": "n…@other.example"},
    } in asked
    assert {"before": {"webhook_url": "house.example"}, "after": {"webhook_url": None}} in asked
    secret = await set_webhook_secret(work, "house")
    ids = list(
        await work.session.scalars(select(AddressChange.id).where(AddressChange.state == "waits"))
    )
    await addresses.decide(work, None, ids, approve=False)
    refused = [detail for kind, detail in logged(work) if kind == AuditLog.ADDRESS_CHANGE_REFUSED]
    assert {
        "before": {"email": "n…@other.example"},
        "after": {"email": "d…@house.example"},
    } in refused
    assert {"before": {"webhook_secret": "new"}, "after": {"webhook_secret": "former"}} in refused
    for told in ("+381113000001", "duty@house.example", "key=abc", secret):
        assert told not in str(logged(work))
