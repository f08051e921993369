"""What a carrier said of the account of a line is noted of the token of which it said that."""

import pytest

from app.calls.lines import finding_lines, lines
from app.calls.states import Channel
from app.chats import accounts
from app.chats.carrier_rows import AccountProblem, AccountState
from app.telephony.messaging.base import AtCarrier
from app.telephony.messaging.setting_up import note_tried
from app.work import Work
from tests.support.verbs import a_line

FORMER, NEWER = "123456789:AAE" + "x" * 32, "123456789:AAE" + "z" * 32


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        (AccountState.REGISTERED, None),
        (AccountState.REFUSED, AccountProblem.TOKEN),
        (AccountState.WANTED, AccountProblem.AWAY),
    ],
)
async def test_an_answer_about_the_token_from_before_is_none_about_a_newer_one(
    work: Work, state: AccountState, problem: AccountProblem | None
) -> None:
    await a_line(work)
    (one,) = await lines.lock_lines(work)
    _row, line = await finding_lines.read_line(work, one.id)
    tried = []
    for token in (FORMER, NEWER):
        row = await accounts.set_token(work, line, Channel.TELEGRAM, token)
        secret = accounts.secret_of(work, row)
        tried.append(AtCarrier(row.id, AccountState.REGISTERED, row.their_id, token, secret))
    await note_tried(work, tried[0], state, problem=problem)
    await work.session.refresh(row)
    assert (row.state, row.problem, row.taken_at) == (AccountState.WANTED, None, None)
    await note_tried(work, tried[1], state, name="helpline_bot", problem=problem)
    await work.session.refresh(row)
    assert (row.state, row.problem, row.name) == (state, problem, "helpline_bot")
    assert (row.taken_at is not None) == (state is AccountState.REGISTERED)
