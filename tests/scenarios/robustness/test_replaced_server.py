"""A running server is replaced: at no instant is a webhook refused or left without a document."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from app.demo.served import free_port
from app.demo.stage import ACCOUNT, LINE, TOKEN
from app.practice.wire import sign
from tests.support.commands import Serving
from tests.support.processes import Program, ready
from tests.support.profile import WHOLE


class Provider:
    """A provider whose webhooks come all the time."""

    def __init__(self, base: str) -> None:
        self.url = f"{base}/telephony/voice"
        self.answers: list[int] = []
        self.refused: list[str] = []
        self.stop = asyncio.Event()

    async def ring(self, client: httpx2.AsyncClient, number: int) -> None:
        fields = [
            ("CallSid", f"CA{number:032x}"),
            ("AccountSid", ACCOUNT),
            ("To", LINE),
            ("From", "+381641234567"),
            ("CallStatus", "ringing"),
        ]
        signed = {"X-Twilio-Signature": sign(TOKEN, self.url, fields)}
        try:
            answer = await client.post(self.url, data=dict(fields), headers=signed)
            if "<Gather" in answer.text:
                self.answers.append(answer.status_code)
            elif self.answers:
                # Only a server that has just been started on a busy machine may be too slow.
                self.refused.append(answer.text)
        except httpx2.HTTPError as error:
            self.refused.append(repr(error))

    async def rings(self) -> None:
        number = 0
        # A connection for each ring, as most of the provider's webhooks are.
        limits = httpx2.Limits(max_keepalive_connections=0)
        async with httpx2.AsyncClient(trust_env=False, timeout=10, limits=limits) as client:
            while not self.stop.is_set():
                number += 1
                await self.ring(client, number)
                # Three of them ring at once: between two rings of all is hardly a moment.
                await asyncio.sleep(0.02)

    async def answered(self, more: int) -> None:
        """Wait until this many more rings are answered, or one is refused."""
        wanted = len(self.answers) + more
        while len(self.answers) < wanted and not self.refused:
            await asyncio.sleep(0.02)


@pytest.mark.anyio
@pytest.mark.parametrize("workers", [1, 2] if WHOLE else [1])
async def test_a_server_is_replaced_while_the_phone_rings(
    new_folder: Callable[[], Path], workers: int
) -> None:
    words = () if workers == 1 else ("--workers", str(workers))
    program = Program(new_folder())
    # The second port is handed over, too.
    health = free_port()
    program.environment["HELPLINE_MONITORING_PORT"] = str(health)
    assert program.run("line", "add", LINE, "--languages", "sr,en").returncode == 0
    program.serve(*words)
    first = program.process
    assert first is not None
    provider = Provider(program.base)
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=20) as client:
            await ready(client, f"http://127.0.0.1:{health}")
            ringing = [asyncio.create_task(provider.rings()) for _ in range(3)]
            await provider.answered(5)
            program.serve(*words, "--replace")
            assert await asyncio.to_thread(first.wait, 60) == 0
            await provider.answered(5)
            provider.stop.set()
            await asyncio.gather(*ringing)
            await ready(client, f"http://127.0.0.1:{health}")
            assert (await client.get(program.base + "/readyz")).status_code == 404
            assert program.process is not None
            assert program.process.poll() is None
        assert provider.refused == []
        assert set(provider.answers) == {200}
    finally:
        provider.stop.set()
        first.kill()
        program.stop()


def _served(program: Program, listener: socket.socket, notify: Path, *words: str) -> Serving:
    """Serve on a socket that a service manager keeps."""
    return Serving(
        *("serve", "--port", str(program.port), *words),
        environment={**program.environment, "NOTIFY_SOCKET": str(notify)},
        log=program.log.name,
        listener=listener,
    )


async def _ready_from(notified: socket.socket) -> str:
    notified.settimeout(60)
    return (await asyncio.to_thread(notified.recv, 200)).decode()


async def _comes_and_goes(
    program: Program, listener: socket.socket, notified: socket.socket, running: list[Serving]
) -> None:
    """A server comes, with the worker beside it, and is ended before the child rings."""
    at = Path(notified.getsockname())
    running.append(_served(program, listener, at, "--no-worker"))
    assert f"MAINPID={running[0].pid}" in await _ready_from(notified)
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
        # This server has no worker in it: it is ready when one runs beside it.
        assert (await client.get(f"{program.base}/readyz")).status_code == 503
        beside = Serving("worker", environment=program.environment, log=program.log.name)
        running.append(beside)
        await ready(client, program.base)
    running[0].terminate()
    assert await asyncio.to_thread(running[0].wait, 60) == 0


@pytest.mark.anyio
async def test_a_ring_waits_in_the_service_managers_socket(
    new_folder: Callable[[], Path],
) -> None:
    folder = new_folder()
    program = Program(folder)
    assert program.run("line", "add", LINE, "--languages", "sr,en").returncode == 0
    url = f"{program.base}/telephony/voice"
    fields = [
        ("CallSid", "CA" + "5" * 32),
        ("AccountSid", ACCOUNT),
        ("To", LINE),
        ("From", "+381641234567"),
        ("CallStatus", "ringing"),
    ]
    signed = {"X-Twilio-Signature": sign(TOKEN, url, fields)}
    running: list[Serving] = []
    with (
        socket.create_server(("127.0.0.1", program.port)) as listener,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified,
    ):
        notified.bind(str(folder / "notify"))
        try:
            if WHOLE:
                await _comes_and_goes(program, listener, notified, running)
            async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
                ring = asyncio.create_task(client.post(url, data=dict(fields), headers=signed))
                await asyncio.sleep(0.5)
                running.append(_served(program, listener, folder / "notify"))
                answer = await ring
                assert answer.status_code == 200
                assert "<Gather" in answer.text
                ready_at = await _ready_from(notified)
                assert f"MAINPID={running[-1].pid}" in ready_at
                assert "READY=1" in ready_at
        finally:
            for process in running:
                process.terminate()
                process.wait(30)
            program.log.close()
