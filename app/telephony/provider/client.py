"""The provider's REST API: the `twilio` client, with the base address of the settings.

Errors are told apart by what may be done next. `TryAgain`: the request was certainly not carried
out and may be sent again. `Uncertain`: it may have been carried out, so ask the provider.
`Refused`: the provider understood it and will not carry it out.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from app.settings import Settings
from app.telephony.provider.urls import callback, document_address

T = TypeVar("T")

# The provider's code for "the call is not in progress": a success when we end a call.
NOT_IN_PROGRESS = 21220
LEG_EVENTS = ["initiated", "ringing", "answered", "completed"]


class ProviderError(Exception):
    """An error at the provider. It carries a status and a code, never a telephone number."""

    def __init__(self, what: str, *, status: int = 0, code: int = 0, after: float = 0) -> None:
        super().__init__(f"{what} (status {status}, code {code})")
        self.status, self.code, self.after = status, code, after


class TryAgain(ProviderError):
    """The request was certainly not carried out. `after` is the wait asked for, in seconds."""


class Uncertain(ProviderError):
    """The request may or may not have been carried out."""


class Refused(ProviderError):
    """The request was understood and will not be carried out."""


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


_LIVE = ("ringing", "in-progress")
# Calls per page of a list.
_PAGE = 500
# No call is longer than this.
_LONGEST_CALL = timedelta(hours=24)
# Where lists ignore filters, the newest N entries are read.
_NEWEST = 200


def _begun(message: Any) -> Any:
    return message.date_sent or message.date_created


def _instant(told: Any) -> datetime | None:
    return told if isinstance(told, datetime) else None


def _legs(found: list[Any]) -> list[ProviderLeg]:
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
                    _instant(leg.end_time),
                )
            )
    return legs


def _until_older(found: Any, since: datetime) -> Iterator[Any]:
    """Yield the calls of a list, newest first, as long as one can have ended after `since`."""
    for call in found:
        began = _instant(call.date_created)
        if began is not None and began < since - _LONGEST_CALL:
            return
        yield call


class Provider:
    """Our requests to the telephony provider, a method for each."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _client(self) -> Client:
        settings = self._settings
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

    async def _ask(self, question: Callable[[Client], T]) -> T:
        """Run one blocking request in a thread. Raises TryAgain, Uncertain, Refused."""
        client = self._client
        try:
            return await asyncio.to_thread(question, client)
        except TwilioRestException as error:
            kind = Uncertain if error.status >= 500 else Refused
            raise kind("refused", status=error.status, code=error.code or 0) from None
        except TwilioException as error:
            raise Uncertain(type(error).__name__) from None

    async def ring_leg(
        self,
        *,
        to: str,
        from_: str,
        document: str,
        told: str,
        seconds: int,
        tell_machines: bool = False,
    ) -> str:
        """Ring an address; the phone that answers hears a document of ours. Return the leg's id.

        `tell_machines`: the document is told whether a person or a machine has answered.
        """
        s = self._settings
        more: dict[str, Any] = {}
        if s.has_conferences:
            more = {"status_callback_event": LEG_EVENTS, "timeout": seconds}
            more |= {"machine_detection": "Enable"} if tell_machines else {}

        def ask(client: Client) -> str:
            leg = client.calls.create(
                to=to,
                from_=from_,
                url=document_address(s, document),
                method="POST",
                status_callback=callback(s, told),
                **more,
            )
            return str(leg.sid)

        return await self._ask(ask)

    async def add_participant(
        self,
        conference: str,
        *,
        to: str,
        from_: str,
        label: str,
        told: str,
        conference_told: str,
        hold: str,
        seconds: int,
        muted: bool = False,
        coach: str | None = None,
        ends: bool = False,
        heard: str | None = None,
    ) -> str:
        """Ring a participant straight into a conference. Return the id of their leg.

        `coach`: the only leg that hears them. `ends`: when they leave, the conference is over for
        all. `heard`: the path that is told whether a person or a machine answered; the talk begins
        before that.
        """
        s = self._settings
        more: dict[str, Any] = {"coaching": True, "call_sid_to_coach": coach} if coach else {}
        if heard is not None:
            more |= {"machine_detection": "Enable", "amd_status_callback": callback(s, heard)}

        def ask(client: Client) -> str:
            participant = client.conferences(conference).participants.create(
                to=to,
                from_=from_,
                label=label,
                timeout=seconds,
                muted=muted,
                beep="false",
                early_media=False,
                start_conference_on_enter=True,
                end_conference_on_exit=ends,
                wait_url=document_address(s, hold),
                status_callback=callback(s, told),
                status_callback_event=LEG_EVENTS,
                conference_status_callback=callback(s, conference_told),
                conference_status_callback_event=["start", "end", "join", "leave", "hold", "mute"],
                **more,
            )
            return str(participant.call_sid)

        return await self._ask(ask)

    async def move_call(self, sid: str, document: str) -> None:
        """Send a live call to a document of ours."""
        url = document_address(self._settings, document)
        await self._ask(lambda c: c.calls(sid).update(url=url, method="POST"))

    async def end_leg(self, sid: str) -> None:
        """End a leg in any state; a leg that has ended already is no error."""
        try:
            await self._ask(lambda c: c.calls(sid).update(status="completed"))
        except Refused as error:
            if error.code != NOT_IN_PROGRESS and error.status != 404:
                raise

    async def set_hold(self, conference_sid: str, sid: str, *, held: bool, music: str) -> None:
        """Hold a participant, or resume."""
        url = document_address(self._settings, music)
        await self._ask(
            lambda c: (
                c.conferences(conference_sid)
                .participants(sid)
                .update(hold=held, hold_url=url, hold_method="POST")
            )
        )

    async def set_part(
        self, conference_sid: str, sid: str, *, muted: bool, coach: str | None = None
    ) -> None:
        """Set whether a participant in a conference is heard by all, by one leg, or not at all."""
        coaching = {"coaching": coach is not None}
        if coach is not None:
            coaching["call_sid_to_coach"] = coach  # type: ignore[assignment]
        await self._ask(
            lambda c: (
                c.conferences(conference_sid).participants(sid).update(muted=muted, **coaching)
            )
        )

    async def set_end_on_exit(self, conference_sid: str, sid: str, *, ends: bool) -> None:
        """Set whether a conference ends for all when this participant leaves."""
        await self._ask(
            lambda c: (
                c.conferences(conference_sid).participants(sid).update(end_conference_on_exit=ends)
            )
        )

    async def is_held(self, conference_sid: str, sid: str) -> bool:
        """Return whether a participant is on hold."""
        found = await self._ask(lambda c: c.conferences(conference_sid).participants(sid).fetch())
        return bool(found.hold)

    async def fetch_call(self, sid: str) -> ProviderCall | None:
        """Return what the provider knows of a call; None if it does not know the call."""
        try:
            call = await self._ask(lambda c: c.calls(sid).fetch())
        except Refused as error:
            if error.status == 404:
                return None
            raise
        began_at, ended_at = _instant(call.start_time), _instant(call.end_time)
        return ProviderCall(str(call.status), began_at, ended_at)

    async def live_legs(self) -> list[ProviderLeg]:
        """Return all legs that ring or talk on our account now, the newest thousand of each."""

        def ask(client: Client) -> list[ProviderLeg]:
            if not self._settings.has_conferences:
                # The lists of such a platform hold all calls, the newest first.
                newest = _legs(client.calls.list(limit=1000, page_size=1000))
                return [leg for leg in newest if leg.status in _LIVE]
            return [
                leg
                for status in _LIVE
                for leg in _legs(client.calls.list(status=status, limit=1000, page_size=1000))
            ]

        return await self._ask(ask)

    async def ended_rings(self, since: datetime, until: datetime) -> list[ProviderLeg]:
        """Return the inbound legs that ended in `[since, until]`, all pages of them."""

        def ask(client: Client) -> list[ProviderLeg]:
            if self._settings.has_conferences:
                found = client.calls.stream(
                    end_time_after=since, end_time_before=until, page_size=_PAGE
                )
            else:
                # The lists of such a platform ignore filters; the newest calls come first.
                found = _until_older(client.calls.stream(page_size=_PAGE), since)
            return [
                leg
                for leg in _legs(list(found))
                if leg.direction == "inbound"
                and leg.ended_at is not None
                and since <= leg.ended_at <= until
            ]

        return await self._ask(ask)

    async def find_leg(self, *, to: str, since: datetime, known: set[str]) -> str | None:
        """Return the one unknown leg to an address since then, by id; None if not exactly one."""

        def ask(client: Client) -> list[ProviderLeg]:
            if self._settings.has_conferences:
                return _legs(client.calls.list(to=to, start_time_after=since, limit=20))
            # The lists of such a platform ignore filters.
            newest = _legs(client.calls.list(limit=_NEWEST, page_size=_NEWEST))
            return [
                leg
                for leg in newest
                if leg.to == to and leg.direction == "outbound-api" and leg.since >= since
            ]

        sids = [leg.sid for leg in await self._ask(ask) if leg.sid not in known]
        return sids[0] if len(sids) == 1 else None

    async def dialled_by(self, sid: str) -> list[ProviderLeg]:
        """Return the legs that a leg's documents dialled lately, the newest first."""

        def ask(client: Client) -> list[ProviderLeg]:
            newest = _legs(client.calls.list(limit=_NEWEST, page_size=_NEWEST))
            return [leg for leg in newest if leg.parent == sid]

        return await self._ask(ask)

    async def send_message(self, *, to: str, from_: str, body: str, told: str) -> str:
        """Send an SMS."""
        url = callback(self._settings, told)

        def ask(client: Client) -> str:
            message = client.messages.create(to=to, from_=from_, body=body, status_callback=url)
            return str(message.sid)

        return await self._ask(ask)

    async def find_message(self, *, to: str, since: datetime, known: set[str]) -> str | None:
        """Return the one unknown SMS to a number since then, by id; None if not exactly one."""

        def ask(client: Client) -> list[str]:
            if self._settings.has_conferences:
                found = client.messages.list(to=to, date_sent_after=since, limit=20)
            else:
                newest = client.messages.list(limit=_NEWEST, page_size=_NEWEST)
                found = [
                    one for one in newest if one.to == to and _begun(one) and _begun(one) >= since
                ]
            return [str(one.sid) for one in found if str(one.sid) not in known]

        sids = await self._ask(ask)
        return sids[0] if len(sids) == 1 else None

    async def find_conference(self, name: str) -> str | None:
        """Return the id of the live conference of that name, even if only one person is in it."""
        found = await self._ask(lambda c: c.conferences.list(friendly_name=name, limit=20))
        return next((str(c.sid) for c in found if c.status != "completed"), None)

    async def participants(self, conference_sid: str) -> dict[str, str]:
        """Return the legs in a conference, ids with labels; without those that are still rung."""
        found = await self._ask(lambda c: c.conferences(conference_sid).participants.list(limit=50))
        return {str(p.call_sid): str(p.label or "") for p in found if p.status == "connected"}

    async def numbers(self) -> dict[str, str]:
        """Return the account's own numbers, with the provider's ids of them."""
        found = await self._ask(lambda c: c.incoming_phone_numbers.list(limit=1000))
        return {str(one.phone_number): str(one.sid) for one in found}

    async def caller_ids(self) -> set[str]:
        """Return numbers not of this account that it may show to those it rings."""
        found = await self._ask(lambda c: c.outgoing_caller_ids.list(limit=1000))
        return {str(one.phone_number) for one in found}

    async def point_number(
        self, sid: str, *, voice: str, fallback: str, status: str, sms: str
    ) -> None:
        """Set the addresses of a number.

        Calls would go to an application or trunk that the number is bound to, so unbind it.
        """
        await self._ask(
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

        await self._ask(ask)

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

        return await self._ask(ask)

    async def fetch_recording(self, recording_sid: str) -> tuple[bytes, str]:
        """Return the audio of a recording and its media type.

        Raises TryAgain while it is not there yet.
        """
        client = self._client
        account = self._settings.twilio_account_sid
        ending, kind = (
            ("mp3", "audio/mpeg") if self._settings.has_conferences else ("wav", "audio/wav")
        )
        path = f"/2010-04-01/Accounts/{account}/Recordings/{recording_sid}.{ending}"
        base = self._settings.twilio_api_base_url or "https://api.twilio.com"

        def ask() -> tuple[bytes, str]:
            # Somleng redirects to where it keeps files; our password is not sent there.
            answer = requests.get(
                base.rstrip("/") + path,
                auth=(client.username, client.password),
                timeout=self._settings.twilio_timeout,
            )
            if answer.status_code != 200:
                raise TryAgain("the recording is not there", status=answer.status_code, after=5)
            return answer.content, kind

        try:
            return await asyncio.to_thread(ask)
        except requests.exceptions.RequestException:
            raise TryAgain("the recording could not be fetched", after=5) from None

    async def delete_recording(self, recording_sid: str) -> bool:
        """Delete a recording at the provider; one that is gone already is no error.

        Return False where the platform cannot: the recording must be deleted there by hand.
        """
        if not self._settings.has_conferences:
            return False
        try:
            await self._ask(lambda c: c.recordings(recording_sid).delete())
        except Refused as error:
            if error.status != 404:
                raise
        return True
