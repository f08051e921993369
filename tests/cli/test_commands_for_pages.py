"""Each route of the pages that changes something, with the route of the API and the command that do
the same, or the reason why there is none. What a page does through the API itself is not listed."""

import typer

from app.cli.commands import app
from app.demo.stage import Stage
from tests.support.command_line import commands_of
from tests.support.routes import routes

# Reasons why a program or a command does not do the same.
SIGN_IN = "- it signs a browser in or out, or proves who sits at it"
OWN = "- a person's own sign-in, devices or page; the command line acts for no single person"
WORK = "- the work of the person on duty, with a caller or a record before them"
TWO = "- two people prove who they are, each at a page; a command cannot tell who types it"
AGENCY = "- the link of an agency, which has no account"
BROWSER = "- about the browser that asks"
READS = "- it finds something and changes nothing"
SETS_UP = "- the first account; `staff add` and `first-steps` stand in for it on the server"
PROVIDER = "- the provider of identities reports a sign-out there"
DUTY = "- for the supervisor on duty, who sees the team and answers for it"

# The page: the method and path of the API, and the command.
SAME = {
    "/account/passkeys": ("POST /me/passkeys", OWN),
    "/account/passkeys/{passkey_id}/remove": ("DELETE /me/passkeys/{passkey_id}", OWN),
    "/account/password": ("PUT /me/password", OWN),
    "/account/phone-pin": ("PUT /me/phone-pin", OWN),
    "/account/provider": ("POST /me/identity", OWN),
    "/account/provider/unlink": ("DELETE /me/identity", OWN),
    "/account/second-phone": ("PUT /me/second-phone", OWN),
    "/account/second-phone/give-up": ("DELETE /me/second-phone", OWN),
    "/account/second-factor": ("POST /me/second-factor", OWN),
    "/account/second-factor/confirm": ("POST /me/second-factor/confirm", OWN),
    "/account/sessions/{session_id}/end": ("DELETE /me/sessions/{session_id}", OWN),
    "/admin/connections/case-systems": (
        "POST /connections/case_systems/test",
        "connections test-case-system",
    ),
    "/admin/connections/mail": ("POST /connections/mail/test", "connections test-mail"),
    "/admin/connections/sms": ("POST /connections/sms/test", "connections test-sms"),
    "/admin/connections/telephony": ("POST /connections/telephony/test", "connections test-call"),
    "/admin/connections/webhooks": ("POST /connections/webhooks/test", "connections test-event"),
    "/admin/data-requests": ("POST /data-requests", "data-requests find"),
    "/admin/data-requests/{data_request_id}/ask": (
        "POST /data-requests/{data_request_id}/ask",
        "data-requests ask",
    ),
    "/admin/data-requests/{data_request_id}/decision": (
        "POST /data-requests/{data_request_id}/decision",
        "data-requests decide",
    ),
    "/admin/data-requests/{data_request_id}/kept": (
        "PUT /data-requests/{data_request_id}/kept",
        "data-requests keep",
    ),
    "/admin/data-requests/{data_request_id}/withdraw": (
        "POST /data-requests/{data_request_id}/withdraw",
        "data-requests withdraw",
    ),
    "/admin/definitions": ("POST /definitions/sets", "definitions upload"),
    "/admin/definitions/orders/{order_id}/take-back": (
        "POST /definitions/orders/{order_id}/take-back",
        "definitions take-back",
    ),
    "/admin/definitions/{set_id}/put-in-force": (
        "POST /definitions/sets/{set_id}/put-in-force",
        "definitions put-in-force",
    ),
    "/admin/dialling": ("PUT /dialling", "dialling set"),
    "/admin/settings": ("PUT /settings", "settings set"),
    "/admin/every-line/prompts/{language}/{key}": (
        "PUT /every-line/prompts/{language}/{key}",
        "line prompt",
    ),
    "/admin/every-line/prompts/{language}/{key}/back": (
        "POST /every-line/prompts/{language}/{key}/back",
        "line prompt-back",
    ),
    "/admin/every-line/prompts/{language}/{key}/program": (
        "DELETE /every-line/prompts/{language}/{key}",
        "line prompt-program",
    ),
    "/admin/languages": ("POST /languages/{language}/{which}", "language import"),
    "/admin/languages/{number}/take-back": (
        "POST /languages/own/{number}/take-back",
        "language take-back",
    ),
    "/admin/lines": ("POST /lines", "line add"),
    "/admin/lines/{line_id}/changes/{change_id}/back": (
        "POST /lines/{line_id}/changes/{change_id}/back",
        "line back",
    ),
    "/admin/lines/{line_id}/telegram": ("PUT /lines/{line_id}/telegram", "line telegram"),
    "/admin/lines/{line_id}/telegram/remove": ("DELETE /lines/{line_id}/telegram", "line telegram"),
    "/admin/lines/{line_id}/signal": ("PUT /lines/{line_id}/signal", "line signal"),
    "/admin/lines/{line_id}/signal/remove": ("DELETE /lines/{line_id}/signal", "line signal"),
    "/admin/lines/{line_id}/chat": ("PATCH /lines/{line_id}/chat", "line chat"),
    "/admin/lines/{line_id}/facts": ("PATCH /lines/{line_id}", "line rename"),
    "/admin/lines/{line_id}/hours": ("PATCH /lines/{line_id}", "line hours"),
    "/admin/lines/{line_id}/key-questions": (
        "PUT /lines/{line_id}/key-questions",
        "line key-questions",
    ),
    "/admin/lines/{line_id}/languages": ("POST /lines/{line_id}/languages", "line language"),
    "/admin/lines/{line_id}/languages/remove": (
        "DELETE /lines/{line_id}/languages/{language}",
        "line language",
    ),
    "/admin/lines/{line_id}/retire": ("POST /lines/{line_id}/retire", "line retire"),
    "/admin/lines/{line_id}/take-into-use": (
        "POST /lines/{line_id}/take-into-use",
        "line take-into-use",
    ),
    "/admin/lines/{line_id}/numbers": ("PATCH /lines/{line_id}/numbers", "line numbers"),
    "/admin/lines/{line_id}/plan": ("PATCH /lines/{line_id}/plan", "line plan"),
    "/admin/lines/{line_id}/prompts/{language}/{key}": (
        "PUT /lines/{line_id}/prompts/{language}/{key}",
        "line prompt",
    ),
    "/admin/lines/{line_id}/prompts/{language}/{key}/back": (
        "POST /lines/{line_id}/prompts/{language}/{key}/back",
        "line prompt-back",
    ),
    "/admin/lines/{line_id}/prompts/{language}/{key}/program": (
        "DELETE /lines/{line_id}/prompts/{language}/{key}",
        "line prompt-program",
    ),
    "/admin/lines/{line_id}/prompts/{language}/{key}/ring": (
        "POST /connections/telephony/test",
        "connections test-call",
    ),
    "/admin/log/anchors": ("POST /log/anchors", "audit verify"),
    "/admin/log/check": ("POST /log/checks", "audit verify"),
    "/admin/numbers": ("POST /numbers/setup", "telephony setup"),
    "/admin/people/invite": ("POST /people", "staff invite"),
    "/admin/people/{person_id}": ("POST /people/{person_id}", "staff change"),
    "/admin/people/{person_id}/identity/remove": (
        "DELETE /people/{person_id}/identity",
        "staff unlink",
    ),
    "/admin/people/{person_id}/leave": ("POST /people/{person_id}/deactivate", "staff deactivate"),
    "/admin/people/{person_id}/link": ("POST /people/{person_id}/link", "staff reset-password"),
    "/admin/people/{person_id}/phone-code": (
        "POST /people/{person_id}/phone-code",
        "staff phone-code",
    ),
    "/admin/people/{person_id}/reactivate": (
        "POST /people/{person_id}/reactivate",
        "staff reactivate",
    ),
    "/admin/people/{person_id}/second-factor/reset": (
        "DELETE /people/{person_id}/second-factor",
        "staff reset-second-factor",
    ),
    "/admin/provider": ("PUT /sign-in/provider", "provider set"),
    "/admin/provider/remove": ("DELETE /sign-in/provider", "provider remove"),
    "/admin/provider/test": ("POST /sign-in/provider/test", "provider test"),
    "/admin/retention": ("PUT /retention", "retention set"),
    "/admin/retention/run": ("POST /retention/run", "retention run"),
    "/admin/keys/reseal": ("POST /keys/reseal", "keys reseal"),
    "/admin/keys/rotate": ("POST /keys/rotate", "keys rotate"),
    "/admin/keys/rotate-hashes": ("POST /keys/rotate-hashes", "keys rotate-hashes"),
    "/admin/keys/retire": ("POST /keys/{number}/retire", "keys retire"),
    "/admin/retention/holds": ("POST /retention/holds", "retention hold"),
    "/admin/sign-in": ("PUT /sign-in-rules", "staff sign-in-rules"),
    "/admin/tokens": ("POST /tokens", "token add"),
    "/admin/tokens/revoke": ("DELETE /tokens/{name}", "token revoke"),
    "/admin/wallboards": ("POST /wallboards", "wallboard add"),
    "/admin/wallboards/{wallboard_id}/withdraw": (
        "POST /wallboards/{wallboard_id}/withdraw",
        "wallboard withdraw",
    ),
    "/agencies/new": ("POST /agencies", "agency add"),
    "/agencies/right": ("POST /agencies/match", READS),
    "/agencies/{code}/entry": ("POST /agencies", "agency add"),
    "/agencies/{code}/password": ("POST /agencies/{code}/password", "agency password"),
    "/agencies/{code}/secret": ("POST /agencies/{code}/secret", "agency secret"),
    "/board/callbacks/{callback_id}/{said}": ("POST /callbacks/{callback_id}/say", WORK),
    "/board/calls/{call_id}/ask": ("POST /calls/{call_id}/questions", WORK),
    "/board/calls/{call_id}/by-key/{code}": ("POST /calls/{call_id}/questions", WORK),
    "/board/calls/{call_id}/callback": ("POST /calls/{call_id}/callback", WORK),
    "/board/calls/{call_id}/participants/{participant_id}/{action}": (
        "POST /calls/{call_id}/participants/{participant_id}/{action}",
        WORK,
    ),
    "/board/calls/{call_id}/urgent": ("POST /calls/{call_id}/urgent", WORK),
    "/board/calls/{call_id}/{action}": ("POST /calls/{call_id}/transfer", WORK),
    "/board/chats/{call_id}/end": ("POST /chats/{call_id}/end", WORK),
    "/board/chats/{call_id}/messages": ("POST /chats/{call_id}/messages", WORK),
    "/board/chats/{call_id}/ring/{message_number}": ("POST /calls/{call_id}/callback", WORK),
    "/board/chats/{call_id}/seen": ("POST /chats/{call_id}/seen", WORK),
    "/board/chats/{call_id}/translation": ("POST /chats/{call_id}/translation", WORK),
    "/board/chats/{call_id}/typing": ("POST /chats/{call_id}/typing", WORK),
    "/board/chats/{call_id}/whisper": ("POST /chats/{call_id}/messages", WORK),
    "/board/contacts/{contact_id}/close/{reason}": ("POST /contacts/{contact_id}/close", WORK),
    "/board/heartbeat": (BROWSER, BROWSER),
    "/board/messages/written/{call_id}/answer": ("POST /chats/left/{call_id}/messages", WORK),
    "/board/messages/written/{call_id}/done": ("POST /chats/left/{call_id}/done", WORK),
    "/board/messages/written/{call_id}/take": ("POST /chats/left/{call_id}/take", WORK),
    "/board/messages/{message_id}/done": ("POST /voice-messages/{message_id}/done", WORK),
    "/board/messages/{message_id}/take": ("POST /voice-messages/{message_id}/take", WORK),
    "/board/note": ("POST /team/messages", WORK),
    "/board/offers/{offer_id}/{answer}": ("POST /offers/{offer_id}/accept", WORK),
    "/board/panic/{call_id}/take": ("POST /calls/{call_id}/panic/take", WORK),
    "/board/presence/{state}": ("PUT /me/presence", WORK),
    "/board/talks/{call_id}/end": ("POST /calls/{call_id}/end", WORK),
    "/board/talks/{call_id}/move": ("POST /calls/{call_id}/move", WORK),
    "/board/talks/{call_id}/take-over": ("POST /calls/{call_id}/take-over", WORK),
    "/board/talks/{call_id}/{mode}": ("POST /calls/{call_id}/listen", WORK),
    "/board/writing": (BROWSER, BROWSER),
    "/emergency": ("POST /emergencies", TWO),
    "/emergency/{emergency_id}/confirm": ("POST /emergencies/{emergency_id}/confirm", TWO),
    "/emergency/{emergency_id}/end": ("POST /emergencies/{emergency_id}/end", "emergency end"),
    "/emergency/{emergency_id}/enter": ("POST /emergencies/{emergency_id}/enter", TWO),
    "/emergency/{emergency_id}/refuse": ("POST /emergencies/{emergency_id}/refuse", TWO),
    "/emergency/{emergency_id}/review": ("POST /emergencies/{emergency_id}/review", TWO),
    "/emergency/{emergency_id}/seen": ("POST /emergencies/{emergency_id}/seen", OWN),
    "/language": (BROWSER, BROWSER),
    "/login": ("POST /session", SIGN_IN),
    "/login/code": ("POST /session", SIGN_IN),
    "/login/passkey": ("POST /session/passkey", SIGN_IN),
    "/login/passkey/options": ("POST /session", SIGN_IN),
    "/login/provider/logout": (PROVIDER, PROVIDER),
    "/login/set-up": ("POST /me/second-factor/confirm", SIGN_IN),
    "/login/set-up/passkey": ("POST /me/passkeys", SIGN_IN),
    "/logout": ("DELETE /session", SIGN_IN),
    "/page-language": ("PUT /me/page-language", "staff change"),
    "/palette": (READS, READS),
    "/practice/{practice_id}/acts": ("POST /practices/{practice_id}/acts", WORK),
    "/r/{token}/code": (AGENCY, AGENCY),
    "/r/{token}/form": (AGENCY, AGENCY),
    "/r/{token}/send-code": (AGENCY, AGENCY),
    "/r/{token}/send-link": (AGENCY, AGENCY),
    "/r/{token}/step": (AGENCY, AGENCY),
    "/reports/publish": ("POST /statistics/public/{period}", "report publish"),
    "/roster/change": ("POST /roster/changes", "shift change absence"),
    "/roster/copy": ("POST /roster/weeks/copy", "shift copy-week"),
    "/roster/duty": ("POST /roster/duties/move", "shift duty move"),
    "/roster/duty/new": ("POST /roster/duties", "shift duty add"),
    "/roster/feed": ("POST /me/calendar-feed", OWN),
    "/roster/feed/revoke": ("DELETE /me/calendar-feed", OWN),
    "/roster/open/new": ("POST /roster/open-shifts", "shift open add"),
    "/roster/open/{open_id}/sign-off": (
        "POST /roster/open-shifts/{open_id}/sign-off",
        "shift open sign-off",
    ),
    "/roster/open/{open_id}/sign-up": (
        "POST /roster/open-shifts/{open_id}/sign-up",
        "shift open sign-up",
    ),
    "/roster/open/{open_id}/withdraw": (
        "POST /roster/open-shifts/{open_id}/withdraw",
        "shift open withdraw",
    ),
    "/roster/proposal": ("POST /roster/proposals", "shift proposal make"),
    "/roster/proposal/{proposal_id}": (
        "POST /roster/proposals/{proposal_id}/accept",
        "shift proposal accept",
    ),
    "/roster/templates": ("POST /roster/templates", "shift template save"),
    "/roster/templates/delete": (
        "DELETE /roster/templates/{template_id}",
        "shift template delete",
    ),
    "/roster/templates/put": ("POST /roster/templates/{template_id}/put", "shift template put"),
    "/roster/working-times/{staff_id}": (
        "PUT /roster/working-times/{staff_id}",
        "shift hours set",
    ),
    "/setup": (SETS_UP, SETS_UP),
    "/sounds/push": (BROWSER, BROWSER),
    "/sounds/push/key": (BROWSER, BROWSER),
    "/sounds/push/ring": (BROWSER, BROWSER),
    "/sounds/push/{subscription_id}/forget": ("DELETE /me/browsers/{subscription_id}", OWN),
    "/team/messages": ("POST /team/messages", OWN),
    "/team/messages/read": ("POST /team/messages/read", OWN),
    "/team/people/{person_id}/state": ("PUT /team/{person_id}/state", DUTY),
    "/welcome/choose": (SIGN_IN, "staff reset-password"),
    "/welcome/open": (SIGN_IN, SIGN_IN),
    "/{what}/found": ("POST /contacts/search", READS),
}


async def test_each_change_of_a_page_has_its_route_and_its_command_or_a_reason(
    stage: Stage,
) -> None:
    pages, programs = set(), set()
    for route in routes(stage):
        methods = set(route.methods or ()) - {"GET", "HEAD"}
        if route.include_in_schema:
            programs |= {f"{method} {route.path}" for method in methods}
        elif methods and route.endpoint.__module__.startswith("app.dashboard."):
            pages.add(route.path)
    assert pages == set(SAME)
    commands = commands_of(typer.main.get_command(app))
    for page, (program, command) in SAME.items():
        assert program.startswith("- ") or program in programs, page
        assert command.startswith("- ") or command in commands, page
