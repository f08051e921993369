"""A child who writes, over HTTP as its page does: for the demo, the benchmarks and the tests."""

from typing import Any
from uuid import uuid4

import httpx2

from app.demo.stage import LINE, Stage


class WritingChild:
    """A child at a page: it knows its secret, and repeats what was not answered."""

    def __init__(self, base: str, client: httpx2.AsyncClient, line: str = LINE) -> None:
        self._base, self._client = base, client
        self.line = line.lstrip("+")
        # What opens the conversation, and what opens it again.
        self.key, self.secret = uuid4().hex, ""
        self.id = ""
        self.last = 0
        # What the page has shown, in its order.
        self.read: list[dict[str, Any]] = []
        # What the server has answered for.
        self.told: list[str] = []

    async def ask(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        url = f"{self._base}/chat{path}"
        return await self._client.request(method, url, json=body, headers=headers)

    async def open(self, *, language: str = "sr", danger: bool = False) -> httpx2.Response:
        """Open a conversation; opening it again with the same key changes nothing."""
        body = {"language": language, "danger": danger, "client_key": self.key}
        answer = await self.ask("POST", f"/{self.line}/conversations", body)
        if answer.status_code == 201:
            self.secret, self.id = answer.json()["secret"], answer.json()["conversation"]
        return answer

    async def say(self, text: str, key: str | None = None) -> httpx2.Response:
        body = {"text": text, "client_key": key or uuid4().hex}
        return await self.ask("POST", "/conversation/messages", body)

    async def look(self, wait: int = 0) -> dict[str, Any]:
        """Read what is new, and return the conversation."""
        path = f"/conversation/messages?after={self.last}&wait={wait}"
        answer = await self.ask("GET", path)
        answer.raise_for_status()
        seen: dict[str, Any] = answer.json()
        new = [one for one in seen["messages"] if one["number"] > self.last]
        self.read += new
        self.last = max((one["number"] for one in new), default=self.last)
        return seen

    async def phase(self) -> str:
        return str((await self.look())["phase"])

    async def end(self) -> None:
        (await self.ask("POST", "/conversation/end")).raise_for_status()

    def words(self) -> list[str]:
        """Return what was read: words, or in brackets what the program says."""
        return [one["text"] or f"[{one['sentence']}]" for one in self.read]


def a_child(stage: Stage) -> WritingChild:
    """Return a child who has not opened a conversation yet."""
    return WritingChild(stage.settings.public_url, stage.client)
