"""An escalation goes on with what is known, while the keeper of the keys is away or a referral is
damaged."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from app.api.urgent.referral_views import referral_row
from app.jobs.names import Task
from app.privacy.keeper.client import KeeperAway
from app.referrals import reading
from app.referrals.channels.models import Attempt
from app.referrals.consent import consenting
from app.referrals.consent.consenting import Agreed, given_of
from app.referrals.consent.rules import ConsentKind, GivenBy, How, Scope
from app.referrals.directory.agencies import save_agency
from app.referrals.directory.entries import Entry, Phone
from app.referrals.escalation.results import note_result
from app.referrals.escalation.trying import escalate_on
from app.referrals.models import Referral
from app.referrals.opening.from_call import refer_urgently
from app.referrals.opening.opening import take_facts
from app.referrals.reading import ReferralsWanted
from app.referrals.replies import replying
from app.referrals.services import seal_for_what
from app.referrals.states import AttemptResult, RecipientState, RejectionReason, Service
from app.referrals.trail import By, Via
from app.work import Work
from tests.support.verbs import a_contact, a_line, a_referral, a_supervisor, a_talk, recipient_of

PHONES = ("+381113000001", "+381113000002")
SECOND, SUPERVISOR, DIRECTOR = "+381113000003", "+381113000004", "+381113000005"
SOON = timedelta(seconds=5)


async def _agency(work: Work, code: str, service: str, *phones: str) -> None:
    sector = "shelter" if service == "shelter" else "own_house"
    numbers = tuple(Phone(number) for number in phones)
    await save_agency(work, Entry(code, code.title(), sector, (service,), duty_phones=numbers))


async def _rung(work: Work) -> list[str]:
    await work.session.flush()
    return list(await work.session.scalars(select(Attempt.target).order_by(Attempt.number)))


def _changed(sealed: bytes) -> bytes:
    return sealed[:-1] + bytes([sealed[-1] ^ 1])


def _seal_changed(work: Work, consent_id: UUID, services: Iterable[str]) -> dict[str, bytes]:
    sealed = seal_for_what(work, consent_id, services)
    return {**sealed, "for_what_sealed": _changed(sealed["for_what_sealed"])}


async def _not_answered(work: Work, referral: Referral) -> None:
    """The phone that rings now rings for a minute, and no person answers."""
    last = await work.session.scalar(select(Attempt).order_by(Attempt.number.desc()).limit(1))
    assert last is not None
    work.now += timedelta(seconds=60)
    await note_result(work, referral, last, AttemptResult.NO_ANSWER)


async def _asks_again(work: Work, referral: Referral) -> None:
    """Take the turn that is due within a few seconds."""
    assert referral.escalates_at is not None
    assert work.now < referral.escalates_at <= work.now + SOON
    work.now = referral.escalates_at
    await escalate_on(work, referral)


async def test_phones_that_are_known_are_rung_while_the_keeper_is_away(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_line(work)
    boss = await a_supervisor(work)
    await _agency(work, "house", "shelter", *PHONES)
    await _agency(work, "own", "supervisor_on_call", SUPERVISOR)
    await _agency(work, "top", "director_on_call", DIRECTOR)
    referral = await a_referral(work, boss)
    await _agency(work, "second", "shelter", SECOND)
    (line,) = await reading.referrals(work, boss, ReferralsWanted())
    assert line.service == "shelter"

    def away(*_: object) -> list[bytes]:
        raise KeeperAway()

    with monkeypatch.context() as gone:
        gone.setattr(work.keys, "open_together", away)
        work.opened_codes.clear()
        await escalate_on(work, referral)
        assert await _rung(work) == [*PHONES]
        # The agency that is next is not known: our own people are rung meanwhile, one by one.
        await _not_answered(work, referral)
        await _asks_again(work, referral)
        assert await _rung(work) == [*PHONES, SUPERVISOR]
        await _not_answered(work, referral)
        assert await _rung(work) == [*PHONES, SUPERVISOR, DIRECTOR]
        await _not_answered(work, referral)
        while len(await _rung(work)) == 4:
            await _asks_again(work, referral)
        assert referral.escalation_round == 1
        assert (await _rung(work))[4:] == [PHONES[0]], "they go round for as long as it is away"
        await _not_answered(work, referral)
        await _not_answered(work, referral)
        assert (await _rung(work))[4:] == [*PHONES, SUPERVISOR]
        # The lists are there without the service.
        (line,) = await reading.referrals(work, boss, ReferralsWanted())
        assert line.service == ""
        assert referral_row(line).service is None
    await _asks_again(work, referral)
    assert (await _rung(work))[7:] == [SECOND], "it is rung while ours still rings"
    ours = select(Attempt).where(Attempt.target == SUPERVISOR).order_by(Attempt.number.desc())
    ring = await work.session.scalar(ours.limit(1))
    assert ring is not None
    ended = [job for job in work.jobs if job.task == Task.END_DUTY_LEG]
    assert str(ring.id) not in [job.arguments.get("attempt_id") for job in ended]
    assert ring.ended_at is None
    await _not_answered(work, referral)
    assert (await _rung(work))[8:] == [DIRECTOR], "no phone is rung twice in a round"
    monkeypatch.setattr(work.keys, "open_together", away)
    work.opened_codes.clear()
    # A rejection counts at once.
    recipient = await recipient_of(work, referral)
    by = By(Via.PHONE, "second")
    await replying.reject(work, referral, recipient, RejectionReason.NO_CAPACITY, by)
    assert recipient.state == RecipientState.REJECTED
    assert referral.escalates_at is not None
    assert referral.escalates_at > work.now


async def test_services_that_cannot_be_opened_hold_up_no_person(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = await a_supervisor(work)
    call, _ = await a_talk(work, boss)
    await _agency(work, "house", "shelter", *PHONES)
    await _agency(work, "own", "supervisor_on_call", SUPERVISOR)
    damaged = await refer_urgently(work, boss, call.id, Service.SHELTER, place=None, warm=False)
    whole = await a_referral(work, boss)
    # One child: what was said of the damaged one is asked for the others, too.
    contact = await a_contact(work, boss)
    damaged.contact_id = whole.contact_id = contact.id
    named = Agreed(GivenBy.CHILD, How.SPOKEN, (Scope.SERVICES,), for_what=(Service.HEALTH,))
    with monkeypatch.context() as changing:
        changing.setattr(consenting, "seal_for_what", _seal_changed)
        await consenting.record_consent(work, damaged, named, By(Via.BY_HAND))
    damaged.services_sealed = _changed(damaged.services_sealed)
    work.opened_codes.clear()
    with capture_logs() as told:
        # The lists are there, and only its own service is missing.
        lines = await reading.referrals(work, boss, ReferralsWanted())
    services = {one.referral.id: referral_row(one).service for one in lines}
    assert services == {damaged.id: None, whole.id: "shelter"}
    # It is noticed, without words.
    (line,) = told
    assert (line["log_level"], line["code"]) == ("error", str(damaged.id))
    given = await given_of(work, whole)
    assert given is not None
    assert given.kind == ConsentKind.OVERRIDE
    # It may be for another service: better one referral too many.
    again = await refer_urgently(work, boss, call.id, Service.SHELTER, place=None, warm=False)
    assert again.id != damaged.id
    assert again.state == "sent"
    # A form that is saved keeps its facts, and the phones of its agency and our people are rung.
    await take_facts(work, damaged)
    for _ in range(2):
        last = await work.session.scalar(
            select(Attempt).where(Attempt.referral_id == damaged.id).order_by(Attempt.number.desc())
        )
        assert last is not None
        work.now += timedelta(seconds=70)
        await note_result(work, damaged, last, AttemptResult.NO_ANSWER)
    rung = select(Attempt.target).where(Attempt.referral_id == damaged.id).order_by(Attempt.number)
    assert list(await work.session.scalars(rung)) == [*PHONES, SUPERVISOR]
