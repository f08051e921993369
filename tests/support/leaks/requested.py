"""What children ask about their own data: a report, and an erasure with its list."""

from typing import Any

import httpx2

from tests.support.contacts import WHOLE
from tests.support.leaks.night import Night, answered, ask, changes, words_of
from tests.support.leaks.searching import NAMED, NUMBER, TEXTS, said
from tests.support.waiting import until

Client = httpx2.AsyncClient


async def be_shown(boss: Client, second: Client) -> None:
    """A person asks by telephone what is kept of the child, and is handed it on paper."""
    path = await _decided(boss, second, "access", NUMBER, "right_of_access")
    paper = words_of(await answered(boss, "GET", f"{path}/report.pdf"))
    shown = (await answered(boss, "GET", f"{path}/report.json")).text
    for word in NAMED:
        assert word in paper
        assert word in shown


async def be_erased(night: Night, boss: Client, second: Client) -> None:
    """The child who texted asks that nothing is kept; its conversation and its contact go."""
    path = await _decided(boss, second, "erasure", TEXTS, "not_needed")
    gone = (await ask(boss, "GET", path))["counts"]
    assert gone["call"] == gone["contact"] == 1
    assert len(list((night.backups / "erased").glob("*.list"))) == 1


async def write_contact_of_texts(night: Night, client: Client) -> None:
    """A contact of the child who texted, with all work on it done."""
    call = night.row("SELECT id FROM calls WHERE channel = 'sms' ORDER BY opened_at LIMIT 1")
    told = {**WHOLE, "child.a1.incident": said("erased")}
    saved = await ask(client, "PUT", f"/calls/{call}/contact", changes(told))
    assert saved["refused"] == {}
    await ask(client, "POST", f"/contacts/{saved['id']}/complete")


async def _decided(boss: Client, second: Client, kind: str, sought: str, basis: str) -> str:
    """Have a request carried out, and return where it is."""
    wanted = {"kind": kind, "person": "child", "sought": sought}
    found: dict[str, Any] = await ask(boss, "POST", "/data-requests", wanted)
    path = f"/data-requests/{found['id']}"
    if kind == "access":
        longer = {"months": 1, "because": "complex", "words": said("extension")}
        await ask(boss, "POST", f"{path}/extension", longer)
    # What may be another person's is marked: the officer has looked at it.
    marked = [one for one in found["items"] if one["keep"] == "another_person"]
    released = [{"kind": one["kind"], "id": one["id"], "keep": None} for one in marked]
    await ask(boss, "PUT", f"{path}/kept", {"items": released})
    ground = {"basis": basis, "identity": "document", "words": said("data-request")}
    await ask(boss, "POST", f"{path}/ask", ground)
    await ask(second, "POST", f"{path}/decision", {"approve": True})

    async def carried_out() -> bool:
        return bool((await ask(boss, "GET", path))["state"] == "done")

    await until(carried_out, within=60, every=0.5)
    return path
