"""Two children whose contacts were put in one profile by mistake."""

from uuid import UUID, uuid4

from sqlalchemy import func, update

from app.calls.models import Call
from app.contacts.models import Contact, Profile, ProfileNumber
from app.jobs.transaction import flush
from app.retention.data_requests import requests
from app.retention.data_requests.models import DataRequest
from app.staff.models import Staff
from app.work import Work
from tests.support import planted
from tests.support.retention.requested import (
    rang_itself,
    wrote,
)
from tests.support.retention.written_once import once
from tests.support.verbs import a_line, a_supervisor

OF_GIRL = planted.CHILD | {"child.a1.wants": "Calm at home"}
# What the girl wrote.
SAID = "Mama hits me"


@once
async def one_profile(work: Work) -> tuple[Staff, Contact, Contact]:
    """A boy who rang; the contact of a girl was put in his profile by mistake."""
    await a_line(work)
    boss = await a_supervisor(work)
    own_call, other_call = [await planted.a_call(work, f"CA{one}") for one in (1, 2)]
    await work.session.execute(
        update(Call)
        .where(Call.id == other_call.id)
        .values(caller_key=func.decode(func.md5("her number"), "hex"))
    )
    await work.session.refresh(other_call)
    boy = await planted.a_contact(work, boss, own_call)
    girl = await planted.a_contact(work, boss, other_call, OF_GIRL)
    for one in (boy, girl):
        await rang_itself(work, one)
    await wrote(work, other_call, SAID)
    profile = Profile(id=uuid4(), code="P-AAA-AAA-AAA", created_at=work.now)
    work.session.add(profile)
    await work.session.flush()
    await work.session.refresh(own_call)
    for call in (own_call, other_call):
        work.session.add(ProfileNumber(profile_id=profile.id, caller_key=call.caller_key))
    boy.profile_id = girl.profile_id = profile.id
    await flush(work)
    return boss, boy, girl


async def kept_of(work: Work, request: DataRequest) -> set[UUID]:
    return {one.subject_id for one in await requests.items_of(work, request) if one.keep}
