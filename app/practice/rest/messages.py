"""Text messages of the REST interface."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.practice.refusal import RestError
from app.practice.rest.face import Face, is_since
from app.practice.rooms import Message
from app.practice.wire import rfc2822

# The states in which a text is not deleted: it is not over yet.
_ON_ITS_WAY = ("queued", "sending")
_MOST_SHOWN = 100


class Messages(Face):
    """Send, list and read messages."""

    async def create_message(self, request: Request) -> Response:
        fields = await self._form(request, "To", "From")
        to, from_ = fields["To"][0], fields["From"][0]
        template = fields.get("ContentSid", [""])[0]
        body = self._x.texts.check(to, from_, fields.get("Body", [""])[0], template)
        message = Message(
            sid=self._x.sids.new("SM"),
            to=to,
            from_=from_,
            body=body,
            created_at=self._x.clock.now(),
            status_callback=fields.get("StatusCallback", [""])[0] or None,
            template=template,
        )
        self._x.texts.send(message)
        return JSONResponse(self._message(message), status_code=201)

    async def list_messages(self, request: Request) -> Response:
        query = request.query_params if self._x.profile.filters else {}
        known = sorted(
            [*self._x.messages.values(), *self._x.texts.came],
            key=lambda m: m.created_at,
            reverse=True,
        )
        found = [
            self._message(m)
            for m in known
            if query.get("To") in (None, m.to)
            and query.get("From") in (None, m.from_)
            and is_since(query.get("DateSent>"), m.created_at)
        ]
        return self._page(request, "messages", found)

    async def sent_texts(self, request: Request) -> Response:
        """Return the last texts that were sent, newest first: for practice pages."""
        sent = sorted(self._x.messages.values(), key=lambda m: m.created_at, reverse=True)
        return JSONResponse(
            [
                {"to": m.to, "body": m.body, "at": m.created_at.isoformat()}
                for m in sent[:_MOST_SHOWN]
            ]
        )

    async def fetch_message(self, request: Request) -> Response:
        message = self._x.messages.get(request.path_params["sid"])
        if message is None:
            raise RestError(404, 20404, "The requested resource was not found")
        return JSONResponse(self._message(message))

    async def delete_message(self, request: Request) -> Response:
        message = self._x.messages.get(request.path_params["sid"])
        if message is None:
            raise RestError(404, 20404, "The requested resource was not found")
        if message.status in _ON_ITS_WAY:
            raise RestError(409, 20009, "Message is not in a final state")
        del self._x.messages[message.sid]
        return Response(status_code=204)

    async def where_media_is(self, request: Request) -> Response:
        """Send on to where the file is kept, as the provider does."""
        self._file(request)
        parts = request.path_params
        return Response(
            status_code=307, headers={"location": f"/kept/{parts['sid']}/{parts['media']}"}
        )

    async def kept_media(self, request: Request) -> Response:
        """Return a file from the place where no password is asked for."""
        if request.headers.get("authorization"):
            self._x.faults.append("the password of the account was sent to another server")
        content, kind = self._file(request)
        return Response(content, media_type=kind)

    async def delete_media(self, request: Request) -> Response:
        self._file(request)
        parts = request.path_params
        del self._x.texts.files[parts["sid"], parts["media"].removesuffix(".json")]
        return Response(status_code=204)

    def _file(self, request: Request) -> tuple[bytes, str]:
        parts = request.path_params
        found = self._x.texts.files.get((parts["sid"], parts["media"].removesuffix(".json")))
        if found is None:
            raise RestError(404, 20404, "The requested resource was not found")
        return found

    def _message(self, m: Message) -> dict[str, Any]:
        return {
            "sid": m.sid,
            "account_sid": self._x.account_sid,
            "to": m.to,
            "from": m.from_,
            "body": m.body,
            "status": m.status,
            "direction": m.direction,
            "api_version": "2010-04-01",
            "date_created": rfc2822(m.created_at),
            "date_updated": rfc2822(m.created_at),
            "date_sent": rfc2822(m.created_at),
            "error_code": m.code,
            "error_message": None,
            "messaging_service_sid": None,
            "num_media": str(len(m.media)),
            "num_segments": str(-(-len(m.body) // 153)),
            "price": None,
            "price_unit": "USD",
            "uri": f"{self._base}/Messages/{m.sid}.json",
            "subresource_uris": {"media": f"{self._base}/Messages/{m.sid}/Media.json"},
        }
