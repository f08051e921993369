"""Agencies, their phones, and referrals as a counsellor opens and reads them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.people import Phone
from app.referrals.accountability import accountability
from app.referrals.directory import addresses
from app.referrals.directory.agencies import save_agency
from app.referrals.directory.entries import Entry
from app.referrals.directory.entries import Phone as DutyPhone
from app.staff.roles import Role
from app.web.access import COOKIE
from app.work import PROGRAM
from tests.support.mail import Mail, link_in
from tests.support.talks import talk


async def add_agency(stage: Stage, code: str, services: str, **more: Any) -> None:
    """An agency of the directory; phones are numbers, or (number, hours)."""
    phones = tuple(
        DutyPhone(*p) if isinstance(p, tuple) else DutyPhone(p) for p in more.pop("phones", ())
    )
    values: dict[str, Any] = {"sector": more.pop("sector", "shelter"), "languages": ("en",)}
    values |= more
    async with transaction(stage.ground, PROGRAM) as work:
        await save_agency(
            work,
            Entry(
                code=code,
                name=values.pop("name", code.replace("-", " ").title()),
                services=tuple(services.split(",")),
                duty_phones=phones,
                **values,
            ),
        )
    stage.ground.memory.forget("everything")


def phone(stage: Stage, number: str, **how: Any) -> Phone:
    """How a phone behaves when it is rung."""
    made = Phone(**how)
    stage.exchange.phones[number] = made
    return made


async def referral_of(who: Counsellor, referral_id: str) -> dict[str, Any]:
    answer = await who.ask("GET", f"/referrals/{referral_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def agency_figures(stage: Stage) -> dict[str, dict[str, Any]]:
    """The exact figures of each agency over all time, as they are before they are rounded."""
    since, until = datetime(2000, 1, 1, tzinfo=UTC), stage.clock.now() + timedelta(days=1)
    async with transaction(stage.ground, PROGRAM) as work:
        rows = await accountability(work, since, until)
    return {
        row.agency: {**row.values, "rejections": row.rejections, "outcomes": row.outcomes}
        for row in rows
    }


async def second_person(stage: Stage) -> Counsellor:
    return await stage.add_counsellor(
        f"second-{uuid4().hex[:6]}", role=Role.SUPERVISOR, state=None, shift=False
    )


async def withdraw(stage: Stage, who: Counsellor, referral_id: str) -> dict[str, Any]:
    """The child no longer agrees, and a supervisor confirms it where it is immediate."""
    path = f"/referrals/{referral_id}"
    answer = await who.ask("POST", f"{path}/withdraw-consent", {"by": "child", "words": "no"})
    assert answer.status_code == 200, answer.text
    if answer.json()["state"] != "consent_withdrawn":
        chief = await second_person(stage)
        answer = await chief.ask("POST", f"{path}/confirm-withdrawal", {"words": "no ground"})
        assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def take_back(stage: Stage, who: Counsellor, referral_id: str) -> dict[str, Any]:
    """It is taken back; by two of us where it is immediate."""
    path = f"/referrals/{referral_id}/recall"
    answer = await who.ask("POST", path, {"words": "found"})
    assert answer.status_code == 200, answer.text
    if answer.json()["state"] != "recalled":
        answer = await (await second_person(stage)).ask("POST", path, {"words": "found"})
        assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def click(
    stage: Stage, path: str, form: dict[str, str] | None = None, *, as_: Any = None
) -> Any:
    """A visitor without an account at a page of ours; `as_` carries what a browser keeps."""
    url = stage.settings.public_url + path
    headers = {"origin": stage.settings.public_url}
    kept = as_.headers.get("set-cookie", "").split(";")[0] if as_ is not None else ""
    if kept:
        headers["cookie"] = kept
    if form is None:
        answer = await stage.client.get(url, headers=headers)
    else:
        answer = await stage.client.post(url, data=form, headers=headers)
    # Each visitor is another person.
    stage.client.cookies.clear()
    return answer


def story(found: dict[str, Any]) -> list[str]:
    """The log of a referral, in words."""
    told = []
    for event in found["events"]:
        detail = event["detail"]
        more = detail.get("result") or detail.get("to") or ""
        told.append(" ".join(part for part in (event["kind"], str(more)) if part))
    return told


CONSENT = {"given_by": "child", "scope": ["services"]}


CENTRE, POLICE_PHONE, SHELTER_PHONE = "+381113000001", "+381113000002", "+381113000003"


async def a_centre(stage: Stage) -> None:
    """Add a centre for social work with a telephone and an e-mail address."""
    await add_agency(
        stage,
        "centre",
        "child_protection",
        sector="social_welfare",
        phones=(CENTRE,),
        email="centre@example.org",
    )


AGREED = {"given_by": "child", "scope": ["services", "authorities"]}


# Two brothers: the second is two years old.
BROTHERS = {
    "contact.kind": "child",
    "contact.headline": "Two brothers alone",
    "contact.categories": ["V-NEGLECT"],
    "contact.place": "RS-BG",
    "contact.there_now": "yes",
    "child.a1": 1,
    "child.a1.name": "Marko",
    "child.a1.age": 11,
    "child.a1.gender": "boy",
    "child.b2": 2,
    "child.b2.name": "Pavle",
    "child.b2.age": 2,
    "child.b2.gender": "boy",
}


ADDRESSES = {"email": "a@house.example", "sms": "+381640000001"}


async def sent_link(stage: Stage, post: Mail, ana: Any, **more: Any) -> tuple[str, str]:
    """A referral that waits for an answer, and the link of the e-mail."""
    await add_agency(stage, "house", "shelter", **ADDRESSES, **more)
    phone(stage, ADDRESSES["sms"])
    made = await by_hand(ana, override=OVERRIDE, send=True, answers={"child.name": "Jovana"})
    await stage.until(lambda: bool(post.messages), what="the e-mail arrives")
    await stage.advance(3)
    return str(made["id"]), link_in(post.messages[0][1])


SHELTER = ("+381113000001", "+381113000002", "+381113000003")


async def page(stage: Stage, who: Counsellor, path: str, **form: str) -> Any:
    """A page as a person who is signed in sees it; with a form it is sent."""
    url = stage.settings.public_url + path
    headers = {"Cookie": f"{COOKIE}={who.cookies[COOKIE]}", "origin": stage.settings.public_url}
    if form:
        return await stage.client.post(url, data=form, headers=headers)
    return await stage.client.get(url, headers=headers)


async def urgent(stage: Stage, who: Counsellor, service: str = "shelter", **more: Any) -> str:
    """A child in danger is on the line, and the counsellor presses urgent."""
    leg = await talk(stage, who)
    call = await stage.call_of(leg)
    made = await who.ask("POST", f"/calls/{call['id']}/urgent", {"service": service, **more})
    assert made.status_code == 201, made.text
    await stage.settle()
    return str(made.json()["id"])


async def in_danger(stage: Stage, who: Counsellor, **more: Any) -> str:
    """An immediate referral as the urgent button opens it, without the call: it is sent at once."""
    made = await by_hand(who, override=OVERRIDE, send=True, **more)
    await stage.settle()
    return str(made["id"])


async def by_hand(who: Counsellor, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"urgency": "immediate", "services": ["shelter"], **more}
    answer = await who.ask("POST", "/referrals", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


OVERRIDE = {"basis": "vital_interests", "reason": "The child is in danger tonight."}


async def approve_all(stage: Stage) -> None:
    """Approve all changed addresses of agencies, as a second person does."""
    async with transaction(stage.ground, PROGRAM) as work:
        ids = [one.change.id for one in await addresses.waiting(work, None)]
        await addresses.decide(work, None, ids, approve=True)
    stage.ground.memory.forget("directory")


BY_HOUSE = {"agency": "house", "name": "M"}


async def add_a_house_with_dates(stage: Stage) -> None:
    """An agency whose hours and phones have dates, which the form of a week cannot say."""
    await add_agency(
        stage,
        "house",
        "shelter,family_support",
        name="Sigurna kuća",
        areas=("RS-BG", "RS-VO"),
        hours="Mo-Fr 08:00-16:00; Dec 24 off",
        phones=(("+381113000001", "22:00-06:00"), ("+381113000002", "Dec 24-26 08:00-16:00")),
        mandated_for=("shelter@*",),
    )
