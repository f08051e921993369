"""What a browser answers to the challenge of a passkey, checked so that a refusal does not undo
what must stay: the challenge is used up, and a passkey whose counter went back is stopped."""

from app.jobs.transaction import transaction
from app.staff import passkeys
from app.staff.models import Staff
from app.staff.passkey_rows import ChallengePurpose
from app.staff.passkeys import Sent
from app.work import Work


async def taken_challenge(work: Work, staff: Staff, purpose: ChallengePurpose, sent: Sent) -> bytes:
    """Use up the challenge of an answer, in a transaction of its own. Raises WrongPasskey."""
    async with transaction(work.ground, work.actor, aside=True) as own:
        return await passkeys.take_challenge(own, staff, purpose, sent)


async def use(work: Work, staff: Staff, purpose: ChallengePurpose, sent: Sent) -> None:
    """Check the answer of a passkey. Raises WrongPasskey, PasskeyStopped."""
    challenge = await taken_challenge(work, staff, purpose, sent)
    try:
        await passkeys.use(work, staff, sent, challenge)
    except passkeys.CounterWentBack as error:
        async with transaction(work.ground, work.actor, aside=True) as own:
            await passkeys.stop(own, staff, error.passkey_id)
        raise passkeys.PasskeyStopped() from None
