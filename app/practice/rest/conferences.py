"""Conferences and their participants of the REST interface."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.practice.interpreter import LONGEST_LEG, Interpreter
from app.practice.legs import Leg
from app.practice.people import Phone
from app.practice.refusal import RestError
from app.practice.rest.face import DETECTING, Face
from app.practice.rooms import Conference, Participant
from app.practice.wire import rfc2822


class Conferences(Face):
    """List, read and end conferences; add, change and remove participants."""

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
        await self._x.clock.sleep(DETECTING)
        if leg.over:
            return
        machine = isinstance(leg.person, Phone) and leg.person.machine
        leg.answered_by = "machine_start" if machine else "human"
        told = [
            ("CallSid", leg.sid),
            ("AccountSid", leg.account),
            ("AnsweredBy", leg.answered_by),
            ("MachineDetectionDuration", str(int(DETECTING * 1000))),
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
