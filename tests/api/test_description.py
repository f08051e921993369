"""The interface does what its description says, for every role and any input."""

import asyncio
from typing import Any

import pytest

from app import words
from app.api.app import PREFIX
from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.documents.schemas import wrong_by
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage

# A stream without end; see `test_events.py`.
_ENDLESS = (f"{PREFIX}/events",)


# The helpline of the test draws by chance in its own thread, while hypothesis looks whether a
# strategy does.
@nightly
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
async def test_every_answer_is_as_described_for_every_role(stage: Stage) -> None:
    """By day what reads is asked as it is meant, and once in a wrong way."""
    from tests.support.program.described import Interface, try_all

    people: dict[str, str] = {"nobody": ""}
    for role in Role:
        person = await stage.add_counsellor(role.value, role=role, shift=False, state=None)
        people[role.value] = person.cookie_header
    interface = Interface(stage, asyncio.get_running_loop())
    await asyncio.to_thread(try_all, stage, interface, people)
    await interface.close()
    assert interface.asked > 2 * 100
    assert "HTTPValidationError" not in stage.app.openapi()["components"]["schemas"]
    assert not interface.wrong, "\n".join(f"{k}: {v}" for k, v in interface.wrong.items())


async def test_answers_of_what_reads_are_as_described(
    quiet: QuietStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By night each operation, with what is made up."""
    # To read the catalogues of all languages takes a second.
    monkeypatch.setattr(words, "written", lambda: ("sr", "sr-Cyrl"))
    vera = await quiet.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    described = quiet.app.openapi()
    reads = [
        path
        for path, known in described["paths"].items()
        if path.startswith(PREFIX) and "get" in known and "{" not in path and path not in _ENDLESS
    ]
    assert len(reads) > 40
    asked: list[tuple[str, str, str, Any]] = [
        ("GET", path, who, None) for path in reads[::3] for who in (vera.cookie_header, "")
    ]
    asked.append(("POST", f"{PREFIX}/contacts", vera.cookie_header, {"channel": 7}))
    statuses = set()
    for method, path, cookie, body in asked:
        url = quiet.settings.public_url + path
        answer = await quiet.client.request(method, url, json=body, headers={"Cookie": cookie})
        responses = described["paths"][path][method.lower()]["responses"]
        assert str(answer.status_code) in responses, (path, answer.status_code)
        statuses.add(answer.status_code)
        content = responses[str(answer.status_code)]["content"]
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in content, (path, kind)
        if kind == "application/json":
            assert _wrong(described, content[kind]["schema"], answer.json()) == [], path
    assert statuses >= {200, 401, 422}


def _wrong(described: dict[str, Any], schema: dict[str, Any], found: Any) -> list[str]:
    whole = {**schema, "components": described["components"]}
    return [f"{one.json_path}: {one.message}" for one in wrong_by(whole, found)]
