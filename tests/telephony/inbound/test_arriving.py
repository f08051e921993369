"""What a caller hears first, and where the key of the menu leads."""

from typing import Any

from sqlalchemy import func, select

from app.calls import delivery_keys
from app.calls.models import Call
from app.calls.states import CallState
from app.routing.plan import DANGER_PRIORITY
from app.telephony.answers import Answer, DutyMenu, Enqueue, Menu, Nothing
from app.telephony.inbound import arriving
from app.telephony.inbound.deciding import decide
from app.work import Work
from tests.support.verbs import a_counsellor, a_line, a_webhook, rings


async def presses(work: Work, call: Call, digits: str | None, attempt: int = 1) -> Answer:
    signed = a_webhook(call.provider_sid or "", **({"Digits": digits} if digits else {}))
    decision = arriving.menu(digits, attempt, asked_again=False)
    key = delivery_keys.menu(call.id, attempt, again=False)
    answer, _ = await decide(work, call.id, signed, key, decision)
    return answer


async def calls(work: Work) -> Any:
    return await work.session.scalar(select(func.count()).select_from(Call))


async def test_a_caller_hears_the_menu_and_the_ring_is_a_record(work: Work) -> None:
    await a_line(work)
    call, answer = await rings(work)
    assert answer == Menu()
    assert (call.state, call.language, call.danger) == (CallState.GREETING, None, False)


async def test_a_webhook_that_comes_twice_is_one_record_and_one_answer(work: Work) -> None:
    await a_line(work)
    first, answer = await rings(work, CallStatus="ringing")
    second, again = await rings(work, CallStatus="ringing")
    assert (second.id, again) == (first.id, answer)
    assert await calls(work) == 1


async def test_without_any_line_a_ring_is_still_a_record(work: Work) -> None:
    call, answer = await rings(work)
    assert answer == Nothing()
    assert (call.state, call.line_id) == (CallState.GREETING, None)


async def test_a_counsellor_who_rings_the_line_hears_the_menu_of_duty(work: Work) -> None:
    await a_line(work)
    await a_counsellor(work, "vera", "+381649990001")
    _, answer = await rings(work, From="+381649990001")
    assert answer == DutyMenu(n=1)


async def test_a_language_leads_into_the_queue(work: Work) -> None:
    await a_line(work)
    await a_counsellor(work, "ana")
    call, _ = await rings(work)
    assert isinstance(await presses(work, call, "2"), Enqueue)
    assert (call.state, call.language, call.danger) == (CallState.QUEUED, "en", False)


async def test_the_danger_digit_leads_to_the_front_of_the_queue(work: Work) -> None:
    await a_line(work)
    await a_counsellor(work, "ana")
    call, _ = await rings(work)
    assert isinstance(await presses(work, call, "9"), Enqueue)
    assert (call.danger, call.priority) == (True, DANGER_PRIORITY)
    assert call.language == "sr", "the first language of the line"


async def test_a_wrong_digit_is_asked_again_and_silence_leads_on(work: Work) -> None:
    await a_line(work)
    await a_counsellor(work, "ana")
    call, _ = await rings(work)
    assert await presses(work, call, "7") == Menu(attempt=1)
    assert call.state == CallState.GREETING
    assert isinstance(await presses(work, call, None, 2), Enqueue)


async def test_with_no_counsellor_on_duty_no_caller_is_queued(work: Work) -> None:
    await a_line(work)
    call, _ = await rings(work)
    answer = await presses(work, call, "1")
    assert not isinstance(answer, Enqueue)
    assert call.unstaffed == "out_of_hours"
    assert call.state != CallState.QUEUED
