"""Two children who rang from one telephone, and were taken to be one child."""

from uuid import uuid4

from app.contacts.models import Contact, Profile, ProfileNumber
from app.jobs.transaction import flush
from app.staff.models import Staff
from app.work import Work
from tests.support import planted
from tests.support.retention.one_profile import OF_GIRL
from tests.support.retention.requested import rang_itself
from tests.support.retention.written_once import once
from tests.support.verbs import a_line, a_supervisor

# By these a child is compared, besides its number.
WHO = ("child.a1.name", "child.a1.birth_date", "child.a1.age")


@once
async def one_telephone(work: Work) -> tuple[Staff, Contact, Contact]:
    """Both rang from one number, and were taken to be one child."""
    await a_line(work)
    boss = await a_supervisor(work)
    calls = [await planted.a_call(work, f"CA{one}") for one in (1, 2)]
    boy = await planted.a_contact(work, boss, calls[0])
    girl = await planted.a_contact(work, boss, calls[1], OF_GIRL)
    profile = Profile(id=uuid4(), code="P-AAA-AAA-AAA", created_at=work.now)
    work.session.add(profile)
    await work.session.flush()
    await work.session.refresh(calls[0])
    work.session.add(ProfileNumber(profile_id=profile.id, caller_key=calls[0].caller_key))
    for one in (boy, girl):
        await rang_itself(work, one)
        one.profile_id = profile.id
    await flush(work)
    return boss, boy, girl
