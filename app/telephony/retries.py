"""When a request to the provider is tried again: soon, then less often, and without an end."""

import random

from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

from app.jobs.passing import PASSING
from app.outbox.responses import TryAgain, Uncertain


class BackOff(BaseRetryStrategy):
    """Retry after 0.25, 0.5, 1, 2 ... seconds, at most `longest`, plus up to half at random.

    A longer wait that the provider asks for is kept, up to 10 seconds. Retries never stop, so a
    phone that must not ring on is ended after an outage of any length; each run first checks
    whether it is still wanted. Jobs that a caller waits for have a shorter `longest`.
    """

    def __init__(self, longest: float = 60.0) -> None:
        self._longest = longest

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if not isinstance(exception, (TryAgain, Uncertain, *PASSING)):
            return None
        wait = min(0.25 * 2 ** min(job.attempts, 10), self._longest)
        after = min(getattr(exception, "after", 0.0), 10.0)
        # Jitter, so that a storm of refusals does not come back as one.
        wait = max(wait, after) * (1 + random.random() / 2)
        return RetryDecision(retry_in={"milliseconds": int(wait * 1000)})
