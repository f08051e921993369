"""Records of a random life: taken, written on, completed, and opened again."""

import contextlib
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.contacts import completing, contacts
from app.contacts.models import Contact
from app.contacts.saving import Change
from app.contacts.states import ContactChannel, NonCounselling, Source
from app.errors import Conflict
from app.staff.models import Staff
from app.work import Actor, ActorKind
from tests.support.random_life.life import Life, Step, any_staff

CATEGORIES = ("V-PHYSICAL", "V-SEXUAL", "MH-SUICIDE", "FR-GENERAL", "PR-FRIENDS", "V-NEGLECT")


PLACES = ("RS-BG", "RS-01", "RS-08", "RS-VO", "unknown")


def said(dice: random.Random) -> list[Change]:
    answers: dict[str, Any] = {
        "contact.kind": dice.choice(["child", "about_child", "professional", "information"]),
        "contact.headline": "What it was",
        "contact.categories": dice.sample(CATEGORIES, dice.choice([1, 1, 2, 3])),
        "contact.place": dice.choice(PLACES),
    }
    if answers["contact.kind"] == "professional":
        answers["caller.role"] = dice.choice(["teacher", "police"])
    if answers["contact.kind"] == "about_child":
        answers["caller.relationship"] = dice.choice(["parent", "neighbour"])
    if answers["contact.kind"] != "information":
        for n in range(dice.choice([0, 1, 1, 1, 2, 3])):
            answers[f"child.c{n}"] = n + 1
            if dice.random() < 0.9:
                answers[f"child.c{n}.age"] = dice.randrange(0, 19)
            if dice.random() < 0.9:
                answers[f"child.c{n}.gender"] = dice.choice(["girl", "boy", "unknown"])
            if dice.random() < 0.3:
                answers[f"child.c{n}.disability"] = dice.choice(
                    [["none"], ["hearing"], ["seeing", "physical"]]
                )
            if dice.random() < 0.5:
                answers[f"child.c{n}.living"] = dice.choice(["parents", "foster"])
        if dice.random() < 0.5:
            answers["incident.where"] = dice.choice(["own_home", "school"])
            answers["incident.who"] = dice.sample(["parent", "stranger", "sibling"], 2)
    asked = [p for p in answers if dice.random() < 0.92 or p == "contact.headline"]
    return [Change(path, answers[path], 0) for path in asked]


async def visit(life: Life) -> None:
    staff = await any_staff(life)
    before = timedelta(seconds=life.dice.choice([0, 3600, 86_400]))
    await contacts.create_contact(
        life.work,
        staff,
        channel=life.dice.choice([ContactChannel.WALK_IN, ContactChannel.EMAIL]),
        source=Source.PAPER,
        taken_at=life.now - before,
        changes=said(life.dice),
    )


def write(call_id: UUID) -> Step:
    async def step(life: Life) -> None:
        # What is read on the way is logged by a transaction of its own, which would wait for this.
        await life.commit()
        contact = await life.work.session.scalar(
            select(Contact).where(Contact.call_id == call_id).with_for_update()
        )
        if contact is None or contact.state == "complete":
            return
        owner = await life.work.session.get(Staff, contact.owner_id)
        assert owner is not None
        life.work.actor = Actor(ActorKind.PERSON, owner.id)
        if life.dice.random() < 0.15:
            with contextlib.suppress(Conflict):
                await completing.close_as(
                    life.work, owner, contact.id, life.dice.choice(list(NonCounselling))
                )
                return
        await contacts.save(life.work, owner, contact.id, said(life.dice))
        if life.dice.random() < 0.2:
            contact.urgency = life.dice.choice(["immediate", "urgent", "priority"])

    return step


def complete(call_id: UUID) -> Step:
    async def step(life: Life) -> None:
        contact = await life.work.session.scalar(
            select(Contact).where(Contact.call_id == call_id).with_for_update()
        )
        if contact is None or contact.state == "complete":
            return
        contact.state, contact.completed_at = "complete", life.now

    return step


async def write_more(life: Life) -> None:
    """A contact of some earlier day is opened again and says something else."""
    rows = await life.work.session.scalars(
        select(Contact.id)
        .where(Contact.state == "complete")
        .order_by(Contact.taken_at.desc())
        .limit(20)
    )
    found = list(rows)
    if found:
        await say_another_place(life, life.dice.choice(found), life.dice.choice(PLACES))


async def say_another_place(life: Life, contact_id: UUID, place: str) -> None:
    """A completed contact is opened again, and says that it was somewhere else."""
    contact = await life.work.session.get(Contact, contact_id)
    assert contact is not None
    owner = await life.work.session.get(Staff, contact.owner_id)
    assert owner is not None
    life.work.actor = Actor(ActorKind.PERSON, owner.id)
    await completing.reopen(life.work, owner, contact.id, "more was said")
    seen = contact.versions.get("contact.place", 0)
    await contacts.save(life.work, owner, contact.id, [Change("contact.place", place, seen)])
    if life.dice.random() < 0.6:
        contact.state, contact.completed_at = "complete", life.now
