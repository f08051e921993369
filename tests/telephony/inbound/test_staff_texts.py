"""A text to a counsellor who has only a phone is sent at most once, whatever becomes of its job."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.dialling.models import Dial
from app.outbox.responses import Refused, TryAgain, Uncertain
from app.staff import phone_proofs
from app.staff.models import Staff
from app.telephony.inbound.staff_texts import tell_missed, text_phone_code
from app.work import Work
from tests.support.calls.text_provider import Killed, TextProvider
from tests.support.verbs import a_counsellor, a_line, presence_of

PHONE = "+38164999001"


async def missed(work: Work) -> Staff:
    await a_line(work)
    vera = await a_counsellor(work, "vera", PHONE)
    (await presence_of(work, vera)).warned_at = work.now
    return vera


@pytest.mark.parametrize("end", [None, Refused, Uncertain, Killed])
async def test_another_run_of_the_job_sends_no_second_text(
    work: Work, end: type[BaseException] | None
) -> None:
    vera, provider = await missed(work), TextProvider(work, end, None)
    try:
        await provider.run(tell_missed, vera)
    except Killed:
        assert end is Killed
    await provider.run(tell_missed, vera, 1)
    assert [text.split(":")[0] for text in provider.texts] == [PHONE]
    assert await work.session.scalar(select(func.count()).select_from(Dial)) == 1


@pytest.mark.parametrize("job", [tell_missed, text_phone_code])
async def test_a_text_that_was_certainly_not_sent_is_sent_by_the_next_run(
    work: Work, job: Any
) -> None:
    vera, provider = await missed(work), TextProvider(work, TryAgain, None)
    with pytest.raises(TryAgain):
        await provider.run(job, vera)
    await provider.run(job, vera, 1)
    assert len(provider.texts) == 1
    # The first code was taken back: the one that was sent counts.
    if job is text_phone_code:
        code = provider.texts[0].split("code is ")[1][: phone_proofs.DIGITS]
        assert await phone_proofs.prove(work, vera, code) is phone_proofs.EntryResult.RIGHT


@pytest.mark.parametrize("job", [tell_missed, text_phone_code])
async def test_a_text_that_is_not_sent_takes_no_code_away_that_was_given_since(
    work: Work, job: Any
) -> None:
    vera, provider = await missed(work), TextProvider(work, TryAgain)
    send, given = provider.send_message, list[str]()

    async def answered_meanwhile(**text: Any) -> str:
        # She texts, and gets a code with the answer.
        work.now += timedelta(minutes=5)
        given.append(await phone_proofs.text_code(work, vera, None) or "")
        return await send(**text)

    provider.send_message = answered_meanwhile  # type: ignore[method-assign]
    with pytest.raises(TryAgain):
        await provider.run(job, vera)
    assert await phone_proofs.prove(work, vera, given[0]) is phone_proofs.EntryResult.RIGHT


async def test_a_code_that_comes_too_late_is_not_texted_any_more(work: Work) -> None:
    vera, provider = await missed(work), TextProvider(work, TryAgain)
    await provider.run(text_phone_code, vera, 8)
    assert provider.texts == []
