"""New passwords are compared with leaked ones: in a real file, and by a real service."""

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.demo.served import Served, free_port
from app.jobs.transaction import transaction
from app.people import leaked as service
from app.people import links
from app.people.leaked import State
from app.staff import accounts, leaked
from app.staff.leaked import LeakedPassword
from app.staff.password_rules import check_password
from app.staff.roles import Role
from app.work import PROGRAM, Work
from tests.support.program.quiet import QuietStage

LEAKED, GOOD = "violet kettle under snow", "copper lantern beside a river"


def written(folder: Path, hashes: list[str], end: str = "\r\n") -> Path:
    file = folder / "hashes.txt"
    file.write_bytes("".join(f"{one}:{7}{end}" for one in sorted(hashes)).encode())
    return file


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_each_hash_of_a_file_is_found_and_no_other(tmp_path: Path, end: str) -> None:
    dice = random.Random(4)
    hashes = [f"{dice.getrandbits(160):040X}" for _ in range(700)]
    for number in (1, 2, 3, 700):
        file = written(tmp_path, hashes[:number], end)
        assert all(leaked.stands_in(file, one) for one in hashes[:number])
        assert leaked.stands_in(file, hashes[0].lower())
        others = [f"{dice.getrandbits(160):040X}" for _ in range(300)]
        for other in (*others, "0" * 40, "F" * 40):
            assert not leaked.stands_in(file, other)
    assert not leaked.stands_in(written(tmp_path, []), hashes[0])


def test_of_a_large_file_a_few_lines_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, [f"{n:040X}" for n in range(0, 60_000, 2)])
    lines: list[bytes] = []
    read = leaked.read_line

    def counted(line: bytes) -> tuple[bytes, int]:
        lines.append(line)
        return read(line)

    monkeypatch.setattr(leaked, "read_line", counted)
    assert leaked.stands_in(file, f"{31_416:040X}")
    assert not leaked.stands_in(file, f"{31_417:040X}")
    assert len(lines) < 60


def test_a_hash_that_was_seen_never_is_none_and_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "hashes.txt"
    file.write_bytes(b"A" * 40 + b":0\n")
    assert not leaked.stands_in(file, "A" * 40)
    file.write_bytes(b"a list of words\nof another kind\n")
    with pytest.raises(OSError, match="HASH:COUNT"):
        leaked.stands_in(file, "A" * 40)


async def test_a_password_of_the_file_is_refused_wherever_it_is_chosen(
    work: Work, tmp_path: Path
) -> None:
    person = await accounts.add_staff(work, name="Marija", role=Role.COUNSELLOR)
    await check_password(work, person, LEAKED)
    file = written(tmp_path, [leaked.sha1_of(LEAKED), leaked.sha1_of("another one")])
    work.settings.leaked_passwords = str(file)
    with pytest.raises(LeakedPassword, match="published in a leak"):
        await check_password(work, person, LEAKED)
    await check_password(work, person, GOOD)
    assert await service.state_of(work.ground) is State.WELL
    # The file is gone: the program's own lists decide, and readiness says so.
    file.unlink()
    await check_password(work, person, LEAKED)
    assert await service.state_of(work.ground) is State.UNREADABLE
    work.settings.leaked_passwords = "without"
    assert await service.state_of(work.ground) is State.WITHOUT


class Service:
    """A service for ranges of hashes, which pads its answers."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/range/"
        self.asked: list[str] = []
        self.padding: list[str] = []
        self.body: str | None = None
        self.known = {leaked.sha1_of(LEAKED)}
        self.app = Starlette(routes=[Route("/{path:path}", self._answer)])

    async def _answer(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        self.padding.append(request.headers.get("add-padding", ""))
        prefix = request.path_params["path"].removeprefix("range/")
        lines = [f"{one[5:]}:3" for one in self.known if one.startswith(prefix)]
        # Padding is of hashes that no person chose; this one even looks like a good password.
        lines += [f"{leaked.sha1_of(GOOD)[5:]}:0", f"{'0' * 34}1:2"]
        body = "\r\n".join(lines) if self.body is None else self.body
        return PlainTextResponse(body)


@pytest.fixture
async def known(anyio_backend: str) -> AsyncIterator[Service]:
    made = Service()
    served = Served(made.app, made.port)
    await served.start()
    yield made
    await served.stop()


async def test_a_service_is_told_five_characters_and_decides(work: Work, known: Service) -> None:
    person = await accounts.add_staff(work, name="Marija", role=Role.COUNSELLOR)
    work.settings.leaked_passwords, work.settings.reach_own_network = known.url, True
    for password in (LEAKED, GOOD):
        await service.ask_aside(work.ground, password)
    with pytest.raises(LeakedPassword):
        await check_password(work, person, LEAKED)
    await check_password(work, person, GOOD)
    assert known.asked == [f"/range/{leaked.sha1_of(one)[:5]}" for one in (LEAKED, GOOD)]
    assert known.padding == ["true", "true"]
    assert await service.state_of(work.ground) is State.WELL
    assert len(known.asked) == 2, "what was just asked needs no other question"


@pytest.mark.parametrize("body", ["", "<html>", "0" * 600_000])
async def test_an_answer_that_is_none_is_none(work: Work, known: Service, body: str) -> None:
    person = await accounts.add_staff(work, name="Marija", role=Role.COUNSELLOR)
    work.settings.leaked_passwords, work.settings.reach_own_network = known.url, True
    known.body = body
    await service.ask_aside(work.ground, LEAKED)
    await check_password(work, person, LEAKED)
    assert await service.state_of(work.ground) is State.AWAY


async def test_a_service_inside_is_never_asked(work: Work, known: Service) -> None:
    work.settings.leaked_passwords, work.settings.reach_own_network = known.url, False
    await service.ask_aside(work.ground, LEAKED)
    assert known.asked == []
    assert await service.state_of(work.ground) is State.AWAY


async def test_a_person_chooses_another_password_also_while_the_service_is_away(
    quiet: QuietStage, known: Service
) -> None:
    quiet.settings.leaked_passwords, quiet.settings.reach_own_network = known.url, True
    ana = await quiet.add_counsellor("ana", state=None)
    async with transaction(quiet.ground, PROGRAM) as work:
        link = await links.make_link(work, ana.id, by=None, by_mail=False)
    base = quiet.settings.public_url
    form = {"token": str(link).rpartition("#")[2], "language": "en"}
    refused = await quiet.client.post(
        f"{base}/welcome/choose", data={**form, "password": LEAKED, "again": LEAKED}
    )
    assert "published in a leak" in refused.text
    assert 'id="choose-password"' in refused.text, "the form stays"
    chosen = await quiet.client.post(
        f"{base}/welcome/choose", data={**form, "password": GOOD, "again": GOOD}
    )
    assert "Your password is set." in chosen.text
    ready = (await quiet.client.get(f"{base}/readyz")).json()
    assert ready["leaked_passwords"] == "well"

    await ana.sign_in()
    wanted = {"present": GOOD, "new": LEAKED}
    answer = await ana.ask("PUT", "/me/password", wanted)
    assert (answer.status_code, answer.json()["error"]) == (422, "LeakedPassword")
    page = await quiet.client.post(
        f"{base}/account/password",
        data={**wanted, "again": LEAKED},
        headers={"Cookie": ana.cookie_header},
    )
    assert "published in a leak" in page.text
    known.body = "not today"
    quiet.stepped.move_to(quiet.clock.now() + timedelta(seconds=180))
    weak = await ana.ask("PUT", "/me/password", {"present": GOOD, "new": "password123"})
    assert weak.json()["error"] == "WeakPassword", "the program's own lists decide"
    ready = (await quiet.client.get(f"{base}/readyz")).json()
    assert ready["leaked_passwords"] == "away"
    assert (await ana.ask("PUT", "/me/password", wanted)).status_code == 204
    assert not [path for path in known.asked if len(path) != len("/range/12345")]
