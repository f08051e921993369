"""The job store: procrastinate on our own PostgreSQL."""

import procrastinate
from procrastinate import Blueprint

from app.database.engine import for_libpq

# The longest that a job waits when its notification is missed, in seconds.
POLL_SECONDS = 0.25
# What waits for other people's servers has places of its own, so that it never holds up what
# rings a phone or writes a breach: queues, with how many of their jobs run at once.
PLACES = {"default": 16, "mail": 6, "outside": 6, "numbers": 1}
QUEUES = {
    "referrals:send_mail": "mail",
    "referrals:mail_notice": "mail",
    "routing:mail_alarm": "mail",
    "referrals:deliver": "outside",
    "referrals:make_counterpart": "outside",
    "referrals:ask_counterpart": "outside",
    "referrals:end_counterpart": "outside",
    # Long work on numbers, one after the other.
    "statistics:make_export": "numbers",
    "statistics:keep_days": "numbers",
    "statistics:send_report": "numbers",
}


def make_job_app(url: str, *blueprints: tuple[str, Blueprint]) -> procrastinate.App:
    """A job app with the tasks of the given areas; open it before running a worker."""
    connector = procrastinate.PsycopgConnector(
        conninfo=for_libpq(url), min_size=1, max_size=12, timeout=5
    )
    app = procrastinate.App(connector=connector)
    for area, blueprint in blueprints:
        app.add_tasks_from(blueprint, namespace=area)
    return app
