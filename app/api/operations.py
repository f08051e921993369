"""Health and metrics for operators. No names and no phone numbers."""

from typing import NamedTuple
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.calls.states import CallState
from app.database.roles import STANDING, Standing
from app.people import leaked
from app.privacy.keeper.client import KeeperAway
from app.routing.models import OfferState, PresenceState
from app.safekeeping import anchors, erasure_folder
from app.safekeeping.backups import state as backups
from app.sealing.knowing import learn_now
from app.settings import Settings
from app.web.access import Monitors
from app.web.strict_bodies import StrictRoute
from app.work import PROGRAM, Ground, Work

router = APIRouter(tags=["operations"], route_class=StrictRoute)
_FOR_MACHINES = [Depends(Monitors())]

_COUNTS = text(
    f"SELECT (SELECT count(*) FROM calls WHERE state = '{CallState.QUEUED}'),"  # noqa: S608
    f" (SELECT count(*) FROM calls WHERE state = '{CallState.CONNECTED}'),"
    f" (SELECT count(*) FROM offers WHERE released_at IS NULL AND state = '{OfferState.OPEN}'),"
    f" (SELECT count(*) FROM presences WHERE state = '{PresenceState.AVAILABLE}'),"
    " (SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'),"
    " (SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'),"
    " (SELECT count(*) FROM procrastinate_workers"
    "   WHERE last_heartbeat > now() - interval '30 seconds')"
)
_NAMES = (
    ("helpline_calls_waiting", "Callers in the queue"),
    ("helpline_calls_connected", "Callers in a talk"),
    ("helpline_offers_open", "Offers that are ringing"),
    ("helpline_counsellors_available", "Counsellors who are available"),
    ("helpline_jobs_waiting", "Jobs waiting to run"),
    ("helpline_jobs_failed", "Jobs that failed permanently"),
    ("helpline_workers", "Workers with a heartbeat in the last 30 seconds"),
)


@router.get("/healthz", dependencies=_FOR_MACHINES)
async def healthz() -> dict[str, str]:
    """Report that the process is up."""
    return {"status": "up"}


async def _counts(request: Request) -> list[int]:
    ground: Ground = request.app.state.ground
    async with ground.database.sessions() as session:
        return [int(n) for n in (await session.execute(_COUNTS)).one()]


@router.get("/readyz", dependencies=_FOR_MACHINES)
async def readyz(request: Request, response: Response) -> dict[str, str]:
    """Report whether database, worker and keys are well; 503 if not."""
    ground: Ground = request.app.state.ground
    away = ""
    try:
        workers = (await _counts(request))[-1]
        try:
            await learn_now(ground)
        except KeeperAway as error:
            away = error.detail
        role = await _role(ground)
        kept = await _safekeeping(ground)
    except (SQLAlchemyError, OSError):
        response.status_code = 503
        return {
            "database": "unreachable",
            "worker": "unknown",
            "keys": "unknown",
            "role": "unknown",
            "backup": "unknown",
            "anchors": "unknown",
            "erasures": "unknown",
            "leaked_passwords": "unknown",
        }
    problem = away or ground.keys.problem
    if not workers or problem:
        response.status_code = 503
    return {
        "database": "well",
        "worker": "well" if workers else "not heard of",
        "keys": problem or "well",
        "role": role.weakness or "well",
        # Calls are answered all the same, so these take no server out of service.
        "backup": kept.backup,
        "anchors": kept.anchors,
        "erasures": kept.erasures,
        # While a service is away, the program's own lists decide about new passwords.
        "leaked_passwords": (await leaked.state_of(ground)).value,
    }


class _Safekeeping(NamedTuple):
    """What monitoring is told of back-ups and anchors; times in seconds since 1970, 0: never."""

    backup: str = "not set up"
    anchors: str = "not set up"
    erasures: str = "not set up"
    backup_at: float = 0
    log_at: float = 0
    drill_at: float = 0
    anchor_at: float = 0


async def _safekeeping(ground: Ground) -> _Safekeeping:
    async with ground.database.sessions() as session:
        work = Work(session, ground.clock.now(), PROGRAM, ground)
        now, ways = await backups.read(work), await anchors.states(work)
        marker = await erasure_folder.known_to(work)
        waiting = await erasure_folder.lists_waiting(work)
    found = _Safekeeping(erasures=of_lists(ground.settings, marker, waiting))
    if now is not None:
        late = now.base_late or now.log_late
        found = found._replace(
            backup="late" if late else "well" if now.base else "not made yet",
            backup_at=now.base.ended_at.timestamp() if now.base else 0,
            log_at=now.log_at.timestamp() if now.log_at else 0,
            drill_at=now.drill.ended_at.timestamp() if now.drill else 0,
        )
    if ways:
        done = [one.done_at.timestamp() if one.done_at else 0.0 for one in ways]
        state = "late" if any(one.late for one in ways) else "well" if min(done) else "not made yet"
        found = found._replace(anchors=state, anchor_at=min(done))
    return found


def of_lists(settings: Settings, marker: UUID | None, waiting: int = 0) -> str:
    """Return whether the folder with the lists of what is erased was prepared, and whether rows of
    lists stayed after a restore.

    Whether its disk is there is seen by the job that writes: a disk that hangs must not hang this.
    """
    if settings.erasure_folder is None:
        return "not set up"
    if marker is None:
        return erasure_folder.NOT_PREPARED
    return erasure_folder.ROWS_STAY if waiting else "well"


async def _role(ground: Ground) -> Standing:
    async with ground.database.sessions() as session:
        return Standing(*(await session.execute(text(STANDING))).one())


@router.get("/metrics", dependencies=_FOR_MACHINES)
async def metrics(request: Request) -> Response:
    """Return counts in Prometheus' format."""
    registry = CollectorRegistry()
    for (name, what), count in zip(_NAMES, await _counts(request), strict=True):
        Gauge(name, what, registry=registry).set(count)
    kept = await _safekeeping(request.app.state.ground)
    for name, what, at in (
        ("helpline_backup_timestamp_seconds", "When the last back-up ended", kept.backup_at),
        ("helpline_backup_log_timestamp_seconds", "Until when writes are backed up", kept.log_at),
        ("helpline_backup_drill_timestamp_seconds", "When a restore was tried", kept.drill_at),
        ("helpline_anchor_timestamp_seconds", "When all ways had an anchor", kept.anchor_at),
    ):
        Gauge(name, what, registry=registry).set(at)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
