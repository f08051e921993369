"""A live helpline: server, worker and exchange on the real clock, with simulated people."""

import asyncio
import contextlib
import random
import signal
import webbrowser
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.clock import Clock
from app.demo.agencies import furnish
from app.demo.stage import LINE, Counsellor, Stage, free_port
from app.jobs.transaction import transaction
from app.practice.exchange import Number
from app.practice.parties import Caller, Phone
from app.settings import Settings, with_generated_secrets
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import PROGRAM

NAME, PASSWORD = "ana", "plavi-telefon"
# Simulated colleagues: one with a phone at home, two with browsers.
COLLEAGUES = (("vera (phone)", "+38164999001"), ("boris", "browser"), ("mira", "browser"))


def run_live(url: str, folder: Path, port: int, clock: Clock) -> None:
    """Run until Ctrl-C."""
    rest_port = free_port()
    settings = with_generated_secrets(
        Settings(
            data_dir=folder,
            database_url=url,
            public_url=f"http://127.0.0.1:{port}",
            twilio_account_sid="AC" + "0" * 31 + "1",
            twilio_auth_token="practice-token",
            twilio_api_base_url=f"http://127.0.0.1:{rest_port}",
            wrap_up_seconds=20,
            long_wait_seconds=60,
        )
    )
    asyncio.run(_live(Stage(settings, clock, random.randrange(1 << 30)), rest_port))


async def _live(stage: Stage, rest_port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stage.exchange.sender.keep_sent = False
    await stage.start(rest_port)
    tasks: list[asyncio.Task[Any]] = []
    try:
        colleagues = await _furnish(stage)
        tasks = [asyncio.create_task(_colleague(stage, c)) for c in colleagues]
        tasks.append(asyncio.create_task(_children(stage)))
        _say_what_to_do(stage.settings.public_url)
        await stop.wait()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # All callers hang up, so that the next start finds no dead calls.
        for leg in list(stage.exchange.legs.values()):
            if leg.direction == "inbound" and not leg.over:
                with contextlib.suppress(Exception):
                    await stage.exchange.hang_up(leg)
        await asyncio.sleep(1)
        await stage.stop()
        print("\nThe demo has stopped. Its data is kept.", flush=True)


def _say_what_to_do(url: str) -> None:
    print(
        f"\n  The board:  {url}\n"
        f"  Sign in as  {NAME}   with password  {PASSWORD}\n\n"
        "  Then click Available. Calls ring on your board: press A to accept, D to decline,\n"
        "  H to hold, E to hang up, R when you are ready again. Colleagues take calls as well;\n"
        "  some children give up, some press the danger key. Press Ctrl-C to stop.\n",
        flush=True,
    )
    with contextlib.suppress(webbrowser.Error):
        webbrowser.open(url)


async def _furnish(stage: Stage) -> list[Counsellor]:
    """Create the line and the people at the first start, or find them later; sign them in."""
    base = stage.settings.public_url
    stage.exchange.numbers[LINE] = Number(
        f"{base}/telephony/voice", f"{base}/telephony/voice/fallback", f"{base}/telephony/status"
    )
    await furnish(stage)
    stage.exchange.phones[COLLEAGUES[0][1]] = Phone(picks_up=3)
    if not await stage.rows("SELECT 1 FROM lines"):
        await stage.add_line()
        ana = await stage.add_counsellor(NAME, role=Role.SUPERVISOR, state=None)
        async with transaction(stage.ground, PROGRAM) as work:
            staff = await work.session.get(Staff, ana.id)
            assert staff is not None
            staff.password_hash = await accounts.hash_password(PASSWORD)
        for name, endpoint in COLLEAGUES:
            await stage.add_counsellor(name, endpoint=endpoint, state=None)
    async with transaction(stage.ground, PROGRAM) as work:
        names = [name for name, _ in COLLEAGUES]
        people = list(await work.session.scalars(select(Staff).where(Staff.name.in_(names))))
    colleagues = [Counsellor(stage, person) for person in people]
    for colleague in colleagues:
        await colleague.sign_in()
        await colleague.ask("PUT", "/me/presence", {"state": "available"})
    return colleagues


async def _colleague(stage: Stage, me: Counsellor) -> None:
    """Take calls after some seconds; miss one now and then, and come back."""
    dice = random.Random()
    while True:
        await stage.clock.sleep(2)
        with contextlib.suppress(Exception):
            offer = await me.offer()
            if offer is None and await me.presence() == "away":
                await me.ask("PUT", "/me/presence", {"state": "available"})
            if offer is not None and offer["state"] == "open" and offer["endpoint"] == "browser":
                await stage.clock.sleep(dice.uniform(2, 9))
                if dice.random() < 0.9:
                    await me.ask("POST", f"/offers/{offer['id']}/accept")
            if offer is not None and offer["state"] == "connected" and offer["danger"]:
                # A second referral to the same service is refused.
                body = {"service": dice.choice(["shelter", "child_protection"])}
                await me.ask("POST", f"/calls/{offer['call_id']}/urgent", body)
            if offer is not None and offer["state"] == "connected" and dice.random() < 0.03:
                await me.ask("POST", f"/calls/{offer['call_id']}/hang-up")


async def _children(stage: Stage) -> None:
    """Let children ring, about one every ten seconds."""
    dice = random.Random()
    while True:
        stage.exchange.spawn(_child(stage, dice))
        await stage.clock.sleep(dice.expovariate(1 / 11))
        _forget_the_ended(stage)
        _show_messages(stage)


async def _child(stage: Stage, dice: random.Random) -> None:
    number = dice.choice(["anonymous", f"+3816412{dice.randrange(10**5):05d}"])
    caller = Caller(message_seconds=dice.choice([0, 8]))
    leg = stage.ring(number, caller=caller)
    await stage.clock.sleep(dice.uniform(1, 6))
    if dice.random() < 0.12:
        await stage.exchange.hang_up(leg)
        return
    stage.exchange.press(leg, dice.choices(["1", "2", "9", "5"], [60, 25, 8, 7])[0])
    patience, talk = dice.uniform(20, 180), dice.uniform(25, 120)
    waited = 0.0
    while waited < patience and stage.exchange.conferences.of_leg(leg) is None and not leg.over:
        await stage.clock.sleep(1)
        waited += 1
    if stage.exchange.conferences.of_leg(leg) is not None:
        await stage.clock.sleep(talk)
    await stage.exchange.hang_up(leg)


def _show_messages(stage: Stage) -> None:
    """Print the messages to the invented agencies, so that their links can be opened."""
    for sid, message in list(stage.exchange.messages.items()):
        if message.status == "delivered":
            print(
                f"  SMS to an agency ({message.to}):\n    " + message.body.replace("\n", "\n    ")
            )
            del stage.exchange.messages[sid]


def _forget_the_ended(stage: Stage) -> None:
    """Forget old legs and conferences, so that a demo that runs all day does not grow."""
    exchange = stage.exchange
    for sid in [leg.sid for leg in exchange.legs.values() if leg.over][:-200]:
        del exchange.legs[sid]
    ended = [c.sid for c in exchange.conferences.all.values() if c.status == "completed"]
    for sid in ended[:-100]:
        del exchange.conferences.all[sid]
    exchange.faults[:] = exchange.faults[-100:]
