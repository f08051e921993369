"""Requests to the practice exchange, which is asked over HTTP like a provider; no code of it runs
here. In production the settings refuse one."""

from typing import Any

import httpx2

from app.settings import Settings


async def ask(
    settings: Settings,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    timeout: float = 5.0,
) -> Any:
    """Send one request, within `timeout` seconds, and return what the answer holds.

    The settings must have `practice_exchange`. Raises httpx2.HTTPError.
    """
    account = settings.twilio_account_sid or "", settings.twilio_auth_token or ""
    async with httpx2.AsyncClient(
        trust_env=False, follow_redirects=False, timeout=timeout, auth=account
    ) as client:
        answer = await client.request(method, f"{settings.practice_exchange}{path}", json=body)
        answer.raise_for_status()
        return answer.json()
