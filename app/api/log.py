"""The JSON interface of the log: who did or read what, and the check that no row was changed."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from app.people.log_check import ask_for_check, last_check
from app.people.log_search import Sought, search_log
from app.safekeeping.verifying import LARGEST_FILE, verdict_of
from app.staff.log_checks.beginnings import beginning_of
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute
from app.words.pages import message_words

router = APIRouter(tags=["log"], route_class=StrictRoute)
Reads = Annotated[Staff, Depends(Requires(Permission.READ_LOG), scope="function")]
_When = Annotated[date | AwareDatetime | None, Field(union_mode="left_to_right")]
_Text = Annotated[str, Query(max_length=80, pattern=r"^[ -~]*$")]


class EntryView(BaseModel):
    """A row of the log. `detail` holds codes and ids, and of a change its before and after."""

    id: int
    at: datetime
    # The id of the person who acted, or `provider` or `program`.
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


class ChainView(BaseModel):
    """What a check found in one log."""

    name: str
    rows: int
    # What names the first rows that were changed, or that follow a missing one.
    broken: list[int | str]
    # The hash of the newest row, in hexadecimal.
    head: str


class BeginningView(BaseModel):
    """From when the oldest entry of the log is; `entries` before it were erased after `days`."""

    at: datetime
    days: int
    entries: int


class CheckView(BaseModel):
    """The last check that ended; `at` is null before the first one."""

    at: datetime | None
    whole: bool
    chains: list[ChainView]
    under_way_since: datetime | None
    # null: nothing of the log was ever erased.
    begins: BeginningView | None


class AnchorFinding(BaseModel):
    """What is wrong since an anchor: in which log, and in words."""

    at: str
    log: str
    words: str


class AnchorsView(BaseModel):
    """What a file of anchors says of the logs: how many it holds, when the last one was made."""

    anchors: int
    last: str
    # Anchors of which a log holds nothing any more: a rule has erased its oldest part.
    before_beginning: int
    whole: bool
    findings: list[AnchorFinding]


@router.get("/log")
async def read_log(
    work: InWork,
    _staff: Reads,
    actor: _Text = "",
    action: _Text = "",
    subject: Annotated[str, Query(max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")] = "",
    since: _When = None,
    until: _When = None,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[EntryView]:
    """Return the log, newest first. `before` is the id of the last row that was returned.

    `subject` is a name, the code of a record, or a subject as the log has it. `since` and `until`
    are instants, or days in the helpline's time zone; `until` excludes an instant and includes a
    day. The reading is logged, too.
    """
    sought = Sought(actor, action, subject, since, until)
    found = await search_log(work, sought, before=before, limit=limit)
    return [EntryView.model_validate(one, from_attributes=True) for one in found]


@router.post("/log/checks", status_code=202)
async def check(work: InWork, _staff: Reads) -> None:
    """Begin a check of all logs. It takes seconds to minutes; GET /log/checks/last tells."""
    ask_for_check(work)


@router.get("/log/checks/last")
async def last(work: InWork, _staff: Reads) -> CheckView:
    """Return what the last check found, and where the log begins."""
    found = await last_check(work)
    begins = await beginning_of(work.session)
    return CheckView(
        at=found.at,
        whole=found.is_whole,
        chains=[ChainView.model_validate(one, from_attributes=True) for one in found.chains],
        under_way_since=found.under_way_since,
        begins=BeginningView.model_validate(begins, from_attributes=True) if begins else None,
    )


@router.post("/log/anchors", max_body_size=LARGEST_FILE)
async def compare_anchors(request: Request, work: InWork, _staff: Reads) -> AnchorsView:
    """Compare the logs with a file of anchors, or with one that was mailed, sent as the body: what
    is missing or altered since then. It changes nothing."""
    # A slow upload must not hold a database connection.
    await work.let_go()
    found = await verdict_of(work, await request.body())
    findings = [
        AnchorFinding(at=one.at, log=one.log, words=message_words(one.sentence))
        for one in found.findings
    ]
    return AnchorsView(
        anchors=found.anchors,
        last=found.last,
        before_beginning=found.before,
        whole=found.is_whole,
        findings=findings,
    )
