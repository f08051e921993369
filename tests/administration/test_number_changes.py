"""A changed number or account of a line is in force at once, and a second person takes it back."""

from datetime import timedelta

import pytest

from app.administration import leading_letters, line_changes, number_changes
from app.administration.line_changes import LinePart, TokenNotKept
from app.administration.number_changes import NumberChange, TooLate
from app.calls.lines import finding_lines, line_facts, lines
from app.calls.lines.leading import BACK_WITHIN, Leads
from app.calls.speech import LineScript
from app.calls.states import Channel
from app.chats import accounts, earlier_accounts
from app.chats.carrier_rows import AccountState
from app.errors import NotFound
from app.jobs.names import Task
from app.jobs.transaction import flush
from app.staff.accounts import actor_of
from app.staff.models import Staff
from app.work import Work
from tests.support.verbs import a_line, a_supervisor, an_administrator

MINE, THEIRS = "+381641234567", "+381111234567"
BOT, OTHER_BOT = "123456789:AAE" + "x" * 32, "987654321:AAE" + "y" * 32


async def _scene(work: Work) -> tuple[LineScript, Staff, Staff]:
    """A line, an administrator who acts, and a supervisor."""
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    await a_line(work)
    mila, vera = await an_administrator(work), await a_supervisor(work)
    for one in (mila, vera):
        one.email = f"{one.name}@x.example"
    await work.session.flush()
    work.actor = actor_of(mila)
    return await _line(work), mila, vera


async def _line(work: Work) -> LineScript:
    (row,) = await lines.lock_lines(work)
    return (await finding_lines.read_line(work, row.id))[1]


async def _listed(work: Work, reader: Staff) -> list[NumberChange]:
    await flush(work)
    return await number_changes.to_take_back(work, reader)


async def _now(work: Work, what: LinePart) -> object:
    row, line = await finding_lines.read_line(work, (await _line(work)).id)
    if what is LinePart.FACTS:
        return row.number
    if what is LinePart.NUMBERS:
        return (await finding_lines.numbers_behind(work, line), row.shown_number)
    found = {one: await accounts.account_of(work, line.id, one) for one in accounts.CARRIERS}
    return {one: accounts.token_of(work, row) for one, row in found.items() if row is not None}


async def _change(work: Work, what: LinePart, to: int) -> None:
    line = await _line(work)
    if what is LinePart.FACTS:
        # The number of before does not stay behind the line.
        await line_facts.change_facts(work, line, number=(THEIRS, MINE)[to], keeps_former=False)
    elif what is LinePart.NUMBERS:
        mine = (THEIRS, MINE)[to]
        await lines.change_numbers(work, line, leads_here=[mine], shown_number=mine)
    else:
        await accounts.set_token(work, line, Channel.SIGNAL, (THEIRS, MINE)[to])
        await accounts.set_token(work, line, Channel.TELEGRAM, (BOT, OTHER_BOT)[to])


@pytest.mark.parametrize("what", [LinePart.FACTS, LinePart.NUMBERS, LinePart.BOT])
async def test_a_changed_number_is_taken_back_by_a_second_person(
    work: Work, what: LinePart
) -> None:
    _, mila, vera = await _scene(work)
    await _change(work, what, 0)
    before = await _now(work, what)
    await _change(work, what, 1)
    assert await _now(work, what) != before, "it is in force at once"
    assert await _listed(work, mila) == [], "not by who changed it"
    number = 2 if what is LinePart.BOT else 1
    found = (await _listed(work, vera))[:number]
    assert [(one.line, one.change.part, one.change.by) for one in found] == [
        ("Plavi telefon", what, "mila")
    ] * number
    work.jobs.clear()
    work.actor = actor_of(vera)
    for one in found:
        assert one.until == work.now + BACK_WITHIN
        await number_changes.take_back(work, one.change.id)
    assert await _now(work, what) == before
    assert not {one.change.id for one in found} & {
        one.change.id for one in await _listed(work, vera)
    }
    for one in found:
        with pytest.raises(line_changes.ChangedSince):
            await number_changes.take_back(work, one.change.id)


async def test_it_can_be_taken_back_for_some_days_and_whatever_was_changed_since(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fewer are kept, so that fewer are more than are kept.
    assert lines.CHANGES_KEPT > 3
    monkeypatch.setattr(lines, "CHANGES_KEPT", 3)
    line, _mila, vera = await _scene(work)
    await _change(work, LinePart.NUMBERS, 0)
    first = (await _listed(work, vera))[0].change
    for one in range(lines.CHANGES_KEPT):
        await lines.change_numbers(
            work, line, leads_here=[MINE[:-2] + f"{one:02}"], shown_number=None
        )
    for _ in range(lines.CHANGES_KEPT):
        newest = (await _listed(work, vera))[0].change
        work.actor = actor_of(vera)
        await number_changes.take_back(work, newest.id)
    await number_changes.take_back(work, first.id)
    assert await _now(work, LinePart.NUMBERS) == ([], None)


async def test_what_is_old_or_no_number_is_not_taken_back_here(work: Work) -> None:
    line, _mila, vera = await _scene(work)
    await lines.rename(work, line, "Drugo ime")
    await line_facts.change_facts(work, line, country="HR")
    await flush(work)
    others = await line_changes.changes_of(work, line.id)
    assert await _listed(work, vera) == []
    for change in others:
        with pytest.raises(NotFound):
            await number_changes.take_back(work, change.id)
    await _change(work, LinePart.BOT, 0)
    await _change(work, LinePart.BOT, 1)
    found = await _listed(work, vera)
    assert len(found) == 2
    work.now += BACK_WITHIN
    assert len(await _listed(work, vera)) == 2
    work.now += timedelta(seconds=1)
    assert await _listed(work, vera) == []
    for one in found:
        with pytest.raises(TooLate):
            await number_changes.take_back(work, one.change.id)
    # The token of before is not kept any more, and an administrator is told so.
    assert await earlier_accounts.token_of(work, line.id, Channel.TELEGRAM, BOT[:9]) == BOT
    await earlier_accounts.forget_old(work)
    bot = next(
        one
        for one in await line_changes.changes_of(work, line.id)
        if one.carrier is Channel.TELEGRAM
    )
    assert isinstance(bot.why_not, TokenNotKept)


async def test_supervisors_are_told_that_they_can_take_it_back_and_of_an_account_that_is_removed(
    work: Work,
) -> None:
    line, mila, vera = await _scene(work)
    await _change(work, LinePart.BOT, 0)
    work.jobs.clear()
    await accounts.remove(work, line, Channel.TELEGRAM)
    (job,) = [one for one in work.jobs if one.task == Task.TELL_LEADS_ELSEWHERE]
    assert job.arguments["changed"] == ["messenger"]
    assert job.arguments["taken_back"]
    for said in (True, False):
        letter = await leading_letters.letter_of(
            work, vera.id, mila.id, work.now, line.id, [Leads.MESSENGER], taken_back=said
        )
        assert letter is not None
        assert ("You can take it back yourself until" in letter[2]) is said
    (removed, *_) = await _listed(work, vera)
    await number_changes.take_back(work, removed.change.id)
    assert (await _now(work, LinePart.BOT))[Channel.TELEGRAM] == BOT  # type: ignore[index]


async def test_a_bot_goes_back_to_the_last_token_that_its_carrier_took(work: Work) -> None:
    line, mila, vera = await _scene(work)

    async def set_token(token: str, state: AccountState) -> None:
        row = await accounts.set_token(work, line, Channel.TELEGRAM, token)
        await accounts.note(work, row.id, state)
        await work.session.refresh(row)

    async def bots(reader: Staff) -> list[int]:
        found = [one.change for one in await _listed(work, reader)]
        return [one.id for one in found if one.part is LinePart.BOT and one.before == one.after]

    newer = BOT[:-1] + "z"
    for token in (BOT, newer):
        await set_token(token, AccountState.REGISTERED)
    for end in "vw":
        await set_token(BOT[:-1] + end, AccountState.REFUSED)
    (newest,) = await bots(vera)
    work.actor = actor_of(vera)
    await number_changes.take_back(work, newest)
    assert await _now(work, LinePart.BOT) == {Channel.TELEGRAM: newer}
    await flush(work)
    with pytest.raises(line_changes.ChangedSince):
        await number_changes.take_back(work, newest)
    # Only a token that was never taken was lost by that: there is nothing to go back to.
    assert await bots(mila) == []
    work.actor = actor_of(mila)
    await set_token(newer, AccountState.REGISTERED)
    await set_token(BOT, AccountState.REFUSED)
    await set_token(OTHER_BOT, AccountState.REGISTERED)
    replaced = (await _listed(work, vera))[0].change
    work.actor = actor_of(vera)
    await number_changes.take_back(work, replaced.id)
    assert await _now(work, LinePart.BOT) == {Channel.TELEGRAM: newer}


@pytest.mark.parametrize("is_set_again", [False, True])
async def test_a_token_that_its_carrier_took_counts_also_while_the_carrier_is_away(
    work: Work, *, is_set_again: bool
) -> None:
    line, _mila, vera = await _scene(work)
    newer, wrong = BOT[:-1] + "z", BOT[:-1] + "w"

    async def set_token(token: str, *states: AccountState) -> None:
        row = await accounts.set_token(work, line, Channel.TELEGRAM, token)
        for state in states:
            await accounts.note(work, row.id, state)
        await work.session.refresh(row)

    await set_token(BOT, AccountState.REGISTERED)
    await set_token(newer, AccountState.REGISTERED, AccountState.WANTED)
    if is_set_again:
        await set_token(newer)
    await set_token(wrong, AccountState.REFUSED)
    change = (await _listed(work, vera))[0].change
    work.actor = actor_of(vera)
    await number_changes.take_back(work, change.id)
    assert await _now(work, LinePart.BOT) == {Channel.TELEGRAM: newer}
