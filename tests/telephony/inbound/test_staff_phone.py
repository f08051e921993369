"""A counsellor who rings the line changes their duty by key, once they have proven who they are."""

from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.jobs.names import Task
from app.routing import own_presence
from app.routing.models import PresenceState
from app.staff import phone_proofs
from app.staff.models import Staff
from app.telephony.answers import (
    Answer,
    DutyChoice,
    DutyMenu,
    DutyPin,
    DutyProof,
    DutyRefused,
    DutySet,
    Menu,
)
from app.telephony.inbound import staff_phone
from app.work import Work
from tests.support.calls.legs import deferred, told
from tests.support.verbs import a_counsellor, a_line, presence_of, rings

PHONE, PIN, OTHER = "+381649990001", "518204", "604915"
AVAILABLE = DutyChoice.AVAILABLE


async def off_duty_at_the_menu(work: Work) -> tuple[Staff, Call]:
    """Let a counsellor who is off duty ring the line."""
    await a_line(work)
    vera = await a_counsellor(work, "vera", PHONE)
    await own_presence.choose_presence_by_name(work, vera, "off_duty")
    call, answer = await rings(work, From=PHONE)
    assert answer == DutyMenu(n=1)
    return vera, call


async def enters(work: Work, call: Call, digits: str, attempt: int = 1) -> Answer:
    return await told(work, call, staff_phone.duty_proof(PHONE, AVAILABLE, digits, attempt))


async def test_the_number_that_a_call_shows_sets_no_duty(work: Work) -> None:
    vera, call = await off_duty_at_the_menu(work)
    answer = await told(work, call, staff_phone.duty_key(PHONE, "1"))
    assert answer == DutyProof(state=AVAILABLE, attempt=1, texted=True)
    assert deferred(work, Task.TEXT_PHONE_CODE) == 1
    assert (await presence_of(work, vera)).state == PresenceState.OFF_DUTY


async def test_any_other_is_a_caller_and_hears_the_menu(work: Work) -> None:
    _, call = await off_duty_at_the_menu(work)
    for number, digits in ((PHONE, None), (PHONE, "8"), ("+381649990002", "1")):
        assert await told(work, call, staff_phone.duty_key(number, digits)) == Menu()
    assert await told(work, call, staff_phone.duty_proof(PHONE, AVAILABLE, None, 1)) == Menu()


async def test_only_the_right_pin_sets_the_duty_and_the_third_wrong_one_is_the_last(
    work: Work,
) -> None:
    vera, call = await off_duty_at_the_menu(work)
    await phone_proofs.set_pin(work, vera, PIN)
    assert await enters(work, call, OTHER) == DutyProof(state=AVAILABLE, attempt=2)
    assert await enters(work, call, OTHER, 3) == DutyRefused()
    assert (await presence_of(work, vera)).state == PresenceState.OFF_DUTY
    assert await enters(work, call, PIN) == DutySet(state=AVAILABLE)
    assert (await presence_of(work, vera)).state == PresenceState.AVAILABLE
    assert await phone_proofs.is_proven(work, vera)
    line = await work.session.get(Line, call.line_id)
    assert line is not None
    assert line.practice, "no statistic counts it as a child's call"


async def test_a_pin_is_chosen_only_after_a_code_that_was_handed_over(work: Work) -> None:
    vera, call = await off_duty_at_the_menu(work)
    chooses = staff_phone.duty_pin(PHONE, AVAILABLE, PIN, 1)
    assert await told(work, call, chooses) == DutySet(state=AVAILABLE)
    proof = await phone_proofs.proof_of(work, vera.id)
    assert proof is None
    code = await phone_proofs.make_code(work, vera)
    assert await enters(work, call, code) == DutyPin(state=AVAILABLE, attempt=1)
    assert await told(work, call, chooses) == DutyPin(state=AVAILABLE, attempt=2, again=True)
    assert await told(work, call, chooses) == DutySet(state=AVAILABLE)
    proof = await phone_proofs.proof_of(work, vera.id)
    assert proof is not None
    assert proof.pin_hash is not None
