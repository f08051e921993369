"""What an account has besides calls: numbers, queues, and flows that the provider hosts."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.practice.refusal import RestError
from app.practice.rooms import Room

if TYPE_CHECKING:
    from app.practice.exchange import Exchange

_ROOT = "/2010-04-01/Accounts/{account}"
_LARGEST_QUEUE = 5000
_WHEN = "Mon, 14 Jan 2030 09:00:00 +0000"


@dataclass
class Flow:
    """A flow that the provider hosts: static, and available when our servers are not."""

    sid: str
    name: str
    definition: dict[str, Any]


class Account:
    def __init__(self, exchange: "Exchange") -> None:
        self._x = exchange
        self._base = f"/2010-04-01/Accounts/{exchange.account_sid}"

    def routes(self) -> list[tuple[str, Any, list[str]]]:
        """Return paths, handlers and methods."""
        found = [
            (f"{_ROOT}/IncomingPhoneNumbers.json", self.list_numbers, ["GET"]),
            (f"{_ROOT}/IncomingPhoneNumbers/{{sid}}.json", self.change_number, ["POST"]),
            (f"{_ROOT}/OutgoingCallerIds.json", self.list_caller_ids, ["GET"]),
        ]
        if self._x.profile.rooms:
            found += [
                (f"{_ROOT}/Queues.json", self.list_queues, ["GET"]),
                (f"{_ROOT}/Queues.json", self.create_queue, ["POST"]),
                (f"{_ROOT}/Queues/{{sid}}.json", self.change_queue, ["POST"]),
                ("/v2/Flows", self.list_flows, ["GET"]),
                ("/v2/Flows", self.create_flow, ["POST"]),
                ("/v2/Flows/{sid}", self.change_flow, ["POST"]),
            ]
        return found

    def _page(self, name: str, items: list[dict[str, Any]]) -> Response:
        uri = f"{self._base}/{name}.json"
        return JSONResponse(
            {
                name: items,
                "first_page_uri": uri,
                "next_page_uri": None,
                "previous_page_uri": None,
                "uri": uri,
                "page": 0,
                "page_size": 50,
                "start": 0,
                "end": max(0, len(items) - 1),
            }
        )

    # -- numbers --------------------------------------------------------------------------

    def _number(self, number: str) -> dict[str, Any]:
        known = self._x.numbers[number]
        return {
            "sid": self._sid_of(number),
            "account_sid": self._x.account_sid,
            "phone_number": number,
            "friendly_name": number,
            "voice_url": known.voice_url,
            "voice_method": "POST",
            "voice_fallback_url": known.fallback_url,
            "voice_fallback_method": "POST",
            "status_callback": known.status_callback,
            "status_callback_method": "POST",
            "sms_url": known.sms_url,
            "sms_method": "POST",
            "capabilities": {"voice": True, "sms": True, "mms": False, "fax": False},
            "api_version": "2010-04-01",
            "date_created": _WHEN,
            "date_updated": _WHEN,
            "uri": f"{self._base}/IncomingPhoneNumbers/{self._sid_of(number)}.json",
        }

    def _sid_of(self, number: str) -> str:
        return "PN" + number.lstrip("+").rjust(32, "0")[:32]

    async def list_numbers(self, request: Request) -> Response:
        wanted = request.query_params.get("PhoneNumber")
        found = [self._number(n) for n in self._x.numbers if wanted in (None, n)]
        return self._page("incoming_phone_numbers", found)

    async def change_number(self, request: Request) -> Response:
        sid = request.path_params["sid"]
        number = next((n for n in self._x.numbers if self._sid_of(n) == sid), None)
        if number is None:
            raise RestError(404, 20404, "The requested resource was not found")
        form = await request.form()
        known = self._x.numbers[number]
        known.voice_url = str(form.get("VoiceUrl", known.voice_url))
        known.fallback_url = str(form.get("VoiceFallbackUrl", known.fallback_url or "")) or None
        known.status_callback = str(form.get("StatusCallback", known.status_callback or ""))
        known.sms_url = str(form.get("SmsUrl", known.sms_url or ""))
        return JSONResponse(self._number(number))

    async def list_caller_ids(self, request: Request) -> Response:
        wanted = request.query_params.get("PhoneNumber")
        found = [
            {
                "sid": "PN" + n.lstrip("+").rjust(32, "1"),
                "account_sid": self._x.account_sid,
                "phone_number": n,
                "friendly_name": n,
                "date_created": _WHEN,
                "date_updated": _WHEN,
                "uri": "",
            }
            for n in sorted(self._x.caller_ids)
            if wanted in (None, n)
        ]
        return self._page("outgoing_caller_ids", found)

    # -- queues ---------------------------------------------------------------------------

    def _queue(self, room: Room) -> dict[str, Any]:
        return {
            "sid": room.sid,
            "account_sid": self._x.account_sid,
            "friendly_name": room.name,
            "current_size": len(room.members),
            "max_size": room.size,
            "average_wait_time": 0,
            "date_created": _WHEN,
            "date_updated": _WHEN,
            "uri": f"{self._base}/Queues/{room.sid}.json",
        }

    @staticmethod
    def _size(form: Any, before: int) -> int:
        size = int(form.get("MaxSize", before))
        if not 1 <= size <= _LARGEST_QUEUE:
            raise RestError(400, 22002, "MaxSize is out of range")
        return size

    async def list_queues(self, request: Request) -> Response:
        return self._page("queues", [self._queue(room) for room in self._x.rooms.values()])

    async def create_queue(self, request: Request) -> Response:
        form = await request.form()
        name = str(form.get("FriendlyName", ""))
        if name in self._x.rooms:
            raise RestError(400, 22003, "A queue with this name exists already")
        room = Room(self._x.sids.new("QU"), name)
        room.size = self._size(form, room.size)
        self._x.rooms[name] = room
        return JSONResponse(self._queue(room), status_code=201)

    async def change_queue(self, request: Request) -> Response:
        sid = request.path_params["sid"]
        room = next((r for r in self._x.rooms.values() if r.sid == sid), None)
        if room is None:
            raise RestError(404, 20404, "The requested resource was not found")
        room.size = self._size(await request.form(), room.size)
        return JSONResponse(self._queue(room))

    # -- flows ----------------------------------------------------------------------------

    def _flow(self, flow: Flow) -> dict[str, Any]:
        return {
            "sid": flow.sid,
            "account_sid": self._x.account_sid,
            "friendly_name": flow.name,
            "definition": flow.definition,
            "status": "published",
            "revision": 1,
            "valid": True,
            "webhook_url": self._x.flow_url(flow.sid),
            "date_created": "2030-01-14T09:00:00Z",
            "date_updated": "2030-01-14T09:00:00Z",
            "url": f"/v2/Flows/{flow.sid}",
            "links": {},
        }

    def _read_definition(self, form: Any) -> dict[str, Any]:
        if not self._x.allows_flows:
            raise RestError(403, 20003, "Permission denied")
        try:
            definition: dict[str, Any] = json.loads(str(form.get("Definition", "")))
            names = {state["name"] for state in definition["states"]}
            following = {
                transition.get("next")
                for state in definition["states"]
                for transition in state["transitions"]
            }
        except (ValueError, KeyError, TypeError):
            raise RestError(400, 81022, "Flow definition validation failed") from None
        if definition.get("initial_state") not in names or following - names - {None}:
            raise RestError(400, 81022, "A transition leads to a widget that does not exist")
        return definition

    async def list_flows(self, request: Request) -> Response:
        shown = [self._flow(flow) for flow in self._x.flows.values()]
        meta = {
            "page": 0,
            "page_size": 50,
            "key": "flows",
            "next_page_url": None,
            "previous_page_url": None,
            "first_page_url": "",
            "url": "",
        }
        return JSONResponse({"flows": shown, "meta": meta})

    async def create_flow(self, request: Request) -> Response:
        form = await request.form()
        flow = Flow(
            self._x.sids.new("FW"), str(form.get("FriendlyName", "")), self._read_definition(form)
        )
        self._x.flows[flow.sid] = flow
        return JSONResponse(self._flow(flow), status_code=201)

    async def change_flow(self, request: Request) -> Response:
        flow = self._x.flows.get(request.path_params["sid"])
        if flow is None:
            raise RestError(404, 20404, "The requested resource was not found")
        flow.definition = self._read_definition(await request.form())
        return JSONResponse(self._flow(flow))
