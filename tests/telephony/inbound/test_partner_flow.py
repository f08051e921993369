"""The partner's phone: a person there takes the caller by a key, or the caller is ours again."""

from datetime import timedelta

from app.calls.lines import finding_lines, lines
from app.calls.models import Call
from app.calls.states import CallState, EndedBy
from app.database.topics import Topic
from app.routing import changing_plans
from app.telephony.answers import Answer, Enqueue, HangUp, Message, Nothing, Partner, PartnerAsk
from app.telephony.inbound import arriving, partner_flow
from app.work import Work
from tests.support.calls.legs import told
from tests.support.verbs import a_counsellor, a_line, a_webhook, rings

THEIRS, OTHER = "+381113334446", "+381113334447"


async def partner_is(work: Work, number: str) -> None:
    """Let a line ring another partner from now on."""
    (row,) = await lines.lock_lines(work)
    row.plan = {**row.plan, "partner_number": number}
    await work.session.flush()
    work.ground.memory.forget(Topic.LINES)


async def a_caller_rung_through(work: Work) -> Call:
    """Let a caller ring while no counsellor is on duty, and the partner's phone ring for them."""
    await a_line(work)
    (row,) = await lines.lock_lines(work)
    _, line = await finding_lines.read_line(work, row.id)
    await changing_plans.change_plan(work, line, partner_number=THEIRS)
    await partner_is(work, THEIRS)
    call, _ = await rings(work)
    answer = await told(work, call, arriving.menu("1", 1, asked_again=False))
    assert isinstance(answer, Partner)
    return call


async def asked(work: Work, call: Call, attempt: int, digits: str = "") -> Answer:
    signed = a_webhook("CA_partner", To=THEIRS, Digits=digits)
    answer, _ = await partner_flow.partner_asked(work, call.id, signed, attempt)
    await work.session.flush()
    return answer


async def test_a_person_takes_the_caller_with_a_key_and_a_mailbox_does_not(work: Work) -> None:
    call = await a_caller_rung_through(work)
    assert await asked(work, call, 0, "1") == PartnerAsk(attempt=0), "a tone before the question"
    assert await asked(work, call, 1) == PartnerAsk(attempt=1)
    assert await asked(work, call, 2) == HangUp()
    assert call.transferred_at is None
    assert await asked(work, call, 3, "1") == Nothing()
    assert call.transferred_at == work.now


async def test_a_number_that_was_replaced_while_it_rang_gets_no_caller(work: Work) -> None:
    call = await a_caller_rung_through(work)
    await partner_is(work, OTHER)
    assert await asked(work, call, 1, "1") == HangUp()
    assert (call.transferred_at, call.partner_at) == (None, None)
    left = await told(work, call, partner_flow.partner_left(a_webhook()))
    assert isinstance(left, Partner), "the new one is rung at once"


async def test_only_the_partner_who_did_not_answer_rests(work: Work) -> None:
    call = await a_caller_rung_through(work)

    async def is_due() -> bool:
        assert call.line_id is not None
        _, line = await finding_lines.read_line(work, call.line_id)
        return await arriving.partner_is_due(work, call, line, at_once=True)

    work.now += timedelta(minutes=9)
    assert not await is_due()
    await partner_is(work, OTHER)
    assert await is_due(), "another one in its place has not been rung"
    await partner_is(work, "")
    assert not await is_due()
    await partner_is(work, THEIRS)
    work.now += timedelta(minutes=1)
    assert await is_due()


async def test_a_caller_whom_the_partner_did_not_keep_is_ours_again(work: Work) -> None:
    call = await a_caller_rung_through(work)
    work.now += timedelta(minutes=1)
    left = partner_flow.partner_left(a_webhook())
    assert isinstance(await told(work, call, left), Message), "the partner is not rung again"
    await a_counsellor(work, "ana")
    for topic in (Topic.PRESENCE, Topic.ROSTER):
        work.ground.memory.forget(topic)
    assert isinstance(await told(work, call, left), Enqueue)
    assert call.state == CallState.QUEUED


async def test_a_caller_who_hung_up_at_the_partner_is_gone(work: Work) -> None:
    call = await a_caller_rung_through(work)
    gone = partner_flow.partner_left(a_webhook(CallStatus="completed"))
    assert await told(work, call, gone) == Nothing()
    assert (call.state, call.ended_by) == (CallState.ENDED, EndedBy.CALLER)
