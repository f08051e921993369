"""The owner of an account hears by mail, and reads on its page, what happened to it."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from starlette.requests import Request

from app.jobs.names import Task
from app.jobs.transaction import flush
from app.people import changing, factors, finding, phone_codes, work_left
from app.people.changing import Changes
from app.people.letters import letter_to_owner
from app.people.provider import access
from app.staff import passkeys, passwords, phone_proofs, second_factor
from app.staff.hashing import hash_password
from app.staff.models import Staff
from app.staff.passkey_rows import ChallengePurpose, Passkey
from app.staff.telling import Told
from app.web.sign_in import signing_in
from app.work import Work
from tests.support.identity.approval import PASSWORD, WANTED
from tests.support.identity.authenticator import Authenticator
from tests.support.identity.second_step import with_telephone
from tests.support.verbs import a_counsellor, an_administrator

ORIGIN, PIN = "http://localhost:1", "258036"
ANA: dict[str, Any] = {"sub": "1", "groups": ["help"]}
Verb = Callable[[Work, Staff], Awaitable[Any]]


async def signed_in(work: Work, ana: Staff) -> None:
    app = SimpleNamespace(state=SimpleNamespace(ground=work.ground))
    await signing_in.sign_in_person(Request({"type": "http", "headers": [], "app": app}), work, ana)


async def chose_a_password(work: Work, ana: Staff) -> None:
    await passwords.set_password(work, ana, "another horse battery")


async def changed_the_password(work: Work, ana: Staff) -> None:
    ana.password_hash = await hash_password(PASSWORD)
    await work.session.flush()
    await passwords.change_own(work, ana, PASSWORD, "another horse battery", "")


async def removed_the_factor(work: Work, ana: Staff) -> None:
    await with_telephone(work, ana)
    await second_factor.remove_own(work, ana)


async def reset_the_factor(work: Work, ana: Staff) -> None:
    await with_telephone(work, ana)
    await factors.reset(work, ana.id, by=None)


async def used_a_recovery_code(work: Work, ana: Staff) -> None:
    _, codes = await with_telephone(work, ana)
    await second_factor.use_code(work, ana, codes[0])


async def made_recovery_codes(work: Work, ana: Staff) -> None:
    await with_telephone(work, ana)
    await second_factor.renew_codes(work, ana)


async def changed_the_name(work: Work, ana: Staff) -> None:
    mila = await an_administrator(work)
    await changing.change(work, ana.id, Changes(name="ana-maria"), by=mila)


async def added_a_passkey(work: Work, ana: Staff) -> Passkey:
    sent = Authenticator(ORIGIN).make(await passkeys.begin_adding(work, ana))
    challenge = await passkeys.take_challenge(work, ana, ChallengePurpose.ADDING, sent)
    return (await passkeys.add(work, ana, "my phone", sent, challenge)).passkey


async def removed_a_passkey(work: Work, ana: Staff) -> None:
    await passkeys.remove_own(work, ana, (await added_a_passkey(work, ana)).id)


async def stopped_a_passkey(work: Work, ana: Staff) -> None:
    await passkeys.stop(work, ana, (await added_a_passkey(work, ana)).id)


async def changed_the_telephone(work: Work, ana: Staff) -> None:
    mila = await an_administrator(work)
    await changing.change(work, ana.id, Changes(endpoint="+38164999002"), by=mila)


async def made_a_code(work: Work, ana: Staff) -> None:
    await phone_codes.make(work, ana.id, by=None)


async def set_the_pin(work: Work, ana: Staff) -> None:
    ana.password_hash = await hash_password(PASSWORD)
    await work.session.flush()
    await phone_proofs.set_own_pin(work, ana, PASSWORD, PIN, "")


async def chose_the_pin_by_key(work: Work, ana: Staff) -> None:
    assert not await phone_proofs.choose(work, ana, PIN)
    assert await phone_proofs.choose(work, ana, PIN)


async def changed_the_address(work: Work, ana: Staff) -> None:
    await changing.change(work, ana.id, Changes(email="other@helpline.example"), by=None)


async def linked(work: Work, ana: Staff) -> None:
    await access.link_own(work, ana, WANTED, ANA)


async def unlinked(work: Work, ana: Staff) -> None:
    await linked(work, ana)
    await access.unlink(work, ana, by=ana)


# Each verb that tells, with what it tells, what the letter says, and what the page shows.
VERBS: list[tuple[Verb, Told, str, str]] = [
    (signed_in, Told.NEW_BROWSER, "in a new browser", "new_browser"),
    (chose_a_password, Told.PASSWORD_CHANGED, "password of your", "password_chosen"),
    (changed_the_password, Told.PASSWORD_CHANGED, "password of your", "password_changed"),
    (with_telephone, Told.SECOND_FACTOR_SET, "was set up", "second_factor_set"),
    (removed_the_factor, Told.SECOND_FACTOR_REMOVED, "was removed", "second_factor_removed"),
    (reset_the_factor, Told.SECOND_FACTOR_RESET, "reset the second", "second_factor_reset"),
    (used_a_recovery_code, Told.RECOVERY_CODE_USED, "recovery code", "recovery_code_used"),
    (made_recovery_codes, Told.RECOVERY_CODES_MADE, "New recovery codes", "recovery_codes_made"),
    (changed_the_name, Told.NAME_CHANGED, "name of your account", "staff_changed"),
    (added_a_passkey, Told.PASSKEY_ADDED, "passkey was added", "passkey_added"),
    (removed_a_passkey, Told.PASSKEY_REMOVED, "was removed", "passkey_removed"),
    (stopped_a_passkey, Told.PASSKEY_STOPPED, "was stopped", "passkey_stopped"),
    (changed_the_telephone, Told.PHONE_CHANGED, "where your calls ring", "staff_changed"),
    (made_a_code, Told.PHONE_CHANGED, "code for your phone", "phone_code_made"),
    (set_the_pin, Told.PHONE_PIN_SET, "PIN for the phone", "phone_pin_set"),
    (chose_the_pin_by_key, Told.PHONE_PIN_SET, "PIN for the phone", "phone_pin_set"),
    (changed_the_address, Told.EMAIL_CHANGED, "e-mail address of your", "staff_changed"),
    (linked, Told.IDENTITY_LINKED, "was linked", "identity_linked"),
    (unlinked, Told.IDENTITY_UNLINKED, "was unlinked", "identity_unlinked"),
]


def test_each_kind_of_word_has_a_verb_that_is_tried() -> None:
    # That of work which a person left goes to administrators: see below.
    assert {told for _, told, _, _ in VERBS} == set(Told) - {Told.WORK_LEFT}


@pytest.fixture
async def ana(work: Work) -> Staff:
    work.ground.settings.smtp_url = "smtp://127.0.0.1:1?from=line@example.org"
    work.settings.public_url = ORIGIN
    ana = await a_counsellor(work, "ana", endpoint="+38164999001")
    ana.email, ana.password_hash = "ana@helpline.example", "a hash"
    await work.session.flush()
    return ana


@pytest.mark.parametrize(
    ("verb", "what", "said", "shown"), VERBS, ids=[verb.__name__ for verb, *_ in VERBS]
)
async def test_the_owner_is_told_by_mail_and_on_the_page_of_the_account(
    work: Work, ana: Staff, verb: Verb, what: Told, said: str, shown: str
) -> None:
    await verb(work, ana)
    jobs = [job.arguments for job in work.jobs if job.task == Task.TELL_OWNER]
    (told,) = [one for one in jobs if one["what"] == what]
    assert UUID(told["staff_id"]) == ana.id
    letter = await letter_to_owner(work, ana.id, what, work.now, told["browser"], ana.email)
    assert letter is not None
    assert said in letter[2]
    assert PIN not in str(letter)
    await flush(work)
    assert shown in [one.action for one in await finding.events_of(work, ana)]


async def test_administrators_are_told_of_work_that_a_person_left(work: Work, ana: Staff) -> None:
    mila = await an_administrator(work)
    mila.email = "mila@helpline.example"
    await work.session.flush()
    await work_left.note(work, ana)
    (job,) = [job.arguments for job in work.jobs if job.task == Task.TELL_OWNER]
    assert (UUID(job["staff_id"]), job["what"]) == (mila.id, Told.WORK_LEFT)
