"""What an erasure forgets of a person who wrote: words, secrets, hashes, the provider's copies."""

from uuid import uuid4

from sqlalchemy import func, select

from app.calls.models import Call
from app.calls.states import Channel
from app.chats import messages, stopped_numbers
from app.chats.carrier_rows import Arrival, OptOut, Sent
from app.chats.models import Access, Author, Message
from app.jobs.transaction import flush
from app.retention.data_requests import erasing, requests
from app.retention.data_requests.kinds import (
    AskingPerson,
    CopyKind,
    IdentityCheck,
    ItemKind,
    RequestBasis,
    RequestKind,
)
from app.retention.data_requests.models import ProviderCopy
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.planted import as_person
from tests.support.verbs import a_line, a_supervisor, an_administrator

NUMBER = "+381641234567"


async def _by(work: Work, channel: Channel) -> Call:
    """A conversation by a carrier, with a message each way, a secret, and a number that stopped."""
    call = await planted.a_call(work, f"CA{channel}")
    call.channel, call.alarming = channel.value, True
    await flush(work)
    await messages.add(
        work,
        call,
        Author.CHILD,
        text="Mama me udarila",
        client_key=f"from-{channel}",
        staff_id=None,
        afterwards=True,
    )
    await stopped_numbers.opt_out(work, call)
    work.session.add_all(
        [
            Access(
                call_id=call.id, secret_key=channel.encode() * 4, opened_with=channel.encode() * 8
            ),
            Sent(
                id=uuid4(),
                call_id=call.id,
                wanted_at=work.now,
                sending="sent",
                provider_sid=f"sent-{channel}",
            ),
            Arrival(channel=channel.value, sid=f"came-{channel}", at=work.now, call_id=call.id),
        ]
    )
    await flush(work)
    return call


async def test_an_erasure_forgets_who_wrote_and_has_the_providers_copies_deleted(
    work: Work,
) -> None:
    await a_line(work)
    boss = await a_supervisor(work)
    for channel in (Channel.WHATSAPP, Channel.TELEGRAM):
        await _by(work, channel)
    as_person(work, boss)
    request = await requests.find(work, boss, RequestKind.ERASURE, AskingPerson.CHILD, NUMBER)
    await requests.ask(
        work,
        boss,
        request.id,
        RequestBasis.NOT_NEEDED,
        IdentityCheck.DOCUMENT,
        "The person asked for it.",
    )
    mila = await an_administrator(work)
    as_person(work, mila)
    await requests.decide(work, mila, request.id, approve=True)
    await flush(work)
    work.actor = PROGRAM
    for kind in ItemKind:
        while await erasing.erase_some(work, request.id, kind):
            await flush(work)
    for model in (Access, OptOut):
        assert await work.session.scalar(select(func.count()).select_from(model)) == 0
    assert list(await work.session.scalars(select(Message.text_sealed))) == [None, None]
    assert list(await work.session.scalars(select(Call.alarming))) == [False, False]
    copies = await work.session.scalars(
        select(ProviderCopy.sid).where(ProviderCopy.kind == CopyKind.MESSAGE)
    )
    # Telegram keeps its own: it is not asked by the provider of telephony.
    assert set(copies) == {"sent-whatsapp", "came-whatsapp"}
