"""Messages on a platform whose list knows no filters."""

from app.demo.stage import LINE, stage_on
from app.practice.rooms import Message
from app.telephony.platforms.choose import platform_of


async def test_a_text_of_a_child_is_not_taken_for_our_message(
    database: str, anyio_backend: str
) -> None:
    """Somleng's list of messages knows no filters either (messages_controller.rb, `index`)."""
    async with stage_on(database, platform="somleng") as stage:
        x = stage.exchange
        sid = x.sids.new("SM")
        x.messages[sid] = Message(
            sid=sid,
            to=LINE,
            from_="+381641234567",
            body="?",
            created_at=stage.clock.now(),
            status_callback=None,
        )
        found = await platform_of(stage.settings).find_message(
            to="+381113000001", since=stage.clock.now(), known=set()
        )
    assert found is None, "a text of a child is taken for our message to a duty phone"
