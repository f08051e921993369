"""The pages of requests about a person's data: to find, to ask, to decide, and the receipts."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import RedirectResponse

from app.dashboard.templating import templates
from app.errors import Refusal
from app.retention.data_requests import answering, deadlines, extending, requests, which_child
from app.retention.data_requests.kinds import (
    BASIS_WORDS,
    BECAUSE_WORDS,
    CHOSEN,
    COPY_STATE_WORDS,
    COPY_WORDS,
    EXTENSION_WORDS,
    IDENTITY_WORDS,
    ITEM_WORDS,
    KEEP_WORDS,
    PERSON_WORDS,
    PRESET_WORDS,
    REQUEST_WORDS,
    SEEN_BY_PROGRAM,
    SEVERAL_WORDS,
    STATE_WORDS,
    AskingPerson,
    Because,
    CopyKind,
    CopyState,
    ExtensionReason,
    IdentityCheck,
    ItemKind,
    Keep,
    RequestBasis,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.models import DataRequest, RequestItem
from app.retention.data_requests.requests import LONGEST_SOUGHT, LONGEST_WORDS
from app.retention.data_requests.searched import changed_of, sought_of
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with
from app.words.pages import _, refusal_words, said
from app.work import Work

router = APIRouter(include_in_schema=False)
Sees = Annotated[Staff, reader_with(Permission.SEE_DATA_REQUESTS)]
Answers = Annotated[Staff, reader_with(Permission.ANSWER_DATA_REQUESTS)]
Decides = Annotated[Staff, reader_with(Permission.DECIDE_DATA_REQUESTS)]
_OF_ERASURE: list[RequestBasis] = [
    one for one in RequestBasis if one != RequestBasis.RIGHT_OF_ACCESS
]


@router.get("/admin/data-requests")
async def list_page(
    request: Request, work: InWork, staff: Sees, replaces: UUID | None = None
) -> Response:
    """Show the requests, and a form for a new one, or for one that ended and is begun again."""
    if replaces is None:
        return await _list(request, work, staff)
    former = await requests.read_request(work, replaces)
    typed = {"kind": former.kind, "person": former.person, "replaces": str(former.id)}
    typed["asked_on"] = deadlines.asked_day(work, former).isoformat()
    return await _list(request, work, staff, typed=typed)


async def _list(
    request: Request,
    work: Work,
    staff: Staff,
    *,
    problem: str = "",
    typed: dict[str, str] | None = None,
) -> Response:
    rows = await requests.list_requests(work)
    today = deadlines.day_of(work, work.now).isoformat()
    typed = {"asked_on": today} | (typed or {})
    values = {
        "staff": staff,
        "rows": [
            {
                "one": one,
                "kind": said(REQUEST_WORDS[RequestKind(one.kind)]),
                "state": said(STATE_WORDS[_state(one)]),
                **_time_of(work, one),
            }
            for one in rows
        ],
        "names": await accounts.names_of(work, {one.asked_by for one in rows if one.asked_by}),
        "may_answer": may(staff.role, Permission.ANSWER_DATA_REQUESTS),
        "kinds": {kind.value: said(words) for kind, words in REQUEST_WORDS.items()},
        "persons": {person.value: said(words) for person, words in PERSON_WORDS.items()},
        "longest": LONGEST_SOUGHT,
        "problem": problem,
        "typed": typed,
        "today": today,
        # The day of a request that is begun again may be longer ago.
        "earliest": min(deadlines.earliest_asked(work).isoformat(), typed["asked_on"] or today),
    }
    answer = templates.TemplateResponse(request, "settings/data_requests.html", values)
    # What was typed is a number.
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _time_of(work: Work, request: DataRequest) -> dict[str, Any]:
    """Return by when the person is answered, and whether that is near, or over."""
    return {
        "asked_on": deadlines.asked_day(work, request),
        "answer_by": deadlines.answer_by(work, request),
        "near": deadlines.is_near(work, request),
        "overdue": deadlines.is_overdue(work, request),
        "untold": deadlines.must_be_told(request),
        "in_vain": deadlines.has_no_report(request),
    }


async def _next_of(work: Work, staff: Staff, request: DataRequest) -> dict[str, Any]:
    """Return what another officer can do, too, and with which request it was begun again."""
    answers = may(staff.role, Permission.ANSWER_DATA_REQUESTS)
    replaced_by = request.replaced_by and await requests.read_request(work, request.replaced_by)
    return {
        "may_withdraw": answers and requests.can_be_withdrawn(request),
        "may_take_over": await answering.may_take_over(work, staff, request),
        "may_replace": answers and deadlines.can_be_replaced(request),
        "replaced_by": replaced_by,
    }


def _extension_of(work: Work, staff: Staff, request: DataRequest) -> dict[str, Any]:
    """Return what is known of an extension, what tells the person, and whether there can be one."""
    because, answers = request.extension_because, may(staff.role, Permission.ANSWER_DATA_REQUESTS)
    return {
        "extended_until": deadlines.extended_day(work, request),
        "extended_because": said(EXTENSION_WORDS[ExtensionReason(because)]) if because else "",
        "first_day": deadlines.first_day(work, request),
        "letter": extending.letter_for(work, staff, request),
        "may_extend": answers and extending.may_extend(work, request),
        "reasons": {one.value: said(EXTENSION_WORDS[one]) for one in ExtensionReason},
        "last_told": min(deadlines.day_of(work, work.now), deadlines.first_day(work, request)),
    }


def _state(request: DataRequest) -> RequestState:
    return RequestState(request.state)


@router.post("/admin/data-requests")
async def find(
    request: Request,
    work: InWork,
    staff: Answers,
    kind: Annotated[RequestKind, Form()],
    person: Annotated[AskingPerson, Form()],
    sought: Annotated[str, Form(max_length=LONGEST_SOUGHT)],
    asked_on: Annotated[date | None, Form()] = None,
    replaces: Annotated[UUID | None, Form()] = None,
) -> Response:
    """Find every row about a person, and go to the request."""
    try:
        found = await requests.find(work, staff, kind, person, sought, asked_on, replaces)
    except Refusal as refusal:
        await work.undo()
        typed = {"kind": kind.value, "person": person.value, "sought": sought}
        typed |= {"asked_on": asked_on.isoformat()} if asked_on is not None else {}
        typed |= {"replaces": str(replaces)} if replaces is not None else {}
        return await _list(request, work, staff, problem=refusal_words(refusal), typed=typed)
    return RedirectResponse(f"/admin/data-requests/{found.id}", 303)


@router.get("/admin/data-requests/{data_request_id}")
async def request_page(
    request: Request, work: InWork, staff: Sees, data_request_id: UUID
) -> Response:
    """Show a request: what was found and what is kept; then the receipt."""
    return await _show(request, work, staff, data_request_id)


async def _show(
    request: Request, work: Work, staff: Staff, data_request_id: UUID, *, problem: str = ""
) -> Response:
    found = await requests.read_request(work, data_request_id)
    own = requests.may_read_whom(staff, found)
    items = await requests.items_of(work, found)
    values: dict[str, Any] = {
        "staff": staff,
        "one": found,
        "kind": said(REQUEST_WORDS[RequestKind(found.kind)]),
        "person": said(PERSON_WORDS[AskingPerson(found.person)]),
        "state": said(STATE_WORDS[_state(found)]),
        "basis": said(BASIS_WORDS[RequestBasis(found.basis)]) if found.basis else "",
        "identity": said(IDENTITY_WORDS[IdentityCheck(found.identity)]) if found.identity else "",
        "sought": sought_of(work, found) if own else None,
        "meant": await which_child.children_meant(work, found, with_words=own),
        "words": requests.words_of(work, found) if own else "",
        "names": await accounts.names_of(
            work, {id_ for id_ in (found.asked_by, found.decided_by, found.taken_by) if id_}
        ),
        "items": _rows(items, changed_of(work, found)),
        "several": any((one.children or 0) > 1 for one in items)
        and said(SEVERAL_WORDS[RequestKind(found.kind)]),
        "free": len([one for one in items if one.keep is None]),
        "keeps": {keep.value: said(KEEP_WORDS[keep]) for keep in CHOSEN},
        "counts": [
            (said(ITEM_WORDS[kind]), found.counts[kind])
            for kind in ItemKind
            if kind in found.counts
        ],
        "kept": [(said(KEEP_WORDS[keep]), found.kept[keep]) for keep in Keep if keep in found.kept],
        "copies": [
            (said(COPY_WORDS[CopyKind(kind)]), said(COPY_STATE_WORDS[CopyState(state)]), count)
            for kind, state, count in await requests.copies_of(work, found)
        ],
        "erases": found.kind == RequestKind.ERASURE,
        "prepares": own and found.state == RequestState.FOUND,
        **await _next_of(work, staff, found),
        **_time_of(work, found),
        **_extension_of(work, staff, found),
        "waits": found.state == RequestState.ASKED,
        "why_not": said(await requests.why_not_decide(work, staff, found)),
        "bases": {one.value: said(BASIS_WORDS[one]) for one in _bases(found)},
        "identities": {one.value: said(IDENTITY_WORDS[one]) for one in IdentityCheck},
        "longest_words": LONGEST_WORDS,
        "ready": own and answering.can_open(work, found),
        "until": found.done_at + answering.LASTS if found.done_at else None,
        "preset": said(PRESET_WORDS[AskingPerson(found.person)]),
        "problem": problem,
    }
    answer = templates.TemplateResponse(request, "settings/data_request.html", values)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _rows(items: list[RequestItem], changed: set[UUID]) -> list[dict[str, Any]]:
    return [
        {
            "row": one,
            "name": f"{one.kind}:{one.subject_id}",
            "words": said(ITEM_WORDS[ItemKind(one.kind)]),
            "because": said(BECAUSE_WORDS[Because(one.because)]),
            "kept": said(KEEP_WORDS[Keep(one.keep)]) if one.keep else "",
            "fixed": one.keep in SEEN_BY_PROGRAM,
            "several": (one.children or 0) > 1,
            "changed": one.subject_id in changed,
        }
        for one in items
    ]


def _bases(found: DataRequest) -> list[RequestBasis]:
    return _OF_ERASURE if found.kind == RequestKind.ERASURE else [RequestBasis.RIGHT_OF_ACCESS]


@router.post("/admin/data-requests/{data_request_id}/kept")
async def set_kept(
    request: Request, work: InWork, staff: Answers, data_request_id: UUID
) -> Response:
    """Save which rows are kept, and why."""
    form = await request.form()
    try:
        wanted = {}
        for name, value in form.items():
            kind, colon, id_ = name.partition(":")
            if colon:
                wanted[ItemKind(kind), UUID(id_)] = Keep(str(value)) if value else None
        await requests.set_kept(work, staff, data_request_id, wanted)
    except ValueError:
        await work.undo()
        problem = _("Choose a ground of the list.")
        return await _show(request, work, staff, data_request_id, problem=problem)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, data_request_id, problem=refusal_words(refusal))
    return _back(data_request_id)


def _back(data_request_id: UUID) -> Response:
    return RedirectResponse(f"/admin/data-requests/{data_request_id}", 303)


@router.post("/admin/data-requests/{data_request_id}/ask")
async def ask(
    request: Request,
    work: InWork,
    staff: Answers,
    data_request_id: UUID,
    basis: Annotated[RequestBasis, Form()],
    identity: Annotated[IdentityCheck, Form()],
    words: Annotated[str, Form(max_length=LONGEST_WORDS)] = "",
) -> Response:
    """Ask a second person to decide."""
    try:
        await requests.ask(work, staff, data_request_id, basis, identity, words)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, data_request_id, problem=refusal_words(refusal))
    return _back(data_request_id)


@router.post("/admin/data-requests/{data_request_id}/withdraw")
async def withdraw(
    request: Request, work: InWork, staff: Answers, data_request_id: UUID
) -> Response:
    """Withdraw a request before it is decided, or whose report is gone unopened or failed."""
    try:
        await requests.withdraw(work, staff, data_request_id)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, data_request_id, problem=refusal_words(refusal))
    return _back(data_request_id)


@router.post("/admin/data-requests/{data_request_id}/take-over")
async def take_over(
    request: Request, work: InWork, staff: Answers, data_request_id: UUID
) -> Response:
    """Take over a report whose officer has left."""
    try:
        await answering.take_over(work, staff, data_request_id)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, data_request_id, problem=refusal_words(refusal))
    return _back(data_request_id)


@router.post("/admin/data-requests/{data_request_id}/extension")
async def extend(
    request: Request,
    work: InWork,
    staff: Answers,
    data_request_id: UUID,
    months: Annotated[int, Form()],
    because: Annotated[ExtensionReason, Form()],
    words: Annotated[str, Form(max_length=LONGEST_WORDS)] = "",
) -> Response:
    """Take more time, once and within the first month."""
    try:
        await extending.extend(work, staff, data_request_id, months, because, words)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, data_request_id, problem=refusal_words(refusal))
    return _back(data_request_id)


@router.post("/admin/data-requests/{data_request_id}/extension/told")
async def note_told(
    request: Request,
    work: InWork,
    staff: Answers,
    data_request_id: UUID,
    on: Annotated[date, Form()],
) -> Response:
    """Note on which day the person was told of the extension."""
    try:
        await extending.note_told(work, staff, data_request_id, on)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, data_request_id, problem=refusal_words(refusal))
    return _back(data_request_id)


@router.post("/admin/data-requests/{data_request_id}/decision")
async def decide(
    request: Request,
    work: InWork,
    staff: Decides,
    data_request_id: UUID,
    decision: Annotated[str, Form(pattern="^(approve|refuse)$")],
) -> Response:
    """Approve or refuse, as a second person."""
    try:
        await requests.decide(work, staff, data_request_id, approve=decision == "approve")
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, data_request_id, problem=refusal_words(refusal))
    return _back(data_request_id)
