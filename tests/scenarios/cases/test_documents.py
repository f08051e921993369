"""Documents of a case: checked, sealed, scanned and taken out."""

import asyncio

from app.demo.stage import Stage
from app.web.access import COOKIE
from tests.support.contacts import PDF, upload


async def test_documents_are_checked_and_sealed(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    added = await upload(ana, stage, case, "Jovana%20nalaz.pdf", PDF)
    assert added.status_code == 201, added.text
    for name, body, status in (
        ("a.exe", b"MZ" + b"x" * 100, 415),
        ("a.pdf", b"MZ" + b"x" * 100, 415),
        ("a.png", PDF, 415),
        ("a.pdf", b"", 422),
        ("%2e%2e%2fa.pdf", PDF, 422),
        ("a.pdf", PDF + b"x" * 11_000_000, 413),
    ):
        assert (await upload(ana, stage, case, name, body)).status_code == status, name
    cross = await upload(ana, stage, case, "a.pdf", PDF, **{"Content-Type": "text/plain"})
    assert cross.status_code == 422
    row = (await stage.rows("SELECT * FROM case_documents"))[0]
    assert PDF[:200] not in bytes(row["content_sealed"])
    assert b"Jovana" not in bytes(row["name_sealed"])
    url = f"/cases/{case}/documents/{added.json()['id']}"
    got = await ana.ask("GET", url)
    assert got.content == PDF
    assert got.headers["content-disposition"] == 'attachment; filename="document.pdf"'
    bora = await stage.add_counsellor("bora", state=None)
    assert (await bora.ask("GET", url)).status_code == 404


async def test_what_was_misfiled_is_taken_out_and_the_trail_stays(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    body = PDF + b"/OpenAction << /JS (x) >>"
    added = (await upload(ana, stage, case, "Marko.pdf", body)).json()["id"]
    url = f"/cases/{case}/documents/{added}"
    flags = await stage.rows("SELECT flags FROM case_documents")
    assert flags == [{"flags": ["scripts"]}]
    bora = await stage.add_counsellor("bora", state=None)
    why = {"reason": "It is about another child."}
    assert (await bora.ask("POST", f"{url}/remove", why)).status_code == 404
    assert (await ana.ask("POST", f"{url}/remove", {"reason": " "})).status_code == 422
    assert (await ana.ask("POST", f"{url}/remove", why)).status_code == 204
    assert (await ana.ask("POST", f"{url}/remove", why)).status_code == 409
    assert (await ana.ask("GET", url)).status_code == 404
    (row,) = await stage.rows("SELECT content_sealed, removed_by FROM case_documents")
    assert len(row["content_sealed"]) < 100, "the content itself is gone"
    assert row["removed_by"] == ana.id
    trail = await stage.rows("SELECT kind, words_sealed FROM record_events ORDER BY id")
    assert [t["kind"] for t in trail][-2:] == ["document_added", "document_removed"]
    assert trail[-1]["words_sealed"]


async def test_the_scanner_decides(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    for command, status in (
        ("true", 201),
        ("false", 415),
        ("sh -c 'exit 2'", 503),
        ("/no/such", 503),
    ):
        object.__setattr__(stage.settings, "scan_command", command)
        assert (await upload(ana, stage, case, "a.pdf", PDF)).status_code == status, command
    assert await stage.rows("SELECT scan FROM case_documents") == [{"scan": "clean"}]


async def test_slow_uploads_hold_no_connection(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    port = int(stage.settings.public_url.rpartition(":")[2])
    writers = []
    for _ in range(25):
        stage.ground.memory.forget("staff")
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"POST /api/v1/cases/{case}/documents HTTP/1.1\r\nHost: x\r\n"
            f"Cookie: {COOKIE}={ana._cookies[COOKIE]}\r\nX-Document-Name: a.pdf\r\n"
            "Content-Type: application/octet-stream\r\nContent-Length: 100000\r\n\r\nabcd".encode()
        )
        writers.append(writer)
    await asyncio.sleep(0.5)
    rows = await stage.rows(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'idle in transaction'"
    )
    assert rows == [{"n": 0}]
    assert (await ana.ask("GET", f"/cases/{case}")).status_code == 200
    for writer in writers:
        writer.close()
    await asyncio.sleep(0.2)
    assert await stage.rows("SELECT id FROM case_documents") == []
