"""A record about several children belongs to each of them: what one asks shows no other."""

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import func, select

from app.api.data_requests import one_request
from app.dashboard.settings import data_request_pages
from app.dashboard.templating import templates
from app.errors import NotFound
from app.jobs.transaction import flush
from app.retention.data_requests import requests, searched
from app.retention.data_requests.kinds import (
    AskingPerson,
    IdentityCheck,
    ItemKind,
    Keep,
    RequestBasis,
)
from app.retention.data_requests.which_child import Meant, Standing, children_meant
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry
from app.staff.roles import Role
from app.work import Work
from tests.support import planted
from tests.support.planted import WORD
from tests.support.profile import by_day, nightly
from tests.support.retention.requested import (
    WORDS,
    release,
)
from tests.support.retention.siblings import (
    OF_BROTHER,
    OF_SISTER,
    SISTER,
    TWO,
    asked,
    one_record,
    one_record_with,
    remove,
    told_in,
    write,
)

pytestmark = [pytest.mark.usefixtures("readings_at_once"), pytest.mark.whole]

Kind, OTHER = ItemKind, Keep.ANOTHER_PERSON


@pytest.mark.parametrize("by_code", by_day([True, False]))
@pytest.mark.situation(by=one_record)
async def test_a_record_about_several_children_is_marked_with_its_referrals(
    work: Work, by_code: bool
) -> None:
    boss, contact, referral = await one_record(work)
    _, items = await asked(work, boss, contact.code if by_code else OF_SISTER)
    for one in (contact, referral):
        assert (items[one.id].keep, items[one.id].children) == (OTHER, 2)
    # Also a referral that was named by its own code.
    _, items = await asked(work, boss, referral.code)
    assert items[referral.id].keep == items[contact.id].keep == OTHER


@pytest.mark.parametrize("by_place", by_day([False, True]))
@pytest.mark.situation(by=one_record)
async def test_a_sister_reads_her_own_entry_and_nothing_of_her_brother(
    work: Work, by_place: bool
) -> None:
    boss, contact, _ = await one_record(work)
    typed = f"{contact.code}/2" if by_place else OF_SISTER
    request, _ = await asked(work, boss, typed)
    told = await told_in(work, boss, request)
    for said in ("name", "saw it", "wants out"):
        assert f"{SISTER} {said}" in told
    assert "Only what is about the one who asks is shown" in told
    # Neither his entry and his referral, nor what is said of both, nor which agency was told.
    for hidden in (WORD, OF_BROTHER, "Violence", "own_home", "Own home", "First"):
        assert hidden not in told, hidden
    # He reads his own, with the referral.
    request, _ = await asked(work, boss, f"{contact.code}/1" if by_place else OF_BROTHER)
    told = await told_in(work, boss, request)
    for said in (f"{WORD} child", f"{WORD} was beaten", f"{WORD} why", "First", "whom to ask"):
        assert said in told
    for hidden in (SISTER, OF_SISTER, f"{WORD} whispers", f"{WORD} new headline"):
        assert hidden not in told


async def test_of_a_record_in_which_it_is_not_known_who_asks_nothing_is_shown(work: Work) -> None:
    """The code names the record alone, and a telephone of their mother is that of both."""
    boss, contact, _ = await one_record_with(work, OF_BROTHER)
    for typed in (contact.code, OF_BROTHER):
        request, _ = await asked(work, boss, typed)
        told = await told_in(work, boss, request)
        assert "it is not known which of them asks" in told
        for hidden in (WORD, SISTER, OF_SISTER, "First"):
            assert hidden not in told
    for place in ("0", "3", "X"):
        code = f"{contact.code}/{place}"
        with pytest.raises(NotFound, match=f"^{code}: This record has no such child"):
            await asked(work, boss, code)
    with pytest.raises(NotFound, match="There is no record with the code K-000-000-000/1"):
        await asked(work, boss, "K-000-000-000/1")


@pytest.mark.parametrize("by_place", by_day([True, False]))
@pytest.mark.situation(by=one_record)
async def test_a_record_whose_other_child_is_gone_still_is_about_several(
    work: Work, by_place: bool
) -> None:
    """His entry goes while her report waits: the rest of it may tell of him, and is not hers."""
    boss, contact, _ = await one_record(work)
    for typed, shown in (
        (f"{contact.code}/2" if by_place else OF_SISTER, True),
        (f"{contact.code}/1" if by_place else OF_BROTHER, False),
    ):
        request, _ = await asked(work, boss, typed)
        await remove(work, contact, "a1")
        told = await told_in(work, boss, request)
        assert (f"{SISTER} name" in told) is shown
        for hidden in (WORD, OF_BROTHER, "Violence", "First"):
            assert hidden not in told, hidden
        of_him = {key: TWO[key] for key in TWO if f"{key}.".startswith("child.a1.")}
        await write(work, contact, of_him)


@nightly
@pytest.mark.situation(by=one_record)
async def test_a_place_names_the_child_who_stood_there_when_it_was_written(work: Work) -> None:
    boss, contact, _ = await one_record(work)
    request, _ = await asked(work, boss, f"{contact.code}/2")
    await write(work, contact, {"child.a1": 2, "child.a2": 1})
    told = await told_in(work, boss, request)
    assert f"{SISTER} name" in told
    assert f"{WORD} child" not in told
    # The only child was entered anew as another one: nothing of it goes to the first.
    lone = await planted.a_contact(work, boss, None, planted.CHILD)
    request, _ = await asked(work, boss, f"{lone.code}/1")
    await remove(work, lone, "a1")
    await write(work, lone, {"child.a2": 1, "child.a2.name": SISTER})
    told = await told_in(work, boss, request)
    for hidden in (SISTER, WORD):
        assert hidden not in told


@pytest.mark.situation(by=one_record)
async def test_it_is_shown_which_child_a_place_meant_and_whether_it_is_still_there(
    work: Work,
) -> None:
    boss, contact, _ = await one_record(work)
    # Her date of birth is written down, his, too.
    await write(work, contact, {"child.a2.birth_date": "2018-07-01"})
    request, _ = await asked(work, boss, f"{contact.code}/2")
    (told,) = await children_meant(work, request)
    assert told == Meant(contact.code, 2, Standing.THERE, 2)
    (shown,) = await children_meant(work, request, with_words=True)
    assert (shown.name, shown.born) == (f"{SISTER} name", "2018")
    # The log has the reading, and the name is nowhere in it.
    await flush(work)
    entries = (await work.session.scalars(select(AuditEntry))).all()
    read = [one for one in entries if one.subject == f"contact:{contact.id}"]
    assert read[-1].action == AuditLog.CONTACT_READ
    assert not [one for one in entries if SISTER in str(one.detail)]
    # She stands at another place now, and then in none.
    await write(work, contact, {"child.a1": 2, "child.a2": 1})
    (shown,) = await children_meant(work, request, with_words=True)
    assert (shown.place, shown.now, shown.name) == (2, 1, f"{SISTER} name")
    both, _ = await asked(work, boss, f"{contact.code}/1, {contact.code}/2")
    assert [one.now for one in await children_meant(work, both)] == [1, 2]
    await remove(work, contact, "a2")
    (shown,) = await children_meant(work, request, with_words=True)
    assert shown == Meant(contact.code, 2, Standing.GONE)
    assert [one.standing for one in await children_meant(work, both)] == ["gone", "there"]
    # A number names no place; and what is over is forgotten.
    of_number, _ = await asked(work, boss, OF_BROTHER)
    assert await children_meant(work, of_number) == []
    await requests.withdraw(work, boss, request.id)
    assert await children_meant(work, request) == []


@pytest.mark.situation(by=one_record)
async def test_who_is_no_officer_any_more_reads_no_more_whom_their_request_is_about(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator sees requests, but reads no records: neither on the page nor by the API."""

    nothing: Any = None

    def shown(_request: Any, _name: str, values: dict[str, Any]) -> Any:
        return SimpleNamespace(headers={}, values=values)

    monkeypatch.setattr(templates, "TemplateResponse", shown)
    boss, contact, _ = await one_record(work)
    request, _ = await asked(work, boss, f"{contact.code}/2")
    by_law, passport = RequestBasis.RIGHT_OF_ACCESS, IdentityCheck.DOCUMENT
    await release(work, boss, request)
    await requests.ask(work, boss, request.id, by_law, passport, WORDS)
    readings = []
    for role, reads in ((Role.SUPERVISOR, True), (Role.ADMINISTRATOR, False)):
        boss.role = role.value
        page: Any = await data_request_pages.request_page(nothing, work, boss, request.id)
        (child,) = page.values["meant"]
        assert (child.standing, child.name) == (Standing.THERE, f"{SISTER} name" if reads else "")
        assert (page.values["sought"] is not None, page.values["words"]) == (
            reads,
            WORDS if reads else "",
        )
        answer = await one_request(work, boss, request.id)
        code = [f"{contact.code}/2"]
        assert (answer.codes, answer.words) == ((code, WORDS) if reads else (None, None))
        await flush(work)
        of_contact = AuditEntry.action == AuditLog.CONTACT_READ
        readings.append(await work.session.scalar(select(func.count()).where(of_contact)))
    assert readings[0] == readings[1]


@pytest.mark.situation(by=one_record)
async def test_of_an_erased_record_no_child_is_said_to_be_there(work: Work) -> None:
    boss, contact, _ = await one_record(work)
    request, _ = await asked(work, boss, f"{contact.code}/1")
    contact.erased_at = work.now
    await flush(work)
    (shown,) = await children_meant(work, request, with_words=True)
    assert (shown.standing, shown.name) == (Standing.GONE, "")
    # Neither can this server say it of a form that it has not read.
    contact.erased_at, contact.form_version = None, 9999
    await flush(work)
    (shown,) = await children_meant(work, request, with_words=True)
    assert (shown.standing, shown.name) == (Standing.UNKNOWN, "")


@nightly
async def test_a_shared_number_tells_of_none_also_when_one_of_them_is_gone(work: Work) -> None:
    boss, contact, _ = await one_record_with(work, OF_BROTHER)
    request, _ = await asked(work, boss, OF_BROTHER)
    await remove(work, contact, "a2")
    told = await told_in(work, boss, request)
    assert WORD not in told


@nightly
@pytest.mark.situation(by=one_record)
async def test_a_report_that_an_earlier_version_searched_shows_no_other_child(work: Work) -> None:
    """It has kept neither which entry was meant nor of how many children a record told."""
    boss, contact, _ = await one_record(work)
    lone = await planted.a_contact(work, boss, None, planted.CHILD)
    by_place, _ = await asked(work, boss, f"{lone.code}/1")
    by_number, items = await asked(work, boss, OF_SISTER)
    for request in (by_place, by_number):
        kept = searched.sought_of(work, request)._replace(entries={})
        request.sought_sealed = searched.seal_sought(work, request.id, kept)
    for item in items.values():
        item.children = None
    for one in (contact, lone):
        await remove(work, one, "a1")
    await write(work, lone, {"child.a2": 1, "child.a2.name": SISTER})
    for request in (by_place, by_number):
        told = await told_in(work, boss, request)
        for hidden in (WORD, SISTER, "Violence", OF_BROTHER):
            assert hidden not in told, hidden


@pytest.mark.situation(by=one_record)
async def test_a_guardian_reads_no_other_child_either(work: Work) -> None:
    boss, _, _ = await one_record(work)
    request, items = await asked(work, boss, OF_SISTER, person=AskingPerson.GUARDIAN)
    wanted = {(Kind(one.kind), one.subject_id): None for one in items.values()}
    await requests.set_kept(work, boss, request.id, wanted)
    told = await told_in(work, boss, request)
    assert f"{SISTER} name" in told
    for hidden in (WORD, OF_SISTER, OF_BROTHER, f"{SISTER} saw", "several", "left out: "):
        assert hidden not in told, hidden
