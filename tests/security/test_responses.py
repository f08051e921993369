"""What holds for responses of every kind: their headers, and what a fault tells."""

import asyncio
import csv
import json
import re
from pathlib import Path

import httpx2
import pytest

from app.dashboard.templating import BUILT
from app.demo.stage import LINE, Stage
from app.log import set_up_logging
from app.server.sockets import listen
from app.staff.roles import Role
from app.web.files import KINDS, Files
from tests.support.pages.nonces import nonce_in, policy_of, tags_in
from tests.support.profile import WHOLE
from tests.support.program.quiet import QuietStage
from tests.support.program.serving import base, served, settings_on

ROOT = Path(__file__).parent.parent.parent
MARKUP = "<img src=x onerror=alert(1)>\"'&lt;{{ 77777 * 77777 }}"


async def test_an_unexpected_error_tells_nothing_of_the_inside_and_is_logged(
    database: str, anyio_backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    listener = listen("127.0.0.1", 0)
    async with served(settings_on(database), [listener]) as app:

        async def falls_over(record: str) -> None:
            raise RuntimeError("SELECT name FROM children: Zlatanka +381641234567")

        app.add_api_route("/falls/{record}", falls_over)
        app.add_api_route("/api/v1/falls/{record}", falls_over)
        set_up_logging("ERROR")
        async with httpx2.AsyncClient(trust_env=False, base_url=base(listener)) as client:
            page = await client.get("/falls/K-7F3-9QD-2XC")
            answer = await client.get("/api/v1/falls/K-7F3-9QD-2XC")
            for one in (page, answer):
                assert one.status_code == 500
                assert "Something went wrong here" in one.text
                assert not re.search("RuntimeError|Traceback|Zlatanka|SELECT", one.text)
                assert one.headers["x-content-type-options"] == "nosniff"
                assert not {"server", "x-powered-by", "via"} & set(one.headers)
                assert one.headers["cache-control"] == "no-store"
                assert "frame-ancestors 'none'" in one.headers["content-security-policy"]
            assert set(tags_in(page.text)) == {nonce_in(page.headers["content-security-policy"])}
            assert answer.json()["error"] == "Unexpected"
            # The server lives.
            assert (await client.get("/login")).status_code < 500
    told = capsys.readouterr().err
    mine = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert [(one["path"], one["exception_type"]) for one in mine] == [
        ("/falls/{record}", "RuntimeError"),
        ("/api/v1/falls/{record}", "RuntimeError"),
    ]
    assert not re.search("Zlatanka|K-7F3|38164", told)


async def test_no_other_site_is_allowed_to_read(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana", role=Role.SUPERVISOR, state=None, shift=False)
    elsewhere = {
        "Cookie": ana.cookie_header,
        "Origin": "https://evil.example.org",
        "Access-Control-Request-Method": "GET",
    }
    kept = ("/static/built/board.js", "/static/helpline.svg")
    for method, path in (
        ("GET", "/"),
        ("GET", "/api/v1/me"),
        ("OPTIONS", "/api/v1/me"),
        ("GET", "/login"),
        ("GET", "/nowhere"),
        ("GET", "/static/"),
        ("GET", "/static/built/"),
        *(("GET", one) for one in kept),
    ):
        answer = await stage.client.request(
            method, stage.settings.public_url + path, headers=elsewhere
        )
        allowed = [name for name in answer.headers if name.startswith("access-control")]
        assert allowed == [], path
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers["referrer-policy"] == "same-origin", path
        assert answer.headers["cross-origin-resource-policy"] == "same-origin", path
        if path not in kept and not path.startswith("/static"):
            assert answer.headers["cache-control"] == "no-store", path
        # A folder of files shows no list of them.
        if path.endswith("/") and len(path) > 1:
            assert answer.status_code == 404, path
    await _what_is_no_request(stage)


def _check_scripts(path: str, policy: str) -> None:
    """A policy names scripts and styles by a nonce alone, and those of a child's page by hash."""
    said = policy_of(policy)
    assert said["default-src"] == ["'none'"], path
    allowed = r"'none'|'nonce-[a-p]{48}'"
    if path.startswith("/chat/"):
        allowed = r"'none'|'sha256-[\w+/]+=*'"
    for name in said:
        if name.startswith(("script-src", "style-src")):
            assert all(re.fullmatch(allowed, one) for one in said[name]), (path, said[name])
    assert "unsafe" not in policy, path


async def test_no_page_allows_scripts_of_its_text_or_from_elsewhere(stage: Stage) -> None:
    """By night every page and answer of the interface, for one who may open most of them."""
    chief, admin = [
        await stage.add_counsellor(role.value, role=role, state=None, shift=False)
        for role in (Role.SUPERVISOR, Role.ADMINISTRATOR)
    ]
    with (ROOT / "docs/security/access.csv").open() as table:
        paths = {row["path"] for row in csv.DictReader(table) if row["method"] == "GET"}
    found = sorted(re.sub(r"\{[^}]*\}", "x", path) for path in paths)
    programs = [path for path in found if path.startswith("/api/")]
    opened = 0
    pages = [path for path in found if path not in programs]
    for path in pages + programs if WHOLE else pages[::9] + programs[::60]:
        reader = admin if path.startswith("/admin") else chief
        # Only the head is waited for: some answers are streams without an end.
        async with stage.client.stream(
            "GET", stage.settings.public_url + path, headers={"Cookie": reader.cookie_header}
        ) as answer:
            _check_scripts(path, answer.headers["content-security-policy"])
            is_page = answer.headers.get("content-type", "").startswith("text/html")
            if is_page and not path.startswith("/chat/"):
                nonce = nonce_in(answer.headers["content-security-policy"])
                text = (await answer.aread()).decode()
                assert set(tags_in(text)) <= {nonce}, path
            opened += is_page and answer.status_code == 200
    assert opened > (10 if WHOLE else 5)


async def _what_is_no_request(stage: Stage) -> None:
    """What the server refuses before the program sees it has the same headers."""
    port = int(stage.settings.public_url.rpartition(":")[2])
    for sent in (
        "GET / HTTP/9.9\r\n\r\n",
        "CONNECT a.example:443 HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n" + "A: b\r\n" * 101 + "\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent.encode())
        answer = (await asyncio.wait_for(reader.read(), 20)).decode().lower()
        writer.close()
        above, _, body = answer.partition("\r\n\r\n")
        assert above.startswith("http/1.1 400 "), sent[:20]
        for header in ("nosniff", "cache-control: no-store", "default-src 'none'", "same-origin"):
            assert header in above, (sent[:20], header)
        assert f"content-length: {len(body)}\r\n" in f"{above}\r\n", sent[:20]


async def _by_hand(stage: Stage, path: str, cookie: str) -> tuple[int, str, str]:
    """Ask for an address as it is written, which libraries put right. Return status, head, body."""
    port = int(stage.settings.public_url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n"
    try:
        writer.write(f"{head}Connection: close\r\n\r\n".encode())
        answer = (await asyncio.wait_for(reader.read(), 20)).decode(errors="replace")
    except TimeoutError:
        raise AssertionError(path) from None
    finally:
        writer.close()
    above, _, body = answer.partition("\r\n\r\n")
    return int(above.split()[1]), above.lower(), body


# Parts of the program: none is named to who asks from outside.
_PARTS = re.compile(
    r"uvicorn|starlette|fastapi|sqlalchemy|psycopg|postgres|python/|jinja|httptools|uvloop", re.I
)


async def _lengths_and_parts(stage: Stage, page: str, cookie: str) -> None:
    """A response says one length, which is its own, and names no part and no version of one."""
    file = min(path.name for path in BUILT.glob("*.js"))
    paths = (page, "/login", "/api/v1/me", "/api/v1/nothing", "/nothing", f"/static/{file}")
    for path in (*paths, "/static/icons.json", "/static/", "/telephony/nothing", "/"):
        status, head, body = await _by_hand(stage, path, cookie)
        lengths = re.findall(r"^content-length: (\d+)\r?$", head, re.MULTILINE)
        chunked = "transfer-encoding: chunked" in head
        assert len(lengths) + chunked == 1, path
        if not chunked:
            assert int(lengths[0]) == len(body.encode()), path
        # The server of the tests names itself; that of the program is asked above.
        assert not _PARTS.search(re.sub(r"^server: .*$", "", head, flags=re.MULTILINE)), path
        if status >= 400:
            assert not _PARTS.search(body), path
    if WHOLE:
        # To describe the interface takes half a second.
        described = (await _by_hand(stage, "/openapi.json", cookie))[2]
        assert json.loads(described)["info"]["title"] == "Helpline"
        assert not _PARTS.search(described)


def test_only_files_of_the_pages_are_served(tmp_path: Path) -> None:
    files = Files(directory=tmp_path)
    for name in ("board.js", "board.css", "a.PNG"):
        (tmp_path / name).write_text("x")
        assert files.lookup_path(name)[1] is not None, name
    for name in (
        "board.js.map",
        "icons.json",
        "page.html",
        "a.py",
        ".env",
        "a.js~",
        "js",
        "x.svg.bak",
    ):
        (tmp_path / name).write_text("x")
        assert files.lookup_path(name)[1] is None, name
    # What the build makes for pages is all of these kinds.
    made = {path.suffix for path in BUILT.iterdir() if path.name != "icons.json"}
    assert made <= KINDS


async def test_no_address_leads_a_cache_to_what_is_closed(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    made = await ana.ask(
        "POST",
        "/contacts",
        {"channel": "email", "answers": {"child.a1.name": "Zlatanka"}},
    )
    assert made.status_code == 201, made.text
    page = f"/contacts/{made.json()['id']}"
    status, head, body = await _by_hand(stage, page, ana.cookie_header)
    assert status == 200
    assert "Zlatanka" in body, "the page that a cache must not keep"
    assert "cache-control: no-store" in head
    # An address that ends like a file, or begins like the folder of files; by day every second.
    closed = (
        *(f"{page}{end}" for end in ("/a.css", ";x.css", "%3Bx.css", "%2Fa.css", "%2Ea.css")),
        *(
            f"{page}{end}"
            for end in ("?a.css", "/../../static/built/board.js", "%23.css", "%00.css")
        ),
        f"/static/..{page}",
        f"/static/%2e%2e{page}",
        f"/static/..%2f{page[1:]}",
        f"/static/built/../..{page}",
        f"/static;{page}",
        f"/static{page}",
        f"/staticx/..{page}",
        f"/{page}",
        f"/telephony/..{page}",
        f"/telephony{page}",
        f"/api/v1{page}/a.css",
        f"/api/v1{page};a.css",
        f"/static/../api/v1{page}",
        "/static/nothing.css",
        "/telephony/nothing.css",
        "/nothing.css",
    )
    for path in closed if WHOLE else closed[::2]:
        status, head, body = await _by_hand(stage, path, ana.cookie_header)
        assert "cache-control: no-store" in head, path
        # Only what comes behind the question mark is still the page, and no cache keeps it.
        assert ("Zlatanka" in body) == ("?" in path), path
        assert status in ((200,) if "?" in path else (303, 307, 400, 404, 405, 422)), path
    await _lengths_and_parts(stage, page, ana.cookie_header)
    # What is the same for all is kept.
    file = min(path.name for path in BUILT.glob("*.js"))
    status, head, _ = await _by_hand(stage, f"/static/{file}", ana.cookie_header)
    assert status == 200
    assert "no-store" not in head


async def test_markup_in_names_is_text_on_every_page(quiet: QuietStage) -> None:
    """Names of people, agencies and lines that could be a script stand there as they were typed."""
    boss = await quiet.add_counsellor(MARKUP, role=Role.ADMINISTRATOR, state=None, shift=False)
    keeper = await quiet.add_counsellor(
        MARKUP + "2", role=Role.SUPERVISOR, state=None, shift=False, team=MARKUP
    )
    named = await quiet.rows("UPDATE lines SET name = %s RETURNING id", MARKUP)
    assert named
    showed = 0
    for person, pages in (
        (boss, ("/admin/people", "/admin/lines", "/admin", "/account")),
        (keeper, ("/", "/roster", "/team", "/reports", "/agencies", "/contacts", "/account")),
    ):
        for path in pages:
            answer = await quiet.client.get(
                quiet.settings.public_url + path,
                headers={"Cookie": person.cookie_header},
                follow_redirects=True,
            )
            assert answer.status_code == 200, path
            assert "<img src=x" not in answer.text, path
            assert "6049261729" not in answer.text, path
            showed += "&lt;img src=x onerror=alert(1)&gt;" in answer.text
    assert showed > 5
    assert LINE not in (await quiet.client.get(quiet.settings.public_url + "/login")).text


async def test_signing_out_is_on_every_page(quiet: QuietStage) -> None:
    for role in Role:
        person = await quiet.add_counsellor(role.value, role=role, state=None, shift=False)
        cookie = {"Cookie": person.cookie_header}
        page = await quiet.client.get(
            quiet.settings.public_url + "/account", headers=cookie, follow_redirects=True
        )
        assert page.status_code == 200, role
        assert '<form method="post" action="/logout">' in page.text, role
    done = await quiet.client.post(quiet.settings.public_url + "/logout", headers=cookie)
    assert done.status_code == 303
    gone = await quiet.client.get(quiet.settings.public_url + "/api/v1/me", headers=cookie)
    assert gone.status_code == 401


async def test_no_page_has_a_plug_in(quiet: QuietStage) -> None:
    """Neither a template nor a script makes one, and the browser is told to load none."""
    named = re.compile(
        r"<(object|embed|applet)\b|createElement\(\s*[\"'`](object|embed|applet)\b", re.IGNORECASE
    )
    files = [
        path
        for ending in ("html", "js", "py", "xml")
        for path in (ROOT / "app").rglob(f"*.{ending}")
    ]
    assert len(files) > 500
    assert [str(path) for path in files if named.search(path.read_text())] == []
    page = await quiet.client.get(quiet.settings.public_url + "/login")
    rules = dict(
        rule.strip().partition(" ")[::2]
        for rule in page.headers["content-security-policy"].split(";")
    )
    assert rules.get("object-src", rules["default-src"]) == "'none'"
