"""The routes that are not opened with every row there is, and for each the test that opens it.

A stream has no end, a secret of a stranger is shown once, and some need a system of others. When
one of these tests ends, it is looked up whether its routes were opened and answered well.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.routing import APIRoute

_SCIM = "tests/api/test_scim.py::test_a_directory_adds_finds_changes_and_ends_an_account"
_DESK = "tests/dashboard/test_chat_pages.py::test_a_counsellor_writes_rings_and_ends_from_the_desk"
_PROVIDER = "tests/web/sign_in/test_provider_sign_in.py::"
_WRITING = "tests/scenarios/chats/test_writing.py::"
_TRANSLATION = (
    "tests/scenarios/chats/test_translation.py::"
    "test_nothing_of_a_translation_is_kept_and_the_desk_goes_on_without_it"
)
_RECORDING = (
    "tests/dashboard/test_line_pages.py::"
    "test_a_recording_is_sent_played_to_callers_and_heard_on_the_page"
)
_TABLE = "tests/api/test_access_table.py::test_every_route_answers_each_role_as_the_table_says"

LEFT_OUT = {
    # Streams.
    "/api/v1/events": (
        "tests/people/test_own_account.py::"
        "test_a_new_password_ends_the_other_sessions_and_an_open_stream"
    ),
    "/board/live": "tests/api/test_events.py::test_a_reader_who_leaves_leaves_nothing_behind",
    "/chat/conversation/events": (
        "tests/child/test_limits.py::test_a_fourth_stream_of_a_conversation_ends_the_oldest"
    ),
    # By a secret of an agency, of a person's calendar, or of a child.
    "/r/{token}/news": (
        "tests/web/test_decisions.py::"
        "test_no_line_of_a_decision_has_an_id_of_a_row_or_what_was_asked"
    ),
    "/calendar/{token}.ics": (
        "tests/security/test_kinds_of_tokens.py::test_a_secret_of_one_kind_is_none_of_another_kind"
    ),
    "/chat/conversation": (
        "tests/web/test_decisions.py::test_the_right_of_a_link_or_a_token_is_a_line_without_it"
    ),
    "/chat/conversation/messages": f"{_WRITING}test_a_counsellor_who_disappears_loses_no_child",
    # They lead to a provider of identities, and back.
    "/login/provider": (
        f"{_PROVIDER}test_a_person_signs_in_and_the_answer_counts_once_in_their_browser"
    ),
    "/login/provider/back": (
        f"{_PROVIDER}test_a_person_signs_in_and_the_answer_counts_once_in_their_browser"
    ),
    "/login/provider/proof": (
        "tests/web/sign_in/test_provider_sign_out.py::"
        "test_a_proof_at_the_provider_may_begin_another_session_there"
    ),
    # By the token of a directory, which no person has.
    "/api/v1/scim/v2/ServiceProviderConfig": _SCIM,
    "/api/v1/scim/v2/ResourceTypes": _SCIM,
    "/api/v1/scim/v2/ResourceTypes/{kind}": _SCIM,
    "/api/v1/scim/v2/Schemas": _SCIM,
    "/api/v1/scim/v2/Schemas/{schema}": _SCIM,
    "/api/v1/scim/v2/Users": _SCIM,
    "/api/v1/scim/v2/Users/{person_id}": _SCIM,
    # Of live conversations, and of messages that children left.
    "/api/v1/chats/left/{call_id}/messages": (
        f"{_WRITING}test_out_of_hours_a_child_leaves_a_message_and_comes_back_with_a_code"
    ),
    "/board/chats/{call_id}/ring/{message_number}": _DESK,
    "/board/chats/{call_id}/news": (
        "tests/dashboard/test_chat_pages.py::"
        "test_what_is_new_in_a_conversation_comes_alone_and_to_its_counsellor_only"
    ),
    "/board/chats/{call_id}/caller": (
        "tests/scenarios/messaging/test_late_words.py::"
        "test_a_known_child_is_told_apart_answered_and_its_last_word_is_kept"
    ),
    "/board/chats/{call_id}/ring": (
        "tests/scenarios/messaging/test_texts.py::"
        "test_a_child_texts_is_answered_and_is_known_the_next_day"
    ),
    # With an engine that translates.
    "/api/v1/chats/{call_id}/translations": _TRANSLATION,
    "/board/chats/{call_id}/translations": _TRANSLATION,
    # A recording for every line.
    "/admin/every-line/recordings/{recording}": _RECORDING,
    "/api/v1/every-line/recordings/{recording}": _RECORDING,
    # What children sent.
    "/api/v1/chats/media/{media_id}": _TABLE,
    "/board/chats/media/{media_id}": _TABLE,
    # What a bot of Telegram, or a number in Signal, is.
    "/api/v1/lines/{line_id}/telegram": (
        "tests/scenarios/messaging/test_telegram.py::"
        "test_a_bot_that_is_removed_and_added_again_is_heard_whichever_comes_last"
    ),
    "/api/v1/lines/{line_id}/signal": (
        "tests/scenarios/messaging/test_signal.py::"
        "test_what_cannot_be_read_is_kept_told_and_heard_later"
    ),
    # By the provider, which asks signed, or for what every caller hears.
    "/telephony/sounds/waiting.wav": (
        "tests/scenarios/talks/test_cannot_speak.py::test_a_key_answers_and_the_talk_goes_on"
    ),
    "/telephony/prompts/{prompt_id}": _RECORDING,
}


@contextmanager
def opens_its_routes(test: str) -> Iterator[None]:
    """Check that a test opens the routes that are left to it, and that each answers well."""
    lacking = {path for path, one in LEFT_OUT.items() if one == test.partition("[")[0]}
    if not lacking:
        yield
        return
    made = APIRoute.handle

    async def handle(self: APIRoute, scope: Any, receive: Any, send: Any) -> None:
        async def told(message: Any) -> None:
            if scope["method"] == "GET" and message.get("status", 400) < 400:
                lacking.discard(self.path)
            await send(message)

        await made(self, scope, receive, told)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(APIRoute, "handle", handle)
        yield
    assert lacking == set(), "tests/support/pages/left_out.py says that it opens them"
