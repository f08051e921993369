"""A counsellor reads what a child writes in another language, and sends knowingly."""

from uuid import uuid4

from app.demo.stage import Stage
from app.demo.writing import a_child
from tests.support.calls.engine import KEY, engine
from tests.support.leaks.deferred import in_jobs
from tests.support.referrals import page


async def test_nothing_of_a_translation_is_kept_and_the_desk_goes_on_without_it(
    stage: Stage,
) -> None:
    await stage.let_write()
    ana = await stage.add_counsellor("ana", chats=2)
    child = a_child(stage)
    await child.open()
    await child.say("Bojim se <b>")
    await stage.settle()
    (offer,) = (await ana.ask("GET", "/offers/mine")).json()
    await ana.ask("POST", f"/offers/{offer['id']}/accept")
    await stage.settle()
    at = f"/board/chats/{child.id}"
    found = (await ana.ask("GET", f"/chats/{child.id}/messages")).json()
    last = max(one["number"] for one in found if one["author"] == "child")
    desk = (await page(stage, ana, "/board/chats")).text
    assert "data-translat" not in desk, "without an engine there is no sign of it"
    assert (await page(stage, ana, f"{at}/translations?numbers={last}")).status_code == 404
    assert (
        await ana.ask("GET", f"/chats/{child.id}/translations?numbers={last}")
    ).status_code == 404
    async with engine() as stand_in:
        stage.settings.translation_url, stage.settings.translation_key = stand_in.url, KEY
        assert "data-translate " in (await page(stage, ana, "/board/chats")).text
        shown = (await page(stage, ana, f"{at}/translations?numbers={last},999")).text
        assert "by a machine" in shown
        assert "<span>sr&gt;en &gt;B&lt; ES MIJOB<" in shown
        api = f"/chats/{child.id}"
        read = (await ana.ask("GET", f"{api}/translations?numbers={last}")).json()
        assert read == [{"number": last, "text": "sr>en >B< ES MIJOB"}]
        # She sees both before she sends, and nothing is sent by it.
        both = (await page(stage, ana, f"{at}/translation", text="I am here")).text
        assert "I am here" in both
        assert "EREH MA I" in both
        made = (await ana.ask("POST", f"{api}/translation", {"text": "I am here"})).json()
        assert made == {"text": "en>sr EREH MA I"}
        assert "Write 1 to 4000" in (await page(stage, ana, f"{at}/translation", text=" ")).text
        # Slow or down: it is said in time, and she writes on.
        stage.settings.translation_timeout, stand_in.slow = 0.2, 1.0
        shown = (await page(stage, ana, f"{at}/translations?numbers={last}")).text
        assert "does not answer. Go on without it" in shown
    assert "does not answer" in (await page(stage, ana, f"{at}/translation", text="Hi")).text
    assert (await ana.ask("GET", f"{api}/translations?numbers={last}")).status_code == 503
    said = {"text": "Tu sam", "client_key": uuid4().hex}
    assert "Tu sam" in (await page(stage, ana, f"{at}/messages", **said)).text
    words = await stage.rows("SELECT count(*) AS n FROM chat_messages WHERE author = 'counsellor'")
    assert words == [{"n": 1}]
    assert in_jobs("MIJOB", "EREH") == []
    for table in ("audit_entries", "call_events", "chat_typing"):
        rows = await stage.rows(f"SELECT row.*::text AS row FROM {table} AS row")
        assert not [one for one in rows if "MIJOB" in one["row"] or "EREH" in one["row"]], table
