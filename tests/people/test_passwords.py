"""What a new password must be, wherever it is chosen: by invitation, change, reset or command."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.errors import Invalid
from app.people import leaving, links
from app.staff import accounts, hashing, passwords
from app.staff.hashing import hash_password, is_of, password_is_right
from app.staff.models import EarlierPassword, Staff
from app.staff.password_rules import (
    REMEMBERED,
    OwnWords,
    UsedBefore,
    WeakPassword,
    check_password,
)
from app.staff.roles import Role
from app.work import Work
from tests.support.verbs import a_line, an_administrator

GOOD = "violet kettle under snow"


async def a_person(work: Work, name: str = "Marija Petrović") -> Staff:
    return await accounts.add_staff(
        work, name=name, role=Role.COUNSELLOR, email="zelena.sova@primer.example"
    )


@pytest.mark.parametrize(
    "password",
    [
        "password123",
        "qwertyuiop1",
        "1234567890a",
        "lozinka12345",
        "Beograd2024",
        "aaaaaaaaaaaaaaaa",
        "Passw0rd2026!",
    ],
)
async def test_a_common_password_is_refused(work: Work, password: str) -> None:
    person = await a_person(work)
    with pytest.raises(WeakPassword, match="more words"):
        await check_password(work, person, password)


@pytest.mark.parametrize(
    "password",
    [
        "MarijaPetrovic85",
        "petrović-marija",
        "zelena.sova@primer.example",
        "Plavi telefon 1!",
        "helpline-marija",
    ],
)
async def test_the_own_name_address_or_helpline_is_refused(work: Work, password: str) -> None:
    await a_line(work)
    person = await a_person(work)
    with pytest.raises(OwnWords, match="nothing to do"):
        await check_password(work, person, password)


async def test_a_name_inside_of_other_words_is_allowed(work: Work) -> None:
    await check_password(work, await a_person(work, "ana"), "banana split on the roof")
    await check_password(work, await a_person(work), "Марија воли зелене змајеве")
    await check_password(work, await a_person(work, "ivo"), GOOD)


async def test_a_password_that_cannot_be_typed_is_refused(work: Work) -> None:
    person = await a_person(work)
    for wrong, says in (("short", "10"), ("x y" * 100, "200"), ("violet kettle\tsnow", "tabs")):
        with pytest.raises(Invalid, match=says):
            await check_password(work, person, wrong)


async def test_none_of_the_last_passwords_is_chosen_again(work: Work) -> None:
    person = await a_person(work)
    chosen = [f"{GOOD} {word}" for word in ("one", "two", "three", "four", "five", "six")]
    for password in chosen:
        work.now += timedelta(days=1)
        await passwords.set_password(work, person, password)
    # SECURITY.md and rules.md say five.
    for password in chosen[-5:]:
        with pytest.raises(UsedBefore, match="did not use"):
            await passwords.set_password(work, person, password)
    assert await password_is_right(person, chosen[-1])
    await passwords.set_password(work, person, chosen[0])
    kept = await work.session.scalar(select(func.count()).select_from(EarlierPassword))
    assert kept == REMEMBERED == 5


async def test_a_person_who_comes_back_chooses_another_password(work: Work) -> None:
    mila, person = await an_administrator(work), await a_person(work)
    await passwords.set_password(work, person, GOOD)
    await leaving.deactivate(work, person.id, by=mila)
    await leaving.reactivate(work, person.id, by=mila)
    address = await links.make_link(work, person.id, by=mila, by_mail=False)
    assert address is not None
    token = address.partition("#")[2]
    with pytest.raises(UsedBefore):
        await links.choose_password(work, token, GOOD, "en")
    await links.choose_password(work, token, f"{GOOD} again", "en")


async def test_the_command_line_and_the_own_page_ask_the_same(work: Work) -> None:
    with pytest.raises(WeakPassword):
        await accounts.add_staff(work, name="Vera", role=Role.SUPERVISOR, password="welcome123")
    person = await a_person(work)
    await passwords.set_password(work, person, GOOD)
    with pytest.raises(WeakPassword):
        await passwords.change_own(work, person, GOOD, "password123", "a token")
    with pytest.raises(UsedBefore):
        await passwords.change_own(work, person, GOOD, GOOD, "a token")


async def test_what_proves_a_person_is_compared_in_threads_that_no_file_takes(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are read and checked could take every thread of the loop."""
    threads = list[str]()
    plain, marija = hashing.HASHER, await a_person(work)
    marija.password_hash = plain.hash(GOOD)

    class Seen:
        def hash(self, password: str) -> str:
            threads.append(threading.current_thread().name)
            return plain.hash(password)

        def verify(self, password: str, hashed: str) -> bool:
            threads.append(threading.current_thread().name)
            return plain.verify(password, hashed)

    monkeypatch.setattr(hashing, "HASHER", Seen())
    assert await is_of("482915", await hash_password("482915"))
    assert await password_is_right(marija, GOOD)
    assert len(threads) == 3
    assert {one.partition("_")[0] for one in threads} == {"passwords"}
