"""Where an agency is reached changes only with a second person: records go nowhere else before."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.referrals.directory.agencies import entries, save_agency, set_webhook_secret
from app.referrals.directory.entries import Entry, Phone
from app.referrals.directory.models import Agency
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.roles import Role
from app.work import PROGRAM, Actor, ActorKind
from tests.support.mail import Mail
from tests.support.program.quiet import QuietStage
from tests.support.referrals import OVERRIDE, by_hand, take_back

_OWN = "mine@elsewhere.example"


async def _house(stage: Stage) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        await save_agency(
            work,
            Entry(
                code="house",
                name="House",
                sector="shelter",
                services=("shelter",),
                languages=("sr",),
                email="duty@house.example",
                duty_phones=(Phone("+381113000001"),),
                webhook_url="https://house.example/events",
            ),
        )
        await set_webhook_secret(work, "house")


async def _person(stage: Stage, name: str, role: Role) -> Counsellor:
    return await stage.add_counsellor(name, role=role, shift=False, state=None)


def _a_moment_later(quiet: QuietStage) -> None:
    quiet.stepped.move_to(quiet.clock.now() + timedelta(seconds=1))


async def _entry(stage: Stage) -> tuple[Agency, Entry]:
    async with transaction(stage.ground, PROGRAM) as work:
        return next(pair for pair in await entries(work) if pair[1].code == "house")


def _saved(**values: str) -> dict[str, str]:
    there = {
        "code": "house",
        "name": "House",
        "sector": "shelter",
        "services": "shelter",
        "languages": "sr",
        "email": "duty@house.example",
        "duty_phones": "+381113000001",
        "webhook_url": "https://house.example/events",
    }
    return {**there, **values}


async def _changes(reader: Counsellor) -> dict[str, Any]:
    found = (await reader.ask("GET", "/agencies/address-changes")).json()
    return {f"{one['agency']}.{one['field']}": one for one in found}


async def _decide(person: Counsellor, *ids: str, approve: bool = True) -> int:
    body = {"ids": ids, "approve": approve}
    return (await person.ask("POST", "/agencies/address-changes", body)).status_code


async def test_a_keeper_of_the_directory_sends_nothing_to_an_address_of_their_own(
    night: Stage, post: Mail
) -> None:
    stage = night
    officer = await _person(stage, "officer", Role.REFERRAL_OFFICER)
    other = await _person(stage, "other officer", Role.REFERRAL_OFFICER)
    await stage.advance(1)
    await _house(stage)
    admin = await _person(stage, "admin", Role.ADMINISTRATOR)
    await stage.advance(1)
    saved = await officer.ask(
        "POST",
        "/agencies",
        _saved(
            name="House of children",
            email=_OWN,
            duty_phones="+381113000009 | +381113000001",
            webhook_url="https://elsewhere.example/",
        ),
    )
    assert saved.status_code == 200, saved.text
    waiting = await _each_address_waits(stage, admin)
    await _was_told_where_it_was_reached_before(stage, post)
    ids = [one["id"] for one in waiting.values()]
    await _do_not_count_as_a_second_person(stage, officer, other, ids)
    page = await stage.client.get(
        f"{stage.settings.public_url}/agencies", headers={"Cookie": admin.cookie_header}
    )
    assert _OWN in page.text
    assert ids[0] in page.text
    assert await _decide(admin, *ids) == 204
    agency, now = await _entry(stage)
    assert (now.email, [p.number for p in now.duty_phones], now.webhook_url) == (
        _OWN,
        ["+381113000009", "+381113000001"],
        "https://elsewhere.example/",
    )
    # The secret was for the former address.
    assert agency.webhook_secret_sealed is None
    assert await _decide(admin, *ids) == 409
    kinds = [
        row["action"] for row in await stage.rows("SELECT action FROM audit_entries ORDER BY id")
    ]
    assert kinds.count("address_change_approved") == 3


async def _each_address_waits(stage: Stage, admin: Counsellor) -> dict[str, Any]:
    """What is no address is in force. Return the changes that wait."""
    agency, now = await _entry(stage)
    assert (now.name, now.email, [p.number for p in now.duty_phones], now.webhook_url) == (
        "House of children",
        "duty@house.example",
        ["+381113000001"],
        "https://house.example/events",
    )
    assert agency.webhook_secret_sealed is not None
    waiting = await _changes(admin)
    assert set(waiting) == {"house.email", "house.duty_phones", "house.webhook_url"}
    assert (waiting["house.email"]["before"], waiting["house.email"]["value"]) == (
        "duty@house.example",
        _OWN,
    )
    return waiting


async def _was_told_where_it_was_reached_before(stage: Stage, post: Mail) -> None:
    await stage.settle()
    told = {text for to, text in post.messages if to == "duty@house.example"}
    assert any("House of children" in letter for letter in told)
    assert all(to == "duty@house.example" for to, _ in post.messages)


async def _do_not_count_as_a_second_person(
    stage: Stage, officer: Counsellor, other: Counsellor, ids: list[str]
) -> None:
    """The same person, the same role, and an account that is younger than the change."""
    await stage.advance(1)
    young = await _person(stage, "young", Role.SUPERVISOR)
    # Nor does an account that the first person has had a hand in.
    made = await _person(stage, "made", Role.SUPERVISOR)
    await stage.watch.execute(
        "UPDATE staff SET created_at = created_at - interval '1 day' WHERE id = %s", (made.id,)
    )
    async with transaction(stage.ground, Actor(ActorKind.PERSON, officer.id)) as work:
        write_entry(work, AuditLog.STAFF_CHANGED, str(made.id))
    for person in (officer, other, young, made):
        assert await _decide(person, *ids) == 403
        assert not any(one["may_decide"] for one in (await _changes(person)).values())


async def test_the_owner_of_a_running_referral_is_told_of_a_new_address(
    night: Stage, post: Mail
) -> None:
    await _house(night)
    ana, vera = await night.add_counsellor("ana"), await night.add_counsellor("vera")
    for owner in (ana, vera):
        made = await by_hand(owner, override=OVERRIDE, send=True, answers={"child.name": "Jovana"})
        if owner is ana:
            told = str(made["id"])
        else:
            await take_back(night, vera, made["id"])
    officer = await _person(night, "officer", Role.REFERRAL_OFFICER)
    notices = "SELECT for_whom, referral_id, detail FROM notices WHERE kind = 'address_changes'"
    assert await night.rows(notices) == []
    await officer.ask("POST", "/agencies", _saved(email=_OWN, webhook_url="https://new.example/"))
    (notice,) = await night.rows(notices)
    assert (notice["for_whom"], str(notice["referral_id"])) == ("owner", told)
    assert notice["detail"] == {"agency": "house"}


async def test_a_second_hand_does_not_approve_its_own_address(quiet: QuietStage) -> None:
    await _house(quiet)
    officer = await _person(quiet, "officer", Role.REFERRAL_OFFICER)
    admin = await _person(quiet, "admin", Role.ADMINISTRATOR)
    _a_moment_later(quiet)
    await admin.ask("POST", "/agencies", _saved(email=_OWN))
    (seen,) = (await _changes(officer)).values()
    # Another person's request about the same field replaces it: it is a request of theirs.
    await officer.ask("POST", "/agencies", _saved(email="new@house.example"))
    assert await _decide(officer, seen["id"]) == 409
    (now,) = (await _changes(admin)).values()
    assert (now["value"], now["asked_role"]) == ("new@house.example", "referral_officer")
    assert await _decide(officer, now["id"]) == 403
    assert await _decide(admin, now["id"], approve=False) == 204
    assert (await _entry(quiet))[1].email == "duty@house.example"
    # The same request again is one request.
    for _ in range(2):
        await admin.ask("POST", "/agencies", _saved(email=_OWN))
    assert len(await _changes(officer)) == 1
    # Taking an address out sends nothing anywhere.
    await admin.ask("POST", "/agencies", _saved(webhook_url=""))
    assert (await _entry(quiet))[1].webhook_url is None


async def test_a_new_agency_and_a_new_secret_wait_too(quiet: QuietStage) -> None:
    await _house(quiet)
    officer = await _person(quiet, "officer", Role.REFERRAL_OFFICER)
    admin = await _person(quiet, "admin", Role.ADMINISTRATOR)
    _a_moment_later(quiet)
    mine = {"code": "mine", "name": "Mine", "sector": "shelter", "services": "shelter"}
    saved = await admin.ask("POST", "/agencies", {**mine, "email": _OWN})
    assert saved.status_code == 200, saved.text
    fits = (await admin.ask("POST", "/agencies/match", {"service": "shelter"})).json()
    assert [one["agency"] for one in fits["right"]] == ["house"], "an agency that cannot be reached"

    async def sealed() -> Any:
        async with transaction(quiet.ground, PROGRAM) as work:
            return await work.session.scalar(
                select(Agency.webhook_secret_sealed).where(Agency.code == "house")
            )

    before = await sealed()
    assert (await admin.ask("POST", "/agencies/house/secret")).status_code == 200
    assert await sealed() == before
    waiting = await _changes(officer)
    assert set(waiting) == {"mine.email", "house.webhook_secret"}
    assert waiting["house.webhook_secret"]["value"] is None
    assert await _decide(officer, *(one["id"] for one in waiting.values())) == 204
    assert await sealed() not in (before, None)
    left = await quiet.rows("SELECT 1 FROM address_changes WHERE secret_sealed IS NOT NULL")
    assert left == [], "a secret is kept once"
    fits = (await admin.ask("POST", "/agencies/match", {"service": "shelter"})).json()
    assert {one["agency"] for one in fits["right"]} == {"house", "mine"}
