"""The values of a case's page besides its form: the plan, flags, links and requests."""

from typing import Any
from zoneinfo import ZoneInfo

from app.contacts.cases import (
    case_children,
    case_flags,
    case_links,
    case_requests,
    follow_ups,
)
from app.contacts.models import Case
from app.contacts.records import Opened
from app.contacts.registry import library_of, sheet_of
from app.contacts.sealed_answers import present
from app.contacts.states import CaseTie, FlagAbout, FollowUpAbout
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.statistics.counting.labels import of_question
from app.words.pages import reader
from app.work import Work


async def plan_values(opened: Opened[Case]) -> dict[str, Any]:
    """Return the goals of a case with the steps of each, and its other follow-ups."""
    sheet, work = sheet_of(opened.work, opened.record), opened.work
    goals = [
        (entry, str(opened.answer(path) or ""))
        for section, field in sheet.form.meaning("goal")
        for entry in sheet.entries(present(opened.record), section)
        for path in (f"{section.code}.{entry}.{field.code}",)
    ]
    lines = [
        (row, words, result, follow_ups.results_of(row.about))
        for row, words, result in await follow_ups.follow_ups_of(opened)
    ]
    steps = [line for line in lines if line[0].about == FollowUpAbout.INTERVENTION]
    known = {entry for entry, _ in goals}
    zone = ZoneInfo(library_of(work.ground).country.timezone)
    return {
        "goals": goals,
        # Steps whose goal was removed from the form are listed without a goal.
        "steps": [(e, g, [s for s in steps if s[0].goal == e]) for e, g in goals]
        + [("", "", [s for s in steps if s[0].goal not in known])],
        "providers": {s[0].id: follow_ups.provider_of(opened, s[0]) for s in steps},
        "follow_ups": [line for line in lines if line[0].about != FollowUpAbout.INTERVENTION],
        "abouts": [about for about in FollowUpAbout if about != FollowUpAbout.INTERVENTION],
        "today": work.now.astimezone(zone).date().isoformat(),
    }


async def shared_values(work: Work, staff: Staff, opened: Opened[Case]) -> dict[str, Any]:
    """Return the flags and links of a case, and the requests that wait for a second person."""
    case = opened.record
    return {
        "flags": await case_flags.flags_of(opened),
        "flag_abouts": list(FlagAbout),
        "linked_cases": await case_links.linked_cases(work, staff, case.id),
        "ties": list(CaseTie),
        "genders": of_question(library_of(work.ground), "child_gender", reader()),
        "described": await case_children.children_in_contacts(work, staff, case),
        "requests": await case_requests.waiting_for(
            work, staff, case_id=case.id, with_reasons=True
        ),
        "leads": may(staff.role, Permission.READ_TEAM_RECORDS) and case.team == staff.team,
        "owns": case.owner_id == staff.id,
        "teams": [team for team in await accounts.teams(work) if team != case.team],
    }
