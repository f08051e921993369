"""Children who write: on the page of the line, by SMS, WhatsApp and Telegram, with what they send
along; and the people who answer them."""

from typing import Any
from uuid import uuid4

import httpx2

from app.demo.stage import LINE
from app.demo.writing import WritingChild
from app.practice.people import Phone
from app.practice.telegram import Bot
from app.practice.texts import WHATSAPP
from tests.support.documents.files import jpeg, voice_note
from tests.support.leaks.night import Night, ask
from tests.support.leaks.searching import TELEGRAMS, TEXTS, WHATSAPPS, said
from tests.support.waiting import until

Client = httpx2.AsyncClient


async def let_write(night: Night) -> Bot:
    """Let children write to the line by every carrier."""
    carriers = ("--by", "sms,whatsapp,telegram", "--media", "picture,voice")
    await night.run("line", "chat", LINE, "--on", "--at-once", "5", "--languages", "en", *carriers)
    for address in (TEXTS, WHATSAPP + WHATSAPPS):
        night.exchange.phones[address] = Phone()
    bot = night.exchange.telegram.make_bot()
    await night.run("line", "telegram", LINE, "--token-stdin", given=bot.token + "\n")
    return bot


async def taken(client: Client, number: int) -> list[dict[str, Any]]:
    """Accept conversations as they are offered, until there are this many."""

    async def mine() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await ask(client, "GET", "/chats/mine")
        for one in found:
            if one["state"] == "open":
                await client.post(f"/offers/{one['offer_id']}/accept")
        return found if sum(one["state"] != "open" for one in found) >= number else []

    found: list[dict[str, Any]] = await until(mine, within=60)
    return found


async def write_by_all(night: Night, bot: Bot, client: Client, boss: Client) -> None:
    """Let a child write by each way, and people answer, whisper and read along."""
    exchange, telegram = night.exchange, night.exchange.telegram
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as page:
        page.event_hooks["response"].append(night.note)
        child = WritingChild(night.base, page)
        assert (await child.open(language="en")).status_code == 201
        assert (await child.say(said("web"))).status_code == 200
        exchange.texts.write(TEXTS, LINE, said("sms"))
        sender, to = WHATSAPP + WHATSAPPS, WHATSAPP + LINE
        exchange.texts.write(sender, to, f"{said('whatsapp')} kill me", name=said("profile"))
        more: dict[str, Any] = {
            "from": {"id": TELEGRAMS, "is_bot": False, "first_name": said("first-name")}
        }
        telegram.write(bot, TELEGRAMS, said("telegram"), **more)
        talks = await taken(client, 4)
        await child.ask("POST", "/conversation/letters", {"on": True})
        await child.ask("POST", "/conversation/typing", {"text": said("typed")})
        picture = ("image/jpeg",)
        for from_, number in ((TEXTS, LINE), (sender, to)):
            content = jpeg() + said("media").encode()
            exchange.texts.write(from_, number, said("mms"), media=picture, files=(content,))
        telegram.send_file(bot, TELEGRAMS, "photo", jpeg(), caption=said("caption"))
        telegram.send_file(bot, TELEGRAMS, "voice", voice_note(said("voice-note")))
        for one in talks:
            at = f"/chats/{one['call_id']}/messages"
            await ask(client, "POST", at, {"text": said("reply"), "client_key": uuid4().hex})
            whisper = {"text": said("whisper"), "client_key": uuid4().hex, "kind": "whisper"}
            await ask(boss, "POST", at, whisper)
        await _all_read(client, talks)
        await child.look()
        for one in talks:
            await ask(client, "POST", f"/chats/{one['call_id']}/end")
        await child.ask("POST", "/conversation/feedback", {"helped": True, "again": True})


async def _all_read(client: Client, talks: list[dict[str, Any]]) -> None:
    """Wait until each picture is fetched, and open it; every message is seen."""
    wanted = {"picture": 3, "voice": 1}

    async def kept() -> list[str]:
        found = []
        for one in talks:
            messages = await ask(client, "GET", f"/chats/{one['call_id']}/messages")
            found += [m for message in messages for m in message["media"]]
        there = [one for one in found if one["state"] == "kept"]
        return [one["id"] for one in there] if len(there) >= sum(wanted.values()) else []

    for media in await until(kept, within=60, every=0.5):
        assert (await client.get(f"/chats/media/{media}")).status_code == 200
    for one in talks:
        at = f"/chats/{one['call_id']}"
        last = (await ask(client, "GET", f"{at}/messages"))[-1]
        await ask(client, "POST", f"{at}/seen", {"number": last["number"]})


async def leave_written_message(night: Night) -> None:
    """A child that finds no counsellor leaves its words, and comes back with its code."""
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as page:
        page.event_hooks["response"].append(night.note)
        child = WritingChild(night.base, page)
        await child.open(language="en")
        assert (await child.say(said("before"))).status_code == 200
        left = {"text": said("left"), "client_key": uuid4().hex}
        answer = await child.ask("POST", "/conversation/message", left)
        assert answer.status_code == 200, answer.text
        back = await child.ask("POST", "/return", {"code": answer.json()["code"]})
        assert back.status_code == 200, back.text
