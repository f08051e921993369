"""Two people act on one request about data at the same instant, each at another web process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple
from uuid import UUID

import httpx2
import pytest

from app.demo.counsellor import Counsellor
from app.demo.served import Served, free_port
from app.demo.stage import Stage
from app.main import make_app
from app.retention.data_requests import extending, requests
from app.retention.data_requests.models import DataRequest
from app.staff.roles import Role
from app.work import Work, make_ground
from tests.support.calls.callers import talked
from tests.support.contacts import all_completed
from tests.support.mail import Mail, mail
from tests.support.profile import by_day, nightly
from tests.support.referrals import page
from tests.support.talks import CHILD

MORE = {"months": 2, "because": "complex", "words": "Many records are looked at."}
GROUND = {"basis": "not_needed", "identity": "called_back", "words": "Called on Monday."}


class House(NamedTuple):
    """Two officers, two who decide, and the address of a second web process."""

    stage: Stage
    vera: Counsellor
    nora: Counsellor
    mila: Counsellor
    mira: Counsellor
    other: str
    box: Mail

    async def both(self, *asked: tuple[Counsellor, str, Any]) -> list[httpx2.Response]:
        """Ask at the same instant, one at each process."""
        bases = (self.stage.settings.public_url, self.other)
        return await asyncio.gather(
            *(
                self.stage.client.post(
                    f"{base}/api/v1{path}", json=body, headers={"Cookie": who.cookie_header}
                )
                for base, (who, path, body) in zip(bases, asked, strict=True)
            )
        )

    async def erasure(self, *, asked: bool) -> str:
        """Return the path of an erasure that vera has begun, and asked a second person about."""
        begun = await self.vera.ask(
            "POST", "/data-requests", {"kind": "erasure", "person": "child", "sought": CHILD}
        )
        assert begun.status_code == 201, begun.text
        path = f"/data-requests/{begun.json()['id']}"
        if asked:
            kept = [{**_named(one), "keep": None} for one in begun.json()["items"]]
            assert (await self.vera.ask("PUT", f"{path}/kept", {"items": kept})).status_code == 200
            assert (await self.vera.ask("POST", f"{path}/ask", GROUND)).status_code == 200
        return path

    async def state(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.vera.ask("GET", path)).json()
        return found

    async def logged(self, path: str) -> list[str]:
        rows = await self.stage.rows(
            "SELECT action FROM audit_entries WHERE subject = %s ORDER BY id",
            f"data_request:{path.rpartition('/')[2]}",
        )
        return [row["action"].removeprefix("data_request_") for row in rows]


def _named(item: dict[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in ("kind", "id")}


@pytest.fixture
async def house(stage: Stage) -> AsyncIterator[House]:
    vera, nora, mila, mira = [
        await stage.add_counsellor(name, role=role, shift=False, state=None)
        for name, role in (
            ("vera", Role.SUPERVISOR),
            ("nora", Role.SUPERVISOR),
            ("mila", Role.ADMINISTRATOR),
            ("mira", Role.ADMINISTRATOR),
        )
    ]
    await stage.change_rows("UPDATE staff SET email = name || '@x.example'")
    await talked(stage, await stage.add_counsellor("ana"))
    await all_completed(stage)
    port = free_port()
    served = Served(make_app(make_ground(stage.settings, stage.clock), with_worker=False), port)
    await served.start()
    async with mail() as box:
        stage.settings.smtp_url = box.url
        yield House(stage, vera, nora, mila, mira, f"http://127.0.0.1:{port}", box)
    await served.stop()


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> "Arm":
    """Let the next two who lock a request come there at the same instant.

    If it is said which of the two modules is the second, it waits for the lock of the first.
    """
    lock = requests.lock_request

    def arm(second: ModuleType | None = None) -> None:
        barrier, passed, held = asyncio.Barrier(2), list[UUID](), asyncio.Event()

        async def locked(module: ModuleType, work: Work, request_id: UUID) -> DataRequest:
            if len(passed) < 2:
                passed.append(request_id)
                await asyncio.wait_for(barrier.wait(), 10)
                if module is second:
                    await asyncio.wait_for(held.wait(), 10)
            found = await lock(work, request_id)
            held.set()
            return found

        for module in (requests, extending):
            monkeypatch.setattr(module, "lock_request", partial(locked, module))

    return arm


Arm = Callable[..., None]


@nightly
async def test_of_two_who_extend_a_request_one_does_and_the_other_hears_why_not(
    house: House, together: Arm
) -> None:
    """By day two decide at the same instant, and one extends a request twice (test_extensions)."""
    path = await house.erasure(asked=False)
    together()
    answers = await house.both(
        (house.vera, f"{path}/extension", MORE),
        (house.nora, f"{path}/extension", {**MORE, "months": 1}),
    )
    assert sorted(one.status_code for one in answers) == [200, 409]
    (done,) = [one.json() for one in answers if one.status_code == 200]
    (refused,) = [one.json() for one in answers if one.status_code == 409]
    assert "extended already" in refused["detail"]
    now = await house.state(path)
    assert now["extended_until"] == done["extended_until"]
    assert (await house.logged(path)).count("extended") == 1
    # And both note at once that the person was told.
    together()
    told = await house.both(
        (house.vera, f"{path}/extension/told", {"on": None}),
        (house.nora, f"{path}/extension/told", {"on": None}),
    )
    assert sorted(one.status_code for one in told) == [200, 409]
    assert (await house.logged(path)).count("extension_told") == 1


@nightly
async def test_a_request_that_one_extends_while_the_other_withdraws_it_is_withdrawn(
    house: House, together: Arm
) -> None:
    for turn, second in enumerate((requests, extending)):
        path = await house.erasure(asked=False)
        together(second)
        extended, withdrawn = await house.both(
            (house.vera, f"{path}/extension", MORE),
            (house.nora, f"{path}/withdraw", {}),
        )
        assert withdrawn.status_code == 200, withdrawn.text
        is_extended = second is requests
        assert extended.status_code == (200 if is_extended else 409)
        if not is_extended:
            assert "already been decided" in extended.json()["detail"]
        in_turn = ["extended"] if is_extended else []
        assert await house.logged(path) == ["begun", *in_turn, "withdrawn"]
        now = await house.state(path)
        assert (now["state"], now["answer_by"], now["items"]) == ("withdrawn", None, [])
        assert (now["extended_until"] is not None) is is_extended
        await house.stage.settle()
        assert len(house.box.messages) == turn + 1, "vera is told once of each"
    assert {to for to, _ in house.box.messages} == {"vera@x.example"}


@pytest.mark.parametrize("second", by_day([True, False]))
async def test_of_two_who_decide_about_an_erasure_one_does(
    house: House, together: Arm, second: bool
) -> None:
    """One approves it, the other one approves or refuses it."""
    path = await house.erasure(asked=True)
    together()
    answers = await house.both(
        (house.mila, f"{path}/decision", {"approve": True}),
        (house.mira, f"{path}/decision", {"approve": second}),
    )
    assert sorted(one.status_code for one in answers) == [200, 409]
    (late,) = [one.json() for one in answers if one.status_code == 409]
    assert late["detail"] == "This request is not waiting for a decision."
    here = f"/admin{path}"
    shown = await page(house.stage, house.mira, f"{here}/decision", decision="approve")
    assert "This request is not waiting for a decision." in shown.text
    await house.stage.settle()
    now = await house.state(path)
    approved = second or answers[0].status_code == 200
    assert now["state"] == ("done" if approved else "refused")
    logged = await house.logged(path)
    outcome = ["approved", "erased"] if approved else ["refused"]
    assert logged[-len(outcome) :] == outcome
    assert sum(one in ("approved", "refused", "erased") for one in logged) == len(outcome)
    (call,) = await house.stage.rows("SELECT caller_key FROM calls")
    assert (call["caller_key"] is None) is approved
    (row,) = await house.stage.rows(
        "SELECT decided_by, count(*) OVER () FROM data_requests WHERE decided_by IS NOT NULL"
    )
    winner = house.mila if answers[0].status_code == 200 else house.mira
    assert (row["decided_by"], row["count"]) == (winner.id, 1)


@nightly
async def test_an_erasure_that_is_decided_while_it_is_withdrawn_has_one_end(
    house: House, together: Arm
) -> None:
    """By day two decide at the same instant: each act locks the request."""
    path = await house.erasure(asked=True)
    together()
    decided, withdrawn = await house.both(
        (house.mila, f"{path}/decision", {"approve": True}),
        (house.nora, f"{path}/withdraw", {}),
    )
    assert sorted((decided.status_code, withdrawn.status_code)) == [200, 409]
    await house.stage.settle()
    now = await house.state(path)
    assert now["state"] == ("done" if decided.status_code == 200 else "withdrawn")
    (call,) = await house.stage.rows("SELECT caller_key FROM calls")
    assert (call["caller_key"] is None) is (decided.status_code == 200)
    told = [to for to, _ in house.box.messages]
    assert told == ([] if decided.status_code == 200 else ["vera@x.example"])
