"""Calls of the REST interface."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.practice.interpreter import Interpreter
from app.practice.legs import Leg
from app.practice.people import Phone
from app.practice.refusal import RestError
from app.practice.rest.face import DETECTING, Face, is_before, is_since
from app.practice.wire import rfc2822


class Calls(Face):
    """Begin, list, read, change and delete calls."""

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
                await self._x.clock.sleep(DETECTING)
                machine = isinstance(leg.person, Phone) and leg.person.machine
                leg.answered_by = "machine_start" if machine else "human"
                more = [("AnsweredBy", leg.answered_by)]
            if not leg.over:
                await Interpreter(self._x, leg).run(fields["Url"][0], more)

        self._x.ring_out(leg, lifted)
        return JSONResponse(self._call(leg), status_code=201)

    async def list_calls(self, request: Request) -> Response:
        query = request.query_params if self._x.profile.filters else {}
        legs = [
            leg
            for leg in self._x.legs.values()
            if query.get("To") in (None, leg.to)
            and query.get("From") in (None, leg.from_)
            and query.get("ParentCallSid") in (None, leg.parent)
            and query.get("Status") in (None, leg.status)
            and is_since(query.get("StartTime>"), leg.created_at)
            and is_since(query.get("EndTime>"), leg.ended_at)
            and is_before(query.get("EndTime<"), leg.ended_at)
        ]
        legs.sort(key=lambda leg: leg.created_at, reverse=True)
        return self._page(request, "calls", [self._call(leg) for leg in legs])

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
