"""`helpline line …`: the numbers that children ring, and what is heard there."""

import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app.administration import line_changes
from app.calls import key_questions, prompts
from app.calls.lines import (
    finding_lines,
    line_facts,
    line_languages,
    line_use,
    lines,
    partner_doubts,
)
from app.calls.lines.line_facts import LineHasCalls
from app.calls.speech import LineScript
from app.cli.running import parts_of, run_verb
from app.errors import NotFound
from app.routing import changing_plans, partners
from app.routing.plan import check_skills, read_plan
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="Lines: the numbers that children ring.")


async def line_of(work: Work, number: str) -> LineScript:
    """Return the line with this number. Raises NotFound."""
    line = await finding_lines.line_of_number(work, number)
    if line is None:
        raise NotFound(f"There is no line {number}. Add it with: helpline line add {number}")
    return line


_SECONDS = "seconds from the caller's arrival"
_WITHOUT_PARTNER = (
    "This line has no partner any more: its number was the telephone of a person who has left. "
    "A caller whom no counsellor takes waits on, or is asked for a voice message. Set another one "
    "with: helpline line plan {0} --partner-number +NUMBER, or say that none is wanted with: "
    "--partner-number ''. Then run: helpline telephony setup"
)


def _instant(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


_PartnerNumber = Annotated[str | None, typer.Option(help="+NUMBER of another service; '' for none")]
_ConfirmPartner = Annotated[
    str | None, typer.Option(help="the +NUMBER of the partner, to confirm it while in doubt")
]
_RingAtOnce = Annotated[
    int | None, typer.Option(help="counsellors to ring at once for a child in danger")
]
_LongestWait = Annotated[
    int | None, typer.Option(help="seconds of waiting after which an alarm is raised")
]
_MessageWait = Annotated[
    int | None,
    typer.Option(help="seconds after which a message that no person took raises an alarm"),
]
_CallbackWait = Annotated[
    int | None,
    typer.Option(help="seconds after the agreed time at which a call-back raises an alarm"),
]


@app.command("plan")
def line_plan(
    number: str,
    backup_after: Annotated[int | None, typer.Option(help=_SECONDS)] = None,
    supervisor_after: Annotated[int | None, typer.Option(help=_SECONDS)] = None,
    on_call_after: Annotated[int | None, typer.Option(help=_SECONDS)] = None,
    any_skill_after: Annotated[
        int | None, typer.Option(help="seconds until the line's skills are no longer required")
    ] = None,
    preferred_for: Annotated[
        int | None,
        typer.Option(help="seconds that a caller waits for the counsellor they asked for"),
    ] = None,
    partner_after: Annotated[int | None, typer.Option(help=_SECONDS)] = None,
    partner_number: _PartnerNumber = None,
    confirm_partner: _ConfirmPartner = None,
    ring_at_once: _RingAtOnce = None,
    night_from: Annotated[
        int | None, typer.Option(help="hour of the day from which no call-back is made")
    ] = None,
    night_until: Annotated[
        int | None, typer.Option(help="hour of the day until which no call-back is made")
    ] = None,
    longest_wait: _LongestWait = None,
    message_wait: _MessageWait = None,
    callback_wait: _CallbackWait = None,
    priority: Annotated[
        int | None, typer.Option(help="seconds by which its callers are ahead of others")
    ] = None,
    skills: Annotated[
        str | None, typer.Option(help="skills that its calls need: violence,lgbt:2")
    ] = None,
) -> None:
    """Show or change a line's plan: who else is offered a call as it waits, and what calls need."""

    async def verb(work: Work) -> str:
        line = await line_of(work, number)
        plan = await changing_plans.change_plan(
            work,
            line,
            backup_after=backup_after,
            supervisor_after=supervisor_after,
            on_call_after=on_call_after,
            any_skill_after=any_skill_after,
            preferred_for=preferred_for,
            partner_after=partner_after,
            partner_number=partner_number,
            confirm_partner=confirm_partner,
            ring_at_once=ring_at_once,
            night_from=night_from,
            night_until=night_until,
            longest_wait=longest_wait,
            message_wait=message_wait,
            callback_wait=callback_wait,
            priority=priority,
            skills=None if skills is None else check_skills(parts_of(skills)),
        )
        return json.dumps(asdict(plan))

    print(run_verb(verb))


@app.command("key-questions")
def line_key_questions(
    number: str,
    questions: Annotated[
        str | None, typer.Option(help="codes in their order, such as safe,hurt; '' for none")
    ] = None,
) -> None:
    """Show or set the questions by key that a line asks of a caller who cannot speak."""

    async def verb(work: Work) -> str:
        line = await line_of(work, number)
        if questions is None:
            return ",".join(key_questions.questions_of(line))
        return ",".join(await key_questions.set_questions(work, line, parts_of(questions)))

    print(run_verb(verb))


@app.command("add")
def add_line(
    number: str,
    name: Annotated[str, typer.Option()] = "Child helpline",
    country: Annotated[str, typer.Option(help="two letters")] = "RS",
    languages: Annotated[str, typer.Option(help="the first is spoken if none is chosen")] = "sr,en",
    timezone: Annotated[str, typer.Option()] = "Europe/Belgrade",
    practice: Annotated[
        bool, typer.Option("--practice", help="for training; left out of statistics")
    ] = False,
    leads_here: Annotated[
        str, typer.Option(help="for a short NUMBER: the provider's +NUMBERS behind it")
    ] = "",
    shown: Annotated[
        str, typer.Option(help="+NUMBER that phones of counsellors and agencies show")
    ] = "",
) -> None:
    """Add a line."""

    async def verb(work: Work) -> str:
        line = await lines.add_line(
            work,
            number=number,
            name=name,
            country=country,
            languages=parts_of(languages),
            timezone=timezone,
            practice=practice,
            leads_here=parts_of(leads_here),
            shown_number=shown or None,
        )
        return str(line.id)

    print(run_verb(verb))


@app.command("prompt")
def set_prompt(
    key: Annotated[str, typer.Argument(help="the prompt; an unknown key lists them all")],
    language: Annotated[str, typer.Option()],
    line: Annotated[str, typer.Option(help="+NUMBER; default: every line")] = "",
    text: Annotated[str | None, typer.Option(help="text to be spoken")] = None,
    file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False)] = None,
) -> None:
    """Change what callers hear: a text, or an MP3 or WAV file."""
    kinds = {".mp3": "audio/mpeg", ".wav": "audio/wav"}

    async def verb(work: Work) -> None:
        await prompts.set_prompt(
            work,
            line=await line_of(work, line) if line else None,
            language=language,
            key=key,
            text=text,
            audio=file.read_bytes() if file else None,
            audio_type=kinds.get(file.suffix.lower()) if file else None,
        )

    run_verb(verb)


@app.command("prompt-back")
def take_back(
    key: str,
    language: Annotated[str, typer.Option()],
    line: Annotated[str, typer.Option(help="+NUMBER; default: every line")] = "",
) -> None:
    """Undo the last change of what callers hear; up to five changes are kept."""

    async def verb(work: Work) -> None:
        where = await line_of(work, line) if line else None
        await prompts.take_back(work, where, language, key)

    run_verb(verb)


@app.command("prompt-program")
def use_words_of_program(
    key: str,
    language: Annotated[str, typer.Option()],
    line: Annotated[str, typer.Option(help="+NUMBER; default: every line")] = "",
) -> None:
    """Remove the prompt of a line, or of every line: callers hear the shipped text again."""

    async def verb(work: Work) -> None:
        where = await line_of(work, line) if line else None
        await prompts.use_words_of_program(work, where, language, key)

    run_verb(verb)


@app.command("change")
def change_line(
    number: str,
    new_number: Annotated[str | None, typer.Option("--number", help="what children dial")] = None,
    country: Annotated[str | None, typer.Option(help="two letters")] = None,
    timezone: Annotated[str | None, typer.Option(help="such as Europe/Belgrade")] = None,
    practice: Annotated[
        bool | None, typer.Option("--practice/--real", help="whether figures leave it out")
    ] = None,
) -> None:
    """Change the number, the country or the time zone of a line, or whether it is for practice."""

    async def verb(work: Work) -> None:
        try:
            await line_facts.change_facts(
                work,
                await line_of(work, number),
                number=new_number,
                country=country,
                timezone=timezone,
                practice=practice,
            )
        except LineHasCalls:
            raise LineHasCalls(
                f"The line {number} has had calls, so it stays real, or for practice. "
                "Add another one."
            ) from None

    run_verb(verb)


@app.command("retire")
def retire_line(number: str) -> None:
    """Take a line out of use; callers who wait in it are still answered."""

    async def verb(work: Work) -> None:
        await line_use.retire(work, (await line_of(work, number)).id)

    run_verb(verb)


@app.command("take-into-use")
def take_into_use(number: str) -> None:
    """Take a retired line back into use, with its numbers."""

    async def verb(work: Work) -> bool:
        retired = await line_use.retired_lines(work)
        found = next((one for one in retired if one.number == number), None)
        if found is None:
            raise NotFound(f"There is no retired line {number}.")
        await line_use.take_into_use(work, found.id)
        return found.partner_lost_at is not None

    if run_verb(verb):
        print(_WITHOUT_PARTNER.format(number), file=sys.stderr)


@app.command("list")
def list_lines(
    retired: Annotated[bool, typer.Option("--retired", help="those that are not in use")] = False,
) -> None:
    """List the lines in use, as one line of JSON each."""

    async def verb(work: Work) -> list[str]:
        found = await (line_use.retired_lines(work) if retired else finding_lines.all_lines(work))
        return [
            json.dumps(
                {
                    "number": one.number,
                    "name": one.name,
                    "country": one.country,
                    "timezone": one.timezone,
                    "opening_hours": one.opening_hours,
                    "practice": one.practice,
                    "partner_lost_at": _instant(one.partner_lost_at),
                },
                ensure_ascii=False,
            )
            for one in found
        ]

    for said in run_verb(verb):
        print(said)


@app.command("show")
def show_line(
    number: str,
    prompts_in: Annotated[
        str, typer.Option("--prompts", help="a language: also what is heard in it")
    ] = "",
) -> None:
    """Show a line with its languages, numbers and plan, as JSON."""

    async def verb(work: Work) -> str:
        row, line = await finding_lines.read_line(work, (await line_of(work, number)).id)
        shown = {
            "number": row.number,
            "name": row.name,
            "country": row.country,
            "timezone": row.timezone,
            "opening_hours": row.opening_hours,
            "practice": row.practice,
            "languages": {one.digit: one.language for one in line.languages},
            "leads_here": await finding_lines.numbers_behind(work, line),
            "shown_number": row.shown_number,
            "plan": asdict(read_plan(line.plan)),
            "partner_in_doubt": await partner_doubts.is_in_doubt(work, row),
            "partner_lost_at": _instant(row.partner_lost_at),
            "partner_of_leaver": await partners.is_of_leaver(work, read_plan(line.plan)),
        }
        if prompts_in:
            shown["prompts"] = {
                one.key: {"text": one.text, "source": one.source, "earlier": one.earlier}
                for one in await prompts.heard_of(work, line, prompts_in)
            }
        return json.dumps(shown, ensure_ascii=False)

    print(run_verb(verb))


@app.command("rename")
def rename(number: str, name: str) -> None:
    """Give a line the name that its callers hear in the greeting."""

    async def verb(work: Work) -> None:
        await lines.rename(work, await line_of(work, number), name)

    run_verb(verb)


@app.command("language")
def add_language(
    number: str,
    language: Annotated[str, typer.Argument(help="a code like sr; it needs words and a voice")],
    remove: Annotated[bool, typer.Option(help="take it from the line instead")] = False,
) -> None:
    """Add a language to a line, or remove one; the next caller meets the change.

    Callers who have chosen a removed language keep it.
    """

    async def verb(work: Work) -> str:
        line = await line_of(work, number)
        if remove:
            await line_languages.remove_language(work, line, language)
            return f"The next caller is not offered {language}."
        digit = await line_languages.add_language(work, line, language)
        return f"The digit {digit} of the menu chooses it."

    print(run_verb(verb))


@app.command("hours")
def set_hours(
    number: str,
    hours: Annotated[str, typer.Argument(help="24/7, or Mo-Fr 08:00-20:00; PH off")],
) -> None:
    """Set when a line should be staffed; times in it without a shift are reported as uncovered."""

    async def verb(work: Work) -> None:
        await lines.set_opening_hours(work, await line_of(work, number), hours)

    run_verb(verb)


@app.command("numbers")
def line_numbers_of(
    number: str,
    leads_here: Annotated[
        str | None, typer.Option(help="the provider's +NUMBERS, comma-separated")
    ] = None,
    shown: Annotated[
        str | None, typer.Option(help="+NUMBER that counsellors and agencies see; '' for its own")
    ] = None,
) -> None:
    """Change which of the provider's numbers lead to a line, and which number phones show."""

    async def verb(work: Work) -> None:
        line = await line_of(work, number)
        leads = None if leads_here is None else parts_of(leads_here)
        await lines.change_numbers(work, line, leads_here=leads, shown_number=shown)

    run_verb(verb)


@app.command("changes")
def list_changes(number: str) -> None:
    """List the last changes of a line, the newest first, as one line of JSON each."""

    async def verb(work: Work) -> list[str]:
        line = await line_of(work, number)
        return [
            json.dumps(
                {
                    "id": one.id,
                    "at": one.at.isoformat(),
                    "by": one.by,
                    "part": one.part,
                    "carrier": one.carrier,
                    "before": one.before,
                    "after": one.after,
                    "can_be_taken_back": one.can_be_taken_back,
                    "why_not": str(one.why_not) if one.why_not is not None else None,
                },
                ensure_ascii=False,
            )
            for one in await line_changes.changes_of(work, line.id)
        ]

    for said in run_verb(verb):
        print(said)


@app.command("back")
def take_change_back(
    number: str,
    change: Annotated[int, typer.Argument(help="the id, from `helpline line changes`")],
) -> None:
    """Put in force again what was before a change of a line, unless it has changed since."""

    async def verb(work: Work) -> None:
        await line_changes.take_back(work, (await line_of(work, number)).id, change)

    run_verb(verb)
