"""Before some acts a person proves again who they are, if their last proof is too old.

A browser may have been left open. It must not give the next person at it numbers, files of single
records or keys. That person must not set what is erased or lift a legal hold. They must not change
accounts, limits, agencies, definitions in force, or where calls come from and go to. They must not
sign the owner out elsewhere. `ACTS` is the only list of these acts; `Requires` in
`app/web/access.py` asks it before every request of a person. Programs show a token of their own and
are not asked.

Nothing here may stand between a counsellor and an urgent referral, an alarm, a talk or a call-back:
none of these is in the list. In a talk, what the talk itself needs at once is open without a proof:
the number of this call, and the earlier contacts of its number. Everything else asks for one also
then: a person at an unlocked browser can write to the helpline by a phone of theirs, and accept.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from fastapi import Request

from app.contacts import profiles
from app.contacts.models import Contact
from app.errors import NotAllowed
from app.routing import offers_held, partners
from app.routing.models import PresenceState
from app.staff import second_factor, session_tokens, sessions
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.sign_in_rules import sign_in_rules
from app.statistics.exports import requested
from app.statistics.exports.files import PERSONAL
from app.work import Work


class ProofNeeded(NotAllowed):
    # The page asks for the proof, and then sends the request again.
    headers = MappingProxyType({"Helpline-Proof": "needed"})
    default = (
        "Prove again who you are: send a code of your second factor, or your password if you have "
        "none, as `proof` to POST /api/v1/me/proof. Then send this request again."
    )


class What(StrEnum):
    """What a proof opens, as the log says it."""

    NUMBER = "number"
    EARLIER_CONTACTS = "earlier_contacts"
    EXPORT = "export"
    KEY = "key"
    ERASING = "erasing"
    PERSON_DATA = "person_data"
    SESSION = "session"
    TELEPHONE = "telephone"
    SETTING = "setting"


@dataclass(frozen=True)
class GuardedAct:
    """An act before which a proof is asked for."""

    opens: What
    # Whether a request is one of these acts; by default each request of the route is.
    only: Callable[[Request, Work, str], Awaitable[bool]] | None = None
    # Returns which call or conversation a request is for; while its person talks in it, no proof
    # is asked for.
    in_talk: Callable[[Request, Work], Awaitable[UUID | None]] | None = None
    # Whether a proof is asked for only if the last one is from before the person's second factor.
    only_before_factor: bool = False


async def _asks_for_records(request: Request, _work: Work, _token: str) -> bool:
    try:
        sent = await request.json()
    except ValueError:
        # Refused as input that cannot be read.
        return False
    what = sent.get("what") if isinstance(sent, dict) else None
    return isinstance(what, str) and what in PERSONAL


async def _approves(request: Request, _work: Work, _token: str) -> bool:
    try:
        sent = await request.json()
    except ValueError:
        return False
    return isinstance(sent, dict) and sent.get("approve") is not False


async def _changes_partner(request: Request, work: Work, token: str) -> bool:
    if await _approves(request, work, token):
        return True
    request_id = _id_in(request, "request_id")
    return request_id is not None and await partners.is_rung(work, request_id)


async def _of_records(request: Request, work: Work, _token: str) -> bool:
    try:
        export_id = UUID(request.path_params["export_id"])
    except ValueError:
        return False
    return await requested.is_personal(work, export_id)


async def _approves_records(request: Request, work: Work, token: str) -> bool:
    return request.path_params.get("word") != "refuse" and await _of_records(request, work, token)


async def _of_single_calls(request: Request, _work: Work, _token: str) -> bool:
    return request.path_params.get("what") == "calls"


async def _elsewhere(request: Request, work: Work, token: str) -> bool:
    """Return whether another session than the one of this browser is ended."""
    mine = await sessions.id_of(work, token)
    return str(request.path_params["session_id"]) != str(mine)


def _id_in(request: Request, name: str) -> UUID | None:
    try:
        return UUID(request.path_params[name])
    except ValueError:
        return None


async def _this_call(request: Request, _work: Work) -> UUID | None:
    return _id_in(request, "call_id")


async def _call_of_contact(request: Request, work: Work) -> UUID | None:
    """Return the call of a contact, if the caller's own number proves its profile. One that was
    chosen by hand could be any child's, also one that is chosen while this is asked."""
    contact_id = _id_in(request, "contact_id")
    contact = await work.session.get(Contact, contact_id) if contact_id is not None else None
    if contact is None:
        return None
    of_number = {profile.id for profile in await profiles.candidates(work, contact)}
    return contact.call_id if contact.profile_id in of_number else None


_KEY = GuardedAct(What.KEY)
_SETTING = GuardedAct(What.SETTING)
_PERSON = GuardedAct(What.PERSON_DATA)
_SESSION = GuardedAct(What.SESSION, _elsewhere)

# By the module below `app`, and the name of the function that answers.
ACTS: Mapping[str, GuardedAct] = {
    "api.access_requests.decide_access_request": _KEY,
    "api.callers.number": GuardedAct(What.NUMBER, in_talk=_this_call),
    "api.records.contacts.open_earlier": GuardedAct(
        What.EARLIER_CONTACTS, in_talk=_call_of_contact
    ),
    # It gives the number of one profile to another: what is open in a talk would open that, too.
    "api.records.contacts.merge_profiles": GuardedAct(What.EARLIER_CONTACTS),
    "api.records.cases.print_case": GuardedAct(What.EXPORT),
    "api.statistics.requested_files.ask_for_file": GuardedAct(What.EXPORT, _asks_for_records),
    "api.statistics.requested_files.decide": GuardedAct(What.EXPORT, _approves_records),
    "api.statistics.requested_files.download": GuardedAct(What.EXPORT, _of_records),
    "api.statistics.statistics.file": GuardedAct(What.EXPORT, _of_single_calls),
    "api.own.sessions.end_other_sessions": GuardedAct(What.SESSION),
    "api.own.sessions.end_own_session": _SESSION,
    "api.settings.line_chats.remove_telegram_bot": _KEY,
    "api.settings.line_chats.set_telegram_bot": _KEY,
    "api.settings.line_chats.remove_signal_number": _KEY,
    "api.settings.line_chats.set_signal_number": _KEY,
    "api.own.account.choose_second_phone": GuardedAct(What.TELEPHONE),
    "dashboard.people.own.choose_second_phone": GuardedAct(What.TELEPHONE),
    # Where no code goes by phone, a PIN counts by the factor. The password is in the request.
    "api.own.account.set_own_pin": GuardedAct(What.TELEPHONE, only_before_factor=True),
    "dashboard.people.own.set_phone_pin": GuardedAct(What.TELEPHONE, only_before_factor=True),
    "api.settings.wallboards.make_wallboard": _KEY,
    "api.tokens.make_token": _KEY,
    "api.data_requests.find": _PERSON,
    "api.data_requests.decide": _PERSON,
    "api.data_requests.report": _PERSON,
    "api.data_requests.take_over": _PERSON,
    "dashboard.settings.data_request_pages.find": _PERSON,
    "dashboard.settings.data_request_pages.decide": _PERSON,
    "dashboard.settings.data_request_pages.take_over": _PERSON,
    "api.emergencies.ask_for_emergency": _KEY,
    "api.emergencies.confirm_emergency": _KEY,
    "api.emergencies.enter_emergency": _KEY,
    "api.own.passkeys.begin_passkey": _KEY,
    "api.own.passkeys.remove_own_passkey": _KEY,
    # To complete a set-up counts as a proof, and it may have begun in another session.
    "api.own.passkeys.add_own_passkey": _KEY,
    "api.own.second_factor.confirm_factor": _KEY,
    "dashboard.people.passkey_pages.add": _KEY,
    "dashboard.people.second_factor.confirm": _KEY,
    "api.retention.change_rules": GuardedAct(What.ERASING),
    "api.retention.follow_country": GuardedAct(What.ERASING),
    "api.retention.run": GuardedAct(What.ERASING),
    "api.settings.keys.reseal": _KEY,
    "api.settings.keys.retire": _KEY,
    "api.settings.keys.rotate": _KEY,
    "api.settings.keys.rotate_hashes": _KEY,
    # Where children's records are sent.
    "api.urgent.agencies.decide_address_changes": GuardedAct(What.SETTING, _approves),
    "api.urgent.agencies.import_agencies": _SETTING,
    "api.urgent.agencies.save_agency": _SETTING,
    "dashboard.directory.pages.add_agency": _SETTING,
    "dashboard.directory.pages.change_agency": _SETTING,
    # The secret address of a person's duties.
    "api.settings.calendar_feed.make_feed": _KEY,
    "dashboard.rota.page.make_feed": _KEY,
    "api.retention.lift": GuardedAct(What.ERASING),
    # Its form lifts a hold, too.
    "dashboard.settings.retention_pages.hold_record": GuardedAct(What.ERASING),
    "api.definitions.put_in_force": _SETTING,
    "api.definitions.take_back": _SETTING,
    "dashboard.settings.definition_pages.put_in_force": _SETTING,
    "dashboard.settings.definition_pages.take_back": _SETTING,
    "api.urgent.agencies.make_secret": _KEY,
    "api.urgent.agencies.set_password": _KEY,
    "api.people.invite_person": _KEY,
    "api.people.make_link": _KEY,
    "api.people.make_phone_code": _KEY,
    "api.people.reactivate": _KEY,
    "api.people.reset_factor": _KEY,
    "api.people.set_rules": _KEY,
    "api.provider.link_own_identity": _KEY,
    "api.provider.remove_provider": _KEY,
    "api.provider.set_provider": _KEY,
    "api.provider.unlink_own_identity": _KEY,
    "api.provider.unlink_person": _KEY,
    "dashboard.people.accounts.invite": _KEY,
    "dashboard.people.accounts.make_link": _KEY,
    "dashboard.people.accounts.make_phone_code": _KEY,
    "dashboard.people.accounts.reset_factor": _KEY,
    "dashboard.people.accounts.unlink": _KEY,
    "dashboard.people.emergency_pages.ask": _KEY,
    "dashboard.people.emergency_pages.confirm": _KEY,
    "dashboard.people.emergency_pages.enter": _KEY,
    "dashboard.people.leaving.reactivate": _KEY,
    "dashboard.people.own.end_other_sessions": GuardedAct(What.SESSION),
    "dashboard.people.own.end_session": _SESSION,
    "dashboard.people.passkey_pages.remove": _KEY,
    "dashboard.people.provider_pages.link": _KEY,
    "dashboard.people.provider_pages.unlink": _KEY,
    "dashboard.settings.agency_key_pages.make_secret": _KEY,
    "dashboard.settings.agency_key_pages.set_password": _KEY,
    "dashboard.settings.lines.carrier_pages.remove_telegram_bot": _KEY,
    "dashboard.settings.lines.carrier_pages.set_telegram_bot": _KEY,
    "dashboard.settings.lines.carrier_pages.remove_signal_number": _KEY,
    "dashboard.settings.lines.carrier_pages.set_signal_number": _KEY,
    "dashboard.settings.provider_page.remove_provider": _KEY,
    "dashboard.settings.provider_page.set_provider": _KEY,
    "dashboard.settings.key_pages.reseal": _KEY,
    "dashboard.settings.key_pages.retire": _KEY,
    "dashboard.settings.key_pages.rotate": _KEY,
    "dashboard.settings.key_pages.rotate_hashes": _KEY,
    "dashboard.settings.retention_pages.change_rules": GuardedAct(What.ERASING),
    "dashboard.settings.retention_pages.follow_country": GuardedAct(What.ERASING),
    "dashboard.settings.retention_pages.run": GuardedAct(What.ERASING),
    "dashboard.settings.sign_in_pages.change_rules": _KEY,
    "dashboard.settings.token_pages.make_token": _KEY,
    "dashboard.settings.wallboard_pages.make_wallboard": _KEY,
    "api.dialling.change_dialling": _SETTING,
    # What children hear and read, and where they are led.
    "api.settings.every_line.set_prompt": _SETTING,
    "api.settings.every_line.set_recording": _SETTING,
    "api.settings.every_line.take_back": _SETTING,
    "api.settings.every_line.use_words_of_program": _SETTING,
    "api.settings.line_chats.set_chat": _SETTING,
    "api.settings.lines.set_prompt": _SETTING,
    "api.settings.lines.set_recording": _SETTING,
    "api.settings.lines.take_back": _SETTING,
    "api.settings.lines.use_words_of_program": _SETTING,
    "dashboard.settings.lines.every_line_pages.change_prompt": _SETTING,
    "dashboard.settings.lines.every_line_pages.take_back": _SETTING,
    "dashboard.settings.lines.every_line_pages.use_words_of_program": _SETTING,
    "dashboard.settings.lines.line_pages.change_chat": _SETTING,
    "dashboard.settings.lines.prompt_pages.change_prompt": _SETTING,
    "dashboard.settings.lines.prompt_pages.take_back": _SETTING,
    "dashboard.settings.lines.prompt_pages.use_words_of_program": _SETTING,
    "api.languages.import_catalogue": _SETTING,
    "api.languages.take_back": _SETTING,
    "dashboard.settings.language_pages.import_catalogue": _SETTING,
    "dashboard.settings.language_pages.take_back": _SETTING,
    "api.settings.line_changes.take_back": _SETTING,
    "api.settings.line_changes.take_number_back": _SETTING,
    "api.settings.lines.add_line": _SETTING,
    "api.settings.lines.take_into_use": _SETTING,
    "dashboard.settings.lines.line_pages.add_line": _SETTING,
    "dashboard.settings.lines.line_pages.take_into_use": _SETTING,
    "api.settings.lines.change_facts": _SETTING,
    "api.settings.lines.change_numbers": _SETTING,
    "api.settings.lines.change_plan": _SETTING,
    # Also what is refused, if callers are connected with it: it is taken out.
    "api.settings.partners.decide_partner_request": GuardedAct(What.SETTING, _changes_partner),
    "api.settings.lines.retire": _SETTING,
    "api.settings.backups.make_backup": _SETTING,
    "api.settings.own_settings.change_settings": _SETTING,
    "dashboard.settings.backup_pages.make_backup": _SETTING,
    "dashboard.settings.dialling_pages.change_dialling": _SETTING,
    "dashboard.settings.lines.line_pages.change_facts": _SETTING,
    "dashboard.settings.lines.line_pages.change_numbers": _SETTING,
    "dashboard.settings.lines.line_pages.change_plan": _SETTING,
    "dashboard.settings.lines.line_pages.retire": _SETTING,
    "dashboard.settings.lines.line_pages.take_change_back": _SETTING,
    "dashboard.settings.own_setting_pages.change_settings": _SETTING,
    "api.people.change_person": _KEY,
    "dashboard.people.accounts.change_person": _KEY,
}


def name_of(endpoint: Callable[..., object]) -> str:
    """Return the name by which `ACTS` knows the function that answers a route."""
    return f"{endpoint.__module__.removeprefix('app.')}.{endpoint.__name__}"


async def check(request: Request, work: Work, staff: Staff, token: str) -> None:
    """Let a request through unless it needs a proof that is too old. Raises ProofNeeded."""
    act = ACTS.get(name_of(request.scope["endpoint"]))
    if act is None or await is_fresh(work, staff, token):
        return
    if act.only is not None and not await act.only(request, work, token):
        return
    if act.only_before_factor and not await _is_from_before_factor(work, staff, token):
        return
    call_id = await act.in_talk(request, work) if act.in_talk is not None else None
    if call_id is None or not await offers_held.talks_in(work, staff.id, call_id):
        raise ProofNeeded()
    write_entry(work, AuditLog.PROOF_NOT_ASKED, str(staff.id), opens=act.opens.value)


async def is_fresh(work: Work, staff: Staff, token: str) -> bool:
    """Return whether the last proof of a session still counts. The password alone does not, once
    there is a second factor."""
    proved = await session_tokens.proved_at(work, token)
    minutes = (await sign_in_rules(work)).proof_minutes
    if proved is None or work.now - proved >= timedelta(minutes=minutes):
        return False
    return not await _is_from_before_factor(work, staff, token)


async def _is_from_before_factor(work: Work, staff: Staff, token: str) -> bool:
    """Return whether a person has a second factor, and the session no proof since then."""
    since = (await second_factor.state_of(work, staff)).since
    proved = await session_tokens.proved_at(work, token)
    return since is not None and (proved is None or proved < since)


async def talks(work: Work, staff: Staff) -> bool:
    """Return whether a person has a talk now, or is about to: it is they who sit there."""
    held = await offers_held.in_hand(work, staff.id)
    return held.state in (PresenceState.ON_CALL, PresenceState.WRITING)
