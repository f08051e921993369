"""The bus reaches all listeners, whatever one of its listeners does."""

from structlog.testing import capture_logs

from app.database.bus import Bus, Subscription
from app.database.topics import Topic


class Broken(Subscription):
    def put(self, topic: str) -> None:
        raise AttributeError("a listener with a fault")


def test_a_listener_that_fails_does_not_keep_a_topic_from_the_others() -> None:
    bus, heard = Bus(""), list[str]()

    def fail(topic: str) -> None:
        raise ValueError("a hook with a fault")

    bus.on_topic(fail)
    bus.on_topic(heard.append)
    before, after = Subscription(), Subscription()
    with (
        capture_logs() as told,
        bus.listening(before, {Topic.QUEUE}),
        bus.listening(Broken(), {Topic.QUEUE}),
        bus.subscribed() as everything,
        bus.listening(after, {Topic.QUEUE}),
    ):
        bus.publish_here(Topic.QUEUE)
    assert heard == [Topic.QUEUE]
    for one in (before, after, everything):
        assert one.taken() == {Topic.QUEUE}
    kinds = [one["exception_type"] for one in told]
    assert kinds == ["ValueError", "AttributeError"]
