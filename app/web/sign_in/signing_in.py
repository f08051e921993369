"""Signing in: the password, then a code of the second factor or a passkey."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fastapi import Request

from app.errors import NotAllowed, NotSignedIn, TooMany
from app.people.emergency import emergencies
from app.people.provider import access, keeping
from app.routing import own_presence, telephones
from app.staff import accounts, passkeys, second_factor, session_tokens
from app.staff.audit import write_entry, write_reading
from app.staff.hashing import password_is_right
from app.staff.log_kinds import AuditLog
from app.staff.models import Awaits, Staff, StaffSession
from app.staff.passkey_rows import ChallengePurpose
from app.staff.passkeys import Added, Sent
from app.staff.sessions import browser_of, current_key
from app.staff.telling import Told, tell_owner
from app.web import decisions, step_up
from app.web.access import token_of
from app.web.decisions import Right
from app.web.sign_in import guesses, known_browsers, passkey_answers
from app.web.sign_in.proving import Proof, note_proof
from app.work import Work


class PasswordClosed(NotAllowed):
    default = "People of %(name)s sign in there. Use its button on the page of the sign-in."

    def __init__(self, name: str) -> None:
        super().__init__(self.default, name=name)


@dataclass(frozen=True)
class SignIn:
    """A person who has given the right password, and the token for their cookie."""

    staff: Staff
    token: str
    # What is still missing before the session opens anything.
    awaits: Awaits | None = None


async def sign_in(request: Request, work: Work, username: str, password: str) -> SignIn:
    """Check name and password. Raises WrongPassword, TooMany."""
    staff = await _of_password(request, work, username, password)
    return await sign_in_person(request, work, staff)


async def sign_in_person(
    request: Request, work: Work, staff: Staff, *, has_factor: bool = False
) -> SignIn:
    """Sign a person in who has proven who they are; a second factor may still be missing.

    `has_factor`: they gave one elsewhere, where it counts.
    """
    awaits = None if has_factor else await second_factor.missing_of(work, staff)
    if awaits is Awaits.SETTING_UP:
        if await step_up.talks(work, staff):
            return await _signed_in_to_talk(request, work, staff)
        if not (await second_factor.state_of(work, staff)).passkey_needed:
            await second_factor.begin(work, staff)
    if awaits is None:
        return await _signed_in(request, work, staff)
    # Its cookie is replaced now. No call rings at its page until the sign-in is complete.
    former = await _end_former(request, work, staff)
    token = await session_tokens.open_session(
        work, staff, _browser(request), awaits=awaits, proven=False
    )
    if former is not None:
        await telephones.pass_on(work, staff.id, former, work.keys.session_key(token))
    return SignIn(staff, token, awaits)


async def sign_in_at_once(
    request: Request,
    work: Work,
    username: str,
    password: str,
    code: str,
    passkey: Sent | None = None,
) -> SignIn:
    """Check name, password and, if there is a second factor, a code or a passkey: for programs.

    Raises WrongPassword, CodeNeeded, WrongCode, WrongPasskey, PasskeyNeeded, FactorNeeded, TooMany.
    """
    staff = await _of_password(request, work, username, password)
    state = await second_factor.state_of(work, staff)
    if state.passkey_needed and not state.codes_count and passkey is None:
        # A recovery code leads to setting one up, which is done on the pages.
        raise second_factor.PasskeyNeeded()
    needs_setting_up = state.needed and state.since is None
    needs_passkey = state.passkey_needed and state.codes_count
    if (needs_setting_up or needs_passkey) and not await step_up.talks(work, staff):
        missing = second_factor.PasskeyNeeded if needs_passkey else second_factor.FactorNeeded
        raise second_factor.FactorNeeded(missing.default)
    if state.since is not None:
        if passkey is None and not code:
            raise second_factor.CodeNeeded()
        await guesses.limit_second_step(request, work, staff, by_passkey=passkey is not None)
        staff = await _still(work, staff)
        if passkey is not None:
            await _check_passkey(work, staff, passkey)
        else:
            await _check_code(work, staff, code)
    if needs_setting_up or needs_passkey:
        return await _signed_in_to_talk(request, work, staff)
    return await _signed_in(request, work, staff)


async def passkey_options_at_once(
    request: Request, work: Work, username: str, password: str
) -> str:
    """Return what a browser needs to use a passkey beside name and password, as JSON.

    Raises WrongPassword, TooMany, NoName, NoPasskey.
    """
    staff = await _of_password(request, work, username, password)
    return await passkeys.begin_using(work, staff, ChallengePurpose.SIGN_IN)


async def begun(request: Request, work: Work, awaits: Awaits) -> tuple[Staff, StaffSession]:
    """Return who has given the right password and still has to do this. Raises NotSignedIn."""
    staff, session = await _any_begun(request, work)
    if session.awaits != awaits.value:
        raise NotSignedIn()
    decisions.grant(request, Right.PASSWORD_GIVEN)
    return staff, session


async def _any_begun(request: Request, work: Work) -> tuple[Staff, StaffSession]:
    """Return who has given the right password and still has to do something. Raises NotSignedIn."""
    token = token_of(request)
    found = await session_tokens.begun_session(work, token) if token else None
    if found is None:
        raise NotSignedIn()
    staff, session = found
    # The password alone sets the first factor up, and adds nothing to one that there is by now.
    gave_none = session.awaits == Awaits.SETTING_UP and session.proved_at is None
    if gave_none and (await second_factor.state_of(work, staff)).since is not None:
        raise NotSignedIn()
    return staff, session


async def sign_in_by_code(request: Request, work: Work, code: str) -> SignIn:
    """Go on after the password, with a code. No code stands for a passkey where the role needs one:
    it leads only to setting one up.

    Raises NotSignedIn, WrongCode, PasskeyNeeded, TooMany.
    """
    await guesses.limit_second_step(request, work, (await begun(request, work, Awaits.CODE))[0])
    staff, session = await begun(request, work, Awaits.CODE)
    if not await _check_code(work, staff, code, session):
        await second_factor.learn_clock(work, staff, session)
    state = await second_factor.state_of(work, staff)
    if not state.passkey_needed:
        return await _signed_in(request, work, staff, session)
    if state.codes_count and await step_up.talks(work, staff):
        return await _signed_in_to_talk(request, work, staff, session)
    token = await session_tokens.complete_session(work, staff, session, awaits=Awaits.SETTING_UP)
    await telephones.pass_on(work, staff.id, session.token_key, work.keys.session_key(token))
    return SignIn(staff, token, Awaits.SETTING_UP)


async def passkey_options(request: Request, work: Work) -> str:
    """Return what a browser needs to go on after the password, as JSON: to use a passkey, or to
    make the first one. Raises NotSignedIn, NoName, NoPasskey, TooMany."""
    staff, session = await _any_begun(request, work)
    decisions.grant(request, Right.PASSWORD_GIVEN)
    await guesses.count_options(request, staff)
    if session.awaits == Awaits.SETTING_UP:
        return await passkeys.begin_adding(work, staff)
    return await passkeys.begin_using(work, staff, ChallengePurpose.SIGN_IN)


async def sign_in_by_passkey(request: Request, work: Work, sent: Sent) -> SignIn:
    """Go on after the password, with a passkey.

    Raises NotSignedIn, WrongPasskey, PasskeyStopped, TooMany.
    """
    staff, _ = await begun(request, work, Awaits.CODE)
    await guesses.limit_second_step(request, work, staff, by_passkey=True)
    staff, session = await begun(request, work, Awaits.CODE)
    await _check_passkey(work, staff, sent)
    await second_factor.learn_clock(work, staff, session)
    return await _signed_in(request, work, staff, session)


async def sign_in_by_adding_passkey(
    request: Request, work: Work, name: str, sent: Sent
) -> tuple[SignIn, list[str]]:
    """Go on after the password by adding a passkey. Return the recovery codes, too, if it is the
    first second factor.

    Raises NotSignedIn, Invalid, WrongPasskey, TooMany, Conflict.
    """
    staff, _ = await begun(request, work, Awaits.SETTING_UP)
    work.actor = accounts.actor_of(staff)
    challenge = await _taken_challenge(request, work, staff, sent)
    staff, session = await _still_setting_up(request, work, staff)
    added = await passkeys.add(work, staff, name, sent, challenge)
    return await _signed_in(request, work, staff, session), added.codes or []


async def add_passkey(
    request: Request, work: Work, staff: Staff, name: str, sent: Sent
) -> tuple[Added, str]:
    """Add a passkey that the browser has made. Return the new token for the cookie, too.

    Raises Invalid, WrongPasskey, Conflict, TooMany.
    """
    challenge = await _taken_challenge(request, work, staff, sent)
    added = await passkeys.add(work, staff, name, sent, challenge)
    # Its device has asked who is there.
    return added, await note_proof(request, work, staff, Proof.PASSKEY)


async def _taken_challenge(request: Request, work: Work, staff: Staff, sent: Sent) -> bytes:
    await guesses.check_own_attempts(request, work, staff)
    return await passkey_answers.taken_challenge(work, staff, ChallengePurpose.ADDING, sent)


async def _still_setting_up(
    request: Request, work: Work, staff: Staff
) -> tuple[Staff, StaffSession]:
    """Return the account and the session again, after an attempt was slowed down: it may have
    ended, or a factor been set up elsewhere. Raises NotSignedIn."""
    await second_factor.lock(work, staff)
    return await begun(request, work, Awaits.SETTING_UP)


async def sign_in_by_setting_up(
    request: Request, work: Work, code: str
) -> tuple[SignIn, list[str]] | None:
    """Go on after the password by setting a second factor. Return the recovery codes, too; None if
    the next code of the phone is needed as well.

    Raises NotSignedIn, WrongCode, PasskeyNeeded, TooMany, Conflict.
    """
    staff, _ = await begun(request, work, Awaits.SETTING_UP)
    if (await second_factor.state_of(work, staff)).passkey_needed:
        raise second_factor.PasskeyNeeded()
    await guesses.check_own_attempts(request, work, staff)
    staff, session = await _still_setting_up(request, work, staff)
    work.actor = accounts.actor_of(staff)
    codes = await second_factor.confirm(work, staff, code)
    if codes is None:
        return None
    return await _signed_in(request, work, staff, session), codes


async def enter_emergency(request: Request, work: Work, staff: Staff, emergency_id: UUID) -> str:
    """Sign the person who asked in to the account that acts on the accounts. Return the token for
    the cookie. As with every sign-in, the session that the browser had ends.

    Raises NoEmergency, OtherPerson, Conflict.
    """
    account, token = await emergencies.enter(work, staff, emergency_id)
    await _end_former(request, work, account)
    return token


async def _of_password(request: Request, work: Work, username: str, password: str) -> Staff:
    """Return the account with this name and password. A failure stands in the log: each one within
    the limits, and one in a minute beyond them.

    While others guess at an account, its right password still leads to its second factor, which
    they do not have. Any other answer is the same for each name, so none tells which there are.

    Raises WrongPassword, TooMany.
    """
    # Names that no account can have are counted as one: some of them cannot even be hashed.
    name = username.strip().lower()[:80] if username.isprintable() else ""
    has_attempts = await guesses.limit_guesses(request, name)
    if not (username + password).isprintable():
        # No name has such characters, and no database column holds them.
        raise accounts.WrongPassword() if has_attempts else TooMany()
    staff = await accounts.find_by_name(work.session, username[:200])
    # Passwords are compared two at a time: a crowd that waits for it must hold no connection.
    await work.let_go()
    if not await password_is_right(staff, password[:1000]) or staff is None:
        if has_attempts or await guesses.may_log_failure(request, name):
            await _note_failure(work, staff, "password")
        raise accounts.WrongPassword() if has_attempts else TooMany()
    staff = await _still(work, staff)
    if not has_attempts and (await second_factor.state_of(work, staff)).since is None:
        await work.let_go()
        if await guesses.may_log_failure(request, name):
            await _note_failure(work, staff, "limit")
        raise TooMany()
    await check_may_use_password(work, staff)
    return staff


async def check_may_use_password(work: Work, staff: Staff) -> None:
    """Check that a person's password is not closed in favour of the provider.

    Raises PasswordClosed, NoRoleHere.
    """
    if not staff.by_provider or staff.emergency:
        return
    identity = await access.identity_of(work, staff)
    if identity is not None and identity.lost_at is not None:
        raise access.NoRoleHere()
    row = await keeping.provider(work)
    if row is not None and row.closes_passwords:
        raise PasswordClosed(name=row.name)


async def _note_failure(work: Work, staff: Staff | None, what: str) -> None:
    """Write a failed sign-in to the log, though the request is refused. A name that no account has
    is not written down: people type their password there."""
    subject = str(staff.id) if staff is not None else "unknown name"
    await write_reading(work, AuditLog.SIGN_IN_FAILED, subject, wrong=what)


async def _still(work: Work, staff: Staff) -> Staff:
    """Return an account again, after its connection was let go.

    Raises WrongPassword if it was closed, or its password changed, meanwhile.
    """
    found = await work.session.get(Staff, staff.id, populate_existing=True)
    if found is None or not found.active or found.password_hash != staff.password_hash:
        raise accounts.WrongPassword()
    return found


async def _check_passkey(work: Work, staff: Staff, sent: Sent) -> None:
    try:
        await passkey_answers.use(work, staff, ChallengePurpose.SIGN_IN, sent)
    except NotSignedIn:
        await _note_failure(work, staff, "passkey")
        raise


async def _check_code(
    work: Work, staff: Staff, code: str, session: StaffSession | None = None
) -> bool:
    """Use a code up. Return whether it was the phone's. Raises WrongCode, PasskeyNeeded."""
    try:
        return await second_factor.use_code(work, staff, code)
    except second_factor.PasskeyNeeded:
        await _note_failure(work, staff, "code")
        raise
    except second_factor.WrongCode:
        await _note_failure(work, staff, "code")
        if session is not None:
            await second_factor.note_refused(work, staff, session, code)
        raise


def _browser(request: Request) -> str:
    return browser_of(request.headers.get("user-agent", ""))


async def _end_former(request: Request, work: Work, staff: Staff) -> bytes | None:
    """End the session that the browser has. Return its key if it is this person's.

    Another person's goes on while they are in a talk in its page: a child must not lose it because
    a colleague signs in. All else that they have there goes to colleagues, as when they sign out.
    """
    token = token_of(request)
    session = await current_key(work, work.keys.session_key(token))
    talks = await telephones.other_who_talks(work, staff.id, session)
    if talks is not None:
        await own_presence.page_taken_in_talk(work, talks, session)
        return None
    former = await session_tokens.end_former_session(work, staff, token)
    if former is None:
        return None
    if former.staff_id == staff.id:
        return former.key
    if former.was_open:
        await own_presence.page_taken(work, former.staff_id)
    return None


async def _signed_in_to_talk(
    request: Request, work: Work, staff: Staff, session: StaffSession | None = None
) -> SignIn:
    """Sign a person in who talks with a child now and has not set up the second factor yet, or the
    passkey that their role needs.

    Setting it up waits: the session ends soon after the work, and the next sign-in leads to it.
    """
    work.actor = accounts.actor_of(staff)
    write_entry(work, AuditLog.FACTOR_NOT_ASKED, str(staff.id))
    until = work.now + session_tokens.AWAITS_LENGTH
    proven = not (await second_factor.state_of(work, staff)).passkey_needed
    return await _signed_in(request, work, staff, session, until=until, proven=proven)


async def _signed_in(
    request: Request,
    work: Work,
    staff: Staff,
    session: StaffSession | None = None,
    *,
    until: datetime | None = None,
    proven: bool = True,
) -> SignIn:
    """Open a session that may do everything, and tell its owner if the browser is a new one.

    The one that they had in this browser ends. Its pages go on with the new cookie, and so does the
    telephone of one of them: calls ring there, and a talk goes on.
    """
    former: bytes | None
    if session is not None:
        former = session.token_key
        token = await session_tokens.complete_session(
            work, staff, session, until=until, proven=proven
        )
    else:
        former = await _end_former(request, work, staff)
        token = await session_tokens.open_session(
            work, staff, _browser(request), until=until, proven=proven
        )
    if former is not None:
        await telephones.pass_on(work, staff.id, former, work.keys.session_key(token))
    if known_browsers.known_browser(request, staff) is None:
        write_entry(work, AuditLog.NEW_BROWSER, str(staff.id), browser=_browser(request))
        tell_owner(work, staff, Told.NEW_BROWSER, _browser(request))
    return SignIn(staff, token)
