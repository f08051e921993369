"""What programs send about referrals."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from app.definitions.risk import Urgency
from app.referrals import staff_actions
from app.referrals.consent import consenting
from app.referrals.consent.grounds import Basis
from app.referrals.consent.rules import GivenBy, How, Scope
from app.referrals.states import (
    DispatchState,
    ReferralOutcome,
    RejectionReason,
    Service,
)

Words = Annotated[str, Field(max_length=4000)]
Name = Annotated[str, Field(max_length=200)]


class AgreedIn(BaseModel):
    given_by: GivenBy
    how: How = How.SPOKEN
    scope: list[Scope] = Field(min_length=1, max_length=2)
    withheld_from: list[Name] = Field(default=[], max_length=50)
    # Empty: for the service that the referral asks for.
    for_what: list[Service] = Field(default=[], max_length=20)
    words: Words = ""

    def made(self) -> consenting.Agreed:
        return consenting.Agreed(
            self.given_by,
            self.how,
            tuple(self.scope),
            tuple(self.withheld_from),
            tuple(self.for_what),
            self.words,
        )


class OverrideIn(BaseModel):
    basis: Basis
    reason: Words
    child_told: bool | None = None
    # Sectors or codes of agencies that are told in spite of an explicit wish.
    despite: list[Name] = Field(default=[], max_length=50)
    # The counsellor has read in the contact whom the referral must not reach.
    wish_read: bool = False

    def made(self) -> consenting.Override:
        return consenting.Override(
            self.basis, self.reason, self.child_told, tuple(self.despite), self.wish_read
        )


class WithdrawalIn(BaseModel):
    # Who withdraws consent, and how they said so.
    by: GivenBy
    how: How = How.SPOKEN
    words: Words = ""


class Urgent(BaseModel):
    service: Service
    place: Name | None = None
    # Bring the agency that acknowledges into the live call.
    warm: bool = False
    # The counsellor has read in the contact whom the referral must not reach.
    wish_read: bool = False


class NewReferral(BaseModel):
    urgency: Urgency
    # Empty: the services that the protocol gives for the signs of danger.
    services: list[Service] = Field(default=[], max_length=10)
    contact_id: UUID | None = None
    case_id: UUID | None = None
    # The codes of the children's entries. Empty: every child of the contact.
    children: list[Name] = Field(default=[], max_length=50)
    place: Name | None = None
    answers: dict[Name, Any] = Field(default={}, max_length=100)
    consent: AgreedIn | None = None
    override: OverrideIn | None = None
    # Why the referral does not first go to a service that keeps the child with its family.
    directly: Words = ""
    # The counsellor has seen the open referrals of the same child.
    seen_open: bool = False
    send: bool = False


class To(BaseModel):
    agency: Name | None = None


class SaidIn(BaseModel):
    # The code of the agency that replied, and the person there.
    agency: Name
    name: Name = ""
    words: Words = ""

    def made(self) -> staff_actions.ToldByAgency:
        return staff_actions.ToldByAgency(self.agency, self.name, self.words)


class Rejection(SaidIn):
    reason: RejectionReason


class Progress(SaidIn):
    seen_at: datetime | None = None


class Completion(SaidIn):
    outcome: ReferralOutcome | None = None


class WordsIn(BaseModel):
    words: Words = ""


class UrgencyIn(BaseModel):
    urgency: Urgency
    reason: Words


class ToColleague(BaseModel):
    name: Name


class Handover(SaidIn):
    agreed: Words
    at: datetime | None = None
    reference: Name = ""
    details_told: bool = False


class Paths(BaseModel):
    paths: list[Name] = Field(min_length=1, max_length=100)


class AnswerIn(BaseModel):
    agency: Name
    words: Words


class Written(BaseModel):
    # A member of staff hands it over on paper; nothing is sent.
    on_paper: bool = False


class DispatchIn(BaseModel):
    place: Annotated[str, Field(max_length=500)]
    wanted_at: datetime
    team: Name
    words: Words = ""


class DispatchMove(BaseModel):
    to: DispatchState
    result: Name | None = None
    words: Words = ""
