"""The JSON interface of accounts: finding, inviting and changing people, and their leaving."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from app.administration import still_open
from app.people import changing, factors, finding, holding, leaving, links, phone_codes
from app.people.changing import Changes
from app.people.finding import PersonState
from app.referrals.directory import leavers
from app.routing.rota.shifts import ALWAYS_UNTIL, Layer, Place
from app.staff.models import Staff
from app.staff.roles import Permission, Role
from app.staff.sign_in_rules import Limits, set_sign_in_rules, sign_in_rules
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["people"], route_class=StrictRoute)
KeepsPeople = Annotated[Staff, Depends(Requires(Permission.KEEP_PEOPLE), scope="function")]
_Words = Annotated[str, Field(max_length=200)]


class PersonView(BaseModel):
    """An account. Send `revision` back with a change: of two at once, the second is refused."""

    id: UUID
    revision: int
    state: PersonState
    name: str
    role: Role
    team: str
    email: str
    endpoint: str
    languages: list[str]
    lines: list[str]
    skills: list[str]
    training: bool
    # Its password opens also when people sign in by a provider.
    emergency: bool
    chats_at_once: int
    # The language in which the person reads the pages and is written to.
    page_language: str
    created_at: datetime


class StillOpenView(BaseModel):
    """What is open of a person who has left or lost the role at the provider.

    `directory` and `partner_of` still lead to them: codes of entries, and names of lines. The same
    with `perhaps` have a phone that they entered and never proved. `tokens` and `wallboards` name
    what they made. `without_partner`: lines that have no partner, because it had their phone.
    """

    directory: list[str]
    directory_perhaps: list[str]
    partner_of: list[str]
    partner_perhaps_of: list[str]
    tokens: list[str]
    wallboards: list[str]
    without_partner: list[str]

    @staticmethod
    async def of_person(work: Work, person: Staff) -> "StillOpenView":
        found = await still_open.of(work, person)
        return StillOpenView(
            directory=list(found.entries),
            directory_perhaps=list(found.perhaps),
            partner_of=list(found.lines),
            partner_perhaps_of=list(found.perhaps_lines),
            tokens=[one.name for one in found.tokens],
            wallboards=[one.name for one in found.wallboards],
            without_partner=[one.name for one in found.without_partner],
        )


class PersonHeld(PersonView):
    """An account, and how much of each kind of work the person holds."""

    holds: dict[holding.WorkKind, int]
    still_open: StillOpenView


class AccountIn(BaseModel):
    """What an account is to say; what is left out stays as it is."""

    name: _Words | None = None
    role: Role | None = None
    team: _Words | None = None
    email: _Words | None = None
    endpoint: _Words | None = None
    languages: list[_Words] | None = Field(default=None, max_length=50)
    lines: list[_Words] | None = Field(default=None, max_length=50)
    skills: list[_Words] | None = Field(default=None, max_length=50)
    training: bool | None = None
    emergency: bool | None = None
    # How many written conversations the person can have at once; 0: none.
    chats_at_once: int | None = None
    # One of the pages. Without it an invited person has that of who invites, until they choose.
    page_language: _Words | None = None


class ChangeIn(AccountIn):
    revision: int


class InvitationIn(AccountIn):
    """An account that is not there yet; the link goes by mail, or comes back in the answer."""

    by_mail: bool = False


class LinkIn(BaseModel):
    by_mail: bool = False


class LinkView(BaseModel):
    """The link, if it was not mailed. It is shown only now."""

    link: str | None


class Invited(PersonView, LinkView):
    pass


class HandOverIn(BaseModel):
    """To whom everything goes, and single kinds; null for shifts leaves them uncovered.

    `knowingly`: duty for which the colleague is not free stays uncovered; without it, it is a
    refusal that names this duty.
    """

    revision: int
    knowingly: bool = False
    everything_to: UUID | None = None
    to: dict[holding.WorkKind, UUID | None] = Field(default_factory=dict)

    def plan(self) -> leaving.Plan:
        everything = leaving.everything_to(self.everything_to) if self.everything_to else {}
        return {**everything, **self.to}


class DutyView(BaseModel):
    """A stretch of duty, of a person; without `until` it has no end."""

    person: UUID
    from_at: datetime
    until_at: datetime | None
    layer: Layer


class HandedOver(StillOpenView):
    """How much of each kind was handed over; the duty that stays uncovered because the colleague
    is not free for it, and the duty that others keep by agreed swaps. For a person who has left,
    what is open, and as `to_confirm` the codes of all entries of our own people on call: an address
    that was never in the account is not found by itself."""

    given: dict[holding.WorkKind, int]
    uncovered: list[DutyView]
    kept: list[DutyView]
    to_confirm: list[str]

    @staticmethod
    async def of(work: Work, handed: leaving.HandedOver, person_id: UUID) -> "HandedOver":
        person = await finding.person(work, person_id)
        left = await StillOpenView.of_person(work, person)
        on_call = [] if person.active else await leavers.to_confirm(work)
        uncovered, kept = (
            [_duty_view(one) for one in some] for some in (handed.uncovered, handed.kept)
        )
        return HandedOver(
            given=handed.given,
            uncovered=uncovered,
            kept=kept,
            to_confirm=[code for code, _name in on_call],
            **left.model_dump(),
        )


def _duty_view(place: Place) -> DutyView:
    ends = place.end if place.end < ALWAYS_UNTIL else None
    return DutyView(
        person=place.counsellor_id, from_at=place.start, until_at=ends, layer=place.layer
    )


def person_values(staff: Staff) -> dict[str, Any]:
    return {
        "id": staff.id,
        "revision": staff.revision,
        "state": finding.state_of(staff),
        "created_at": staff.created_at,
        **changing.values_of(staff),
    }


@router.get("/people")
async def people(
    work: InWork,
    _staff: KeepsPeople,
    words: str = "",
    role: Role | None = None,
    team: str | None = None,
    state: PersonState | None = None,
) -> list[PersonView]:
    """Find people by name, role, team and state; those who left come last."""
    found = await finding.find_people(work, finding.PeopleWanted(words[:200], role, team, state))
    return [PersonView(**person_values(one)) for one in found]


@router.get("/people/{person_id}")
async def one_person(work: InWork, _staff: KeepsPeople, person_id: UUID) -> PersonHeld:
    """Return an account, and how much the person holds."""
    found = await finding.person(work, person_id)
    return PersonHeld(
        **person_values(found),
        holds=await holding.count(work, found),
        still_open=await StillOpenView.of_person(work, found),
    )


@router.post("/people/{person_id}")
async def change_person(
    work: InWork, staff: KeepsPeople, person_id: UUID, wanted: ChangeIn
) -> PersonView:
    """Change an account."""
    changes = Changes(**wanted.model_dump(exclude={"revision"}))
    found = await changing.change(work, person_id, changes, by=staff, revision=wanted.revision)
    return PersonView(**person_values(found))


@router.post("/people", status_code=201)
async def invite_person(work: InWork, staff: KeepsPeople, wanted: InvitationIn) -> Invited:
    """Add an account, with a link by which its person chooses a password."""
    changes = Changes(**wanted.model_dump(exclude={"by_mail"}))
    found, link = await links.invite(work, changes, by=staff, by_mail=wanted.by_mail)
    return Invited(**person_values(found), link=link)


class PhoneCode(BaseModel):
    """A single-use code for a phone. It is in this answer only; it may open nothing before a second
    person has approved it."""

    code: str
    waits: bool


@router.post("/people/{person_id}/phone-code", status_code=201)
async def make_phone_code(work: InWork, staff: KeepsPeople, person_id: UUID) -> PhoneCode:
    """Make a single-use code that a person enters at their phone before they choose a PIN."""
    code, waits = await phone_codes.make(work, person_id, by=staff)
    return PhoneCode(code=code, waits=waits)


@router.post("/people/{person_id}/link", status_code=201)
async def make_link(work: InWork, staff: KeepsPeople, person_id: UUID, wanted: LinkIn) -> LinkView:
    """Make a link for choosing a password. An earlier one stops working; using it ends all
    sessions of the person."""
    made = await links.make_link(work, person_id, by=staff, by_mail=wanted.by_mail)
    return LinkView(link=made)


@router.delete("/people/{person_id}/link", status_code=204)
async def withdraw_link(work: InWork, _staff: KeepsPeople, person_id: UUID) -> None:
    """Withdraw the link of a person."""
    await links.withdraw(work, person_id)


@router.delete("/people/{person_id}/second-factor", status_code=204)
async def reset_factor(work: InWork, staff: KeepsPeople, person_id: UUID) -> None:
    """Reset the second factor of another person, as when a phone was lost."""
    await factors.reset(work, person_id, by=staff)


class LimitsBody(BaseModel):
    """What differs for a role; unset: as for the others."""

    session_hours: int | None = None
    idle_minutes: int | None = None


class RulesBody(BaseModel):
    """The rules of signing in: roles that need a second factor, and hours that a sign-in lasts."""

    factor_roles: list[Role]
    # Those whose second factor has to be a passkey. Unset: those of them that need one now.
    passkey_roles: list[Role] | None = None
    session_hours: int
    # Unset: as it is. Minutes for which a proof counts before numbers, exports and keys; then
    # minutes without an act after which a session ends, 0 for never; and what differs for a role.
    proof_minutes: int | None = None
    idle_minutes: int | None = None
    of_roles: dict[Role, LimitsBody] | None = None


class RulesIn(RulesBody):
    """`knowingly`: you know what it means that a role no longer needs a second factor, or a
    passkey."""

    knowingly: bool = False


@router.get("/sign-in-rules")
async def rules_in_force(work: InWork, _staff: KeepsPeople) -> RulesBody:
    """Return the rules of signing in."""
    return RulesBody(**(await sign_in_rules(work)).values)


@router.put("/sign-in-rules")
async def set_rules(work: InWork, _staff: KeepsPeople, wanted: RulesIn) -> RulesBody:
    """Change the rules of signing in, from the next sign-in of each person."""
    sent = wanted.model_dump(
        exclude_none=True, exclude={"knowingly", "factor_roles", "passkey_roles"}
    )
    if wanted.of_roles is not None:
        of_roles = wanted.of_roles.items()
        sent["of_roles"] = {role: Limits(**one.model_dump()) for role, one in of_roles}
    present = (await sign_in_rules(work)).demanding(wanted.factor_roles, wanted.passkey_roles)
    rules = replace(present, **sent)
    await set_sign_in_rules(work, rules, knowingly=wanted.knowingly)
    return RulesBody(**rules.values)


@router.post("/people/{person_id}/hand-over")
async def hand_over(
    work: InWork, staff: KeepsPeople, person_id: UUID, wanted: HandOverIn
) -> HandedOver:
    """Give what a person holds to colleagues; the person stays."""
    handed = await leaving.hand_over(
        work,
        person_id,
        wanted.plan(),
        by=staff,
        revision=wanted.revision,
        knowingly=wanted.knowingly,
    )
    return await HandedOver.of(work, handed, person_id)


@router.post("/people/{person_id}/deactivate")
async def deactivate(
    work: InWork, staff: KeepsPeople, person_id: UUID, wanted: HandOverIn
) -> HandedOver:
    """Give what a person holds to colleagues, and deactivate the account, in one step."""
    handed = await leaving.deactivate(
        work,
        person_id,
        wanted.plan(),
        by=staff,
        revision=wanted.revision,
        knowingly=wanted.knowingly,
    )
    return await HandedOver.of(work, handed, person_id)


@router.post("/people/{person_id}/reactivate")
async def reactivate(work: InWork, staff: KeepsPeople, person_id: UUID, wanted: LinkIn) -> Invited:
    """Make an account active again, with a new link: no old session or password works."""
    found = await leaving.reactivate(work, person_id, by=staff)
    link = await links.make_link(work, person_id, by=staff, by_mail=wanted.by_mail)
    return Invited(**person_values(found), link=link)
