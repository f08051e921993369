"""Callers, voice messages, call-backs and live talks belong to teams: row by row, who may what."""

from datetime import timedelta
from typing import NamedTuple
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.calls import messages, queries
from app.calls.models import Call, VoiceMessage
from app.chats.left import left, scopes
from app.chats.models import ReturnCode
from app.contacts import contacts
from app.contacts.states import ContactChannel
from app.errors import NotFound
from app.routing.callbacks import callback_attempts, callbacks
from app.routing.callbacks.callback_rows import Callback, CallbackState
from app.routing.callbacks.callbacks import WhoAnswered
from app.routing.callbacks.choices import Who
from app.routing.participants import actions, calls_for_help, inviting, moving, supervising
from app.routing.participants.participants import Mode
from app.routing.supervision import supervised, team
from app.staff.models import Staff
from app.work import Work
from tests.support.verbs import (
    a_counsellor,
    a_supervisor,
    a_talk,
    a_waiting_call,
    an_administrator,
    rings,
)


class House(NamedTuple):
    """Two teams of a counsellor and a supervisor each, and an administrator."""

    ana: Staff
    nora: Staff
    boro: Staff
    sanja: Staff
    mila: Staff

    @property
    def with_calls(self) -> list[Staff]:
        return [self.ana, self.nora, self.boro, self.sanja]


@pytest.fixture
async def house(work: Work) -> House:
    ana, boro = await a_counsellor(work, "ana"), await a_counsellor(work, "boro")
    nora = await a_supervisor(work, "nora", in_team="north")
    sanja = await a_supervisor(work, "sanja", in_team="south")
    ana.team, boro.team = "north", "south"
    await work.session.flush()
    return House(ana, nora, boro, sanja, await an_administrator(work))


NORTH, SOUTH = {"ana", "nora"}, {"boro", "sanja"}


# -- numbers, flags and wishes of callers ------------------------------------------------------


async def a_call(work: Work, house: House, what: str) -> Call:
    if what == "no person took it":
        return await a_waiting_call(work)
    if what.endswith("voice message"):
        message = await a_message(work, house, what)
        return await work.session.get_one(Call, message.call_id)
    if "written message" in what:
        call = await a_call_of_ana_in_writing(work, house)
        if what.startswith("ana answered"):
            row = await work.session.get_one(ReturnCode, call.id)
            row.done_at, row.done_by = work.now, house.ana.id
            work.now = row.until_at + timedelta(seconds=1)
            await left.forget_codes(work)
        return call
    if what.endswith("call-back"):
        made = await a_callback(
            work, house, "asked for by key" if "key" in what else "agreed by ana"
        )
        await callback_attempts.queue_due(work)
        rung = await work.session.scalars(select(Call).where(Call.callback_id == made.id))
        return rung.one()
    call, _ = await a_talk(work, house.ana)
    if what == "its counsellor calls for help":
        await calls_for_help.call_for_help(work, house.ana, call)
        await work.session.flush()
    return call


async def a_call_of_ana_in_writing(work: Work, house: House) -> Call:
    call, _ = await rings(work)
    row = ReturnCode(
        call_id=call.id,
        code_key=bytes(32),
        made_at=work.now,
        until_at=work.now + timedelta(days=1),
        waits_since=work.now,
        owner_id=house.ana.id,
        taken_at=work.now,
    )
    work.session.add(row)
    await work.session.flush()
    return call


@pytest.mark.parametrize(
    ("what", "knows"),
    [
        ("ana took it", {"ana", "nora"}),
        ("no person took it", {"nora", "sanja"}),
        ("its counsellor calls for help", {"ana", "nora", "sanja"}),
        ("no person took its voice message", {"nora", "sanja"}),
        ("ana took its voice message", {"nora"}),
        ("ana took its written message", {"nora"}),
        ("ana answered its written message, and its code is over", {"nora"}),
        ("a key asked for its call-back", {"nora", "sanja"}),
        ("ana agreed its call-back", {"nora"}),
    ],
)
async def test_whose_caller_a_person_may_know(
    work: Work, house: House, what: str, knows: set[str]
) -> None:
    call = await a_call(work, house, what)
    for person in house:
        found = await work.session.scalar(scopes.known_callers(person).where(Call.id == call.id))
        assert (found is not None) == (person.name in knows), (person.name, what)


# -- voice messages ----------------------------------------------------------------------------


async def a_message(work: Work, house: House, what: str) -> VoiceMessage:
    call, _ = await rings(work)
    message = VoiceMessage(
        id=uuid4(),
        call_id=call.id,
        recording_sid="RE1",
        state="imported",
        created_at=work.now,
        audio_type="audio/mpeg",
    )
    message.audio_sealed = work.keys.seal(
        b"sound", table="voice_messages", column="audio_sealed", row=message.id
    )
    work.session.add(message)
    await work.session.flush()
    if what == "the program gave it to nora":
        message.owner_id = house.nora.id
    if what.startswith("ana took it"):
        await messages.take(work, house.ana, message.id)
    if what == "boro heard it":
        await messages.mark_heard(work, house.boro, message.id)
    if what == "ana took it and left":
        await messages.give_all(work, house.ana.id, house.sanja.id)
    await work.session.flush()
    return message


@pytest.mark.parametrize(
    ("what", "hears"),
    [
        ("no person has it", NORTH | SOUTH),
        ("the program gave it to nora", NORTH | SOUTH),
        ("ana took it", NORTH),
        ("boro heard it", SOUTH),
        ("ana took it and left", SOUTH),
    ],
)
async def test_only_its_people_list_and_hear_a_voice_message(
    work: Work, house: House, what: str, hears: set[str]
) -> None:
    message = await a_message(work, house, what)
    for person in house.with_calls:
        listed = await queries.open_messages(work, person.team)
        expected = person.name in hears and what != "boro heard it"
        assert bool(listed) == expected, (person.name, what)
        if person.name in hears:
            assert (await messages.open_message(work, person, message.id))[0] == b"sound"
            continue
        for act in (messages.open_message, messages.take, messages.mark_heard):
            with pytest.raises(NotFound):
                await act(work, person, message.id)
        with pytest.raises(NotFound):
            await contacts.create_contact(
                work, person, channel=ContactChannel.VOICE_MESSAGE, call_id=message.call_id
            )


# -- call-backs --------------------------------------------------------------------------------


async def a_callback(work: Work, house: House, what: str) -> Callback:
    call, _ = await a_talk(work, house.ana)
    window = (work.now, work.now + timedelta(hours=1))
    row = await callbacks.agree(work, call, Who.CALLER, window, safe=True)
    by, talked = {
        "asked for by key": (None, None),
        "agreed by ana": (house.ana, None),
        "asked for by key, and boro talked": (None, house.boro),
        "agreed by ana, and boro talked": (house.ana, house.boro),
    }[what]
    row.made_by = by.id if by else None
    if talked is not None:
        row.talked_by, row.state = talked.id, CallbackState.SPOKEN.value
    await work.session.flush()
    return row


@pytest.mark.parametrize(
    ("what", "sees"),
    [
        ("asked for by key", NORTH | SOUTH),
        ("agreed by ana", NORTH),
        ("asked for by key, and boro talked", SOUTH),
        ("agreed by ana, and boro talked", NORTH | SOUTH),
    ],
)
async def test_whose_call_back_a_person_sees_and_ends(
    work: Work, house: House, what: str, sees: set[str]
) -> None:
    row = await a_callback(work, house, what)
    for person in house.with_calls:
        listed = [one.id for one, _, _ in await callbacks.open_callbacks(work, person.team)]
        assert (listed == [row.id]) == (person.name in sees), (person.name, what)
        if person.name in sees:
            continue
        with pytest.raises(NotFound):
            await callbacks.cancel(work, person, row.id)
        with pytest.raises(NotFound):
            await callback_attempts.start_again(work, person, row.id)
        with pytest.raises(NotFound):
            await callback_attempts.say(work, person, row.id, WhoAnswered.REACHED)
    assert row.state in (CallbackState.AGREED, CallbackState.SPOKEN)
    by_name = {person.name: person for person in house.with_calls}
    last = by_name[sorted(sees)[-1]]
    if row.state == CallbackState.SPOKEN:
        await callback_attempts.say(work, last, row.id, WhoAnswered.REACHED)
        assert row.state == CallbackState.REACHED
    else:
        await callbacks.cancel(work, last, row.id)
        assert row.state == CallbackState.CANCELLED


async def test_a_call_back_that_was_given_up_starts_again_only_in_its_team(
    work: Work, house: House
) -> None:
    row = await a_callback(work, house, "agreed by ana")
    row.state = CallbackState.GIVEN_UP.value
    await work.session.flush()
    for stranger in (house.boro, house.sanja):
        with pytest.raises(NotFound):
            await callback_attempts.start_again(work, stranger, row.id)
    await callback_attempts.start_again(work, house.nora, row.id)
    assert row.state == CallbackState.AGREED


# -- live talks --------------------------------------------------------------------------------


async def test_a_supervisor_acts_on_no_talk_of_another_team(work: Work, house: House) -> None:
    call, _ = await a_talk(work, house.ana)
    third = await inviting.add_third_party(work, house.ana, call, "+38111300000", "police")
    assert [talk.call.id for talk in await supervised.live_talks(work, house.nora)] == [call.id]
    assert await supervised.live_talks(work, house.sanja) == []
    for mode in Mode:
        with pytest.raises(NotFound):
            await supervising.supervise(work, house.sanja, call, mode)
    with pytest.raises(NotFound):
        await moving.take_over(work, house.sanja, call.id)
    with pytest.raises(NotFound):
        await moving.move_talk(work, house.sanja, call.id, house.boro.id)
    with pytest.raises(NotFound):
        await team.end_talk(work, house.sanja, call.id)
    with pytest.raises(NotFound):
        await actions.drop(work, house.sanja, call, third.id)
    await actions.drop(work, house.nora, call, third.id)


async def test_who_moves_to_another_team_takes_the_rows_along(work: Work, house: House) -> None:
    message = await a_message(work, house, "ana took it")
    house.ana.team = "south"
    await work.session.flush()
    assert await messages.open_message(work, house.sanja, message.id)
    with pytest.raises(NotFound):
        await messages.open_message(work, house.nora, message.id)
