"""Health and metrics for operators. No names and no phone numbers."""

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.sealing.knowing import learn_now
from app.web.access import Monitors
from app.work import Ground

router = APIRouter(tags=["operations"])
_FOR_MACHINES = [Depends(Monitors())]

_COUNTS = text(
    "SELECT (SELECT count(*) FROM calls WHERE state = 'queued'),"
    " (SELECT count(*) FROM calls WHERE state = 'connected'),"
    " (SELECT count(*) FROM offers WHERE released_at IS NULL AND state = 'open'),"
    " (SELECT count(*) FROM presences WHERE state = 'available'),"
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
    try:
        workers = (await _counts(request))[-1]
        await learn_now(ground)
    except (SQLAlchemyError, OSError):
        response.status_code = 503
        return {"database": "unreachable", "worker": "unknown", "keys": "unknown"}
    if not workers or ground.keys.problem:
        response.status_code = 503
    return {
        "database": "well",
        "worker": "well" if workers else "not heard of",
        "keys": ground.keys.problem or "well",
    }


@router.get("/metrics", dependencies=_FOR_MACHINES)
async def metrics(request: Request) -> Response:
    """Return counts in Prometheus' format."""
    registry = CollectorRegistry()
    for (name, what), count in zip(_NAMES, await _counts(request), strict=True):
        Gauge(name, what, registry=registry).set(count)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
