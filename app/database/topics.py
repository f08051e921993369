"""The topics of the bus: what has changed; for a conversation also how far it was read."""

from enum import StrEnum
from typing import NewType
from uuid import UUID

# A topic of one person or one record, as `Topic.of` makes it.
RowTopic = NewType("RowTopic", str)
# What is only about the reader of a page, as `Topic.own` makes it.
OwnTopic = NewType("OwnTopic", str)


class Topic(StrEnum):
    """A topic, as processes, pages and programs hear it."""

    ALARMS = "alarms"
    CALLBACKS = "callbacks"
    CALLS = "calls"
    # In one conversation, for both sides: what was written, seen, or is being typed.
    CHATS = "chats"
    CONNECTIONS = "connections"
    DATA_REQUESTS = "data_requests"
    DEADLINES = "deadlines"
    DEFINITIONS = "definitions"
    DELIVERIES = "deliveries"
    DIRECTORY = "directory"
    EMERGENCIES = "emergencies"
    # Sent by a listener to itself when it may have missed something.
    EVERYTHING = "everything"
    EXPORTS = "exports"
    FOLLOW_UPS = "follow_ups"
    KEYS = "keys"
    LINES = "lines"
    LOG = "log"
    MESSAGES = "messages"
    NOTICES = "notices"
    OFFERS = "offers"
    PRACTICES = "practices"
    PRESENCE = "presence"
    QUEUE = "queue"
    RECORD = "record"
    RECORDS = "records"
    REFERRALS = "referrals"
    ROSTER = "roster"
    SETTINGS = "settings"
    STAFF = "staff"
    TALKS = "talks"
    TEAM_MESSAGES = "team_messages"
    WORDS = "words"

    @property
    def own(self) -> OwnTopic:
        """Return the name of what is only about the reader: `calls:me` is their own call."""
        return OwnTopic(f"{self.value}:me")

    def of(self, row: UUID | str) -> RowTopic:
        """Return the topic of one person, or of one record."""
        return RowTopic(f"{self.value}:{row}")
