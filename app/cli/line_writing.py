"""`helpline line chat`, `telegram` and `signal`: whether and how children write to a line."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from app.calls.lines import chat_lines
from app.calls.states import Channel
from app.chats import accounts, fetched
from app.cli.lines import line_of
from app.cli.running import parts_of, run_verb
from app.work import Work

app = typer.Typer()
_ExitSite = Annotated[str | None, typer.Option(help="https://PAGE to which a child leaves at once")]
_ReportPage = Annotated[
    str | None, typer.Option(help="https://PAGE on which abuse material is reported; '' for none")
]
_Carriers = Annotated[
    str | None,
    typer.Option(help="carriers besides the page: sms,whatsapp,telegram,signal; '' for none"),
]


@app.command("chat")
def line_chat(
    number: str,
    on: Annotated[bool | None, typer.Option("--on/--off", help="children can write")] = None,
    slug: Annotated[
        str | None, typer.Option(help="its word in the address of the page; '' for none")
    ] = None,
    languages: Annotated[
        str | None, typer.Option(help="languages in which children write; '' for all of the line")
    ] = None,
    at_once: Annotated[
        int | None, typer.Option(help="the most conversations of a counsellor at once")
    ] = None,
    reserve: Annotated[
        int | None, typer.Option(help="available counsellors who are kept for calls")
    ] = None,
    reserve_seconds: Annotated[
        int | None, typer.Option(help="seconds for which they are kept, from a child's arrival")
    ] = None,
    sites: Annotated[
        str | None, typer.Option(help="https://SITES that may show the page; '' for none")
    ] = None,
    exit_site: _ExitSite = None,
    title: Annotated[
        str | None, typer.Option(help="what the browser calls the page; '' for a neutral word")
    ] = None,
    icon: Annotated[str | None, typer.Option(help="page, sun, star or ball")] = None,
    report_page: _ReportPage = None,
    by: _Carriers = None,
    media: Annotated[str | None, typer.Option(help="what they bring: picture,voice")] = None,
    templates: Annotated[
        str | None, typer.Option(help="approved WhatsApp messages: sr=HX...; '' for none")
    ] = None,
) -> None:
    """Show or change whether and how children write to a line."""

    async def verb(work: Work) -> str:
        rules = await chat_lines.change_chat(
            work,
            await line_of(work, number),
            on=on,
            slug=slug,
            languages=None if languages is None else parts_of(languages),
            at_once=at_once,
            reserve=reserve,
            reserve_seconds=reserve_seconds,
            sites=None if sites is None else parts_of(sites),
            exit_site=exit_site,
            title=title,
            icon=icon,
            report_page=report_page,
            by=None if by is None else parts_of(by),
            media=None if media is None else parts_of(media),
            templates=None if templates is None else parts_of(templates),
        )
        return json.dumps(asdict(rules))

    print(run_verb(verb))


@app.command("telegram")
def line_telegram(
    number: str,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="read the token of a bot from standard input")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="take the bot away")] = False,
) -> None:
    """Show, set or remove the bot by which children write to a line with Telegram."""
    token = sys.stdin.readline().strip() if token_stdin else None

    async def verb(work: Work) -> str:
        line = await line_of(work, number)
        if remove:
            await accounts.remove(work, line, Channel.TELEGRAM)
            return "The bot is removed."
        if token is not None:
            await accounts.set_token(work, line, Channel.TELEGRAM, token)
        bot = await accounts.account_of(work, line.id, Channel.TELEGRAM)
        if bot is None:
            return "This line has no bot."
        return json.dumps({"name": bot.name, "state": bot.state, "problem": bot.problem})

    print(run_verb(verb))


@app.command("signal")
def line_signal(
    number: str,
    to: Annotated[
        str | None, typer.Option("--to", help="+NUMBER that the service for Signal plays")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="take the number away")] = False,
    put_away: Annotated[
        bool, typer.Option("--put-away", help="end the alarm for messages that cannot be read")
    ] = False,
) -> None:
    """Show, set or remove the number by which children write to a line with Signal."""

    async def verb(work: Work) -> str:
        line = await line_of(work, number)
        if put_away:
            count = await fetched.put_away(work, line, Channel.SIGNAL)
            return f"Put away: {count}."
        if remove:
            await accounts.remove(work, line, Channel.SIGNAL)
            return "The number is removed."
        if to is not None:
            await accounts.set_token(work, line, Channel.SIGNAL, to)
        row = await accounts.account_of(work, line.id, Channel.SIGNAL)
        if row is None:
            return "This line has no number in Signal."
        return json.dumps({"name": row.name, "state": row.state, "problem": row.problem})

    print(run_verb(verb))
