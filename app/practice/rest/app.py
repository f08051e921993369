"""The REST interface: the resources that the SDK calls, with the provider's codes and bodies."""

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.practice.account import Account
from app.practice.exchange import Exchange
from app.practice.practice_calls import PracticeCalls
from app.practice.rest.calls import Calls
from app.practice.rest.conferences import Conferences
from app.practice.rest.face import Face
from app.practice.rest.messages import Messages
from app.practice.rest.recordings import Recordings
from app.practice.rest.signal import SignalService
from app.practice.rest.telegram import BotMethods

_ROOT = "/2010-04-01/Accounts/{account}"


def rest_app(exchange: Exchange) -> Starlette:
    """Return the interface as an application, to be served over real HTTP."""
    face, calls, conferences = Face(exchange), Calls(exchange), Conferences(exchange)
    messages, recordings = Messages(exchange), Recordings(exchange)
    all_calls, one_call = f"{_ROOT}/Calls.json", f"{_ROOT}/Calls/{{sid}}.json"
    all_conferences, conference = f"{_ROOT}/Conferences.json", f"{_ROOT}/Conferences/{{name}}"
    participants = f"{conference}/Participants.json"
    one_participant = f"{conference}/Participants/{{sid}}.json"
    recording = f"{_ROOT}/Recordings/{{sid}}"
    media = f"{_ROOT}/Messages/{{sid}}/Media/{{media}}"
    routes = [
        (all_calls, calls.create_call, ["POST"]),
        (all_calls, calls.list_calls, ["GET"]),
        (one_call, calls.fetch_call, ["GET"]),
        (one_call, calls.update_call, ["POST"]),
        (f"{_ROOT}/Messages.json", messages.create_message, ["POST"]),
        (f"{_ROOT}/Messages.json", messages.list_messages, ["GET"]),
        (f"{_ROOT}/Messages/{{sid}}.json", messages.fetch_message, ["GET"]),
        (f"{recording}.json", recordings.fetch_recording, ["GET"]),
    ]
    if exchange.profile.rooms:
        routes += [
            (one_call, calls.delete_call, ["DELETE"]),
            (f"{_ROOT}/Messages/{{sid}}.json", messages.delete_message, ["DELETE"]),
            (media, messages.where_media_is, ["GET"]),
            (media, messages.delete_media, ["DELETE"]),
            (all_conferences, conferences.list_conferences, ["GET"]),
            (f"{conference}.json", conferences.fetch_conference, ["GET"]),
            (f"{conference}.json", conferences.update_conference, ["POST"]),
            (participants, conferences.add_participant, ["POST"]),
            (participants, conferences.list_participants, ["GET"]),
            (one_participant, conferences.participant, ["GET"]),
            (one_participant, conferences.update_participant, ["POST"]),
            (one_participant, conferences.remove_participant, ["DELETE"]),
            (f"{_ROOT}/Recordings.json", recordings.list_recordings, ["GET"]),
            (f"{recording}.json", recordings.delete_recording, ["DELETE"]),
            (f"{recording}.mp3", recordings.audio, ["GET"]),
        ]
    else:
        everything = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        routes += [
            (f"{recording}.wav", recordings.where_audio_is, ["GET"]),
            (f"{_ROOT}/{{rest:path}}", face.unknown, everything),
        ]
    routes.append(("/practice/texts", messages.sent_texts, ["GET"]))
    routes[:0] = Account(exchange).routes()
    served: list[BaseRoute] = [
        Route(path, face.guarded(f), methods=methods) for path, f, methods in routes
    ]
    served.append(Route("/kept/{sid}/{media}", messages.kept_media))
    served += BotMethods(exchange).routes()
    served += SignalService(exchange).routes()
    served += PracticeCalls(exchange).routes(face.guarded)
    if exchange.switchboard is not None:
        served.append(WebSocketRoute("/signal", exchange.switchboard.serve))
    if not exchange.profile.rooms:
        served.append(Route("/storage/{sid}", recordings.stored_audio))
    return Starlette(routes=served)
