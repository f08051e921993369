"""A request about a person's data, from the search to the decision of a second person.

An officer finds the rows and says which are kept; then asks. A report is decided like other files
about single persons, by a second person who may, of any role: only supervisors ask, and they make
no accounts. An erasure is decided by a person of another role, who sees kinds, codes and counts,
and nothing that was told. The rule of the second person is in `app/staff/second_person.py`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select

from app.contacts.registry import new_code
from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.jobs.names import Task
from app.retention.data_requests import deadlines, letters
from app.retention.data_requests.children import entries_asked, records_of
from app.retention.data_requests.finding import countries_of, find_items, read_sought
from app.retention.data_requests.kinds import (
    CHOSEN,
    OPEN,
    SEEN_BY_PROGRAM,
    AskingPerson,
    IdentityCheck,
    ItemKind,
    Keep,
    RequestBasis,
    RequestEnd,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.models import DataRequest, ProviderCopy, RequestItem
from app.retention.data_requests.same_children import write_children
from app.retention.data_requests.searched import Sought, profiles_now, seal_sought, sought_of
from app.retention.data_requests.trail import Item
from app.staff.audit import write_entry, write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.staff.second_person import RULE, Asker, second
from app.words.pages import N_
from app.work import Work

LONGEST_SOUGHT = 2000
LONGEST_WORDS = 2000
# What stands for the role of a person at the command line.
OPERATOR = "operator"
_S = RequestState
_NOTHING = N_("Nothing was found that could be shown or erased.")


def words_of(work: Work, request: DataRequest) -> str:
    """Return what the officer wrote about the ground and the check."""
    if request.words_sealed is None:
        return ""
    return work.keys.open(
        request.words_sealed, table="data_requests", column="words_sealed", row=request.id
    ).decode()


# -- reading -------------------------------------------------------------------------------------


async def list_requests(work: Work, limit: int = 100) -> list[DataRequest]:
    """Return the requests: what each is, and never about whom.

    First all whose person is not answered, by the day to answer; then the newest of the others.
    """
    waits = deadlines.unanswered()
    first = list(await work.session.scalars(select(DataRequest).where(waits)))
    first.sort(key=lambda one: (deadlines.answer_by(work, one) or date.max, one.began_at))
    others = await work.session.scalars(
        select(DataRequest).where(~waits).order_by(DataRequest.began_at.desc()).limit(limit)
    )
    return [*first, *others]


async def read_request(work: Work, request_id: UUID) -> DataRequest:
    """Return a request. Raises NotFound."""
    found = await work.session.get(DataRequest, request_id)
    if found is None:
        raise NotFound("There is no such request.")
    return found


async def request_by_code(work: Work, code: str) -> DataRequest:
    """Return the request with a code. Raises NotFound."""
    found = await work.session.scalar(
        select(DataRequest).where(DataRequest.code == code.strip().upper())
    )
    if found is None:
        raise NotFound("There is no request with this code. Write it like D-7F3-9QD-2XC.")
    return found


def is_own(staff: Staff | None, request: DataRequest) -> bool:
    """Return whether a person, or the command line (None), made the request."""
    return request.asked_by == (staff.id if staff is not None else None)


def holds(staff: Staff | None, request: DataRequest) -> bool:
    """Return whether the report is that of a person, or of the command line (None)."""
    return request.holder == (staff.id if staff is not None else None)


async def has_left(work: Work, request: DataRequest) -> bool:
    """Return whether the officer whose report it is has left, or is none any more."""
    if request.holder is None:
        return False
    officer = await work.session.get(Staff, request.holder)
    return officer is None or not (officer.active and _is_officer(officer))


def may_read_whom(staff: Staff | None, request: DataRequest) -> bool:
    """Return whether a person may read whom a request is about: whose it is, while an officer."""
    return holds(staff, request) and _is_officer(staff)


async def items_of(work: Work, request: DataRequest) -> list[RequestItem]:
    """Return what was found, in the order of the kinds, the oldest first.

    Nothing of what a finished report shows: that is kept to be compared alone, while it lasts.
    """
    if request.state == RequestState.DONE:
        return []
    rows = await work.session.scalars(
        select(RequestItem).where(RequestItem.request_id == request.id)
    )
    order = list(ItemKind)
    return sorted(rows, key=lambda row: (order.index(ItemKind(row.kind)), row.at, row.subject_id))


def kept_of(items: Iterable[RequestItem]) -> dict[str, int]:
    """Return how many rows are kept, by the ground."""
    return dict(Counter(item.keep for item in items if item.keep is not None))


async def copies_of(work: Work, request: DataRequest) -> list[tuple[str, str, int]]:
    """Return how many copies at the provider are in which state, by kind."""
    rows = await work.session.execute(
        select(ProviderCopy.kind, ProviderCopy.state, func.count())
        .where(ProviderCopy.request_id == request.id)
        .group_by(ProviderCopy.kind, ProviderCopy.state)
        .order_by(ProviderCopy.kind, ProviderCopy.state)
    )
    return [(kind, state, count) for kind, state, count in rows]


# -- finding and asking --------------------------------------------------------------------------


async def _what_was_sought(
    work: Work, items: list[Item], numbers: list[str], codes: list[str]
) -> Sought:
    """Return what a search looked for, and how the rows that it found were then."""
    about = {one.id for one in items if one.kind in (ItemKind.CONTACT, ItemKind.CASE)}
    entries = await entries_asked(work, await records_of(work, about), numbers, codes)
    rows = {one: [item.id for item in items if item.kind is one] for one in ItemKind}
    children = await write_children(work, rows)
    marked = [str(item.id) for item in items if item.of_another]
    profiles = await profiles_now(work, rows[ItemKind.CONTACT])
    without = sorted({str(one) for one in rows[ItemKind.CONTACT]} - profiles.keys())
    return Sought(numbers, codes, entries, children, marked, profiles, without)


async def find(
    work: Work,
    staff: Staff | None,
    kind: RequestKind,
    person: AskingPerson,
    typed: str,
    asked_on: date | None = None,
    replaces: UUID | None = None,
) -> DataRequest:
    """Begin a request: find every row about the person. The search is logged first.

    `asked_on`: when the person asked, None: today, or as the request says that it `replaces`.
    Raises Invalid, NotFound, NotAllowed, Conflict, TooMany.
    """
    check_officer(staff)
    if len(typed) > LONGEST_SOUGHT or "\x00" in typed:
        raise Invalid("Write at most %(most)s characters.", most=LONGEST_SOUGHT)
    replaced = await _lock_replaced(work, replaces, kind, person)
    day = deadlines.day_asked(work, asked_on, replaced)
    numbers, codes = read_sought(typed, await countries_of(work))
    request_id = uuid4()
    await write_reading(
        work,
        AuditLog.DATA_REQUEST_BEGUN,
        f"data_request:{request_id}",
        kind=kind.value,
        person=person.value,
        numbers=len(numbers),
        codes=codes,
        day=str(day),
        **({"replaces": replaced.code} if replaced is not None else {}),
    )
    items = await find_items(work, numbers, codes, caller=person is AskingPerson.CALLER)
    sought = await _what_was_sought(work, items, numbers, codes)
    request = DataRequest(
        id=request_id,
        code=new_code("D"),
        kind=kind.value,
        person=person.value,
        state=_S.FOUND.value,
        sought_sealed=seal_sought(work, request_id, sought),
        began_at=work.now,
        asked_on=day if day != deadlines.day_of(work, work.now) else None,
        asked_by=staff.id if staff is not None else None,
        asked_role=staff.role if staff is not None else OPERATOR,
        counts={},
        kept={},
    )
    if replaced is not None:
        deadlines.take_extension_over(work, request, replaced)
    work.session.add(request)
    await work.session.flush()
    if replaced is not None:
        replaced.replaced_by = request_id
    await _list_items(work, request, items)
    work.announce(Topic.DATA_REQUESTS)
    return request


async def _lock_replaced(
    work: Work, request_id: UUID | None, kind: RequestKind, person: AskingPerson
) -> DataRequest | None:
    """Lock the request that is begun again, if one is: the same person asks for the same."""
    if request_id is None:
        return None
    request = await lock_request(work, request_id)
    if not deadlines.can_be_replaced(request):
        raise Conflict("This request cannot be begun again.")
    if (request.kind, request.person) != (kind, person):
        raise Invalid("Begin a request again as it was: the same kind, for the same person.")
    return request


async def _list_items(work: Work, request: DataRequest, items: Iterable[Item]) -> None:
    kind, person = RequestKind(request.kind), AskingPerson(request.person)
    for item in items:
        keep = _preset(kind, person, item)
        work.session.add(
            RequestItem(
                request_id=request.id,
                kind=item.kind.value,
                subject_id=item.id,
                because=item.because.value,
                label=item.label,
                at=item.at,
                children=item.children,
                keep=keep.value if keep is not None else None,
            )
        )
    await work.session.flush()


def _preset(kind: RequestKind, person: AskingPerson, item: Item) -> Keep | None:
    """Return why a row is kept, or left out, until the officer says otherwise.

    For a child what may be about another person (`marks.py`). A parent or guardian may be the one
    who hurts the child: that it rang, when, and who was told is shown or erased only where the
    officer has chosen so, row by row. That ground stands before that of another person, who may be
    the child itself.

    So may another caller, and the number may be that of a household: every row is that of another
    person, each call of the number, too. What a contact says of its caller does not prove who asks.
    """
    if item.keep in SEEN_BY_PROGRAM and kind is RequestKind.ERASURE:
        return item.keep
    if person is AskingPerson.GUARDIAN:
        return Keep.PROTECTS_CHILD
    if person is AskingPerson.CALLER:
        return Keep.ANOTHER_PERSON
    # A report shows what is held or still open, too: a person may know of it.
    return Keep.ANOTHER_PERSON if item.of_another else None


def check_officer(staff: Staff | None) -> None:
    """Refuse who may not answer requests. Raises NotAllowed."""
    if not _is_officer(staff):
        raise NotAllowed("Only supervisors answer requests about a person's data.")


def _is_officer(staff: Staff | None) -> bool:
    return staff is None or may(staff.role, Permission.ANSWER_DATA_REQUESTS)


async def lock_request(work: Work, request_id: UUID) -> DataRequest:
    """Return a request as it is now, locked until the end of this work. Raises NotFound."""
    found = await work.session.scalar(
        select(DataRequest)
        .where(DataRequest.id == request_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("There is no such request.")
    return found


async def _lock_own(work: Work, staff: Staff | None, request_id: UUID) -> DataRequest:
    """Lock a request that the person made and that is still being prepared."""
    request = await lock_request(work, request_id)
    check_officer(staff)
    if not is_own(staff, request):
        raise NotAllowed("Only the person who began this request can change it.")
    if request.state != _S.FOUND:
        raise Conflict("This request was asked already. Withdraw it, and begin another one.")
    return request


async def set_kept(
    work: Work,
    staff: Staff | None,
    request_id: UUID,
    wanted: Mapping[tuple[ItemKind, UUID], Keep | None],
) -> DataRequest:
    """Say what is kept, or left out of the report, and why. What is not named stays as it is.

    Raises Invalid, NotFound, NotAllowed, Conflict.
    """
    request = await _lock_own(work, staff, request_id)
    rows = {(ItemKind(row.kind), row.subject_id): row for row in await items_of(work, request)}
    if unknown := wanted.keys() - rows.keys():
        raise NotFound("%(count)s of these rows were not found.", count=len(unknown))
    before, after = [], []
    for key, keep in wanted.items():
        row = rows[key]
        now = Keep(row.keep) if row.keep else None
        if keep is now:
            continue
        if now in SEEN_BY_PROGRAM:
            raise Conflict(
                "A row that is held or still open stays. Lift the hold or finish the work, and "
                "begin the request again."
            )
        if keep is not None and keep not in CHOSEN:
            raise Invalid("Choose one of these grounds: %(grounds)s.", grounds=list(CHOSEN))
        name = f"{row.kind}:{row.subject_id}"
        before.append(f"{name} {row.keep or '-'}")
        after.append(f"{name} {keep or '-'}")
        row.keep = keep.value if keep else None
    if after:
        await work.session.flush()
        write_entry(
            work,
            AuditLog.DATA_REQUEST_KEPT,
            f"data_request:{request.id}",
            before=before,
            after=after,
        )
        work.announce(Topic.DATA_REQUESTS)
    return request


async def ask(
    work: Work,
    staff: Staff | None,
    request_id: UUID,
    basis: RequestBasis,
    identity: IdentityCheck,
    words: str,
) -> DataRequest:
    """Ask a second person to decide, with the ground and how the identity was checked.

    An erasure of which all has to be kept is asked, too: so that it is refused, and not withdrawn.
    Raises Invalid, NotFound, NotAllowed, Conflict.
    """
    request = await _lock_own(work, staff, request_id)
    words = needs_words(
        words, N_("Say how the identity was checked and when, in at least 10 characters.")
    )
    if (request.kind == RequestKind.ACCESS) != (basis is RequestBasis.RIGHT_OF_ACCESS):
        raise Invalid("The right of access is the ground of a report, and of nothing else.")
    items = await items_of(work, request)
    if not items or (request.kind == RequestKind.ACCESS and not is_any_free(items)):
        raise Conflict(_NOTHING)
    request.basis, request.identity = basis.value, identity.value
    request.words_sealed = work.keys.seal(
        words.encode(), table="data_requests", column="words_sealed", row=request.id
    )
    request.state, request.asked_at = _S.ASKED.value, work.now
    # Now another person has to go on with it.
    request.reminded_at, request.kept = None, {}
    await work.session.flush()
    write_entry(
        work,
        AuditLog.DATA_REQUEST_ASKED,
        f"data_request:{request.id}",
        kind=request.kind,
        because=basis.value,
        how=identity.value,
        rows=len([item for item in items if item.keep is None]),
        left=len([item for item in items if item.keep is not None]),
    )
    work.announce(Topic.DATA_REQUESTS)
    return request


def is_any_free(items: Iterable[RequestItem]) -> bool:
    """Return whether a row is not kept."""
    return any(item.keep is None for item in items)


def needs_words(words: str, problem: str) -> str:
    """Return words that are sealed then. Raises Invalid, with this problem if they are too few."""
    words = words.strip()
    if len(words) > LONGEST_WORDS or "\x00" in words:
        raise Invalid("Write at most %(most)s characters.", most=LONGEST_WORDS)
    if len(words) < 10:
        raise Invalid(problem)
    return words


def can_be_withdrawn(request: DataRequest) -> bool:
    """Return whether a request is not decided yet, or its person waits for a report that will not
    come."""
    return request.state in OPEN or deadlines.has_no_report(request)


async def withdraw(work: Work, staff: Staff | None, request_id: UUID) -> DataRequest:
    """Withdraw a request before it is decided: one's own, or as another officer.

    Also one of whose report nothing was seen, and nothing can be any more. Who began it may have
    left; else they get a letter. Raises NotFound, NotAllowed, Conflict.
    """
    request = await lock_request(work, request_id)
    if not is_own(staff, request):
        check_officer(staff)
    if not can_be_withdrawn(request):
        raise Conflict("This request has already been decided.")
    await close(work, request, _S.WITHDRAWN)
    write_entry(
        work, AuditLog.DATA_REQUEST_WITHDRAWN, f"data_request:{request.id}", kind=request.kind
    )
    if not is_own(staff, request):
        await letters.tell_of_end(work, [request.id], RequestEnd.WITHDRAWN)
    return request


async def close(work: Work, request: DataRequest, state: RequestState) -> None:
    """End a request that is not carried out, and forget whom it was about.

    No row of it counts as shown, erased or kept, not of a report that was not opened either.
    """
    request.counts, request.kept = {}, {}
    request.state, request.done_at, request.sought_sealed = state.value, work.now, None
    await work.session.execute(delete(RequestItem).where(RequestItem.request_id == request.id))
    await work.session.flush()
    work.announce(Topic.DATA_REQUESTS)


# -- deciding ------------------------------------------------------------------------------------


async def why_not_decide(work: Work, staff: Staff | None, request: DataRequest) -> str:
    """Return why a person may not decide; empty if they may."""
    if staff is not None and not may(staff.role, Permission.DECIDE_DATA_REQUESTS):
        return N_("Only supervisors and administrators decide.")
    if is_own(staff, request):
        return N_("This is your own request: another person has to decide.")
    if request.kind == RequestKind.ERASURE and request.asked_role == _role(staff):
        return N_("An erasure is decided by a person of another role.")
    if staff is None:
        return ""
    asked = Asker(request.asked_by, request.asked_role, request.asked_at or request.began_at)
    any_role = request.kind == RequestKind.ACCESS
    is_second = (await second(work, staff)).may_decide(asked, of_any_role=any_role)
    return "" if is_second else RULE


def _role(staff: Staff | None) -> str:
    return staff.role if staff is not None else OPERATOR


async def decide(
    work: Work, staff: Staff | None, request_id: UUID, *, approve: bool
) -> DataRequest:
    """Approve or refuse, as the second person. An erasure of which all has to be kept is refused:
    the receipt says on which grounds.

    Raises NotFound, NotAllowed, Conflict; KeptByNewerVersion if the second person cannot have seen
    here which child is meant.
    """
    request = await lock_request(work, request_id)
    if problem := await why_not_decide(work, staff, request):
        raise NotAllowed(problem)
    if request.state != _S.ASKED:
        raise Conflict("This request is not waiting for a decision.")
    items = await items_of(work, request)
    kept = {} if is_any_free(items) else kept_of(items)
    if approve and not is_any_free(items):
        raise Conflict(_NOTHING)
    request.decided_by = staff.id if staff is not None else None
    request.decided_role, request.decided_at = _role(staff), work.now
    if approve:
        sought_of(work, request)
        request.state = _S.APPROVED.value
        await work.session.flush()
        work.defer(Task.CARRY_OUT_REQUEST, request_id=str(request.id))
    else:
        await close(work, request, _S.REFUSED)
        request.kept = kept
    write_entry(
        work,
        AuditLog.DATA_REQUEST_APPROVED if approve else AuditLog.DATA_REQUEST_REFUSED,
        f"data_request:{request.id}",
        kind=request.kind,
        **({"kept": dict(sorted(kept.items()))} if kept else {}),
    )
    work.announce(Topic.DATA_REQUESTS)
    return request
