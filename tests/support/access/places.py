"""Which row stands in an address, and what a route is sent."""

from tests.support.access.rows import Rows

# Parameters of addresses of which each counsellor has a row of their own: what begins with this,
# and ends with that, and which row. The first that fits counts.
_OWNED = (
    ("/api/v1/chats/left/", "call_id", "left"),
    ("/board/messages/written/", "call_id", "left"),
    ("/practice/of/", "call_id", "left"),
    ("/api/v1/danger-alarms/", "alarm_id", "danger"),
    ("/telephony/", "call_id", ""),
    ("/telephony/", "offer_id", ""),
    ("/telephony/", "participant_id", ""),
    ("/board/chats/", "call_id", "chat"),
    ("/api/v1/chats/", "call_id", "chat"),
    ("/api/v1/access-requests/", "request_id", ""),
    ("/api/v1/partner-requests/", "request_id", ""),
    ("/access-requests/", "request_id", ""),
    ("/api/v1/case-requests/{request_id}/decide", "request_id", "to_decide"),
    ("/api/v1/retention/", "record_id", "contact"),
    ("/api/v1/case-flags/", "flag_id", "case_flag"),
    ("/api/v1/cases/", "other_id", "other_case"),
    ("/contacts/{contact_id}/conversation", "contact_id", "chat_contact"),
    ("", "flag_id", "caller_flag"),
    *(
        ("", f"{kind}_id", kind)
        for kind in (
            "call",
            "contact",
            "case",
            "document",
            "referral",
            "profile",
            "offer",
            "participant",
            "message",
            "media",
            "follow_up",
            "opening",
            "notice",
            "dispatch",
            "request",
            "session",
            "passkey",
            "subscription",
            "callback",
            "practice",
        )
    ),
    ("/team/people/", "person_id", "person"),
    ("/api/v1/team/", "person_id", "person"),
)
# Rows that belong to the account of who asks.
OF_THE_ACCOUNT = frozenset({"session", "passkey", "subscription"})
# What else stands in addresses.
_WORDS = {
    "record": "contact",
    "kind": "csv",
    "what": "referrals",
    "name": "monthly",
    "period": "2020",
    "language": "sr",
    "which": "pages",
    "file_format": "pdf",
    "line": "38111116111",
    "message_number": "1",
    "key": "greeting",
    "code": "house",
    "state": "break",
    "mode": "listen",
    "action": "drop",
    "answer": "accept",
    "said": "talked",
    "reason": "silent",
    "word": "approve",
    "entry": "a1",
    "number": "1",
    "change_id": "1",
    "order_id": "0",
    "schema": "User",
    "set_id": "0",
}
_SCIM = "/api/v1/scim/v2"
_AT = {
    (f"{_SCIM}/ResourceTypes/{{kind}}", "kind"): "User",
    (f"{_SCIM}/Schemas/{{schema}}", "schema"): "urn:ietf:params:scim:schemas:core:2.0:User",
    ("/api/v1/tokens/{name}", "name"): "token of figures",
    ("/board/calls/{call_id}/{action}", "action"): "hold",
    ("/board/callbacks/{callback_id}/{said}", "said"): "reached",
}
_NIL = "00000000-0000-4000-8000-000000000000"


def owned(path: str, name: str) -> str:
    """Return which row of a counsellor a parameter of an address names; nothing if none."""
    fits = (kind for begin, one, kind in _OWNED if one == name and path.startswith(begin))
    return next(fits, "")


def address(path: str, names: list[str], rows: Rows) -> str:
    """Return an address with its rows in it."""
    declared = path
    for name in names:
        kind = owned(declared, name)
        word = _AT.get((declared, name)) or rows.get(name) or _WORDS.get(name, _NIL)
        value = rows[kind] if kind else word
        path = path.replace(f"{{{name}}}", value)
    return path
