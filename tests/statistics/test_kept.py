"""Kept days are thrown away by every change of what they count; releases never overlap."""

import io
import tempfile
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import psycopg
import pytest

from app.definitions.datafile import BadDefinition
from app.definitions.folder import read_folder
from app.definitions.library import load
from app.demo.stage import Stage
from app.errors import Invalid
from app.statistics.counting.labels import of_question
from app.statistics.exports.tables import Batches, OutColumn, OutTable, batch_of
from app.statistics.exports.writers import write
from app.statistics.facts.days import days_to_keep, keep_days
from app.statistics.facts.form_answers import Readers
from app.statistics.facts.questions import SHIPPED, read_questions, version_of
from app.statistics.jobs import look_round
from app.statistics.periods import Period
from app.statistics.published.release import read_public_period
from tests.support.profile import by_day
from tests.support.program.quiet import QuietStage


async def kept(stage: Stage) -> int:
    (row,) = await stage.rows("SELECT count(*) AS n FROM statistic_days")
    return int(row["n"])


async def keep(stage: Stage) -> int:
    now = stage.clock.now() + timedelta(days=2)
    await keep_days(stage.ground, await days_to_keep(stage.ground, now), now)
    return await kept(stage)


async def test_the_worker_keeps_a_day_that_is_over(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    assert (await ana.ask("POST", "/contacts", {"channel": "email"})).status_code == 201
    await look_round(quiet.ground)
    assert await kept(quiet) == 0
    quiet.stepped.move_to(quiet.clock.now() + timedelta(days=2))
    await look_round(quiet.ground)
    assert await kept(quiet) > 0


async def test_every_change_of_the_record_forgets_its_day(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await ana.ask("POST", "/contacts", {"channel": "email"})
    leg = stage.ring()
    await stage.advance(3)
    stage.exchange.press(leg, "1")
    await stage.advance(2)
    await ana.accept()
    await stage.advance(3)
    await ana.do("hang-up")
    await stage.advance(60)
    whole = await keep(stage)
    assert whole > 0
    day = "2030-01-14"
    for change in (
        "UPDATE calls SET danger = true",
        "UPDATE offers SET released_at = released_at",
        "UPDATE contacts SET revision = revision",
        "INSERT INTO presence_changes (counsellor_id, at, before, after, cause)"
        " SELECT id, '2030-01-14T10:00:00Z', 'break', 'available', '' FROM staff",
        "INSERT INTO call_events (call_id, kind, source, at, detail, previous, hash)"
        " SELECT id, 'hold', 'person', opened_at, '{}', '', '' FROM calls",
        "UPDATE staff SET lines = '{+38111116111}'",
        "UPDATE lines SET practice = true",
        "UPDATE lines SET practice = false",
    ):
        assert await keep(stage) == whole, change
        await stage.watch.execute(change)
        left = await stage.rows("SELECT FROM statistic_days WHERE day = %s", day)
        assert left == [], change
    # What changes nothing that is counted leaves them alone.
    assert await keep(stage) == whole
    await stage.watch.execute("UPDATE staff SET email = 'ana@example.org'")
    assert await kept(stage) == whole


async def test_a_ring_heard_of_late_makes_later_ones_repeated(stage: Stage) -> None:
    stage.ring("+381641234567")
    await stage.advance(3)
    assert await keep(stage) > 0
    await stage.watch.execute(
        "INSERT INTO calls (id, provider_sid, state, outcome, caller_kind, caller_number_sealed,"
        " caller_key, opened_at, heard_at, ended_at) SELECT gen_random_uuid(), 'late', 'ended',"
        " 'lost', 'e164', caller_number_sealed, caller_key, opened_at - interval '3 days',"
        " opened_at, opened_at FROM calls"
    )
    assert await stage.rows("SELECT FROM statistic_days WHERE day = '2030-01-14'") == []


async def test_a_call_back_that_becomes_a_talk_answers_an_earlier_call(stage: Stage) -> None:
    stage.ring("+381641234567")
    await stage.advance(3)
    for sql in (
        "INSERT INTO callbacks (id, call_id, caller_key, line_id, language, who, window_from,"
        " window_until, first_due_until, next_at, agreed_at, state) SELECT gen_random_uuid(), id,"
        " caller_key, line_id, 'sr', 'anyone', opened_at, opened_at + interval '1 day', opened_at,"
        " opened_at, opened_at, 'trying' FROM calls",
        "INSERT INTO calls (id, provider_sid, state, outcome, caller_kind, direction, sending,"
        " callback_id, opened_at, heard_at, ended_at) SELECT gen_random_uuid(), 'back', 'ended',"
        " 'answered', 'e164', 'outbound', 'sent', b.id, c.opened_at + interval '1 day',"
        " c.opened_at, c.opened_at + interval '1 day' FROM callbacks b, calls c",
    ):
        await stage.watch.execute(sql)
    assert await keep(stage) > 0
    change = "UPDATE calls SET answered_at = opened_at WHERE direction = 'outbound'"
    await stage.watch.execute(change)
    assert await stage.rows("SELECT FROM statistic_days WHERE day = '2030-01-14'") == []


def test_another_derivation_of_facts_is_another_version(tmp_path: Path) -> None:
    form = load(None).form_for("contact")
    text = (SHIPPED / "facts.yaml").read_text()
    (tmp_path / "facts.yaml").write_text(text.replace("setting: setting", "setting: actions"))
    asked = read_questions(read_folder(tmp_path))
    assert version_of(asked, form) != version_of(read_questions(None), form)


@pytest.mark.parametrize("means", by_day(["headline", "child_name", "summary", "school"]))
def test_free_text_is_no_fact(tmp_path: Path, means: str) -> None:
    text = (SHIPPED / "facts.yaml").read_text()
    (tmp_path / "facts.yaml").write_text(text.replace("setting: setting", f"setting: {means}"))
    with pytest.raises(BadDefinition, match="answers to choose from"):
        read_questions(read_folder(tmp_path))


def test_a_new_version_of_a_form_does_not_erase_the_past() -> None:
    """A question moves to another section; contacts of both versions say what they said."""
    library, asked = load(None), read_questions(None)
    now = library.form_for("contact")
    moved = [
        section.model_copy(update={"fields": [f for f in section.fields if f.means != "setting"]})
        for section in now.sections
    ]
    ((_, setting),) = now.meaning("setting")
    moved[0] = moved[0].model_copy(update={"fields": [*moved[0].fields, setting]})
    later = now.model_copy(update={"version": now.version + 1, "sections": moved})
    library.forms[later.form, later.version] = later
    # And a version from before questions said what they mean.
    bare = [
        section.model_copy(
            update={"fields": [f.model_copy(update={"means": None}) for f in section.fields]}
        )
        for section in now.sections
    ]
    first = now.model_copy(update={"version": 1, "sections": bare})
    library.forms[first.form, first.version] = first
    said = {
        first.version: {"incident.where": "school"},
        now.version: {"incident.where": "school"},
        later.version: {f"{moved[0].code}.where": "school"},
    }
    try:
        readers = Readers(library, asked)
        for version, answers in said.items():
            row = SimpleNamespace(form=now.form, form_version=version)
            assert readers.of(row).read(True, answers)["setting"] == "school", version
    finally:
        del library.forms[later.form, later.version], library.forms[first.form, first.version]


def test_a_label_is_that_of_its_own_question() -> None:
    """Codes that several questions use, as `police` and `other`, keep the words of their own."""
    library = load(None)
    assert of_question(library, "actions", "en")["police"] == "Referred to the police"
    assert of_question(library, "reporter_role", "en")["police"] == "Police officer"
    for means in ("actions", "reporter_role", "child_gender", "living", "setting", "groups"):
        form = library.form_for("contact")
        own = {
            option.code: option.label["en"]
            for _, field in form.meaning(means)
            for option in form.options_of(field)
        }
        assert own.items() <= of_question(library, means, "en").items()


async def test_single_records_never_touch_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A folder of this test alone: others write to the common one at the same time.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    table = OutTable("Records", [OutColumn("a", "text", "a")], [], sealed=True)
    seen: list[str] = []

    async def batches() -> Batches:
        yield batch_of(table, [["V-PHYSICAL"]] * 1000)
        seen.extend(str(p) for p in tmp_path.rglob("*") if p.is_file())

    content = b"".join([piece async for piece in write(table, batches(), "xlsx")])
    assert seen == []
    sheet = openpyxl.load_workbook(io.BytesIO(content))["Data"]
    assert sheet.max_row == 1001


async def test_releases_never_overlap(stage: Stage) -> None:
    insert = (
        "INSERT INTO public_releases (period, begins_on, ends_on, made_at, tables)"
        " VALUES (%s, %s, %s, now(), '[]')"
    )
    await stage.watch.execute(insert, ("2026-03", "2026-03-01", "2026-04-01"))
    await stage.watch.execute(insert, ("2026-04", "2026-04-01", "2026-05-01"))
    with pytest.raises(psycopg.errors.ExclusionViolation):
        await stage.watch.execute(insert, ("2026", "2026-01-01", "2027-01-01"))


@pytest.mark.parametrize("text", ["２０２６", "٢٠٢٦", "+2026", " 2026", "2026 "])
def test_a_period_has_one_spelling(text: str) -> None:
    with pytest.raises(Invalid):
        read_public_period(text, Period.YEAR)
