"""Recordings of the REST interface, and where their sound is."""

import io
import wave
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from app.practice.refusal import RestError
from app.practice.rest.face import Face
from app.practice.rooms import Recording
from app.practice.wire import rfc2822

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


class Recordings(Face):
    """Read, delete and hear recordings."""

    def _recording(self, request: Request) -> Recording:
        recording = self._x.recordings.get(request.path_params["sid"])
        if recording is None or recording.deleted:
            raise RestError(404, 20404, "The requested resource was not found")
        return recording

    async def fetch_recording(self, request: Request) -> Response:
        return JSONResponse(self._shown(self._recording(request)))

    async def list_recordings(self, request: Request) -> Response:
        of = request.query_params.get("CallSid")
        there = [one for one in self._x.recordings.values() if not one.deleted]
        found = [self._shown(one) for one in there if of in (None, one.call_sid)]
        return self._page(request, "recordings", found)

    def _shown(self, r: Recording) -> dict[str, Any]:
        return {
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

    async def delete_recording(self, request: Request) -> Response:
        recording = self._recording(request)
        if recording.status == "in-progress":
            raise RestError(409, 20009, "Recording is in progress")
        recording.deleted = True
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
