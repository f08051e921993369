"""A phone of a counsellor that is not proven takes a call, or joins a talk, with the PIN alone."""

import pytest
from sqlalchemy import select

from app.routing.models import Offer, OfferState
from app.routing.participants import inviting
from app.routing.participants.participants import Participant
from app.staff import phone_proofs
from app.staff.hashing import hash_password
from app.staff.models import Staff
from app.telephony import script
from app.telephony.answers import Answer, AskParticipant, JoinParticipant, Whisper
from app.telephony.counsellor import counsellor_flow
from app.telephony.participants import participant_flow
from app.telephony.script import Scene
from app.telephony.steps import Ask, Say
from app.words import pages
from app.words.without_codes import ONLY_A_PIN
from app.work import Work
from tests.support.verbs import a_counsellor, a_talk, a_waiting_call, a_webhook, offered

PIN, PASSWORD = "258036", "correct horse battery"


@pytest.fixture
async def vera(work: Work) -> Staff:
    """A counsellor at a phone that is not proven, with a PIN."""
    vera = await a_counsellor(work, "vera", endpoint="+38164999001")
    vera.password_hash = await hash_password(PASSWORD)
    await work.session.flush()
    await phone_proofs.set_own_pin(work, vera, PASSWORD, PIN, "")
    return vera


@pytest.fixture
async def offer(work: Work, vera: Staff) -> Offer:
    (offer,) = await offered(work, await a_waiting_call(work), vera)
    return offer


async def test_key_1_is_not_enough_and_the_pin_takes_the_call_and_proves_the_phone(
    work: Work, vera: Staff, offer: Offer
) -> None:
    rung = a_webhook("CA9")
    asked, _ = await counsellor_flow.whisper(work, offer.id, rung)
    assert asked == Whisper(attempt=0, again=False, proof=True)
    pressed = a_webhook("CA9", Digits="1")
    asked, _ = await counsellor_flow.take(work, offer.id, pressed, 1)
    assert asked == Whisper(attempt=1, again=False, proof=True)
    assert offer.state == OfferState.OPEN
    assert not await phone_proofs.is_paired(work, vera)
    await counsellor_flow.take(work, offer.id, a_webhook("CA9", Digits=PIN), 2)
    assert offer.state == OfferState.ACCEPTED
    assert await phone_proofs.is_paired(work, vera)


async def test_a_pin_that_does_not_count_is_not_asked_for_and_its_counsellor_hears_why(
    work: Work, offer: Offer
) -> None:
    work.settings.codes_by_telephone = False
    told, scene = await counsellor_flow.whisper(work, offer.id, a_webhook("CA9"))
    assert isinstance(told, Whisper)
    assert told.only_a_pin
    _is_said_why(told, scene)
    # No key was pressed: it counts as missed.
    await counsellor_flow.take(work, offer.id, a_webhook("CA9"), told.attempt + 1)
    assert offer.released_at is not None


def _is_said_why(told: Answer, scene: Scene | None) -> None:
    assert scene is not None
    with pages.spoken_in("sr"):
        said = pages.said(ONLY_A_PIN)
    steps = script.steps_for(told, scene)
    assert [step.text for step in steps if isinstance(step, Say)] == [said]
    assert not any(isinstance(step, Ask) for step in steps), "no key is waited for"


@pytest.fixture
async def asked(work: Work, vera: Staff) -> Participant:
    """The counsellor at the phone that is not proven, asked into a talk."""
    ana = await a_counsellor(work, "ana")
    call, _ = await a_talk(work, ana)
    await inviting.transfer(work, ana, call, staff_id=vera.id)
    (asked,) = (await work.session.scalars(select(Participant))).all()
    return asked


async def test_a_colleague_joins_a_talk_by_the_pin_and_not_by_key_1(
    work: Work, vera: Staff, asked: Participant
) -> None:
    told, _ = await participant_flow.lifted(work, asked.id, a_webhook("CA9"))
    assert isinstance(told, AskParticipant)
    pressed = a_webhook("CA9", Digits="1")
    told, _ = await participant_flow.pressed(work, asked.id, pressed, told.attempt + 1)
    assert isinstance(told, AskParticipant)
    assert asked.left_at is None
    assert not await phone_proofs.is_paired(work, vera)
    pressed = a_webhook("CA9", Digits=PIN)
    told, _ = await participant_flow.pressed(work, asked.id, pressed, told.attempt + 1)
    assert isinstance(told, JoinParticipant)
    assert await phone_proofs.is_paired(work, vera)


async def test_a_colleague_whose_pin_does_not_count_hears_so_and_joins_no_talk(
    work: Work, asked: Participant
) -> None:
    work.settings.codes_by_telephone = False
    told, scene = await participant_flow.lifted(work, asked.id, a_webhook("CA9"))
    assert isinstance(told, AskParticipant)
    assert told.only_a_pin
    _is_said_why(told, scene)
    pressed = a_webhook("CA9", Digits=PIN)
    await participant_flow.pressed(work, asked.id, pressed, told.attempt + 1)
    assert asked.left_at is not None
    assert asked.joined_at is None
