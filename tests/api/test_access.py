"""Every route and every role: who may enter, who may not, and what no role is shown."""

import httpx2
import pytest
from fastapi.routing import APIRoute

from app.api.sessions import router as sessions_router
from app.demo.stage import Counsellor, Stage
from app.staff.roles import PERMISSIONS, Permission, Role, may
from app.web.access import Guard, Public
from tests.support.routes import routes
from tests.support.talks import talk


def guards(route: APIRoute) -> list[object]:
    found: list[object] = []
    pending = list(route.dependant.dependencies)
    while pending:
        dependency = pending.pop()
        found.append(dependency.call)
        pending += dependency.dependencies
    return found


async def test_every_route_has_a_permission_or_a_reason(stage: Stage) -> None:
    seen = 0
    for route in routes(stage):
        if route.path.startswith("/telephony"):
            continue
        seen += 1
        calls = guards(route)
        assert any(isinstance(c, (Guard, Public)) for c in calls), route.path
    assert seen >= 30
    assert sessions_router.routes


async def test_every_telephony_route_is_signed(stage: Stage) -> None:
    unsigned = {
        route.path
        for route in routes(stage)
        if route.path.startswith("/telephony")
        and "signed_request" not in {getattr(c, "__name__", "") for c in guards(route)}
    }
    # What every caller hears anyway.
    heard = {"/telephony/prompts/{prompt_id}", "/telephony/sounds/waiting.wav"}
    # Each bot has a secret of its own: see `tests/scenarios/messaging/test_telegram.py`.
    assert unsigned - heard == {"/telephony/telegram/{account_id}"}


NIL = "00000000-0000-4000-8000-000000000000"


API = [
    ("GET", "/queue", Permission.SEE_QUEUE),
    ("GET", "/offers/mine", Permission.TAKE_CALLS),
    ("GET", "/me", Permission.SIGNED_IN),
    ("PUT", "/me/presence", Permission.TAKE_CALLS),
    ("GET", "/calls", Permission.SIGNED_IN),
    ("POST", "/offers/00000000-0000-4000-8000-000000000000/accept", Permission.TAKE_CALLS),
    ("POST", "/calls/00000000-0000-4000-8000-000000000000/hang-up", Permission.TAKE_CALLS),
    *(
        ("POST", f"/calls/{NIL}/{verb}", Permission.TAKE_CALLS)
        for verb in ("transfer", "add", "mute", "unmute", "panic", f"participants/{NIL}/drop")
    ),
    ("GET", f"/calls/{NIL}/participants", Permission.TAKE_CALLS),
    *(
        ("POST", f"/calls/{NIL}/{verb}", Permission.SUPERVISE)
        for verb in ("listen", "whisper", "barge", "take-over", "move")
    ),
    ("GET", "/talks", Permission.SUPERVISE),
    ("POST", f"/calls/{NIL}/end", Permission.SUPERVISE),
    ("GET", "/calls-for-help", Permission.SUPERVISE),
    ("POST", f"/calls/{NIL}/panic/take", Permission.SUPERVISE),
    ("GET", "/team", Permission.SUPERVISE),
    ("PUT", f"/team/{NIL}/state", Permission.SUPERVISE),
    ("GET", "/team/messages/recipients", Permission.TAKE_CALLS),
    ("GET", "/team/messages/unread", Permission.TAKE_CALLS),
    ("POST", "/team/messages", Permission.TAKE_CALLS),
    ("POST", "/team/messages/read", Permission.TAKE_CALLS),
    ("GET", "/me/browsers", Permission.SIGNED_IN),
    ("DELETE", f"/me/browsers/{NIL}", Permission.SIGNED_IN),
    ("GET", "/chats/mine", Permission.TAKE_CALLS),
    ("GET", f"/chats/{NIL}/messages", Permission.SIGNED_IN),
    *(
        ("POST", f"/chats/{NIL}/{verb}", Permission.TAKE_CALLS)
        for verb in ("messages", "seen", "typing", "end")
    ),
    ("GET", "/chats/left", Permission.HEAR_MESSAGES),
    ("GET", f"/chats/left/{NIL}/messages", Permission.HEAR_MESSAGES),
    ("POST", f"/chats/left/{NIL}/messages", Permission.HEAR_MESSAGES),
    ("POST", f"/chats/left/{NIL}/take", Permission.HEAR_MESSAGES),
    ("POST", f"/chats/left/{NIL}/contact", Permission.WRITE_CONTACTS),
    ("POST", f"/chats/left/{NIL}/done", Permission.HEAR_MESSAGES),
    ("GET", f"/lines/{NIL}/changes", Permission.KEEP_LINES),
    ("POST", f"/lines/{NIL}/changes/1/back", Permission.KEEP_LINES),
    ("GET", f"/lines/{NIL}/chat", Permission.KEEP_LINES),
    ("PATCH", f"/lines/{NIL}/chat", Permission.KEEP_LINES),
    ("GET", f"/chats/media/{NIL}", Permission.SIGNED_IN),
    ("GET", f"/lines/{NIL}/telegram", Permission.KEEP_LINES),
    ("PUT", f"/lines/{NIL}/telegram", Permission.KEEP_LINES),
    ("DELETE", f"/lines/{NIL}/telegram", Permission.KEEP_LINES),
    ("GET", "/practices", Permission.TAKE_CALLS),
    ("POST", "/practices", Permission.TAKE_CALLS),
    ("GET", "/me/sessions", Permission.SIGNED_IN),
    ("PUT", "/me/password", Permission.SIGNED_IN),
    ("PUT", "/me/phone-pin", Permission.SIGNED_IN),
    ("GET", "/me/second-phone", Permission.TAKE_CALLS),
    ("PUT", "/me/second-phone", Permission.TAKE_CALLS),
    ("DELETE", "/me/second-phone", Permission.TAKE_CALLS),
    ("DELETE", f"/me/sessions/{NIL}", Permission.SIGNED_IN),
    ("GET", "/lines", Permission.KEEP_LINES),
    ("POST", "/lines", Permission.KEEP_LINES),
    ("GET", f"/lines/{NIL}", Permission.KEEP_LINES),
    ("PATCH", f"/lines/{NIL}", Permission.KEEP_LINES),
    ("PATCH", f"/lines/{NIL}/numbers", Permission.KEEP_LINES),
    ("PATCH", f"/lines/{NIL}/plan", Permission.KEEP_LINES),
    ("PUT", f"/lines/{NIL}/key-questions", Permission.KEEP_LINES),
    ("POST", f"/lines/{NIL}/languages", Permission.KEEP_LINES),
    ("DELETE", f"/lines/{NIL}/languages/en", Permission.KEEP_LINES),
    ("PUT", f"/lines/{NIL}/prompts/sr/greeting/recording", Permission.KEEP_LINES),
    ("GET", f"/lines/{NIL}/recordings/{NIL}", Permission.KEEP_LINES),
    ("GET", "/every-line/languages/sr", Permission.KEEP_LINES),
    ("GET", "/every-line/prompts?language=sr", Permission.KEEP_LINES),
    ("PUT", "/every-line/prompts/sr/greeting", Permission.KEEP_LINES),
    ("PUT", "/every-line/prompts/sr/greeting/recording", Permission.KEEP_LINES),
    ("DELETE", "/every-line/prompts/sr/greeting", Permission.KEEP_LINES),
    ("POST", "/every-line/prompts/sr/greeting/back", Permission.KEEP_LINES),
    ("GET", f"/every-line/recordings/{NIL}", Permission.KEEP_LINES),
    ("GET", "/connections/dead-letters", Permission.KEEP_CONNECTIONS),
    ("POST", f"/connections/dead-letters/{NIL}/again", Permission.KEEP_CONNECTIONS),
    ("GET", "/backups", Permission.SEE_BACKUPS),
    ("GET", "/me/calendar-feed", Permission.SIGNED_IN),
    ("POST", "/me/calendar-feed", Permission.SEE_ROSTER),
    ("DELETE", "/me/calendar-feed", Permission.SIGNED_IN),
    ("GET", "/wallboards", Permission.KEEP_WALLBOARDS),
    ("POST", "/wallboards", Permission.KEEP_WALLBOARDS),
    ("POST", f"/wallboards/{NIL}/withdraw", Permission.KEEP_WALLBOARDS),
    ("GET", "/dialling", Permission.KEEP_DIALLING),
    ("PUT", "/dialling", Permission.KEEP_DIALLING),
    ("GET", "/first-steps", Permission.KEEP_PEOPLE),
    ("GET", "/retention", Permission.SEE_RETENTION),
    ("PUT", "/retention", Permission.KEEP_RETENTION),
    ("GET", "/retention/dry-run", Permission.SEE_RETENTION),
    ("GET", "/retention/holds", Permission.SEE_RETENTION),
    ("POST", "/retention/holds", Permission.HOLD_RECORDS),
    ("POST", f"/retention/contact/{NIL}/hold", Permission.HOLD_RECORDS),
    ("POST", f"/retention/contact/{NIL}/lift", Permission.HOLD_RECORDS),
    ("GET", "/data-requests", Permission.SEE_DATA_REQUESTS),
    ("POST", "/data-requests", Permission.ANSWER_DATA_REQUESTS),
    ("GET", f"/data-requests/{NIL}", Permission.SEE_DATA_REQUESTS),
    ("PUT", f"/data-requests/{NIL}/kept", Permission.ANSWER_DATA_REQUESTS),
    ("POST", f"/data-requests/{NIL}/ask", Permission.ANSWER_DATA_REQUESTS),
    ("POST", f"/data-requests/{NIL}/withdraw", Permission.ANSWER_DATA_REQUESTS),
    ("POST", f"/data-requests/{NIL}/decision", Permission.DECIDE_DATA_REQUESTS),
    ("GET", f"/data-requests/{NIL}/report.pdf", Permission.ANSWER_DATA_REQUESTS),
    ("GET", "/languages", Permission.SEE_DEFINITIONS),
    ("GET", "/languages/sr/pages.po", Permission.SEE_DEFINITIONS),
    ("POST", "/languages/sr/pages", Permission.KEEP_DEFINITIONS),
    ("POST", "/languages/own/0/take-back", Permission.KEEP_DEFINITIONS),
    ("GET", "/definitions", Permission.SEE_DEFINITIONS),
    ("GET", "/definitions/in-force.zip", Permission.SEE_DEFINITIONS),
    ("GET", "/definitions/sets/0", Permission.SEE_DEFINITIONS),
    ("GET", "/definitions/sets/0/files.zip", Permission.SEE_DEFINITIONS),
    ("GET", "/definitions/sets/0/compare", Permission.SEE_DEFINITIONS),
    ("GET", "/definitions/sets/0/forms/contact", Permission.SEE_DEFINITIONS),
    ("PUT", "/definitions/sets/0/forms/contact/answers", Permission.SEE_DEFINITIONS),
    ("POST", "/definitions/check", Permission.KEEP_DEFINITIONS),
    ("POST", "/definitions/sets?name=x", Permission.KEEP_DEFINITIONS),
    ("POST", "/definitions/sets/0/put-in-force", Permission.KEEP_DEFINITIONS),
    ("POST", "/definitions/orders/0/take-back", Permission.KEEP_DEFINITIONS),
    ("POST", "/numbers/setup", Permission.KEEP_LINES),
    ("GET", "/connections", Permission.KEEP_CONNECTIONS),
    ("GET", f"/connections/tests/{NIL}", Permission.KEEP_CONNECTIONS),
    *(
        ("POST", f"/connections/{means}/test", Permission.KEEP_CONNECTIONS)
        for means in ("telephony", "mail", "sms", "webhooks", "case_systems")
    ),
    ("GET", "/log", Permission.READ_LOG),
    ("POST", "/log/checks", Permission.READ_LOG),
    ("GET", "/log/checks/last", Permission.READ_LOG),
    ("GET", "/emergencies", Permission.SIGNED_IN),
    ("POST", "/emergencies", Permission.ASK_EMERGENCY),
    ("POST", f"/emergencies/{NIL}/confirm", Permission.CONFIRM_EMERGENCY),
    ("POST", f"/emergencies/{NIL}/refuse", Permission.CONFIRM_EMERGENCY),
    ("POST", f"/emergencies/{NIL}/enter", Permission.SIGNED_IN),
    ("POST", f"/emergencies/{NIL}/end", Permission.SIGNED_IN),
    ("POST", f"/emergencies/{NIL}/seen", Permission.SEE_EMERGENCIES),
    ("POST", f"/emergencies/{NIL}/review", Permission.REVIEW_EMERGENCIES),
    ("GET", "/sign-in/provider", Permission.KEEP_PEOPLE),
    ("PUT", "/sign-in/provider", Permission.KEEP_PEOPLE),
    ("DELETE", "/sign-in/provider", Permission.KEEP_PEOPLE),
    ("POST", "/sign-in/provider/test", Permission.KEEP_PEOPLE),
    ("DELETE", f"/people/{NIL}/identity", Permission.KEEP_PEOPLE),
    ("GET", "/me/identity", Permission.SIGNED_IN),
    ("GET", "/me/passkeys", Permission.SIGNED_IN),
    ("POST", "/me/proof/passkey", Permission.SIGNED_IN),
    ("DELETE", f"/me/passkeys/{NIL}", Permission.SIGNED_IN),
    ("GET", "/tokens", Permission.KEEP_TOKENS),
    ("POST", "/tokens", Permission.KEEP_TOKENS),
    ("DELETE", "/tokens/none", Permission.KEEP_TOKENS),
    ("GET", f"/lines/{NIL}/prompts?language=sr", Permission.KEEP_LINES),
    ("POST", f"/lines/{NIL}/prompts/sr/greeting/back", Permission.KEEP_LINES),
    ("GET", "/people", Permission.KEEP_PEOPLE),
    ("GET", f"/people/{NIL}", Permission.KEEP_PEOPLE),
    ("POST", f"/people/{NIL}", Permission.KEEP_PEOPLE),
    ("POST", "/people", Permission.KEEP_PEOPLE),
    ("DELETE", f"/people/{NIL}/link", Permission.KEEP_PEOPLE),
    *(
        ("POST", f"/people/{NIL}/{verb}", Permission.KEEP_PEOPLE)
        for verb in ("link", "phone-code", "hand-over", "deactivate", "reactivate")
    ),
    ("POST", f"/practices/{NIL}/acts", Permission.TAKE_CALLS),
    ("POST", f"/practices/{NIL}/remarks", Permission.TAKE_CALLS),
    ("GET", "/voice-messages/00000000-0000-4000-8000-000000000000", Permission.HEAR_MESSAGES),
    ("POST", f"/voice-messages/{NIL}/take", Permission.HEAR_MESSAGES),
    ("GET", "/callbacks", Permission.TAKE_CALLS),
    ("POST", f"/callbacks/{NIL}/cancel", Permission.TAKE_CALLS),
    ("POST", f"/calls/{NIL}/callback", Permission.TAKE_CALLS),
    ("POST", f"/voice-messages/{NIL}/done", Permission.HEAR_MESSAGES),
    ("GET", f"/calls/{NIL}/caller", Permission.KNOW_CALLERS),
    ("POST", f"/calls/{NIL}/flags", Permission.KNOW_CALLERS),
    ("POST", f"/calls/{NIL}/flags/{NIL}/lift", Permission.KNOW_CALLERS),
    ("POST", f"/calls/{NIL}/wishes", Permission.KNOW_CALLERS),
    ("POST", f"/calls/{NIL}/number", Permission.KNOW_CALLERS),
    ("GET", f"/calls/{NIL}/contact", Permission.READ_RECORDS),
    ("PUT", f"/calls/{NIL}/contact", Permission.WRITE_CONTACTS),
    ("GET", "/contacts", Permission.READ_RECORDS),
    ("POST", "/contacts", Permission.WRITE_CONTACTS),
    ("POST", "/contacts/search", Permission.READ_RECORDS),
    ("GET", f"/contacts/{NIL}", Permission.READ_RECORDS),
    ("GET", f"/contacts/{NIL}/state", Permission.READ_RECORDS),
    ("PUT", f"/contacts/{NIL}/answers", Permission.WRITE_CONTACTS),
    *(
        ("POST", f"/contacts/{NIL}/{verb}", Permission.WRITE_CONTACTS)
        for verb in (
            "complete",
            "close",
            "reopen",
            "urgency",
            "assign",
            "profile",
            "open-earlier",
        )
    ),
    ("POST", f"/profiles/{NIL}/merge", Permission.WRITE_CONTACTS),
    ("POST", f"/profiles/{NIL}/split", Permission.WRITE_CONTACTS),
    ("GET", "/openings", Permission.READ_RECORDS),
    ("POST", f"/openings/{NIL}/review", Permission.READ_RECORDS),
    ("GET", "/cases", Permission.READ_RECORDS),
    ("POST", "/cases", Permission.WRITE_CASES),
    ("POST", "/cases/search", Permission.READ_RECORDS),
    ("GET", f"/cases/{NIL}", Permission.READ_RECORDS),
    ("PUT", f"/cases/{NIL}/answers", Permission.WRITE_CASES),
    *(
        ("POST", f"/cases/{NIL}/{what}", Permission.WRITE_CASES)
        for what in (
            "contacts",
            "status",
            "members",
            "owner",
            "notes",
            "follow-ups",
            "risk",
            "transfer",
            "links",
            f"links/{NIL}/remove",
            "flags",
        )
    ),
    ("GET", "/caseload", Permission.READ_RECORDS),
    ("GET", "/case-requests", Permission.READ_RECORDS),
    ("POST", f"/case-requests/{NIL}/decide", Permission.WRITE_CASES),
    ("POST", f"/case-requests/{NIL}/take-back", Permission.WRITE_CASES),
    ("POST", f"/case-flags/{NIL}/lower", Permission.WRITE_CASES),
    ("POST", f"/follow-ups/{NIL}/done", Permission.WRITE_CASES),
    ("POST", f"/cases/{NIL}/print", Permission.READ_RECORDS),
    ("POST", f"/cases/{NIL}/documents/{NIL}/remove", Permission.WRITE_CASES),
    ("GET", f"/cases/{NIL}/documents/{NIL}", Permission.READ_RECORDS),
    ("GET", "/forms/contact", Permission.READ_RECORDS),
    ("GET", "/definitions/unmapped", Permission.SEE_DEFINITIONS),
    ("POST", f"/calls/{NIL}/urgent", Permission.WRITE_REFERRALS),
    ("GET", "/referrals", Permission.SEE_REFERRALS),
    ("POST", "/referrals", Permission.WRITE_REFERRALS),
    ("GET", f"/referrals/{NIL}", Permission.SEE_REFERRALS),
    ("GET", f"/referrals/{NIL}/state", Permission.SEE_REFERRALS),
    ("PUT", f"/referrals/{NIL}/answers", Permission.WRITE_REFERRALS),
    *(
        ("POST", f"/referrals/{NIL}/{verb}", Permission.WRITE_REFERRALS)
        for verb in (
            "consent",
            "override",
            "withdraw-consent",
            "confirm",
            "confirm-withdrawal",
            "send",
            "acknowledge",
            "accept",
            "reject",
            "progress",
            "complete",
            "close",
            "recall",
            "owner",
            "handover",
            "urgency",
            "feedback",
            "answer",
            "written",
            "try-system-again",
            "dispatches",
            f"dispatches/{NIL}",
        )
    ),
    ("POST", f"/referrals/{NIL}/take", Permission.SEE_DEADLINES),
    ("POST", f"/notices/{NIL}/seen", Permission.SEE_REFERRALS),
    ("GET", "/danger-alarms", Permission.SEE_REFERRALS),
    ("POST", f"/danger-alarms/{NIL}/acknowledge", Permission.SEE_REFERRALS),
    ("POST", f"/danger-alarms/{NIL}/decide", Permission.SEE_REFERRALS),
    ("POST", f"/deliveries/{NIL}/again", Permission.SEE_DEADLINES),
    ("GET", "/roster", Permission.SEE_ROSTER),
    ("POST", "/roster/shifts", Permission.PLAN_ROSTER),
    ("POST", f"/roster/shifts/{NIL}/end", Permission.PLAN_ROSTER),
    ("POST", f"/roster/shifts/{NIL}/leave-out", Permission.PLAN_ROSTER),
    ("POST", "/roster/duties", Permission.PLAN_ROSTER),
    ("POST", "/roster/duties/move", Permission.PLAN_ROSTER),
    ("POST", "/roster/duties/remove", Permission.PLAN_ROSTER),
    ("POST", "/roster/weeks/copy", Permission.PLAN_ROSTER),
    ("GET", "/roster/working-times", Permission.PLAN_ROSTER),
    ("PUT", f"/roster/working-times/{NIL}", Permission.PLAN_ROSTER),
    ("POST", "/roster/proposals", Permission.PLAN_ROSTER),
    ("GET", "/roster/proposals", Permission.PLAN_ROSTER),
    ("GET", f"/roster/proposals/{NIL}", Permission.PLAN_ROSTER),
    ("POST", f"/roster/proposals/{NIL}/accept", Permission.PLAN_ROSTER),
    ("POST", f"/roster/proposals/{NIL}/discard", Permission.PLAN_ROSTER),
    ("GET", "/roster/templates", Permission.PLAN_ROSTER),
    ("POST", "/roster/templates", Permission.PLAN_ROSTER),
    ("POST", f"/roster/templates/{NIL}/put", Permission.PLAN_ROSTER),
    ("DELETE", f"/roster/templates/{NIL}", Permission.PLAN_ROSTER),
    ("GET", "/roster/open-shifts", Permission.SEE_ROSTER),
    ("POST", "/roster/open-shifts", Permission.PLAN_ROSTER),
    ("POST", f"/roster/open-shifts/{NIL}/sign-up", Permission.TAKE_CALLS),
    ("POST", f"/roster/open-shifts/{NIL}/sign-off", Permission.TAKE_CALLS),
    ("POST", f"/roster/open-shifts/{NIL}/withdraw", Permission.PLAN_ROSTER),
    ("POST", "/roster/changes", Permission.SEE_ROSTER),
    ("POST", f"/roster/changes/{NIL}/agree", Permission.SEE_ROSTER),
    ("POST", "/roster/holidays", Permission.PLAN_ROSTER),
    ("POST", "/roster/holidays/clear", Permission.PLAN_ROSTER),
    ("POST", f"/roster/alarms/{NIL}/seen", Permission.PLAN_ROSTER),
    ("GET", "/roster.ics", Permission.PLAN_ROSTER),
    ("POST", "/roster/import", Permission.PLAN_ROSTER),
    ("GET", "/agencies", Permission.SEE_DIRECTORY),
    ("GET", "/agencies.csv", Permission.KEEP_DIRECTORY),
    ("POST", "/agencies/match", Permission.SEE_DIRECTORY),
    ("POST", "/agencies", Permission.KEEP_DIRECTORY),
    ("GET", "/agencies/address-changes", Permission.KEEP_DIRECTORY),
    ("POST", "/agencies/address-changes", Permission.KEEP_DIRECTORY),
    ("POST", "/agencies/nobody/secret", Permission.KEEP_DIRECTORY),
    ("POST", "/agencies/nobody/password", Permission.KEEP_DIRECTORY),
    ("GET", "/statistics/referrals.json", Permission.SEE_STATISTICS),
    ("GET", "/statistics/referrals.csv", Permission.SEE_STATISTICS),
    ("GET", "/statistics/calls.csv", Permission.SEE_SINGLE_CALLS),
    ("GET", "/statistics/summary", Permission.SEE_STATISTICS),
    ("GET", "/statistics/summary?by=counsellor", Permission.SEE_STAFF_STATISTICS),
    ("GET", "/statistics/counsellors.json", Permission.SEE_STAFF_STATISTICS),
    ("GET", "/statistics/dictionary", Permission.SEE_STATISTICS),
    ("GET", "/statistics/planning", Permission.SEE_STATISTICS),
    ("GET", "/statistics/exports", Permission.SEE_STATISTICS),
    ("POST", "/statistics/exports", Permission.SEE_STATISTICS),
    ("GET", f"/statistics/exports/{NIL}", Permission.SEE_STATISTICS),
    ("GET", f"/statistics/exports/{NIL}/file", Permission.SEE_STATISTICS),
    ("POST", f"/statistics/exports/{NIL}/approve", Permission.APPROVE_EXPORTS),
    ("GET", "/statistics/schedules", Permission.SEE_STATISTICS),
    ("POST", "/statistics/schedules", Permission.PUBLISH),
    ("POST", f"/statistics/schedules/{NIL}/end", Permission.PUBLISH),
    ("GET", "/statistics/public/2020", Permission.SEE_STATISTICS),
    ("POST", "/statistics/public/nothing", Permission.PUBLISH),
]


PAGES = [
    ("/", Permission.SIGNED_IN),
    ("/practice", Permission.TAKE_CALLS),
    ("/practice/agency-links", Permission.TAKE_CALLS),
    ("/practice/panel", Permission.TAKE_CALLS),
    (f"/practice/{NIL}", Permission.TAKE_CALLS),
    (f"/practice/{NIL}/panel", Permission.TAKE_CALLS),
    (f"/practice/of/{NIL}", Permission.TAKE_CALLS),
    ("/contacts", Permission.READ_RECORDS),
    (f"/contacts/{NIL}", Permission.READ_RECORDS),
    ("/cases", Permission.READ_RECORDS),
    (f"/cases/{NIL}", Permission.READ_RECORDS),
    (f"/profiles/{NIL}", Permission.READ_RECORDS),
    ("/board/tasks", Permission.READ_RECORDS),
    ("/admin", Permission.SIGNED_IN),
    ("/admin/log", Permission.READ_LOG),
    ("/admin/log/check", Permission.READ_LOG),
    ("/admin/tokens", Permission.KEEP_TOKENS),
    ("/admin/provider", Permission.KEEP_PEOPLE),
    ("/emergency", Permission.SIGNED_IN),
    ("/board/emergencies", Permission.SEE_EMERGENCIES),
    ("/account/proved", Permission.SIGNED_IN),
    ("/admin/dialling", Permission.KEEP_DIALLING),
    ("/admin/retention", Permission.SEE_RETENTION),
    ("/admin/backups", Permission.SEE_BACKUPS),
    ("/admin/data-requests", Permission.SEE_DATA_REQUESTS),
    (f"/admin/data-requests/{NIL}", Permission.SEE_DATA_REQUESTS),
    ("/admin/definitions", Permission.SEE_DEFINITIONS),
    ("/admin/languages", Permission.SEE_DEFINITIONS),
    ("/admin/first-steps", Permission.KEEP_PEOPLE),
    ("/referrals", Permission.SEE_REFERRALS),
    (f"/referrals/{NIL}", Permission.SEE_REFERRALS),
    ("/referrals/accountability", Permission.SEE_STATISTICS),
    ("/supervisor", Permission.SEE_DEADLINES),
    ("/reports", Permission.SEE_STATISTICS),
    ("/reports/explore", Permission.SEE_STATISTICS),
    ("/reports/planning", Permission.SEE_STATISTICS),
    ("/reports/calls?from=2026-05-01&to=2026-05-02", Permission.SEE_SINGLE_CALLS),
    ("/reports/monthly", Permission.SEE_STATISTICS),
    ("/reports/daily", Permission.SEE_STAFF_STATISTICS),
    ("/reports/public/2020", Permission.SEE_STATISTICS),
    (f"/reports/files/{NIL}", Permission.SEE_STATISTICS),
    ("/supervisor/deadlines", Permission.SEE_DEADLINES),
    ("/board/referrals", Permission.SEE_REFERRALS),
    ("/board/dangers", Permission.SEE_REFERRALS),
    ("/agencies", Permission.SEE_DIRECTORY),
    ("/agencies/nobody/keys", Permission.KEEP_DIRECTORY),
    ("/roster", Permission.SEE_ROSTER),
    ("/roster/calendar", Permission.SEE_ROSTER),
    ("/roster/duty/new", Permission.PLAN_ROSTER),
    ("/roster/open/new", Permission.PLAN_ROSTER),
    ("/roster/proposal", Permission.PLAN_ROSTER),
    ("/roster/proposal/part", Permission.PLAN_ROSTER),
    ("/roster/working-times", Permission.PLAN_ROSTER),
    (f"/roster/working-times/{NIL}", Permission.PLAN_ROSTER),
    (f"/roster/duty?at={NIL}~x~y~primary", Permission.PLAN_ROSTER),
    ("/board/alarms", Permission.PLAN_ROSTER),
    ("/board/talks", Permission.SUPERVISE),
    ("/admin/lines", Permission.KEEP_LINES),
    ("/admin/numbers", Permission.KEEP_LINES),
    ("/admin/connections", Permission.KEEP_CONNECTIONS),
    ("/admin/connections/state", Permission.KEEP_CONNECTIONS),
    (f"/admin/lines/{NIL}", Permission.KEEP_LINES),
    (f"/admin/lines/{NIL}/recordings/{NIL}", Permission.KEEP_LINES),
    ("/admin/every-line", Permission.KEEP_LINES),
    (f"/admin/every-line/recordings/{NIL}", Permission.KEEP_LINES),
    ("/board/talks/count", Permission.SUPERVISE),
    ("/board/panic", Permission.SUPERVISE),
    ("/team", Permission.SUPERVISE),
    ("/board/counts", Permission.SIGNED_IN),
    ("/board/counts/own", Permission.SEE_REFERRALS),
    ("/board/alerts", Permission.SEE_DEADLINES),
    ("/team/strip", Permission.SUPERVISE),
    ("/team/people", Permission.SUPERVISE),
    (f"/team/people/{NIL}/state", Permission.SUPERVISE),
    ("/team/messages/unread", Permission.TAKE_CALLS),
    ("/board/team-messages", Permission.TAKE_CALLS),
    ("/board/callbacks", Permission.TAKE_CALLS),
    ("/board/chats", Permission.TAKE_CALLS),
    ("/board/chats/now", Permission.TAKE_CALLS),
    (f"/board/chats/media/{NIL}", Permission.SIGNED_IN),
    (f"/board/chats/{NIL}/along", Permission.SUPERVISE),
    (f"/board/messages/written/{NIL}", Permission.HEAR_MESSAGES),
    (f"/board/chats/{NIL}/ring/1", Permission.TAKE_CALLS),
    (f"/contacts/{NIL}/conversation", Permission.READ_RECORDS),
    (f"/board/calls/{NIL}/ask", Permission.TAKE_CALLS),
]


# Forms of the pages, each with what is filled in.
FORMS: list[tuple[str, Permission, dict[str, str]]] = [
    (
        f"/team/people/{NIL}/state",
        Permission.SUPERVISE,
        {"state": "break", "reason": "agreed"},
    ),
    (f"/board/talks/{NIL}/listen", Permission.SUPERVISE, {}),
    (f"/admin/lines/{NIL}/facts", Permission.KEEP_LINES, {"name": "x"}),
    (f"/admin/lines/{NIL}/hours", Permission.KEEP_LINES, {"hours": "24/7"}),
    (f"/admin/lines/{NIL}/numbers", Permission.KEEP_LINES, {}),
    (f"/admin/lines/{NIL}/languages", Permission.KEEP_LINES, {"code": "sr"}),
    (f"/admin/lines/{NIL}/languages/remove", Permission.KEEP_LINES, {"code": "sr"}),
    (f"/admin/lines/{NIL}/plan", Permission.KEEP_LINES, {}),
    (f"/admin/lines/{NIL}/chat", Permission.KEEP_LINES, {}),
    (f"/admin/lines/{NIL}/changes/1/back", Permission.KEEP_LINES, {}),
    (f"/admin/lines/{NIL}/telegram", Permission.KEEP_LINES, {"token": "x"}),
    (f"/admin/lines/{NIL}/telegram/remove", Permission.KEEP_LINES, {}),
    (f"/board/chats/{NIL}/messages", Permission.TAKE_CALLS, {"text": "x", "client_key": NIL}),
    (f"/board/messages/written/{NIL}/answer", Permission.HEAR_MESSAGES, {"text": "x"}),
    (f"/board/messages/written/{NIL}/take", Permission.HEAR_MESSAGES, {}),
    (f"/board/messages/written/{NIL}/done", Permission.HEAR_MESSAGES, {}),
    (f"/board/chats/{NIL}/seen", Permission.TAKE_CALLS, {"number": "1"}),
    (f"/board/chats/{NIL}/typing", Permission.TAKE_CALLS, {}),
    (f"/board/chats/{NIL}/ring/1", Permission.TAKE_CALLS, {}),
    (f"/board/chats/{NIL}/end", Permission.TAKE_CALLS, {}),
    (f"/board/chats/{NIL}/whisper", Permission.SUPERVISE, {"text": "x", "client_key": NIL}),
    (f"/admin/lines/{NIL}/prompts/sr/greeting", Permission.KEEP_LINES, {"text": "x"}),
    (f"/admin/lines/{NIL}/prompts/sr/greeting/back", Permission.KEEP_LINES, {}),
    (f"/admin/lines/{NIL}/prompts/sr/greeting/program", Permission.KEEP_LINES, {}),
    ("/admin/every-line/prompts/sr/nothing", Permission.KEEP_LINES, {"text": "x"}),
    ("/admin/every-line/prompts/sr/nothing/back", Permission.KEEP_LINES, {}),
    ("/admin/every-line/prompts/sr/nothing/program", Permission.KEEP_LINES, {}),
    (f"/admin/lines/{NIL}/prompts/sr/greeting/ring", Permission.KEEP_LINES, {"number": "x"}),
    ("/admin/provider", Permission.KEEP_PEOPLE, {"name": "City"}),
    ("/emergency", Permission.ASK_EMERGENCY, {"kind": "accounts"}),
    (f"/emergency/{NIL}/confirm", Permission.CONFIRM_EMERGENCY, {}),
    (f"/emergency/{NIL}/refuse", Permission.CONFIRM_EMERGENCY, {}),
    (f"/emergency/{NIL}/seen", Permission.SEE_EMERGENCIES, {}),
    (f"/emergency/{NIL}/review", Permission.REVIEW_EMERGENCIES, {"words": "x"}),
    ("/admin/provider/test", Permission.KEEP_PEOPLE, {}),
    ("/admin/provider/remove", Permission.KEEP_PEOPLE, {}),
    (f"/admin/people/{NIL}/identity/remove", Permission.KEEP_PEOPLE, {}),
    ("/admin/connections/telephony", Permission.KEEP_CONNECTIONS, {"number": "x"}),
    (f"/board/talks/{NIL}/end", Permission.SUPERVISE, {}),
    (f"/board/talks/{NIL}/take-over", Permission.SUPERVISE, {}),
    (f"/board/talks/{NIL}/move", Permission.SUPERVISE, {"to": NIL}),
    (f"/board/panic/{NIL}/take", Permission.SUPERVISE, {}),
    ("/team/messages", Permission.TAKE_CALLS, {"to": NIL, "key": NIL, "words": "Hello"}),
    ("/team/messages/read", Permission.TAKE_CALLS, {}),
    ("/board/note", Permission.TAKE_CALLS, {"to": NIL, "key": NIL, "words": "Hello"}),
    ("/admin/wallboards", Permission.KEEP_WALLBOARDS, {"name": "Hall"}),
    (f"/admin/wallboards/{NIL}/withdraw", Permission.KEEP_WALLBOARDS, {}),
]


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_reaches_what_it_may(stage: Stage, role: Role) -> None:
    person = await stage.add_counsellor("p", role=role, shift=False, state=None)
    for method, path, permission in API:
        body = {"state": "break"} if method == "PUT" else {} if method == "POST" else None
        status = (await person.ask(method, path, body)).status_code
        assert (status != 403) == may(role, permission), (path, status)
    for path, permission in PAGES:
        answer = await see(stage, person, path)
        assert (answer.status_code != 403) == may(role, permission), (path, answer.status_code)
    headers = {"Cookie": person.cookie_header}
    for path, permission, form in FORMS:
        answer = await stage.client.post(
            stage.settings.public_url + path, data=form, headers=headers
        )
        # 404: the role may, and there is no such line.
        well = answer.status_code in (200, 404)
        assert well == may(role, permission), (path, answer.status_code)


async def see(stage: Stage, person: Counsellor, path: str) -> httpx2.Response:
    """A page, as a browser asks for it."""
    headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in person._cookies.items())}
    return await stage.client.get(stage.settings.public_url + path, headers=headers)


async def test_the_work_list_and_the_log_have_their_readers(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana", state=None)
    body = {"channel": "email", "answers": {"contact.headline": "Zzheadline"}}
    contact = (await ana.ask("POST", "/contacts", body)).json()["id"]
    (await ana.ask("GET", f"/contacts/{contact}")).raise_for_status()
    auditor = await stage.add_counsellor("o", role=Role.AUDITOR, state=None)
    log = (await see(stage, auditor, f"/admin/log?subject=contact:{contact}")).text
    assert "contact read" in log
    assert "ana" in log
    assert "Zzheadline" not in log
    admin = await stage.add_counsellor("a", role=Role.ADMINISTRATOR, state=None)
    page = (await see(stage, admin, "/admin")).text
    assert "every category is mapped to the framework" in page
    assert "form-contact.yaml" in page
    assert "contact read" not in page


async def test_without_a_cookie_nothing(stage: Stage) -> None:
    base = stage.settings.public_url
    for method, path, _ in API:
        answer = await stage.client.request(method, base + "/api/v1" + path, json={})
        assert answer.status_code == 401
        assert answer.json()["error"] == "NotSignedIn"
    assert (await stage.client.get(base + "/")).headers["location"] == "/login"


async def test_a_counsellor_sees_own_calls_only_and_no_number(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    boris = await stage.add_counsellor("boris")
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    call = (await stage.call_of(leg))["id"]
    for person, seen in ((ana, 1), (boris, 0), (chief, 1)):
        page = (await person.ask("GET", "/calls")).json()
        assert len(page["calls"]) == seen
        for path in (f"/calls/{call}", f"/calls/{call}/events"):
            answer = await person.ask("GET", path)
            assert answer.status_code == (200 if seen else 404)
            assert "38164" not in answer.text
    # Nor can another counsellor hang up on the child, hold them, or hear of the desk.
    for action in ("hang-up", "hold", "resume"):
        assert (await boris.ask("POST", f"/calls/{call}/{action}")).status_code == 404
    assert (await chief.ask("POST", f"/calls/{call}/hang-up")).status_code == 204


async def test_cross_site_writes_are_refused(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    url = f"{stage.settings.public_url}/api/v1/me/presence"
    cookie = {"Cookie": "; ".join(f"{k}={v}" for k, v in ana._cookies.items())}
    evil = {**cookie, "Origin": "https://evil.example.org"}
    answer = await stage.client.put(url, json={"state": "break"}, headers=evil)
    assert (answer.status_code, answer.json()["error"]) == (403, "CrossSite")
    answer = await stage.client.put(url, data={"state": "break"}, headers=cookie)
    assert answer.status_code == 403
    for path in ("/logout", "/board/presence/off_duty"):
        answer = await stage.client.post(stage.settings.public_url + path, headers=evil)
        assert answer.status_code == 403
    own = {**cookie, "Origin": stage.settings.public_url}
    assert (await stage.client.put(url, json={"state": "break"}, headers=own)).status_code == 200


async def test_sign_in_by_password_and_too_many_tries(stage: Stage) -> None:
    from app.jobs.transaction import transaction
    from app.staff import accounts
    from app.work import PROGRAM

    async with transaction(stage.ground, PROGRAM) as work:
        await accounts.add_staff(
            work, name="mira", role=Role.COUNSELLOR, password="correct horse battery"
        )
    url = f"{stage.settings.public_url}/api/v1/session"
    right = {"username": "mira", "password": "correct horse battery"}
    answer = await stage.client.post(url, json=right)
    assert answer.status_code == 200
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert answer.json()["presence"]["state"] == "off_duty"
    statuses = []
    for number in range(12):
        wrong = {"username": "mira", "password": f"wrong {number}"}
        statuses.append((await stage.client.post(url, json=wrong)).status_code)
    assert statuses[0] == 401
    assert statuses[-1] == 429
    stage.client.cookies.clear()
    nobody = await stage.client.post(url, json={"username": "nobody", "password": "x" * 12})
    assert nobody.status_code == 401


async def test_errors_say_what_to_do_and_nothing_of_the_input(stage: Stage) -> None:
    ana: Counsellor = await stage.add_counsellor("ana")
    answer = await ana.ask("PUT", "/me/presence", {"state": "on_call"})
    assert (answer.status_code, answer.json()["error"]) == (422, "Invalid")
    answer = await ana.ask("GET", "/calls?outcome=nonsense")
    assert "abandoned_in_queue" in answer.json()["detail"]
    answer = await ana.ask("GET", "/calls?from=2026-01-01T00:00:00")
    assert answer.status_code == 422
    answer = await ana.ask("GET", "/calls?cursor=rubbish")
    assert answer.status_code == 422
    answer = await ana.ask("PUT", "/me/presence", {"state": {"secret": "+381641234567"}})
    assert "38164" not in answer.text


def test_a_role_holds_only_known_permissions() -> None:
    assert set(PERMISSIONS) == set(Role)
    assert not may("nobody", Permission.SIGNED_IN)
    assert not may(Role.ADMINISTRATOR, Permission.HEAR_MESSAGES)
