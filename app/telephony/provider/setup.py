"""Set up the telephony: point the provider's numbers at us, and install the fallback that callers
hear when we do not answer. A page, the API and `helpline telephony setup` do it."""

import json
from pathlib import Path

from app.calls.lines import finding_lines
from app.calls.lines.number_setup import Pointed, SetupReport
from app.calls.speech import LineScript
from app.errors import Conflict, Message
from app.log import log
from app.outbox.responses import Refused, RequestFailed
from app.privacy import ends
from app.routing.plan import read_plan
from app.settings import Settings
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.telephony.inbound.fallback import fallback_flow, fallback_twiml
from app.telephony.platforms.base import CannotDo, Platform
from app.telephony.platforms.choose import platform_of
from app.telephony.provider.urls import public
from app.work import Work


async def carry_out(work: Work, *, install: bool = True) -> SetupReport:
    """Set up everything, and log it. Raises Conflict if the provider refuses or is away."""
    numbers = await finding_lines.numbers_of(work)
    # The provider takes seconds; no connection to the database is held meanwhile.
    await work.let_go()
    try:
        report = await set_up(work.settings, platform_of(work.settings), numbers, install=install)
    except RequestFailed as error:
        raise Conflict(
            "The provider refused the request, or cannot be reached: %(why)s. Check the account "
            "and its token or API key in the settings of the server.",
            why=str(error),
        ) from None
    write_entry(
        work,
        AuditLog.TELEPHONY_SET_UP,
        "telephony",
        before=[_for_log(one.number, one.before) for one in report.pointed],
        after=[_for_log(one.number, one.after) for one in report.pointed],
        done=len(report.done),
        problems=len(report.problems),
    )
    return report


async def may_show(work: Work) -> set[str]:
    """Return the numbers that the account may show. Raises Conflict if the provider is away."""
    await work.let_go()
    provider = platform_of(work.settings)
    try:
        return {*await provider.numbers(), *await provider.caller_ids()}
    except RequestFailed as error:
        raise Conflict(
            "The provider refused the request, or cannot be reached: %(why)s. Check the account "
            "and its token or API key in the settings of the server.",
            why=str(error),
        ) from None


def _for_log(number: str, address: str) -> str:
    """Return where calls to a number go as the log may hold it for ever."""
    return f"{ends.of_number(number)} → {ends.of_url(address) or '–'}"


async def set_up(
    settings: Settings, platform: Platform, numbers: dict[str, LineScript], *, install: bool = True
) -> SetupReport:
    """Set the addresses of all numbers, the size of the queue and the fallbacks.

    Report what cannot be done, and do the rest. Raises RequestFailed if the provider cannot be
    reached.
    """
    report = SetupReport()
    if not numbers:
        report.problems.append(Message("There is no line yet. Add one first."))
        return report
    at_provider = await platform.numbers()
    shown = set(at_provider) | await platform.caller_ids()
    fallbacks = {
        line.id: await _fallback(settings, platform, line, report, install=install)
        for line in {line.id: line for line in numbers.values()}.values()
    }
    for number, line in sorted(numbers.items()):
        known = at_provider.get(number)
        if known is None:
            report.problems.append(
                Message(
                    "%(number)s (%(line)s) is not a number of this account. Buy or port it there, "
                    "or change the numbers of the line.",
                    number=number,
                    line=line.name,
                )
            )
            continue
        voice = public(settings, "/telephony/voice")
        await platform.point_number(
            known.sid,
            voice=voice,
            fallback=fallbacks[line.id] or public(settings, "/telephony/voice/fallback"),
            status=public(settings, "/telephony/status"),
            sms=public(settings, "/telephony/sms"),
        )
        report.pointed.append(Pointed(number, known.voice_url, voice))
        report.done.append(
            Message(
                "%(number)s (%(line)s) leads to %(address)s.",
                number=number,
                line=line.name,
                address=settings.public_url,
            )
        )
    _name_hidden_numbers(numbers, shown, report)
    taken = await platform.set_up_waiting_room()
    if taken is not None:
        report.done.append(Message("The waiting room takes %(number)s callers.", number=taken))
    return report


async def _fallback(
    settings: Settings, platform: Platform, line: LineScript, report: SetupReport, *, install: bool
) -> str | None:
    """Write the fallback of a line and install it where the account allows. Return its address."""
    address = public(settings, "/telephony/voice")
    flow = fallback_flow(line, address, read_plan(line.plan).partner_number)
    folder = settings.data_dir / "fallback"
    _write(folder / f"{line.id}.flow.json", json.dumps(flow, indent=2, ensure_ascii=False))
    spoken = [one.language for one in line.languages]
    _write(folder / f"{line.id}.twiml.xml", fallback_twiml(address, spoken))
    if install:
        try:
            found = await platform.keep_flow(f"helpline {line.id}", flow)
        except CannotDo:
            pass
        except Refused as error:
            log().warning("the fallback could not be installed", area="telephony", code=error.code)
        else:
            report.done.append(Message("%(line)s has a fallback at the provider.", line=line.name))
            return found
    report.problems.append(
        Message(
            "The fallback of %(line)s is not installed. Your operator finds it on the server: "
            "import %(file)s.flow.json as a flow, or serve %(file)s.twiml.xml from other machines, "
            "and set its address as the number's \u201cPrimary handler fails\u201d.",
            line=line.name,
            file=f"{folder}/{line.id}",
        )
    )
    return None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _name_hidden_numbers(
    numbers: dict[str, LineScript], shown: set[str], report: SetupReport
) -> None:
    """Report the lines that show a number which the account may not show."""
    for line in {line.id: line for line in numbers.values()}.values():
        if line.shown_number not in shown:
            report.problems.append(
                Message(
                    "%(line)s shows %(number)s, which the account may not show. Verify it there, "
                    "or let the line show another number.",
                    line=line.name,
                    number=line.shown_number,
                )
            )
