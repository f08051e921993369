"""The invented agencies of the demo, and how their phones behave."""

from dataclasses import dataclass, replace

from app.database.topics import Topic
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.people import Phone
from app.referrals.directory.agencies import save_agency
from app.referrals.directory.entries import Entry
from app.referrals.directory.entries import Phone as DutyPhone
from app.work import PROGRAM


@dataclass(frozen=True)
class Invented:
    """An agency, with a phone on the exchange for each of its numbers."""

    code: str
    name: str
    sector: str
    services: tuple[str, ...]
    phones: tuple[Phone, ...]
    sms: bool = False
    mandated_for: tuple[str, ...] = ()

    @property
    def numbers(self) -> list[str]:
        first = 3_811_199_000_00 + 10 * [e.code for e in ENTRIES].index(self.code)
        return [f"+{first + n}" for n in range(len(self.phones) + self.sms)]


_NO_ANSWER, _MACHINE, _BUSY = Phone(picks_up=None), Phone(machine=True), Phone(busy=True)
_PERSON, _WRONG = Phone(picks_up=4.0), Phone(presses="3")

ENTRIES = (
    Invented(
        "safe-house",
        "Sigurna kuća (izmišljena)",
        "shelter",
        ("shelter",),
        (_NO_ANSWER, _MACHINE, _PERSON),
        sms=True,
        mandated_for=("shelter@RS-BG",),
    ),
    Invented(
        "centre",
        "Centar za socijalni rad (izmišljen)",
        "social_welfare",
        ("child_protection",),
        (_BUSY, _PERSON),
        sms=True,
        mandated_for=("child_protection@*",),
    ),
    Invented(
        "police",
        "Policija (izmišljena)",
        "police",
        ("police",),
        (_PERSON,),
        mandated_for=("police@*",),
    ),
    Invented(
        "team",
        "Mobilni tim (izmišljen)",
        "mobile_outreach",
        ("mobile_outreach", "family_support"),
        (_NO_ANSWER,),
    ),
    Invented(
        "other-team",
        "Drugi mobilni tim (izmišljen)",
        "mobile_outreach",
        ("mobile_outreach",),
        (_WRONG,),
        sms=True,
    ),
    Invented("on-call", "Dežurni supervizor", "own_house", ("supervisor_on_call",), (_PERSON,)),
)


async def furnish(stage: Stage) -> None:
    """Add the agencies to the directory, and their phones to the exchange."""
    for entry in ENTRIES:
        for number, phone in zip(entry.numbers, entry.phones, strict=False):
            stage.exchange.phones[number] = replace(phone, heard=[], texts=[])
        if entry.sms:
            stage.exchange.phones[entry.numbers[-1]] = Phone()
        made = Entry(
            code=entry.code,
            name=entry.name,
            sector=entry.sector,
            services=entry.services,
            languages=("sr", "en"),
            duty_phones=tuple(DutyPhone(n) for n in entry.numbers[: len(entry.phones)]),
            sms=entry.numbers[-1] if entry.sms else None,
            mandated_for=entry.mandated_for,
        )
        async with transaction(stage.ground, PROGRAM) as work:
            await save_agency(work, made)
    stage.ground.memory.forget(Topic.EVERYTHING)
