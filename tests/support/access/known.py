"""What single routes are sent, where the smallest that they can read says too little."""

from typing import Any

from tests.support.access.rows import Rows

# Rows of a person that a request names in its body: by the field, and which row.
NAMED = {
    "POST /api/v1/cases": {"contacts": "contact"},
    "POST /api/v1/referrals": {"contact_id": "contact"},
    "POST /sounds/push/ring": {"offer": "offer"},
}
# An account with a password, which signs in with it alone.
SIGNS_IN = {"username": "signs in", "password": "correct horse battery"}


def known(key: str, rows: Rows) -> tuple[dict[str, Any], str, dict[str, str]]:
    """Return fields of the body, the query, and headers, of a request to a route."""
    return _fields(rows).get(key, {}), _QUERY.get(key, ""), _HEADERS.get(key, {})


def _fields(rows: Rows) -> dict[str, dict[str, Any]]:
    person, code = rows.get("person_id", ""), rows.get("contact_code", "")
    duty = {
        "counsellor_id": person,
        "begins_at": "2030-02-01T09:00:00",
        "ends_at": "2030-02-01T10:00:00",
    }
    return {
        "POST /api/v1/cases": {"contacts": [rows.get("contact", "")]},
        "POST /api/v1/referrals": {"contact_id": rows.get("contact", "")},
        "POST /api/v1/cases/{case_id}/contacts": {"code": code},
        "POST /api/v1/cases/{case_id}/links": {"code": rows.get("other_code", "")},
        "POST /api/v1/profiles/{profile_id}/merge": {"into": rows.get("own_profile", "")},
        "POST /api/v1/team/messages": {"to": person},
        "POST /team/messages": {"to": person},
        "POST /board/note": {"to": rows.get("supervisor", "")},
        "POST /api/v1/calls/{call_id}/move": {"counsellor_id": person},
        "POST /board/talks/{call_id}/move": {"to": person},
        "POST /api/v1/retention/holds": {"code": code},
        "POST /admin/retention/holds": {"code": code},
        "POST /api/v1/roster/duties": duty,
        "POST /api/v1/roster/shifts": {
            "staff_id": person,
            "recurrence": "FREQ=DAILY",
            "begins": "09:00",
            "ends": "10:00",
        },
        "POST /api/v1/roster/holidays/clear": {"day": "2030-01-15"},
        "POST /api/v1/statistics/schedules": {
            "report": "monthly",
            "every": "year",
            "role": "auditor",
        },
        "POST /admin/tokens/revoke": {"name": "token of figures"},
        "POST /api/v1/session": SIGNS_IN,
        "POST /login": SIGNS_IN,
        "POST /sounds/push/ring": {"offer": rows.get("offer", "")},
        "POST /chat/return": {"code": rows.get("code", "")},
        "POST /welcome/open": {"token": rows.get("token", "")},
        "POST /welcome/choose": {"token": rows.get("token", "")},
        "POST /api/v1/practices": {"scenario": "school_bullying", "language": "en"},
    }


_QUERY = {
    "GET /reports/calls": "?from=2030-01-14&to=2030-01-15",
    "GET /api/v1/chats/{call_id}/translations": "?numbers=1",
    "GET /board/chats/{call_id}/translations": "?numbers=1",
    "GET /api/v1/every-line/prompts": "?language=sr",
    "GET /api/v1/lines/{line_id}/prompts": "?language=sr",
}
_HEADERS = {
    "POST /api/v1/cases/{case_id}/documents": {
        "content-type": "application/octet-stream",
        "x-document-name": "letter.pdf",
        "x-document-details": "keep",
    },
}
