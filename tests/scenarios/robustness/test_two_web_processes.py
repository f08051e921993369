"""Two web processes beside each other: each learns at once of what was changed at the other."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from app.demo.counsellor import start_silent_telephone
from app.demo.stage import LINE
from tests.support.definitions.sets import with_short_form, zipped
from tests.support.processes import ready, true
from tests.support.profile import nightly
from tests.support.sharing.pair import Pair, pair_in
from tests.support.waiting import until

# Part of what a caller hears whom no person of the rota can understand.
CLOSED = "Savetnici sada nisu tu"
PAGE_WORDS = b'msgid "Languages"\nmsgstr "Jezici sveta"\n'
NEW_GREETING = "Dobar dan, ovo je"
TOLD = f"""
msgctxt "prompts.greeting"
msgid "Hi, this is {{line}}."
msgstr "{NEW_GREETING} {{line}}."
"""
_PO = {"content-type": "text/x-gettext-translation"}


@nightly
@pytest.mark.timeout(600)
async def test_each_of_two_web_processes_learns_of_what_the_other_one_changes(
    new_folder: Callable[[], Path], anyio_backend: str
) -> None:
    async with pair_in(new_folder()) as pair:
        await _lines_numbers_and_words(pair)
        await _a_call_that_is_taken_at_the_other_process(pair)
        await _a_live_stream_until_its_person_signs_out(pair)
        await _guesses_are_counted_together(pair)
        await _all_end_with_their_parent_and_are_served_again(pair)


@nightly
@pytest.mark.timeout(600)
async def test_each_of_two_web_processes_goes_by_the_rules_and_rights_that_the_other_one_changes(
    new_folder: Callable[[], Path], anyio_backend: str
) -> None:
    async with pair_in(new_folder()) as pair:
        await _the_form_of_the_next_contact(pair)
        await _which_numbers_are_dialled(pair)
        await _languages_people_and_channels(pair)
        await _what_is_told(pair)
        await _tokens_accounts_and_sign_ins(pair)


async def _lines_numbers_and_words(pair: Pair) -> None:
    first, second = pair.at["mila"]
    (line,) = (await first.get(f"{pair.api}/lines")).json()
    at, other = f"{pair.api}/lines/{line['id']}", "+381113334444"

    async def changed(method: str, path: str, body: Any, number: str, words: str) -> None:
        answer = await first.request(method, at + path, json=body)
        assert answer.status_code < 300, answer.text
        await until(lambda: _says(pair, number, words), words, every=0.02, within=5)

    assert "Nova" not in await pair.greeting(LINE), "it is remembered from now on"
    await changed("PATCH", "", {"name": "Nova linija"}, LINE, "Nova linija")
    await changed("PATCH", "/numbers", {"leads_here": [other]}, other, "Nova linija")
    await changed(
        "PUT", "/prompts/sr/greeting", {"text": "Zdravo, ovo je proba."}, LINE, "ovo je proba"
    )
    changes = (await first.get(f"{at}/changes")).json()
    of_numbers = next(one for one in changes if one["part"] == "numbers")
    back = await second.post(f"{at}/changes/{of_numbers['id']}/back")
    assert back.status_code == 204, back.text
    assert (await first.get(at)).json()["leads_here"] == []
    chosen = await first.put(f"{pair.api}/me/page-language", json={"language": "sr"})
    assert chosen.status_code == 204
    page = f"{pair.program.base}/admin/lines/{line['id']}"
    url = f"{pair.api}/languages/sr/pages"
    assert (await first.post(url, content=PAGE_WORDS, headers=_PO)).status_code == 201

    async def shown() -> bool:
        return "Jezici sveta" in (await second.get(page)).text

    await until(shown, "a translation", within=20)


async def _says(pair: Pair, number: str, words: str) -> bool:
    return words in await pair.greeting(number)


async def _the_form_of_the_next_contact(pair: Pair) -> None:
    """New contacts of the second process have the new form, whole; one from before keeps its own.

    It opens them all the time: none is written half under each.
    """
    (mila, _), (first, second) = pair.at["mila"], pair.at["ana"]

    async def opened(client: httpx2.AsyncClient) -> Any:
        made = await client.post(f"{pair.api}/contacts", json={"channel": "email"})
        assert made.status_code == 201, made.text
        read = await client.get(f"{pair.api}/contacts/{made.json()['id']}")
        assert read.status_code == 200, read.text
        return read.json()

    before = await opened(second)
    files, zip_of = zipped(dict(with_short_form())), {"content-type": "application/zip"}
    url = f"{pair.api}/definitions/sets"
    sent = await mila.post(url, params={"name": "autumn"}, content=files, headers=zip_of)
    assert sent.status_code == 201, sent.text
    there, over = list[Any](), asyncio.Event()

    async def go_on() -> None:
        while not over.is_set():
            there.append(await opened(second))

    going = asyncio.create_task(go_on())
    path = f"{url}/{sent.json()['id']}/put-in-force"
    ordered = await mila.post(path, json={"accept": True})
    assert ordered.status_code == 201, ordered.text

    def is_new() -> bool:
        return going.done() or (bool(there) and there[-1]["form"] == "brief")

    await until(is_new, "the new form", within=10)
    over.set()
    await going
    forms = [one["form"] for one in there]
    assert forms == sorted(forms, reverse=True), "once it has the new one, it has no other"
    for one in (before, *there[-3:], await opened(first)):
        # Both processes open it, and write in it.
        read = [
            (await client.get(f"{pair.api}/contacts/{one['id']}")) for client in (first, second)
        ]
        assert [(got.status_code, got.json()["form"]) for got in read] == [(200, one["form"])] * 2
        path = "note.line" if one["form"] == "brief" else "contact.headline"
        change = {"path": path, "value": "Mirno", "base": 0}
        url = f"{pair.api}/contacts/{one['id']}/answers"
        saved = await second.put(url, json={"changes": [change]})
        assert (saved.status_code, saved.json()["refused"]) == (200, {}), saved.text


async def _which_numbers_are_dialled(pair: Pair) -> None:
    first, second = pair.at["mila"]
    (line,) = (await second.get(f"{pair.api}/lines")).json()

    async def is_dialled() -> bool:
        answers = [
            await second.patch(f"{pair.api}/lines/{line['id']}/plan", json={"partner_number": one})
            for one in ("+4930901820", "")
        ]
        assert answers[0].status_code in (200, 422), answers[0].text
        assert answers[1].status_code == 200
        return answers[0].status_code == 200

    async def is_not() -> bool:
        return not await is_dialled()

    assert not await is_dialled()
    for countries, truth in ((["DE"], is_dialled), ([], is_not)):
        done = await first.put(f"{pair.api}/dialling", json={"countries": countries})
        assert done.status_code == 200, done.text
        await until(truth, str(countries), every=0.02, within=5)


async def _languages_people_and_channels(pair: Pair) -> None:
    first, second = pair.at["mila"]
    (line,) = (await first.get(f"{pair.api}/lines")).json()
    at = f"{pair.api}/lines/{line['id']}"
    assert 'language="en' in await pair.greeting(LINE)
    gone = await first.delete(f"{at}/languages/en")
    assert gone.status_code == 204, gone.text

    async def says_no_english() -> bool:
        return 'language="en' not in await pair.greeting(LINE)

    await until(says_no_english, "one language", every=0.02, within=5)
    added = await first.post(f"{at}/languages", json={"language": "en"})
    assert added.status_code == 201, added.text
    await until(lambda: _says(pair, LINE, 'language="en'), "a language", every=0.02, within=5)
    assert CLOSED not in await pair.answer_to(LINE, "1")
    for spoken, is_closed in ((["en"], True), (["sr"], False)):
        people = (await second.get(f"{pair.api}/people")).json()
        ana = next(one for one in people if one["name"] == "ana")
        change = {"languages": spoken, "revision": ana["revision"]}
        done = await first.post(f"{pair.api}/people/{ana['id']}", json=change)
        assert done.status_code == 200, done.text

        async def is_told(wanted: bool = is_closed) -> bool:
            return (CLOSED in await pair.answer_to(LINE, "1")) is wanted

        await until(is_told, str(spoken), every=0.02, within=5)
    child = f"{pair.program.base}/chat/proba"

    async def is_open(wanted: bool) -> bool:
        page = await second.get(child)
        return (page.status_code == 200) is wanted

    assert await is_open(False)
    for on in (True, False):
        settings = {"on": on, "slug": "proba" if on else "", "languages": ["sr"] if on else []}
        done = await first.patch(f"{at}/chat", json=settings)
        assert done.status_code == 200, done.text
        await until(lambda on=on: is_open(on), f"writing {on}", every=0.02, within=5)


async def _what_is_told(pair: Pair) -> None:
    """A catalogue of prompts and letters."""
    first, _ = pair.at["mila"]
    assert NEW_GREETING not in await pair.greeting(LINE)
    url = f"{pair.api}/languages/sr/prompts-and-letters"
    imported = await first.post(url, content=TOLD.encode(), headers=_PO)
    assert imported.status_code == 201, imported.text
    await until(lambda: _says(pair, LINE, NEW_GREETING), "a greeting", every=0.05, within=20)


async def _tokens_accounts_and_sign_ins(pair: Pair) -> None:
    (first, second), (_, there) = pair.at["mila"], pair.at["nino"]
    made = await first.post(f"{pair.api}/tokens", json={"name": "bi", "scopes": ["statistics"]})
    bearer = {"Authorization": f"Bearer {made.json()['token']}"}
    figures = f"{pair.api}/statistics/dictionary"

    async def opens() -> int:
        return (await second.get(figures, headers=bearer)).status_code

    assert await opens() == 200
    assert (await first.delete(f"{pair.api}/tokens/bi")).status_code == 204
    assert await opens() == 401, "it is read each time"
    people = (await second.get(f"{pair.api}/people")).json()
    one = next(person for person in people if person["name"] == "nino")
    me = f"{pair.api}/me"
    assert (await there.get(me)).json()["role"] == "counsellor"
    changed = await first.post(
        f"{pair.api}/people/{one['id']}", json={"role": "auditor", "revision": one["revision"]}
    )
    assert changed.status_code == 200, changed.text

    async def role_there() -> bool:
        got = await there.get(me)
        return got.status_code == 401 or got.json()["role"] == "auditor"

    await until(role_there, every=0.02, within=3)
    refused = await there.post(f"{pair.api}/contacts", json={"channel": "email"})
    assert refused.status_code in (401, 403)


async def _a_call_that_is_taken_at_the_other_process(pair: Pair) -> None:
    first, second = pair.at["ana"]

    async def offered(state: str) -> Any:
        answer = await second.get(f"{pair.api}/offers/mine")
        found = answer.json() if answer.status_code == 200 else []
        return [one for one in found if one["state"] == state]

    await start_silent_telephone(pair.exchange, first, pair.program.base)
    free = await first.put(f"{pair.api}/me/presence", json={"state": "available"})
    assert free.status_code == 200
    leg = pair.exchange.ring("+381641234567", LINE)
    await until(lambda: true(leg.heard))
    pair.exchange.press(leg, "1")
    (offer,) = await until(lambda: offered("open"))
    taken = await second.post(f"{pair.api}/offers/{offer['id']}/accept")
    assert taken.status_code == 200
    await until(lambda: offered("connected"))
    await pair.exchange.hang_up(leg)

    async def ended() -> bool:
        calls = (await pair.at["mila"][0].get(f"{pair.api}/calls")).json()["calls"]
        return any(one["outcome"] == "answered" for one in calls)

    await until(ended)


async def _a_live_stream_until_its_person_signs_out(pair: Pair) -> None:
    (first, second), heard = pair.at["ana"], list[str]()

    async def listen() -> None:
        # A connection of its own, which either process takes.
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
            client.cookies = second.cookies
            async with client.stream("GET", f"{pair.api}/events") as stream:
                async for line in stream.aiter_lines():
                    heard.append(line)

    listening = [asyncio.create_task(listen()) for _ in range(6)]
    await until(lambda: sum("everything" in one for one in heard) == len(listening))
    hours = {"opening_hours": "Mo-Su 08:00-20:00"}
    (line,) = (await pair.at["mila"][0].get(f"{pair.api}/lines")).json()
    await pair.at["mila"][0].patch(f"{pair.api}/lines/{line['id']}", json=hours)
    await until(lambda: sum('"lines"' in one for one in heard) >= len(listening))
    assert (await first.delete(f"{pair.api}/session")).status_code == 204

    async def is_out() -> bool:
        return (await second.get(f"{pair.api}/me")).status_code == 401

    await until(is_out, every=0.02, within=5)
    await asyncio.wait_for(asyncio.gather(*listening), 10)


async def _guesses_are_counted_together(pair: Pair) -> None:
    """Ten a minute of a name, whichever process is asked."""
    guess = {"username": "olga", "password": "wrong wrong wrong"}
    said = [
        (await pair.at["mila"][number % 2].post(f"{pair.api}/session", json=guess)).status_code
        for number in range(12)
    ]
    assert said == [401] * 10 + [429] * 2


async def _all_end_with_their_parent_and_are_served_again(pair: Pair) -> None:
    """As if the system had killed it for want of memory."""
    assert pair.program.process is not None
    parent = pair.program.process
    children = psutil.Process(parent.pid).children()
    assert len(children) == 3
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(10)
    _gone, alive = await asyncio.to_thread(psutil.wait_procs, children, 20)
    assert alive == []
    pair.program.serve("--workers", "2")
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as client:
        await ready(client, pair.program.base)
