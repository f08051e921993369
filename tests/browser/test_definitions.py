"""An administrator imports a folder, corrects it, looks at a form and puts it in force."""

from pathlib import Path

from playwright.async_api import Page, expect

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.browser import at
from tests.support.definitions.sets import with_short_form
from tests.support.profile import nightly


def _write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@nightly
async def test_a_folder_is_checked_looked_at_and_put_in_force(
    live: Stage, page: Page, tmp_path: Path
) -> None:
    mila = await live.add_counsellor("Mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    folder = tmp_path / "autumn"
    folder.mkdir()
    await at(page, live, mila, "/admin")
    await page.get_by_role("link", name="Definitions", exact=True).click()
    await expect(page.locator("#in-force")).to_contain_text("The files of the program")
    _write(folder, with_short_form(("cue: danger_now", "cue: <b>dangers</b>")))
    upload = page.get_by_label("Folder with the files")
    await upload.set_input_files(folder)
    await page.get_by_role("button", name="Check and import").click()
    row = page.locator("#problems tbody tr")
    await expect(row).to_have_count(1)
    await expect(row.locator("th")).to_have_text("form-brief.yaml")
    await expect(row.locator("td").first).to_have_text("16")
    asked_then = ("required_when: {field: note.danger", "shown_when: {field: note.danger")
    _write(folder, with_short_form(asked_then))
    await upload.set_input_files(folder)
    await page.get_by_role("button", name="Check and import").click()
    await expect(page.locator("h1")).to_have_text("autumn")
    # As counsellors see it: what is asked only after an answer is hidden at first.
    await page.locator("#previews a").first.click()
    await expect(page.locator("#preview")).to_contain_text("Nothing is saved.")
    await expect(page.get_by_label("Who rings")).to_be_visible()
    await page.get_by_label("Who rings").select_option("child")
    words, danger = page.get_by_label("What was said"), page.get_by_label("In danger now")
    await expect(words).to_be_hidden()
    await danger.select_option("yes")
    await expect(words).to_be_visible()
    await danger.select_option("no")
    await expect(words).to_be_hidden()
    await expect(page.get_by_label("Who rings")).to_have_value("child")
    assert await live.rows("SELECT FROM contacts") == []
    await page.go_back()
    put = page.get_by_role("button", name="Put in force")
    await put.click()
    await expect(page.locator("#set-notice")).to_contain_text("confirm that it is intended")
    await page.get_by_label("I have read what is marked").check()
    await put.click()
    await expect(page.locator("#in-force")).to_contain_text("autumn")
    await expect(page.locator("#parts")).to_contain_text("brief 2")
    await page.get_by_role("button", name="Take back").click()
    await expect(page.locator("#in-force")).to_contain_text("The files of the program")
    (order,) = await live.rows("SELECT taken_back_at, ordered_by FROM definition_orders")
    assert order["taken_back_at"] is not None
    assert order["ordered_by"] == mila.id
