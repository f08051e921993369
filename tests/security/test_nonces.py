"""Scripts and styles run in a page only with the nonce of its response, which is never used again.

That an address of this server is not enough is tried in `tests/browser/test_desk_by_mouse.py`.
"""

import re
from pathlib import Path

import httpx2

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.pages.nonces import nonce_in, policy_of, tags_in
from tests.support.profile import by_day
from tests.support.program.quiet import QuietStage

APP = Path(__file__).parent.parent.parent / "app"


async def _get(stage: Stage, path: str, **headers: str) -> httpx2.Response:
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return await stage.client.get(stage.settings.public_url + path, headers=said)


async def test_each_page_has_a_nonce_of_its_own_that_its_scripts_and_styles_carry(
    quiet: QuietStage,
) -> None:
    chief = await quiet.add_counsellor("chief", role=Role.SUPERVISOR, state=None, shift=False)
    cookie = {"Cookie": chief.cookie_header}
    admin = await quiet.add_counsellor("admin", role=Role.ADMINISTRATOR, state=None, shift=False)
    made = await admin.ask("POST", "/wallboards", {"name": "Wall"})
    assert made.status_code == 201, made.text
    wall = "/wall/" + made.json()["address"].rpartition("/")[2]
    seen: set[str] = set()
    for path, headers, status, least in (
        ("/login", {}, 200, 2),
        ("/", cookie, 200, 2),
        ("/contacts", cookie, 200, 2),
        # Not found, not valid, and a part of a page, which brings no script.
        ("/nowhere", cookie, 404, 2),
        ("/contacts/x", cookie, 422, 2),
        ("/board/counts", cookie | {"HX-Request": "true"}, 200, 0),
        # Without an account: the link of an agency, and a wallboard.
        ("/r/x", {}, 404, 1),
        (wall, {}, 200, 2),
        (f"{wall}/now", {}, 200, 0),
    ):
        for _ in range(2):
            answer = await _get(quiet, path, **headers)
            assert answer.status_code == status, path
            nonce = nonce_in(answer.headers["content-security-policy"])
            assert nonce not in seen, path
            seen.add(nonce)
            tags = tags_in(answer.text)
            assert set(tags) <= {nonce}, path
            assert len(tags) >= least if least else not tags, path
            # It stands in the tags alone, and no cache has a page that a later policy refuses.
            assert answer.text.count(nonce) == len(tags), path
            assert answer.headers["cache-control"] == "no-store", path
            assert not {"etag", "last-modified"} & set(answer.headers), path


async def test_what_is_no_page_has_no_nonce_also_when_it_is_confirmed(quiet: QuietStage) -> None:
    file = await _get(quiet, "/static/board.js")
    again = await _get(quiet, "/static/board.js", if_none_match=file.headers["etag"])
    assert (file.status_code, again.status_code) == (200, 304)
    # By night the description, which takes half a second, too.
    paths = by_day(("/service-worker.js", "/openapi.json"))
    others = [await _get(quiet, path) for path in paths]
    for answer in (file, again, *others):
        policy = policy_of(answer.headers["content-security-policy"])
        assert policy["script-src"] == policy["style-src"] == ["'none'"], answer.url


def test_no_template_writes_the_tag_of_a_script_or_style_itself() -> None:
    """Pages have them from `own_script` and `own_style`; that of a child has hashes of its own."""
    tag = re.compile(r"""<script\b(?! type="application/json")|<style\b|rel=["']?stylesheet""")
    files = [path for end in ("html", "py") for path in APP.rglob(f"*.{end}")]
    assert len(files) > 500
    found = {
        path.relative_to(APP).as_posix(): len(tags)
        for path in files
        if (tags := tag.findall(path.read_text()))
    }
    assert found == {
        "dashboard/templating.py": 2,
        "child/templates/frame.html": 1,
        "child/templates/chat.html": 1,
    }
