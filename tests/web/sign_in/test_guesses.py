"""Guesses are slowed down and refused, and keep out no person who has a right to come in."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Request, Response
from limits import RateLimitItemPerDay, RateLimitItemPerHour, RateLimitItemPerMinute

import app
from app.dashboard import agency_page
from app.demo.stage import Stage, stage_on
from app.errors import TooMany
from app.jobs.transaction import transaction
from app.people import links
from app.people.changing import Changes
from app.staff import accounts, hashing
from app.staff.roles import Role
from app.web.access import cookie_name
from app.web.limits import Limiter
from app.web.sign_in import guesses, known_browsers
from app.work import PROGRAM, Work
from tests.support.contacts import skip
from tests.support.identity.second_step import CREDENTIALS, a_person, browser, with_factor
from tests.support.mail import Mail
from tests.support.pages.nonces import nonce_in
from tests.support.program.quiet import QuietStage
from tests.support.referrals import click, sent_link
from tests.support.talks import waits
from tests.support.verbs import a_counsellor

APP = Path(app.__file__).parent

_RIGHT = "correct horse battery"


async def _account(stage: Stage, name: str) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        await accounts.add_staff(work, name=name, role=Role.COUNSELLOR, password=_RIGHT)


async def _sign_in(client: Any, stage: Stage, name: str, password: str, **headers: str) -> int:
    url = f"{stage.settings.public_url}/api/v1/session"
    body = {"username": name, "password": password}
    return int((await client.post(url, json=body, headers=headers)).status_code)


async def _no_pause(_: Limiter) -> None:
    """Take no time."""


async def test_guesses_keep_out_neither_known_browsers_nor_links_nor_calls(
    night: Stage, post: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert guesses.PER_ADDRESS.amount == agency_page.PER_ADDRESS.amount == 60
    # As many are too many as can be tried in a moment.
    monkeypatch.setattr(guesses, "PER_ADDRESS", RateLimitItemPerMinute(6))
    await _account(night, "mira")
    ana = await night.add_counsellor("ana")
    _, path = await sent_link(night, post, ana)
    async with browser(night) as known, browser(night) as other:
        assert await _sign_in(known, night, "mira", _RIGHT) == 200
        assert await _sign_in(known, night, "mira", _RIGHT) == 200
        marks = known.cookies.get("helpline_known") or ""
        assert marks.count("~") == 0, "the browser was known the second time"
        assert "mira" not in marks
        async with browser(night) as guesser:
            attempts = [await _sign_in(guesser, night, f"who{n}", "wrong") for n in range(7)]
            attempts += [await _sign_in(guesser, night, "mira", "wrong") for n in range(4)]
        assert attempts[0] == 401
        assert attempts[-1] == 429
        # From the same address, and for the account that is guessed at.
        assert await _sign_in(known, night, "mira", _RIGHT) == 200
        assert await _sign_in(other, night, "mira", _RIGHT) == 429, "a browser like any other"
        # A mark is for its account, and does not make guesses free.
        assert await _sign_in(known, night, "ana", "wrong") == 429
        answers = [await _sign_in(known, night, "mira", "wrong") for _ in range(10)]
        assert answers[-1] == 429
    monkeypatch.setattr(agency_page, "PER_ADDRESS", RateLimitItemPerMinute(5))
    for n in range(7):
        guessed = await click(night, f"/r/{n:043}")
    assert guessed.status_code == 429
    await _opens_however_often_if_it_is_urgent(night, path, monkeypatch)
    assert (await click(night, path + "/send-code", {"x": "y"})).status_code == 200
    await waits(night, from_="+381641110009")


async def _opens_however_often_if_it_is_urgent(
    stage: Stage, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that exists, also from the address of the guesses: slowed down, and then refused only
    if its referral is not urgent."""
    waits = _Waits(monkeypatch)
    monkeypatch.setattr(agency_page, "SLOW_LINK", RateLimitItemPerMinute(3))
    monkeypatch.setattr(agency_page, "PER_LINK", RateLimitItemPerMinute(5))
    answers = []
    for urgency in ("immediate", "urgent", "priority"):
        await stage.change_rows(f"UPDATE referrals SET urgency = '{urgency}'")
        answers.append([(await click(stage, path)).status_code for _ in range(6)])
    assert answers == [[200] * 6, [200] * 6, [200] * 5 + [429]]
    assert waits.count == 3 + 6 + 6


async def test_a_stolen_password_keeps_its_owner_out_of_no_known_browser_and_no_passkey(
    quiet: QuietStage, monkeypatch: Any
) -> None:
    monkeypatch.setattr(Limiter, "pause", _no_pause)
    assert guesses.CODES.amount == 30
    monkeypatch.setattr(guesses, "CODES", RateLimitItemPerHour(8))
    staff = await a_person(quiet)
    telephone = await with_factor(quiet, staff)
    async with browser(quiet) as own, browser(quiet) as thief:

        async def tried(client: Any, code: str) -> int:
            return int((await client.post("/api/v1/session", json=with_code(code))).status_code)

        def with_code(code: str) -> dict[str, str]:
            return {**CREDENTIALS, "code": code}

        assert await tried(own, telephone.at(quiet.clock.now())) == 200
        answers = []
        for _ in range(2):
            await skip(quiet, 61 / 3600)
            answers += [await tried(thief, "000000") for _ in range(5)]
        assert answers[0] == 401
        assert answers[-1] == 429
        # The owner goes on in the session, proves again who she is, and signs in anew.
        proof = {"proof": telephone.at(quiet.clock.now())}
        assert (await own.post("/api/v1/me/proof", json=proof)).status_code == 204
        await skip(quiet, 61 / 3600)
        assert await tried(own, telephone.at(quiet.clock.now())) == 200
        # A browser like any other waits; one that has the passkey is asked for it, and not refused.
        await skip(quiet, 61 / 3600)
        async with browser(quiet) as other:
            assert await tried(other, telephone.at(quiet.clock.now())) == 429
            begun = await other.post("/login", data={**CREDENTIALS, "next": "/"})
            assert begun.status_code == 303
            await thief.post("/login", data={**CREDENTIALS, "next": "/"})
            for _ in range(11):
                guess = await thief.post("/login/code", data={"code": "000000", "next": "/"})
            assert guess.status_code == 429
            answer = await other.post("/login/passkey", data={"credential": "{}"})
            assert answer.status_code == 401


_NEW_BROWSERS = "SELECT count(*) AS n FROM audit_entries WHERE action = 'new_browser'"
_FAILED = "SELECT count(*) AS n FROM audit_entries WHERE action = 'sign_in_failed'"


async def test_while_an_account_is_guessed_at_its_password_leads_to_its_second_factor(
    quiet: QuietStage, monkeypatch: Any
) -> None:
    monkeypatch.setattr(Limiter, "pause", _no_pause)
    assert guesses.COMPARED.amount == 1_000
    monkeypatch.setattr(guesses, "PER_ACCOUNT", RateLimitItemPerHour(3))
    monkeypatch.setattr(guesses, "COMPARED", RateLimitItemPerDay(7))
    staff = await a_person(quiet)
    telephone = await with_factor(quiet, staff)
    await _account(quiet, "mira")
    async with browser(quiet) as guesser, browser(quiet) as other:
        for name in ("vera", "mira", "who"):
            answers = [await _sign_in(guesser, quiet, name, "wrong") for _ in range(4)]
            assert answers == [401] * 3 + [429], "the same for each name"
        # Those over the limit stand in the log, too, once in a minute.
        await skip(quiet, 2 / 60)
        before = await quiet.rows(_FAILED)
        for name in ("vera", "vera", "who"):
            assert await _sign_in(guesser, quiet, name, "wrong again") == 429
        assert await quiet.rows(_FAILED) == [{"n": before[0]["n"] + 2}]
        # The limits of codes stand between: without one, the password opens nothing.
        assert await _sign_in(other, quiet, "vera", _RIGHT) == 401
        begun = await other.post("/login", data={**CREDENTIALS, "next": "/"})
        assert (begun.status_code, begun.headers["location"]) == (303, "/login/code")
        code = {"code": telephone.at(quiet.clock.now())}
        assert (await other.post("/api/v1/session", json=CREDENTIALS | code)).status_code == 200
        before = await quiet.rows(_FAILED)
        await skip(quiet, 2 / 60)
        for _ in range(2):
            assert await _sign_in(other, quiet, "mira", _RIGHT) == 429, "a password is all it has"
        assert await quiet.rows(_FAILED) == [{"n": before[0]["n"] + 1}], "it stands in the log, too"
        # They have a limit of a day. Then a browser is refused in which she never signed in.
        assert await _sign_in(guesser, quiet, "vera", "wrong") == 429
        assert await _sign_in(guesser, quiet, "vera", _RIGHT) == 429
        await skip(quiet, 1 / 60)
        code = {"code": telephone.at(quiet.clock.now())}
        assert (await other.post("/api/v1/session", json=CREDENTIALS | code)).status_code == 200


async def test_a_link_that_exists_is_counted_by_itself(quiet: QuietStage, post: Mail) -> None:
    async with transaction(quiet.ground, PROGRAM) as work:
        wanted = Changes(name="nova", role=Role.COUNSELLOR)
        _, link = await links.invite(work, wanted, by=None, by_mail=False)
    assert link is not None
    async with browser(quiet) as client:

        async def opened(token: str) -> Any:
            return await client.post("/welcome/open", data={"token": token})

        guessed = [(await opened(f"{n:043}")).status_code for n in range(32)]
        assert guessed[0] == 200
        assert guessed[-1] == 429
        # The same address: a night shift that is invited behind one router.
        right = await opened(link.partition("#")[2])
        assert right.status_code == 200
        assert "nova" in right.text


async def test_a_refused_sign_in_does_not_tell_whether_there_is_such_an_account(
    quiet: QuietStage, monkeypatch: Any
) -> None:
    await _account(quiet, "mira")
    await _account(quiet, "left")
    await _account(quiet, "invited")
    await quiet.rows("UPDATE staff SET active = false WHERE name = 'left' RETURNING id")
    await quiet.rows("UPDATE staff SET password_hash = NULL WHERE name = 'invited' RETURNING id")
    compared: list[str] = []

    class Counting:
        def hash(self, password: str) -> str:
            return plain.hash(password)

        def verify(self, password: str, hashed: str) -> bool:
            compared.append(hashed)
            return plain.verify(password, hashed)

    plain = hashing.HASHER
    hashing.hash_of_no_account()
    monkeypatch.setattr(hashing, "HASHER", Counting())
    monkeypatch.setattr(Limiter, "pause", _no_pause)
    base = quiet.settings.public_url
    for path in ("/api/v1/session", "/api/v1/session/passkey", "/login"):
        heard, costs = set(), set()
        # Right passwords of accounts that are closed, and a wrong one of each kind of name.
        for name, password in (
            ("mira", "wrong"),
            ("left", _RIGHT),
            ("left", "wrong"),
            ("invited", _RIGHT),
            ("nobody", "wrong"),
        ):
            body = {"username": name, "password": password}
            async with browser(quiet) as client:
                if path == "/login":
                    answer = await client.post(base + path, data=body, headers={"Origin": base})
                else:
                    answer = await client.post(base + path, json=body)
            text = answer.text.replace(name, "NAME")
            if path == "/login":
                # Made anew for each page.
                text = text.replace(nonce_in(answer.headers["content-security-policy"]), "")
            heard.add((answer.status_code, text, tuple(sorted(answer.headers))))
            # The same work: one comparison, with hashes of the same cost.
            costs.add(tuple(one.rsplit("$", 2)[0] for one in compared))
            compared.clear()
        assert len(heard) == 1, (path, [one[0] for one in heard])
        assert len(costs) == 1, (path, costs)
        assert len(next(iter(costs))) == 1, path


async def test_a_known_browser_has_a_limit_of_an_hour_and_is_let_in_again_after_it(
    quiet: QuietStage, monkeypatch: Any
) -> None:
    async def pause(_: Limiter) -> None:
        """Take no time."""

    monkeypatch.setattr(Limiter, "pause", pause)
    # Checking a wrong password takes a while; here it is about how many are checked.
    monkeypatch.setattr(guesses, "PER_ACCOUNT", RateLimitItemPerHour(20))
    await _account(quiet, "dora")
    async with browser(quiet) as known:
        assert await _sign_in(known, quiet, "dora", _RIGHT) == 200
        for _ in range(2):
            attempts = [await _sign_in(known, quiet, "dora", "wrong") for _ in range(12)]
            assert attempts == [401] * 10 + [429] * 2
            quiet.stepped.move_to(quiet.clock.now() + timedelta(seconds=61))
        # What is refused is not counted, and nothing is learned by it.
        assert await _sign_in(known, quiet, "dora", "wrong") == 429
        assert await _sign_in(known, quiet, "dora", _RIGHT) == 429
        quiet.stepped.move_to(quiet.clock.now() + timedelta(hours=1))
        assert await _sign_in(known, quiet, "dora", _RIGHT) == 200
        mark = known.cookies["helpline_known"]
    # It stays known when the account is renamed, and by a mark of the name alone, as it was before.
    earlier = mark.rpartition(".")[0]
    async with browser(quiet) as known:
        assert (
            await _sign_in(known, quiet, "dora", _RIGHT, Cookie=f"helpline_known={earlier}") == 200
        )
        assert known.cookies["helpline_known"] == mark
        await quiet.rows("UPDATE staff SET name = 'dora mae' WHERE name = 'dora' RETURNING id")
        assert await _sign_in(known, quiet, "dora mae", _RIGHT) == 200
        renamed = known.cookies["helpline_known"]
    assert renamed.count("~") == 0
    assert renamed.split(".")[::2] == mark.split(".")[::2]
    assert renamed != mark, "guesses at the new name do not keep it out"
    assert await quiet.rows(_NEW_BROWSERS) == [{"n": 1}]
    # The mark of an account is of no other that gets its name.
    await _account(quiet, "dora")
    async with browser(quiet) as other:
        assert await _sign_in(other, quiet, "dora", _RIGHT, Cookie=f"helpline_known={mark}") == 200
    assert await quiet.rows(_NEW_BROWSERS) == [{"n": 2}]


async def test_each_client_behind_a_trusted_proxy_is_counted_by_itself(
    database: str, anyio_backend: str
) -> None:
    for trusted in ("127.0.0.1", ""):
        async with stage_on(database, trusted_proxies=trusted) as stage:
            name = f"vera{trusted[:1]}"
            await _account(stage, name)
            async with browser(stage) as guesser:
                for n in range(14):
                    # What a client itself says about its address is not believed.
                    said = f"203.0.113.{n}, 198.51.100.7"
                    status = await _sign_in(guesser, stage, name, "x", **{"X-Forwarded-For": said})
            assert status == 429
            async with browser(stage) as other:
                elsewhere = {"X-Forwarded-For": "198.51.100.8"}
                status = await _sign_in(other, stage, name, _RIGHT, **elsewhere)
            assert status == (200 if trusted else 429)


async def test_too_many_are_slowed_down_and_a_flood_of_them_does_not_pile_up(
    quiet: QuietStage, monkeypatch: Any
) -> None:
    waited: list[str] = []

    async def pause(_: Limiter) -> None:
        waited.append("a moment")

    monkeypatch.setattr(Limiter, "pause", pause)
    limiter, three = Limiter(quiet.ground), RateLimitItemPerMinute(3)
    for _ in range(5):
        await limiter.slow_down(three, "ana")
    assert len(waited) == 2
    monkeypatch.setattr(Limiter, "slowed", 64)
    await limiter.slow_down(three, "ana")
    assert len(waited) == 2


async def test_guesses_at_many_names_slow_all_sign_ins_down_and_keep_no_person_out(
    quiet: QuietStage, monkeypatch: Any
) -> None:
    slowed: list[str] = []

    async def pause(_: Limiter) -> None:
        slowed.append("a moment")

    monkeypatch.setattr(Limiter, "pause", pause)
    assert guesses.SLOW_ALL.amount == 120
    monkeypatch.setattr(guesses, "SLOW_ALL", RateLimitItemPerMinute(3))
    await _account(quiet, "mira")
    async with browser(quiet) as guesser:
        answers = [await _sign_in(guesser, quiet, f"who{n}", "wrong") for n in range(5)]
    assert (answers, len(slowed)) == ([401] * 5, 2), "no name is tried twice"
    async with browser(quiet) as other:
        assert await _sign_in(other, quiet, "mira", _RIGHT) == 200
    assert len(slowed) == 3


async def test_no_cookie_is_longer_than_browsers_keep(work: Work) -> None:
    state = SimpleNamespace(ground=work.ground)
    name = cookie_name(work.settings, known_browsers.KNOWN)
    # As many people as there are, and whatever a client has put there itself.
    kept = "~".join(["x" * 5_000, *("y" * 100 for _ in range(50))])
    for n in range(20):
        staff = await a_counsellor(work, f"person {n}")
        headers = [(b"cookie", f"{name}={kept}".encode())]
        request = Request({"type": "http", "headers": headers, "app": SimpleNamespace(state=state)})
        answer = Response()
        known_browsers.remember_browser(request, answer, staff)
        header = answer.headers["set-cookie"]
        assert len(header) < 1_500
        kept = header.split(";")[0].split("=", 1)[1].strip('"')
        assert kept.count("~") <= 7
    # The others hold one token or a word that the program knows; a new place says how long it is.
    found = {
        path.relative_to(APP).as_posix()
        for path in APP.rglob("*.py")
        if path.relative_to(APP).parts[0] not in ("demo", "practice")
        if ".set_cookie(" in path.read_text()
    }
    assert found == {
        "dashboard/agency_page.py",
        "dashboard/languages.py",
        "web/access.py",
        "web/sign_in/known_browsers.py",
        "web/sign_in/provider_sign_in.py",
    }


def _asked_from(stage: Stage, address: str) -> Request:
    """A request of a browser that is not known."""
    state = SimpleNamespace(ground=stage.ground, limiter=Limiter(stage.ground))
    scope = {"type": "http", "headers": [], "client": (address, 1)}
    return Request({**scope, "app": SimpleNamespace(state=state)})


class _Waits:
    """Counts the moments for which requests are asked to wait."""

    def __init__(self, monkeypatch: Any) -> None:
        self.count = 0

        async def pause(_: Limiter) -> None:
            self.count += 1

        monkeypatch.setattr(Limiter, "pause", pause)


async def test_guesses_of_an_address_at_many_names_are_slowed_down_before_they_are_refused(
    quiet: QuietStage, monkeypatch: Any
) -> None:
    waits = _Waits(monkeypatch)
    request = _asked_from(quiet, "198.51.100.7")
    counted = []
    for n in range(60):
        await guesses.limit_guesses(request, f"who{n}")
        counted.append(waits.count)
    assert counted == [0] * 30 + [*range(1, 31)]
    with pytest.raises(TooMany):
        await guesses.limit_guesses(request, "who60")
    # Another address waits for nothing.
    before = waits.count
    await guesses.limit_guesses(_asked_from(quiet, "198.51.100.8"), "who61")
    assert waits.count == before


async def test_guesses_at_an_account_from_many_addresses_are_slowed_down_before_they_are_refused(
    quiet: QuietStage, monkeypatch: Any
) -> None:
    waits = _Waits(monkeypatch)
    assert (guesses.PER_ACCOUNT.amount, guesses.SLOW_ACCOUNT.amount) == (100, 50)
    monkeypatch.setattr(guesses, "PER_ACCOUNT", RateLimitItemPerHour(8))
    monkeypatch.setattr(guesses, "SLOW_ACCOUNT", RateLimitItemPerHour(4))
    counted = []
    for n in range(8):
        await guesses.limit_guesses(_asked_from(quiet, f"198.51.100.{n}"), "mira")
        counted.append(waits.count)
        # As many as can be tried in an hour, never five in a minute.
        quiet.stepped.move_to(quiet.clock.now() + timedelta(seconds=35))
    assert counted == [0] * 4 + [*range(1, 5)]
    # One address does not use up what is compared beyond that in a day: it alone is refused.
    monkeypatch.setattr(guesses, "COMPARED", RateLimitItemPerDay(24))
    refused = 0
    for _ in range(30):
        try:
            await guesses.limit_guesses(_asked_from(quiet, "198.51.100.7"), "mira")
        except TooMany:
            refused += 1
    assert not await guesses.limit_guesses(_asked_from(quiet, "198.51.100.200"), "mira")
    assert refused == 10


async def test_own_passwords_and_codes_are_slowed_down_before_they_are_refused(
    quiet: QuietStage, monkeypatch: Any
) -> None:
    await a_person(quiet)
    waits = _Waits(monkeypatch)
    async with browser(quiet) as page:
        assert (await page.post("/api/v1/session", json=CREDENTIALS)).status_code == 200
        answers = []
        for _ in range(11):
            tried = await page.post("/api/v1/me/proof", json={"proof": "wrong"})
            answers.append((tried.status_code, waits.count))
    assert answers == [
        *((422, 0) for _ in range(5)),
        *((422, n) for n in range(1, 6)),
        (429, 6),
    ]


async def test_codes_of_an_account_are_slowed_down_before_they_are_refused(
    quiet: QuietStage, monkeypatch: Any
) -> None:
    waits = _Waits(monkeypatch)
    assert (guesses.CODES.amount, guesses.SLOW_CODES.amount) == (30, 15)
    monkeypatch.setattr(guesses, "CODES", RateLimitItemPerHour(6))
    monkeypatch.setattr(guesses, "SLOW_CODES", RateLimitItemPerHour(3))
    request, counted = _asked_from(quiet, "198.51.100.7"), []
    for _ in range(6):
        await guesses.count_code(request, "own", "mira")
        counted.append(waits.count)
        quiet.stepped.move_to(quiet.clock.now() + timedelta(minutes=1))
    assert counted == [0] * 3 + [*range(1, 4)]
    with pytest.raises(TooMany):
        await guesses.count_code(request, "own", "mira")
