"""Primero, another case management system: a case there for each recipient here."""

from uuid import uuid4

from app.jobs.names import Task
from app.outbox.channels import ChannelKind
from app.referrals.channels.base import SystemChannel
from app.referrals.channels.models import AgencyCase
from app.referrals.directory.models import Agency
from app.referrals.models import Recipient, Referral
from app.referrals.states import AgencyCaseState, Purpose
from app.work import Work


class PrimeroChannel(SystemChannel):
    kind = ChannelKind.PRIMERO

    def address_of(self, agency: Agency) -> str | None:
        return str(agency.primero["url"]) if agency.primero else None

    async def offer(
        self, work: Work, referral: Referral, agency: Agency, recipient: Recipient
    ) -> None:
        if not agency.primero or agency.primero_password_sealed is None:
            return
        work.session.add(
            AgencyCase(
                recipient_id=recipient.id,
                case_id=uuid4(),
                service_id=uuid4(),
                state=AgencyCaseState.WANTED.value,
                mapping=agency.primero["mapping"],
                mapping_version=0,
                problem="",
            )
        )
        await work.session.flush()
        work.defer(Task.MAKE_AGENCY_CASE, recipient_id=str(recipient.id))

    async def update(
        self, work: Work, referral: Referral, agency: Agency, recipient: Recipient
    ) -> None:
        work.defer(Task.UPDATE_AGENCY_CASE, recipient_id=str(recipient.id))

    async def take_back(
        self,
        work: Work,
        referral: Referral,
        agency: Agency,
        recipient: Recipient,
        purpose: Purpose,
        *,
        again: bool,
    ) -> bool:
        # Each recipient has a case of its own there, so each one is taken back.
        work.defer(Task.END_AGENCY_CASE, recipient_id=str(recipient.id))
        return True


CHANNEL = PrimeroChannel()
