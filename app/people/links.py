"""Links by which a person chooses a password, once: an invitation, or a reset.

The secret of a link is derived from its row with the server's key: nothing that is stored or
waits for the mail server holds it, and a letter that is sent again has the same link. It stands
behind the # of the address, which browsers send to no server: so it is in no log and no Referer.
"""

import base64
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import exists, or_, select, update

from app.abilities import EndpointKind
from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotFound, Refusal
from app.jobs.names import Task
from app.log import log
from app.people import changing, finding
from app.people.approval.asking import AccessWanted, hold_back, waiting_of
from app.people.changing import Changes
from app.privacy.hash_kinds import HashOf
from app.staff import accounts, passwords, second_factor
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.log_rows import KeptEntry
from app.staff.models import AccessKind, AuditEntry, EarlierPassword, LinkKind, PasswordLink, Staff
from app.staff.roles import Role, reads_others
from app.words.pages import N_, _, read_in, reader, spoken_in
from app.work import Work

# A reset is used at once, or asked for again.
_RESET_LASTS = timedelta(hours=24)
_INACTIVE = N_("This account is inactive. Reactivate it first.")


class LinkUsed(Refusal):
    status = 410
    default = "This link was used already. Sign in with the password that was chosen."


class LinkExpired(Refusal):
    status = 410
    default = "This link is too old. Ask an administrator for a new one."


class LinkWithdrawn(Refusal):
    status = 410
    default = (
        "This link was withdrawn. If you were sent a newer one, use that one; otherwise ask an "
        "administrator."
    )


class LinkNeedsFactor(Refusal):
    status = 410
    default = (
        "A link that came by mail opens no account without a second factor. Ask an administrator "
        "for a link that they hand over themselves."
    )


class LinkWaits(Refusal):
    status = 409
    default = "A second person has not approved this account yet. Open this link again later."


class NoSuchLink(NotFound):
    default = "There is no such link. Check that you opened the whole of it."


def tokens_of(work: Work, link_id: UUID) -> list[str]:
    """Return the secret of a link, and what it would be if an earlier key had made it."""
    made = work.keys.secrets_of(HashOf.PASSWORD_LINK, str(link_id))
    return [base64.urlsafe_b64encode(key).decode().rstrip("=") for key in made]


def address_of(work: Work, link: PasswordLink) -> str | None:
    """Return the address of a link, also if the key of the hashes was rotated since it was made.

    None if the secret key is another one: that ends the links that were made before.
    """
    for token in tokens_of(work, link.id):
        if work.keys.session_key(token) == link.token_key:
            return f"{work.settings.public_url.rstrip('/')}/welcome#{token}"
    return None


async def invite(
    work: Work, changes: Changes, *, by: Staff | None, by_mail: bool
) -> tuple[Staff, str | None]:
    """Add an account without a password, and make the link by which its person chooses one.

    Return the account, and the link if it is to be shown. Raises Invalid, NotFound, NotAllowed,
    NameTaken.
    """
    role = changes.role or Role.COUNSELLOR
    changing.check_gives(by, None, role)
    wanted = await changing.checked(work, replace(changes, name=changes.name or ""))
    staff = await accounts.add_staff(
        work,
        name=wanted.name or "",
        role=role,
        endpoint=wanted.endpoint or EndpointKind.BROWSER.value,
        languages=wanted.languages,
        lines=wanted.lines,
        skills=wanted.skills,
        training=bool(wanted.training),
        chats_at_once=wanted.chats_at_once or 0,
        team=wanted.team or "",
        email=wanted.email or None,
        # Until they choose one, they are written to in the language of who invites them.
        page_language=wanted.page_language
        or read_in(by.page_language if by is not None else reader()),
    )
    if await hold_back(work, staff, AccessWanted(AccessKind.ACCOUNT), by=by):
        staff.active = False
        await work.session.flush()
    return staff, await make_link(work, staff.id, by=by, by_mail=by_mail)


async def make_link(work: Work, person_id: UUID, *, by: Staff | None, by_mail: bool) -> str | None:
    """Make a link for a person: an invitation while there is no password, else a reset.

    An earlier link stops working. Return the address if it is to be shown, which happens only now;
    by mail it goes to the person alone. The link of a person who learns of children may wait: it
    opens nothing, and no letter goes out, until a second person has approved it. Raises NotFound,
    NotAllowed, Invalid, Conflict.
    """
    staff = await changing.lock_person(work, person_id)
    if by is not None and by.id != staff.id:
        changing.check_gives(by, staff, Role(staff.role))
    if not staff.active and (by is None or not await waiting_of(work, staff, AccessKind.ACCOUNT)):
        raise Conflict(_INACTIVE)
    if by_mail and staff.email is None:
        raise Invalid("This person has no e-mail address. Add one, or show the link.")
    if by_mail and work.settings.smtp_url is None:
        raise Invalid("No mail server is set up (HELPLINE_SMTP_URL). Show the link instead.")
    kind = LinkKind.RESET if staff.password_hash is not None else LinkKind.INVITATION
    if by_mail and await _mail_alone_opens(work, staff):
        raise Conflict(
            "This person has no second factor, so a letter alone would open the account. Show the "
            "link, and hand it over yourself."
        )
    former = await _withdraw_open(work, staff)
    link_id = uuid4()
    link = PasswordLink(
        id=link_id,
        staff_id=staff.id,
        kind=kind.value,
        token_key=work.keys.session_key(tokens_of(work, link_id)[0]),
        made_at=work.now,
        made_by=by.id if by else None,
        expires_at=work.now + _lasts(work, kind),
        by_mail=by_mail,
    )
    work.session.add(link)
    await work.session.flush()
    link.waits = await _needs_approval(work, staff, link, by)
    if not staff.active and not link.waits:
        raise Conflict(_INACTIVE)
    before = _for_log(former) if former is not None else None
    after = _for_log(link)
    write_entry(work, AuditLog.PASSWORD_LINK_MADE, str(staff.id), before=before, after=after)
    work.announce(Topic.STAFF)
    if not by_mail:
        return address_of(work, link)
    if not link.waits:
        work.defer(Task.MAIL_LINK, link_id=str(link_id))
    return None


async def _needs_approval(work: Work, staff: Staff, link: PasswordLink, by: Staff | None) -> bool:
    """Return whether a link opens nothing until a second person has approved it.

    A letter to a person whose second factor stays opens nothing to another person, so a counsellor
    who forgot the password at night needs no second person for it.
    """
    alone = link.by_mail and staff.active and not reads_others(staff.role)
    if alone and (await second_factor.state_of(work, staff)).since is not None:
        return False
    kind = AccessKind.LINK if staff.active else AccessKind.ACCOUNT
    return await hold_back(work, staff, AccessWanted(kind, link_id=link.id), by=by)


async def _mail_alone_opens(work: Work, staff: Staff) -> bool:
    """Return whether who has the mail of a person would be let in by a new password alone, to an
    account that was used before. One that its person never opened holds nothing yet."""
    if (await second_factor.state_of(work, staff)).since is not None:
        return False
    return staff.password_hash is not None or await was_used(work, staff)


async def was_used(work: Work, staff: Staff) -> bool:
    """Return whether there was a password or a sign-in before, also if both were taken away.

    Sign-ins before the beginning of the log are not known: an account from then counts as used.
    """
    before = or_(
        exists().where(PasswordLink.staff_id == staff.id, PasswordLink.used_at.is_not(None)),
        exists().where(EarlierPassword.staff_id == staff.id),
        exists().where(
            AuditEntry.subject == str(staff.id),
            AuditEntry.action.in_([AuditLog.PASSWORD_CHOSEN, AuditLog.SIGNED_IN]),
        ),
        exists().where(KeptEntry.subject == str(staff.id)),
    )
    return bool(await work.session.scalar(select(before)))


def _lasts(work: Work, kind: LinkKind) -> timedelta:
    if kind is LinkKind.RESET:
        return _RESET_LASTS
    return timedelta(days=work.settings.invitation_days)


async def let_open(work: Work, link_id: UUID) -> None:
    """Let a link open that waited for a second person: its time begins now.

    One that was withdrawn meanwhile stays so.
    """
    link = await work.session.get(PasswordLink, link_id, with_for_update=True)
    if link is None or not link.waits:
        return
    link.waits = False
    link.expires_at = work.now + _lasts(work, LinkKind(link.kind))
    if link.by_mail and link.withdrawn_at is None:
        work.defer(Task.MAIL_LINK, link_id=str(link_id))


def _for_log(link: PasswordLink) -> dict[str, str | bool]:
    """Return what a link is for and until when; never its secret."""
    until = link.expires_at.isoformat()
    return {"kind": link.kind, "by_mail": link.by_mail, "until": until}


async def _withdraw_open(work: Work, staff: Staff) -> PasswordLink | None:
    """Withdraw the open link of a person, and return it."""
    return await work.session.scalar(
        update(PasswordLink)
        .where(
            PasswordLink.staff_id == staff.id,
            PasswordLink.used_at.is_(None),
            PasswordLink.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=work.now)
        .returning(PasswordLink)
    )


async def has_open(work: Work, staff: Staff) -> bool:
    """Return whether a link of a person could still be used, or could be once it is approved."""
    is_open = exists().where(
        PasswordLink.staff_id == staff.id,
        PasswordLink.used_at.is_(None),
        PasswordLink.withdrawn_at.is_(None),
    )
    return bool(await work.session.scalar(select(is_open)))


async def withdraw(work: Work, person_id: UUID) -> None:
    """Withdraw the link of a person. May run twice. Raises NotFound."""
    staff = await finding.person(work, person_id)
    gone = await _withdraw_open(work, staff)
    if gone is not None:
        before = _for_log(gone)
        write_entry(
            work, AuditLog.PASSWORD_LINK_WITHDRAWN, str(staff.id), before=before, after=None
        )


async def latest(work: Work, staff: Staff) -> PasswordLink | None:
    """Return the last link that was made for a person."""
    found: PasswordLink | None = await work.session.scalar(
        select(PasswordLink)
        .where(PasswordLink.staff_id == staff.id)
        .order_by(PasswordLink.made_at.desc(), PasswordLink.id)
        .limit(1)
    )
    return found


async def id_of(work: Work, token: str) -> UUID | None:
    """Return the id of the link with this secret, whether it can still be used or not."""
    key = work.keys.session_key(token[:100])
    return await work.session.scalar(select(PasswordLink.id).where(PasswordLink.token_key == key))


async def find(work: Work, token: str, *, lock: bool = False) -> tuple[PasswordLink, Staff]:
    """Return a link that can be used, and its person.

    Raises NoSuchLink, LinkUsed, LinkWithdrawn, LinkExpired, LinkNeedsFactor: each says what to do.
    """
    statement = select(PasswordLink).where(
        PasswordLink.token_key == work.keys.session_key(token[:100])
    )
    link = await work.session.scalar(statement.with_for_update() if lock else statement)
    staff = await work.session.get(Staff, link.staff_id) if link is not None else None
    if link is None or staff is None:
        raise NoSuchLink()
    if link.used_at is not None:
        raise LinkUsed()
    if link.withdrawn_at is None and link.waits:
        raise LinkWaits()
    if link.withdrawn_at is not None or not staff.active:
        raise LinkWithdrawn()
    if link.expires_at <= work.now:
        raise LinkExpired()
    if link.by_mail and await _mail_alone_opens(work, staff):
        # The second factor was taken away while the letter was under way.
        raise LinkNeedsFactor()
    return link, staff


async def choose_password(work: Work, token: str, password: str, language: str) -> Staff:
    """Use a link up: its person has this password from now on, and no session from before.

    Raises Invalid, and what `find` raises.
    """
    link, staff = await find(work, token, lock=True)
    work.actor = accounts.actor_of(staff)
    await accounts.choose_page_language(work, staff, language)
    await passwords.set_password(work, staff, password)
    link.used_at = work.now
    staff.revision += 1
    return staff


async def letter_of(work: Work, link_id: UUID) -> tuple[str, str, str] | None:
    """Return address, subject and body of the letter with a link; None if it is not to be sent.

    A link that a new secret key has ended is withdrawn: the page of its person says so.
    """
    link = await work.session.get(PasswordLink, link_id)
    if link is None or link.used_at is not None or link.withdrawn_at is not None or link.waits:
        return None
    staff = await work.session.get(Staff, link.staff_id)
    if staff is None or staff.email is None or link.expires_at <= work.now or link.mailed_at:
        return None
    address = address_of(work, link)
    if address is None:
        log().warning(
            "a link for a password is not mailed and was withdrawn: the secret key was changed "
            "since it was made; send a new one",
            area="people",
            staff_id=str(staff.id),
        )
        await withdraw(work, staff.id)
        return None
    with spoken_in(staff.page_language):
        return staff.email, *_letter(link, address)


def _letter(link: PasswordLink, address: str) -> tuple[str, str]:
    if link.kind == LinkKind.INVITATION:
        subject = _("Your account at the helpline")
        words = _("Open this link and choose a password. It works once.")
    else:
        subject = _("Choose a new password")
        words = _(
            "Open this link and choose a new password. It works once. If you did not ask for it, "
            "tell an administrator."
        )
    return subject, f"{words}\n\n{address}\n"


async def note_mailed(work: Work, link_id: UUID, at: datetime, *, accepted: bool) -> None:
    """Note what became of the letter with a link."""
    column = {"mailed_at": at} if accepted else {"mail_failed_at": at}
    await work.session.execute(
        update(PasswordLink).where(PasswordLink.id == link_id).values(**column)
    )
    work.announce(Topic.STAFF)
