"""Send at most once what no row keeps: word to our own staff, which a page says as well.

The rule, beside that of `once.py` for whatever has a row of its own:

1. Certainly not carried out (TryAgain): the job runs again.
2. Refused, or it may have arrived (Uncertain): it is not repeated. The operator's log names it.
3. A process that was killed: the job runs again. What goes out under an id of its own goes out
   under the same one, by which a receiver knows a repeat. For what has none, such as an SMS, the
   area commits that it is sent before it sends, and sends nothing in another run.
"""

from collections.abc import Awaitable, Callable

from app.log import log
from app.outbox.responses import Refused, Uncertain


async def send_at_most_once(send: Callable[[], Awaitable[object]], *, area: str, what: str) -> bool:
    """Send, and return whether it was accepted. `what` names it in the log.

    Raises TryAgain, so that its job runs again.
    """
    try:
        await send()
    except (Refused, Uncertain) as error:
        log().warning(f"{what} was not sent", area=area, cause=str(error)[:60])
        return False
    return True
