"""All who open what no role opens by itself, while what they need outside the program runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import Role
from app.telephony.inbound.sounds import waiting_sound
from tests.support.access.rows import chat_of
from tests.support.calls.engine import KEY, engine
from tests.support.identity.at_provider import a_provider
from tests.support.pages.by_provider import on_their_way
from tests.support.pages.by_secret import (
    of_calendars,
    of_children,
    of_directories,
    read_while_closed,
)
from tests.support.pages.held_now import held_now
from tests.support.pages.in_each_state import all_rows, in_new_states
from tests.support.pages.of_strangers import told_more
from tests.support.pages.ways import Way, by_route, with_cookie

_EVERY_LINE = "every-line/recordings/{recording}"


@asynccontextmanager
async def every_way(
    stage: Stage, people: dict[Role, Counsellor]
) -> AsyncIterator[dict[str, list[Way]]]:
    """Yield them by the route, while a provider of identities and an engine for translations run.

    They open what belongs to them; that other people do not, is in `Way.alone`.
    """
    await read_while_closed(stage)
    # On a break: who writes is not served by another counsellor, and by this one only if asked to.
    writer = await stage.add_counsellor("writer", state="break", chats=3)
    async with a_provider(stage) as city, engine() as translating:
        stage.settings.translation_url, stage.settings.translation_key = translating.url, KEY
        rows = await chat_of(stage, writer)
        persons = (await all_rows(stage))["person_id"]
        yield by_route(
            [
                *await held_now(stage, writer, rows),
                *await of_children(stage, writer, rows),
                *await of_calendars(stage),
                *await of_directories(stage, list(persons)[: in_new_states(persons)]),
                *await told_more(stage, people[Role.REFERRAL_OFFICER]),
                *await on_their_way(stage, city),
                *await _recorded_for_every_line(stage, people[Role.ADMINISTRATOR]),
            ]
        )
        stage.settings.translation_url = None


async def _recorded_for_every_line(stage: Stage, admin: Counsellor) -> list[Way]:
    base = stage.settings.public_url
    answer = await stage.client.post(
        f"{base}/admin/every-line/prompts/sr/hold",
        files={"sound": ("hold.wav", waiting_sound(), "audio/wav")},
        headers={"Cookie": admin.cookie_header, "Origin": base},
    )
    assert answer.status_code == 303, answer.text
    rows = await stage.rows("SELECT id, line_id FROM prompts WHERE audio IS NOT NULL")
    cookie = with_cookie(admin.cookie_header)
    return [
        Way(
            f"{where}/{_EVERY_LINE}",
            f"{where}/every-line/recordings/{row['id']}",
            cookie,
            answers,
            alone=False,
        )
        for row in rows
        for answers in [200 if row["line_id"] is None else 404]
        for where in ("/admin", "/api/v1")
    ]
