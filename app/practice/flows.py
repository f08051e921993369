"""Play a flow that the provider hosts on a leg: only the widgets that are used here.

As Studio documents them: `say-play`, `add-twiml-redirect` (whose `fail` follows when there is no
document), `set-variables` with Liquid's `plus`, `split-based-on` and `connect-call-to`.
"""

import re
from typing import TYPE_CHECKING, Any

from app.practice.account import Flow
from app.practice.twiml import Verb
from app.practice.webhooks import Answered, Unanswered

if TYPE_CHECKING:
    from app.practice.interpreter import Interpreter

_PLUS = re.compile(r"\{\{\s*flow\.variables\.(\w+)\s*\|\s*plus:\s*(\d+)\s*\}\}")
_VALUE = re.compile(r"\{\{\s*flow\.variables\.(\w+)\s*\}\}")


class FlowPlayer:
    """One run of a flow on a leg."""

    def __init__(self, interpreter: "Interpreter", flow: Flow) -> None:
        self._interpreter = interpreter
        self._states = {state["name"]: state for state in flow.definition["states"]}
        self._first = flow.definition["initial_state"]
        self._variables: dict[str, int] = {}

    async def run(self) -> Answered | None:
        """Play until our server answers with a document. Return it, or None if the flow ends."""
        following: str | None = self._first
        while following is not None:
            state = self._states[following]
            event: str | Answered = await self._play(state)
            if isinstance(event, Answered):
                return event
            following = self._next(state, event)
        return None

    def _next(self, state: dict[str, Any], event: str) -> str | None:
        for transition in state["transitions"]:
            if transition["event"] != event:
                continue
            conditions = transition.get("conditions", [])
            if all(self._holds(condition) for condition in conditions):
                found: str | None = transition.get("next")
                return found
        return self._next(state, "noMatch") if event == "match" else None

    def _holds(self, condition: dict[str, Any]) -> bool:
        assert condition["type"] == "less_than", "no other condition is used"
        return int(self._fill(condition["arguments"][0])) < int(condition["value"])

    def _fill(self, text: str) -> str:
        text = _PLUS.sub(lambda m: str(self._variables.get(m[1], 0) + int(m[2])), text)
        return _VALUE.sub(lambda m: str(self._variables.get(m[1], 0)), text)

    async def _play(self, state: dict[str, Any]) -> str | Answered:
        properties = state["properties"]
        match state["type"]:
            case "trigger":
                return "incomingCall"
            case "say-play":
                for _ in range(int(properties.get("loop", 1))):
                    await self._interpreter.execute([Verb("Say", {}, properties["say"])], "")
                return "audioComplete"
            case "add-twiml-redirect":
                try:
                    return await self._interpreter.fetch_once(properties["url"])
                except Unanswered:
                    return "fail"
            case "set-variables":
                for one in properties["variables"]:
                    self._variables[one["key"]] = int(self._fill(one["value"]))
                return "next"
            case "split-based-on":
                return "match"
            case "connect-call-to":
                number = Verb("Number", {}, properties["to"])
                dial = Verb("Dial", {"timeout": str(properties["timeout"])}, "", (number,))
                await self._interpreter.execute([dial], "")
                return "callCompleted"
        raise AssertionError(f"a widget that the exchange does not play: {state['type']}")
