"""Contacts and cases as a counsellor writes and reads them."""

from collections.abc import Callable
from datetime import timedelta
from inspect import isawaitable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
from pypdf import PdfReader

from app.definitions.library import SHIPPED
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff.log_checks.chains import verify_chains
from app.web.access import COOKIE
from app.work import PROGRAM


async def skip(stage: Stage, hours: float) -> None:
    """Time goes by at once, with the jobs that become due."""
    stage.stepped.move_to(stage.clock.now() + timedelta(hours=hours))
    await stage.settle()


async def skip_minutes(stage: Stage, minutes: float, *, every: float = 5) -> None:
    """Time goes by in a few steps, each with the jobs that have become due; no phone rings."""
    until = stage.clock.now() + timedelta(minutes=minutes)
    while stage.clock.now() < until:
        stage.stepped.move_to(min(stage.clock.now() + timedelta(minutes=every), until))
        await stage.settle()


async def until_later(
    stage: Stage, truth: Callable[[], Any], limit: float, what: str, *, every: float = 5
) -> None:
    """Let time go by like `Stage.until`, and look every few seconds: it is minutes away."""
    end = stage.clock.now() + timedelta(seconds=limit)
    while True:
        found = truth()
        if await found if isawaitable(found) else found:
            return
        assert stage.clock.now() < end, f"did not happen within {limit} s: {what}"
        await stage.advance(every)


PDF = b"%PDF-1.4\n" + b"x" * 2000


async def upload(
    who: Counsellor, stage: Stage, case_id: str, name: str, body: bytes, **h: str
) -> httpx2.Response:
    headers = {
        "Cookie": "; ".join(f"{k}={v}" for k, v in who.cookies.items()),
        "Content-Type": "application/octet-stream",
        "X-Document-Name": name,
        # These are no real files: nothing can be removed from them.
        "X-Document-Details": "keep",
        **h,
    }
    url = f"{stage.settings.public_url}/api/v1/cases/{case_id}/documents"
    return await stage.client.post(url, content=body, headers=headers)


async def printed(who: Counsellor, case: str, **body: Any) -> tuple[int, str]:
    made = await who.ask("POST", f"/cases/{case}/print", {"contacts": True, **body})
    if made.status_code != 200:
        return made.status_code, made.json()["detail"]
    return 200, " ".join(p.extract_text() for p in PdfReader(BytesIO(made.content)).pages)


async def new_case(who: Counsellor, answers: dict[str, Any] | None = None) -> dict[str, Any]:
    case = (await who.ask("POST", "/cases", {})).json()
    if answers:
        saved = await who.ask("PUT", f"/cases/{case['id']}/answers", changes(answers))
        assert saved.json()["refused"] == {}, saved.text
    return dict(case)


async def case_of(who: Counsellor, case: dict[str, Any]) -> dict[str, Any]:
    return dict((await who.ask("GET", f"/cases/{case['id']}")).json())


async def page_of(stage: Stage, who: Counsellor, path: str) -> str:
    url = f"{stage.settings.public_url}{path}"
    answer = await stage.client.get(url, headers={"Cookie": who.cookie_header})
    assert answer.status_code == 200, answer.text
    return answer.text


WHOLE: dict[str, Any] = {
    "contact.kind": "child",
    "contact.headline": "Girl is bullied at school",
    "contact.categories": ["V-BULLYING", "EO-SCHOOL"],
    "contact.place": "RS-BG",
    "child.a1": 1,
    "child.a1.name": "Јована Петровић",
    "child.a1.age": 11,
    "child.a1.age_is": "told",
    "child.a1.gender": "girl",
    "wishes.safe_to_contact": "no",
    "consent.not_asked_because": "She is twelve and asked only to be heard.",
    "actions.taken": ["listening"],
    "actions.summary": "She was told whom to talk to.",
}


def changes(answers: dict[str, Any], base: int = 0) -> dict[str, Any]:
    return {"changes": [{"path": p, "value": v, "base": base} for p, v in answers.items()]}


async def write(
    who: Counsellor, contact_id: str, answers: dict[str, Any], base: int = 0
) -> dict[str, Any]:
    answer = await who.ask("PUT", f"/contacts/{contact_id}/answers", changes(answers, base))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def new_contact(who: Counsellor, answers: dict[str, Any] | None = None, **more: Any) -> str:
    body = {"channel": "email", "answers": answers or {}, **more}
    answer = await who.ask("POST", "/contacts", body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["refused"] == {}
    return str(answer.json()["id"])


async def completed(who: Counsellor, **more: Any) -> str:
    contact_id = await new_contact(who, {**WHOLE, **more})
    (await who.ask("POST", f"/contacts/{contact_id}/complete")).raise_for_status()
    return contact_id


async def all_completed(stage: Stage) -> None:
    """Let no counsellor write in a contact any more."""
    await stage.change_rows(
        "UPDATE contacts SET state = 'complete', completed_at = opened_at WHERE state = 'draft'"
    )


async def desk_page(stage: Stage, who: Counsellor) -> str:
    headers = {"Cookie": f"{COOKIE}={who.cookies[COOKIE]}"}
    return (await stage.client.get(f"{stage.settings.public_url}/board/desk", headers=headers)).text


async def press(stage: Stage, who: Counsellor, contact: str, reason: str) -> str:
    headers = {"Cookie": f"{COOKIE}={who.cookies[COOKIE]}", "Origin": stage.settings.public_url}
    url = f"{stage.settings.public_url}/board/contacts/{contact}/close/{reason}"
    return (await stage.client.post(url, headers=headers)).text


async def contact_of(who: Counsellor, stage: Stage, leg: Any) -> dict[str, Any]:
    call = await stage.call_of(leg)
    return dict((await who.ask("GET", f"/calls/{call['id']}/contact")).json())


async def chains_are_whole(stage: Stage) -> bool:
    async with transaction(stage.ground, PROGRAM) as work:
        return all(not report.broken for report in await verify_chains(work.session))


def own_tree(*leaves: str) -> str:
    """Return a tree of a country's own, with these leaves in its category HOME."""
    inside = "".join(f"      - {{{leaf}}}\n" for leaf in leaves)
    return f"""
tree: own
version: 1
kind: categories
languages: [en]
maps_to: chi
maps_to_version: 1
nodes:
  - code: HOME
    label: {{en: Home}}
    inside:
{inside}"""


TREE = own_tree(
    "code: HOME-BEATEN, label: {en: Beaten}, counts_as: V-PHYSICAL",
    "code: HOME-COLD, label: {en: Cold}",
)


def own_country(tmp_path: Path, tree: str) -> Path:
    (tmp_path / "own.yaml").write_text(tree.strip() + "\n")
    country = (SHIPPED / "country.yaml").read_text().replace("categories: chi", "categories: own")
    (tmp_path / "country.yaml").write_text(country)
    return tmp_path
