"""The page of retention: how long data is kept, what a night would erase, holds, receipts."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from app.dashboard.templating import templates
from app.definitions import in_force
from app.errors import Refusal
from app.retention import by_country, holds, running
from app.retention.country import read_country
from app.retention.holds import LONGEST_REASON
from app.retention.kinds import MOST_DAYS, DataKind, Decider, HeldKind, least_days
from app.retention.rules import WAITS, Rules, read_rules, set_rules
from app.retention.running import NIGHT_FROM, NIGHT_UNTIL
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with
from app.words.pages import N_, _, refusal_words, said
from app.work import Work

router = APIRouter(include_in_schema=False)
Sees = Annotated[Staff, reader_with(Permission.SEE_RETENTION)]
Keeps = Annotated[Staff, reader_with(Permission.KEEP_RETENTION)]
KIND_WORDS = {
    DataKind.CALLER_NUMBERS: N_("Callers' numbers"),
    DataKind.VOICE_MESSAGES: N_("The sound of voice messages"),
    DataKind.CHAT_MESSAGES: N_("The words of written conversations"),
    DataKind.CONTACTS: N_("Names and texts of contacts"),
    DataKind.CASES: N_("Names, texts and documents of closed cases"),
    DataKind.REFERRALS: N_("Names, texts and messages of closed referrals"),
    DataKind.EXPORT_FILES: N_("Files that were requested"),
    DataKind.CALLER_HASHES: N_("Known callers"),
    DataKind.CALLER_FLAGS: N_("Flags of numbers, and why they were set"),
    DataKind.THIRD_PARTY_NUMBERS: N_("Numbers of third parties in calls"),
    DataKind.DRAFTS: N_("Contacts that were never completed"),
    DataKind.FILE_REASONS: N_("Why files about single persons were requested"),
    DataKind.DATA_REQUESTS: N_("What was written about requests about a person's data"),
    DataKind.LOG: N_("The log: who did or read what"),
}
FROM_WORDS = {
    DataKind.CALLER_NUMBERS: N_("after the call; the keyed hash stays"),
    DataKind.VOICE_MESSAGES: N_("after it was marked as done"),
    DataKind.CHAT_MESSAGES: N_("after the conversation ended"),
    DataKind.CONTACTS: N_("after it was completed"),
    DataKind.CASES: N_("after it was closed"),
    DataKind.REFERRALS: N_("after it was over"),
    DataKind.EXPORT_FILES: N_("after it was made"),
    DataKind.CALLER_HASHES: N_("after the last call of the number; its number is forgotten before"),
    DataKind.CALLER_FLAGS: N_("after it was lifted or ended"),
    DataKind.THIRD_PARTY_NUMBERS: N_("after they left the call"),
    DataKind.DRAFTS: N_("after a person last wrote in it"),
    DataKind.FILE_REASONS: N_("after the request"),
    DataKind.DATA_REQUESTS: N_("after the request was done"),
    DataKind.LOG: N_("after the act; the oldest part goes, and the chain begins later"),
}
DECIDER_WORDS = {
    Decider.PROGRAM: N_("Default"),
    Decider.COUNTRY: N_("The rule of the country"),
    Decider.HELPLINE: N_("Your own rule"),
}
HELD_WORDS = {
    HeldKind.CONTACT: N_("Contact"),
    HeldKind.CASE: N_("Case"),
    HeldKind.REFERRAL: N_("Referral"),
}


@router.get("/admin/retention")
async def retention_page(request: Request, work: InWork, staff: Sees) -> Response:
    """Show the rules and whose each is, what is due, the holds and the receipts."""
    return await _show(request, work, staff)


async def _show(
    request: Request,
    work: Work,
    staff: Staff,
    *,
    told: str = "",
    problem: str = "",
    typed: dict[str, str] | None = None,
) -> Response:
    rules = await read_rules(work)
    country = read_country(in_force.folder_of(work.ground))
    theirs = country.rules if country is not None else {}
    held = await holds.open_holds(work)
    values: dict[str, Any] = {
        "staff": staff,
        "revision": rules.revision,
        "kinds": [
            {
                "kind": due.kind.value,
                "words": said(KIND_WORDS[due.kind]),
                "since": said(FROM_WORDS[due.kind]),
                "days": _field(due.days),
                "typed": (typed or {}).get(due.kind.value, _field(rules.decided(due.kind))),
                "coming": rules.coming.get(due.kind),
                "least": least_days(due.kind),
                "decider": rules.deciders[due.kind].value,
                "whose": said(DECIDER_WORDS[rules.deciders[due.kind]]),
                "country": _field(theirs.get(due.kind)) if due.kind in theirs else None,
                "rows": due.rows,
                "oldest": due.oldest,
                "held_from": due.held_from,
            }
            for due in await running.dry_run(work)
        ],
        "source": country.source if country is not None else "",
        "most": MOST_DAYS,
        "may_keep": may(staff.role, Permission.KEEP_RETENTION),
        "may_hold": may(staff.role, Permission.HOLD_RECORDS),
        "longest_reason": LONGEST_REASON,
        "held": [(one, said(HELD_WORDS[one.kind])) for one in held],
        "names": await accounts.names_of(work, {one.held_by for one in held if one.held_by}),
        "receipts": [
            (one, said(KIND_WORDS[DataKind(one.kind)])) for one in await running.receipts(work)
        ],
        "night": (NIGHT_FROM, NIGHT_UNTIL),
        "told": told,
        "problem": problem,
    }
    return templates.TemplateResponse(request, "settings/retention.html", values)


def _field(days: int | None) -> str:
    return "" if days is None else str(days)


@router.post("/admin/retention")
async def change_rules(request: Request, work: InWork, staff: Keeps) -> Response:
    """Change the rules; an empty field means for ever."""
    form = await request.form()
    # A page that was opened before a kind was added says nothing of it.
    typed = {kind.value: str(form[kind.value]).strip() for kind in DataKind if kind.value in form}
    try:
        wanted = {DataKind(name): int(text) if text else None for name, text in typed.items()}
        revision = int(str(form.get("revision", "")))
    except ValueError:
        problem = _("Write days as whole numbers, or leave the field empty.")
        return await _show(request, work, staff, problem=problem, typed=typed)
    try:
        rules = await set_rules(work, wanted, revision=revision)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, problem=refusal_words(refusal), typed=typed)
    return await _show(request, work, staff, told=_told(rules))


def _told(rules: Rules) -> str:
    told = _("The rules are saved.")
    if rules.coming:
        told += " " + _("A shorter rule takes effect after %(number)s days.", number=WAITS.days)
    return told


@router.post("/admin/retention/follow")
async def follow_country(
    request: Request,
    work: InWork,
    staff: Keeps,
    kind: Annotated[DataKind, Form()],
    revision: Annotated[int, Form()],
) -> Response:
    """Give up the helpline's own rule of a kind: that of the country counts again, or the
    default."""
    try:
        rules = await by_country.follow_again(work, kind, revision=revision)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, problem=refusal_words(refusal))
    return await _show(request, work, staff, told=_told(rules))


@router.post("/admin/retention/run")
async def run(request: Request, work: InWork, staff: Keeps) -> Response:
    """Erase what is due now, and do not wait for the night."""
    running.ask_run(work)
    told = _("What is due is being erased. Open this page again in a moment.")
    return await _show(request, work, staff, told=told)


@router.post("/admin/retention/holds")
async def hold_record(
    request: Request,
    work: InWork,
    staff: Keeps,
    code: Annotated[str, Form(max_length=40)],
    reason: Annotated[str, Form(max_length=2000)] = "",
    act: Annotated[str, Form(pattern="^(hold|lift)$")] = "hold",
) -> Response:
    """Hold the record with a code, or lift its hold."""
    try:
        kind, record_id = await holds.find_by_code(work, staff, code)
        if act == "hold":
            await holds.hold(work, staff, kind, record_id, reason)
        else:
            await holds.lift(work, staff, kind, record_id)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, problem=refusal_words(refusal))
    told = _("The record is held.") if act == "hold" else _("The hold is lifted.")
    return await _show(request, work, staff, told=told)
