"""A file that a child sent with Signal is read no further than it may be long."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from app.outbox.fetching import TooLong
from app.telephony.messaging.signal import service


class _Endless(httpx2.AsyncByteStream):
    """A file that never ends."""

    parts = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.parts += 1
            yield b"x" * 1000


async def test_a_file_that_is_too_long_is_not_read_to_its_end() -> None:
    for told, most in (({}, 6), ({"content-length": "5001"}, 0)):
        endless = _Endless()
        with pytest.raises(TooLong):
            await service.read_answer(httpx2.Response(200, headers=told, stream=endless), 5000)
        assert endless.parts == most
