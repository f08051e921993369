"""`helpline telephony setup`: point the provider's numbers at us, and set up the fallback that
callers hear when we do not answer."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from app.abilities import Ability
from app.calls import lines
from app.calls.speech import LineScript
from app.log import log
from app.outbox.responses import Refused
from app.routing.plan import read_plan
from app.settings import Settings
from app.telephony.inbound.fallback import fallback_flow, fallback_twiml
from app.telephony.provider.client import Provider
from app.telephony.provider.urls import public
from app.telephony.steps import WAITING_ROOM
from app.work import Work

# The largest queue that the provider has; its own default is a hundred.
LARGEST_QUEUE = 5000


@dataclass
class Report:
    """What was done, and what a person still has to do."""

    done: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


async def read_lines(work: Work) -> dict[str, LineScript]:
    """Return every number of ours at the provider, with its line."""
    return await lines.numbers_of(work)


async def set_up(
    settings: Settings, provider: Provider, numbers: dict[str, LineScript], *, install: bool = True
) -> Report:
    """Set the addresses of all numbers, the size of the queue and the fallbacks.

    Report what cannot be done, and do the rest. Raises RequestFailed if the provider cannot be
    reached.
    """
    report = Report()
    if not numbers:
        report.problems.append("There is no line yet. Add one with: helpline line add.")
        return report
    at_provider = await provider.numbers()
    may_show = set(at_provider) | await provider.caller_ids()
    fallbacks = {
        line.id: await _fallback(settings, provider, line, report, install=install)
        for line in {line.id: line for line in numbers.values()}.values()
    }
    for number, line in sorted(numbers.items()):
        sid = at_provider.get(number)
        if sid is None:
            report.problems.append(
                f"{number} ({line.name}) is not a number of this account. Buy or port it there, or "
                "change the line's numbers with: helpline line numbers."
            )
            continue
        await provider.point_number(
            sid,
            voice=public(settings, "/telephony/voice"),
            fallback=fallbacks[line.id] or public(settings, "/telephony/voice/fallback"),
            status=public(settings, "/telephony/status"),
            sms=public(settings, "/telephony/sms"),
        )
        report.done.append(f"{number} ({line.name}) leads to {settings.public_url}.")
    for line in {line.id: line for line in numbers.values()}.values():
        if line.shown_number not in may_show:
            report.problems.append(
                f"{line.name} shows {line.shown_number}, which the account may not show. Verify it "
                "there, or choose another with: helpline line numbers --shown."
            )
    if settings.abilities.can(Ability.WAITING_ROOM):
        await provider.set_queue_size(WAITING_ROOM, LARGEST_QUEUE)
        report.done.append(f"The waiting room takes {LARGEST_QUEUE} callers.")
    return report


async def _fallback(
    settings: Settings, provider: Provider, line: LineScript, report: Report, *, install: bool
) -> str | None:
    """Write the fallback of a line and install it where the account allows. Return its address."""
    address = public(settings, "/telephony/voice")
    flow = fallback_flow(line, address, read_plan(line.plan).partner_number)
    folder = settings.data_dir / "fallback"
    _write(folder / f"{line.id}.flow.json", json.dumps(flow, indent=2, ensure_ascii=False))
    _write(folder / f"{line.id}.twiml.xml", fallback_twiml(address))
    if install and settings.abilities.can(Ability.FLOWS):
        try:
            found = await provider.keep_flow(f"helpline {line.id}", flow)
        except Refused as error:
            log().warning("the fallback could not be installed", area="telephony", code=error.code)
        else:
            report.done.append(f"{line.name} has a fallback at the provider.")
            return found
    report.problems.append(
        f"The fallback of {line.name} is not installed. Import {folder}/{line.id}.flow.json as a "
        f"flow, or serve {folder}/{line.id}.twiml.xml from other machines, and set its address as "
        "the number's \u201cPrimary handler fails\u201d."
    )
    return None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
