"""The pages of people: the list, and one account with what can be changed of it."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response

from app.administration import still_open
from app.administration.still_open import StillOpen
from app.contacts.cases.quotas import limits_reached
from app.dashboard.people import views
from app.dashboard.people.access_requests import access_request_values, is_alone
from app.dashboard.people.views import PersonForm
from app.dashboard.rota.of_person import rota_of_person
from app.dashboard.skill_choices import LEVELS
from app.dashboard.templating import page
from app.errors import ChangedMeanwhile, Invalid, Refusal
from app.people import changing, factors, finding, links, phone_codes, wallboards, work_left
from app.people.finding import PersonState
from app.people.provider import access
from app.referrals.directory.agencies import names_of_codes
from app.staff import phone_proofs, second_factor, tokens
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may
from app.web.access import InWork, reader_with
from app.words.pages import N_, _, list_words, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
Keeps = Annotated[Staff, reader_with(Permission.KEEP_PEOPLE)]
E = TypeVar("E", bound=StrEnum)
# What was too much, as a page says it.
_LIMITS = {
    "documents_per_day": N_("documents in a day: %(most)s"),
    "document_megabytes_per_day": N_("megabytes of documents in a day: %(most)s"),
    "documents_per_case": N_("documents in a case: %(most)s"),
    "document_megabytes_per_case": N_("megabytes of documents in a case: %(most)s"),
}
_Words = Annotated[str, Query(max_length=200)]


def _chosen(kind: type[E], value: str) -> E | None:
    """Return the member that a list names; None for an empty or unknown choice."""
    return next((one for one in kind if one.value == value), None)


async def _found(work: Work, words: str, role: str, team: str, state: str) -> dict[str, Any]:
    wanted = finding.PeopleWanted(
        words,
        _chosen(Role, role),
        None if not team else team.removeprefix("="),
        _chosen(PersonState, state),
    )
    rows = [views.person_row(one) for one in await finding.find_people(work, wanted)]
    return {
        "people": [row for row in rows if row.state is not PersonState.INACTIVE],
        "gone": [row for row in rows if row.state is PersonState.INACTIVE],
        "asked": {"q": words, "role": role, "team": team, "state": state},
    }


@router.get("/admin/people")
async def people_page(
    request: Request,
    work: InWork,
    staff: Keeps,
    q: _Words = "",
    role: _Words = "",
    team: _Words = "",
    state: _Words = "",
) -> Response:
    """Show the people, and find some of them. A team is written `=north`; `=` has none."""
    values = await _found(work, q, role, team, state)
    fragment = request.headers.get("hx-target") == "people-list"
    return page(
        request,
        "fragments/people/list.html" if fragment else "people.html",
        **values,
        staff=staff,
        roles=list(Role),
        states=list(PersonState),
        teams=await finding.all_teams(work),
        work_left=[] if fragment else await work_left.people(work),
        left_open=[] if fragment else await work_left.with_open(work),
        reached=[] if fragment else await limits_reached(work),
        limit_words=_LIMITS,
        **await access_request_values(work, staff),
    )


async def _new(
    request: Request, work: Work, staff: Staff, form: PersonForm, offered: Any
) -> Response:
    return page(
        request,
        "person_new.html",
        staff=staff,
        form=form,
        choices=offered,
        levels=LEVELS,
        days=work.settings.invitation_days,
        alone=await is_alone(work),
        has_mail=work.settings.smtp_url is not None,
    )


@router.get("/admin/people/invite")
async def invite_page(request: Request, work: InWork, staff: Keeps) -> Response:
    """Show the form by which a person is invited."""
    offered = await views.choices(work, None)
    return await _new(request, work, staff, views.empty_form(), offered)


@router.post("/admin/people/invite")
async def invite(request: Request, work: InWork, staff: Keeps) -> Response:
    """Add an account and make its link: sent by mail, or shown once on the page of the person."""
    sent = await request.form()
    try:
        changes = views.read_form(sent)
    except ValueError:
        raise Invalid("The form is not complete. Open the page again.") from None
    try:
        person, address = await links.invite(
            work, changes, by=staff, by_mail=sent.get("send") == "mail"
        )
    except Refusal as refusal:
        await work.undo()
        form = views.empty_form()
        form = views.typed_form(form, changes, notice=refusal_words(refusal))
        return await _new(request, work, staff, form, await views.choices(work, None))
    return await show_moved(request, work, staff, person, address)


async def reached_words(
    work: Work,
    entries: Sequence[str],
    on_lines: Sequence[str],
    perhaps: Sequence[str],
    perhaps_lines: Sequence[str],
) -> list[str]:
    """Say where the directory and lines still lead to a person who has left."""
    said = []
    if perhaps:
        named = list_words((await names_of_codes(work, list(perhaps))).values())
        said.append(
            _(
                "This person had entered a phone of the directory as their own, and never "
                "proved it: %(entries)s. It still acknowledges. Look whose it is, and check the "
                "entry again.",
                entries=named,
            )
        )
    if entries:
        named = list_words((await names_of_codes(work, list(entries))).values())
        said.append(
            _(
                "The directory still has a number or address of this person: %(entries)s. Until "
                "you change it, or check the entry again, no key there acknowledges and nothing "
                "is sent.",
                entries=named,
            )
        )
    if on_lines:
        said.append(
            _(
                "Callers are still connected with the phone of this person, as the partner: "
                "%(lines)s. Change it.",
                lines=list_words(on_lines),
            )
        )
    if perhaps_lines:
        said.append(
            _(
                "This person had entered the phone of a partner as their own, and never proved "
                "it: %(lines)s. Callers are still connected with it. Look whose it is. Then change "
                "it, or confirm it on the page of the line.",
                lines=list_words(perhaps_lines),
            )
        )
    return said


async def show_moved(
    request: Request, work: Work, staff: Staff, person: Staff, address: str | None, told: str = ""
) -> Response:
    """Show the page of a person, under its own address, with a link if one is to be shown."""
    await work.session.flush()
    form = views.form_of(person)
    form.saved, form.told = bool(told), told
    answer = await show_person(request, work, staff, person, form, link_address=address)
    answer.headers["HX-Push-Url"] = f"/admin/people/{person.id}"
    return answer


@router.post("/admin/people/{person_id}/link")
async def make_link(
    request: Request, work: InWork, staff: Keeps, person_id: UUID, send: Annotated[str, Form()]
) -> Response:
    """Make a link by which a person chooses a password, or withdraw the last one."""
    person, address = await finding.person(work, person_id), None
    form = views.form_of(person)
    try:
        if send == "withdraw":
            await links.withdraw(work, person_id)
        else:
            address = await links.make_link(work, person_id, by=staff, by_mail=send == "mail")
    except Refusal as refusal:
        await work.undo()
        person = await finding.person(work, person_id)
        form = views.form_of(person)
        form.notice = refusal_words(refusal)
        return await show_person(request, work, staff, person, form)
    return await show_moved(request, work, staff, person, address)


@router.post("/admin/people/{person_id}/phone-code")
async def make_phone_code(
    request: Request, work: InWork, staff: Keeps, person_id: UUID
) -> Response:
    """Make a single-use code for the phone of a person, and show it this once."""
    person, code = await finding.person(work, person_id), ""
    form = views.form_of(person)
    try:
        code, _waits = await phone_codes.make(work, person_id, by=staff)
    except Refusal as refusal:
        await work.undo()
        person = await finding.person(work, person_id)
        form = views.form_of(person)
        form.notice = refusal_words(refusal)
    answer = await show_person(request, work, staff, person, form, phone_code=code)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.get("/admin/people/{person_id}")
async def person_page(request: Request, work: InWork, staff: Keeps, person_id: UUID) -> Response:
    """Show one account."""
    person = await finding.person(work, person_id)
    return await show_person(request, work, staff, person, views.form_of(person))


async def show_person(
    request: Request, work: Work, staff: Staff, person: Staff, form: PersonForm, **more: Any
) -> Response:
    """Render the page of an account."""
    left = await still_open.of(work, person)
    return page(
        request,
        "person.html",
        staff=staff,
        person=person,
        state=finding.state_of(person),
        form=form,
        choices=await views.choices(work, person),
        levels=LEVELS,
        changes=await views.change_rows(work, person),
        rota=await rota_of_person(work, person),
        work_left=await work_left.is_of(work, person),
        link=await links.latest(work, person),
        factor=await second_factor.state_of(work, person),
        identity=await access.identity_of(work, person),
        proof=await phone_proofs.proof_of(work, person.id),
        now=work.now,
        **await _made(work, person, left),
        without_partner=left.without_partner,
        reached=await reached_words(
            work, left.entries, left.lines, left.perhaps, left.perhaps_lines
        ),
        alone=await is_alone(work),
        **await access_request_values(work, staff, person.id),
        has_mail=work.settings.smtp_url is not None,
        **more,
    )


async def _made(work: Work, person: Staff, left: StillOpen) -> dict[str, Any]:
    """Return the tokens and wallboards of a person: what stopped or is left, and of one who may
    make them what would stop with another role."""
    made_tokens, made_wallboards = list(left.tokens), list(left.wallboards)
    if may(person.role, Permission.KEEP_TOKENS):
        more, walls = await tokens.made_by(work, person), await wallboards.made_by(work, person)
        made_tokens += [one for one in more if one not in made_tokens]
        made_wallboards += [one for one in walls if one not in made_wallboards]
    return {"made_tokens": made_tokens, "made_wallboards": made_wallboards}


@router.post("/admin/people/{person_id}")
async def change_person(request: Request, work: InWork, staff: Keeps, person_id: UUID) -> Response:
    """Change an account. A refusal is shown in the form, which keeps what was typed."""
    sent = await request.form()
    try:
        changes = views.read_form(sent)
        revision = int(str(sent.get("revision", "")))
    except ValueError:
        raise Invalid("The form is not complete. Open the page again.") from None
    try:
        person = await changing.change(work, person_id, changes, by=staff, revision=revision)
    except Refusal as refusal:
        await work.undo()
        person = await finding.person(work, person_id)
        form = views.form_of(person)
        if isinstance(refusal, ChangedMeanwhile):
            views.told_of_others(form, _differs(changes, person), person)
        form = views.typed_form(form, changes, notice=refusal_words(refusal))
        return await show_person(request, work, staff, person, form)
    await work.session.flush()
    form = views.form_of(person)
    form.saved = True
    return await show_person(request, work, staff, person, form)


@router.post("/admin/people/{person_id}/second-factor/reset")
async def reset_factor(request: Request, work: InWork, staff: Keeps, person_id: UUID) -> Response:
    """Reset the second factor of another person."""
    try:
        person = await factors.reset(work, person_id, by=staff)
    except Refusal as refusal:
        await work.undo()
        person = await finding.person(work, person_id)
        form = views.form_of(person)
        form.notice = refusal_words(refusal)
        return await show_person(request, work, staff, person, form)
    is_reset = (await second_factor.state_of(work, person)).since is None
    told = _("The second factor is reset.") if is_reset else ""
    return await show_moved(request, work, staff, person, None, told)


@router.post("/admin/people/{person_id}/identity/remove")
async def unlink(request: Request, work: InWork, staff: Keeps, person_id: UUID) -> Response:
    """Unlink the account of another person from the provider."""
    person = await finding.person(work, person_id)
    try:
        await access.unlink(work, person, by=staff)
    except Refusal as refusal:
        await work.undo()
        person = await finding.person(work, person_id)
        form = views.form_of(person)
        form.notice = refusal_words(refusal)
        return await show_person(request, work, staff, person, form)
    told = _("The account is unlinked from the provider.")
    return await show_moved(request, work, staff, person, None, told)


def _differs(changes: changing.Changes, person: Staff) -> dict[str, Any]:
    """Return what a reader typed, for the fields in which the account says something else now."""
    now = changing.values_of(person)
    return {
        name: value
        for name, value in vars(changes).items()
        if value is not None and value != now[name]
    }
