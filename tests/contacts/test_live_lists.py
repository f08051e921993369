"""What open pages hear when a record is written: its lists show the headline as it is."""

from datetime import timedelta

from app.contacts import contacts
from app.contacts.models import Contact
from app.contacts.saving import Change
from app.contacts.states import ContactChannel
from app.jobs.transaction import send_rows
from app.work import Actor, ActorKind, Work
from tests.support.verbs import a_counsellor


async def test_a_headline_that_changes_is_told_to_the_lists_and_another_answer_is_not(
    work: Work,
) -> None:
    ana = await a_counsellor(work, "ana")
    work.actor = Actor(ActorKind.PERSON, ana.id)
    contact, _ = await contacts.create_contact(work, ana, channel=ContactChannel.CALL)
    await send_rows(work)
    told = []
    # All in one stretch of writing, which is one event of the log.
    for path, value in (
        ("contact.headline", "First"),
        ("contact.headline", "First, written on"),
        ("contact.kind", "child"),
    ):
        work.topics.clear()
        work.now += timedelta(seconds=2)
        stored = await work.session.get_one(Contact, contact.id)
        change = Change(path, value, stored.versions.get(path, 0))
        _contact, saved = await contacts.save(work, ana, contact.id, [change])
        assert path in saved.saved
        told.append(f"records:{ana.id}" in work.topics)
    assert told == [True, True, False]
