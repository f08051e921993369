"""Documents of a case: checked, sealed, scanned and taken out."""

import asyncio

import pytest

from app.api.records.cases import download
from app.demo.stage import Stage
from app.staff.roles import Role
from app.web.access import COOKIE
from tests.support.contacts import PDF, page_of, upload
from tests.support.documents.files import WHO, jpeg
from tests.support.documents.of_telephones import heic, mp3
from tests.support.profile import by_day
from tests.support.program.quiet import QuietStage
from tests.support.waiting import until


async def test_documents_are_checked_and_sealed(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    added = await upload(ana, quiet, case, "Jovana%20nalaz.pdf", PDF)
    assert added.status_code == 201, added.text
    for name, body, status in (
        ("a.exe", b"MZ" + b"x" * 100, 415),
        ("a.pdf", b"MZ" + b"x" * 100, 415),
        ("a.png", PDF, 415),
        ("a.pdf", b"", 422),
        ("%2e%2e%2fa.pdf", PDF, 422),
        ("a.pdf", PDF + b"x" * 11_000_000, 413),
    ):
        assert (await upload(ana, quiet, case, name, body)).status_code == status, name
    cross = await upload(ana, quiet, case, "a.pdf", PDF, **{"Content-Type": "text/plain"})
    assert cross.status_code == 422
    row = (await quiet.rows("SELECT * FROM case_documents"))[0]
    assert PDF[:200] not in bytes(row["content_sealed"])
    assert b"Jovana" not in bytes(row["name_sealed"])
    url = f"/cases/{case}/documents/{added.json()['id']}"
    got = await ana.ask("GET", url)
    assert got.content == PDF
    assert got.headers["content-disposition"] == 'attachment; filename="document.pdf"'
    assert got.headers["content-security-policy"].startswith("sandbox")
    assert got.headers["x-content-type-options"] == "nosniff"
    bora = await quiet.add_counsellor("bora", shift=False, state=None)
    assert (await bora.ask("GET", url)).status_code == 404


async def test_what_was_misfiled_is_taken_out_and_the_trail_stays(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    body = PDF + b"/OpenAction << /JS (x) >>"
    added = (await upload(ana, quiet, case, "Marko.pdf", body)).json()["id"]
    url = f"/cases/{case}/documents/{added}"
    flags = await quiet.rows("SELECT flags FROM case_documents")
    assert flags == [{"flags": ["scripts"]}]
    bora = await quiet.add_counsellor("bora", shift=False, state=None)
    why = {"reason": "It is about another child."}
    assert (await bora.ask("POST", f"{url}/remove", why)).status_code == 404
    assert (await ana.ask("POST", f"{url}/remove", {"reason": " "})).status_code == 422
    assert (await ana.ask("POST", f"{url}/remove", why)).status_code == 204
    assert (await ana.ask("POST", f"{url}/remove", why)).status_code == 409
    assert (await ana.ask("GET", url)).status_code == 404
    (row,) = await quiet.rows("SELECT content_sealed, removed_by FROM case_documents")
    assert len(row["content_sealed"]) < 100, "the content itself is gone"
    assert row["removed_by"] == ana.id
    trail = await quiet.rows("SELECT kind, words_sealed FROM record_events ORDER BY id")
    assert [t["kind"] for t in trail][-2:] == ["document_added", "document_removed"]
    assert trail[-1]["words_sealed"]


async def test_the_scanner_decides(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    for command, status in (
        ("true", 201),
        ("false", 415),
        ("sh -c 'exit 2'", 503),
        ("/no/such", 503),
    ):
        object.__setattr__(quiet.settings, "scan_command", command)
        assert (await upload(ana, quiet, case, "a.pdf", PDF)).status_code == status, command
    assert await quiet.rows("SELECT scan FROM case_documents") == [{"scan": "clean"}]


async def test_slow_uploads_hold_no_connection(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana", shift=False, state=None)
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    port = int(stage.settings.public_url.rpartition(":")[2])
    writers = []
    for _ in range(25):
        stage.ground.memory.forget("staff")
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"POST /api/v1/cases/{case}/documents HTTP/1.1\r\nHost: x\r\n"
            f"Cookie: {COOKIE}={ana.cookies[COOKIE]}\r\nX-Document-Name: a.pdf\r\n"
            "Content-Type: application/octet-stream\r\nContent-Length: 100000\r\n\r\nabcd".encode()
        )
        writers.append(writer)
    await asyncio.sleep(0.5)
    # Other stages of this process have databases on the same server.
    busy = (
        "SELECT 1 FROM pg_stat_activity"
        " WHERE state = 'idle in transaction' AND datname = current_database()"
    )

    async def none_is_held() -> bool:
        return not await stage.rows(busy)

    try:
        # A job may have one for a moment; what waits for a body would have it for as long.
        await until(none_is_held, within=5)
        assert (await ana.ask("GET", f"/cases/{case}")).status_code == 200
    finally:
        for writer in writers:
            writer.close()
    await asyncio.sleep(0.2)
    assert await stage.rows("SELECT id FROM case_documents") == []


async def test_what_a_camera_wrote_is_removed_unless_it_is_evidence_and_readers_are_told(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    page = await page_of(quiet, ana, f"/cases/{case}")
    assert "Remove what the camera or program wrote into the file (place, time, author)" in page
    assert "Keep the file exactly as it came, as evidence" in page
    removing = {"X-Document-Details": "remove"}
    added = await upload(ana, quiet, case, "bruise.jpg", jpeg(), **removing)
    assert added.status_code == 201, added.text
    got = await ana.ask("GET", f"/cases/{case}/documents/{added.json()['id']}")
    assert (WHO.encode() in jpeg(), WHO.encode() in got.content) == (True, False)
    page = await page_of(quiet, ana, f"/cases/{case}")
    assert "had written into it was removed." in " ".join(page.split())
    refused = await upload(ana, quiet, case, "a.pdf", PDF, **removing)
    assert refused.status_code == 422
    assert "choose to keep the file exactly as it came" in refused.json()["detail"]
    # By day each kind of file is cleaned in `tests/contacts/cases/test_details.py`.
    others = by_day([("told.mp3", mp3()), ("street.heic", heic())], 0)
    for name, sent in others:
        added = await upload(ana, quiet, case, name, sent, **removing)
        assert added.status_code == 201, added.text
        got = await ana.ask("GET", f"/cases/{case}/documents/{added.json()['id']}")
        assert (WHO.encode() in sent, WHO.encode() in got.content) == (True, False)
    kept = await upload(ana, quiet, case, "threat.jpg", jpeg())
    got = await ana.ask("GET", f"/cases/{case}/documents/{kept.json()['id']}")
    assert got.content == jpeg()
    page = await page_of(quiet, ana, f"/cases/{case}")
    assert "Kept exactly as it came, as evidence: ana," in " ".join(page.split())
    rows = await quiet.rows("SELECT id, details, staff_id FROM case_documents")
    assert sorted(row["details"] for row in rows) == ["kept", *["removed"] * (1 + len(others))]
    details = {str(row["id"]): row["details"] for row in rows}
    assert details[kept.json()["id"]] == "kept"
    assert {row["staff_id"] for row in rows} == {ana.id}
    wrong = await upload(ana, quiet, case, "a.jpg", jpeg(), **{"X-Document-Details": "both"})
    assert wrong.status_code == 422


async def test_who_reached_the_limit_is_told_and_an_administrator_sees_it(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    keeper = await quiet.add_counsellor("keeper", role=Role.ADMINISTRATOR, state=None)
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    object.__setattr__(quiet.settings, "documents_per_day", 1)
    assert (await upload(ana, quiet, case, "a.pdf", PDF)).status_code == 201
    refused = await upload(ana, quiet, case, "a.pdf", PDF)
    assert refused.status_code == 429
    assert "Add the file tomorrow, or ask a colleague" in refused.json()["detail"]
    note = await ana.ask("POST", f"/cases/{case}/notes", {"text": "He is at the door."})
    assert note.status_code == 204, note.text
    page = " ".join((await page_of(quiet, keeper, "/admin/people")).split())
    assert "<li>ana: documents in a day: 1," in page
    auditor = await quiet.add_counsellor("vera", role=Role.AUDITOR, state=None)
    page = await page_of(quiet, auditor, "/admin/log?action=document_limit_reached")
    assert "documents per day" in page


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a.pdf", "pdf"),
        ('a.p"d;f', "pdf"),
        ("a.p\r\nSet-Cookie: x", "pSetCook"),
        ("a.pdć", "pd"),
        ("a", "bin"),
    ],
)
def test_of_the_ending_of_a_file_letters_and_digits_are_left(name: str, ending: str) -> None:
    header = download(b"x", "application/pdf", name).headers["content-disposition"]
    assert header == f'attachment; filename="document.{ending}"'
