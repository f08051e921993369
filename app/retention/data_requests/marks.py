"""Which of the rows that were found may be about another person: the officer looks at each.

A number is that of a household or of a reporter, and a profile belongs to the number: a teacher
rings about several children. Only two kinds of rows have no mark: those that were named, and those
of a number that was looked for whose contact says that the child itself rang. What tells of several
children is always marked, and so is what came from a number from which several of them ring: their
names differ, or a colleague has told them apart by profiles that share the number.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.calls.caller_rows import CallerFlag, CallerWish
from app.calls.models import Call, VoiceMessage
from app.contacts.cases.models import CaseContact
from app.contacts.models import Case, Contact, Filled, ProfileNumber
from app.contacts.registry import sheet_of
from app.errors import UnknownDefinition
from app.referrals.models import Referral
from app.retention.data_requests.children import Child, Children, read_children
from app.retention.data_requests.kinds import Because, ItemKind
from app.retention.data_requests.own_calls import by_child
from app.retention.data_requests.trail import Trail
from app.routing.callbacks.callback_rows import Callback
from app.work import Work

Marks = set[tuple[ItemKind, UUID]]


async def find_marks(work: Work, trail: Trail, counts: dict[UUID, int]) -> Marks:
    """Return the rows that may be about another person. No record is opened for it.

    `counts`: of how many children each record tells. One that tells of several belongs to each.
    """
    records = await _Records.read(work, trail, counts)
    calls = await _calls(work, trail, records)
    own = records.own | calls | await _referrals(work, trail, records, calls)
    sure = trail.sought - records.keys_of_another
    for kind, model in ((ItemKind.FLAG, CallerFlag), (ItemKind.WISH, CallerWish)):
        own |= await _with_key(work, model, trail.ids(kind), sure)
    own |= trail.profiles - records.profiles_of_another
    # A third party of a call is always another person.
    return {(kind, id_) for kind, rows in trail.found.items() for id_ in rows if id_ not in own}


class _Records:
    """The contacts and cases that were found: which are the person's own; where another rang."""

    def __init__(self, counts: dict[UUID, int], children: Children) -> None:
        self.several = {id_ for id_, count in counts.items() if count > 1}
        self.own: set[UUID] = set()
        # By call: whether another than the child rang, and whether one of its contacts is own.
        self.by_another: dict[UUID, bool] = {}
        self.of_own: dict[UUID, bool] = {}
        self.keys_of_another: set[bytes] = set()
        self.profiles_of_another: set[UUID] = set()
        self._children = children
        # The profiles of contacts, and those that have a number that was looked for, by its hash.
        self._profile: dict[UUID, UUID] = {}
        self._sharing: dict[bytes, set[UUID]] = {}
        # Records that only a number has led to, and the children that may have this number.
        self._by_number: set[UUID] = set()
        self._of_number: list[Child] = []

    @classmethod
    async def read(cls, work: Work, trail: Trail, counts: dict[UUID, int]) -> "_Records":
        rows = await work.session.execute(
            select(Contact, Call.caller_key)
            .join(Call, Call.id == Contact.call_id, isouter=True)
            .where(Contact.id.in_(trail.ids(ItemKind.CONTACT)))
        )
        contacts: list[tuple[Contact, bytes | None]] = [(one, key) for one, key in rows]
        cases = list(
            await work.session.scalars(select(Case).where(Case.id.in_(trail.ids(ItemKind.CASE))))
        )
        every: list[Filled] = [*(one for one, _ in contacts), *cases]
        found = cls(counts, await read_children(work, every))
        await found._read_profiles(work, trail)
        for contact, key in contacts:
            found._take(work, trail, ItemKind.CONTACT, contact, key)
        for case in cases:
            found._take(work, trail, ItemKind.CASE, case, None)
        found._choose()
        for contact, key in contacts:
            found._note_caller(work, contact, key)
        await found._link(work, trail)
        return found

    async def _read_profiles(self, work: Work, trail: Trail) -> None:
        if not trail.sought or not trail.ids(ItemKind.CONTACT):
            return
        rows = await work.session.execute(
            select(Contact.id, Contact.profile_id, ProfileNumber.caller_key)
            .join(ProfileNumber, ProfileNumber.profile_id == Contact.profile_id)
            .where(
                Contact.id.in_(trail.ids(ItemKind.CONTACT)),
                ProfileNumber.caller_key.in_(trail.sought),
            )
        )
        for contact, profile, key in rows:
            assert profile is not None
            self._profile[contact] = profile
            self._sharing.setdefault(bytes(key), set()).add(profile)

    def _are_told_apart(self, records: set[UUID]) -> bool:
        """Return whether two of these contacts are in two profiles that share a number."""
        of = {self._profile[one] for one in records if one in self._profile}
        return any(len(of & sharing) > 1 for sharing in self._sharing.values())

    def _take(
        self, work: Work, trail: Trail, kind: ItemKind, record: Contact | Case, key: bytes | None
    ) -> None:
        if record.erased_at is not None:
            return
        by_code = trail.found[kind][record.id] is Because.CODE and record.id not in self.several
        if by_code or record.id in trail.stands:
            self.own.add(record.id)
            return
        of_child = _paths_of_child(work, trail, kind, record)
        rang = isinstance(record, Contact) and (
            record.id not in trail.of_others
            and (key in trail.sought or record.profile_id in trail.profiles)
            and by_child(work, record) is True
        )
        if not of_child and not rang:
            return
        self._by_number.add(record.id)
        of_record = self._children.of(record.id)
        named = {path.split(".")[1] for path in of_child if path.count(".") == 2}
        self._of_number += [one for one in of_record if rang or not named or one.entry in named]

    def _choose(self) -> None:
        """Decide on the records that only a number has led to: brothers and sisters share one.

        They are the person's own if they can all be about one child, or have the name of the child
        in a record that was named by its code. Those whom a colleague has told apart cannot: only
        what is in the profile of such a record is theirs.
        """
        named = [child for one in self.own for child in self._children.of(one)]
        every = [*named, *self._of_number]
        are_several = any(one.differs(other) for one in every for other in every)
        are_apart = self._are_told_apart(self.own | self._by_number)
        profiles = {self._profile[one] for one in self.own if one in self._profile}
        for record in self._by_number - self.several:
            of_record = self._children.of(record)
            may_be = not are_apart or self._profile.get(record) in profiles
            is_named = any(one.is_same(own) for one in of_record for own in named)
            if is_named or (may_be and not are_several):
                self.own.add(record)

    def _note_caller(self, work: Work, contact: Contact, key: bytes | None) -> None:
        call, own = contact.call_id, contact.id in self.own
        another = by_child(work, contact) is not True
        if call is not None:
            self.by_another[call] = self.by_another.get(call, False) or another
            self.of_own[call] = self.of_own.get(call, False) or own
        # It is not known any more who rang: nothing else is taken to be a reporter's for that.
        if contact.erased_at is not None or not (
            another or contact.id in self._by_number - self.own
        ):
            return
        if key is not None:
            self.keys_of_another.add(bytes(key))
        if contact.profile_id is not None:
            self.profiles_of_another.add(contact.profile_id)

    async def _link(self, work: Work, trail: Trail) -> None:
        """Take the cases of the person's own contacts to be theirs."""
        if not self.own or not trail.ids(ItemKind.CASE):
            return
        cases = await work.session.scalars(
            select(CaseContact.case_id).where(
                CaseContact.case_id.in_(trail.ids(ItemKind.CASE)),
                CaseContact.contact_id.in_(self.own),
            )
        )
        self.own |= set(cases) - self.several


def _paths_of_child(work: Work, trail: Trail, kind: ItemKind, record: Contact | Case) -> list[str]:
    """Return the child's own numbers in a record that were looked for.

    The number of a caller or of a member of the household may be that of another person who asks.
    """
    if trail.found[kind][record.id] is not Because.NUMBER_IN_RECORD:
        return []
    try:
        form = sheet_of(work, record).form
    except UnknownDefinition:
        return []
    found = [(path, form.find(path)) for path in trail.paths.get(record.id, set())]
    return [path for path, one in found if one is not None and one[1].means == "child_phone"]


async def _calls(work: Work, trail: Trail, records: _Records) -> set[UUID]:
    """Return which calls are the person's own, with their voice messages and call-backs."""
    sure = trail.sought - records.keys_of_another
    rows = await work.session.execute(
        select(Call.id, Call.caller_key, Call.callback_id).where(
            Call.id.in_(trail.ids(ItemKind.CALL))
        )
    )
    calls, rung_back = set(), {}
    for id_, key, callback_id in rows:
        if id_ in records.by_another:
            if records.of_own[id_] and not records.by_another[id_]:
                calls.add(id_)
        elif key in sure or trail.found[ItemKind.CALL][id_] is Because.CODE:
            calls.add(id_)
        elif callback_id is not None:
            rung_back[id_] = callback_id
    own = set(calls)
    for kind, model in ((ItemKind.VOICE_MESSAGE, VoiceMessage), (ItemKind.CALLBACK, Callback)):
        if not calls or not (ids := trail.ids(kind)):
            continue
        of_calls: Any = select(model.id).where(model.id.in_(ids), model.call_id.in_(calls))
        own |= set(await work.session.scalars(of_calls))
    # A call by which a call-back was made belongs to the person whom the call-back is for.
    return own | {id_ for id_, callback_id in rung_back.items() if callback_id in own}


async def _with_key(work: Work, model: Any, ids: list[UUID], keys: set[bytes]) -> set[UUID]:
    if not ids or not keys:
        return set()
    rows = select(model.id).where(model.id.in_(ids), model.caller_key.in_(keys))
    return set(await work.session.scalars(rows))


async def _referrals(work: Work, trail: Trail, records: _Records, calls: set[UUID]) -> set[UUID]:
    """Return which referrals are the person's own: named, or of a record or call of theirs."""
    by_code = {
        id_ for id_, because in trail.found[ItemKind.REFERRAL].items() if because is Because.CODE
    }
    own: set[UUID] = set()
    rows = await work.session.execute(
        select(Referral.id, Referral.contact_id, Referral.case_id, Referral.call_id).where(
            Referral.id.in_(trail.ids(ItemKind.REFERRAL))
        )
    )
    for id_, contact_id, case_id, call_id in rows.all():
        alone = contact_id is None and case_id is None
        of_own = contact_id in records.own or case_id in records.own
        if id_ in by_code or of_own or (alone and call_id in calls):
            own.add(id_)
    return own - records.several
