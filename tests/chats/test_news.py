"""What the topics of a conversation say: something to read, or marks alone, and in which one."""

from app.chats import news


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
