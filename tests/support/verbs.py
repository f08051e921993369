"""What tests of single verbs need: a helpline of one line, its counsellors, and one referral.

The verbs run on a real PostgreSQL, in the one transaction of the test, which is rolled back.
"""

from dataclasses import replace
from typing import Any

from sqlalchemy import func, select

from app.calls import record
from app.calls.delivery_keys import DeliveryKey
from app.calls.lines.lines import add_line
from app.calls.models import Call
from app.calls.record import WebhookDelivery
from app.contacts import contacts
from app.contacts.models import Contact
from app.contacts.states import ContactChannel
from app.definitions.risk import Urgency
from app.demo.stage import LINE, Stage
from app.jobs.transaction import send_rows, transaction
from app.referrals.consent.consenting import Override
from app.referrals.consent.grounds import Basis
from app.referrals.directory.agencies import save_agency
from app.referrals.directory.entries import Entry, Phone
from app.referrals.models import Recipient, Referral
from app.referrals.opening.opening import Wish, refer
from app.referrals.opening.sending import send
from app.referrals.scopes import lock_referral
from app.referrals.states import ForWhom, NoticeKind, OpenedHow, Service
from app.referrals.trail import By, Via, add_notice
from app.routing import offers, own_presence, presence, telephones
from app.routing.models import Offer, OfferState, Presence, TelephoneState
from app.routing.rota.roster import add_shift
from app.staff import accounts
from app.staff.accounts import actor_of
from app.staff.models import Staff, StaffSession
from app.staff.roles import Role
from app.telephony.answers import Answer, Enqueue
from app.telephony.inbound import arriving
from app.telephony.provider.signature import Signed
from app.work import PROGRAM, Work


async def a_line(work: Work, number: str = LINE) -> None:
    """Add a line with Serbian on key 1 and English on key 2."""
    await add_line(
        work,
        number=number,
        name="Plavi telefon",
        country="RS",
        languages=["sr", "en"],
        timezone="Europe/Belgrade",
    )


async def a_counsellor(work: Work, name: str, endpoint: str = "browser") -> Staff:
    """Add a counsellor who is on shift all day and available."""
    staff = await accounts.add_staff(work, name=name, role=Role.COUNSELLOR, endpoint=endpoint)
    await add_shift(work, staff, recurrence=None)
    await own_presence.choose_presence_by_name(work, staff, "available")
    if endpoint == "browser":
        await telephones.claim(work, staff, "stage:1")
        await telephones.report(work, staff, "stage:1", TelephoneState.READY)
    return staff


def a_webhook(sid: str = "CA1", **fields: str) -> Signed:
    """Return a signed request of the provider about a caller's leg."""
    known = {"CallSid": sid, "From": "+381641234567", "To": LINE, "CallStatus": "in-progress"}
    return Signed({**known, **fields}, "/telephony/voice")


async def rings(work: Work, sid: str = "CA1", **fields: str) -> tuple[Call, Answer]:
    """Let a caller ring. Return the call and what the caller hears first."""
    answer, _ = await arriving.ring(work, a_webhook(sid, **fields))
    call = await work.session.scalar(select(Call).where(Call.provider_sid == sid))
    assert call is not None
    return call, answer


async def offered(work: Work, call: Call, *staff: Staff) -> list[Offer]:
    """Offer a waiting call to these counsellors."""
    made = []
    for one in staff:
        locked = await presence.lock_presence(work, one.id)
        made.append(await offers.open_offer(work, call, one, locked))
    await work.session.flush()
    return made


async def an_agency(work: Work, code: str = "house", *phones: str, **ways: Any) -> None:
    """Add a shelter that is reached in these ways, or else by e-mail."""
    found = ways if ways or phones else {"email": f"a@{code}.example"}
    await save_agency(
        work,
        Entry(
            code=code,
            name=code.title(),
            sector="shelter",
            services=("shelter",),
            languages=("en",),
            duty_phones=tuple(Phone(number) for number in phones),
            **found,
        ),
    )


async def a_referral(work: Work, owner: Staff) -> Referral:
    """Open a referral to a shelter on the ground of danger, and send it."""
    wish = Wish(
        Urgency.IMMEDIATE,
        OpenedHow.BY_HAND,
        services=(Service.SHELTER,),
        consent=Override(Basis.VITAL_INTERESTS, "A child at the station."),
    )
    (made,) = await refer(work, owner, wish)
    await work.session.flush()
    referral = await lock_referral(work, made.id)
    await send(work, referral, By(Via.BY_HAND))
    await work.session.flush()
    return referral


async def a_late_referral(
    stage: Stage, owner: Staff, *, for_whom: ForWhom = ForWhom.SUPERVISORS
) -> None:
    """Let the deadline of an immediate referral be passed on a stage."""
    async with transaction(stage.ground, PROGRAM) as work:
        await an_agency(work, "house")
        staff = await work.session.merge(owner)
        work.actor = actor_of(staff)
        add_notice(work, await a_referral(work, staff), NoticeKind.BREACH, for_whom=for_whom)


async def recipient_of(work: Work, referral: Referral) -> Recipient:
    """Return the recipient that is asked now."""
    found = await work.session.get(Recipient, referral.recipient_id)
    assert found is not None
    return found


async def joins_the_queue(work: Work, call: Call, *, danger: bool = False) -> None:
    """Let a caller wait for a counsellor, as the menu of a line has them do."""
    await record.enter_queue(
        work,
        call,
        language="sr",
        danger=danger,
        priority=0,
        delivery=WebhookDelivery(DeliveryKey(f"menu:{call.id}")),
        answer=Enqueue(entry=1),
    )


async def a_waiting_call(work: Work, *, danger: bool = False) -> Call:
    await a_line(work)
    call, _ = await rings(work)
    await joins_the_queue(work, call, danger=danger)
    return call


async def presence_of(work: Work, staff: Staff) -> Presence:
    found = await work.session.scalar(select(Presence).where(Presence.counsellor_id == staff.id))
    assert found is not None
    return found


async def a_supervisor(work: Work, name: str = "vera", in_team: str = "") -> Staff:
    staff = await accounts.add_staff(work, name=name, role=Role.SUPERVISOR, endpoint="browser")
    staff.team = in_team
    await work.session.flush()
    return staff


async def a_talk(work: Work, staff: Staff) -> tuple[Call, Offer]:
    """Let a counsellor talk with a caller."""
    call = await a_waiting_call(work)
    (offer,) = await offered(work, call, staff)
    await offers.accept_offer(work, call, offer)
    await offers.connect_offer(work, call, offer, at=work.now)
    await work.session.flush()
    assert offer.state == OfferState.CONNECTED
    return call, offer


async def another_talk(work: Work, staff: Staff) -> Call:
    """Let a counsellor talk with a second caller of the line."""
    call, _ = await rings(work, "CA2")
    await joins_the_queue(work, call)
    (offer,) = await offered(work, call, staff)
    await offers.accept_offer(work, call, offer)
    await offers.connect_offer(work, call, offer, at=work.now)
    await work.session.flush()
    return call


def with_settings(work: Work, **changed: Any) -> Work:
    """Return the same unit of work with other settings."""
    settings = work.settings.model_copy(update=changed)
    return replace(work, ground=replace(work.ground, settings=settings))


def logged(work: Work) -> list[tuple[str, Any]]:
    """What this work will append to the log of people's acts: each act and its detail."""
    return [
        (values["action"], values["detail"].obj)
        for _, values in work.last_rows
        if "action" in values
    ]


async def an_administrator(work: Work, name: str = "mila") -> Staff:
    """Add an administrator who can sign in."""
    staff = await accounts.add_staff(work, name=name, role=Role.ADMINISTRATOR)
    staff.password_hash = "a hash"
    await work.session.flush()
    return staff


async def sessions_of(work: Work, staff: Staff) -> int:
    number = await work.session.scalar(
        select(func.count()).select_from(StaffSession).where(StaffSession.staff_id == staff.id)
    )
    return number or 0


async def a_contact(work: Work, owner: Staff) -> Contact:
    """A contact that a person has begun, of no call."""
    made, _ = await contacts.create_contact(work, owner, channel=ContactChannel.CALL)
    await send_rows(work)
    return await work.session.get_one(Contact, made.id)
