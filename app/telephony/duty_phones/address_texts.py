"""The text to an agency, where it was texted before, that its address is to change."""

from uuid import UUID

from procrastinate import JobContext

from app.jobs.names import Task
from app.referrals.directory import telling
from app.referrals.directory.address_rows import AddressChange
from app.referrals.directory.addresses import former_sms
from app.referrals.directory.models import Agency
from app.telephony.jobs import task
from app.telephony.text_once import Text, text_once
from app.work import Work


@task(Task.TEXT_OF_NEW_ADDRESS)
async def text_of_new_address(context: JobContext, change_id: str) -> None:
    """Text to an agency that its address is to change. The number is in no job."""

    async def compose(work: Work) -> Text | None:
        change = await work.session.get(AddressChange, UUID(change_id))
        agency = await work.session.get(Agency, change.agency_id) if change is not None else None
        to = former_sms(agency, change) if agency is not None and change is not None else None
        if agency is None or to is None:
            return None
        return Text(to, (await telling.of_new_address(work, agency)).body)

    await text_once(context, compose, "a changed address")
