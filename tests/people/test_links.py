"""A link by which a person chooses a password: once, in time, and known to no other person."""

from datetime import timedelta
from urllib.parse import urlsplit

import pyotp
import pytest
from sqlalchemy import select

from app.errors import Conflict, Invalid, NotAllowed
from app.people import leaving, links
from app.people.changing import Changes
from app.staff import hashing, second_factor, session_tokens
from app.staff.log_kinds import AuditLog
from app.staff.models import Awaits, LinkKind, PasswordLink, Staff
from app.staff.roles import Role
from app.words.pages import spoken_in
from app.work import Work
from tests.support.verbs import a_counsellor, a_supervisor, an_administrator, logged, sessions_of

PASSWORD = "correct horse battery"


async def invited(work: Work, by: Staff, name: str = "Nova") -> tuple[Staff, str]:
    """Invite a counsellor; return the account and the secret of the link."""
    staff, address = await links.invite(work, Changes(name=name), by=by, by_mail=False)
    return staff, secret(address)


def secret(address: str | None) -> str:
    assert address is not None
    return urlsplit(address).fragment


async def link_of(work: Work, staff: Staff) -> PasswordLink:
    found = await links.latest(work, staff)
    assert found is not None
    return found


async def test_an_invited_person_chooses_a_password_and_the_language_once(work: Work) -> None:
    mila = await an_administrator(work)
    nova, token = await invited(work, mila)
    assert nova.password_hash is None
    assert (await links.find(work, token))[1].id == nova.id
    await links.choose_password(work, token, PASSWORD, "sr")
    await work.session.refresh(nova)
    assert await hashing.password_is_right(nova, PASSWORD)
    assert nova.page_language == "sr"
    with pytest.raises(links.LinkUsed):
        await links.choose_password(work, token, "another password", "sr")


async def test_the_secret_is_stored_nowhere_and_stands_behind_the_hash(work: Work) -> None:
    mila = await an_administrator(work)
    _, address = await links.invite(work, Changes(name="Nova"), by=mila, by_mail=False)
    assert address is not None
    assert address.startswith("http://127.0.0.1:1/welcome#")
    stored = (await work.session.execute(select(PasswordLink.__table__))).mappings().one()
    assert secret(address).encode() not in stored["token_key"]
    assert secret(address) not in str(dict(stored))
    assert secret(address) not in str(work.last_rows) + str(work.jobs)


async def test_a_link_ends_after_its_days_and_says_what_to_do(work: Work) -> None:
    mila = await an_administrator(work)
    nova, token = await invited(work, mila)
    work.now += timedelta(days=7)
    with pytest.raises(links.LinkExpired, match="Ask an administrator"):
        await links.find(work, token)
    renewed = secret(await links.make_link(work, nova.id, by=mila, by_mail=False))
    assert (await links.find(work, renewed))[1].id == nova.id
    with pytest.raises(links.LinkWithdrawn, match="newer one"):
        await links.find(work, token)
    await links.withdraw(work, nova.id)
    with pytest.raises(links.LinkWithdrawn):
        await links.find(work, renewed)
    with pytest.raises(links.NoSuchLink):
        await links.find(work, "nonsense")


async def test_a_reset_ends_all_sessions_when_it_is_used(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    ana.password_hash = "an old hash"
    await session_tokens.open_session(work, ana)
    token = secret(await links.make_link(work, ana.id, by=mila, by_mail=False))
    assert (await link_of(work, ana)).kind == LinkKind.RESET
    assert await sessions_of(work, ana) == 1
    await links.choose_password(work, token, PASSWORD, "en")
    assert await sessions_of(work, ana) == 0
    acts = [action for action, _ in logged(work)]
    assert acts[-2:] == [AuditLog.PASSWORD_LINK_MADE, AuditLog.PASSWORD_CHOSEN]


async def test_a_letter_alone_opens_no_account(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    work.settings.smtp_url = "smtp://127.0.0.1"
    ana.password_hash, ana.email = "an old hash", "ana@example.org"
    shown = secret(await links.make_link(work, ana.id, by=mila, by_mail=False))
    work.now += timedelta(minutes=1)
    with pytest.raises(Conflict, match="a letter alone would open"):
        await links.make_link(work, ana.id, by=mila, by_mail=True)
    await links.find(work, shown)
    # With a second factor the letter goes out; the factor stays, and is asked for.
    telephone = pyotp.TOTP((await second_factor.begin(work, ana)).secret)
    await second_factor.confirm(work, ana, telephone.at(work.now))
    assert await links.make_link(work, ana.id, by=mila, by_mail=True) is None
    token = links.tokens_of(work, (await link_of(work, ana)).id)[0]
    assert await second_factor.missing_of(work, ana) is Awaits.CODE
    # If it is taken away while the letter is under way, the letter opens nothing any more.
    savepoint = await work.session.begin_nested()
    await second_factor.take_away(work, ana)
    with pytest.raises(links.LinkNeedsFactor):
        await links.choose_password(work, token, PASSWORD, "en")
    await savepoint.rollback()
    await links.choose_password(work, token, PASSWORD, "en")
    assert await second_factor.missing_of(work, ana) is Awaits.CODE


async def test_a_letter_alone_opens_no_account_that_was_used_before(work: Work) -> None:
    work.settings.smtp_url = "smtp://127.0.0.1"
    mila = await an_administrator(work)
    nova, _ = await invited(work, mila)
    nova.email = "nova@example.org"
    # An account that its person never opened is invited by mail, also after it was inactive.
    await leaving.deactivate(work, nova.id, by=mila)
    await leaving.reactivate(work, nova.id, by=mila)
    work.now += timedelta(minutes=1)
    assert await links.make_link(work, nova.id, by=mila, by_mail=True) is None
    token = links.tokens_of(work, (await link_of(work, nova)).id)[0]
    await links.choose_password(work, token, PASSWORD, "en")
    await leaving.deactivate(work, nova.id, by=mila)
    await leaving.reactivate(work, nova.id, by=mila)
    assert nova.password_hash is None
    with pytest.raises(Conflict, match="a letter alone would open"):
        await links.make_link(work, nova.id, by=mila, by_mail=True)
    work.now += timedelta(minutes=1)
    shown = secret(await links.make_link(work, nova.id, by=mila, by_mail=False))
    await links.choose_password(work, shown, PASSWORD + " again", "en")


async def test_a_short_password_leaves_the_link_as_it_was(work: Work) -> None:
    mila = await an_administrator(work)
    nova, token = await invited(work, mila)
    with pytest.raises(Invalid, match="at least 10"):
        await links.choose_password(work, token, "short", "en")
    assert (await link_of(work, nova)).used_at is None


async def test_a_link_is_made_only_for_an_account_that_its_maker_keeps(work: Work) -> None:
    mila, vera = await an_administrator(work), await a_supervisor(work)
    with pytest.raises(NotAllowed):
        await links.make_link(work, mila.id, by=vera, by_mail=False)
    with pytest.raises(NotAllowed):
        await links.invite(
            work, Changes(name="Nova", role=Role.ADMINISTRATOR), by=vera, by_mail=False
        )
    with pytest.raises(Invalid, match="no e-mail address"):
        await links.make_link(work, vera.id, by=mila, by_mail=True)
    await leaving.deactivate(work, vera.id, by=mila)
    with pytest.raises(Conflict, match="inactive"):
        await links.make_link(work, vera.id, by=mila, by_mail=False)


async def test_the_link_of_a_person_who_leaves_ends_and_never_comes_back(work: Work) -> None:
    mila = await an_administrator(work)
    nova, token = await invited(work, mila)
    await leaving.deactivate(work, nova.id, by=mila)
    await leaving.reactivate(work, nova.id, by=mila)
    with pytest.raises(links.LinkWithdrawn):
        await links.find(work, token)


async def test_an_invited_person_is_written_to_in_the_language_of_who_invites(work: Work) -> None:
    mila = await an_administrator(work)
    mila.page_language = "mk"
    nova, _ = await invited(work, mila)
    assert nova.page_language == "mk"
    # The first account has no one who invites it: its page speaks as the browser asks.
    with spoken_in("sr"):
        first, _ = await links.invite(work, Changes(name="Prva"), by=None, by_mail=False)
    assert first.page_language == "sr"
