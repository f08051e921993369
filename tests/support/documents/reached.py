"""A PostgreSQL of the tests as another machine reaches it: over TCP, with a certificate.

The server of the tests listens on a socket alone and lets in the user that runs them. In front of
it stands what proves to be a host and hands everything on, as a pooler would. What comes without
TLS is closed.
"""

import asyncio
import contextlib
import ssl
import struct
import threading
from collections.abc import Iterator

import psycopg.conninfo

# What a client asks first. Each is answered by one letter: yes or no.
_WANTS_TLS = struct.pack(">ii", 8, 80877103)
_WANTS_GSS = struct.pack(">ii", 8, 80877104)


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    writer.close()


class _Front:
    """What listens for the server at a host's address."""

    def __init__(self, socket: str, proof: ssl.SSLContext) -> None:
        self._socket, self._proof = socket, proof

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = await reader.readexactly(8)
            if asked == _WANTS_GSS:
                writer.write(b"N")
                asked = await reader.readexactly(8)
            if asked != _WANTS_TLS:
                writer.close()
                return
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(self._proof)
            inner_reader, inner_writer = await asyncio.open_unix_connection(self._socket)
        except (OSError, EOFError):
            writer.close()
            return
        await asyncio.gather(_hand_on(reader, inner_writer), _hand_on(inner_reader, writer))


@contextlib.contextmanager
def reached_at(host: str, url: str, proof: ssl.SSLContext) -> Iterator[int]:
    """Listen at an address of this machine for the server of a socket. Yields the port."""
    known = psycopg.conninfo.conninfo_to_dict(url)
    front = _Front(f"{known['host']}/.s.PGSQL.{known.get('port') or 5432}", proof)
    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(asyncio.start_server(front.serve, host, 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_end(listening), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


async def _end(listening: asyncio.Server) -> None:
    listening.close()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
