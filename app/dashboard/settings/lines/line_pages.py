"""The pages of lines: the list, and one line with its hours, numbers, plan and prompts."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Path, Query, Request, Response
from starlette.responses import RedirectResponse

from app import words
from app.abilities import EndpointKind
from app.administration import line_changes
from app.calls import prompts
from app.calls.chat_rules import read_chat
from app.calls.key_questions import questions_in, set_questions
from app.calls.lines import (
    chat_lines,
    finding_lines,
    line_facts,
    line_languages,
    line_use,
    lines,
    partner_doubts,
)
from app.calls.speech import LineScript, Spoken
from app.calls.states import Channel
from app.chats import accounts
from app.contacts.registry import library_of
from app.dashboard.languages import Choices, language_choices
from app.dashboard.settings import hours_form
from app.dashboard.settings.lines import (
    line_change_views,
    line_chat_views,
    line_forms,
    line_views,
    plan_form,
)
from app.dashboard.settings.lines.line_menu import menu_of
from app.dashboard.skill_choices import LEVELS
from app.dashboard.templating import page
from app.errors import Conflict, Invalid, Refusal
from app.people import finding
from app.routing import changing_plans, partners
from app.routing.plan import read_plan
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words import places
from app.words.keys import LONGEST_TEXT
from app.words.pages import _, language_name, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
Keeps = Annotated[Staff, reader_with(Permission.KEEP_LINES)]
Text = Annotated[str, Form(max_length=2000)]
Short = Annotated[str, Form(max_length=200)]
Given = Annotated[str | None, Form(max_length=200)]
ChangeId = Annotated[int, Path(ge=1, le=2**62)]


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]


@router.get("/admin/lines")
async def lines_page(request: Request, work: InWork, staff: Keeps) -> Response:
    """Show the lines, and a form for a new one."""
    return await _list(request, work, staff)


async def _list(
    request: Request,
    work: Work,
    staff: Staff,
    typed: Any = None,
    notice: str = "",
    refused: str = "",
) -> Response:
    home_zone = library_of(work.ground).country.timezone
    return page(
        request,
        "settings/lines.html",
        staff=staff,
        lines=await finding_lines.all_lines(work),
        retired=await line_use.retired_lines(work),
        countries=places.country_choices(),
        zones=places.zone_choices(),
        home_zone=home_zone,
        home_country=places.country_of(home_zone),
        typed=typed or {},
        languages=[(one, language_name(one)) for one in words.languages()],
        notice=notice,
        refused=refused,
    )


@router.post("/admin/lines")
async def add_line(
    request: Request,
    work: InWork,
    staff: Keeps,
    number: Short,
    name: Short,
    country: Short,
    languages: Short,
    timezone: Short,
    leads_here: Short = "",
    also: Annotated[list[str] | None, Form(max_length=40)] = None,
    shown: Short = "",
    practice: Annotated[bool, Form()] = False,
) -> Response:
    """Add a line. After a refusal the form keeps what was typed."""
    typed: dict[str, Any] = {
        "number": number,
        "name": name,
        "country": country,
        "languages": languages,
    }
    typed |= {"timezone": timezone, "leads_here": leads_here, "shown": shown}
    typed |= {"also": also or []}
    try:
        line = await lines.add_line(
            work,
            number=number,
            name=name,
            country=country,
            languages=list(dict.fromkeys([*_parts(languages), *(also or [])])),
            timezone=timezone,
            practice=practice,
            leads_here=_parts(leads_here),
            shown_number=shown.strip() or None,
        )
    except Refusal as refusal:
        await work.undo()
        return await _list(request, work, staff, typed, refusal_words(refusal))
    return RedirectResponse(f"/admin/lines/{line.id}", 303)


@router.post("/admin/lines/{line_id}/take-into-use")
async def take_into_use(request: Request, work: InWork, staff: Keeps, line_id: UUID) -> Response:
    """Take a retired line back into use."""
    try:
        await line_use.take_into_use(work, line_id)
    except Conflict as refusal:
        await work.undo()
        return await _list(request, work, staff, refused=refusal_words(refusal))
    return RedirectResponse(f"/admin/lines/{line_id}", 303)


@router.post("/admin/lines/{line_id}/retire")
async def retire(request: Request, work: InWork, staff: Keeps, line_id: UUID) -> Response:
    """Take a line out of use."""

    async def verb(line: LineScript) -> None:
        await line_use.retire(work, line.id)

    answer = await change_and_show(request, work, staff, line_id, "retire", {}, verb)
    # The page of a retired line is not there any more.
    return RedirectResponse("/admin/lines#retired", 303) if answer.status_code == 303 else answer


@router.get("/admin/lines/{line_id}")
async def line_page(
    request: Request,
    work: InWork,
    staff: Keeps,
    line_id: UUID,
    language: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show a line: its facts, and the way of a call in one of its languages."""
    return await show_line(request, work, staff, line_id, language)


async def show_line(
    request: Request, work: Work, staff: Staff, line_id: UUID, language: str, **more: Any
) -> Response:
    row, line = await finding_lines.read_line(work, line_id)
    plan, prepared = read_plan(line.plan), await _prepared(work, line, language)
    spoken = next((one for one in prepared if one.language == language), line.spoken(language))
    heard = await prompts.heard_of(work, line, spoken.language)
    part, typed = more.get("part", ""), more.get("typed", {})
    parts = line_views.parts_of(line, spoken.language, heard)
    return page(
        request,
        "settings/line.html",
        staff=staff,
        row=row,
        line=line,
        has_calls=await line_facts.has_calls(work, line_id),
        plan=plan,
        partner_in_doubt=await partner_doubts.is_in_doubt(work, row),
        perhaps_of_leaver=_(partners.PERHAPS),
        partner_of_leaver=await partners.is_of_leaver(work, plan),
        partner_waits=await partners.waiting(work, staff, line_id),
        plan_skills=plan_form.skills_text(plan.skills),
        known_skills=await finding.known_skills(work, plan.skills),
        levels=LEVELS,
        countries=places.country_choices(),
        zones=places.zone_choices(row.timezone),
        hours_rows=hours_form.hours_rows(row.opening_hours, typed if part == "hours" else {}),
        behind=await finding_lines.numbers_behind(work, line),
        language=spoken,
        languages=[(one, language_name(one.language)) for one in line.languages],
        prepared=[(one, language_name(one.language)) for one in prepared],
        steps=line_views.flow_of(parts),
        menu=menu_of(line, parts),
        addable=await _addable(work, line, typed.get("code")),
        sources=line_views.SOURCES,
        base=f"/admin/lines/{line_id}",
        own=prompts.Source.LINE.value,
        key_questions=line_views.key_questions(line),
        rings=spoken in line.languages,
        longest=LONGEST_TEXT,
        changes=line_change_views.change_rows(await line_changes.changes_of(work, line_id)),
        chat_marks=line_forms.marks_of_chat(read_chat(line.chat), line),
        **line_chat_views.chat_values(
            read_chat(line.chat), line.number, line.country, work.ground.settings.public_origin
        ),
        bot=await accounts.account_of(work, line.id, Channel.TELEGRAM),
        bot_states=line_chat_views.BOT_STATES,
        bot_problems=line_chat_views.BOT_PROBLEMS,
        signal=await accounts.account_of(work, line.id, Channel.SIGNAL),
        drawn_at=work.now.isoformat(),
        has_signal=work.settings.signal_service_url is not None,
        signal_states=line_chat_views.SIGNAL_STATES,
        signal_problems=line_chat_views.SIGNAL_PROBLEMS,
        phone=staff.endpoint if staff.endpoint_kind == EndpointKind.PHONE else "",
        **{"notice": "", "part": "", "typed": {}, "told": "", **more},
    )


async def _addable(work: Work, line: LineScript, asked: str | None) -> Choices:
    """Return the languages that a line can be given: those that it speaks are left out."""
    spoken = {one.language for one in line.languages}
    near = {*words.languages(), *await prompts.languages_of(work, None)}
    found = language_choices(near | ({asked} if asked else set()))
    return Choices(*([one for one in part if one[0] not in spoken] for part in found))


async def _prepared(work: Work, line: LineScript, asked: str) -> list[Spoken]:
    """Return the languages that a line does not speak yet, and has prompts in, with the one asked
    for."""
    found = set(await prompts.languages_of(work, line))
    with suppress(Invalid):
        lines.check_language(asked)
        found.add(asked)
    spoken = {one.language for one in line.languages}
    return [line_views.on_the_way(one) for one in sorted(found - spoken)]


async def change_and_show(
    request: Request,
    work: Work,
    staff: Staff,
    line_id: UUID,
    part: str,
    typed: dict[str, Any],
    verb: Callable[[LineScript], Awaitable[object]],
    language: str = "",
) -> Response:
    """Change a part of a line. After a refusal the part keeps what was typed."""
    _row, line = await finding_lines.read_line(work, line_id)
    try:
        await verb(line)
    except Refusal as refusal:
        await work.undo()
        notice = refusal_words(refusal)
        return await show_line(
            request, work, staff, line_id, language, part=part, typed=typed, notice=notice
        )
    asked = f"?language={language}" if language else ""
    return RedirectResponse(f"/admin/lines/{line_id}{asked}#{part}", 303)


@router.post("/admin/lines/{line_id}/facts")
async def change_facts(
    request: Request,
    work: InWork,
    staff: Keeps,
    line_id: UUID,
    name: Short,
    number: Given = None,
    country: Given = None,
    timezone: Given = None,
    kind: Short = "",
) -> Response:
    """Change the name and the other facts of a line."""
    sent = dict(await request.form())
    practice = {"practice": "True", "real": "False"}.get(kind)
    given = {"name": name, "number": number, "country": country, "timezone": timezone}

    async def verb(line: LineScript) -> None:
        # Locked before they are compared: another administrator may change them at the same time.
        row = await line_use.lock_line(work, line.id)
        stored = {one: getattr(row, one) for one in given} | {"practice": str(row.practice)}
        changed: dict[str, Any] = line_forms.changed_texts(
            sent, given | {"practice": practice}, stored
        )
        new_name = changed.pop("name", None)
        if "practice" in changed:
            changed["practice"] = changed["practice"] == "True"
        await line_facts.change_facts(work, line, **changed)
        if new_name is not None:
            _row, line = await finding_lines.read_line(work, line.id)
            await lines.rename(work, line, new_name)

    typed = {**sent, **given, "kind": kind}
    return await change_and_show(request, work, staff, line_id, "facts", typed, verb)


@router.post("/admin/lines/{line_id}/numbers")
async def change_numbers(
    request: Request,
    work: InWork,
    staff: Keeps,
    line_id: UUID,
    leads_here: Text = "",
    shown: Short = "",
) -> Response:
    """Change which numbers lead to a line, and which number phones show."""
    sent = dict(await request.form())

    async def verb(line: LineScript) -> None:
        row = await lines.lock_line(work, line.id)
        behind = ", ".join(await finding_lines.numbers_behind(work, line))
        changed = line_forms.changed_texts(
            sent,
            {"leads_here": ", ".join(_parts(leads_here)), "shown": shown.strip()},
            {"leads_here": behind, "shown": row.shown_number or ""},
        )
        leads = _parts(leads_here) if "leads_here" in changed else None
        await lines.change_numbers(work, line, leads_here=leads, shown_number=changed.get("shown"))

    typed = {**sent, "leads_here": leads_here, "shown": shown}
    return await change_and_show(request, work, staff, line_id, "numbers", typed, verb)


@router.post("/admin/lines/{line_id}/languages")
async def add_language(
    request: Request, work: InWork, staff: Keeps, line_id: UUID, code: Short
) -> Response:
    """Add a language; the menu offers it from the next call on."""

    async def verb(line: LineScript) -> None:
        await line_languages.add_language(work, line, code.strip())

    return await change_and_show(request, work, staff, line_id, "languages", {"code": code}, verb)


@router.post("/admin/lines/{line_id}/languages/remove")
async def remove_language(
    request: Request, work: InWork, staff: Keeps, line_id: UUID, code: Short
) -> Response:
    """Remove a language; the menu of the next caller does not have it."""

    async def verb(line: LineScript) -> None:
        await line_languages.remove_language(work, line, code.strip())

    return await change_and_show(request, work, staff, line_id, "languages", {}, verb)


@router.post("/admin/lines/{line_id}/hours")
async def change_hours(request: Request, work: InWork, staff: Keeps, line_id: UUID) -> Response:
    """Change the opening hours of a line: by weekday, or as a text."""
    sent = {name: str(value)[:200] for name, value in (await request.form()).items()}

    async def verb(line: LineScript) -> None:
        row = await lines.lock_line(work, line.id)
        if sent.get("was", row.opening_hours) != row.opening_hours:
            raise Conflict
        await lines.set_opening_hours(work, line, hours_form.read_hours(sent, row.opening_hours))

    return await change_and_show(request, work, staff, line_id, "hours", sent, verb)


@router.post("/admin/lines/{line_id}/plan")
async def change_plan(request: Request, work: InWork, staff: Keeps, line_id: UUID) -> Response:
    """Change who else is offered a call as it waits: what was changed in the form, and no more."""
    sent = {name: str(value).strip() for name, value in (await request.form()).items()}

    async def verb(line: LineScript) -> None:
        # Locked before it is compared: another administrator may change it at the same time.
        row = await lines.lock_line(work, line.id)
        if "confirm_partner" in sent:
            # A click of its own, that saves nothing else.
            await changing_plans.change_plan(work, line, confirm_partner=sent["confirm_partner"])
        else:
            await changing_plans.change_plan(
                work, line, **plan_form.changed(sent, read_plan(row.plan))
            )

    return await change_and_show(request, work, staff, line_id, "plan", sent, verb)


@router.post("/admin/lines/{line_id}/key-questions")
async def change_key_questions(
    request: Request, work: InWork, staff: Keeps, line_id: UUID
) -> Response:
    """Change which questions by key a line asks of a caller who cannot speak, and their order."""
    sent = {name: str(value).strip() for name, value in (await request.form()).items()}

    async def verb(line: LineScript) -> None:
        row = await lines.lock_line(work, line.id)
        codes, stored = line_views.questions_in_order(sent), questions_in(row.key_questions)
        if line_forms.differs(sent, "questions", " ".join(codes), " ".join(stored)):
            await set_questions(work, line, codes)

    return await change_and_show(request, work, staff, line_id, "key-questions", sent, verb)


@router.post("/admin/lines/{line_id}/chat")
async def change_chat(request: Request, work: InWork, staff: Keeps, line_id: UUID) -> Response:
    """Change how children write to a line, and what its counsellors have at hand."""
    sent = {name: str(value) for name, value in (await request.form()).items()}

    async def verb(line: LineScript) -> None:
        rules = read_chat((await lines.lock_line(work, line.id)).chat)
        given = line_chat_views.read_chat_form(sent)
        changed = line_forms.changed_chat(sent, given, rules, line)
        await chat_lines.change_chat(work, line, **changed)

    return await change_and_show(request, work, staff, line_id, "chat", sent, verb)


@router.post("/admin/lines/{line_id}/changes/{change_id}/back")
async def take_change_back(
    request: Request, work: InWork, staff: Keeps, line_id: UUID, change_id: ChangeId
) -> Response:
    """Put in force again what was before a change of the line."""

    async def verb(line: LineScript) -> None:
        await line_changes.take_back(work, line.id, change_id)

    return await change_and_show(request, work, staff, line_id, "changes", {}, verb)
