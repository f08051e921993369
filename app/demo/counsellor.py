"""A counsellor who sends what a browser would send; for tests and the demo."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx2
import jwt

from app.abilities import EndpointKind
from app.database.topics import Topic
from app.jobs.transaction import transaction
from app.practice.exchange import Exchange
from app.practice.people import Phone
from app.routing import own_presence, telephones
from app.routing.models import TelephoneState
from app.staff import session_tokens
from app.staff.models import Staff
from app.web.access import COOKIE
from app.work import PROGRAM, Work

if TYPE_CHECKING:
    from app.demo.stage import Stage


async def start_silent_telephone(
    exchange: Exchange, client: httpx2.AsyncClient, base: str, cookie: str = ""
) -> None:
    """Register a telephone without sound for a signed-in person, as a page does with sound."""
    headers = {"Cookie": cookie} if cookie else {}
    page = {"page": "stage:1"}
    asked = await client.post(f"{base}/board/telephone", json=page, headers=headers)
    asked.raise_for_status()
    claims = jwt.decode(asked.json()["token"], options={"verify_signature": False})
    address = f"client:{claims['grants']['identity']}"
    exchange.phones.setdefault(address, Phone(picks_up=0.3, presses=None))
    said = {**page, "state": "ready"}
    told = await client.post(f"{base}/board/telephone/state", json=said, headers=headers)
    told.raise_for_status()


class Counsellor:
    """A counsellor at a browser, who signs in and uses the JSON API."""

    def __init__(self, stage: "Stage", staff: Staff) -> None:
        self.stage, self.staff = stage, staff
        self.id: UUID = staff.id
        self.cookies: dict[str, str] = {}
        self._page = f"stage:{staff.id.hex}"
        self._has_telephone = False

    @property
    def cookie_header(self) -> str:
        """Return the cookie header that the counsellor's browser sends."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    @property
    def address(self) -> str:
        """Return the address at which the exchange rings the counsellor's browser."""
        return f"client:{self.staff.identity}"

    def plug_in(self) -> None:
        """Register a telephone without sound at the exchange, as a page does with sound.

        It picks up at once: a page does so for the call that its person has accepted.
        """
        phones = self.stage.exchange.phones
        if self.address not in phones:
            phones[self.address] = Phone(picks_up=0.3, presses=None)

    async def start_telephone(self) -> None:
        """Register a telephone without sound, and tell the server that it is ready."""
        if self._has_page_telephone():
            self.plug_in()
            await self.tell_telephone("ready")

    def _has_page_telephone(self) -> bool:
        in_browser = self.staff.endpoint_kind == EndpointKind.BROWSER
        return in_browser and self.stage.settings.has_page_telephones

    async def begin(self, work: Work, state: str | None) -> None:
        """Sign in, start the telephone and choose a state: what a page does in four requests."""
        self.cookies = {COOKIE: await session_tokens.open_session(work, self.staff)}
        if state is None:
            return
        self._has_telephone = True
        if self._has_page_telephone():
            self.plug_in()
            await telephones.claim(work, self.staff, self._page)
            await telephones.report(work, self.staff, self._page, TelephoneState.READY)
        await own_presence.choose_presence_by_name(work, self.staff, state)

    async def tell_telephone(self, state: str) -> None:
        """Report a state of the telephone, as a page does."""
        base = f"{self.stage.settings.public_url}/board/telephone"
        headers, page = {"Cookie": self.cookie_header}, self._page
        for path, body in (("", {"page": page}), ("/state", {"page": page, "state": state})):
            answer = await self.stage.client.post(base + path, json=body, headers=headers)
            answer.raise_for_status()
        self.stage.ground.memory.forget("presence")

    def unplug(self) -> None:
        """Take the telephone away, as by closing the page."""
        self.stage.exchange.phones.pop(self.address, None)

    async def sign_in(self) -> None:
        """Sign in with a session made directly: hashing a password takes a tenth of a second."""
        async with transaction(self.stage.ground, PROGRAM) as work:
            staff = await work.session.get(Staff, self.id)
            assert staff is not None
            self.cookies = {COOKIE: await session_tokens.open_session(work, staff)}

    async def ask(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        """Send a request to the JSON API."""
        headers = {"Cookie": self.cookie_header}
        url = f"{self.stage.settings.public_url}/api/v1{path}"
        answer = await self.stage.client.request(method, url, json=body, headers=headers)
        # A proof gives a new token; another account, which an emergency opens, is not taken on.
        if path.startswith("/me/") and COOKIE in answer.cookies:
            self.cookies[COOKIE] = answer.cookies[COOKIE]
            # Others send by the same client.
            self.stage.client.cookies.delete(COOKIE)
        return answer

    async def be(self, state: str) -> None:
        if not self._has_telephone:
            self._has_telephone = True
            await self.start_telephone()
        (await self.ask("PUT", "/me/presence", {"state": state})).raise_for_status()
        self.stage.ground.memory.forget(Topic.PRESENCE)
        await self.stage.settle()

    async def presence(self) -> str:
        return str((await self.ask("GET", "/me")).json()["presence"]["state"])

    async def offer(self) -> dict[str, Any] | None:
        """Return the offer that rings, or the call that the counsellor has, or None."""
        found = (await self.ask("GET", "/offers/mine")).json()
        return found[0] if found else None

    async def accept(self) -> httpx2.Response:
        offer = await self.offer()
        assert offer is not None, "nothing is offered"
        answer = await self.ask("POST", f"/offers/{offer['id']}/accept")
        await self.stage.settle()
        return answer

    async def decline(self) -> None:
        offer = await self.offer()
        assert offer is not None, "nothing is offered"
        (await self.ask("POST", f"/offers/{offer['id']}/decline")).raise_for_status()
        await self.stage.settle()

    async def do(self, action: str) -> httpx2.Response:
        """Hold, resume or hang up the counsellor's call."""
        offer = await self.offer()
        assert offer is not None, "no call in hand"
        answer = await self.ask("POST", f"/calls/{offer['call_id']}/{action}")
        await self.stage.settle()
        return answer
