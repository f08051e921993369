"""The pages of lines: an administrator sets up a line, changes what is heard, and hears it."""

from typing import Any
from uuid import UUID

import lxml.html

from app.calls.lines import finding_lines
from app.dashboard.settings.lines.line_views import NAMES, PLAN_NUMBERS, STEPS
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.people import leaving
from app.routing import changing_plans
from app.routing.plan import Plan
from app.staff.models import Staff
from app.staff.roles import Role
from app.telephony.inbound.sounds import waiting_sound
from app.words.keys import PROMPT_KEYS
from app.work import PROGRAM
from tests.support.profile import by_day, nightly
from tests.support.program.quiet import QuietStage
from tests.support.referrals import page

WAV = waiting_sound()
PLAN = {name: str(getattr(Plan(), name)) for name in PLAN_NUMBERS}
PLAN |= {f"was.{name}": value for name, value in PLAN.items()}
PLAN |= {"was.partner_number": "", "was.skills": ""}


def fields_of(html: str, action: str) -> dict[str, str]:
    """Return what a browser sends of a form as it was opened."""
    (form,) = (one for one in lxml.html.fromstring(html).forms if one.action == action)
    return {name: value or "" for name, value in form.form_values()}


def test_every_prompt_has_a_step_and_a_name() -> None:
    placed = [key for step in STEPS for key in step.keys]
    assert sorted(placed) == sorted(PROMPT_KEYS)
    assert set(NAMES) == set(PROMPT_KEYS)
    assert len(set(NAMES.values())) == len(NAMES), "two prompts have one name"


async def test_an_administrator_changes_what_the_next_caller_hears(stage: Stage) -> None:
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    listed = await page(stage, mila, "/admin/lines")
    (row,) = await stage.rows("SELECT id, number FROM lines")
    at = f"/admin/lines/{row['id']}"
    assert f'href="{at}"' in listed.text
    shown = (await page(stage, mila, at)).text
    assert "You are next." not in shown, "the first language of the line is Serbian"
    assert "You are next." in (await page(stage, mila, f"{at}?language=en")).text
    prompt = f"{at}/prompts/sr/greeting"
    said = await page(stage, mila, prompt, text="Zdravo,\r\nzoveš {line}.")
    assert said.status_code == 303
    assert said.headers["location"] == f"{at}?language=sr#greeting"
    leg = stage.ring("+381641234567")
    await stage.until(lambda: leg.has_heard("Zdravo, zoveš"), what="the new greeting")
    await stage.exchange.hang_up(leg)
    # The API reads and writes the same.
    for text, status in (("Ćao, {line}.", 204), ("Ćao, {name}.", 422)):
        put = await mila.ask("PUT", f"/lines/{row['id']}/prompts/sr/greeting", {"text": text})
        assert put.status_code == status, put.text
    told = (await mila.ask("GET", f"/lines/{row['id']}/prompts?language=sr")).json()
    (greeting,) = [one for one in told if one["key"] == "greeting"]
    assert (greeting["text"], greeting["source"]) == ("Ćao, {line}.", "line")
    back = await mila.ask("POST", f"/lines/{row['id']}/prompts/sr/greeting/back")
    assert back.status_code == 204
    refused = await page(stage, mila, prompt, text="Zdravo, {child}.")
    assert 'role="alert"' in refused.text
    assert "Zdravo, {child}." in refused.text, "what was typed stays"
    assert "Take the last change back" in (await page(stage, mila, at)).text
    assert (await page(stage, mila, f"{prompt}/back", sure="yes")).status_code == 303
    assert "Take the last change back" not in (await page(stage, mila, at)).text


async def test_a_recording_is_sent_played_to_callers_and_heard_on_the_page(stage: Stage) -> None:
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    (row,) = await stage.rows("SELECT id FROM lines")
    at = f"/admin/lines/{row['id']}"
    url = f"{stage.settings.public_url}{at}/prompts/sr/greeting"
    headers = {"Cookie": mila.cookie_header, "Origin": stage.settings.public_url}
    for sound, status in ((b"rubbish", 200), (WAV, 303)):
        files = {"sound": ("greeting.wav", sound, "audio/wav")}
        answer = await stage.client.post(url, files=files, headers=headers)
        assert answer.status_code == status, answer.text
    (kept,) = await stage.rows("SELECT id FROM prompts")
    heard = await page(stage, mila, f"{at}/recordings/{kept['id']}")
    assert (heard.content, heard.headers["content-type"]) == (WAV, "audio/wav")
    missing = await page(stage, mila, f"{at}/recordings/{row['id']}")
    assert missing.status_code == 404
    leg = stage.ring("+381641234567")
    await stage.until(lambda: leg.has_heard(str(kept["id"])), what="it plays")
    await stage.exchange.hang_up(leg)
    # One for every line is heard by itself.
    every = f"{stage.settings.public_url}/admin/every-line/prompts/sr/hold"
    answer = await stage.client.post(every, files=files, headers=headers)
    assert answer.status_code == 303, answer.text
    (kept,) = await stage.rows("SELECT id FROM prompts WHERE line_id IS NULL")
    assert (await page(stage, mila, f"/admin/every-line/recordings/{kept['id']}")).content == WAV
    assert (await mila.ask("GET", f"/every-line/recordings/{kept['id']}")).content == WAV


async def test_hours_numbers_languages_and_plan_are_changed(quiet: QuietStage) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    (row,) = await quiet.rows("SELECT id FROM lines")
    at = f"/admin/lines/{row['id']}"
    sent: list[tuple[str, dict[str, Any]]] = [
        ("facts", {"name": "Linija za decu"}),
        ("hours", {"hours": "Mo-Fr 08:00-20:00"}),
        ("numbers", {"leads_here": "+381113334444, +381113334445", "shown": ""}),
        ("plan", {**PLAN, "backup_after": "20", "partner_number": "", "skill.violence": "1"}),
        ("key-questions", {"place.safe": "2", "place.hurt": "1", "place.who": ""}),
    ]
    for part, form in sent:
        answer = await page(quiet, mila, f"{at}/{part}", **form)
        assert answer.status_code == 303, (part, answer.text)
    facts = "SELECT name, opening_hours, plan, key_questions FROM lines"
    (line,) = await quiet.rows(facts)
    assert line["key_questions"] == ["hurt", "safe"]
    told = (await mila.ask("GET", f"/lines/{row['id']}")).json()
    assert told["key_questions"] == ["hurt", "safe"]
    asked = await mila.ask("PUT", f"/lines/{row['id']}/key-questions", {"questions": ["hurt", "x"]})
    assert asked.status_code == 422, asked.text
    assert (line["name"], line["opening_hours"]) == ("Linija za decu", "Mo-Fr 08:00-20:00")
    assert line["plan"] == {"backup_after": 20, "skills": {"violence": 1}}
    wrong: list[tuple[str, dict[str, str]]] = [
        ("facts", {"name": ""}),
        ("hours", {"hours.Mo": "open", "hours.Mo.from": "08:00"}),
        ("numbers", {"leads_here": "abc", "shown": ""}),
        ("languages", {"code": "sr"}),
        ("plan", {**PLAN, "backup_after": "soon"}),
        ("key-questions", {"place.safe": "first"}),
        ("hours", {"hours": "whenever"}),
        ("hours", {}),
        ("languages", {"code": "tlh!"}),
        ("plan", {**PLAN, "backup_after": "500"}),
    ]
    for part, form in by_day(wrong, 6):
        answer = await page(quiet, mila, f"{at}/{part}", **form)
        assert 'role="alert"' in answer.text, (part, form, answer.text[:200])
    (after,) = await quiet.rows(facts)
    assert after == line, "a refused change changes nothing"
    await _takes_back(quiet, mila, at)


async def _takes_back(stage: Stage, mila: Counsellor, at: str) -> None:
    """What was before stands on the page with its way back, and programs read the same."""
    listed = (await mila.ask("GET", f"{at.removeprefix('/admin')}/changes")).json()
    assert [one["part"] for one in listed] == ["questions", "plan", "numbers", "hours", "name"]
    told = {(one["by"], one["can_be_taken_back"], one["why_not"]) for one in listed}
    assert told == {("mila", True, None)}
    of_questions, of_plan, _numbers, of_hours, of_name = (
        f"{at}/changes/{one['id']}/back" for one in listed
    )
    shown = (await page(stage, mila, at)).text
    assert shown.count("/back") == 5
    assert "Are you hurt, or do you need a doctor?, Are you safe where you are?</ins>" in shown
    plain = shown.replace(' dir="auto">', ">")
    assert "<del>open round the clock</del> → <ins>Mon–Fri 08:00–20:00</ins>" in plain
    assert "<del>30</del> → <ins>20</ins>" in plain, "the usual value stood before"
    for way in (of_hours, of_plan, of_questions):
        taken = await page(stage, mila, way, sure="yes")
        assert taken.headers["location"] == f"{at}#changes"
    again = (await page(stage, mila, of_hours, sure="yes")).text
    assert "has been changed again since then" in again
    assert again.count("so it was left as it is") > 1, "each that cannot go back says why"
    by_program = await mila.ask("POST", of_name.removeprefix("/admin"))
    assert by_program.status_code == 204, by_program.text
    (line,) = await stage.rows("SELECT name, opening_hours, plan, key_questions FROM lines")
    assert tuple(line.values()) == ("Plavi telefon", "24/7", {}, None)
    refused = await mila.ask("POST", of_name.removeprefix("/admin"))
    assert (refused.status_code, refused.json()["error"]) == (409, "ChangedSince")


async def test_hours_are_changed_by_weekday_and_read_in_the_language_of_the_reader(
    quiet: QuietStage,
) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    (row,) = await quiet.rows("SELECT id FROM lines")
    at = f"/admin/lines/{row['id']}"
    sent = {"was": "24/7", "hours.PH": "closed", "hours.Sa": "always"}
    for day in ("Mo", "Tu", "We", "Th", "Fr"):
        sent |= {
            f"hours.{day}": "open",
            f"hours.{day}.from": "08:00",
            f"hours.{day}.until": "20:00",
        }
    sent |= {"hours.Fr.from2": "22:00", "hours.Fr.until2": "00:00"}
    assert (await page(quiet, mila, f"{at}/hours", **sent)).status_code == 303
    hours = "SELECT opening_hours FROM lines"
    (line,) = await quiet.rows(hours)
    text = "Mo-Th 08:00-20:00; Fr 08:00-20:00,22:00-24:00; Sa 00:00-24:00; PH off"
    assert line["opening_hours"] == text
    # A colleague who still has the old page open does not undo it.
    stale = await page(quiet, mila, f"{at}/hours", was="24/7", hours="Mo-Fr 08:00-16:00")
    assert "The state has changed in the meantime" in stale.text
    assert await quiet.rows(hours) == [line]
    shown = (await page(quiet, mila, at)).text
    assert 'name="hours.Fr.until2" value="00:00"' in shown
    await page(quiet, mila, "/page-language", language="sr")
    listed = (await page(quiet, mila, "/admin/lines")).text
    assert "pon–čet 08:00–20:00; pet 08:00–20:00, 22:00–24:00" in listed
    assert "Mo-Th" not in listed
    assert "Srbija – Beograd" in listed
    assert "Makedonija</option>" in listed
    # More times of a holiday than the form has stay a text, like those of any day.
    for more in by_day(("PH", "Su")):
        text = f"Mo-Fr 08:00-20:00; {more} 08:00-10:00,11:00-12:00,13:00-14:00"
        (now,) = await quiet.rows(hours)
        sent = {"was": now["opening_hours"], "hours": text}
        assert (await page(quiet, mila, f"{at}/hours", **sent)).status_code == 303
        shown = await page(quiet, mila, at)
        assert (shown.status_code, "hours.Mo.from" in shown.text) == (200, False)
        assert text in shown.text


async def test_two_administrators_change_the_plan_of_a_line_and_neither_undoes_the_other(
    quiet: QuietStage,
) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    (row,) = await quiet.rows("SELECT id FROM lines")
    at = f"/admin/lines/{row['id']}/plan"
    first = {**PLAN, "backup_after": "20", "partner_number": ""}
    assert (await page(quiet, mila, at, **first)).status_code == 303
    # The second page was opened before; it changes another value.
    second = {**PLAN, "partner_number": "", "more_skills": "violence", "more_level": "2"}
    assert (await page(quiet, mila, at, **second)).status_code == 303
    (line,) = await quiet.rows("SELECT plan FROM lines")
    assert line["plan"] == {"backup_after": 20, "skills": {"violence": 2}}
    third = await page(quiet, mila, at, **{**PLAN, "partner_number": "", "backup_after": "25"})
    assert "The state has changed in the meantime" in third.text
    assert await quiet.rows("SELECT plan FROM lines") == [line]
    # It lost its partner: that is said until a box is ticked.
    await quiet.rows("UPDATE lines SET partner_lost_at = now() RETURNING id")
    said, box = "this line has no partner", 'name="no_partner"'
    opened = (await page(quiet, mila, f"/admin/lines/{row['id']}")).text
    assert (said in opened, box in opened) == (True, True)
    assert said in (await page(quiet, mila, "/admin/lines")).text
    told = (await mila.ask("GET", "/lines")).json()
    assert [one["partner_lost_at"] is not None for one in told] == [True]
    sent = {**fields_of(opened, at), "no_partner": "yes"}
    assert (await page(quiet, mila, at, **sent)).status_code == 303
    assert await quiet.rows("SELECT partner_lost_at FROM lines") == [{"partner_lost_at": None}]
    opened = (await page(quiet, mila, f"/admin/lines/{row['id']}")).text
    assert (said in opened, box in opened) == (False, False)
    await _confirms_a_partner(quiet, mila, row["id"])


async def _confirms_a_partner(stage: Stage, mila: Counsellor, line_id: UUID) -> None:
    """A number in doubt is confirmed by a button of its own, which saves nothing else."""
    number, at = "+381113334446", f"/admin/lines/{line_id}"
    ana = await stage.add_counsellor("ana", shift=False, state=None)
    async with transaction(stage.ground, PROGRAM) as work:
        _row, line = await finding_lines.read_line(work, line_id)
        await changing_plans.change_plan(work, line, partner_number=number)
        (await work.session.get_one(Staff, ana.id)).second_phone = number
        await leaving.deactivate(work, ana.id, leaving.shifts_uncovered(), by=None)
    opened = (await page(stage, mila, at)).text
    assert 'id="partner-in-doubt"' in opened
    (form,) = lxml.html.fromstring(opened).xpath('//form[@id="confirm-partner"]')
    sent = dict(form.form_values())
    assert sent == {"confirm_partner": number}
    assert (await page(stage, mila, form.action, **sent)).status_code == 303
    opened = (await page(stage, mila, at)).text
    assert ("partner-in-doubt" in opened, "confirm-partner" in opened) == (False, False)
    refused = (await page(stage, mila, f"{at}/plan", **sent)).text
    assert "This number is not in doubt" in refused
    assert fields_of(refused, f"{at}/plan")["partner_number"] == number


@nightly
async def test_a_form_of_a_line_that_was_opened_before_undoes_no_other_change(
    quiet: QuietStage,
) -> None:
    """By day the forms of the plan and of the hours undo none."""
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    (row,) = await quiet.rows("SELECT id FROM lines")
    at = f"/admin/lines/{row['id']}"
    stored = "SELECT name, timezone, shown_number, key_questions, chat FROM lines"
    opened = (await page(quiet, mila, at)).text
    facts, numbers, questions, chat = (
        fields_of(opened, f"{at}/{part}") for part in ("facts", "numbers", "key-questions", "chat")
    )
    changes: list[tuple[str, dict[str, str], dict[str, str], dict[str, str]]] = [
        ("facts", facts, {"name": "Linija"}, {"timezone": "Europe/Zagreb"}),
        ("numbers", numbers, {"leads_here": "+381113334444"}, {"shown": "+381113334445"}),
        ("chat", chat, {"closed.sr": "Od osam.\r\nZdravo."}, {"at_once": "2"}),
    ]
    for part, form, first, second in changes:
        for change in (first, second):
            saved = await page(quiet, mila, f"{at}/{part}", **(form | change))
            assert saved.status_code == 303, (part, change, saved.text)
    saved = await page(quiet, mila, f"{at}/key-questions", **(questions | {"place.who": ""}))
    assert saved.status_code == 303, saved.text
    (line,) = await quiet.rows(stored)
    assert (line["name"], line["timezone"]) == ("Linija", "Europe/Zagreb")
    assert line["shown_number"] == "+381113334445"
    assert line["chat"] == {"closed": {"sr": "Od osam.\r\nZdravo."}, "at_once": 2}
    behind = await quiet.rows("SELECT number FROM line_numbers")
    assert [one["number"] for one in behind] == ["+381113334444"]
    # The same value was changed twice: the second person reads so, and does so again after that.
    stale = [(part, form | {name: "other"}) for part, form, first, _ in changes for name in first]
    stale.append(("key-questions", questions | {"place.hurt": ""}))
    for part, form in stale:
        refused = await page(quiet, mila, f"{at}/{part}", **form)
        assert "The state has changed in the meantime" in refused.text, part
        again = fields_of(refused.text, f"{at}/{part}")
        assert {k: v for k, v in again.items() if k[:4] == "was."} == {
            k: v for k, v in form.items() if k[:4] == "was."
        }
    assert await quiet.rows(stored) == [line]
    # Nothing is changed by a form that changes nothing.
    entries = await quiet.rows("SELECT count(*) FROM audit_entries")
    opened = (await page(quiet, mila, at)).text
    for part in ("facts", "numbers", "key-questions", "chat"):
        await page(quiet, mila, f"{at}/{part}", **fields_of(opened, f"{at}/{part}"))
    assert await quiet.rows("SELECT count(*) FROM audit_entries") == entries


async def test_a_line_is_added_on_the_page(quiet: QuietStage) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    form = {
        "number": "116111",
        "name": "Dečja linija",
        "country": "RS",
        "languages": "sr",
        "timezone": "Europe/Belgrade",
    }
    refused = await page(quiet, mila, "/admin/lines", **form)
    assert 'role="alert"' in refused.text, "a short number needs one of the provider's"
    assert 'value="Dečja linija"' in refused.text
    added = await page(quiet, mila, "/admin/lines", **form, leads_here="+381113334444")
    assert added.status_code == 303
    assert "116111" in (await page(quiet, mila, added.headers["location"])).text


@nightly
async def test_children_are_let_write_and_a_site_shows_their_page(stage: Stage) -> None:
    """By day test_chat_pages sends the form, and sites show the page (tests/child/test_page)."""
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    (row,) = await stage.rows("SELECT id FROM lines")
    at = f"/admin/lines/{row['id']}"
    assert "&lt;iframe" not in (await page(stage, mila, at)).text
    sent = {"on": "true", "slug": "plavi", "languages": "", "at_once": "2", "reserve": "1"}
    sent |= {"reserve_seconds": "60", "exit_site": "https://a.rs/vreme", "title": "Vreme"}
    sent |= {"icon": "sun", "sites": "https://skola.rs\r\nhttps://www.skola.rs"}
    sent |= {"report_page": "https://pametnoibezbedno.gov.rs/"}
    assert f'value="{sent["report_page"]}"' in (await page(stage, mila, at)).text
    saved = await page(stage, mila, f"{at}/chat", **sent)
    assert saved.headers["location"] == f"{at}#chat"
    shown = (await page(stage, mila, at)).text
    address = f"{stage.settings.public_origin}/chat/plavi"
    assert f"&lt;iframe src=&#34;{address}&#34;" in shown
    assert "https://skola.rs\nhttps://www.skola.rs" in shown
    told = await stage.client.get(address)
    assert (
        "frame-ancestors https://skola.rs https://www.skola.rs"
        in (told.headers["content-security-policy"])
    )
    refused = (await page(stage, mila, f"{at}/chat", **(sent | {"exit_site": "a.rs"}))).text
    assert "is not the address of a page to leave to" in refused
    assert 'value="a.rs"' in refused, "what was typed stays"
    log = await stage.rows(
        "SELECT detail FROM audit_entries WHERE action = 'line_chat_set' ORDER BY id DESC LIMIT 1"
    )
    assert log[0]["detail"]["after"]["exit_site"] == "https://a.rs/vreme"
    assert "report_page" not in log[0]["detail"]["after"], "it is that of the country"
    assert sent["report_page"] in told.text
    await page(stage, mila, f"{at}/chat", **(sent | {"report_page": ""}))
    assert sent["report_page"] not in (await stage.client.get(address)).text


@nightly
async def test_every_line_is_recorded_before_a_language_is_added(stage: Stage) -> None:
    """By day the verbs of it are tried (tests/calls/test_prompts.py)."""
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    (row,) = await stage.rows("SELECT id FROM lines")
    line, at = f"/admin/lines/{row['id']}", "/admin/every-line"
    refused = (await page(stage, mila, f"{line}/languages", code="hr")).text
    assert f"{at}?language=hr" in refused, "the refusal names the page"
    assert '<option value="hr" selected>Croatian</option>' in refused, "what was chosen stays"
    assert '<option value="hu">Hungarian</option>' in refused
    assert '<option value="sr"' not in refused, "the line speaks it already"
    shown = (await page(stage, mila, f"{at}?language=hr")).text
    assert 'id="lacks"' in shown
    assert '<option value="hr" selected>Croatian</option>' in shown
    near, others = shown.split('<optgroup label="Other languages"')
    assert '<option value="sr">Serbian</option>' in near
    assert '<option value="hu">Hungarian</option>' in others
    greeting = f"{at}/prompts/hr/greeting"
    headers = {"Cookie": mila.cookie_header, "Origin": stage.settings.public_url}
    for sound, status in ((b"rubbish", 200), (WAV, 303)):
        answer = await stage.client.post(
            f"{stage.settings.public_url}{greeting}",
            files={"sound": ("greeting.wav", sound, "audio/wav")},
            headers=headers,
        )
        assert answer.status_code == status, answer.text
    (kept,) = await stage.rows("SELECT id FROM prompts WHERE line_id IS NULL")
    heard = f"{at}/recordings/{kept['id']}"
    assert heard in (await page(stage, mila, f"{at}?language=hr")).text
    assert (await page(stage, mila, heard)).content == WAV
    # The API writes and says the same.
    every = "/every-line/prompts"
    told = (await mila.ask("GET", f"{every}?language=hr")).json()
    (first,) = [one for one in told if one["key"] == "greeting"]
    assert (first["recording_id"], first["source"]) == (str(kept["id"]), "every_line")
    can = (await mila.ask("GET", "/every-line/languages/hr")).json()
    assert not can["speakable"]
    assert "hold" in can["why"]
    for one in told:
        if one["text"] is not None:
            answer = await stage.client.put(
                f"{stage.settings.public_url}/api/v1{every}/hr/{one['key']}/recording",
                content=WAV,
                headers={**headers, "Content-Type": "audio/wav"},
            )
            assert answer.status_code == 204, answer.text
    assert 'id="speakable"' in (await page(stage, mila, f"{at}?language=hr")).text
    assert (await page(stage, mila, f"{line}/languages", code="hr")).status_code == 303
    assert (await page(stage, mila, f"{greeting}/back", sure="yes")).status_code == 303
    assert 'id="lacks"' in (await page(stage, mila, f"{at}?language=hr")).text


async def test_a_program_adds_and_changes_a_line(quiet: QuietStage) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    new: dict[str, Any] = {"number": "116111", "name": "Dečja linija", "country": "RS"}
    new |= {"languages": ["sr"], "timezone": "Europe/Belgrade"}
    assert (await mila.ask("POST", "/lines", new)).status_code == 422, "none of the provider's"
    made = await mila.ask("POST", "/lines", {**new, "leads_here": ["+381113334444"]})
    assert made.status_code == 201, made.text
    at = f"/lines/{made.json()['id']}"
    for method, path, body in (
        ("PATCH", at, {"name": "Linija", "opening_hours": "Mo-Fr 08:00-20:00"}),
        ("PATCH", f"{at}/numbers", {"shown_number": "+381113334444"}),
        ("PATCH", f"{at}/plan", {"backup_after": 20, "skills": ["violence:2"]}),
        ("POST", f"{at}/languages", {"language": "en"}),
    ):
        answer = await mila.ask(method, path, body)
        assert answer.is_success, answer.text
    told = (await mila.ask("GET", at)).json()
    assert (told["name"], told["opening_hours"]) == ("Linija", "Mo-Fr 08:00-20:00")
    assert told["leads_here"] == ["+381113334444"] == [told["shown_number"]]
    assert [one["language"] for one in told["languages"]] == ["sr", "en"]
    assert (told["plan"]["backup_after"], told["plan"]["skills"]) == (20, {"violence": 2})
    assert (await mila.ask("PATCH", f"{at}/plan", {"backup_after": 5000})).status_code == 422
    wall = await mila.ask("POST", "/wallboards", {"name": "Hall"})
    assert "/wall/" in wall.json()["address"], wall.text
    (board,) = (await mila.ask("GET", "/wallboards")).json()
    for _twice in range(2):
        gone = await mila.ask("POST", f"/wallboards/{board['id']}/withdraw")
        assert gone.status_code == 204
    assert (await mila.ask("GET", "/wallboards")).json() == []
