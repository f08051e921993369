"""Check the provider's signature on every request, before anything is read from it."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData
from twilio.request_validator import RequestValidator

from app.errors import NotAllowed
from app.log import log
from app.settings import Settings
from app.web import decisions
from app.web.decisions import Right

# In bytes. No webhook of the provider is anywhere near this long.
_LONGEST = 128 * 1024

# What may be kept of a payload: nothing that says who or where a person is, no digits
# pressed, no tokens. A field that the provider adds is dropped until it is listed here.
KEPT_FIELDS = frozenset(
    "CallSid CallStatus Direction SequenceNumber CallDuration Duration SipResponseCode QueueResult "
    "QueueTime ConferenceSid StatusCallbackEvent ParticipantLabel ParticipantCallStatus "
    "ReasonParticipantLeft ReasonConferenceEnded Hold Muted DialCallStatus DialCallDuration "
    "RecordingSid RecordingStatus RecordingDuration ErrorCode AnsweredBy "
    "CallbackSource".split(" ")
)


class BadSignature(NotAllowed):
    default = "The signature of the request is not valid."


@dataclass(frozen=True)
class Signed:
    """A request with a valid signature: its form fields, and what may be kept of them."""

    fields: Mapping[str, str]
    path_and_query: str

    @property
    def call_sid(self) -> str:
        sid = self.fields.get("CallSid", "")
        return sid if len(sid) <= 64 else ""

    @property
    def by_machine(self) -> bool:
        """Whether an answering machine or a fax took the call, as far as the provider can tell."""
        who = self.fields.get("AnsweredBy", "")
        return who.startswith("machine") or who == "fax"

    @property
    def facts(self) -> dict[str, str]:
        """The fields that may be kept in the record."""
        return {
            name: value[:200]
            for name, value in self.fields.items()
            if name in KEPT_FIELDS and value
        }

    @property
    def told_at(self) -> datetime | None:
        """When the provider says that it happened; None if it is missing or unreadable."""
        try:
            at = parsedate_to_datetime(self.fields.get("Timestamp", ""))
        except (ValueError, TypeError, OverflowError):
            return None
        return at if at.tzinfo else at.replace(tzinfo=UTC)


async def signed_request(request: Request) -> Signed:
    """Check signature and account. Raises BadSignature, whatever is wrong with the request."""
    settings: Settings = request.app.state.ground.settings
    given = request.headers.get("x-twilio-signature")
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    length = request.headers.get("content-length", "0")
    if (
        not given
        or not settings.auth_tokens
        or kind != "application/x-www-form-urlencoded"
        or not length.isdigit()
        or int(length) > _LONGEST
    ):
        raise _refused(request)
    form = await request.form(max_fields=300)
    path_and_query = _path_and_query(request)
    url = url_of(request, settings)
    if not any(matches(token, url, form, given) for token in settings.auth_tokens):
        raise _refused(request)
    # The first value counts where a name is repeated; the signature covered them all.
    fields: dict[str, str] = {}
    for name, value in form.multi_items():
        if name not in fields:
            fields[name] = _plain(str(value), keep_lines=name == "Body")
    if fields.get("AccountSid") != settings.twilio_account_sid:
        raise _refused(request)
    decisions.grant(request, Right.PROVIDER_SIGNATURE)
    return Signed(fields, path_and_query)


def _path_and_query(request: Request) -> str:
    # As it was on the wire: the framework's own URL has the path unescaped, and its host is the
    # one that the sender wrote.
    raw = request.scope["raw_path"].decode("latin-1").split("?")[0]
    query = request.scope["query_string"].decode("latin-1")
    return str(raw + ("?" + query if query else ""))


_UNSTORABLE = re.compile("[\x00-\x1f\ud800-\udfff]")


_UNSTORABLE_BUT_LINES = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")


def _plain(text: str, *, keep_lines: bool = False) -> str:
    """Return the text without the characters that the database cannot store.

    `keep_lines`: what a person wrote keeps its lines.
    """
    return (_UNSTORABLE_BUT_LINES if keep_lines else _UNSTORABLE).sub("", text)


def read_number(text: str) -> int | None:
    """Return a whole number of at most nine digits, or None. `isdigit` alone lets "²" through."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def url_of(request: Request, settings: Settings) -> str:
    """Return the address that the provider signed: our public origin and the path as sent."""
    return settings.public_origin + _path_and_query(request)


def matches(token: str, url: str, form: FormData, given: str) -> bool:
    """Return whether a signature was made with the token."""
    validator = RequestValidator(token)
    try:
        # The library tries the address with and without its port, which costs two more signatures;
        # the address as it stands is nearly always right.
        if hmac.compare_digest(validator.compute_signature(url, form), given):
            return True
        return bool(validator.validate(url, form, given))
    except (ValueError, TypeError):
        return False


def _refused(request: Request) -> BadSignature:
    log().warning("refused a webhook", area="telephony", path=decisions.template_of(request))
    decisions.has_line(request)
    return BadSignature()


SignedRequest = Annotated[Signed, Depends(signed_request)]
