"""The REST interface: the resources that the SDK calls, with the provider's codes and bodies."""

import asyncio
import base64
import io
import json
import re
import wave
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from app.practice.account import Account
from app.practice.exchange import Exchange
from app.practice.interpreter import LONGEST_LEG, Interpreter
from app.practice.legs import Leg
from app.practice.parties import Phone
from app.practice.refusal import RestError
from app.practice.rooms import Conference, Message, Participant, Recording
from app.practice.wire import read_overrides, rfc2822

_ADDRESSES = frozenset(
    "Url StatusCallback ConferenceStatusCallback WaitUrl HoldUrl AmdStatusCallback VoiceUrl "
    "VoiceFallbackUrl SmsUrl".split()
)
_ROOT = "/2010-04-01/Accounts/{account}"
# How long the exchange listens before it reports who answered, in seconds.
_DETECTING = 2.0
# The smallest MP3 there is: one silent frame, MPEG-1 layer III, 128 kbit/s, 44.1 kHz.
SILENT_MP3 = (b"\xff\xfb\x90\x00" + b"\x00" * 413) * 4


def _silent_wav() -> bytes:
    """Return a tenth of a second of silence: 8 kHz, 16 bit, one channel."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x00\x00" * 800)
    return made.getvalue()


SILENT_WAV = _silent_wav()


def rest_app(exchange: Exchange) -> Starlette:
    """Return the interface as an application, to be served over real HTTP."""
    face = _Face(exchange)
    calls, one_call = f"{_ROOT}/Calls.json", f"{_ROOT}/Calls/{{sid}}.json"
    conferences, one_conference = f"{_ROOT}/Conferences.json", f"{_ROOT}/Conferences/{{name}}.json"
    participants = f"{_ROOT}/Conferences/{{name}}/Participants.json"
    one_participant = f"{_ROOT}/Conferences/{{name}}/Participants/{{sid}}.json"
    recording = f"{_ROOT}/Recordings/{{sid}}"
    routes = [
        (calls, face.create_call, ["POST"]),
        (calls, face.list_calls, ["GET"]),
        (one_call, face.fetch_call, ["GET"]),
        (one_call, face.update_call, ["POST"]),
        (f"{_ROOT}/Messages.json", face.create_message, ["POST"]),
        (f"{_ROOT}/Messages.json", face.list_messages, ["GET"]),
        (f"{_ROOT}/Messages/{{sid}}.json", face.fetch_message, ["GET"]),
        (f"{recording}.json", face.fetch_recording, ["GET"]),
    ]
    if exchange.profile.rooms:
        routes += [
            (one_call, face.delete_call, ["DELETE"]),
            (conferences, face.list_conferences, ["GET"]),
            (one_conference, face.fetch_conference, ["GET"]),
            (one_conference, face.update_conference, ["POST"]),
            (participants, face.add_participant, ["POST"]),
            (participants, face.list_participants, ["GET"]),
            (one_participant, face.participant, ["GET"]),
            (one_participant, face.update_participant, ["POST"]),
            (one_participant, face.remove_participant, ["DELETE"]),
            (f"{recording}.json", face.delete_recording, ["DELETE"]),
            (f"{recording}.mp3", face.audio, ["GET"]),
        ]
    else:
        everything = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        routes += [
            (f"{recording}.wav", face.where_audio_is, ["GET"]),
            (f"{_ROOT}/{{rest:path}}", face.unknown, everything),
        ]
    routes[:0] = Account(exchange).routes()
    served = [Route(path, face.guarded(f), methods=methods) for path, f, methods in routes]
    if not exchange.profile.rooms:
        served.append(Route("/storage/{sid}", face.stored_audio))
    return Starlette(routes=served)


class _Face:
    def __init__(self, exchange: Exchange) -> None:
        self._x = exchange
        self._base = f"/2010-04-01/Accounts/{exchange.account_sid}"

    # -- every request --------------------------------------------------------------------

    def guarded(self, handler: Any) -> Any:
        """Wrap a handler: authentication, the knobs, and errors in the provider's form."""

        async def endpoint(request: Request) -> Response:
            x, what = self._x, f"{request.method} {request.url.path}"
            try:
                self._authenticate(request)
                if x.knobs.fires("refuse", what):
                    refusal = RestError(429, 20429, "Too Many Requests").response
                    refusal.headers["Retry-After"] = "1"
                    return refusal
                if x.knobs.fires("fail", what):
                    raise RestError(500, 20500, "Internal Server Error")
                silent = x.knobs.fires("accept_and_time_out", what)
                response: Response = await handler(request)
            except RestError as error:
                response, silent = error.response, None
            await self._note(request, response)
            if silent is not None:
                # Carried out; the answer comes after the client has given up.
                await asyncio.sleep(silent.seconds or 1.0)
            return response

        return endpoint

    async def _note(self, request: Request, response: Response) -> None:
        if not self._x.sender.keep_sent:
            return
        form = await request.form()
        fields = {name: [str(v) for v in form.getlist(name)] for name in form}
        kind = response.headers.get("content-type", "")
        body = json.loads(bytes(response.body)) if kind == "application/json" else None
        path = request.url.path
        self._x.asked.append((request.method, path, fields, response.status_code, body))

    def _authenticate(self, request: Request) -> None:
        given = request.headers.get("authorization", "").removeprefix("Basic ")
        try:
            user, _, password = base64.b64decode(given).decode().partition(":")
        except ValueError:
            user = password = ""
        known = {self._x.account_sid: self._x.auth_token, **self._x.api_keys}
        mine = request.path_params.get("account", self._x.account_sid) == self._x.account_sid
        if not mine or known.get(user) != password:
            raise RestError(401, 20003, "Authenticate")

    def _leg(self, request: Request) -> Leg:
        leg = self._x.legs.get(request.path_params["sid"])
        if leg is None:
            raise RestError(404, 20404, "The requested resource was not found")
        return leg

    async def _form(self, request: Request, *required: str) -> dict[str, list[str]]:
        form = await request.form()
        fields = {name: [str(v) for v in form.getlist(name)] for name in form}
        for name in required:
            if not fields.get(name, [""])[0]:
                code = {"To": 21201, "From": 21213}.get(name, 21205)
                raise RestError(400, code, f"No '{name}' is specified")
        for name, values in fields.items():
            if name in _ADDRESSES and values[0]:
                self._check_url(name, values[0])
        return fields

    def _check_known(self, fields: dict[str, list[str]], known: frozenset[str] | None) -> None:
        unknown = set(fields) - known if known is not None else set()
        if unknown:
            self._x.faults.append(f"{self._x.profile.name} does not know {sorted(unknown)}")
            raise RestError(400, 20001, f"Unknown parameters: {', '.join(sorted(unknown))}")

    def _check_url(self, name: str, value: str) -> None:
        try:
            read_overrides(value)
            if "#" in value and not self._x.profile.second_chances:
                raise ValueError("a fragment that the platform ignores")
        except ValueError as error:
            self._x.faults.append(f"{name}: {error}")
            raise RestError(400, 21205, f"{name} is not a valid URL") from None

    # -- calls ----------------------------------------------------------------------------

    async def create_call(self, request: Request) -> Response:
        fields = await self._form(request, "To", "From")
        self._check_known(fields, self._x.profile.creates)
        if "Url" not in fields and "Twiml" not in fields:
            raise RestError(400, 21205, "Url or Twiml is required")
        leg = self._new_leg(fields)
        detection = fields.get("MachineDetection", [""])[0]
        if detection not in ("", "Enable", "DetectMessageEnd"):
            raise RestError(400, 21205, "MachineDetection is not valid")

        async def lifted() -> None:
            more = []
            if detection:
                # The document is requested only once it is known who answered.
                await self._x.clock.sleep(_DETECTING)
                machine = isinstance(leg.party, Phone) and leg.party.machine
                leg.answered_by = "machine_start" if machine else "human"
                more = [("AnsweredBy", leg.answered_by)]
            if not leg.over:
                await Interpreter(self._x, leg).run(fields["Url"][0], more)

        self._x.ring_out(leg, lifted)
        return JSONResponse(self._call(leg), status_code=201)

    def _new_leg(self, fields: dict[str, list[str]]) -> Leg:
        to, from_ = fields["To"][0], fields["From"][0]
        # For a SIP call, the caller's name may be anything that a SIP user name may be.
        named = to.startswith("sip") and re.fullmatch(r"[A-Za-z0-9+_.-]+", from_)
        if from_ not in self._x.numbers and not from_.startswith("client:") and not named:
            raise RestError(400, 21210, "The source phone number is not yet verified")
        known = ("+", "client:", "sip:", "sips:") if self._x.profile.rooms else ("+",)
        if not to.startswith(known):
            raise RestError(400, 21211, "The 'To' phone number is not a valid number")
        events = fields.get("StatusCallbackEvent", ["completed"])
        unknown = set(events) - {"initiated", "ringing", "answered", "completed"}
        if unknown:
            self._x.faults.append(f"21626: unknown status callback events {sorted(unknown)}")
            raise RestError(400, 21626, "Invalid StatusCallbackEvent")
        timeout = int(fields.get("Timeout", ["60"])[0])
        if not 5 <= timeout <= 600:
            raise RestError(400, 21216, "Timeout is out of range")
        leg = Leg(
            sid=self._x.sids.new("CA"),
            account=self._x.account_sid,
            from_=from_,
            to=to,
            direction="outbound-api",
            party=self._x.phone_at(to),
            created_at=self._x.clock.now(),
            status_callback=fields.get("StatusCallback", [""])[0] or None,
            status_events=frozenset(events),
            fallback_url=fields.get("FallbackUrl", [""])[0] or None,
            timeout=float(timeout),
        )
        return leg

    async def list_calls(self, request: Request) -> Response:
        query = request.query_params if self._x.profile.filters else {}
        legs = [
            leg
            for leg in self._x.legs.values()
            if query.get("To") in (None, leg.to)
            and query.get("From") in (None, leg.from_)
            and query.get("Status") in (None, leg.status)
            and self._since(query.get("StartTime>"), leg.created_at)
            and self._since(query.get("EndTime>"), leg.ended_at)
            and self._before(query.get("EndTime<"), leg.ended_at)
        ]
        legs.sort(key=lambda leg: leg.created_at, reverse=True)
        return self._page(request, "calls", [self._call(leg) for leg in legs])

    @staticmethod
    def _since(wanted: str | None, at: datetime | None) -> bool:
        if not wanted:
            return True
        return at is not None and at >= datetime.fromisoformat(wanted.replace("Z", "+00:00"))

    @staticmethod
    def _before(wanted: str | None, at: datetime | None) -> bool:
        if not wanted:
            return True
        return at is not None and at <= datetime.fromisoformat(wanted.replace("Z", "+00:00"))

    async def fetch_call(self, request: Request) -> Response:
        return JSONResponse(self._call(self._leg(request)))

    async def update_call(self, request: Request) -> Response:
        leg, fields = self._leg(request), await self._form(request)
        self._check_known(fields, self._x.profile.updates)
        status, url = fields.get("Status", [""])[0], fields.get("Url", [""])[0]
        if status and status not in ("canceled", "completed"):
            raise RestError(400, 21218, "Invalid Status")
        if leg.over:
            raise RestError(400, 21220, "Call is not in-progress. Cannot redirect.")
        if status:
            over = "completed" if leg.answered_at else "canceled"
            await self._x.end_leg(leg, over, "api")
        elif url:
            if leg.status != "in-progress":
                raise RestError(400, 21220, "Call is not in-progress. Cannot redirect.")
            self._x.spawn(self._x.redirect(leg, url))
        return JSONResponse(self._call(leg))

    async def delete_call(self, request: Request) -> Response:
        leg = self._leg(request)
        if not leg.over:
            raise RestError(409, 20009, "Call is in progress")
        del self._x.legs[leg.sid]
        return Response(status_code=204)

    # -- conferences ----------------------------------------------------------------------

    def _conference(self, request: Request) -> Conference:
        conference = self._x.conferences.find(request.path_params["name"])
        if conference is None:
            raise RestError(404, 20404, "The requested resource was not found")
        return conference

    async def list_conferences(self, request: Request) -> Response:
        query = request.query_params
        found = [
            self._as_conference(c)
            for c in self._x.conferences.all.values()
            if query.get("FriendlyName") in (None, c.name)
            and query.get("Status") in (None, c.status)
        ]
        return self._page(request, "conferences", found)

    async def fetch_conference(self, request: Request) -> Response:
        return JSONResponse(self._as_conference(self._conference(request)))

    async def update_conference(self, request: Request) -> Response:
        conference, fields = self._conference(request), await self._form(request)
        if fields.get("Status", [""])[0] == "completed":
            self._x.conferences.end(conference, "conference-ended-via-api")
        return JSONResponse(self._as_conference(conference))

    async def add_participant(self, request: Request) -> Response:
        fields = await self._form(request, "To", "From")
        name = request.path_params["name"]
        leg = self._new_leg(fields)
        leg.label = fields.get("Label", [""])[0]
        callback = fields.get("ConferenceStatusCallback", [""])[0] or None
        events = frozenset(fields.get("ConferenceStatusCallbackEvent", ["start", "end"]))
        conference = self._x.conferences.open(name, callback, events)
        self._x.conferences.connect(conference, leg)
        detection = self._detection(fields)

        async def never_answered() -> None:
            self._x.conferences.add_failed(conference, leg)

        async def hung_up() -> None:
            self._x.conferences.leave(leg, "participant_hung_up")

        async def sent_elsewhere() -> None:
            self._x.conferences.leave(leg, "participant_updated_via_api")

        async def in_and_out() -> None:
            leg.on_hang_up.remove(never_answered)
            leg.on_hang_up.append(hung_up)
            leg.on_redirect.append(sent_elsewhere)
            if detection:
                self._x.spawn(self._tell_who_answered(leg, fields["AmdStatusCallback"][0]))
            await Interpreter(self._x, leg).confer(
                name,
                label=leg.label,
                starts=fields.get("StartConferenceOnEnter", ["true"])[0] == "true",
                ends=fields.get("EndConferenceOnExit", ["false"])[0] == "true",
                callback=callback,
                events=events,
                limit=float(fields.get("TimeLimit", [str(LONGEST_LEG)])[0]),
                wait_url=fields.get("WaitUrl", [""])[0],
                muted=fields.get("Muted", ["false"])[0] == "true",
                coaches=fields.get("CallSidToCoach", [""])[0] or None,
            )
            await self._x.end_leg(leg, "completed", "api")

        leg.on_hang_up.append(never_answered)
        self._x.ring_out(leg, in_and_out)
        body = self._participant_body(leg, conference.sid, "queued")
        return JSONResponse(body, status_code=201)

    def _detection(self, fields: dict[str, list[str]]) -> bool:
        """Return whether the exchange must report who answered, while the two already talk."""
        wanted = fields.get("MachineDetection", [""])[0]
        if wanted not in ("", "Enable", "DetectMessageEnd"):
            raise RestError(400, 21205, "MachineDetection is not valid")
        if wanted and not fields.get("AmdStatusCallback", [""])[0]:
            raise RestError(400, 21262, "MachineDetection needs a callback")
        return bool(wanted)

    async def _tell_who_answered(self, leg: Leg, url: str) -> None:
        await self._x.clock.sleep(_DETECTING)
        if leg.over:
            return
        machine = isinstance(leg.party, Phone) and leg.party.machine
        leg.answered_by = "machine_start" if machine else "human"
        told = [
            ("CallSid", leg.sid),
            ("AccountSid", leg.account),
            ("AnsweredBy", leg.answered_by),
            ("MachineDetectionDuration", str(int(_DETECTING * 1000))),
        ]
        self._x.call_back(url, told, "machine")

    def _participant(self, request: Request) -> tuple[Conference, Participant]:
        conference = self._conference(request)
        wanted = request.path_params["sid"]
        for participant in conference.participants.values():
            if wanted in (participant.leg.sid, participant.label):
                return conference, participant
        raise RestError(404, 20404, "The requested resource was not found")

    async def participant(self, request: Request) -> Response:
        conference, participant = self._participant(request)
        return JSONResponse(self._as_participant(conference, participant))

    async def list_participants(self, request: Request) -> Response:
        conference = self._conference(request)
        found = [self._as_participant(conference, p) for p in conference.participants.values()]
        # Legs that still ring are listed as well; only their status shows it.
        found += [
            self._participant_body(leg, conference.sid, leg.status)
            for leg in conference.connecting.values()
        ]
        return self._page(request, "participants", found)

    async def update_participant(self, request: Request) -> Response:
        fields = await self._form(request)
        conference, participant = self._participant(request)
        if "Muted" in fields or "Coaching" in fields:
            muted = fields.get("Muted", [str(participant.muted).lower()])[0] == "true"
            coaching = fields.get("Coaching", ["false"])[0] == "true"
            coached = fields.get("CallSidToCoach", [""])[0]
            if coaching and not coached:
                raise RestError(400, 20001, "Coaching needs CallSidToCoach")
            self._x.conferences.take_part(
                conference, participant, muted, coached if coaching else None
            )
        if "EndConferenceOnExit" in fields:
            participant.ends_on_exit = fields["EndConferenceOnExit"][0] == "true"
        hold = fields.get("Hold", [""])[0]
        if hold:
            self._x.conferences.hold(conference, participant, hold == "true")
            url = fields.get("HoldUrl", [""])[0]
            if hold == "true" and url and participant.wait_program is None:
                playing = Interpreter(self._x, participant.leg).play_to(url)
                participant.wait_program = self._x.spawn(playing)
        return JSONResponse(self._as_participant(conference, participant))

    async def remove_participant(self, request: Request) -> Response:
        _, participant = self._participant(request)
        self._x.conferences.leave(participant.leg, "participant_updated_via_api")
        return Response(status_code=204)

    # -- messages -------------------------------------------------------------------------

    async def create_message(self, request: Request) -> Response:
        fields = await self._form(request, "To", "From")
        body = fields.get("Body", [""])[0]
        if not body:
            raise RestError(400, 21602, "Message body is required")
        if len(body) > 1600:
            raise RestError(400, 21617, "The concatenated message body exceeds the 1600 limit")
        if fields["From"][0] not in self._x.numbers:
            raise RestError(400, 21606, "The 'From' number is not a valid message-capable number")
        if not fields["To"][0].startswith("+"):
            raise RestError(400, 21211, "The 'To' phone number is not a valid number")
        message = Message(
            sid=self._x.sids.new("SM"),
            to=fields["To"][0],
            from_=fields["From"][0],
            body=body,
            created_at=self._x.clock.now(),
            status_callback=fields.get("StatusCallback", [""])[0] or None,
        )
        self._x.send_message(message)
        return JSONResponse(self._message(message), status_code=201)

    async def list_messages(self, request: Request) -> Response:
        query = request.query_params if self._x.profile.filters else {}
        found = [
            self._message(m)
            for m in self._x.messages.values()
            if query.get("To") in (None, m.to) and self._since(query.get("DateSent>"), m.created_at)
        ]
        return self._page(request, "messages", found)

    async def fetch_message(self, request: Request) -> Response:
        message = self._x.messages.get(request.path_params["sid"])
        if message is None:
            raise RestError(404, 20404, "The requested resource was not found")
        return JSONResponse(self._message(message))

    def _message(self, m: Message) -> dict[str, Any]:
        return {
            "sid": m.sid,
            "account_sid": self._x.account_sid,
            "to": m.to,
            "from": m.from_,
            "body": m.body,
            "status": m.status,
            "direction": "outbound-api",
            "api_version": "2010-04-01",
            "date_created": rfc2822(m.created_at),
            "date_updated": rfc2822(m.created_at),
            "date_sent": rfc2822(m.created_at),
            "error_code": 30003 if m.status == "undelivered" else None,
            "error_message": None,
            "messaging_service_sid": None,
            "num_media": "0",
            "num_segments": str(-(-len(m.body) // 153)),
            "price": None,
            "price_unit": "USD",
            "uri": f"{self._base}/Messages/{m.sid}.json",
            "subresource_uris": {"media": f"{self._base}/Messages/{m.sid}/Media.json"},
        }

    # -- recordings -----------------------------------------------------------------------

    def _recording(self, request: Request) -> Recording:
        recording = self._x.recordings.get(request.path_params["sid"])
        if recording is None or recording.deleted:
            raise RestError(404, 20404, "The requested resource was not found")
        return recording

    async def fetch_recording(self, request: Request) -> Response:
        r = self._recording(request)
        return JSONResponse(
            {
                "sid": r.sid,
                "account_sid": self._x.account_sid,
                "call_sid": r.call_sid,
                "duration": str(r.seconds),
                "status": r.status,
                "source": "RecordVerb",
                "channels": 1,
                "date_created": rfc2822(r.created_at),
                "uri": f"{self._base}/Recordings/{r.sid}.json",
            }
        )

    async def delete_recording(self, request: Request) -> Response:
        self._recording(request).deleted = True
        return Response(status_code=204)

    async def audio(self, request: Request) -> Response:
        self._there(request)
        return Response(SILENT_MP3, media_type="audio/mpeg")

    def _there(self, request: Request) -> Recording:
        recording = self._recording(request)
        if recording.missing > 0:
            recording.missing -= 1
            raise RestError(404, 20404, "The requested resource was not found")
        return recording

    async def where_audio_is(self, request: Request) -> Response:
        """Redirect to the audio: Somleng keeps it elsewhere, where no login is needed."""
        return RedirectResponse(f"/storage/{self._there(request).sid}", 302)

    async def stored_audio(self, request: Request) -> Response:
        return Response(SILENT_WAV, media_type="audio/x-wav")

    async def unknown(self, request: Request) -> Response:
        """Refuse a resource that the platform does not have, and report the request."""
        what = f"{request.method} {request.url.path}"
        self._x.faults.append(f"{self._x.profile.name} does not have {what}")
        raise RestError(404, 20404, "The requested resource was not found")

    # -- bodies ---------------------------------------------------------------------------

    def _page(self, request: Request, name: str, items: list[dict[str, Any]]) -> Response:
        uri = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        size = int(request.query_params.get("PageSize", "50"))
        page = int(request.query_params.get("Page", "0"))
        shown = items[page * size : (page + 1) * size]
        more = len(items) > (page + 1) * size
        following = str(request.url.include_query_params(Page=page + 1)).partition("//")[2]
        return JSONResponse(
            {
                name: shown,
                "first_page_uri": uri,
                "next_page_uri": "/" + following.partition("/")[2] if more else None,
                "previous_page_uri": None,
                "uri": uri,
                "page": page,
                "page_size": size,
                "start": page * size,
                "end": page * size + max(0, len(shown) - 1),
            }
        )

    def _call(self, leg: Leg) -> dict[str, Any]:
        uri = f"{self._base}/Calls/{leg.sid}"
        status = "queued" if leg.status == "initiated" else leg.status
        # A platform without progress callbacks shows times only once the leg has ended.
        timed = self._x.profile.progress or leg.over
        return {
            "sid": leg.sid,
            "account_sid": leg.account,
            "to": leg.to,
            "from": leg.from_,
            "to_formatted": leg.to,
            "from_formatted": leg.from_,
            "status": status,
            "direction": leg.direction,
            "api_version": "2010-04-01",
            "answered_by": leg.answered_by,
            "date_created": rfc2822(leg.created_at),
            "date_updated": rfc2822(leg.created_at),
            "start_time": rfc2822(leg.answered_at) if leg.answered_at and timed else None,
            "end_time": rfc2822(leg.ended_at) if leg.ended_at else None,
            "duration": str(leg.seconds) if leg.ended_at else None,
            "price": None,
            "price_unit": "USD",
            "parent_call_sid": leg.parent,
            "phone_number_sid": None,
            "annotation": None,
            "group_sid": None,
            "forwarded_from": None,
            "caller_name": None,
            "queue_time": "0",
            "trunk_sid": None,
            "uri": f"{uri}.json",
            "subresource_uris": {"recordings": f"{uri}/Recordings.json"},
        }

    def _as_conference(self, c: Conference) -> dict[str, Any]:
        uri = f"{self._base}/Conferences/{c.sid}"
        return {
            "sid": c.sid,
            "account_sid": self._x.account_sid,
            "friendly_name": c.name,
            "status": c.status,
            "region": "us1",
            "api_version": "2010-04-01",
            "date_created": rfc2822(c.created_at),
            "date_updated": rfc2822(c.created_at),
            "reason_conference_ended": c.reason or None,
            "call_sid_ending_conference": None,
            "uri": f"{uri}.json",
            "subresource_uris": {"participants": f"{uri}/Participants.json"},
        }

    def _as_participant(self, c: Conference, p: Participant) -> dict[str, Any]:
        body = self._participant_body(p.leg, c.sid, "connected")
        return {
            **body,
            "muted": p.muted,
            "coaching": p.coaches is not None,
            "call_sid_to_coach": p.coaches,
            "hold": p.held,
            "end_conference_on_exit": p.ends_on_exit,
            "start_conference_on_enter": p.starts_on_enter,
            "label": p.label or None,
        }

    def _participant_body(self, leg: Leg, conference_sid: str, status: str) -> dict[str, Any]:
        uri = f"{self._base}/Conferences/{conference_sid}/Participants/{leg.sid}.json"
        return {
            "account_sid": leg.account,
            "call_sid": leg.sid,
            "conference_sid": conference_sid,
            "label": leg.label or None,
            "call_sid_to_coach": None,
            "coaching": False,
            "date_created": rfc2822(leg.created_at),
            "date_updated": rfc2822(leg.created_at),
            "end_conference_on_exit": False,
            "muted": False,
            "hold": False,
            "queue_time": None,
            "start_conference_on_enter": True,
            "status": status,
            "uri": uri,
        }
