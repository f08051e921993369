"""Which browsers of a person are woken: entering one, listing them, forgetting one."""

import base64
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app.errors import Invalid, NotFound
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.outbox.addresses import reads_alike
from app.outbox.push.models import PushKey, PushMessage, PushSubscription
from app.privacy.hash_kinds import HashOf
from app.settings import Settings
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import PROGRAM, Ground, Work

# There is one key, so its row has a fixed id.
_KEY = UUID("00000000-0000-4000-8000-000000000001")
# A person's oldest browsers give way to newer ones.
_MOST = 10
_KEPT = timedelta(days=1)


def may_send_to(settings: Settings, endpoint: str) -> bool:
    """Return whether an address belongs to a known push service, and is reached by https.

    A browser names the address, so that without this list it could be one inside our network.
    """
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    if parts.username or parts.password or not reads_alike(endpoint):
        return False
    if is_own_service(settings, endpoint):
        return True
    return (
        parts.scheme == "https"
        and port in (None, 443)
        and any(
            host.endswith(one) if one.startswith(".") else host == one
            for one in settings.push_service_list
        )
    )


def is_own_service(settings: Settings, endpoint: str) -> bool:
    """Return whether the setting names the whole origin of an address: a push service of the
    helpline's own."""
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc}" in settings.push_service_list


async def public_key(work: Work) -> str:
    """Return the public key that a browser needs to subscribe. The first call makes the pair."""
    found = await work.session.get(PushKey, _KEY)
    if found is None:
        private = ec.generate_private_key(ec.SECP256R1())
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        number = private.private_numbers().private_value.to_bytes(32, "big")
        await work.session.execute(
            insert(PushKey)
            .values(
                id=_KEY,
                private_sealed=work.ground.keys.seal(
                    number, table="push_keys", column="private_sealed", row=_KEY
                ),
                public=_base64(point),
                created_at=work.now,
            )
            .on_conflict_do_nothing()
        )
        found = await work.session.get_one(PushKey, _KEY)
    return found.public


async def private_key(work: Work) -> str:
    """Return the private key, as the library that signs takes it."""
    row = await work.session.get_one(PushKey, _KEY)
    number = work.ground.keys.open(
        row.private_sealed, table="push_keys", column="private_sealed", row=_KEY
    )
    return _base64(number)


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


async def subscribe(
    work: Work, staff: Staff, endpoint: str, p256dh: str, auth: str, label: str
) -> UUID:
    """Enter a browser of a person. A browser that another person had used changes hands.

    Raises Invalid.
    """
    if not may_send_to(work.settings, endpoint):
        raise Invalid("This browser uses a push service that the helpline does not send to.")
    _check_keys(p256dh, auth)
    before = await _as_logged(work, staff)
    id_, keys = uuid4(), work.ground.keys.match_keys(HashOf.PUSH, endpoint)
    await work.session.execute(
        delete(PushSubscription).where(PushSubscription.endpoint_key.in_(keys))
    )
    sealed = json.dumps({"endpoint": endpoint, "keys": {"p256dh": p256dh, "auth": auth}})
    work.session.add(
        PushSubscription(
            id=id_,
            staff_id=staff.id,
            endpoint_sealed=work.ground.keys.seal(
                sealed.encode(), table="push_subscriptions", column="endpoint_sealed", row=id_
            ),
            endpoint_key=keys[0],
            label=label.strip()[:80],
            created_at=work.now,
        )
    )
    await work.session.flush()
    newest = (
        select(PushSubscription.id)
        .where(PushSubscription.staff_id == staff.id)
        .order_by(PushSubscription.created_at.desc(), PushSubscription.id)
        .limit(_MOST)
    )
    await work.session.execute(
        delete(PushSubscription).where(
            PushSubscription.staff_id == staff.id, PushSubscription.id.not_in(newest)
        )
    )
    after = await _as_logged(work, staff)
    write_entry(work, AuditLog.PUSH_SUBSCRIBED, str(staff.id), before=before, after=after)
    return id_


async def _as_logged(work: Work, staff: Staff) -> dict[str, list[str]]:
    """Return a person's browsers as the log may hold them for ever: their ids."""
    return {"browser": sorted(str(one.id) for one in await browsers_of(work, staff))}


def _check_keys(p256dh: str, auth: str) -> None:
    try:
        point = base64.urlsafe_b64decode(p256dh + "=" * (-len(p256dh) % 4))
        secret = base64.urlsafe_b64decode(auth + "=" * (-len(auth) % 4))
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        secret = b""
    if len(secret) != 16:
        raise Invalid("This browser sent keys that cannot be used. Try again, or use another one.")


async def browsers_of(work: Work, staff: Staff) -> list[PushSubscription]:
    """Return a person's own browsers, the newest first."""
    rows = await work.session.scalars(
        select(PushSubscription)
        .where(PushSubscription.staff_id == staff.id)
        .order_by(PushSubscription.created_at.desc())
    )
    return list(rows)


async def forget(work: Work, staff: Staff, subscription_id: UUID) -> None:
    """Forget one of a person's own browsers. Raises NotFound."""
    before = await _as_logged(work, staff)
    gone = await work.session.scalar(
        delete(PushSubscription)
        .where(PushSubscription.id == subscription_id, PushSubscription.staff_id == staff.id)
        .returning(PushSubscription.id)
    )
    if gone is None:
        raise NotFound("This browser is not in your list any more.")
    after = await _as_logged(work, staff)
    write_entry(work, AuditLog.PUSH_FORGOTTEN, str(staff.id), before=before, after=after)


async def wake(
    work: Work, people: Iterable[UUID], until: datetime, *, but: UUID | None = None
) -> None:
    """Tell people's browsers that the helpline needs them, unless it is later than `until`.

    `but`: a browser that is not told, since its owner has a page open in it.
    """
    wanted = (
        select(PushSubscription.id)
        .join(Staff, Staff.id == PushSubscription.staff_id)
        .where(PushSubscription.staff_id.in_(set(people)), Staff.active)
    )
    if but is not None:
        wanted = wanted.where(PushSubscription.id != but)
    ids = await work.session.scalars(wanted)
    for subscription_id in ids.all():
        message = PushMessage(
            id=uuid4(), subscription_id=subscription_id, wanted_at=work.now, expires_at=until
        )
        work.session.add(message)
        work.defer(Task.SEND_PUSH, message_id=str(message.id))


async def forget_old_pushes(ground: Ground) -> None:
    """Delete the rows of messages that are over."""
    async with transaction(ground, PROGRAM) as work:
        await work.session.execute(
            delete(PushMessage).where(PushMessage.wanted_at < work.now - _KEPT)
        )
