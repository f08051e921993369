"""A request of the provider that is sent by hand: signed right, signed wrongly, or not at all."""

from urllib.parse import urlencode

from app.demo.stage import ACCOUNT, LINE, TOKEN, Stage
from app.practice.wire import sign

FIELDS = [
    ("CallSid", "CA1"),
    ("AccountSid", ACCOUNT),
    ("From", "+381641234567"),
    ("To", LINE),
    ("CallStatus", "ringing"),
    ("ToCity", ""),
    ("ToZip", ""),
    ("New", "+ & = č"),
]
FORM = "application/x-www-form-urlencoded"
Fields = list[tuple[str, str]]


async def post(
    stage: Stage,
    path: str = "/telephony/voice",
    fields: Fields = FIELDS,
    *,
    token: str = TOKEN,
    signed_url: str | None = None,
    body: str | None = None,
    kind: str | None = FORM,
    signature: str | None = "made",
    **headers: str,
) -> int:
    url = stage.settings.public_url + path
    if signature == "made":
        signature = sign(token, signed_url or url, fields)
    if signature is not None:
        headers["X-Twilio-Signature"] = signature
    if kind is not None:
        headers["Content-Type"] = kind
    answer = await stage.client.post(
        url, content=(urlencode(fields) if body is None else body).encode(), headers=headers
    )
    if answer.status_code == 200:
        assert answer.headers["content-type"].startswith("text/xml")
    else:
        # Nothing of the request comes back: the provider would keep it.
        assert "38164" not in answer.text
    return answer.status_code
