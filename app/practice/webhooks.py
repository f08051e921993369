"""Send webhooks: signed, with cookies, redirects, overrides and retries."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote_plus, urljoin, urlsplit
from uuid import uuid4

import httpx2

from app.practice.knobs import Knobs
from app.practice.profiles import TWILIO, Profile
from app.practice.twiml import BadDocument, Verb, parse
from app.practice.wire import Fields, Overrides, read_overrides, sign

_MOST_REDIRECTS = 10
_AGENT = "TwilioProxy/1.1"


class Unanswered(Exception):
    """Raised when a webhook gets no usable answer. `code` is the provider's error code."""

    def __init__(self, code: int, url: str, what: str) -> None:
        super().__init__(f"{code} at {url}: {what}")
        self.code, self.url = code, url


@dataclass
class Answered:
    verbs: list[Verb]
    url: str
    body: bytes


class Sender:
    """Sends the exchange's webhooks. Faults of documents are appended to `report`."""

    def __init__(
        self, token: str, knobs: Knobs, report: "list[str]", profile: Profile = TWILIO
    ) -> None:
        self.token, self._profile = token, profile
        self._knobs = knobs
        self._report = report
        self._client = httpx2.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            limits=httpx2.Limits(max_connections=200, max_keepalive_connections=50),
        )
        self.under_way = 0
        self.sent: list[tuple[str, dict[str, str]]] = []
        self.keep_sent = True

    async def close(self) -> None:
        await self._client.aclose()

    async def fetch(
        self,
        url: str,
        fields: Fields,
        cookies: dict[str, str],
        *,
        method: str = "POST",
        allowed: set[str] | None = None,
    ) -> Answered:
        """Request a document. Raises Unanswered; bad TwiML is reported as well."""
        token = str(uuid4())
        answer, where = await self.deliver(url, fields, cookies, token, method)
        again = self._knobs.fires("duplicate", urlsplit(url).path)
        if again is not None:
            repeat, _ = await self.deliver(url, fields, dict(cookies), token, method)
            if repeat.content != answer.content:
                self._report.append(f"a repeat was answered differently: {urlsplit(url).path}")
        # A platform without fallback addresses reads the body whatever the status is.
        if answer.status_code >= 400 and self._profile.second_chances:
            raise Unanswered(11200, where, f"status {answer.status_code}")
        try:
            kind = answer.headers.get("content-type", "")
            return Answered(
                parse(answer.content, kind, allowed, self._profile), where, answer.content
            )
        except BadDocument as error:
            self._report.append(f"bad TwiML from {urlsplit(where).path}: {error}")
            raise Unanswered(error.code, where, str(error)) from None

    async def fetch_sound(self, url: str) -> bytes | None:
        """Return a sound that a document plays, or None if there is none."""
        address = url.partition("#")[0]
        self.under_way += 1
        try:
            answer = await self._client.get(address, timeout=5)
        except httpx2.HTTPError:
            return None
        finally:
            self.under_way -= 1
        known = answer.headers.get("content-type", "").startswith("audio/")
        return answer.content if answer.status_code == 200 and known else None

    async def call_back(self, url: str, fields: Fields) -> bool:
        """Deliver a callback. Return whether it was accepted."""
        try:
            answer, where = await self.deliver(url, fields, {}, str(uuid4()), "POST")
        except Unanswered:
            return False
        if answer.status_code >= 400:
            self._report.append(f"callback refused with {answer.status_code}: {where}")
            return False
        return True

    async def bring(self, url: str, body: Any, headers: Mapping[str, str]) -> bool:
        """Deliver JSON, as a carrier does. Return whether it was accepted."""
        self.under_way += 1
        try:
            answer = await self._client.post(url, json=body, headers=dict(headers), timeout=15)
        except httpx2.HTTPError:
            return False
        finally:
            self.under_way -= 1
        if 400 <= answer.status_code < 500:
            self._report.append(f"an update was refused with {answer.status_code}")
        return answer.status_code < 300

    async def deliver(
        self, url: str, fields: Fields, cookies: dict[str, str], token: str, method: str
    ) -> tuple[httpx2.Response, str]:
        """Send a webhook as its address wishes. Return the answer and the address that gave it.

        Raises Unanswered."""
        try:
            wishes = read_overrides(url)
        except ValueError as error:
            self._report.append(str(error))
            raise Unanswered(11100, url, str(error)) from None
        if not self._profile.second_chances:
            if "#" in url:
                # The platform would sign the fragment with the rest and ignore its overrides.
                self._report.append(f"a fragment in an address: {url}")
            wishes = replace(wishes, retries=0)
        self.under_way += 1
        try:
            async with asyncio.timeout(15 if wishes.total >= 15 else wishes.total):
                return await self._with_retries(wishes, fields, cookies, token, method)
        except TimeoutError:
            raise Unanswered(11205, wishes.address, "no answer within the limit") from None
        finally:
            self.under_way -= 1

    async def _with_retries(
        self,
        wishes: Overrides,
        fields: Fields,
        cookies: dict[str, str],
        token: str,
        method: str,
    ) -> tuple[httpx2.Response, str]:
        retried = 0
        while True:
            failure, problem = "", ""
            answer = None
            try:
                answer, where = await self._once(wishes, fields, cookies, token, method)
                if answer.status_code >= 500:
                    failure = "5xx"
                elif answer.status_code >= 400:
                    failure = "4xx"
                else:
                    return answer, where
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failure, problem = "ct", type(error).__name__
            except httpx2.HTTPError as error:
                failure, problem = "rt", type(error).__name__
            if retried >= wishes.retries or not ({failure, "all"} & wishes.policy):
                if answer is not None:
                    return answer, where
                raise Unanswered(11205 if failure == "ct" else 11200, wishes.address, problem)
            retried += 1
            await asyncio.sleep(0.05)

    async def _once(
        self,
        wishes: Overrides,
        fields: Fields,
        cookies: dict[str, str],
        token: str,
        method: str,
    ) -> tuple[httpx2.Response, str]:
        address = wishes.address
        for _ in range(_MOST_REDIRECTS + 1):
            headers = {
                "User-Agent": _AGENT,
                "Accept": "*/*",
                "X-Twilio-Signature": sign(self.token, address, fields if method == "POST" else []),
            }
            if self._profile.second_chances:
                headers |= {"X-Home-Region": "us1", "I-Twilio-Idempotency-Token": token}
            if cookies:
                headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in cookies.items())
            if self.keep_sent:
                self.sent.append((address, dict(fields)))
            answer = await self._send(method, address, fields, headers, wishes)
            self._keep_cookies(answer, cookies)
            if answer.status_code not in (301, 302, 303, 307, 308):
                return answer, address
            address = urljoin(address, answer.headers.get("location", ""))
            if answer.status_code in (301, 302, 303):
                method = "GET"
        raise Unanswered(11215, address, "too many redirects")

    async def _send(
        self, method: str, address: str, fields: Fields, headers: Mapping[str, str], w: Overrides
    ) -> httpx2.Response:
        if self._knobs.fires("disconnect", urlsplit(address).path):
            raise httpx2.ConnectError("refused by a knob")
        timeout = httpx2.Timeout(w.read, connect=w.connect)
        if method == "GET":
            return await self._client.get(address, headers=dict(headers), timeout=timeout)
        body = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in fields).encode()
        kind = "application/x-www-form-urlencoded; charset=UTF-8"
        return await self._client.post(
            address, content=body, headers={**headers, "Content-Type": kind}, timeout=timeout
        )

    @staticmethod
    def _keep_cookies(answer: httpx2.Response, cookies: dict[str, str]) -> None:
        for header in answer.headers.get_list("set-cookie"):
            name, _, value = header.split(";")[0].partition("=")
            cookies[name.strip()] = value.strip()


def _quoted(text: str) -> str:
    return quote_plus(text, safe="")
