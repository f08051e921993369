"""What a page sends after another person has signed in in its browser does nothing."""

from datetime import timedelta
from typing import Any

from app.demo.counsellor import Counsellor
from tests.support.program.quiet import QuietStage

# Of the pages, their parts, their forms and their scripts.
ASKED: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/", {"headers": {"HX-Request": "true", "HX-Target": "main"}}),
    ("GET", "/board/frame", {"headers": {"HX-Request": "true"}}),
    ("GET", "/board/counts", {}),
    ("POST", "/board/presence/break", {"headers": {"HX-Request": "true"}}),
    ("POST", "/board/heartbeat?acts=true", {}),
    ("POST", "/page-language", {"data": {"language": "sr"}}),
    ("PUT", "/api/v1/me/presence", {"json": {"state": "break"}}),
    ("POST", "/api/v1/contacts", {"json": {}}),
]
_KEPT = (
    "SELECT state, heartbeat_at FROM presences",
    "SELECT page_language FROM staff ORDER BY name",
    "SELECT used_at, expires_at FROM staff_sessions",
    "SELECT count(*) FROM audit_entries",
    "SELECT count(*) FROM contacts",
)


async def kept(stage: QuietStage) -> list[list[dict[str, Any]]]:
    return [await stage.rows(sql) for sql in _KEPT]


async def sent(
    stage: QuietStage, who: Counsellor, me: str | None, method: str, path: str, how: dict[str, Any]
) -> tuple[int, str | None, str]:
    """Send a request of the page of `me`, with the cookie of a person."""
    headers = {"Cookie": who.cookie_header, **how.get("headers", {})}
    if me is not None:
        headers["Helpline-Me"] = me
    url = stage.settings.public_url + path
    answer = await stage.client.request(method, url, **{**how, "headers": headers})
    return answer.status_code, answer.headers.get("Helpline-Me"), answer.text


async def test_what_a_page_of_another_person_sends_does_nothing(quiet: QuietStage) -> None:
    ana, bob = [await quiet.add_counsellor(name) for name in ("ana", "bob")]
    quiet.stepped.leap(timedelta(minutes=10))
    # By the long way; by the short one the session is remembered.
    for remembered in (False, True):
        if remembered:
            assert (await bob.ask("GET", "/me")).status_code == 200
        before = await kept(quiet)
        for method, path, how in ASKED:
            status, mark, text = await sent(quiet, bob, str(ana.id), method, path, how)
            assert (status, mark) == (403, "other"), path
            assert "bob" not in text
        assert await kept(quiet) == before
    # A sign-out is sent at once, as a form.
    url, own = f"{quiet.settings.public_url}/logout", {"Cookie": bob.cookie_header}
    gone = await quiet.client.post(url, data={"me": str(ana.id)}, headers=own)
    assert (gone.status_code, gone.headers["location"]) == (303, "/")
    assert (await bob.ask("GET", "/me")).json()["name"] == "bob"
    # The person's own page, and a browser or a program that does not say whose page asks.
    for me in (str(bob.id), None):
        for method, path, how in ASKED:
            status, mark, text = await sent(quiet, bob, me, method, path, how)
            assert (status != 403, mark) == (True, None), text
