"""The sockets on which the server listens: its own, that of monitoring, or one of systemd."""

import contextlib
import os
import socket

from app.errors import BadSettings
from app.settings import Settings

# Connections that wait to be accepted: a few hundred rings may come at once.
BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, and that other processes inherit. Raises BadSettings."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, UnicodeError, TypeError) as error:
        listener.close()
        why = error.strerror if isinstance(error, OSError) else "that is no host"
        raise BadSettings(
            f"Cannot listen on {host}:{port} ({why}). Choose another --port (or "
            "HELPLINE_MONITORING_PORT), or take over from the running server with --replace."
        ) from None
    listener.listen(BACKLOG)
    listener.set_inheritable(True)
    return listener


def listen_for_monitoring(
    settings: Settings, listener: socket.socket, taken: list[socket.socket]
) -> list[socket.socket]:
    """Return the socket of HELPLINE_MONITORING_PORT, if it is set: one that was taken over, or new.

    Raises BadSettings.
    """
    host, port = settings.monitoring_address, settings.monitoring_port
    kept = [one for one in taken if one.getsockname()[:2] == (host, port)]
    for one in taken:
        if one not in kept:
            one.close()
    if port is None or kept:
        return kept
    if listener.family != socket.AF_UNIX and listener.getsockname()[1] == port:
        raise BadSettings(
            "HELPLINE_MONITORING_PORT is the port of the pages. Choose another one, which only "
            "your monitoring reaches."
        )
    return [listen(host, port)]


def socket_of_systemd() -> socket.socket | None:
    """Return the socket that a systemd socket unit passes on, if any; see sd_listen_fds(3)."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    return socket.socket(fileno=3)


def notify_systemd() -> None:
    """Tell systemd that we are ready and which process is the main one; see sd_notify(3)."""
    if not (address := os.environ.get("NOTIFY_SOCKET")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect("\0" + address[1:] if address.startswith("@") else address)
        sender.send(f"READY=1\nMAINPID={os.getpid()}".encode())
