"""The job store: procrastinate on our own PostgreSQL."""

import procrastinate
from procrastinate import Blueprint

from app.jobs.names import Queue, Task
from app.jobs.store import JobStore

# The longest that a job waits when its notification is missed, in seconds.
POLL_SECONDS = 0.25
# Jobs outside of the default queue wait for servers of others, or take long by themselves: they are
# looked for this many times less often. A look is two statements, all day long.
PATIENCE = 4
# The queues, with how many of their jobs run at once. Jobs that wait for servers of others have
# queues of their own, so that they never delay a job that rings a phone or records a breach.
PLACES: dict[str, int] = {
    Queue.DEFAULT: 16,
    Queue.MAIL: 6,
    Queue.OUTSIDE: 6,
    Queue.MEDIA: 2,
    Queue.NUMBERS: 1,
    Queue.BACKUPS: 1,
}
QUEUES: dict[str, Queue] = {
    Task.SEND_MAIL: Queue.MAIL,
    Task.MAIL_NOTICE: Queue.MAIL,
    Task.MAIL_STAFFING_ALARM: Queue.MAIL,
    Task.MAIL_ALARM: Queue.MAIL,
    Task.MAIL_FOLLOW_UP: Queue.MAIL,
    Task.MAIL_REQUEST: Queue.MAIL,
    Task.ANNOUNCE_REPORT: Queue.MAIL,
    Task.MAIL_LINK: Queue.MAIL,
    Task.MAIL_VOLUME: Queue.MAIL,
    Task.MAIL_SAFEKEEPING: Queue.MAIL,
    Task.TELL_REQUEST_ENDED: Queue.MAIL,
    Task.REMIND_OF_REQUESTS: Queue.MAIL,
    Task.DELIVER: Queue.OUTSIDE,
    Task.DELIVER_ANCHOR: Queue.OUTSIDE,
    Task.FETCH_MEDIA: Queue.MEDIA,
    Task.SET_UP_ACCOUNT: Queue.OUTSIDE,
    Task.SEND_PUSH: Queue.OUTSIDE,
    Task.MAKE_AGENCY_CASE: Queue.OUTSIDE,
    Task.ASK_AGENCY_CASE: Queue.OUTSIDE,
    Task.UPDATE_AGENCY_CASE: Queue.OUTSIDE,
    Task.END_AGENCY_CASE: Queue.OUTSIDE,
    # A person asks for it at any hour: what has to be erased does not wait until it has ended.
    Task.MAKE_BACKUP: Queue.BACKUPS,
    # Long jobs on figures and the erasing of a night, one at a time.
    Task.ERASE_DUE: Queue.NUMBERS,
    Task.MAKE_EXPORT: Queue.NUMBERS,
    Task.PROPOSE_ROTA: Queue.NUMBERS,
    Task.KEEP_DAYS: Queue.NUMBERS,
    Task.SEND_REPORT: Queue.NUMBERS,
}


def make_job_app(url: str, *blueprints: tuple[str, Blueprint]) -> procrastinate.App:
    """Return a job app with the tasks of the given areas; open it before running a worker."""
    app = procrastinate.App(connector=JobStore(url))
    for area, blueprint in blueprints:
        app.add_tasks_from(blueprint, namespace=area)
    return app
