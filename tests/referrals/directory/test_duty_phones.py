"""The duty phones of an agency, as they are changed in the directory."""

from itertools import permutations

from app.referrals.directory.agencies import agency_of_code, save_agency
from app.referrals.directory.entries import Entry, Phone
from app.referrals.directory.phones import phones_of, set_phones
from app.work import Work
from tests.support.verbs import an_agency

NUMBERS = ("+381113000001", "+381113000002", "+381113000003")


async def test_phones_go_come_back_and_change_places(work: Work) -> None:
    await an_agency(work, "house")
    house = await agency_of_code(work, "house")
    for count in (1, 2, 3, 0):
        for numbers in permutations(NUMBERS, count):
            await set_phones(work, house, tuple(Phone(one) for one in numbers))
            there = await phones_of(work, house.id)
            assert [one.number for one in there] == list(numbers)


async def test_an_agency_is_saved_with_a_phone_that_it_had_before(work: Work) -> None:
    for number in (*NUMBERS, *NUMBERS):
        entry = Entry(
            code="house",
            name="House",
            sector="shelter",
            services=("shelter",),
            languages=("sr",),
            duty_phones=(Phone(number),),
        )
        house = await save_agency(work, entry)
        assert [one.number for one in await phones_of(work, house.id)] == [number]
