"""The jobs of Primero: create and refer a case, ask for its status, update it, take it back."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from procrastinate import JobContext

from app.errors import Message
from app.jobs.names import Task
from app.jobs.transaction import run_verb, transaction
from app.log import log
from app.outbox.once import Outgoing, send_once
from app.outbox.outside import client_for_outside
from app.outbox.responses import Refused, RequestFailed
from app.outbox.states import Sending
from app.referrals.channels.models import AgencyCase
from app.referrals.channels.primero import agency_cases, problems
from app.referrals.channels.primero.agency_cases import Errand
from app.referrals.channels.primero.mapping import MappedReferral
from app.referrals.channels.primero.primero import (
    Primero,
    RefusedThere,
    case_body,
    misfits,
    outcome_in_words,
    referral_notes,
)
from app.referrals.consent.rules import ConsentKind
from app.referrals.running import ground_of, run_later
from app.referrals.states import AgencyCaseState
from app.settings import Settings
from app.work import PROGRAM, Ground, Work

# When another system refuses to take a referral back: seconds between attempts, and how many.
_REFUSED_EVERY, _REFUSED_ATTEMPTS = 3600, 24 * 7


class _Row:
    """An agency case as the row of what is sent once.

    It keeps no *sending*: the case there has an id of ours, and its referrals are asked for first.
    """

    asks, sent_at, provider_sid = 0, None, None

    def __init__(self, agency_case: AgencyCase, *, begun: bool) -> None:
        waiting = Sending.SENDING if begun else Sending.WANTED
        self.sending: str = _SENDING_OF.get(AgencyCaseState(agency_case.state), waiting)


_SENDING_OF = {
    AgencyCaseState.REFERRED: Sending.SENT,
    AgencyCaseState.REFUSED: Sending.FAILED,
    AgencyCaseState.ENDED: Sending.FAILED,
}


class CaseOnce(Outgoing[_Row]):
    """The case and the referral at the other system."""

    repeat_after = timedelta(0)

    def __init__(self, ground: Ground, recipient_id: str, attempts: int) -> None:
        super().__init__(Task.MAKE_AGENCY_CASE, recipient_id=recipient_id, attempts=attempts + 1)
        self._ground, self._key, self._attempts = ground, UUID(recipient_id), attempts
        self._begun = False

    async def lock(self, work: Work) -> _Row | None:
        agency_case = await agency_cases.lock_agency_case(work, self._key)
        return _Row(agency_case, begun=self._begun) if agency_case is not None else None

    async def prepare(self, work: Work, row: _Row) -> bool:
        errand = await agency_cases.errand(work, self._key, with_facts=True)
        if errand is None:
            return False
        self._errand, self._begun = errand, True
        return True

    async def send(self) -> str:
        errand = self._errand
        said = case_body(errand.mapping, errand.known, errand.service_id, errand.owned_by)
        async with primero_of(self._ground.settings, errand) as primero:
            if errand.state == AgencyCaseState.WANTED:
                wrong = await misfits_there(primero, errand, said)
                if wrong:
                    raise RefusedThere(problems.kept(wrong), problems.sealed_words(wrong))
                await primero.make_case(errand.case_id, said.body)
                if not await self._note_case(said):
                    raise Refused(problems.TAKEN_BACK)
            there = [r for r in await primero.referrals(errand.case_id) if r.get("id")]
            # The response to an earlier attempt may have been lost.
            if there:
                return str(there[0]["id"])
            return await primero.refer(errand.case_id, referral_body(errand, said))

    async def _note_case(self, said: MappedReferral) -> bool:
        return await run_verb(
            self._ground,
            PROGRAM,
            lambda work: agency_cases.note_state(
                work, self._key, AgencyCaseState.CASE_MADE, left_out=said.left_out
            ),
        )

    async def accepted(self, work: Work, row: _Row) -> None:
        await agency_cases.note_state(
            work, self._key, AgencyCaseState.REFERRED, their_referral=row.provider_sid
        )

    async def failed(self, work: Work, row: _Row, error: Refused | None) -> None:
        assert error is not None
        await agency_cases.note_state(
            work,
            self._key,
            AgencyCaseState.REFUSED,
            problem=error.what[:2000],
            words=_words_of(error),
        )

    async def put_off(self, work: Work, row: _Row, error: RequestFailed) -> bool:
        self.later(work, timedelta(seconds=_wait(error, self._attempts)))
        return True


def _words_of(error: Refused) -> str:
    return _clean(error.words) if isinstance(error, RefusedThere) else ""


def _wait(error: RequestFailed, attempts: int) -> float:
    """Return how many seconds to wait after a request that was not carried out for certain."""
    return max(error.after, float(min(5 * 2 ** min(attempts, 8), 600)))


@contextlib.asynccontextmanager
async def primero_of(settings: Settings, errand: Errand) -> AsyncIterator[Primero]:
    """Open a connection to the other system."""
    async with client_for_outside(settings) as client:
        yield Primero(client, errand.account)


async def misfits_there(primero: Primero, errand: Errand, said: MappedReferral) -> list[Message]:
    """Return what has no word there, and what the forms there would refuse."""
    forms = await primero.forms(errand.mapping.module)
    return said.unmapped + misfits(said.body, forms, errand.mapping)


def referral_body(errand: Errand, said: MappedReferral) -> dict[str, Any]:
    """Return the referral of a case in Primero's terms."""
    body = {
        "service": said.body[errand.mapping.service_form][0].get("service_type"),
        "service_record_id": str(errand.service_id),
        "consent_overridden": errand.known.facts.get("basis") != ConsentKind.CONSENT,
        "notes": referral_notes(errand.known),
    }
    if errand.refer_to:
        return {**body, "transitioned_to": errand.refer_to}
    return {**body, "remote": True, "transitioned_to_agency": errand.agency}


async def make_agency_case(context: JobContext, recipient_id: str, attempts: int = 0) -> None:
    """Create the case at the other system and refer it there; refuse if a value is unmapped."""
    ground = ground_of(context)
    await send_once(ground, CaseOnce(ground, recipient_id, attempts))


async def ask_agency_case(context: JobContext, recipient_id: str, times: int = 0) -> None:
    """Ask for the status of the referral at the other system."""
    ground, key = ground_of(context), UUID(recipient_id)
    async with transaction(ground, PROGRAM) as work:
        errand = await agency_cases.errand(work, key, with_facts=False)
    if errand is None or errand.their_referral is None:
        return
    rows: list[dict[str, Any]] = []
    try:
        async with primero_of(ground.settings, errand) as primero:
            rows = await primero.referrals(errand.case_id)
    except Refused as error:
        log().warning("the other system refused", area="referrals", cause=error.what[:80])
    except RequestFailed:
        # It is asked again below.
        pass
    found = next((r for r in rows if str(r.get("id")) == errand.their_referral), None)

    async def verb(work: Work) -> None:
        goes_on = True
        if found is not None:
            words = _clean(outcome_in_words(found))
            status = _clean(str(found.get("status")))
            goes_on = await agency_cases.note_status(work, key, status, words)
        if goes_on:
            agency_cases.ask_again(work, key, times + 1)

    await run_verb(ground, PROGRAM, verb)


def _clean(text: str) -> str:
    """Return their words without the characters that the database cannot hold."""
    kept = (c for c in text[:2000] if (c >= " " or c == "\n") and not "\ud800" <= c <= "\udfff")
    return "".join(kept)


async def update_agency_case(context: JobContext, recipient_id: str, attempts: int = 0) -> None:
    """Update the case at the other system with what was written here since."""
    ground, key = ground_of(context), UUID(recipient_id)
    async with transaction(ground, PROGRAM) as work:
        errand = await agency_cases.errand(work, key, with_facts=True, again=True)
    if errand is None:
        return
    said = case_body(errand.mapping, errand.known, errand.service_id, errand.owned_by)
    try:
        async with primero_of(ground.settings, errand) as primero:
            wrong = await misfits_there(primero, errand, said)
            problem, words = problems.kept(wrong), problems.sealed_words(wrong)
            if not wrong:
                await primero.update_case(errand.case_id, said.body)
    except Refused as error:
        problem, words = error.what, _words_of(error)
    except RequestFailed as error:
        wait = _wait(error, attempts)
        await run_later(
            ground, Task.UPDATE_AGENCY_CASE, wait, recipient_id=recipient_id, attempts=attempts + 1
        )
        return
    await run_verb(
        ground,
        PROGRAM,
        lambda work: agency_cases.note_updated(work, key, problem[:2000], words, said.left_out),
    )


async def end_agency_case(context: JobContext, recipient_id: str, refused: int = 0) -> None:
    """Take the referral back at the other system; if it refuses, our staff have to ring them."""
    ground, key = ground_of(context), UUID(recipient_id)
    async with transaction(ground, PROGRAM) as work:
        errand = await agency_cases.errand(work, key, with_facts=False, to_end=True)
        if errand is None:
            await agency_cases.note_not_taken_back(work, key, problems.NO_ACCESS)
            return
    if errand.their_referral is not None:
        try:
            async with primero_of(ground.settings, errand) as primero:
                await primero.revoke(errand.case_id, errand.their_referral)
        except Refused as error:
            await _not_taken_back(ground, key, error, refused)
            return
        except RequestFailed as error:
            wait = max(error.after, 300)
            await run_later(
                ground, Task.END_AGENCY_CASE, wait, recipient_id=recipient_id, refused=refused
            )
            return
    await run_verb(ground, PROGRAM, lambda work: agency_cases.note_ended(work, key))


async def _not_taken_back(ground: Ground, key: UUID, error: Refused, refused: int) -> None:
    """Tell our staff the first time that the other system refuses, and try again for a week."""
    why, words = error.what[:80], _words_of(error)
    log().warning("taking back was refused", area="referrals", cause=why)
    if not refused:
        await run_verb(
            ground, PROGRAM, lambda work: agency_cases.note_not_taken_back(work, key, why, words)
        )
    if refused < _REFUSED_ATTEMPTS:
        await run_later(
            ground,
            Task.END_AGENCY_CASE,
            _REFUSED_EVERY,
            recipient_id=str(key),
            refused=refused + 1,
        )
