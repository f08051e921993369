"""Practice calls on request: our server asks for a scripted caller, sends its lines, and asks what
was heard. The real provider has nothing of the kind.
"""

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.practice.legs import Leg
from app.practice.refusal import RestError
from app.practice.scripted import Script, Scripted, ScriptedMouth

if TYPE_CHECKING:
    from app.practice.exchange import Exchange

# Seconds between two looks at whether a caller wants to hang up.
_LOOKS_EVERY = 0.5
# Seconds after which a caller who is not connected to a counsellor hangs up.
_PATIENCE = 40.0


class PracticeCalls:
    """The practice calls of one exchange."""

    def __init__(self, exchange: "Exchange") -> None:
        self._x = exchange
        self._legs: dict[str, Leg] = {}
        self._mouths: dict[str, ScriptedMouth] = {}

    def routes(self, guarded: Any) -> list[Route]:
        """Return the routes; `guarded` asks for the account's password first."""
        one = "/practice/calls/{id}"
        return [
            Route(one, guarded(self.begin), methods=["POST"]),
            Route(one, guarded(self.show), methods=["GET"]),
            Route(f"{one}/say", guarded(self.say), methods=["POST"]),
        ]

    async def begin(self, request: Request) -> Response:
        """Let a scripted caller ring. The same id rings once."""
        id_ = request.path_params["id"]
        # Read before the look: two requests at once must not both find nothing.
        told = await request.json()
        if id_ not in self._legs:
            caller = Scripted(language=told["script"]["language"], script=Script(**told["script"]))
            leg = self._x.ring_at(
                told["from"], told["to"], caller, told["voice_url"], told["status_callback"]
            )
            self._legs[id_] = leg
            if self._x.voices is not None and isinstance(
                mouth := self._x.voices.mouths.get(leg.sid), ScriptedMouth
            ):
                self._mouths[id_] = mouth
            self._x.spawn(self._see_off(leg, caller))
        return JSONResponse({"sid": self._legs[id_].sid}, status_code=201)

    async def _see_off(self, leg: Leg, caller: Scripted) -> None:
        """Hang up when the caller has had enough."""
        alone = 0.0
        while not leg.over:
            await self._x.clock.sleep(_LOOKS_EVERY)
            together = self._x.conferences.of_leg(leg) is not None
            talks = together or leg.talks_with is not None
            alone = 0.0 if talks else alone + _LOOKS_EVERY
            if talks and self._x.voices is None:
                self._say_on_paper(caller)
            if caller.left is not None or alone >= _PATIENCE:
                await self._x.hang_up(leg)

    def _say_on_paper(self, caller: Scripted) -> None:
        """Where no sound is carried, say what is to be said at once."""
        assert caller.script is not None
        if not caller.said:
            caller.said += caller.script.opens
        while caller.wanted:
            caller.said.append(caller.wanted.popleft())
        if caller.leaves:
            caller.left = "said"

    def _of(self, request: Request) -> tuple[Leg, Scripted]:
        leg = self._legs.get(request.path_params["id"])
        if leg is None:
            raise RestError(404, 20404, "There is no such practice call")
        assert isinstance(leg.person, Scripted)
        return leg, leg.person

    async def say(self, request: Request) -> Response:
        """Give the caller its lines, from the first turn on. It takes those that it lacks."""
        _, caller = self._of(request)
        caller.take_turns((await request.json())["turns"])
        return JSONResponse({})

    async def show(self, request: Request) -> Response:
        """Say whether the caller is still there, and how long each side has spoken."""
        leg, caller = self._of(request)
        mouth = self._mouths.get(request.path_params["id"])
        measured = mouth.measured() if mouth is not None else {"heard": False}
        return JSONResponse({**measured, "over": leg.over, "left": caller.left})
