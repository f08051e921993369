"""An account is changed: what the log says, who may not, and what a new role ends at once."""

from typing import Any

import pytest

from app.calls.lines.lines import add_line
from app.calls.models import Call
from app.calls.states import CallState
from app.contacts import contacts
from app.contacts.states import ContactChannel
from app.dashboard.people.views import form_of, read_form
from app.errors import ChangedMeanwhile, Conflict, Invalid, NotAllowed, NotFound
from app.jobs.transaction import send_rows
from app.people import changing, ending, finding
from app.people.changing import Changes, change
from app.people.finding import PeopleWanted, PersonState
from app.routing.models import Offer, OfferState, PresenceState
from app.routing.participants import participants, supervising
from app.routing.participants.participants import Mode
from app.routing.rota import giving
from app.staff import accounts, session_tokens
from app.staff.log_kinds import AuditLog
from app.staff.roles import Permission, Role, may, may_give
from app.work import Work
from tests.support.verbs import (
    a_counsellor,
    a_line,
    a_supervisor,
    a_talk,
    a_waiting_call,
    an_administrator,
    logged,
    offered,
    presence_of,
    sessions_of,
)


def changed(work: Work) -> list[Any]:
    return [detail for action, detail in logged(work) if action == AuditLog.STAFF_CHANGED]


async def test_a_change_is_stored_and_logged_with_before_and_after(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    wanted = Changes(team=" north  side ", languages=["sr", "en"], skills=["violence:2", "lgbt"])
    await change(work, ana.id, wanted, by=mila, revision=0)
    assert (ana.team, ana.languages, ana.skills, ana.revision) == (
        "north side",
        ["en", "sr"],
        ["violence:2", "lgbt"],
        1,
    )
    assert changed(work) == [
        {
            "before": {"team": "", "languages": [], "skills": []},
            "after": {
                "team": "north side",
                "languages": ["en", "sr"],
                "skills": ["violence:2", "lgbt"],
            },
        }
    ]


async def test_what_stays_as_it_was_is_not_logged(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    await change(work, ana.id, Changes(name="ana", training=False), by=mila)
    assert (changed(work), ana.revision) == ([], 0)


async def test_an_administrator_chooses_the_language_of_a_persons_pages(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    await change(work, ana.id, Changes(page_language="sr-Cyrl"), by=mila, revision=0)
    assert (ana.page_language, ana.revision) == ("sr-Cyrl", 1)
    after = {"page_language": "sr-Cyrl"}
    assert changed(work) == [{"before": {"page_language": "en"}, "after": after}]


async def test_a_form_leaves_the_language_that_a_person_chose_meanwhile(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    drawn = form_of(ana)
    await accounts.choose_page_language(work, ana, "sr")
    sent = {
        "name": "ana",
        "team": "north",
        "page_language": drawn.values["page_language"],
        "page_language_before": drawn.page_language_before,
    }
    await change(work, ana.id, read_form(sent), by=mila, revision=drawn.revision)
    assert (ana.team, ana.page_language) == ("north", "sr")
    await change(work, ana.id, read_form(sent | {"page_language": "mk"}), by=mila)
    assert ana.page_language == "mk"


async def test_the_log_holds_only_the_ends_of_names_numbers_and_addresses(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    wanted = Changes(name="Petra Perić", email="petra@example.org", endpoint="+381641234567")
    await change(work, ana.id, wanted, by=mila)
    (detail,) = changed(work)
    assert detail["after"] == {"name": "P…", "email": "p…@example.org", "endpoint": "+381…67"}
    assert "etra" not in str(detail)


@pytest.mark.parametrize(
    "typed",
    ["064 123-4567", " (064) 1234567 ", "+381 64 123 45 67", "00381641234567", "٠٦٤١٢٣٤٥٦٧"],
)
async def test_a_telephone_is_typed_as_it_is_dialled_at_the_helpline(
    work: Work, typed: str
) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    await a_line(work)
    await change(work, ana.id, Changes(endpoint=typed), by=mila)
    assert (ana.endpoint_kind, ana.endpoint) == ("phone", "+381641234567")
    # The form shows what is stored.
    assert form_of(ana).rings_at == "+381641234567"


@pytest.mark.parametrize("typed", ["116111", "0641", "sip:064@", "0900123456"])
async def test_what_cannot_be_rung_is_refused_as_typed(work: Work, typed: str) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    await a_line(work)
    with pytest.raises(Invalid):
        await change(work, ana.id, Changes(endpoint=typed), by=mila)
    assert ana.endpoint_kind == "browser"


async def test_of_two_who_change_an_account_the_second_is_told(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    await change(work, ana.id, Changes(team="north"), by=mila, revision=0)
    with pytest.raises(ChangedMeanwhile):
        await change(work, ana.id, Changes(team="south"), by=mila, revision=0)
    assert ana.team == "north"


@pytest.mark.parametrize(
    "wanted",
    [
        Changes(name=""),
        Changes(name="a\nb"),
        Changes(email="nobody"),
        Changes(endpoint="the desk"),
        Changes(endpoint=""),
        Changes(languages=["klingon"]),
        Changes(page_language="klingon"),
        Changes(page_language=""),
        Changes(skills=["Violence"]),
        Changes(skills=["violence:0"]),
        Changes(lines=["+38100"]),
        Changes(team="x" * 61),
        Changes(name="mila"),
    ],
)
async def test_an_impossible_change_is_refused_and_changes_nothing(
    work: Work, wanted: Changes
) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    with pytest.raises((Invalid, NotFound, Conflict)):
        await change(work, ana.id, wanted, by=mila)
    assert (ana.name, ana.revision) == ("ana", 0)


async def test_a_line_is_kept_by_the_number_that_matching_knows(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    await add_line(
        work,
        number="116111",
        name="Plavi telefon",
        country="RS",
        languages=["sr"],
        timezone="Europe/Belgrade",
        leads_here=["+38111116111"],
    )
    await change(work, ana.id, Changes(lines=["+38111116111"]), by=mila)
    assert ana.lines == ["116111"]


async def test_the_last_administrator_who_can_sign_in_stays_one(work: Work) -> None:
    mila = await an_administrator(work)
    invited = await accounts.add_staff(work, name="nada", role=Role.ADMINISTRATOR)
    for by in (None, invited):
        with pytest.raises(changing.LastAdministrator):
            await change(work, mila.id, Changes(role=Role.AUDITOR), by=by)
    other = await an_administrator(work, "olga")
    await change(work, mila.id, Changes(role=Role.AUDITOR), by=other)
    assert mila.role == Role.AUDITOR


async def test_a_role_is_given_only_by_one_who_may_give_it_and_never_to_oneself(
    work: Work,
) -> None:
    mila, vera = await an_administrator(work), await a_supervisor(work)
    ana = await a_counsellor(work, "ana")
    await an_administrator(work, "olga")
    with pytest.raises(changing.OwnAccount):
        await change(work, mila.id, Changes(role=Role.SUPERVISOR), by=mila)
    with pytest.raises(NotAllowed):
        await change(work, ana.id, Changes(role=Role.ADMINISTRATOR), by=vera)
    with pytest.raises(NotAllowed):
        await change(work, mila.id, Changes(role=Role.COUNSELLOR), by=vera)


def test_only_a_role_that_keeps_people_gives_roles() -> None:
    for role in Role:
        gives = {given for given in Role if may_give(role, given)}
        assert bool(gives) == may(role, Permission.KEEP_PEOPLE), role


async def test_a_role_without_calls_ends_presence_offer_and_sessions_at_once(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    await session_tokens.open_session(work, ana)
    await giving.give_duty(work, ana, None)
    call = await a_waiting_call(work)
    (offer,) = await offered(work, call, ana)
    await change(work, ana.id, Changes(role=Role.AUDITOR), by=mila)
    assert (offer.state, call.state) == (OfferState.DECLINED, CallState.QUEUED)
    assert (await presence_of(work, ana)).state == PresenceState.OFF_DUTY
    assert await sessions_of(work, ana) == 0


async def test_a_child_in_a_talk_goes_to_the_front_of_the_queue(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    await giving.give_duty(work, ana, None)
    call, offer = await a_talk(work, ana)
    await change(work, ana.id, Changes(role=Role.AUDITOR), by=mila)
    kept = await work.session.get(Call, call.id, populate_existing=True)
    assert kept is not None
    assert (kept.state, kept.ended_at, kept.priority > 7000) == (CallState.QUEUED, None, True)
    gone = await work.session.get(Offer, offer.id, populate_existing=True)
    assert gone is not None
    assert gone.released_at is not None
    assert (await presence_of(work, ana)).state == PresenceState.OFF_DUTY


async def test_a_supervisor_who_becomes_a_counsellor_keeps_the_talk_and_the_page(
    work: Work,
) -> None:
    mila, vera = await an_administrator(work), await a_counsellor(work, "vera")
    vera.role = Role.SUPERVISOR
    await session_tokens.open_session(work, vera)
    call, offer = await a_talk(work, vera)
    await change(work, vera.id, Changes(role=Role.COUNSELLOR), by=mila)
    assert (call.state, offer.released_at) == (CallState.CONNECTED, None)
    assert await sessions_of(work, vera) == 1
    assert (await presence_of(work, vera)).state == PresenceState.ON_CALL


async def test_a_supervisor_who_listens_leaves_the_talk_with_the_role(work: Work) -> None:
    mila, vera = await an_administrator(work), await a_counsellor(work, "vera")
    vera.role = Role.SUPERVISOR
    await session_tokens.open_session(work, vera)
    ana = await a_counsellor(work, "ana")
    call, _ = await a_talk(work, ana)
    await supervising.supervise(work, vera, call, Mode.LISTEN)
    await work.session.flush()
    await change(work, vera.id, Changes(role=Role.COUNSELLOR), by=mila)
    left = await participants.live_participants(work, call.id)
    assert left == []
    assert call.state == CallState.CONNECTED
    assert await sessions_of(work, vera) == 0


async def test_a_role_that_may_not_hold_what_a_person_holds_is_refused(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    await contacts.create_contact(work, ana, channel=ContactChannel.CALL)
    await send_rows(work)
    with pytest.raises(ending.StillHolds, match="drafts"):
        await change(work, ana.id, Changes(role=Role.AUDITOR), by=mila)
    assert ana.role == Role.COUNSELLOR


async def test_where_calls_ring_is_not_changed_in_a_call(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    await a_talk(work, ana)
    with pytest.raises(changing.InACall):
        await change(work, ana.id, Changes(endpoint="+381641234567"), by=mila)


async def test_people_are_found_by_name_role_team_and_state(work: Work) -> None:
    mila = await an_administrator(work)
    zarko = await accounts.add_staff(work, name="Žarko Đurić", role=Role.COUNSELLOR, team="north")
    nada = await accounts.add_staff(work, name="Нада Јовић", role=Role.SUPERVISOR)
    nada.active = False
    await work.session.flush()

    async def names(**which: Any) -> list[str]:
        return [one.name for one in await finding.find_people(work, PeopleWanted(**which))]

    assert await names(words="zar") == [zarko.name]
    assert await names(words="nada jov") == [nada.name]
    assert await names(words="arko") == []
    assert await names(role=Role.ADMINISTRATOR) == [mila.name]
    assert await names(team="north") == [zarko.name]
    assert await names(team="", state=PersonState.ACTIVE) == [mila.name]
    assert await names(state=PersonState.INVITED) == [zarko.name]
    assert await names() == [mila.name, zarko.name, nada.name]
