"""A live helpline: server, worker and exchange on the real clock, with simulated people."""

import asyncio
import contextlib
import random
import signal
import webbrowser
from pathlib import Path
from typing import Any

from app.abilities import EndpointKind
from app.clock import Clock
from app.demo.agencies import furnish
from app.demo.children import SAID
from app.demo.counsellor import Counsellor
from app.demo.first_minutes import play_first_minutes
from app.demo.people import ACCOUNTS, COLLEAGUES, PASSWORD, WRITES, add_people, signed_in
from app.demo.served import free_port
from app.demo.short_deadlines import shorten_deadlines
from app.demo.stage import API_KEY, LINE, Stage
from app.demo.writing import a_child
from app.demo.writing_hour import take_and_answer
from app.jobs.transaction import transaction
from app.practice import voices
from app.practice.exchange import Number
from app.practice.legs import Leg
from app.practice.people import Caller, Phone
from app.reading_settings import with_generated_secrets
from app.retention.data_requests import preparing
from app.safekeeping.backups.places import BackupRefused
from app.settings import Settings
from app.staff import accounts
from app.work import PROGRAM, Ground

NAME = next(iter(ACCOUNTS))
# Where the calls of the person at the desk ring if there is no sound for a telephone in the page.
ANAS_PHONE = "+38164999000"
_MESSAGES_KEPT = 50


def run_live(url: str, folder: Path, port: int, clock: Clock) -> None:
    """Run until Ctrl-C."""
    rest_port = free_port()
    sound = voices.available()
    settings = with_generated_secrets(
        Settings(
            data_dir=folder,
            database_url=url,
            public_url=f"http://127.0.0.1:{port}",
            twilio_account_sid="AC" + "0" * 31 + "1",
            twilio_auth_token="practice-token",
            twilio_api_base_url=f"http://127.0.0.1:{rest_port}",
            telegram_api_base_url=f"http://127.0.0.1:{rest_port}",
            signal_service_url=f"http://127.0.0.1:{rest_port}",
            practice_exchange=f"http://127.0.0.1:{rest_port}",
            reach_own_network=True,
            wrap_up_seconds=20,
            long_wait_seconds=60,
            telephone_signalling=f"ws://127.0.0.1:{rest_port}" if sound else None,
            **API_KEY,
        )
    )
    stage = Stage(settings, clock, random.randrange(1 << 30))
    if sound:
        stage.addresses = voices.own_addresses()
    asyncio.run(_live(stage, rest_port))


async def _live(stage: Stage, rest_port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stage.exchange.sender.keep_sent = False
    await stage.start(rest_port)
    tasks: list[asyncio.Task[Any]] = []
    try:
        is_new = await _furnish(stage)
        tasks = [asyncio.create_task(_play(stage, is_new))]
        _say_what_to_do(stage)
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


_HEARD = """
  Then click Available and allow the microphone (a headset is best). Calls ring on your desk:
  press Enter to accept, and you hear the child. Speak: the child answers when you are silent."""
_NOT_HEARD = f"""
  Then click Available. A telephone with the number {ANAS_PHONE} rings for you and is answered after
  a few seconds, but you hear nothing: this machine has no sound for the practice exchange. Install
  the extra `demo` (pip install "helpline[demo]") to talk with the children in your browser."""


def _others() -> str:
    rows = [(name, role.value.replace("_", " ")) for name, role in ACCOUNTS.items()]
    return "\n".join(f"    {name:6} {role}" for name, role in rows)


def _say_what_to_do(stage: Stage) -> None:
    url = stage.settings.public_url
    print(
        f"\n  The desk:   {url}\n"
        f"  Sign in as  {NAME}   with password  {PASSWORD}\n"
        f"  The same password opens the other roles:\n{_others()}\n"
        "  The demo asks for no second factor. A helpline of your own asks every role for one,\n"
        "  until an administrator decides otherwise (Administration, Signing in).\n"
        f"{_HEARD if stage.exchange.voices is not None else _NOT_HEARD}\n"
        f"  The links that agencies got by SMS:  {url}/practice/agency-links\n"
        "  The letters D, H, M, E and R move to Decline, Hold, Mute, Hang up and Ready again;\n"
        "  Enter presses. Colleagues take calls as well; some children give up, some press the\n"
        "  danger key. Press Ctrl-C to stop.\n",
        flush=True,
    )
    with contextlib.suppress(webbrowser.Error):
        webbrowser.open(url)


async def _furnish(stage: Stage) -> bool:
    """Create the line and the people at the first start; return whether this is the first."""
    base = stage.settings.public_url
    stage.exchange.numbers[LINE] = Number(
        f"{base}/telephony/voice", f"{base}/telephony/voice/fallback", f"{base}/telephony/status"
    )
    await furnish(stage)
    await prepare_lists(stage.ground)
    stage.exchange.phones[COLLEAGUES[0][1]] = Phone(picks_up=3)
    is_new = not await stage.rows("SELECT 1 FROM lines")
    if is_new:
        await stage.add_line()
        await shorten_deadlines(stage)
    await stage.let_write()
    await add_people(stage)
    async with transaction(stage.ground, PROGRAM) as work:
        me = await accounts.find_by_name(work.session, NAME)
        assert me is not None
        if stage.exchange.voices is not None:
            me.endpoint_kind, me.endpoint = EndpointKind.BROWSER.value, None
        else:
            me.endpoint_kind, me.endpoint = EndpointKind.PHONE.value, ANAS_PHONE
            stage.exchange.phones[ANAS_PHONE] = Phone(picks_up=4)
    return is_new


async def prepare_lists(ground: Ground) -> None:
    """Prepare the folder of what is erased, if one is set: a person tries an erasure, too."""
    folder = ground.settings.erasure_folder
    if folder is None:
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        async with transaction(ground, PROGRAM) as work:
            await preparing.prepare(work)
    except (BackupRefused, OSError) as error:
        print(f"  What is erased cannot be listed: {error}", flush=True)


async def _play(stage: Stage, is_new: bool) -> None:
    """Let the people live until the task is cancelled."""
    if is_new:
        try:
            await play_first_minutes(stage)
        except Exception as error:
            # The rest of the demo is worth seeing without them.
            print(f"  The first minutes did not go as planned: {error}", flush=True)
    async with asyncio.TaskGroup() as group:
        for colleague in await signed_in(stage, *(name for name, _ in COLLEAGUES)):
            await colleague.start_telephone()
            await colleague.ask("PUT", "/me/presence", {"state": "available"})
            group.create_task(_colleague(stage, colleague))
            if colleague.staff.name == WRITES:
                group.create_task(_writes(stage, colleague))
        group.create_task(_writing_children(stage))
        group.create_task(_children(stage))


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


async def _writes(stage: Stage, me: Counsellor) -> None:
    """Write with children."""
    while True:
        await stage.clock.sleep(4)
        with contextlib.suppress(Exception):
            await take_and_answer(me)


async def _writing_children(stage: Stage) -> None:
    """Let children write, about one every forty seconds."""
    dice = random.Random()
    while True:
        stage.exchange.spawn(_writing_child(stage, dice))
        await stage.clock.sleep(dice.expovariate(1 / 40))


async def _writing_child(stage: Stage, dice: random.Random) -> None:
    """Write what a child has to say, line by line: the next one when the counsellor has written."""
    language = dice.choice(["sr", "en"])
    child, words = a_child(stage), list(dice.choice(SAID[language]))
    with contextlib.suppress(Exception):
        await child.open(language=language, danger=dice.random() < 0.1)
        await child.say(words.pop(0))
        answered = patience = 0
        while words and patience < 80:
            await stage.clock.sleep(dice.uniform(2, 4))
            if await child.phase() in ("ended", "closed"):
                return
            await child.ask("POST", "/conversation/seen", {"number": child.last})
            patience += 1
            written = sum(one["by"] == "counsellor" for one in child.read)
            if written == answered:
                continue
            answered, patience = written, 0
            await child.ask("POST", "/conversation/typing", {})
            await stage.clock.sleep(dice.uniform(2, 5))
            await child.say(words.pop(0))
        await stage.clock.sleep(20)
        await child.end()


async def _children(stage: Stage) -> None:
    """Let children ring, about one every ten seconds."""
    dice = random.Random()
    while True:
        stage.exchange.spawn(_child(stage, dice))
        await stage.clock.sleep(dice.expovariate(1 / 11))
        _forget_the_ended(stage)
        _forget_old_messages(stage)


async def _child(stage: Stage, dice: random.Random) -> None:
    number = dice.choice(["anonymous", f"+3816412{dice.randrange(10**5):05d}"])
    digit = dice.choices(["1", "2", "9", "5"], [60, 25, 8, 7])[0]
    language = "en" if digit == "2" else "sr"
    caller = Caller(
        message_seconds=dice.choice([0, 8]), speech=dice.choice(SAID[language]), language=language
    )
    leg = stage.ring(number, caller=caller)
    await stage.clock.sleep(dice.uniform(1, 6))
    if dice.random() < 0.12:
        await stage.exchange.hang_up(leg)
        return
    stage.exchange.press(leg, digit)
    patience, talk = dice.uniform(20, 180), dice.uniform(25, 120)
    waited = 0.0
    while waited < patience and stage.exchange.conferences.of_leg(leg) is None and not leg.over:
        await stage.clock.sleep(1)
        waited += 1
    if stage.exchange.conferences.of_leg(leg) is not None:
        await stage.clock.sleep(talk)
    while _is_heard(stage, leg):
        # A person talks with this child: the child says what they have to say.
        await stage.clock.sleep(2)
    await stage.exchange.hang_up(leg)


def _is_heard(stage: Stage, leg: Leg) -> bool:
    """Return whether a child who has more to say talks with a person at a page."""
    found, sound = stage.exchange.conferences.of_leg(leg), stage.exchange.voices
    if found is None or sound is None or leg.sid not in sound.mouths:
        return False
    at_a_page = any(sid in sound.lines for sid in found[0].participants)
    return at_a_page and not sound.mouths[leg.sid].finished


def _forget_old_messages(stage: Stage) -> None:
    """Keep the last messages to the invented agencies: the page of practice shows their links."""
    over = [sid for sid, one in stage.exchange.messages.items() if one.status == "delivered"]
    for sid in over[:-_MESSAGES_KEPT]:
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
