"""The worker: jobs, the sweep, and matching as soon as something has changed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from procrastinate import App

from app import tables
from app.administration import still_open
from app.administration.jobs import administration_tasks
from app.chats import ending
from app.chats.accounts import ask_again
from app.chats.jobs import chat_tasks, forget_chats
from app.chats.left.untaken import watch_messages
from app.chats.sendings import forget_arrivals
from app.contacts.finding.rebuilding import want as want_rebuilt
from app.contacts.jobs import contacts_tasks
from app.country.jobs import country_tasks
from app.database.bus import Bus
from app.database.topics import Topic
from app.dialling.outward import forget_old_dials
from app.jobs.app import PATIENCE, PLACES, POLL_SECONDS, make_job_app
from app.jobs.names import Queue
from app.jobs.transaction import transaction
from app.log import fault, log
from app.outbox.push.sending import outbox_tasks
from app.outbox.push.subscriptions import forget_old_pushes
from app.people.connection_test_rows import forget_old_tests
from app.people.jobs import people_tasks
from app.referrals.escalation.dangers import EVERY as DANGERS_EVERY
from app.referrals.escalation.dangers import look
from app.referrals.jobs import catch_forgotten, referrals_tasks
from app.retention.data_requests.answering import forget_reports
from app.retention.data_requests.reminding import late_requests, remind_all
from app.retention.jobs import retention_tasks
from app.retention.running import ask_tonight
from app.routing import queue
from app.routing.alarms.overdue_callbacks import watch_callbacks
from app.routing.callbacks.callback_attempts import open_due
from app.routing.jobs import routing_tasks
from app.routing.rota.coverage import EVERY as COVERAGE_EVERY
from app.routing.rota.coverage import look_over
from app.routing.rota.unstaffed_alarms import EVERY as WATCHED_EVERY
from app.routing.rota.unstaffed_alarms import watch
from app.routing.supervision.team_messages import forget_messages
from app.routing.sweep import sweep
from app.routing.volume import watch_volume
from app.safekeeping.anchors import ask_today
from app.safekeeping.backups import nightly
from app.safekeeping.jobs import safekeeping_tasks
from app.safekeeping.notices import also_late
from app.safekeeping.notices import watch as watch_safekeeping
from app.sealing.jobs import sealing_tasks
from app.statistics.jobs import EVERY as NUMBERS_EVERY
from app.statistics.jobs import look_round, statistics_tasks
from app.statistics.protection.budget import forget_old_tables
from app.telephony import copies, practice_calls, trial_calls, trial_texts
from app.telephony import jobs as telephony_jobs
from app.telephony.counsellor import callback_leg, move_jobs, ringing
from app.telephony.duty_phones import address_texts, alarm_calls, duty, duty_sms
from app.telephony.inbound import asking_by_key, message_jobs, staff_texts
from app.telephony.messaging import answering, asking, fetching, setting_up
from app.telephony.participants import participant_flow
from app.telephony.platforms import dial_bridge
from app.telephony.platforms.choose import platform_of
from app.telephony.reconcile import one_call, proof
from app.telephony.reconcile.comparing import EVERY as COMPARED_EVERY
from app.telephony.reconcile.comparing import defer_comparison
from app.training.practices import forget_old
from app.web.limits import forget_old_limits
from app.work import PROGRAM, Ground

# The shortest time between two runs of matching, in seconds.
_BREATH = 0.02
# Seconds between two searches for deadlines and escalations whose job was lost.
FORGOTTEN_EVERY = 10
# Seconds between two deletions of what was kept for hours or days.
FORGETS_EVERY = 600
# The name of the task that sweeps once a second.
SWEEP = "sweep"
# Modules that are imported so that their jobs can run.
JOBS = (
    address_texts,
    alarm_calls,
    answering,
    asking,
    asking_by_key,
    callback_leg,
    copies,
    dial_bridge,
    duty,
    duty_sms,
    fetching,
    ringing,
    message_jobs,
    move_jobs,
    one_call,
    staff_texts,
    participant_flow,
    practice_calls,
    proof,
    setting_up,
    trial_calls,
    trial_texts,
)
# Topics after which a counsellor may be free for a waiting caller.
MATCHING_TOPICS = frozenset(
    {Topic.QUEUE, Topic.PRESENCE, Topic.ROSTER, Topic.LINES, Topic.EVERYTHING}
)


# The queues whose jobs share places, and how many of these jobs run at once.
SHARES = tuple(((queue_name,), places) for queue_name, places in PLACES.items())


def _poll_of(queues: tuple[str, ...]) -> float:
    """Return after how many seconds these queues are looked at, if no notification came."""
    return POLL_SECONDS * (1 if Queue.DEFAULT in queues else PATIENCE)


def job_app_of(url: str) -> App:
    """Return the job app with the tasks of all areas."""
    return make_job_app(
        url,
        ("telephony", telephony_jobs.telephony_tasks()),
        ("chats", chat_tasks()),
        ("contacts", contacts_tasks()),
        ("country", country_tasks()),
        ("administration", administration_tasks()),
        ("referrals", referrals_tasks()),
        ("outbox", outbox_tasks()),
        ("retention", retention_tasks()),
        ("routing", routing_tasks()),
        ("people", people_tasks()),
        ("safekeeping", safekeeping_tasks()),
        ("sealing", sealing_tasks(tables.metadata)),
        ("statistics", statistics_tasks()),
    )


class Worker:
    """The worker of one process. Any number of workers may run."""

    def __init__(self, ground: Ground, bus: Bus) -> None:
        self.ground, self._bus = ground, bus
        also_late(ground, late_requests)
        self._job_app: App | None = None
        self.busy = 0
        # The seconds of the sweep, one for each run.
        self.second = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Worker"]:
        """Run until the context is left; running jobs are finished first."""
        job_app = job_app_of(self.ground.database.url)
        tasks = [
            asyncio.create_task(self._for_ever(what, run), name=what)
            for what, run in (
                ("jobs", lambda: self.run_jobs(job_app)),
                ("matching", self._run_matching),
                (SWEEP, self._run_sweep),
                ("stalled", self._retry_stalled_jobs),
                ("numbers", self._run_numbers),
                ("coverage", self._run_coverage),
                ("forgetting", self._run_forgetting),
                ("comparison", self._run_comparison),
            )
        ]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _for_ever(self, what: str, run: Callable[[], Awaitable[object]]) -> None:
        """Run `run` again whenever it ends; no error, such as a stopped database, ends the work."""
        while True:
            try:
                await run()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log().error(
                    "a part of the worker failed and starts again",
                    area="jobs",
                    where=what,
                    **fault(error),
                )
            await asyncio.sleep(0.5)

    async def run_jobs(self, job_app: App) -> None:
        """Run the jobs of all queues, until cancelled or until one of the queues fails."""
        async with transaction(self.ground, PROGRAM) as work:
            await want_rebuilt(work)
        parts = telephony_jobs.Parts(self.ground, platform_of(self.ground.settings))
        async with job_app.open_async():
            self._job_app = job_app
            try:
                context = {"parts": parts, "ground": self.ground}
                async with asyncio.TaskGroup() as group:
                    for queues, places in SHARES:
                        group.create_task(
                            job_app.run_worker_async(
                                queues=[str(one) for one in queues],
                                concurrency=places,
                                fetch_job_polling_interval=_poll_of(queues),
                                install_signal_handlers=False,
                                shutdown_graceful_timeout=5,
                                update_heartbeat_interval=5,
                                stalled_worker_timeout=20,
                                delete_jobs="successful",
                                additional_context=context,
                            )
                        )
            finally:
                self._job_app = None

    async def _run_matching(self) -> None:
        with self._bus.subscribed() as subscription:
            while True:
                topics = await subscription.take()
                if topics & MATCHING_TOPICS:
                    await self._busily(queue.match(self.ground))
                    # Topics that arrive meanwhile cause one run, not many.
                    await asyncio.sleep(_BREATH)

    async def _run_sweep(self) -> None:
        while True:
            await self._busily(sweep(self.ground, ending.end_away))
            if self.second % WATCHED_EVERY == 0:
                await self._busily(watch(self.ground))
            if self.second % DANGERS_EVERY == 0:
                await self._busily(look(self.ground))
            if self.second % FORGOTTEN_EVERY == 0:
                await self._busily(catch_forgotten(self.ground))
            await self.ground.clock.sleep(1)
            self.second += 1

    async def _run_numbers(self) -> None:
        while True:
            await self.ground.clock.sleep(NUMBERS_EVERY)
            await self._busily(look_round(self.ground))

    async def _run_coverage(self) -> None:
        while True:
            await self.ground.clock.sleep(COVERAGE_EVERY)
            await self._busily(look_over(self.ground))
            await self._busily(open_due(self.ground))
            await self._busily(watch_volume(self.ground))
            await self._busily(watch_messages(self.ground))
            await self._busily(watch_callbacks(self.ground))
            await self._busily(ask_tonight(self.ground))
            await self._busily(ask_today(self.ground))
            await self._busily(nightly.ask_tonight(self.ground))
            await self._busily(nightly.bring_log(self.ground))
            await self._busily(watch_safekeeping(self.ground))
            await self._busily(forget_chats(self.ground))
            await self._busily(ask_again(self.ground))
            await self._busily(still_open.look_again(self.ground))

    async def _run_forgetting(self) -> None:
        while True:
            await self.ground.clock.sleep(FORGETS_EVERY)
            await self._busily(forget_old(self.ground))
            await self._busily(forget_old_limits(self.ground))
            await self._busily(forget_old_tables(self.ground))
            await self._busily(forget_old_dials(self.ground))
            await self._busily(forget_arrivals(self.ground))
            await self._busily(forget_old_tests(self.ground))
            await self._busily(forget_reports(self.ground))
            await self._busily(remind_all(self.ground))
            await self._busily(forget_messages(self.ground))
            await self._busily(forget_old_pushes(self.ground))

    async def _run_comparison(self) -> None:
        # Before the first wait: rings may have come and gone while we were away.
        while True:
            if self.ground.settings.has_telephony:
                await self._busily(defer_comparison(self.ground))
            await self.ground.clock.sleep(COMPARED_EVERY)

    async def _busily(self, doing: Awaitable[object]) -> None:
        self.busy += 1
        try:
            await doing
        finally:
            self.busy -= 1

    async def _retry_stalled_jobs(self) -> None:
        """Retry the jobs of a worker that died; every job may be run twice."""
        while True:
            await asyncio.sleep(5)
            if self._job_app is None:
                continue
            manager = self._job_app.job_manager
            for job in await manager.get_stalled_jobs(seconds_since_heartbeat=20):
                await manager.retry_job(job)
            await manager.prune_stalled_workers(seconds_since_heartbeat=20)
