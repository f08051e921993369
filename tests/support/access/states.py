"""Rows in states that the rows of a counsellor are not in, for the routes that ask for one.

Each is said for the routes that need it, so that every other route finds the rows as they were.
"""

from datetime import date, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select, text

from app.administration.models import OwnCatalogue
from app.calls.lines import finding_lines, line_use, lines
from app.calls.states import Channel
from app.chats import accounts as bots
from app.chats import opening
from app.chats.left import left
from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, Stage
from app.jobs.transaction import flush, transaction
from app.outbox.channels import ChannelKind
from app.people import links as invitations
from app.people.changing import Changes
from app.people.emergency import closing, emergencies
from app.practice.telegram import SECRET
from app.referrals.channels.links import add_link
from app.referrals.channels.models import AgencyCase
from app.referrals.models import Recipient, Referral
from app.referrals.states import AgencyCaseState
from app.retention import holds
from app.retention.kinds import HeldKind
from app.routing.rota import feeds
from app.staff import accounts
from app.staff.emergency_rows import EmergencyKind
from app.staff.models import Staff
from app.staff.roles import Role
from app.statistics.models import PublicRelease
from app.telephony.inbound.sounds import waiting_sound
from app.training.models import Practice
from app.work import PROGRAM, Work
from tests.support.access.known import SIGNS_IN
from tests.support.access.rows import Rows, done, inserted

# By the method and the path of a route.
Instead = dict[str, Rows]
_DAY = timedelta(days=1)
_EVERY_WAY = ("GET", "POST", "PUT", "DELETE")


def at(instead: Instead, rows: Rows, *paths: str) -> None:
    """Note rows for routes, by any method and both for pages and for programs."""
    for path in paths:
        for method in _EVERY_WAY:
            instead.setdefault(f"{method} {path}", {}).update(rows)


async def add_states(
    stage: Stage, people: dict[str, Counsellor], of: dict[str, Rows], rows: Rows
) -> tuple[Instead, Instead]:
    """Make all of them; return the rows for single routes, and the heads of requests for them.

    `of` gets what belongs to one counsellor; `rows` are those that belong to no person.
    """
    instead: Instead = {}
    headers: Instead = {}
    boss, admin = people[Role.SUPERVISOR.value], people[Role.ADMINISTRATOR.value]
    await _of_lines(stage, admin, rows, instead)
    await _of_the_rota(stage, boss, people["ana"], instead)
    await _of_settings(stage, admin, rows, instead)
    await _of_the_provider(stage, admin, people, instead)
    code = of["boris"]["contact_code"]
    await _of_emergencies(stage, people["clara"], boss, code, instead)
    await _of_data_requests(stage, people["ana"], instead)
    async with transaction(stage.ground, PROGRAM) as work:
        await _secrets(work, people["ana"], of["ana"], instead, headers)
        await _alarms(work, instead)
        for name in ("ana", "boris", "clara"):
            await _of_person(work, people[name], of[name])
    await _add_requests(stage, people, of)
    await _of_the_bot(stage, instead, headers)
    rows["supervisor"] = str(boss.id)
    return instead, headers


async def _of_the_bot(stage: Stage, instead: Instead, headers: Instead) -> None:
    """The address at which Telegram brings what children write, and its secret."""
    await stage.settle()
    (bot,) = stage.exchange.telegram.bots.values()
    assert bot.url
    path = "/telephony/telegram/{account_id}"
    at(instead, {"account_id": bot.url.rpartition("/")[2]}, path)
    at(headers, {SECRET: bot.secret, "content-length": "2"}, path)


async def _of_lines(stage: Stage, admin: Counsellor, rows: Rows, instead: Instead) -> None:
    """A change of a line, a line out of use, a bot, and a recording for every line."""
    line_id = rows["line_id"]
    async with transaction(stage.ground, PROGRAM) as work:
        line = await finding_lines.line_of_number(work, LINE)
        assert line is not None
        await lines.rename(work, line, "Another name")
        await bots.set_token(work, line, Channel.TELEGRAM, stage.exchange.telegram.make_bot().token)
        other = await lines.add_line(
            work,
            number="+38111000999",
            name="Former",
            country="RS",
            languages=["sr"],
            timezone="Europe/Belgrade",
        )
        await flush(work)
        await line_use.retire(work, other.id)
    changed = (await admin.ask("GET", f"/lines/{line_id}/changes")).json()
    back = "/lines/{line_id}/changes/{change_id}/back"
    at(instead, {"change_id": str(changed[0]["id"])}, f"/api/v1{back}", f"/admin{back}")
    bot = next(one for one in changed if one["part"] == "bot")
    at(instead, {"change_id": str(bot["id"])}, "/api/v1/number-changes/{change_id}/back")
    use = "/lines/{line_id}/take-into-use"
    at(instead, {"line_id": str(other.id)}, f"/api/v1{use}", f"/admin{use}")
    sent = await stage.client.post(
        f"{stage.settings.public_url}/admin/every-line/prompts/sr/hold",
        files={"sound": ("hold.wav", waiting_sound(), "audio/wav")},
        headers={"Cookie": admin.cookie_header, "Origin": stage.settings.public_url},
    )
    assert sent.status_code == 303, sent.text
    (found,) = await stage.rows(
        "SELECT id FROM prompts WHERE line_id IS NULL AND audio IS NOT NULL"
    )
    one = "/every-line/recordings/{recording}"
    at(instead, {"recording": str(found["id"])}, f"/api/v1{one}", f"/admin{one}")


_SIGNED_UP = (
    "INSERT INTO rota_changes (id, kind, counsellor_id, layer, from_at, until_at, state, made_at,"
    " open_shift_id) SELECT gen_random_uuid(), 'extra', %s, layer, from_at, until_at, 'in_force',"
    " now(), id FROM open_shifts WHERE id = %s RETURNING id"
)


async def _of_the_rota(stage: Stage, boss: Counsellor, ana: Counsellor, instead: Instead) -> None:
    """A template, a holiday of one's own, and an open shift for which people have signed up."""
    free = await stage.add_counsellor("once", shift=False, state=None)
    duty = {"counsellor_id": str(free.id), "layer": "primary"}
    hour = {"begins_at": "2030-02-12T01:00:00", "ends_at": "2030-02-12T02:00:00"}
    await done(boss, "/roster/duties", duty | hour)
    made = await done(boss, "/roster/templates", {"name": "Usual", "from_on": "2030-02-12"})
    template = "/api/v1/roster/templates/{template_id}"
    at(instead, {"template_id": str(made["id"])}, template, f"{template}/put")
    await done(boss, "/roster/holidays", {"day": "2030-01-15", "name": "Own", "free": True})
    shift = {"begins_at": "2030-03-01T01:00:00", "ends_at": "2030-03-01T03:00:00", "places": 2}
    made = await done(boss, "/roster/open-shifts", shift)
    for person in (ana, boss):
        await inserted(stage, _SIGNED_UP, person.id, made["id"])
    off = ("/api/v1/roster/open-shifts/{open_id}/sign-off", "/roster/open/{open_id}/sign-off")
    at(instead, {"open_id": str(made["id"])}, *off)


async def _of_settings(stage: Stage, admin: Counsellor, rows: Rows, instead: Instead) -> None:
    """An order of definitions, words of our own, a schedule, a release, and access that waits."""
    order = {"from": (stage.clock.now() + _DAY).isoformat(), "accept": True}
    made = await done(admin, f"/definitions/sets/{rows['set_id']}/put-in-force", order)
    back = "/definitions/orders/{order_id}/take-back"
    at(instead, {"order_id": str(made["id"])}, f"/api/v1{back}", f"/admin{back}")
    made = await done(
        admin, "/statistics/schedules", {"report": "monthly", "every": "month", "role": "auditor"}
    )
    at(
        instead,
        {"schedule_id": str(made["id"])},
        "/api/v1/statistics/schedules/{schedule_id}/end",
    )
    async with transaction(stage.ground, PROGRAM) as work:
        work.session.add(
            PublicRelease(
                period="2019",
                begins_on=date(2019, 1, 1),
                ends_on=date(2020, 1, 1),
                made_at=work.now,
                tables=[],
            )
        )
    year = "/statistics/public/{period}"
    for path in (f"/api/v1{year}", f"/api/v1{year}/csv", "/reports/public/{period}"):
        instead[f"GET {path}"] = {"period": "2019"}
    await stage.change_rows("UPDATE staff SET could_approve = true WHERE name = 'supervisor'")
    raised = await stage.add_counsellor("raised", shift=False, state=None)
    person = (await admin.ask("GET", f"/people/{raised.id}")).json()
    wanted = {"revision": person["revision"], "role": "supervisor"}
    await done(admin, f"/people/{raised.id}", wanted)
    (found,) = await stage.rows("SELECT id FROM access_requests WHERE state = 'waits'")
    at(
        instead,
        {"request_id": str(found["id"])},
        "/api/v1/access-requests/{request_id}",
        "/access-requests/{request_id}/{word}",
    )
    (line,) = await stage.rows("SELECT id FROM lines ORDER BY created_at LIMIT 1")
    partner = {"partner_number": "+381113334446"}
    await admin.ask("PATCH", f"/lines/{line['id']}/plan", partner)
    (found,) = await stage.rows("SELECT id FROM partner_requests WHERE state = 'waits'")
    at(instead, {"request_id": str(found["id"])}, "/api/v1/partner-requests/{request_id}")
    async with transaction(stage.ground, PROGRAM) as work:
        words = OwnCatalogue(
            language="sr",
            kind="pages",
            text="",
            translated=0,
            reviewed=False,
            imported_at=work.now,
        )
        work.session.add(words)
        await work.session.flush()
    ways = ("/api/v1/languages/own/{number}/take-back", "/admin/languages/{number}/take-back")
    at(instead, {"number": str(words.id)}, *ways)
    (wallboard,) = await stage.rows("SELECT id FROM wallboards LIMIT 1")
    rows["wallboard_id"] = str(wallboard["id"])


async def _of_the_provider(
    stage: Stage, admin: Counsellor, people: dict[str, Counsellor], instead: Instead
) -> None:
    """A provider of identities, and who each person is there."""
    wanted = {
        "name": "City",
        "issuer": "https://id.example",
        "client_id": "helpline",
        "client_secret": "secret",
        "roles": [{"value": "help", "role": "counsellor"}],
    }
    await done(admin, "/sign-in/provider", wanted, "PUT")
    linked = {"person_id": str(people[Role.AUDITOR.value].id)}
    at(
        instead,
        linked,
        "/api/v1/people/{person_id}/identity",
        "/admin/people/{person_id}/identity/remove",
    )
    for name, person in people.items():
        await inserted(stage, _IDENTITY, person.id, name, stage.clock.now())


_IDENTITY = (
    "INSERT INTO staff_identities (id, staff_id, issuer, subject, linked_at, linked_how,"
    " role_values) VALUES (gen_random_uuid(), %s, 'https://id.example', %s, %s, 'signed_in',"
    " '{help}') RETURNING id"
)


async def _of_emergencies(
    stage: Stage, clara: Counsellor, boss: Counsellor, code: str, instead: Instead
) -> None:
    """An emergency access that is over and has no review."""
    async with transaction(stage.ground, PROGRAM) as work:
        asker = await work.session.get_one(Staff, clara.id)
        second = await work.session.get_one(Staff, boss.id)
        row = await emergencies.ask(work, asker, EmergencyKind.RECORD, "Away.", 60, code)
        await emergencies.decide(work, second, row.id, confirm=True)
        await flush(work)
        await closing.end(work, asker, row.id)
    review = "emergencies/{emergency_id}/review"
    over = {"emergency_id": str(row.id)}
    at(instead, over, f"/api/v1/{review}", "/emergency/{emergency_id}/review")


_REPORT = (
    "INSERT INTO data_requests (id, code, kind, person, state, began_at, asked_by, asked_role,"
    " decided_at, decided_role, done_at) SELECT gen_random_uuid(), 'D-LEFT', 'access', 'child',"
    " 'done', at, %s, 'supervisor', at, 'administrator', at"
    " FROM (SELECT %s::timestamptz AS at) AS now RETURNING id"
)


async def _of_data_requests(stage: Stage, ana: Counsellor, instead: Instead) -> None:
    """A report whose officer is none any more."""
    report = await inserted(stage, _REPORT, ana.id, stage.clock.now())
    take = "/data-requests/{data_request_id}/take-over"
    at(instead, {"data_request_id": report}, f"/api/v1{take}", f"/admin{take}")


async def _secrets(
    work: Work,
    ana: Counsellor,
    own: Rows,
    instead: Instead,
    headers: Instead,
) -> None:
    """What opens without an account: a link of an agency, an invitation, a calendar, a code."""
    referral = await work.session.get_one(Referral, UUID(own["referral"]))
    recipient = await _recipient(work, own)
    _, token = add_link(
        work, referral, recipient.agency_id, recipient.id, ChannelKind.EMAIL, lives=_DAY
    )
    ways = ("", "/code", "/form", "/news", "/send-code", "/send-link", "/step")
    at(instead, {"token": token}, *(f"/r/{{token}}{way}" for way in ways))
    await accounts.add_staff(
        work, name=SIGNS_IN["username"], role=Role.AUDITOR, password=SIGNS_IN["password"]
    )
    # Of the operator: it waits for no second person.
    _, address = await invitations.invite(work, Changes(name="Invited"), by=None, by_mail=False)
    assert address is not None
    at(instead, {"token": address.partition("#")[2]}, "/welcome/open", "/welcome/choose")
    staff = await work.session.get_one(Staff, ana.id)
    at(instead, {"token": await feeds.make_feed(work, staff)}, "/calendar/{token}.ics")
    line = await finding_lines.line_of_number(work, LINE)
    assert line is not None
    opened = await opening.open_conversation(
        work, line, language="sr", danger=False, client_key=uuid4().hex
    )
    await flush(work)
    code = await left.leave_message(work, opened.call.id, text="Javite se", client_key=uuid4().hex)
    at(instead, {"code": code}, "/chat/return")
    at(headers, {"authorization": f"Bearer {opened.secret}"}, "/chat/conversation/code")


ALARM_OF_A_LINE = (
    "INSERT INTO alarms (id, line_id, language, kind, begun_at)"
    " SELECT :id, id, 'sr', 'long_wait', :now FROM lines LIMIT 1"
)
_ROTA = (
    "INSERT INTO coverage_alarms (id, line_id, language, kind, from_at, until_at, told_at)"
    " SELECT :id, id, 'sr', 'ahead', :now, :now, :now FROM lines LIMIT 1"
)
DANGER = (
    "INSERT INTO alarms (id, subject_id, owner_id, kind, begun_at)"
    " VALUES (:id, :contact, :owner, 'danger_not_referred', :now)"
)


async def _alarms(work: Work, instead: Instead) -> None:
    """An alarm about a line, and one about the rota."""
    for statement, path in (
        (ALARM_OF_A_LINE, "/api/v1/staffing-alarms/{alarm_id}/acknowledge"),
        (_ROTA, "/api/v1/roster/alarms/{alarm_id}/seen"),
    ):
        values = {"id": uuid4(), "now": work.now}
        await work.session.execute(text(statement), values)
        at(instead, {"alarm_id": str(values["id"])}, path)


async def _of_person(work: Work, person: Counsellor, own: Rows) -> None:
    """A hold and an alarm about their contact, a practice with its call, and a refused referral."""
    contact = UUID(own["contact"])
    await holds.hold(work, None, HeldKind.CONTACT, contact, "By a court.")
    values = {"id": uuid4(), "contact": contact, "owner": person.id, "now": work.now}
    await work.session.execute(text(DANGER), values)
    own["danger"] = str(values["id"])
    practice = await work.session.get_one(Practice, UUID(own["practice"]))
    practice.call_id = UUID(own["left"])
    recipient = await _recipient(work, own)
    work.session.add(
        AgencyCase(
            recipient_id=recipient.id,
            case_id=uuid4(),
            service_id=uuid4(),
            state=AgencyCaseState.REFUSED.value,
            mapping="x",
            mapping_version=1,
        )
    )


async def _recipient(work: Work, own: Rows) -> Recipient:
    found = await work.session.scalar(
        select(Recipient).where(Recipient.referral_id == UUID(own["referral"]))
    )
    assert found is not None
    return found


async def _add_requests(stage: Stage, people: dict[str, Counsellor], of: dict[str, Rows]) -> None:
    """Transfers of cases that the supervisor of the first team decides, and that others decide."""
    other = people["boris"]
    wanted = {"team": "North", "reason": "x"}
    made = await done(other, f"/cases/{of['boris']['other_case']}/transfer", wanted)
    of["ana"]["to_decide"] = str(made["id"])
    for name in ("boris", "clara"):
        of[name]["to_decide"] = of[name]["request"]
