"""The first command of the README, as a reader types it: a helpline that lives until Ctrl-C."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from app.demo.live import NAME
from app.demo.people import PASSWORD
from app.demo.served import free_port
from tests.support.commands import Serving, command
from tests.support.profile import WHOLE, nightly
from tests.support.waiting import until

SIGN_IN = f"Sign in as  {NAME}   with password  {PASSWORD}"


@nightly
async def test_the_demo_lets_ana_open_the_board_and_stops_with_ctrl_c(
    new_folder: Callable[[], Path],
) -> None:
    folder, port = new_folder(), free_port()
    # The demo keeps its database in a folder of its own in the data folder.
    (folder / "var").rename(folder / "demo")
    log = folder / "log"
    environment = {"HELPLINE_DATA_DIR": str(folder), "HOME": str(folder), "BROWSER": "true"}
    demo = Serving("demo", "--port", str(port), environment=environment, log=str(log))
    try:
        base = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient(follow_redirects=True) as browser:
            await until(lambda: log.exists() and SIGN_IN in log.read_text(), within=60)
            sent = {"username": NAME, "password": PASSWORD}
            assert "/login" not in str((await browser.post(f"{base}/login", data=sent)).url)
            board = await browser.get(base)
        assert (board.status_code, board.url.path) == (200, "/")
        assert 'id="queue"' in board.text
        demo.send(signal.SIGINT)
        assert demo.wait(30) == 0
    finally:
        demo.send(signal.SIGKILL)
    assert "The demo has stopped. Its data is kept." in log.read_text()


@pytest.mark.skipif(not WHOLE, reason="by night: it takes minutes")
# As long as the hour may take that is played in the process of the tests.
@pytest.mark.timeout(1300)
@pytest.mark.parametrize("seed", [(), ("--seed", "11")])
def test_the_scripted_hour_is_played_on_the_command_line(
    new_folder: Callable[[], Path], seed: tuple[str, ...]
) -> None:
    folder = str(new_folder())
    environment = {"HELPLINE_DATA_DIR": folder, "HOME": folder}
    done = command("demo", "--once", *seed, environment=environment, timeout=1200)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["broken"] == []
