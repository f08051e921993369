"""What a newer version has kept of a request is not guessed at while servers are updated."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.errors import KeptByNewerVersion
from app.jobs.passing import PASSING
from app.retention.data_requests import answering, copies, erasing, requests
from app.retention.data_requests.kinds import IdentityCheck, RequestBasis, RequestKind, RequestState
from app.retention.data_requests.models import DataRequest
from app.retention.data_requests.searched import Sought, seal_sought, sought_of
from app.retention.data_requests.which_child import children_meant
from app.work import Work
from tests.support.planted import as_person
from tests.support.profile import by_day, nightly
from tests.support.retention.requested import NUMBER, a_person, approved, found_by
from tests.support.verbs import an_administrator

pytestmark = pytest.mark.situation


def keep(work: Work, request: DataRequest, kept: Any) -> None:
    body = json.dumps(kept).encode()
    request.sought_sealed = work.keys.seal(
        body, table="data_requests", column="sought_sealed", row=request.id
    )


NEWER = [
    {"numbers": [NUMBER], "codes": [], "entries": {}, "siblings": ["a2"]},
    {"codes": [], "numbers_by_line": {}},
    [NUMBER],
]


@pytest.mark.parametrize("newer", by_day(NEWER))
async def test_a_search_that_a_newer_version_kept_is_refused(work: Work, newer: Any) -> None:
    boss, _, _ = await a_person(work)
    request = await found_by(work, boss)
    # What a former version has kept is read.
    keep(work, request, {"numbers": [NUMBER], "codes": []})
    assert sought_of(work, request) == Sought([NUMBER], [])
    keep(work, request, newer)
    for read in (lambda: sought_of(work, request), lambda: seal_again(work, request)):
        with pytest.raises(KeptByNewerVersion, match="newer version of the program"):
            read()
    with pytest.raises(KeptByNewerVersion):
        await children_meant(work, request)


@nightly
@pytest.mark.parametrize("kind", by_day(RequestKind))
async def test_only_what_says_something_is_kept_so_that_a_former_version_reads_the_rest(
    work: Work, kind: RequestKind
) -> None:
    boss, _, _ = await a_person(work)
    request = await found_by(work, boss, kind=kind)
    seal_again(work, request)
    assert request.sought_sealed is not None
    body = work.keys.open(
        request.sought_sealed, table="data_requests", column="sought_sealed", row=request.id
    )
    assert json.loads(body).keys() - {"entries", "marked", "profiles"} == {
        "numbers",
        "codes",
        "children",
    }
    request.sought_sealed = seal_sought(work, request.id, Sought([NUMBER], []))
    assert sought_of(work, request) == Sought([NUMBER], [])


def seal_again(work: Work, request: DataRequest) -> None:
    request.sought_sealed = seal_sought(work, request.id, sought_of(work, request))


@nightly
async def test_a_request_of_a_newer_version_is_not_approved_and_can_be_refused(work: Work) -> None:
    """By day what a newer version has kept is refused wherever it is read."""
    boss, _, _ = await a_person(work)
    request = await found_by(work, boss)
    mila = await an_administrator(work)
    as_person(work, boss)
    await requests.ask(
        work,
        boss,
        request.id,
        RequestBasis.NOT_NEEDED,
        IdentityCheck.DOCUMENT,
        "Her passport was seen.",
    )
    keep(work, request, NEWER[0])
    as_person(work, mila)
    with pytest.raises(KeptByNewerVersion):
        await requests.decide(work, mila, request.id, approve=True)
    await work.session.refresh(request)
    request.state = RequestState.ASKED
    await requests.decide(work, mila, request.id, approve=False)
    assert request.sought_sealed is None


@pytest.mark.parametrize("kind", by_day(reversed(RequestKind)))
async def test_a_worker_of_the_former_version_leaves_it_and_tries_again(
    work: Work, monkeypatch: pytest.MonkeyPatch, kind: RequestKind
) -> None:
    """Nothing is lost: neither shown nor erased in part, and the request does not fail."""

    @asynccontextmanager
    async def same(*_: Any, **__: Any) -> AsyncIterator[Work]:
        yield work

    for module in (answering, erasing):
        monkeypatch.setattr(module, "transaction", same)
    boss, _, contact = await a_person(work)
    request = await found_by(work, boss, kind=kind)
    await approved(work, boss, request)
    keep(work, request, NEWER[0])
    with pytest.raises(PASSING):
        await answering.carry_out(work.ground, request.id)
    await work.session.refresh(contact)
    assert contact.erased_at is None
    assert request.state == RequestState.APPROVED
    assert all(one.erased_at is None for one in await requests.items_of(work, request))
    # Its own worker has erased it: the numbers for the provider are as newer, and wait for it.
    request.state = RequestState.DONE
    with pytest.raises(PASSING):
        await copies.numbers_to_ask(work, request.id)
