"""A file is added to a case in a real Chromium: its adder chooses what becomes of its details."""

from playwright.async_api import FilePayload, Page, expect

from app.demo.stage import Stage
from tests.support.browser import enter
from tests.support.documents.files import WHO, jpeg
from tests.support.profile import nightly

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"x" * 100


@nightly
async def test_details_are_removed_unless_the_file_is_kept_as_evidence(
    live: Stage, page: Page
) -> None:
    ana = await live.add_counsellor("ana", state=None)
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    await enter(page, live, ana, f"/cases/{case}")
    form = page.locator("form[data-upload]")
    remove = form.get_by_label("Remove what the camera or program wrote into the file")
    await expect(remove).to_be_checked()
    await form.locator("input[type=file]").set_input_files(
        FilePayload(name="bruise.jpg", mimeType="image/jpeg", buffer=jpeg())
    )
    await form.get_by_role("button", name="Add").click()
    added = page.get_by_role("listitem").filter(has_text="bruise.jpg")
    await expect(added).to_contain_text(
        "What the camera or program had written into it was removed."
    )
    # From a damaged file nothing can be removed: the page says so and asks.
    await form.locator("input[type=file]").set_input_files(
        FilePayload(name="threat.heic", mimeType="image/heic", buffer=HEIC)
    )
    await form.get_by_role("button", name="Add").click()
    await expect(page.locator("#problem")).to_contain_text("choose to keep the file exactly as it")
    await form.get_by_label("Keep the file exactly as it came, as evidence").check()
    await form.get_by_role("button", name="Add").click()
    kept = page.get_by_role("listitem").filter(has_text="threat.heic")
    await expect(kept).to_contain_text("Kept exactly as it came, as evidence: ana")
    rows = await live.rows("SELECT details FROM case_documents ORDER BY at")
    assert [row["details"] for row in rows] == ["removed", "kept"]
    for one in await live.rows("SELECT id FROM case_documents WHERE details = 'removed'"):
        got = await ana.ask("GET", f"/cases/{case}/documents/{one['id']}")
        assert WHO.encode() not in got.content
