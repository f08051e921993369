"""Children write with Telegram to the bot of a line, which an administrator has set up."""

import asyncio
from typing import Any

import pytest

from app.calls.lines import finding_lines
from app.calls.states import CallState, Channel
from app.chats import accounts
from app.demo.stage import LINE, Stage
from app.jobs.transaction import transaction
from app.practice.knobs import Trouble
from app.practice.telegram import SECRET, Bot
from app.staff.roles import Role
from app.telephony.messaging.telegram.bot_api import BotApi
from app.work import PROGRAM
from tests.support.children.who_text import (
    PERSON,
    has_bot,
    says,
    takes,
    takes_texts,
    writer,
    written,
)
from tests.support.mail import Mail
from tests.support.profile import by_day, nightly
from tests.support.referrals import page

# By day the one that leaves the bot as it was led, so that each try has to look.
_FAILS: tuple[tuple[Trouble, str], ...] = (
    ("fail", "setWebhook"),
    ("refuse", "getWebhookInfo"),
    ("accept_and_time_out", "setWebhook"),
)
NUMBERS = "SELECT id, state, caller_kind, language FROM calls ORDER BY opened_at"


def read(bot: Bot) -> list[str]:
    return [one.text for one in bot.chats[PERSON].texts]


async def test_a_child_writes_to_a_bot_and_stops_it(stage: Stage) -> None:
    await takes_texts(stage, "telegram")
    bot, telegram = await has_bot(stage), stage.exchange.telegram
    ana = await writer(stage)
    # The button with which it begins is no word; the conversation waits for a counsellor.
    telegram.write(bot, PERSON, "/start", language="en")
    await stage.advance(2)
    assert [one.split(".")[0] for one in read(bot)] == ["We have your message"]
    call_id = await takes(stage, ana)
    # The database is away for a moment: Telegram brings it again, in its order.
    stage.exchange.knobs.turn("disconnect", "/telephony/telegram", times=2)
    long = "Zz" + "a" * 4094
    said = telegram.write(bot, PERSON, "Dobro sam")
    telegram.write(bot, PERSON, long)
    telegram.edit(bot, said, "Nisam dobro")
    telegram.write(bot, PERSON, sticker={"emoji": "😢"})
    telegram.write(bot, PERSON, photo=[{"file_id": "x"}], caption="Vidi")
    await stage.advance(8)
    found = (await ana.ask("GET", f"/chats/{call_id}/messages")).json()
    words = [one["text"] for one in found if one["author"] == "child"]
    assert words == ["Dobro sam", long[:4000], long[4000:], "Nisam dobro", "😢", "Vidi"]
    assert {one["sent_at"] for one in found if one["author"] == "child"} == {None}, "at once"
    assert sum("cannot get pictures" in one for one in read(bot)) == 1
    assert not [one for one in stage.exchange.asked if "getFile" in one[1]]
    # The child gives a number to be rung at, and goes on writing to where it was.
    (row,) = await stage.rows(NUMBERS)
    assert (row["caller_kind"], row["language"]) == ("written", "en")
    telegram.write(bot, PERSON, "064 765 4321")
    await stage.advance(2)
    (number,) = await stage.rows("SELECT max(number) AS last FROM chat_messages")
    values = {"day": "2030-01-14", "begins": "14:00", "ends": "16:00", "safe": "true"}
    at = f"/board/chats/{call_id}/ring/{number['last']}"
    assert "Call-back agreed" in (await page(stage, ana, at, **values)).text
    await says(stage, ana, call_id, "Zovemo te u dva.")
    await stage.advance(2)
    assert read(bot)[-1] == "Zovemo te u dva."
    # A child who stops the bot wants no more messages.
    telegram.stop(bot, PERSON)
    await stage.advance(2)
    assert (await stage.rows(NUMBERS))[0]["state"] == CallState.ENDED
    assert await stage.rows("SELECT FROM chat_opt_outs WHERE channel = 'telegram'")
    await stage.advance(31)
    # A child who writes again is answered; one who stops it meanwhile is known by the refusal.
    telegram.write(bot, PERSON, "Ipak bih da pišem")
    await stage.advance(4)
    again = await takes(stage, ana)
    bot.chats[PERSON].blocked = True
    await says(stage, ana, again, "Tu sam")
    await stage.advance(4)
    assert (await written(stage, again))[-1] == ("counsellor", "opted_out", False)
    assert stage.exchange.faults == []


async def test_only_telegram_is_heard_and_only_people(stage: Stage) -> None:
    await takes_texts(stage, "telegram")
    bot, telegram = await has_bot(stage), stage.exchange.telegram
    update: dict[str, Any] = {"update_id": 1, "message": {"text": "x"}}
    update["message"]["chat"] = update["message"]["from"] = {"id": 1, "type": "private"}
    other = bot.url[:-1] + ("0" if bot.url[-1] != "0" else "1")
    for url, secret in ((bot.url, ""), (bot.url, bot.secret + "x"), (other, bot.secret)):
        answer = await stage.client.post(url, json=update, headers={SECRET: secret})
        assert answer.status_code == 403
    for body in (b"no json", b"[]", b'{"update_id":"1","message":{"chat":7}}'):
        answer = await stage.client.post(bot.url, content=body, headers={SECRET: bot.secret})
        assert answer.status_code == 200, "it would come again for ever"
    telegram.write(bot, PERSON, "u grupi", chat={"id": -100, "type": "supergroup"})
    by_bot: dict[str, Any] = {"from": {"id": PERSON, "is_bot": True}}
    telegram.write(bot, PERSON, "od bota", **by_bot)
    telegram.write(bot, PERSON, pinned_message={})
    await stage.advance(3)
    assert await stage.rows(NUMBERS) == []


async def test_who_leads_the_bot_elsewhere_is_noticed_and_told_of(stage: Stage, post: Mail) -> None:
    await takes_texts(stage, "telegram")
    bot = await has_bot(stage)
    await stage.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await stage.change_rows("UPDATE staff SET email = 'vera@x.example' WHERE name = 'vera'")
    stage.settings.smtp_url = post.url
    ours, log = bot.url, "SELECT subject FROM audit_entries WHERE action = 'line_account_elsewhere'"

    async def look(seconds: float = 1) -> None:
        await stage.change_rows(
            "UPDATE chat_accounts SET asked_at = asked_at - interval '10m',"
            " set_at = set_at - interval '20m'"
        )
        await accounts.ask_again(stage.ground)
        await stage.advance(seconds)
        assert bot.url == ours

    await look()
    assert (await stage.rows(log), post.messages) == ([], [])
    # A person who has the token lets another program ask for messages, or have them brought to it.
    for found, elsewhere in enumerate(("", "https://example.org/other"), start=1):
        bot.url = elsewhere
        await look()
        assert len(await stage.rows(log)) == len(post.messages) == found
    # So it is where Telegram fails once meanwhile, or has done it and does not say so in time.
    for fails, method in by_day(_FAILS):
        bot.url, found = "https://example.org/other", found + 1
        stage.exchange.knobs.turn(fails, f"/telegram/{method}", times=1, seconds=1.5)
        await look(8)
        assert len(await stage.rows(log)) == len(post.messages) == found, fails
    said = "What children wrote to the bot of the line at Telegram went"
    assert [to for to, text in post.messages if said in text] == ["vera@x.example"] * found


@nightly
async def test_an_administrator_sets_a_bot_up_and_takes_it_away(stage: Stage) -> None:
    await takes_texts(stage, "sms")
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    (line,) = await stage.rows("SELECT id FROM lines")
    at, api = f"/admin/lines/{line['id']}", f"/lines/{line['id']}/telegram"
    bot = stage.exchange.telegram.make_bot()
    assert "This is no token" in (await page(stage, mila, f"{at}/telegram", token="x")).text
    strange = bot.token[:-1] + "9"
    assert (await page(stage, mila, f"{at}/telegram", token=strange)).status_code == 303
    await stage.advance(1)
    assert "does not know the token" in (await page(stage, mila, at)).text
    assert (await mila.ask("PUT", api, {"token": bot.token})).status_code == 200
    await stage.advance(1)
    view = (await mila.ask("GET", api)).json()
    assert (view["name"], view["state"], view["problem"]) == (bot.name, "registered", None)
    shown = (await page(stage, mila, at)).text
    assert f"https://t.me/{bot.name}" in shown
    assert bot.token not in shown + str(view)
    # Another program took the messages: within the hour they come here again.
    ours, bot.url = bot.url, "https://example.org/other"
    await stage.change_rows(
        "UPDATE chat_accounts SET asked_at = asked_at - interval '1h',"
        " set_at = set_at - interval '2h'"
    )
    await stage.advance(65)
    assert bot.url == ours
    # While the line does not take them, Telegram keeps them.
    await mila.ask("PATCH", f"/lines/{line['id']}/chat", {"by": ["sms"]})
    await stage.advance(1)
    assert (await mila.ask("GET", api)).json()["state"] == "paused"
    stage.exchange.telegram.write(bot, PERSON, "Ima li koga?")
    await mila.ask("PATCH", f"/lines/{line['id']}/chat", {"by": ["sms", "telegram"]})
    await stage.advance(2)
    assert len(await stage.rows(NUMBERS)) == 1
    assert (await mila.ask("DELETE", api)).status_code == 204
    await stage.advance(1)
    assert (bot.url, await stage.rows("SELECT FROM chat_accounts")) == ("", [])
    assert (await mila.ask("GET", api)).status_code == 404
    rows = await stage.rows("SELECT detail::text AS said FROM audit_entries")
    assert not [row for row in rows if bot.token[-30:] in row["said"]]
    kinds = await stage.rows(
        "SELECT action FROM audit_entries WHERE action LIKE 'line_account%%' ORDER BY id"
    )
    changed = ["line_account_set"] * 2 + ["line_account_elsewhere", "line_account_removed"]
    assert [row["action"] for row in kinds] == changed


# By day `tests/telephony/messaging/test_setting_up.py` has an answer about an earlier token.
@nightly
async def test_a_bot_that_is_removed_and_added_again_is_heard_whichever_comes_last(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await takes_texts(stage, "telegram")
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    (line,) = await stage.rows("SELECT id FROM lines")
    api, bot = f"/lines/{line['id']}/telegram", await has_bot(stage)
    assert (await mila.ask("GET", api)).json()["name"] == bot.name
    before, at_once = bot.url, BotApi.bring_nowhere

    async def late(api_of_bot: BotApi) -> None:
        """Reach Telegram only after the bot was added again and registered."""
        monkeypatch.setattr(BotApi, "bring_nowhere", at_once)
        async with transaction(stage.ground, PROGRAM) as work:
            script = await finding_lines.line_of_id(work, line["id"])
            assert script is not None
            await accounts.set_token(work, script, Channel.TELEGRAM, bot.token)
        while bot.url == before:
            await asyncio.sleep(0.01)
        await api_of_bot.bring_nowhere()
        assert bot.url == ""

    monkeypatch.setattr(BotApi, "bring_nowhere", late)
    assert (await mila.ask("DELETE", api)).status_code == 204
    await stage.advance(2)
    (account,) = await stage.rows("SELECT id, state FROM chat_accounts")
    assert (bot.url.endswith(str(account["id"])), account["state"]) == (True, "registered")
    stage.exchange.telegram.write(bot, PERSON, "Ima li koga?")
    await stage.advance(2)
    assert len(await stage.rows(NUMBERS)) == 1


async def test_by_the_bot_and_the_page_of_a_retired_line_no_child_writes_until_it_is_used_again(
    stage: Stage,
) -> None:
    await stage.add_line("+381113334444", "sr", "Druga linija")
    await takes_texts(stage, "telegram")
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    bot = await has_bot(stage)
    (line,) = await stage.rows(f"SELECT id FROM lines WHERE number = '{LINE}'")
    child_page = f"{stage.settings.public_url}/chat/{LINE.lstrip('+')}"
    assert (await stage.client.get(child_page)).status_code == 200
    assert (await mila.ask("POST", f"/lines/{line['id']}/retire")).status_code == 204
    await stage.advance(2)
    (account,) = await stage.rows("SELECT state FROM chat_accounts")
    assert (account["state"], bot.url) == ("paused", "")
    assert (await stage.client.get(child_page)).status_code == 404
    assert (await mila.ask("POST", f"/lines/{line['id']}/take-into-use")).status_code == 204
    await stage.advance(2)
    (account,) = await stage.rows("SELECT state FROM chat_accounts")
    assert account["state"] == "registered"
    assert bot.url != ""
    assert (await stage.client.get(child_page)).status_code == 200


@nightly
async def test_a_conversation_with_the_bot_goes_on_when_its_line_is_retired(stage: Stage) -> None:
    await stage.add_line("+381113334444", "sr", "Druga linija")
    await takes_texts(stage, "telegram")
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    bot, telegram = await has_bot(stage), stage.exchange.telegram
    ana = await writer(stage)
    telegram.write(bot, PERSON, "Zdravo", language="en")
    await stage.advance(2)
    call_id = await takes(stage, ana)
    (line,) = await stage.rows(f"SELECT id FROM lines WHERE number = '{LINE}'")
    assert (await mila.ask("POST", f"/lines/{line['id']}/retire")).status_code == 204
    await stage.advance(2)
    # Telegram brings one message after the other: that of another child is heard, too, and left.
    other = PERSON + 1
    telegram.write(bot, other, "Ima li koga?", language="en")
    telegram.write(bot, PERSON, "Tu sam")
    await stage.advance(3)
    found = (await ana.ask("GET", f"/chats/{call_id}/messages")).json()
    assert [one["text"] for one in found if one["author"] == "child"] == ["Zdravo", "Tu sam"]
    await says(stage, ana, call_id, "I ja sam tu.")
    await stage.advance(2)
    assert read(bot)[-1] == "I ja sam tu."
    assert "No counsellor is here now" in bot.chats[other].texts[-1].text
    (left,) = (await ana.ask("GET", "/chats/left")).json()
    assert left["call_id"] != str(call_id)
    # With no more conversations of the line, Telegram keeps what is written.
    (account,) = await stage.rows("SELECT state FROM chat_accounts")
    assert account["state"] == "registered"
    (await ana.ask("POST", f"/chats/{call_id}/end")).raise_for_status()
    await stage.change_rows(
        "UPDATE chat_accounts SET asked_at = asked_at - interval '1h',"
        " set_at = set_at - interval '2h'"
    )
    await stage.advance(65)
    (account,) = await stage.rows("SELECT state FROM chat_accounts")
    assert (account["state"], bot.url) == ("paused", "")
