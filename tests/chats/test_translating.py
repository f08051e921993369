"""An engine of the helpline's own translates for the counsellor of a conversation alone."""

from typing import Any

import pytest

from app.chats import messages, reading, translating
from app.errors import Invalid
from app.outbox.translation.base import NoTranslation, Why
from app.outbox.translation.libre import Libre
from app.words import pages
from app.work import Work
from tests.support.calls.conversations import a_chat_line, a_child, a_key, a_writer, matched, takes
from tests.support.calls.engine import KEY, engine


async def test_the_engine_is_asked_as_it_wants_to_be_and_its_answers_are_not_trusted(
    anyio_backend: str,
) -> None:
    async with engine() as stand_in:
        libre = Libre(stand_in.url + "/", KEY, 0.3)
        assert await libre.translate(["abc", "<b>"], "sr", "en") == ["sr>en CBA", "sr>en >B<"]
        wrong: list[tuple[Any, Why]] = [
            ((500, {"error": "x"}), Why.AWAY),
            ((200, "no json"), Why.AWAY),
            ((200, {"translatedText": "one text"}), Why.AWAY),
            ((200, {"translatedText": ["only one"]}), Why.AWAY),
            ((200, {"translatedText": ["x" * 5000, "y"]}), Why.AWAY),
            ((302, {}), Why.AWAY),
            ((429, {"error": "Slowdown"}), Why.AWAY),
        ]
        for stand_in.instead, why in wrong:
            with pytest.raises(NoTranslation) as caught:
                await libre.translate(["abc", "d"], "sr", "en")
            assert caught.value.why is why
        stand_in.instead = None
        with pytest.raises(NoTranslation, match="languages"):
            await libre.translate(["abc"], "rom", "en")
        with pytest.raises(NoTranslation, match="key"):
            await Libre(stand_in.url, None, 0.3).translate(["abc"], "sr", "en")
        stand_in.slow = 1.0
        with pytest.raises(NoTranslation, match="away"):
            await libre.translate(["abc"], "sr", "en")
    with pytest.raises(NoTranslation, match="away"):
        await libre.translate(["abc"], "sr", "en")


async def test_only_its_counsellor_has_a_conversation_translated(work: Work) -> None:
    line = await a_chat_line(work)
    ana, vera = await a_writer(work, "ana"), await a_writer(work, "vera")
    call = await a_child(work, line)
    offer = (await matched(work))[0]
    await takes(work, offer)
    holder, other = (ana, vera) if offer.counsellor_id == ana.id else (vera, ana)
    await messages.say_as_child(work, call.id, text="Bojim se", client_key=a_key())
    await work.session.flush()
    last = (await reading.all_of(work, call.id))[-1].number
    pages.speak("en")
    with pytest.raises(translating.NoEngine):
        await translating.of_messages(work, holder, call.id, {last})
    async with engine() as stand_in:
        work.ground.settings.translation_url = stand_in.url
        work.ground.settings.translation_key = KEY
        for asks in (
            translating.of_messages(work, other, call.id, {last}),
            translating.of_draft(work, other, call.id, "Zdravo"),
        ):
            with pytest.raises(reading.NotYours):
                await asks
        for numbers in (set[int](), set(range(1, 50))):
            with pytest.raises(Invalid):
                await translating.of_messages(work, holder, call.id, numbers)
        assert stand_in.asked == []
        work.let_go = _nothing  # type: ignore[method-assign]
        found = await translating.of_messages(work, holder, call.id, {1, last, 39})
        assert found == [(last, "sr>en ES MIJOB")], "what the program says is in her words already"
        assert await translating.of_draft(work, holder, call.id, " I am here ") == (
            "en>sr EREH MA I"
        )
        pages.speak("sr")
        assert await translating.of_draft(work, holder, call.id, "Tu sam") == "Tu sam"
        assert len(stand_in.asked) == 2
        # One language in two scripts: the engine knows the one, the counsellor reads the other.
        pages.speak("sr-Cyrl")
        assert await translating.of_messages(work, holder, call.id, {last}) == [(last, "Bojim se")]
        call.language = "en"
        await work.session.flush()
        assert await translating.of_messages(work, holder, call.id, {last}) == [
            (last, "ен>ср ES MIJOB")
        ]
        assert await translating.of_draft(work, holder, call.id, "Ту сам") == "sr>en МАС УТ"


async def _nothing() -> None:
    """The work of a test is rolled back, so it is not committed before the engine is asked."""
