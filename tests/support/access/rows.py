"""The rows of one counsellor: of each kind of which a route asks whose it is."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from app.calls import record
from app.calls.lines import finding_lines
from app.calls.models import VoiceMessage
from app.chats import ending, messages, opening
from app.chats.left import left
from app.chats.models import Media, ReturnCode
from app.contacts.models import Opening
from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, Stage
from app.jobs.transaction import send_rows, transaction
from app.outbox.push.models import PushSubscription
from app.privacy.keys import Bound
from app.referrals.models import Dispatch
from app.referrals.scopes import lock_referral
from app.referrals.states import ForWhom, NoticeKind
from app.referrals.trail import add_notice
from app.routing import offers, presence
from app.routing.callbacks import callbacks
from app.routing.callbacks.choices import Slot, Who
from app.staff.models import Staff
from app.staff.passkey_rows import Passkey
from app.training.models import Practice
from app.training.scenarios import text_of
from app.work import PROGRAM, Work
from tests.support.contacts import PDF, WHOLE, upload
from tests.support.documents.files import png, wav
from tests.support.referrals import OVERRIDE, by_hand
from tests.support.talks import talk

Rows = dict[str, str]


async def rows_of(stage: Stage, who: Counsellor, number: str) -> Rows:
    """A talk with a caller, and everything that comes of it."""
    call_id = (await stage.call_of(await talk(stage, who, from_=number)))["id"]
    return await rows_of_talk(stage, who, call_id)


async def rows_of_talk(stage: Stage, who: Counsellor, call_id: UUID) -> Rows:
    """Everything that comes of a talk."""
    rows: Rows = {"person": str(who.id), "call": str(call_id)}
    await _add_records(stage, who, rows)
    flagged = {"kind": "at_risk", "reason": "shouts", "hours": 24}
    rows["caller_flag"] = (await done(who, f"/calls/{call_id}/flags", flagged))["id"]
    found = await stage.rows("SELECT id FROM offers WHERE call_id = %s", call_id)
    rows["offer"] = str(found[0]["id"])
    rows["participant"] = await _add_participant(stage, call_id)
    async with transaction(stage.ground, PROGRAM) as work:
        await _add_around(work, rows)
    return rows | await of_account(stage, who)


async def of_account(stage: Stage, who: Counsellor) -> Rows:
    """The rows that belong to an account: its session, a passkey and a browser."""
    found = await stage.rows("SELECT id FROM staff_sessions WHERE staff_id = %s", who.id)
    rows = {"person": str(who.id), "session": str(found[0]["id"])}
    async with transaction(stage.ground, PROGRAM) as work:
        own = {"id": uuid4(), "staff_id": who.id}
        made = Passkey(
            **own,
            name="x",
            credential_id=own["id"].bytes,
            public_key_sealed=b"\x01\x01" + bytes(60),
            sign_count=0,
            # The session has seen it.
            made_at=work.now - timedelta(days=1),
        )
        browser = PushSubscription(
            **own,
            endpoint_sealed=work.keys.seal(
                b"https://push.example/x",
                table="push_subscriptions",
                column="endpoint_sealed",
                row=own["id"],
            ),
            endpoint_key=own["id"].bytes,
            label="x",
            created_at=work.now,
        )
        work.session.add_all([made, browser])
        rows |= {"passkey": str(made.id), "subscription": str(browser.id)}
    return rows


async def done(who: Counsellor, path: str, body: Any = None, method: str = "POST") -> Any:
    answer = await who.ask(method, path, body)
    assert answer.status_code < 300, (path, answer.text)
    return answer.json() if answer.content else {}


async def inserted(stage: Stage, statement: str, *values: Any) -> str:
    (row,) = await stage.rows(statement, *values)
    return str(row["id"])


_PARTICIPANT = (
    "INSERT INTO participants (id, call_id, room_id, purpose, wanted_at, number_sealed) SELECT"
    " %s, call_id, id, 'third_party', now(), %s FROM offers WHERE call_id = %s RETURNING id"
)


async def _add_participant(stage: Stage, call_id: UUID) -> str:
    made = uuid4()
    async with transaction(stage.ground, PROGRAM) as work:
        number = work.keys.seal(
            b"+38111000111", table="participants", column="number_sealed", row=made
        )
    return await inserted(stage, _PARTICIPANT, made, number, call_id)


async def _add_records(stage: Stage, who: Counsellor, rows: Rows) -> None:
    """The contact of the call, a case with a document, and a referral."""
    rows["contact"] = (await who.ask("GET", f"/calls/{rows['call']}/contact")).json()["id"]
    changes = [{"path": path, "value": value, "base": 0} for path, value in WHOLE.items()]
    await done(who, f"/contacts/{rows['contact']}/answers", {"changes": changes}, "PUT")
    found = await stage.rows("SELECT profile_id, code FROM contacts WHERE id = %s", rows["contact"])
    rows["profile"], rows["contact_code"] = str(found[0]["profile_id"]), found[0]["code"]
    rows["case"] = (await done(who, "/cases", {"contacts": [rows["contact"]]}))["id"]
    other = await done(who, "/cases", {})
    rows["other_case"], rows["other_code"] = other["id"], other["code"]
    case = f"/cases/{rows['case']}"
    follow_up = {"about": "check", "due_on": "2030-02-01"}
    rows["document"] = (await upload(who, stage, rows["case"], "letter.pdf", PDF)).json()["id"]
    rows["follow_up"] = (await done(who, f"{case}/follow-ups", follow_up))["id"]
    flag = {"about": "danger_at_a_visit", "words": "A dog"}
    rows["case_flag"] = (await done(who, f"{case}/flags", flag))["id"]
    rows["request"] = (await done(who, f"{case}/transfer", {"team": "West", "reason": "x"}))["id"]
    tie = {"code": rows["other_code"], "tie": "siblings"}
    await done(who, f"{case}/links", tie)
    made = await by_hand(who, override=OVERRIDE, send=True, contact_id=rows["contact"])
    rows["referral"] = str(made["id"])


async def _add_around(work: Work, rows: Rows) -> None:
    """What comes up around a call, a contact and a referral. What is for all teams until a person
    has taken it is the counsellor's."""
    person, contact, call_id = (UUID(rows[name]) for name in ("person", "contact", "call"))
    staff = await work.session.get_one(Staff, person)
    ids = {name: uuid4() for name in ("opening", "dispatch", "practice", "message")}

    def sealed(table: str, column: str, row: UUID) -> bytes:
        return work.keys.seal(b"A house by the river", table=table, column=column, row=row)

    until = work.now + timedelta(hours=4)
    reason = sealed("openings", "reason_sealed", ids["opening"])
    work.session.add(
        Opening(
            id=ids["opening"],
            staff_id=person,
            contact_id=contact,
            team=staff.team,
            contacts=[contact],
            at=work.now,
            until=until,
            reason_sealed=reason,
        )
    )
    place = sealed("dispatches", "place_sealed", ids["dispatch"])
    referral = await lock_referral(work, UUID(rows["referral"]))
    work.session.add(
        Dispatch(
            id=ids["dispatch"],
            referral_id=referral.id,
            place_sealed=place,
            wanted_at=until,
            team="Teren",
            state="asked",
            asked_at=work.now,
        )
    )
    notice = add_notice(work, referral, NoticeKind.RING_THEM, for_whom=ForWhom.OWNER)
    work.session.add(
        Practice(
            id=ids["practice"],
            trainee_id=person,
            team=staff.team,
            scenario="school_bullying",
            script=text_of("school_bullying"),
            language="en",
            started_at=work.now,
        )
    )
    await add_message(work, ids["message"], call_id, owner=person)
    call = await record.lock_call(work, call_id)
    line = await finding_lines.any_line(work)
    assert line is not None
    window = await callbacks.window_for(work, Slot.SOON, line, "sr")
    agreed = await callbacks.agree(work, call, Who.CALLER, window, safe=True, slot=Slot.SOON)
    agreed.made_by = person
    await work.session.flush()
    rows |= {name: str(one) for name, one in ids.items()}
    rows |= {"notice": str(notice.id), "callback": str(agreed.id)}


async def add_message(work: Work, id_: UUID, call_id: UUID, *, owner: UUID | None = None) -> None:
    bound = Bound("voice_messages", "audio_sealed", id_)
    (sound,) = await work.keys.seal_all([(bound, wav())])
    work.session.add(
        VoiceMessage(
            id=id_,
            call_id=call_id,
            recording_sid=f"RE{uuid4().hex}",
            seconds=3,
            state="imported",
            audio_sealed=sound,
            audio_type="audio/wav",
            created_at=work.now,
            owner_id=owner,
            taken_at=work.now if owner is not None else None,
        )
    )


async def chat_of(stage: Stage, who: Counsellor) -> Rows:
    """A child writes, and a counsellor has accepted; the child's secret opens the conversation.
    Another child has left a message, which the counsellor has taken."""
    async with transaction(stage.ground, PROGRAM) as work:
        line = await finding_lines.line_of_number(work, LINE)
        assert line is not None
        opened = [
            await opening.open_conversation(
                work, line, language="sr", danger=False, client_key=uuid4().hex
            )
            for _ in range(2)
        ]
        call = await record.lock_call(work, opened[0].call.id)
        locked = await presence.lock_presence(work, who.id)
        staff = await work.session.get_one(Staff, who.id)
        offer = await offers.open_offer(work, call, staff, locked, slot=1)
        await work.session.flush()
        await ending.accept(work, call, offer)
        key = uuid4().hex
        await left.leave_message(work, opened[1].call.id, text="Javite se", client_key=key)
        message = await work.session.get_one(ReturnCode, opened[1].call.id)
        message.owner_id, message.taken_at = who.id, work.now
        rows = {"chat": str(call.id), "secret": opened[0].secret, "left": str(opened[1].call.id)}
        rows["secret_of_left"] = opened[1].secret
        rows["media"] = await _picture(work, call.id)
        number = await messages.say_as_child(
            work, call.id, text="064 765 4321", client_key=uuid4().hex
        )
        rows["message_number"] = str(number.number)
    found = await stage.rows("SELECT id FROM contacts WHERE call_id = %s", rows["chat"])
    story = "SELECT at, kind, detail FROM call_events WHERE call_id = %s ORDER BY id"
    assert found, await stage.rows(story, rows["chat"])
    return rows | {"chat_contact": str(found[0]["id"])}


async def _picture(work: Work, call_id: UUID) -> str:
    """A picture that a child sent in a conversation."""
    media_id, content = uuid4(), png()
    await work.session.flush()
    key = uuid4().hex
    message_id = (await messages.say_as_child(work, call_id, text="Vidi", client_key=key)).id
    await send_rows(work)
    bound = Bound("chat_media", "content_sealed", media_id)
    (sealed,) = await work.keys.seal_all([(bound, content)])
    work.session.add(
        Media(
            id=media_id,
            call_id=call_id,
            message_id=message_id,
            place=0,
            kind="picture",
            state="kept",
            content_sealed=sealed,
            media_type="image/png",
            size=len(content),
            scan="clean",
            at=work.now,
        )
    )
    return str(media_id)
