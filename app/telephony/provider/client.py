"""The provider's REST API: the `twilio` client, with the base address of the settings.

Errors are told apart by what may be done next. `TryAgain`: the request was certainly not carried
out and may be sent again. `Uncertain`: it may have been carried out, so ask the provider.
`Refused`: the provider understood it and will not carry it out.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit, urlunsplit

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from app.abilities import Abilities
from app.outbox.fetching import fetch
from app.outbox.responses import Refused, RequestFailed, TryAgain, Uncertain
from app.retention.data_requests.kinds import Copy, CopyKind
from app.settings import Settings
from app.telephony.provider.urls import public

T = TypeVar("T")

# The provider's code for "the call is not in progress": a success when we end a call.
NOT_IN_PROGRESS = 21220

_API = "https://api.twilio.com"
# Bytes: an hour of sound that is not compressed, far more than a message may last.
_LONGEST_RECORDING = 60_000_000


@dataclass(frozen=True)
class ProviderCall:
    """What the provider says of a call."""

    status: str
    # When it was answered, and when it ended; in whole seconds.
    began_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class ProviderLeg:
    """A leg as the provider lists it. The numbers are never logged."""

    sid: str
    status: str
    # `inbound`, `outbound-api` (we asked for it) or `outbound-dial` (a document of ours rings it).
    direction: str
    to: str
    from_: str
    since: datetime
    # The leg whose document dials it.
    parent: str | None
    ended_at: datetime | None = None

    def rang_in(self, since: datetime, until: datetime) -> bool:
        """Return whether this is a ring that ended in `[since, until]`."""
        ended = self.ended_at
        return self.direction == "inbound" and ended is not None and since <= ended <= until


@dataclass(frozen=True)
class Came:
    """A text that came to a number of ours, as the provider lists it. It is never logged."""

    sid: str
    at: datetime
    # As its webhook would have brought it.
    fields: dict[str, str]


class _Http(TwilioHttpClient):  # type: ignore[misc]
    """Sends to the base address of the settings, and turns failures into our errors."""

    def __init__(self, base: str | None, timeout: float) -> None:
        super().__init__(timeout=timeout)
        self._base = urlsplit(base) if base else None
        if self.session is not None:
            adapter = requests.adapters.HTTPAdapter(pool_maxsize=32)
            self.session.mount("http://", adapter)
            self.session.mount("https://", adapter)
            self.session.trust_env = False

    def log_request(self, kwargs: Any) -> None:
        """Log nothing: the SDK would log addresses and numbers."""

    def log_response(self, status_code: int, response: Any) -> None:
        """Log nothing, for the same reason."""

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        if self._base is not None:
            parts = urlsplit(url)
            url = urlunsplit(
                (
                    self._base.scheme,
                    self._base.netloc,
                    self._base.path.rstrip("/") + parts.path,
                    parts.query,
                    "",
                )
            )
        try:
            answer = super().request(method, url, *args, **kwargs)
        except requests.exceptions.ConnectTimeout:
            raise TryAgain("the provider could not be reached") from None
        except requests.exceptions.ConnectionError as error:
            if _never_arrived(error):
                raise TryAgain("the provider could not be reached") from None
            raise Uncertain("the connection broke") from None
        except requests.exceptions.RequestException:
            raise Uncertain("no answer in time") from None
        if answer.status_code == 429:
            wait = (answer.headers or {}).get("Retry-After", "1")
            raise TryAgain(
                "too many requests", status=429, after=float(wait) if wait.isdigit() else 1.0
            )
        return answer


def _never_arrived(error: requests.exceptions.ConnectionError) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return type(reason).__name__ in (
        "NewConnectionError",
        "ConnectTimeoutError",
        "NameResolutionError",
    )


LIVE = ("ringing", "in-progress")
# Calls per page of a list.
PAGE = 500
# The newest N entries of what was dialled or sent lately are read.
NEWEST = 200


def instant(told: Any) -> datetime | None:
    return told if isinstance(told, datetime) else None


def legs_of(found: list[Any]) -> list[ProviderLeg]:
    legs = []
    for leg in found:
        since = leg.start_time or leg.date_created
        if isinstance(since, datetime):
            legs.append(
                ProviderLeg(
                    str(leg.sid),
                    str(leg.status),
                    str(leg.direction),
                    str(leg.to),
                    str(getattr(leg, "_from", "") or ""),
                    since,
                    leg.parent_call_sid,
                    instant(leg.end_time),
                )
            )
    return legs


def _came(message: Any) -> Came:
    fields = {
        "MessageSid": str(message.sid),
        "From": str(message.from_ or ""),
        "To": str(message.to or ""),
        "Body": str(message.body or ""),
        "NumMedia": str(message.num_media or "0"),
    }
    return Came(str(message.sid), message.date_created, fields)


class OwnNumber(NamedTuple):
    """A number of the account: the provider's id, and the address that its calls ask."""

    sid: str
    voice_url: str


class Provider:
    """Our requests to the telephony provider that are the same on every platform.

    What differs is in `app/telephony/platforms`: `platforms/base.py` has the whole contract.
    """

    # The ending of the files of recordings, and their media type.
    recordings = ("mp3", "audio/mpeg")

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def abilities(self) -> Abilities:
        """What this platform can do."""
        return self.settings.abilities

    @cached_property
    def client(self) -> Client:
        """The client of the provider's library. Raises Refused without an account."""
        settings = self.settings
        if not settings.twilio_account_sid or not settings.twilio_auth_token:
            raise Refused("HELPLINE_TWILIO_ACCOUNT_SID and _AUTH_TOKEN are not set")
        user, password = settings.twilio_account_sid, settings.twilio_auth_token
        if settings.twilio_api_key_sid and settings.twilio_api_key_secret:
            user, password = settings.twilio_api_key_sid, settings.twilio_api_key_secret
        return Client(
            user,
            password,
            settings.twilio_account_sid,
            http_client=_Http(settings.twilio_api_base_url, settings.twilio_timeout),
        )

    async def ask(self, question: Callable[[Client], T]) -> T:
        """Run one blocking request in a thread. Raises TryAgain, Uncertain, Refused."""
        client = self.client
        try:
            return await asyncio.to_thread(question, client)
        except TwilioRestException as error:
            kind = Uncertain if error.status >= 500 else Refused
            raise kind("refused", status=error.status, code=error.code or 0) from None
        except TwilioException as error:
            # A list that is refused says so only by the response.
            status = next((a.status_code for a in error.args if isinstance(a, Response)), 0)
            what = "refused" if status else type(error).__name__
            raise Uncertain(what, status=status) from None

    # The rules by which a platform repeats a request, as the fragment of an address.
    document_again = ""
    callback_again = ""

    def document_address(self, path: str) -> str:
        """Return the absolute address of a document of ours."""
        return public(self.settings, path) + self.document_again

    def callback(self, path: str) -> str:
        """Return the absolute address of a callback."""
        return public(self.settings, path) + self.callback_again

    async def move(self, sid: str, document: str) -> None:
        """Send a live call to a document of ours."""
        url = self.document_address(document)
        await self.ask(lambda c: c.calls(sid).update(url=url, method="POST"))

    async def end(self, sid: str) -> None:
        """End a leg in any state; a leg that has ended already is no error."""
        try:
            await self.ask(lambda c: c.calls(sid).update(status="completed"))
        except Refused as error:
            if error.code != NOT_IN_PROGRESS and error.status != 404:
                raise

    async def fetch_call(self, sid: str) -> ProviderCall | None:
        """Return what the provider knows of a call; None if it does not know the call."""
        try:
            call = await self.ask(lambda c: c.calls(sid).fetch())
        except Refused as error:
            if error.status == 404:
                return None
            raise
        began_at, ended_at = instant(call.start_time), instant(call.end_time)
        return ProviderCall(str(call.status), began_at, ended_at)

    async def dialled_by(self, sid: str) -> list[ProviderLeg]:
        """Return the legs that a leg's documents dialled lately, the newest first."""

        def ask(client: Client) -> list[ProviderLeg]:
            newest = legs_of(client.calls.list(limit=NEWEST, page_size=NEWEST))
            return [leg for leg in newest if leg.parent == sid]

        return await self.ask(ask)

    async def send_message(self, *, to: str, from_: str, body: str, told: str) -> str:
        """Send an SMS."""
        url = self.callback(told)

        def ask(client: Client) -> str:
            message = client.messages.create(to=to, from_=from_, body=body, status_callback=url)
            return str(message.sid)

        return await self.ask(ask)

    async def send_template(self, *, to: str, from_: str, template: str, told: str) -> str:
        """Send a text that was approved before, by the provider's id of it."""
        url = self.callback(told)

        def ask(client: Client) -> str:
            message = client.messages.create(
                to=to, from_=from_, content_sid=template, status_callback=url
            )
            return str(message.sid)

        return await self.ask(ask)

    async def texts_to(self, address: str, since: datetime) -> list[Came]:
        """Return the texts that came to an address of ours since then."""

        def ask(client: Client) -> list[Came]:
            found = client.messages.list(to=address, date_sent_after=since, limit=NEWEST)
            return [
                _came(one)
                for one in found
                if one.direction == "inbound" and one.to == address and instant(one.date_created)
            ]

        return await self.ask(ask)

    async def numbers(self) -> dict[str, OwnNumber]:
        """Return the account's own numbers, and what the provider keeps of each."""
        found = await self.ask(lambda c: c.incoming_phone_numbers.list(limit=1000))
        return {
            str(one.phone_number): OwnNumber(str(one.sid), str(one.voice_url or ""))
            for one in found
        }

    async def caller_ids(self) -> set[str]:
        """Return numbers not of this account that it may show to those it rings."""
        found = await self.ask(lambda c: c.outgoing_caller_ids.list(limit=1000))
        return {str(one.phone_number) for one in found}

    async def point_number(
        self, sid: str, *, voice: str, fallback: str, status: str, sms: str
    ) -> None:
        """Set the addresses of a number.

        Calls would go to an application or trunk that the number is bound to, so unbind it.
        """
        await self.ask(
            lambda c: c.incoming_phone_numbers(sid).update(
                voice_url=voice,
                voice_method="POST",
                voice_fallback_url=fallback,
                voice_fallback_method="POST",
                status_callback=status,
                status_callback_method="POST",
                sms_url=sms,
                sms_method="POST",
                voice_application_sid="",
                trunk_sid="",
            )
        )

    async def set_queue_size(self, name: str, size: int) -> None:
        """Set how many callers a queue takes; create the queue if it is not there yet."""

        def ask(client: Client) -> None:
            known = [q for q in client.queues.list(limit=1000) if q.friendly_name == name]
            if known:
                client.queues(str(known[0].sid)).update(max_size=size)
            else:
                client.queues.create(friendly_name=name, max_size=size)

        await self.ask(ask)

    async def keep_flow(self, name: str, definition: dict[str, Any]) -> str:
        """Create or change a flow at the provider. Return the address to point a number at."""

        def ask(client: Client) -> str:
            flows = client.studio.v2.flows
            known = [flow for flow in flows.list(limit=1000) if flow.friendly_name == name]
            if known:
                kept = client.studio.v2.flows(str(known[0].sid)).update(
                    status="published", definition=definition
                )
            else:
                kept = flows.create(friendly_name=name, status="published", definition=definition)
            return str(kept.webhook_url)

        return await self.ask(ask)

    async def fetch_recording(self, recording_sid: str) -> tuple[bytes, str]:
        """Return the audio of a recording and its media type.

        Raises TryAgain while it is not there yet.
        """
        client, settings = self.client, self.settings
        ending, kind = self.recordings
        path = f"/Accounts/{settings.twilio_account_sid}/Recordings/{recording_sid}.{ending}"
        base = (settings.twilio_api_base_url or _API).rstrip("/")
        try:
            # Somleng redirects to where it keeps files; our password is not sent there.
            audio = await fetch(
                settings,
                f"{base}/2010-04-01{path}",
                _LONGEST_RECORDING,
                auth=(client.username, client.password),
                redirects=1,
                own=settings.twilio_api_base_url or "",
            )
        except RequestFailed as error:
            raise TryAgain("the recording is not there", status=error.status, after=5) from None
        return audio, kind

    async def fetch_media(self, message_sid: str, media_sid: str, *, most: int) -> bytes:
        """Return a file that came with a text. Raises TryAgain, TooLong, Refused.

        The provider sends on to where it keeps files; our password is not sent there.
        """
        client, settings = self.client, self.settings
        base = (settings.twilio_api_base_url or _API).rstrip("/")
        path = f"/Messages/{message_sid}/Media/{media_sid}"
        return await fetch(
            settings,
            f"{base}/2010-04-01/Accounts/{settings.twilio_account_sid}{path}",
            most,
            auth=(client.username, client.password),
            redirects=3,
        )

    async def delete_media(self, message_sid: str, media_sid: str) -> None:
        """Delete a file that came with a text. Raises TryAgain, Uncertain, Refused."""

        def ask(client: Client) -> object:
            return client.messages(message_sid).media(media_sid).delete()

        await self.ask(ask)

    async def calls_with(self, number: str) -> list[Copy]:
        """Return what the provider has of all calls from and to a number."""

        def ask(client: Client) -> list[Copy]:
            found = [*client.calls.list(from_=number), *client.calls.list(to=number)]
            known = {str(call.sid): call.date_created for call in found}
            return [Copy(CopyKind.CALL, sid, at) for sid, at in known.items()]

        return await self.ask(ask)

    async def copies_of_call(self, sid: str) -> list[Copy]:
        """Return the legs that the provider made for a call, and the recordings of all of it."""

        def ask(client: Client) -> list[Copy]:
            legs = client.calls.list(parent_call_sid=sid)
            found = [Copy(CopyKind.CALL, str(leg.sid), leg.date_created, sid) for leg in legs]
            for one in (sid, *(leg.sid for leg in found)):
                found += [
                    Copy(CopyKind.RECORDING, str(row.sid), row.date_created, sid)
                    for row in client.recordings.list(call_sid=one)
                ]
            return found

        return await self.ask(ask)

    async def messages_with(self, number: str) -> list[Copy]:
        """Return what the provider has of all texts from and to an address: a number, for WhatsApp
        with `whatsapp:` before it."""

        def ask(client: Client) -> list[Copy]:
            found = [*client.messages.list(from_=number), *client.messages.list(to=number)]
            known = {str(message.sid): message.date_created for message in found}
            return [Copy(CopyKind.MESSAGE, sid, at) for sid, at in known.items()]

        return await self.ask(ask)

    async def delete_copy(self, kind: CopyKind, sid: str) -> None:
        """Delete the provider's record of a call, a recording or a message.

        Raises Refused: with 404 if there is none, with 409 while it is in use. Raises TryAgain and
        Uncertain.
        """

        def ask(client: Client) -> object:
            match kind:
                case CopyKind.CALL:
                    return client.calls(sid).delete()
                case CopyKind.RECORDING:
                    return client.recordings(sid).delete()
                case CopyKind.MESSAGE:
                    return client.messages(sid).delete()

        await self.ask(ask)

    async def delete_recording(self, recording_sid: str) -> None:
        """Delete a recording at the provider; one that is gone already is no error."""
        try:
            await self.ask(lambda c: c.recordings(recording_sid).delete())
        except Refused as error:
            if error.status != 404:
                raise
