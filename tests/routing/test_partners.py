"""A line's callers reach a new partner only when a second person has approved the number."""

from datetime import timedelta
from html import unescape
from typing import Any

import pytest

from app.calls.lines import finding_lines, line_use, lines, partner_doubts
from app.calls.lines.leading import Leads
from app.calls.lines.line_rows import PartnerRequest
from app.calls.speech import LineScript
from app.dashboard.people.access_requests import access_request_values
from app.dashboard.settings.lines import plan_form
from app.dashboard.settings.lines.line_views import PLAN_NUMBERS
from app.dashboard.templating import templates
from app.errors import Invalid
from app.jobs.names import Task
from app.people import leaving
from app.referrals.directory import leavers
from app.routing import changing_plans, partners
from app.routing.plan import read_plan
from app.staff import phone_proofs
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.second_person import ChangeState, SecondPerson, note_could_approve
from app.work import PROGRAM, Actor, ActorKind, Work
from tests.support.verbs import a_counsellor, a_line, a_supervisor, an_administrator, logged

# Together they take seconds, and are not among the fast ones.
pytestmark = pytest.mark.whole

THEIRS, MINE, OTHER = "+381113334446", "+381641234567", "+381113334447"


async def _line(work: Work) -> LineScript:
    await a_line(work)
    (row,) = await lines.lock_lines(work)
    return (await finding_lines.read_line(work, row.id))[1]


async def _rung(work: Work, line: LineScript) -> str | None:
    return read_plan((await lines.lock_line(work, line.id)).plan).partner_number


async def _scene(work: Work) -> tuple[LineScript, Staff, Staff]:
    """A line with a partner, an administrator who acts, and a supervisor who can sign in."""
    line = await _line(work)
    await changing_plans.change_plan(work, line, partner_number=THEIRS)
    mila, vera = await an_administrator(work), await a_supervisor(work)
    vera.password_hash = "a hash"
    note_could_approve(vera)
    await work.session.flush()
    _acts(work, mila)
    return line, mila, vera


def _acts(work: Work, staff: Staff) -> None:
    work.actor = Actor(ActorKind.PERSON, staff.id, role=staff.role)


async def _asked(work: Work) -> PartnerRequest:
    (one,) = await partners.waiting(work, None)
    return one.row


async def test_an_administrator_alone_sends_no_caller_to_a_telephone_of_their_own(
    work: Work,
) -> None:
    line, mila, vera = await _scene(work)
    plan = await changing_plans.change_plan(work, line, partner_number=MINE, partner_after=0)
    assert (plan.partner_number, plan.partner_after) == (THEIRS, 0)
    assert await _rung(work, line) == THEIRS
    row = await _asked(work)
    with pytest.raises(SecondPerson):
        await partners.decide(work, row.id, by=mila, approve=True)
    other = await an_administrator(work, "mira")
    with pytest.raises(SecondPerson):
        await partners.decide(work, row.id, by=other, approve=True)
    work.now = work.now.replace(hour=23)
    late = await a_supervisor(work, "late")
    assert late.created_at == work.now
    with pytest.raises(SecondPerson):
        await partners.decide(work, row.id, by=late, approve=True)
    assert await _rung(work, line) == THEIRS
    assert [one.may_approve for one in await partners.waiting(work, vera)] == [True]
    _acts(work, vera)
    await partners.decide(work, row.id, by=vera, approve=True)
    assert await _rung(work, line) == MINE
    acts: list[tuple[str, Any]] = logged(work)[-2:]
    assert [act for act, _ in acts] == [AuditLog.PARTNER_APPROVED, AuditLog.LINE_PLAN_SET]
    assert acts[0][1]["after"] == {"partner_number": "+381…67"}
    assert await partners.waiting(work, None) == []
    with pytest.raises(partners.NothingWaits):
        await partners.decide(work, row.id, by=vera, approve=True)


async def test_a_refused_number_is_not_rung(work: Work) -> None:
    line, _mila, vera = await _scene(work)
    await changing_plans.change_plan(work, line, partner_number=MINE)
    await partners.decide(work, (await _asked(work)).id, by=vera, approve=False)
    assert await _rung(work, line) == THEIRS
    assert logged(work)[-1][0] == AuditLog.PARTNER_REFUSED


async def test_who_asked_withdraws_it_and_a_later_number_comes_in_its_place(work: Work) -> None:
    line, mila, vera = await _scene(work)
    await changing_plans.change_plan(work, line, partner_number=MINE)
    first = await _asked(work)
    await changing_plans.change_plan(work, line, partner_number=MINE)
    assert (await _asked(work)).id == first.id, "it was asked already"
    await changing_plans.change_plan(work, line, partner_number=OTHER)
    second = await _asked(work)
    assert (second.number, first.state) == (OTHER, ChangeState.REPLACED)
    with pytest.raises(partners.NothingWaits):
        await partners.decide(work, first.id, by=vera, approve=True)
    await partners.decide(work, second.id, by=mila, approve=False)
    assert await _rung(work, line) == THEIRS


async def test_a_partner_is_taken_out_at_once_and_nothing_waits_any_more(work: Work) -> None:
    line, _mila, _vera = await _scene(work)
    await changing_plans.change_plan(work, line, partner_number=MINE)
    await changing_plans.change_plan(work, line, partner_number="")
    assert await _rung(work, line) is None
    assert await partners.waiting(work, None) == []


async def test_a_change_that_is_taken_back_brings_no_partner_back_alone(work: Work) -> None:
    line, _mila, vera = await _scene(work)
    await changing_plans.change_plan(work, line, partner_number=MINE)
    await partners.decide(work, (await _asked(work)).id, by=vera, approve=True)
    await changing_plans.change_plan(work, line, partner_number="")
    await changing_plans.change_plan(work, line, partner_number=MINE)
    assert await _rung(work, line) is None
    assert (await _asked(work)).number == MINE


async def test_while_no_account_could_approve_the_number_is_rung_at_once(work: Work) -> None:
    line = await _line(work)
    _acts(work, await an_administrator(work))
    await changing_plans.change_plan(work, line, partner_number=THEIRS)
    assert await _rung(work, line) == THEIRS
    assert await partners.waiting(work, None) == []


async def test_the_operator_and_the_program_set_also_a_number_that_waits(work: Work) -> None:
    """As at the end of an emergency access that took the partner out and one asks for it again."""
    line, _mila, _vera = await _scene(work)
    await changing_plans.change_plan(work, line, partner_number=MINE)
    row = await _asked(work)
    work.actor = PROGRAM
    plan = await changing_plans.change_plan(work, line, partner_number=MINE)
    assert plan.partner_number == await _rung(work, line) == MINE
    assert row.state == ChangeState.IN_FORCE
    assert await partners.waiting(work, None) == []


async def test_the_telephone_of_a_person_who_left_is_no_partner(work: Work) -> None:
    line, _mila, vera = await _scene(work)
    ana = await a_counsellor(work, "ana", endpoint=MINE)
    await changing_plans.change_plan(work, line, partner_number=MINE)
    row = await _asked(work)
    await leaving.deactivate(work, ana.id, leaving.shifts_uncovered(), by=None)
    _acts(work, vera)
    with pytest.raises(partners.OfALeaver):
        await partners.decide(work, row.id, by=vera, approve=True)
    assert await _rung(work, line) == THEIRS
    # It was handed on: a colleague has proven it.
    bob = await a_counsellor(work, "bob", endpoint=MINE)
    await phone_proofs.pair(work, bob)
    await work.session.flush()
    await partners.decide(work, row.id, by=vera, approve=True)
    assert await _rung(work, line) == MINE


@pytest.mark.parametrize("by_program", [True, False])
async def test_the_telephone_of_a_person_who_left_is_no_partner_while_none_could_approve(
    work: Work, *, by_program: bool
) -> None:
    line = await _line(work)
    ana = await a_counsellor(work, "ana", endpoint=MINE)
    await leaving.deactivate(work, ana.id, leaving.shifts_uncovered(), by=None)
    if not by_program:
        _acts(work, await an_administrator(work))
    with pytest.raises(partners.OfALeaver):
        await changing_plans.change_plan(work, line, partner_number=MINE)
    await changing_plans.change_plan(work, line, partner_number=THEIRS)
    assert await _rung(work, line) == THEIRS


async def test_a_number_that_is_perhaps_a_leavers_is_approved_only_knowingly(work: Work) -> None:
    """Any counsellor could have entered the partner's number: it is not refused for ever."""
    line, _mila, vera = await _scene(work)
    ana = await a_counsellor(work, "ana")
    ana.second_phone = MINE
    await changing_plans.change_plan(work, line, partner_number=MINE)
    row = await _asked(work)
    assert [one.perhaps_of_leaver for one in await partners.waiting(work, vera)] == [False]
    await leaving.deactivate(work, ana.id, leaving.shifts_uncovered(), by=None)
    _acts(work, vera)
    assert [one.perhaps_of_leaver for one in await partners.waiting(work, vera)] == [True]
    with pytest.raises(partners.PerhapsOfALeaver):
        await partners.decide(work, row.id, by=vera, approve=True)
    assert await _rung(work, line) == THEIRS
    shown = templates.get_template("fragments/people/access_requests.html").render(
        await access_request_values(work, vera)
    )
    assert partners.PerhapsOfALeaver.default in shown
    assert '{"approve": true, "knowingly": true}' in unescape(shown)
    await partners.decide(work, row.id, by=vera, approve=True, knowingly=True)
    assert await _rung(work, line) == MINE
    approved = [detail for act, detail in logged(work) if act == AuditLog.PARTNER_APPROVED]
    assert [one["perhaps_of_leaver"] for one in approved] == [True]
    assert (await leavers.still(work, ana)).perhaps_lines == ()


async def _in_doubt(work: Work) -> tuple[LineScript, Staff, Staff, Staff]:
    """The scene, and who has left and had entered the partner's number as their own."""
    line, mila, vera = await _scene(work)
    ana = await a_counsellor(work, "ana")
    ana.second_phone = THEIRS
    await leaving.deactivate(work, ana.id, leaving.shifts_uncovered(), by=None)
    return line, mila, vera, ana


async def _sends(work: Work, line: LineScript, **changed: str) -> dict[str, Any]:
    """Return what the form of the plan changes."""
    plan = read_plan((await lines.lock_line(work, line.id)).plan)
    shown = {one: str(getattr(plan, one)) for one in (*PLAN_NUMBERS, "partner_number")}
    was = {f"was.{one}": value for one, value in shown.items()}
    return plan_form.changed({**shown, **was, "was.skills": "", **changed}, plan)


def _shown(values: dict[str, Any], staff: Staff) -> str:
    """Return the list of what waits, as a page shows it."""
    template = templates.get_template("fragments/people/access_requests.html")
    return " ".join(unescape(template.render(values, staff=staff)).split())


async def test_a_partner_in_doubt_is_confirmed_by_a_second_person(work: Work) -> None:
    line, mila, vera, ana = await _in_doubt(work)
    # What is changed beside it confirms nothing.
    assert await _sends(work, line, backup_after="25") == {"backup_after": 25}
    for beside in ({"backup_after": 25}, {"partner_number": THEIRS}):
        await changing_plans.change_plan(work, line, **beside)
        assert await partners.waiting(work, None) == []
    for seen in (MINE, ""):
        with pytest.raises((partners.NotInDoubt, Invalid)):
            await changing_plans.change_plan(work, line, confirm_partner=seen)
    for _ in range(2):
        await changing_plans.change_plan(work, line, confirm_partner=THEIRS)
    row = await _asked(work)
    assert row.number == THEIRS
    assert (await leavers.still(work, ana)).perhaps_lines == (line.name,)
    with pytest.raises(SecondPerson):
        await partners.decide(work, row.id, by=mila, approve=True)
    with pytest.raises(partners.PerhapsOfALeaver):
        await partners.decide(work, row.id, by=vera, approve=True)
    assert not await partners.decide(work, row.id, by=vera, approve=True, knowingly=True)
    assert await _rung(work, line) == THEIRS
    assert (await leavers.still(work, ana)).perhaps_lines == ()
    with pytest.raises(partners.NotInDoubt):
        await changing_plans.change_plan(work, line, confirm_partner=THEIRS)


async def test_a_number_that_waits_is_not_given_up_for_the_one_in_doubt(work: Work) -> None:
    line, _mila, _vera, _ana = await _in_doubt(work)
    await changing_plans.change_plan(work, line, partner_number=OTHER)
    with pytest.raises(partners.AnotherWaits):
        await changing_plans.change_plan(work, line, confirm_partner=THEIRS)
    assert (await _asked(work)).number == OTHER


async def test_while_no_account_could_approve_a_click_of_its_own_confirms_the_number(
    work: Work,
) -> None:
    line = await _line(work)
    await changing_plans.change_plan(work, line, partner_number=THEIRS)
    ana = await a_counsellor(work, "ana")
    ana.second_phone = THEIRS
    await leaving.deactivate(work, ana.id, leaving.shifts_uncovered(), by=None)
    _acts(work, await an_administrator(work))
    await changing_plans.change_plan(work, line, **await _sends(work, line, backup_after="25"))
    assert (await leavers.still(work, ana)).perhaps_lines == (line.name,)
    await changing_plans.change_plan(work, line, confirm_partner=THEIRS)
    assert (await leavers.still(work, ana)).perhaps_lines == ()
    act, said = logged(work)[-1]
    assert (act, said["perhaps_of_leaver"]) == (AuditLog.PARTNER_APPROVED, True)


@pytest.mark.parametrize("retired", [False, True])
async def test_a_partner_in_doubt_that_is_refused_is_taken_out(
    work: Work, *, retired: bool
) -> None:
    line, mila, vera, ana = await _in_doubt(work)
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    olga = await a_supervisor(work, "olga")
    for one in (mila, vera, olga):
        one.email = f"{one.name}@x.example"
    await changing_plans.change_plan(work, line, confirm_partner=THEIRS)
    row = await _asked(work)
    assert await partners.is_rung(work, row.id)
    said = "Refuse and take it out"
    for reader in (mila, vera):
        shown = _shown(await access_request_values(work, reader), reader)
        assert (said in shown) == ("Approve it only" in shown) == (reader is vera)
        assert partners.PERHAPS in shown
    if retired:
        await lines.add_line(
            work,
            number="+381112222334",
            name="Druga linija",
            country="RS",
            languages=["sr"],
            timezone="Europe/Belgrade",
        )
        await line_use.retire(work, line.id)
    work.jobs.clear()
    _acts(work, vera)
    assert await partners.decide(work, row.id, by=vera, approve=False)
    assert await _rung(work, line) is None
    assert (await leavers.still(work, ana)).perhaps_lines == ()
    acts: list[tuple[str, Any]] = logged(work)[-2:]
    assert [act for act, _ in acts] == [AuditLog.PARTNER_REFUSED, AuditLog.LINE_PLAN_SET]
    for _, detail in acts:
        assert detail["before"] == {"partner_number": "+381…46"}
        assert not detail["after"]["partner_number"]
    told = [dict(one.arguments) for one in work.jobs if one.task == Task.TELL_LEADS_ELSEWHERE]
    assert {one["staff_id"] for one in told} == {str(mila.id), str(olga.id)}
    assert {tuple(one["changed"]) for one in told} == {(Leads.PARTNER_REFUSED,)}
    # It is said until a person decides, as of a line that lost a leaver's telephone.
    row_of_line = await lines.lock_line(work, line.id)
    assert (row_of_line.partner_lost_at, row_of_line.partner_lost_of) == (work.now, None)
    shown = _shown(await access_request_values(work, olga), olga)
    assert ("has no partner: a second person refused its number" in shown) is not retired
    if not retired:
        await changing_plans.change_plan(work, line, partner_number="")
        assert row_of_line.partner_lost_at is None


async def test_a_number_that_is_sent_as_it_is_leaves_its_question_to_the_second_person(
    work: Work,
) -> None:
    line, _mila, vera, ana = await _in_doubt(work)
    await changing_plans.change_plan(work, line, confirm_partner=THEIRS)
    row = await _asked(work)
    for actor in (work.actor, PROGRAM):
        work.actor = actor
        await changing_plans.change_plan(work, line, partner_number=THEIRS)
        assert await _asked(work) is row
        assert (await leavers.still(work, ana)).perhaps_lines == (line.name,)
    _acts(work, vera)
    await partners.decide(work, row.id, by=vera, approve=True, knowingly=True)
    assert (row.state, row.decided_by) == (ChangeState.IN_FORCE, vera.id)


@pytest.mark.parametrize("refuser", ["same role", "younger", "emergency account"])
async def test_who_could_not_approve_takes_no_number_out_by_refusing_it(
    work: Work, refuser: str
) -> None:
    line, mila, _vera, ana = await _in_doubt(work)
    other = await an_administrator(work, "mira")
    if refuser != "same role":
        other = await a_supervisor(work, "olga")
    if refuser == "emergency account":
        other.emergency = True
    await changing_plans.change_plan(work, line, confirm_partner=THEIRS)
    row = await _asked(work)
    if refuser == "younger":
        other.created_at = row.asked_at + timedelta(seconds=1)
    await work.session.flush()
    assert [one.is_taken_out for one in await partners.waiting(work, other)] == [False]
    shown = _shown(await access_request_values(work, other), other)
    assert "Callers are still connected with it." in shown
    assert ">Withdraw</button>" in shown
    work.jobs.clear()
    _acts(work, other)
    assert not await partners.decide(work, row.id, by=other, approve=False)
    assert await _rung(work, line) == THEIRS
    assert (await leavers.still(work, ana)).perhaps_lines == (line.name,)
    assert row.state == ChangeState.REFUSED
    act, said = logged(work)[-1]
    assert act == AuditLog.PARTNER_REFUSED
    assert said["before"] == said["after"] == {"partner_number": "+381…46"}
    assert Task.TELL_LEADS_ELSEWHERE not in {one.task for one in work.jobs}
    # It can be asked again.
    _acts(work, mila)
    await changing_plans.change_plan(work, line, confirm_partner=THEIRS)
    assert (await _asked(work)).number == THEIRS


@pytest.mark.parametrize("by_asker", [False, True])
async def test_who_gives_up_the_question_leaves_the_number_in_doubt(
    work: Work, *, by_asker: bool
) -> None:
    """So does the end of an emergency access under which it was asked."""
    line, mila, _vera, ana = await _in_doubt(work)
    await changing_plans.change_plan(work, line, confirm_partner=THEIRS)
    row = await _asked(work)
    by = mila if by_asker else None
    assert not await partners.decide(work, row.id, by=by, approve=False, withdrawn=not by_asker)
    assert await _rung(work, line) == THEIRS
    assert (await leavers.still(work, ana)).perhaps_lines == (line.name,)


@pytest.mark.parametrize("how", ["back", "proven"])
async def test_a_number_is_in_doubt_only_while_it_could_be_a_leavers(work: Work, how: str) -> None:
    line, _mila, _vera, ana = await _in_doubt(work)
    row = await lines.lock_line(work, line.id)
    assert await partner_doubts.is_in_doubt(work, row)
    if how == "back":
        ana.active = True
    else:
        bob = await a_counsellor(work, "bob", endpoint=THEIRS)
        await phone_proofs.pair(work, bob)
    await work.session.flush()
    assert not await partner_doubts.is_in_doubt(work, row)


async def test_a_partner_from_before_doubts_were_noted_is_looked_at_once(work: Work) -> None:
    line, _mila, vera, ana = await _in_doubt(work)
    bob = await a_counsellor(work, "bob", endpoint=MINE)
    await leaving.deactivate(work, bob.id, leaving.shifts_uncovered(), by=None)
    row = await lines.lock_line(work, line.id)
    row.partner_doubted_at, row.partner_to_look_at = None, True
    await work.session.flush()
    work.jobs.clear()
    assert await partner_doubts.to_look_at(work) == [line.id]
    for _ in range(2):
        await partner_doubts.look_at_once(work, line.id)
    assert [one.arguments for one in work.jobs] == [{"staff_id": str(ana.id)}]
    assert (await leavers.still(work, ana)).perhaps_lines == (line.name,)
    assert await partner_doubts.to_look_at(work) == []
    # What a person has confirmed meanwhile is not put in doubt again.
    row.partner_to_look_at = True
    await changing_plans.change_plan(work, line, confirm_partner=THEIRS)
    await partners.decide(work, (await _asked(work)).id, by=vera, approve=True, knowingly=True)
    assert await partner_doubts.to_look_at(work) == []
    # The telephone of a person who has left is an alarm, too.
    row.plan, row.partner_to_look_at = {"partner_number": MINE}, True
    await work.session.flush()
    work.jobs.clear()
    await partner_doubts.look_at_once(work, line.id)
    assert [one.arguments for one in work.jobs] == [{"staff_id": str(bob.id)}]
