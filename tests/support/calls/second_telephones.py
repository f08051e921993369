"""The second telephone of a counsellor whose calls ring in a page."""

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.people import second_phone
from app.practice.people import Phone
from app.staff import phone_proofs
from app.staff.models import Staff
from app.work import PROGRAM

PHONE = "+381641111111"


async def has_a_telephone(stage: Stage, who: Counsellor, phone: Phone, *, proven: bool) -> None:
    """Give a counsellor at a browser a second telephone."""
    stage.exchange.phones[PHONE] = Phone(busy=True)
    async with transaction(stage.ground, PROGRAM) as work:
        await second_phone.choose(work, await work.session.get_one(Staff, who.id), PHONE)
    # Choosing it rings it once, for its proof.
    await stage.advance(6)
    if proven:
        await is_proven(stage, who)
    stage.exchange.phones[PHONE] = phone


async def is_proven(stage: Stage, who: Counsellor) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        await phone_proofs.pair(work, await work.session.get_one(Staff, who.id))
