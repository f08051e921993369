"""A running server is replaced: at no instant is a webhook refused or left without a document."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from app.demo.stage import ACCOUNT, LINE, TOKEN, free_port
from app.practice.wire import sign
from tests.support.commands import Serving
from tests.support.processes import Program, ready
from tests.support.profile import WHOLE


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
    answers: list[int] = []
    refused: list[str] = []
    stop = asyncio.Event()

    async def ring(client: httpx2.AsyncClient, number: int) -> None:
        url = f"{program.base}/telephony/voice"
        fields = [
            ("CallSid", f"CA{number:032x}"),
            ("AccountSid", ACCOUNT),
            ("To", LINE),
            ("From", "+381641234567"),
            ("CallStatus", "ringing"),
        ]
        try:
            answer = await client.post(
                url, data=dict(fields), headers={"X-Twilio-Signature": sign(TOKEN, url, fields)}
            )
            if "<Gather" in answer.text:
                answers.append(answer.status_code)
            elif answers:
                # Only a server that has just been started on a busy machine may be too slow.
                refused.append(answer.text)
        except httpx2.HTTPError as error:
            refused.append(repr(error))

    async def rings() -> None:
        number = 0
        # A connection for each ring, as most of the provider's webhooks are.
        limits = httpx2.Limits(max_keepalive_connections=0)
        async with httpx2.AsyncClient(trust_env=False, timeout=10, limits=limits) as client:
            while not stop.is_set():
                number += 1
                await ring(client, number)

    async def answered(more: int) -> None:
        """Wait until so many more rings are answered, or one is refused."""
        wanted = len(answers) + more
        while len(answers) < wanted and not refused:
            await asyncio.sleep(0.02)

    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=20) as client:
            await ready(client, f"http://127.0.0.1:{health}")
            ringing = [asyncio.create_task(rings()) for _ in range(3)]
            await answered(5)
            program.serve(*words, "--replace")
            assert await asyncio.to_thread(first.wait, 60) == 0
            await answered(5)
            stop.set()
            await asyncio.gather(*ringing)
            await ready(client, f"http://127.0.0.1:{health}")
            assert (await client.get(program.base + "/readyz")).status_code == 404
            assert program.process is not None
            assert program.process.poll() is None
        assert refused == []
        assert set(answers) == {200}
    finally:
        stop.set()
        first.kill()
        program.stop()


def _served(program: Program, listener: socket.socket, notify: Path) -> Serving:
    """Serve on a socket that a service manager keeps."""
    return Serving(
        *("serve", "--port", str(program.port)),
        environment={**program.environment, "NOTIFY_SOCKET": str(notify)},
        log=program.log.name,
        listener=listener,
    )


async def _ready_from(notified: socket.socket) -> str:
    notified.settimeout(60)
    return (await asyncio.to_thread(notified.recv, 200)).decode()


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
            running.append(_served(program, listener, folder / "notify"))
            assert f"MAINPID={running[0].pid}" in await _ready_from(notified)
            running[0].terminate()
            assert await asyncio.to_thread(running[0].wait, 60) == 0
            async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
                ring = asyncio.create_task(client.post(url, data=dict(fields), headers=signed))
                await asyncio.sleep(0.5)
                running.append(_served(program, listener, folder / "notify"))
                answer = await ring
            assert answer.status_code == 200
            assert "<Gather" in answer.text
            assert "READY=1" in await _ready_from(notified)
        finally:
            for process in running:
                process.terminate()
                process.wait(30)
            program.log.close()
