"""The children of the scripted hour who text: by SMS, to the same counsellors as at the page."""

import random
from dataclasses import dataclass
from typing import Any

from app.demo.beats import look_again
from app.demo.lengths import HOUR, Length
from app.demo.stage import LINE, Stage
from app.practice.people import Phone

# With these words a child ends; the counsellor says goodbye and ends the conversation.
GOODBYE = "Hvala, moram da idem"
# Seconds between two looks at the phone, and how long a child waits for the next answer.
_LOOKS_EVERY, _PATIENCE = 6, 420


@dataclass(frozen=True)
class Texts:
    """A child who texts: when it begins (in seconds), and how many texts it writes in a talk."""

    begins_at: float
    number: str
    texts: int


def texters(seed: int, length: Length = HOUR) -> list[Texts]:
    """Return the children who text, the last of them when the counsellors have gone."""
    dice = random.Random(seed + 2000)
    times = range(length.texters)
    at = [length.texted_from + length.texted_apart * n + dice.uniform(0, 200) for n in times]
    found = [
        Texts(begins_at, f"+38164777000{n}", dice.randrange(1, 4)) for n, begins_at in enumerate(at)
    ]
    return [*found, Texts(length.seconds - 300, "+381647770009", 0)]


async def text_in(stage: Stage, child: Texts, beat: int | None) -> None:
    """Let a child text, and answer what it reads, until it has said what it wanted."""
    clock, texts = stage.clock, stage.exchange.texts
    await clock.sleep(child.begins_at)
    phone = stage.exchange.phones.setdefault(child.number, Phone())
    texts.write(child.number, LINE, "Mogu li da pišem?")
    said = seen = waited = 0
    while said < child.texts and waited < _PATIENCE:
        await look_again(clock, _LOOKS_EVERY, beat)
        waited += _LOOKS_EVERY
        if len(phone.texts) > seen:
            seen, waited, said = len(phone.texts), 0, said + 1
            texts.write(child.number, LINE, f"Poruka broj {said}")
    if child.texts:
        await clock.sleep(_LOOKS_EVERY)
        texts.write(child.number, LINE, GOODBYE)


async def lost_texts(stage: Stage) -> list[str]:
    """Return whether a text of a child was kept twice, or not at all."""
    written = len(stage.exchange.texts.came)
    (row,) = await stage.rows(
        "SELECT count(*) AS n FROM chat_messages m JOIN calls c ON c.id = m.call_id"
        " WHERE c.channel = 'sms' AND m.author = 'child'"
    )
    if row["n"] == written:
        return []
    return [f"10: children texted {written} times, and {row['n']} texts are kept"]


async def count_texts(stage: Stage) -> dict[str, Any]:
    """Return how many of the written conversations were by SMS."""
    (row,) = await stage.rows(
        "SELECT count(*) AS texts, count(*) FILTER (WHERE outcome = 'answered') AS texts_answered"
        " FROM calls WHERE channel = 'sms'"
    )
    return row
