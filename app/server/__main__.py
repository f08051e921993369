"""Run as one of several processes, `web` or `worker`, with the open files that it inherits."""

import contextlib
import gc
import os
import runpy
import socket
import sys

from app.crashes import tell_no_words
from app.errors import BadSettings
from app.log import set_up_logging
from app.reading_settings import read_settings
from app.server.processes import end_with_parent
from app.server.serving import Server, config_of


def _work_as_child(alive: int) -> None:
    """Run the worker beside several web processes."""
    end_with_parent(alive)
    sys.argv = ["helpline", "worker"]
    runpy.run_module("app.cli", run_name="__main__")


def _serve_as_child(alive: int, writer: int, *handles: int) -> None:
    """Serve as one of several web processes; the parent has set up database and sockets."""
    tell_no_words()
    gc.disable()
    end_with_parent(alive)
    from app.main import make_app
    from app.work import make_ground

    settings = read_settings()
    set_up_logging(settings.log_level)
    application = make_app(make_ground(settings), with_worker=False, phone_first=True)
    server = Server(config_of(application, settings), lambda: _write_once(writer))
    server.run(sockets=[socket.socket(fileno=handle) for handle in handles])


def _write_once(writer: int) -> None:
    with contextlib.suppress(OSError):
        os.write(writer, b"1")


if __name__ == "__main__":
    given = [int(handle) for handle in sys.argv[2:]]
    try:
        if sys.argv[1] == "worker":
            _work_as_child(*given)
        else:
            _serve_as_child(*given)
    except BadSettings as error:
        # As the command itself says it.
        print(f"helpline: {error}", file=sys.stderr)
        sys.exit(2)
