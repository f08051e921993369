"""A helpline decides times and limits itself; the next call goes by them, in every process."""

import asyncio
from datetime import time, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.administration import own_settings, undoing
from app.administration.own_settings import OF_SERVER, OWN
from app.administration.undoing import Scene
from app.contacts.cases.follow_ups import country_rules
from app.dashboard.settings.own_setting_pages import GROUPS
from app.dashboard.settings.server_words import WORDS
from app.database.bus import Bus
from app.definitions import in_force
from app.definitions.own_values import OWN_LENGTHS, OWN_NUMBERS, OWN_TIMES, OWN_VALUES
from app.demo.stage import LINE, Stage
from app.errors import ChangedMeanwhile, Invalid, Message, Share
from app.jobs.transaction import flush
from app.routing.rota import own_rules
from app.routing.rota.proposals.limits import read_limits
from app.settings import Settings
from app.staff.audit import write_entry
from app.staff.emergency_rows import Emergency
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry
from app.staff.roles import Role
from app.statistics.counting.kept_targets import keep_short_abandon, short_abandons_of
from app.statistics.facts.questions import Planning, read_questions
from app.statistics.planning.own_planning import planning_of
from app.statistics.planning.planning import Writing, words_of
from app.words import pages
from app.work import Work, make_ground
from tests.support.referrals import page
from tests.support.verbs import logged
from tests.support.waiting import until

# What belongs to the server, and would be no decision of a helpline; a new setting is put here or
# into `OF_SERVER`.
SERVERS = {
    *("env", "data_dir", "database_url", "migration_database_url", "public_url", "secret_key"),
    *("field_keys", "keeper_socket", "trusted_proxies", "reach_own_network", "telephony_platform"),
    *("twilio_account_sid", "twilio_auth_token", "twilio_previous_auth_token"),
    *("twilio_api_base_url", "twilio_api_key_sid", "twilio_api_key_secret", "telephone_edges"),
    *("codes_by_telephone", "codes_by_mail"),
    *("telephone_signalling", "practice_exchange", "telegram_api_base_url", "twilio_timeout"),
    *("heartbeat_seconds", "silence_seconds", "signal_service_url", "signal_timeout"),
    "telegram_timeout",
    *("translation_url", "translation_key", "translation_timeout"),
    *("longest_leg_seconds", "calls_per_second", "callback_gateway", "definitions_dir"),
    *("scan_command", "leaked_passwords", "monitoring_token", "monitoring_port"),
    *("monitoring_host", "smtp_url", "push_services", "anchor_file", "anchor_mail"),
    *("anchor_time_stamp_url", "anchor_time_stamp_certificate", "backup_target"),
    *("backup_database_url", "backup_recipients", "backup_keep", "backup_hours"),
    *("backup_log_seconds", "erasure_target", "erasure_days", "log_level"),
    # The rules of retention decide about numbers, with this as their beginning.
    "number_retention_days",
}


def test_each_setting_is_decided_on_the_page_or_belongs_to_the_server() -> None:
    assert set(Settings.model_fields) == SERVERS | set(OF_SERVER)
    assert not SERVERS & set(OF_SERVER)
    assert set(WORDS) == SERVERS, "the page says in words what stays with the server"
    assert sorted(name for words in GROUPS.values() for name in words) == sorted(OWN)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("offer_seconds", 4),
        ("offer_seconds", 121),
        ("offer_seconds", "twenty"),
        ("callback_from", "0800"),
        ("callback_from", "+38112"),
        ("heartbeat_seconds", 60),
        ("short_abandon_seconds", 61),
        ("public_period", "week"),
        ("rest_daily_hours", 24),
        ("planning_target_percent", 100),
        ("secret_key", "x" * 40),
        ("no such", 1),
        # One document must fit, and a hidden page is heard once a minute.
        ("document_megabytes_per_case", 9),
        ("document_megabytes_per_day", 9),
        ("long_wait_seconds", 7200),
        # Against the longest week of the country, and its usual one.
        ("week_usual_hours", 168),
        ("week_most_hours", 1),
        ("chat_silence_seconds", 59),
        ("night_from", "at ten"),
        ("night_until", "06:00:30"),
        ("night_until", "22:00"),
        ("follow_up_reminds_at", 9),
        ("duty_lengths_hours", "8 8"),
        ("duty_lengths_hours", "0.5"),
        ("duty_lengths_hours", "8 7 6 5 4 3 2"),
        ("duty_lengths_hours", "eight"),
        ("separation_follow_up_days", 0),
    ],
)
async def test_what_is_out_of_bounds_or_the_servers_is_refused(
    work: Work, name: str, value: int | str
) -> None:
    with pytest.raises(Invalid):
        await own_settings.change(work, {"wrap_up_seconds": 30, name: value})
    assert not any(one.is_own for one in (await own_settings.read_own(work)).settings)


async def test_a_setting_is_given_back_and_a_late_change_is_refused(work: Work) -> None:
    first = await own_settings.change(work, {"offer_seconds": "30", "wrap_up_seconds": 0})
    assert (first.values["offer_seconds"], first.values["wrap_up_seconds"]) == (30, 0)
    with pytest.raises(ChangedMeanwhile):
        await own_settings.change(work, {"offer_seconds": 40}, revision=0)
    same = await own_settings.change(work, {"offer_seconds": 30}, revision=first.revision)
    assert same.revision == first.revision, "nothing was changed"
    back = await own_settings.change(work, {"offer_seconds": None}, revision=first.revision)
    assert back.values["offer_seconds"] == own_settings.of_server(work.ground).offer_seconds
    assert [one.name for one in back.settings if one.is_own] == ["wrap_up_seconds"]


async def test_an_administrator_decides_how_long_the_next_call_rings(stage: Stage) -> None:
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    ana = await stage.add_counsellor("ana")
    assert 'value=""' in (await page(stage, mila, "/admin/settings")).text
    form = dict.fromkeys(OWN, "") | {"revision": "0"}
    wrong = await page(stage, mila, "/admin/settings", **form | {"offer_seconds": "4"})
    assert "rings at one counsellor: write a whole number from 5 to 120." in wrong.text
    assert 'value="4"' in wrong.text, "what was typed stays"
    decided = form | {"offer_seconds": "35", "callback_from": "(011) 123 4567"}
    stage.exchange.caller_ids.add("+381111234567")
    saved = await page(stage, mila, "/admin/settings", **decided)
    assert "The settings are saved." in saved.text
    assert "Understood as +381 11 1234567, Serbia." in saved.text
    assert "0 to 23. The definitions of the country say 11." in saved.text
    assert "The mail server, and the sender of letters <small><code>HELPLINE_SMTP_URL" in saved.text
    assert "Another person" in (await page(stage, mila, "/admin/settings", **decided)).text
    await until(lambda: stage.ground.settings.offer_seconds == 35)
    assert stage.ground.settings.callback_from == "+381111234567"

    stage.ring()
    await stage.until(lambda: stage.rows("SELECT id FROM offers"), what="it rings")
    (offer,) = await stage.rows("SELECT expires_at, opened_at FROM offers")
    assert (offer["expires_at"] - offer["opened_at"]).total_seconds() == 35

    shown = (await mila.ask("GET", "/settings")).json()
    back = {"revision": shown["revision"], "decided": {"offer_seconds": None}}
    assert (await ana.ask("PUT", "/settings", back)).status_code == 403
    assert (await mila.ask("PUT", "/settings", back)).status_code == 200
    await until(lambda: stage.ground.settings.offer_seconds == 20)
    log = await stage.rows(
        "SELECT detail FROM audit_entries WHERE action = 'settings_changed' ORDER BY id"
    )
    assert log[0]["detail"]["before"] == {"offer_seconds": 20, "callback_from": None}
    assert log[0]["detail"]["after"] == {"offer_seconds": 35, "callback_from": "+381111234567"}
    assert log[1]["detail"]["after"] == {"offer_seconds": 20}


async def test_a_call_back_shows_a_number_of_the_helpline_alone(stage: Stage) -> None:
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    form = dict.fromkeys(OWN, "") | {"revision": "0", "callback_from": "+381641234567"}
    refused = await page(stage, mila, "/admin/settings", **form)
    assert "+381641234567 is neither the number of a line nor one" in refused.text
    body = {"decided": {"callback_from": "+381641234567"}}
    answer = await mila.ask("PUT", "/settings", body)
    assert (answer.status_code, answer.json()["error"]) == (422, "Invalid")
    assert await stage.rows("SELECT * FROM own_settings") == []
    stage.exchange.caller_ids.add("+381641234567")
    assert (await mila.ask("PUT", "/settings", body)).status_code == 200, "verified there"
    body = {"decided": {"callback_from": LINE}}
    stage.exchange.caller_ids.clear()
    assert (await mila.ask("PUT", "/settings", body)).status_code == 200, "a line's own"
    (row,) = await stage.rows("SELECT decided FROM own_settings")
    assert row["decided"] == {"callback_from": LINE}


async def test_another_process_works_by_a_change_and_the_target_has_a_history(stage: Stage) -> None:
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    other = make_ground(stage.settings, stage.clock)
    bus = Bus(other.database.url)
    watching = asyncio.create_task(own_settings.watch(other, bus))
    try:
        async with bus.running():
            await asyncio.wait_for(bus.ready.wait(), 10)
            body = {"decided": {"service_level_seconds": 45}}
            assert (await mila.ask("PUT", "/settings", body)).status_code == 200
            await until(lambda: other.settings.service_level_seconds == 45)
    finally:
        watching.cancel()
        await other.database.close()
    targets = await stage.rows("SELECT seconds FROM service_targets ORDER BY since")
    assert [row["seconds"] for row in targets][-1] == 45


async def test_rest_and_planning_go_by_what_is_decided_and_back_to_the_country(work: Work) -> None:
    ground = work.ground

    def in_force_now() -> tuple[Any, ...]:
        rules = own_rules.rest_rules(ground), own_rules.usual_week(ground), planning_of(ground)
        return *rules, country_rules(ground)

    theirs = in_force_now()
    assert (theirs[0].daily_hours, theirs[0].source) == (11, "Directive 2003/88/EC")
    shown = {one.name: one for one in (await own_settings.read_own(work)).settings}
    assert (shown["rest_daily_hours"].server, shown["rest_daily_hours"].of_country) == (11, True)
    assert shown["planning_shrinkage_percent"].value == 30
    assert (shown["night_from"].server, shown["night_from"].of_country) == ("22:00", True)
    assert shown["duty_lengths_hours"].value == "8 6 4"
    wanted: dict[str, int | str] = {
        **dict.fromkeys(OWN_NUMBERS, 20),
        **dict.fromkeys(OWN_TIMES, "21:30"),
        "night_until": "05:30",
        **dict.fromkeys(OWN_LENGTHS, "12  6,5"),
        "duty_begins_every_minutes": 60,
    }
    await own_settings.change(work, wanted)
    await own_settings.learn(work)
    rest, week = own_rules.rest_rules(ground), own_rules.usual_week(ground)
    planned = planning_of(ground)
    assert (rest.daily_hours, rest.weekly_hours, rest.source) == (20, 20, "")
    assert (week.most_hours, week.usual_hours, week.looked_back_weeks) == (20, 20, 20)
    assert week.lengths == [timedelta(hours=12), timedelta(hours=6, minutes=30)]
    assert (week.night_from, week.night_until, week.begins_every_minutes) == (
        time(21, 30),
        time(5, 30),
        60,
    )
    country = country_rules(ground)
    assert (country.reminds_at, country.separation_follow_up_days) == (time(21, 30), 20)
    assert planned == Planning(
        at_least=20, shrinkage=0.2, target_share=0.2, patience_seconds=20, slowdown=0.2
    ), "each number is decided"
    assert (await read_limits(work)).rules == rest
    kind, said = logged(work)[-1]
    assert kind == AuditLog.SETTINGS_CHANGED
    assert isinstance(said, dict)
    assert said["before"]["rest_daily_hours"] == 11
    assert set(said["after"]) == set(OWN_VALUES)
    await own_settings.change(work, dict.fromkeys(OWN_VALUES))
    await own_settings.learn(work)
    assert in_force_now() == theirs


async def test_a_share_of_the_country_is_said_to_its_part_and_as_its_reader_writes(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = read_questions(in_force.folder_of(work.ground))
    theirs = asked.planning.model_copy(update={"shrinkage": 0.325})
    changed = asked.model_copy(update={"planning": theirs})
    monkeypatch.setattr(own_settings, "read_questions", lambda folder: changed)
    known = {one.name: one.server for one in (await own_settings.read_own(work)).settings}
    assert known["planning_shrinkage_percent"] == 32.5
    assert str(known["planning_target_percent"]) == "80"
    said = words_of(theirs, 20, Writing(3, 2), 1.52)
    assert any("shrinkage of 32.5%)" in str(one) for one in said)
    with pages.spoken_in("mk"):
        values = [pages.message_words(Message("%(x)s", x=x)) for x in (Share(0.325), Share(0.8))]
        read = " ".join(pages.message_words(one) for one in said)
    assert [one.replace("\xa0", " ") for one in values] == ["32,5 %", "80 %"]
    assert "32,5" in read
    assert "1,5" in read
    assert "1.5" not in read
    assert "80%" not in read
    assert "32,5%" not in read


async def test_a_setting_that_is_none_any_more_is_left_out_when_the_others_go_back(
    work: Work,
) -> None:
    await own_settings.change(work, {"offer_seconds": 35})
    before, after = {"offer_seconds": 20, "gone": 1}, {"offer_seconds": 35, "gone": 2}
    write_entry(work, AuditLog.SETTINGS_CHANGED, "settings", before=before, after=after)
    await flush(work)
    act = await work.session.scalar(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1))
    assert act is not None
    assert "gone" in act.detail["after"]
    await undoing.UNDOES[AuditLog.SETTINGS_CHANGED](work, act, Scene(Emergency(), {}, []))
    assert (await own_settings.read_own(work)).values["offer_seconds"] == 20


async def test_a_report_says_which_limit_of_a_short_abandon_counted(work: Work) -> None:
    await keep_short_abandon(work, 10)
    work.now += timedelta(days=1)
    await own_settings.change(work, {"short_abandon_seconds": 5, "public_period": "quarter"})
    await own_settings.learn(work)
    assert work.settings.public_period == "quarter"
    assert work.settings.short_abandon_seconds == 5
    assert [one.seconds for one in await short_abandons_of(work)] == [10, 5]
    await keep_short_abandon(work, 5)
    assert len(await short_abandons_of(work)) == 2, "the program starts again"
