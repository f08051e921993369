"""The second factor: a first code, a code counts once, recovery codes, and its reset."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pyotp
import pytest
from sqlalchemy import delete, select, update

from app.errors import Conflict, Invalid, NotAllowed
from app.jobs.names import Task
from app.people import factors, leaving
from app.people.letters import letter_to_owner
from app.staff import accounts, second_factor
from app.staff.log_kinds import AuditLog
from app.staff.models import Awaits, RecoveryCode, SecondFactor, SignInRules, StaffSession
from app.staff.roles import Role
from app.staff.second_factor import WrongCode
from app.staff.sign_in_rules import (
    Relaxed,
    Rules,
    read_roles,
    set_sign_in_rules,
    sign_in_rules,
)
from app.staff.telephone_clock import MOST_DRIFT
from app.staff.telling import Told
from app.work import Work
from tests.support.identity.second_step import with_telephone
from tests.support.verbs import a_counsellor, a_supervisor, an_administrator, logged


def changes_in(work: Work, act: AuditLog) -> list[dict[str, object]]:
    return [one for action, one in logged(work) if action == act and isinstance(one, dict)]


async def test_who_writes_to_the_database_gives_no_account_anothers_telephone(
    work: Work,
) -> None:
    vera, eve = await a_supervisor(work), await a_counsellor(work, "eve")
    await with_telephone(work, vera)
    telephone, _ = await with_telephone(work, eve)
    work.now += timedelta(seconds=30)
    await work.session.execute(delete(SecondFactor).where(SecondFactor.staff_id == vera.id))
    await work.session.execute(
        update(SecondFactor).where(SecondFactor.staff_id == eve.id).values(staff_id=vera.id)
    )
    with pytest.raises(WrongCode):
        await second_factor.use_code(work, vera, telephone.at(work.now))
    # What the page notes of a wrong code is no failure of the server, either.
    await second_factor.note_refused(work, vera, StaffSession(), telephone.at(work.now))


async def test_a_setup_that_a_process_before_this_version_began_is_begun_anew(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    await second_factor.begin(work, ana)
    factor = (await work.session.scalars(select(SecondFactor))).one()
    old = pyotp.random_base32()
    for column in ("seed_sealed", "secret_sealed"):
        place = {"table": "second_factors", "column": column}
        setattr(factor, column, work.keys.seal(old.encode(), **place, row=factor.id))
    with pytest.raises(Conflict, match="Begin again"):
        await second_factor.confirm(work, ana, pyotp.TOTP(old).at(work.now))
    with pytest.raises(Conflict, match="Begin again"):
        await second_factor.shown_setup(work, ana)
    await with_telephone(work, ana)
    assert await second_factor.missing_of(work, ana) is Awaits.CODE


async def test_a_factor_counts_only_after_a_first_code(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    setup = await second_factor.begin(work, ana)
    assert (await second_factor.begin(work, ana)).secret == setup.secret, "a page that is reloaded"
    assert "ana" in setup.uri
    assert setup.uri.startswith("otpauth://totp/")
    with pytest.raises(WrongCode, match="next one"):
        await second_factor.confirm(work, ana, "000000")
    assert await second_factor.missing_of(work, ana) is None
    code = pyotp.TOTP(setup.secret).at(work.now)
    codes = await second_factor.confirm(work, ana, f"{code[:3]} {code[3:]}")
    assert codes is not None
    assert len(set(codes)) == second_factor.RECOVERY_CODES
    assert await second_factor.missing_of(work, ana) is Awaits.CODE
    assert AuditLog.SECOND_FACTOR_SET in [action for action, _ in logged(work)]


async def test_a_setup_that_waited_too_long_begins_again(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    first = await second_factor.begin(work, ana)
    work.now += timedelta(hours=2)
    with pytest.raises(Conflict, match="Begin again"):
        await second_factor.confirm(work, ana, pyotp.TOTP(first.secret).at(work.now))
    assert (await second_factor.begin(work, ana)).secret != first.secret


async def test_a_code_counts_once_and_only_in_its_thirty_seconds(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    telephone, _ = await with_telephone(work, ana)
    with pytest.raises(WrongCode):
        await second_factor.use_code(work, ana, telephone.at(work.now))
    # The first second of a step.
    work.now += timedelta(minutes=5)
    late, present, soon = (telephone.at(work.now + timedelta(seconds=by)) for by in (-1, 0, 30))
    for wrong in (late, soon, "", "12345", "x" * 300):
        with pytest.raises(WrongCode):
            await second_factor.use_code(work, ana, wrong)
    work.now += timedelta(seconds=29)
    assert await second_factor.use_code(work, ana, present)
    with pytest.raises(WrongCode, match="used already"):
        await second_factor.use_code(work, ana, present)
    work.now += timedelta(seconds=31)
    with pytest.raises(WrongCode, match="30 seconds"):
        await second_factor.use_code(work, ana, soon)


@pytest.mark.parametrize("seconds", [-60, 90, -MOST_DRIFT * 30])
async def test_a_telephone_whose_clock_is_wrong_works_with_codes_of_thirty_seconds(
    work: Work, seconds: int
) -> None:
    ana = await a_counsellor(work, "ana")
    telephone = pyotp.TOTP((await second_factor.begin(work, ana)).secret)
    off = timedelta(seconds=seconds)
    first = telephone.at(work.now + off)
    assert await second_factor.confirm(work, ana, first) is None, "one code is no measure"
    assert await second_factor.missing_of(work, ana) is None
    with pytest.raises(WrongCode):
        await second_factor.confirm(work, ana, first)
    work.now += timedelta(seconds=30)
    codes = await second_factor.confirm(work, ana, telephone.at(work.now + off))
    assert codes is not None
    assert len(codes) == second_factor.RECOVERY_CODES
    work.now += timedelta(minutes=20)
    for wrong in (timedelta(0), off - timedelta(seconds=30), off + timedelta(seconds=30)):
        with pytest.raises(WrongCode):
            await second_factor.use_code(work, ana, telephone.at(work.now + wrong))
    right = telephone.at(work.now + off)
    assert await second_factor.use_code(work, ana, right)
    with pytest.raises(WrongCode):
        await second_factor.use_code(work, ana, right)


async def test_a_code_that_was_typed_late_is_not_taken_for_a_wrong_clock(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    telephone = pyotp.TOTP((await second_factor.begin(work, ana)).secret)
    late = telephone.at(work.now - timedelta(seconds=1))
    assert await second_factor.confirm(work, ana, late) is None
    assert await second_factor.confirm(work, ana, telephone.at(work.now)) is not None
    work.now += timedelta(minutes=5)
    assert await second_factor.use_code(work, ana, telephone.at(work.now))


async def test_a_clock_beyond_the_bound_or_that_jumps_is_not_measured(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    telephone = pyotp.TOTP((await second_factor.begin(work, ana)).secret)
    beyond = timedelta(seconds=30 * (MOST_DRIFT + 1))
    with pytest.raises(WrongCode):
        await second_factor.confirm(work, ana, telephone.at(work.now - beyond))
    behind, ahead = timedelta(seconds=-120), timedelta(seconds=120)
    assert await second_factor.confirm(work, ana, telephone.at(work.now + behind)) is None
    assert await second_factor.confirm(work, ana, telephone.at(work.now + ahead)) is None
    work.now += timedelta(seconds=30)
    assert await second_factor.confirm(work, ana, telephone.at(work.now + ahead)) is not None


async def test_a_recovery_code_counts_once_and_the_rest_are_counted(work: Work) -> None:
    ana, vera = await a_counsellor(work, "ana"), await a_supervisor(work)
    _, codes = await with_telephone(work, ana)
    await with_telephone(work, vera)
    with pytest.raises(WrongCode):
        await second_factor.use_code(work, vera, codes[0])
    assert not await second_factor.use_code(work, ana, f" {codes[0].upper()} ")
    with pytest.raises(WrongCode):
        await second_factor.use_code(work, ana, codes[0])
    assert (await second_factor.state_of(work, ana)).codes_left == 9
    renewed = await second_factor.renew_codes(work, ana)
    with pytest.raises(WrongCode):
        await second_factor.use_code(work, ana, codes[1])
    await second_factor.use_code(work, ana, renewed[0])


async def test_neither_secret_nor_codes_are_stored_in_clear(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    telephone, codes = await with_telephone(work, ana)
    factor = (await work.session.scalars(select(SecondFactor))).one()
    assert telephone.secret.encode() not in factor.seed_sealed
    assert factor.secret_sealed is None, "shown while it was set up, and in no readable place since"
    keys = b"".join(await work.session.scalars(select(RecoveryCode.code_key)))
    assert not any(code.replace("-", "").encode() in keys for code in codes)
    assert telephone.secret not in str(work.last_rows) + str(work.jobs)


async def test_another_factor_replaces_the_first(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    old, _ = await with_telephone(work, ana)
    setup = await second_factor.begin(work, ana)
    work.now += timedelta(minutes=5)
    await second_factor.use_code(work, ana, old.at(work.now))
    await second_factor.confirm(work, ana, pyotp.TOTP(setup.secret).at(work.now))
    work.now += timedelta(minutes=5)
    with pytest.raises(WrongCode):
        await second_factor.use_code(work, ana, old.at(work.now))
    await second_factor.use_code(work, ana, pyotp.TOTP(setup.secret).at(work.now))


async def test_a_role_that_needs_one_is_led_to_it_and_keeps_it(work: Work) -> None:
    mila, vera = await an_administrator(work), await a_supervisor(work)
    assert await second_factor.missing_of(work, vera) is None
    await set_sign_in_rules(work, Rules(read_roles(["supervisor", "administrator"]), 8))
    assert await sign_in_rules(work) == Rules((Role.SUPERVISOR, Role.ADMINISTRATOR), 8)
    assert await second_factor.missing_of(work, vera) is Awaits.SETTING_UP
    assert await second_factor.missing_of(work, await a_counsellor(work, "ana")) is None
    await with_telephone(work, mila)
    with pytest.raises(Conflict, match="Replace it"):
        await second_factor.remove_own(work, mila)
    with pytest.raises(Relaxed, match="seen or leaked"):
        await set_sign_in_rules(work, Rules())
    await set_sign_in_rules(work, Rules(), knowingly=True)
    await second_factor.remove_own(work, mila)
    assert await second_factor.missing_of(work, mila) is None
    changes = changes_in(work, AuditLog.SIGN_IN_RULES_SET)
    assert changes[0]["before"] == {
        "factor_roles": [],
        "session_hours": 14,
        "proof_minutes": 10,
        "idle_minutes": 0,
        "of_roles": {},
        "passkey_roles": [],
    }
    roles = ["supervisor", "administrator"]
    assert changes[0]["after"] == {
        "factor_roles": roles,
        "session_hours": 8,
        "proof_minutes": 10,
        "idle_minutes": 0,
        "of_roles": {},
        "passkey_roles": [],
    }
    assert [one.get("relaxed") for one in changes] == [None, roles]
    with pytest.raises(Invalid, match="no role"):
        read_roles(["king"])
    with pytest.raises(Invalid, match="24"):
        await set_sign_in_rules(work, Rules((), 25))
    with pytest.raises(Invalid, match="60"):
        await set_sign_in_rules(work, Rules(proof_minutes=0))


async def test_every_role_needs_one_until_an_administrator_decides_otherwise(work: Work) -> None:
    await work.session.execute(delete(SignInRules))
    people = {
        role: await accounts.add_staff(work, name=f"{role} of the helpline", role=role)
        for role in Role
    }
    for person in people.values():
        assert await second_factor.missing_of(work, person) is Awaits.SETTING_UP, person.role
    # Other rules change, and this one stays.
    await set_sign_in_rules(work, replace(await sign_in_rules(work), session_hours=8))
    others = tuple(role for role in Role if role is not Role.AUDITOR)
    with pytest.raises(Relaxed):
        await set_sign_in_rules(work, Rules(others))
    assert (await sign_in_rules(work)).factor_roles == tuple(Role)
    await set_sign_in_rules(work, Rules(others), knowingly=True)
    assert await second_factor.missing_of(work, people[Role.AUDITOR]) is None
    assert await second_factor.missing_of(work, people[Role.COUNSELLOR]) is Awaits.SETTING_UP
    kept = changes_in(work, AuditLog.SIGN_IN_RULES_SET)[-1]
    assert kept["relaxed"] == ["auditor"]


async def test_a_factor_is_reset_by_another_person_who_keeps_accounts(work: Work) -> None:
    mila, vera, ana = (
        await an_administrator(work),
        await a_supervisor(work),
        await a_counsellor(work, "ana"),
    )
    _, codes = await with_telephone(work, ana)
    with pytest.raises(NotAllowed):
        await factors.reset(work, ana.id, by=vera)
    with pytest.raises(Conflict, match="Another administrator"):
        await factors.reset(work, mila.id, by=mila)
    await factors.reset(work, ana.id, by=mila)
    assert (await second_factor.state_of(work, ana)).since is None
    with pytest.raises(WrongCode):
        await second_factor.use_code(work, ana, codes[0])
    with pytest.raises(factors.NoFactor):
        await factors.reset(work, ana.id, by=mila)
    (reset,) = changes_in(work, AuditLog.SECOND_FACTOR_RESET)
    assert reset["before"]
    assert reset["after"] is None


async def test_the_factor_of_a_person_who_left_opens_nothing_again(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_supervisor(work)
    await with_telephone(work, ana)
    await leaving.deactivate(work, ana.id, by=mila)
    await leaving.reactivate(work, ana.id, by=mila)
    assert await second_factor.missing_of(work, ana) is None


async def test_the_owner_is_told_by_mail_if_there_is_one(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    await with_telephone(work, ana)
    assert Task.TELL_OWNER not in [job.task for job in work.jobs], "there is no address"
    ana.email = "ana@example.org"
    settings = work.ground.settings
    settings.smtp_url = "smtp://127.0.0.1:1?from=line@example.org"
    await factors.reset(work, ana.id, by=None)
    (job,) = [job for job in work.jobs if job.task == Task.TELL_OWNER]
    told = job.arguments
    letter = await letter_to_owner(
        work, UUID(told["staff_id"]), Told(told["what"]), work.now, told["browser"]
    )
    assert letter is not None
    to, _subject, body = letter
    assert to == "ana@example.org"
    assert "reset the second factor" in body
    assert body.endswith("/account\n")
