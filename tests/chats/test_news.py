"""What the topics of a conversation say: something to read, or marks alone, and in which one."""

from uuid import UUID

from sqlalchemy import text

from app.chats import news
from app.chats.news import Mark
from app.database.topics import Topic
from app.work import Work

CALL = UUID("0b8f6f1e-6d0c-4a53-9f0e-2f8a7c1d9e44")
ANA = UUID("7d0f7b0a-52a5-4f0f-8c59-91d5f1a1c2aa")


def test_a_counsellor_is_told_in_which_conversation_and_what() -> None:
    topics = {"chats:ana/c1", "chats:ana/c2/seen/7", "chats:ana/c2/delivered/9", "chats:vera/c3"}
    assert news.in_topics("chats:ana", topics) == {"c1": None, "c2": {"seen": 7, "delivered": 9}}


def test_what_must_be_read_outweighs_marks_whichever_came_first() -> None:
    assert news.in_topics("chats:ana", ["chats:ana/c1", "chats:ana/c1/seen/7"]) == {"c1": None}
    assert news.in_topics("chats:ana", ["chats:ana/c1/seen/7", "chats:ana/c1"]) == {"c1": None}


def test_without_a_conversation_it_may_be_any_of_them() -> None:
    assert news.in_topics("chats:ana", {"chats:ana", "chats:ana/c1/seen/7"}) is None


def test_marks_only_grow_and_a_sign_that_came_and_went_is_read() -> None:
    topics = ["chats:ana/c/seen/9", "chats:ana/c/seen/7"]
    assert news.in_topics("chats:ana", topics) == {"c": {"seen": 9}}
    topics = ["chats:ana/c/types/1", "chats:ana/c/types/0"]
    assert news.in_topics("chats:ana", topics) == {"c": None}


def test_a_child_reads_again_when_anything_else_has_changed() -> None:
    own = "chats:c.child"
    assert news.of_topics(own, {f"{own}/delivered/3"}) == {"delivered": 3}
    assert news.of_topics(own, {own, f"{own}/delivered/3"}) is None
    assert news.of_topics(own, {"calls:c", f"{own}/delivered/3"}) is None


def test_processes_of_another_version_hear_the_same_topics() -> None:
    assert Topic.CHATS.of(news.of_child(CALL)) == f"chats:{CALL}.child"
    assert Topic.CHATS.of(news.of_holder(ANA, CALL)) == f"chats:{ANA}/{CALL}"
    assert {mark.begin for mark in Mark} == {"/sent/", "/delivered/", "/seen/", "/types/"}
    assert [news.types(True), news.types(False)] == ["/types/1", "/types/0"]


async def test_a_statement_makes_the_topics_that_the_program_listens_to(work: Work) -> None:
    call, ana = "CAST(:call AS uuid)", "CAST(:ana AS uuid)"
    made = (
        news.conversation_in_sql(call),
        news.child_in_sql(call),
        news.holder_in_sql(ana, call),
    )
    rows = await work.session.execute(text(f"SELECT {', '.join(made)}"), {"call": CALL, "ana": ANA})
    assert tuple(rows.one()) == (
        Topic.CHATS.of(CALL),
        Topic.CHATS.of(news.of_child(CALL)),
        Topic.CHATS.of(news.of_holder(ANA, CALL)),
    )
