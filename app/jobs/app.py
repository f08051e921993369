"""The job store: procrastinate on our own PostgreSQL."""

import procrastinate
from procrastinate import Blueprint

from app.database.engine import for_libpq

# The longest that a job waits when its notification is missed, in seconds.
POLL_SECONDS = 0.25
# The queues, with how many of their jobs run at once. Jobs that wait for servers of others have
# queues of their own, so that they never delay a job that rings a phone or records a breach.
PLACES = {"default": 16, "mail": 6, "outside": 6, "numbers": 1}
QUEUES = {
    "referrals:send_mail": "mail",
    "referrals:mail_notice": "mail",
    "referrals:mail_staffing_alarm": "mail",
    "routing:mail_alarm": "mail",
    "contacts:mail_follow_up": "mail",
    "contacts:mail_request": "mail",
    "statistics:announce_report": "mail",
    "referrals:deliver": "outside",
    "referrals:make_counterpart": "outside",
    "referrals:ask_counterpart": "outside",
    "referrals:update_counterpart": "outside",
    "referrals:end_counterpart": "outside",
    # Long jobs on figures, one at a time.
    "statistics:make_export": "numbers",
    "statistics:keep_days": "numbers",
    "statistics:send_report": "numbers",
}


def make_job_app(url: str, *blueprints: tuple[str, Blueprint]) -> procrastinate.App:
    """Return a job app with the tasks of the given areas; open it before running a worker."""
    connector = procrastinate.PsycopgConnector(
        conninfo=for_libpq(url), min_size=1, max_size=12, timeout=5
    )
    app = procrastinate.App(connector=connector)
    for area, blueprint in blueprints:
        app.add_tasks_from(blueprint, namespace=area)
    return app
