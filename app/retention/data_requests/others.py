"""Which of the rows that were found may be about another person: the officer looks at each.

A number is that of a household or of a reporter, and a profile belongs to the number: a teacher
rings about several children. Without a mark stands only what was named, and what came from a number
that was looked for unless a contact says that another than the child rang.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.calls.caller_rows import CallerFlag, CallerWish
from app.calls.models import Call, VoiceMessage
from app.contacts.cases.models import CaseContact
from app.contacts.models import Case, Contact, Filled
from app.contacts.registry import UnknownDefinition, sheet_of
from app.referrals.models import Referral
from app.retention.data_requests.kinds import Because, ItemKind
from app.retention.data_requests.own_calls import says_another
from app.retention.data_requests.trail import Trail
from app.routing.callbacks.callback_rows import Callback
from app.work import Work

Marks = set[tuple[ItemKind, UUID]]


async def find_marks(work: Work, trail: Trail) -> Marks:
    """Return the rows that may be about another person. No record is opened for it."""
    contacts = await _Contacts.read(work, trail)
    calls = await _calls(work, trail, contacts)
    own = contacts.own | calls | await _records(work, trail, contacts.own, calls)
    sure = trail.sought - contacts.keys_of_another
    for kind, model in ((ItemKind.FLAG, CallerFlag), (ItemKind.WISH, CallerWish)):
        own |= await _with_key(work, model, trail.ids(kind), sure)
    own |= trail.profiles - contacts.profiles_of_another
    # A third party of a call is always another person.
    return {(kind, id_) for kind, rows in trail.found.items() for id_ in rows if id_ not in own}


class _Contacts:
    """The contacts that were found: which are the person's own, and where another rang."""

    def __init__(self) -> None:
        self.own: set[UUID] = set()
        # By call: whether another than the child rang, and whether one of its contacts is own.
        self.by_another: dict[UUID, bool] = {}
        self.of_own: dict[UUID, bool] = {}
        self.keys_of_another: set[bytes] = set()
        self.profiles_of_another: set[UUID] = set()

    @classmethod
    async def read(cls, work: Work, trail: Trail) -> "_Contacts":
        found = cls()
        rows = await work.session.execute(
            select(Contact, Call.caller_key)
            .join(Call, Call.id == Contact.call_id, isouter=True)
            .where(Contact.id.in_(trail.ids(ItemKind.CONTACT)))
        )
        for contact, key in rows.all():
            found._take(work, trail, contact, key)
        return found

    def _take(self, work: Work, trail: Trail, contact: Contact, key: bytes | None) -> None:
        if contact.erased_at is not None:
            # Who rang is not known any more: nothing else is taken to be a reporter's for that.
            if contact.call_id is not None:
                self.by_another[contact.call_id] = True
                self.of_own.setdefault(contact.call_id, False)
            return
        another = says_another(work, contact)
        from_sought = key in trail.sought or contact.profile_id in trail.profiles
        own = contact.id not in trail.of_others and (
            _is_named(work, trail, ItemKind.CONTACT, contact) or (from_sought and not another)
        )
        if own:
            self.own.add(contact.id)
        if another and key is not None:
            self.keys_of_another.add(bytes(key))
        if another and contact.profile_id is not None:
            self.profiles_of_another.add(contact.profile_id)
        if contact.call_id is not None:
            call = contact.call_id
            self.by_another[call] = self.by_another.get(call, False) or another
            self.of_own[call] = self.of_own.get(call, False) or own


def _is_named(work: Work, trail: Trail, kind: ItemKind, record: Filled) -> bool:
    """Return whether a record was named by its code, or by the child's own number in it.

    The number of a caller or of a member of the household may be that of another person who asks.
    """
    because = trail.found[kind][record.id]
    if because is not Because.NUMBER_IN_RECORD:
        return because is Because.CODE
    try:
        form = sheet_of(work, record).form
    except UnknownDefinition:
        return False
    found = [form.find(path) for path in trail.paths.get(record.id, set())]
    return any(one is not None and one[1].means == "child_phone" for one in found)


async def _calls(work: Work, trail: Trail, contacts: _Contacts) -> set[UUID]:
    """Return which calls are the person's own, with their voice messages and call-backs."""
    sure = trail.sought - contacts.keys_of_another
    rows = await work.session.execute(
        select(Call.id, Call.caller_key, Call.callback_id).where(
            Call.id.in_(trail.ids(ItemKind.CALL))
        )
    )
    calls, rung_back = set(), {}
    for id_, key, callback_id in rows:
        if id_ in contacts.by_another:
            if contacts.of_own[id_] and not contacts.by_another[id_]:
                calls.add(id_)
        elif key in sure or trail.found[ItemKind.CALL][id_] is Because.CODE:
            calls.add(id_)
        elif callback_id is not None:
            rung_back[id_] = callback_id
    own = set(calls)
    for kind, model in ((ItemKind.VOICE_MESSAGE, VoiceMessage), (ItemKind.CALLBACK, Callback)):
        ids = trail.ids(kind)
        of_calls: Any = select(model.id).where(model.id.in_(ids), model.call_id.in_(calls))
        own |= set(await work.session.scalars(of_calls))
    # A call with which we rang back is that of whom the call-back is for.
    return own | {id_ for id_, callback_id in rung_back.items() if callback_id in own}


async def _with_key(work: Work, model: Any, ids: list[UUID], keys: set[bytes]) -> set[UUID]:
    rows = select(model.id).where(model.id.in_(ids), model.caller_key.in_(keys))
    return set(await work.session.scalars(rows))


async def _records(work: Work, trail: Trail, contacts: set[UUID], calls: set[UUID]) -> set[UUID]:
    """Return which cases and referrals are the person's own: named, or of a contact of theirs."""
    referrals = trail.found[ItemKind.REFERRAL].items()
    own = {id_ for id_, because in referrals if because is Because.CODE}
    cases = await work.session.scalars(select(Case).where(Case.id.in_(trail.ids(ItemKind.CASE))))
    own |= {one.id for one in cases if _is_named(work, trail, ItemKind.CASE, one)}
    linked = await work.session.scalars(
        select(CaseContact.case_id).where(
            CaseContact.case_id.in_(trail.ids(ItemKind.CASE)), CaseContact.contact_id.in_(contacts)
        )
    )
    own |= set(linked)
    rows = await work.session.execute(
        select(Referral.id, Referral.contact_id, Referral.case_id, Referral.call_id).where(
            Referral.id.in_(trail.ids(ItemKind.REFERRAL))
        )
    )
    for id_, contact_id, case_id, call_id in rows.all():
        alone = contact_id is None and case_id is None
        if contact_id in contacts or case_id in own or (alone and call_id in calls):
            own.add(id_)
    return own
