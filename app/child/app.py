"""Add the child's page and its interface to the application."""

from fastapi import FastAPI

from app.child import conversations, page
from app.child.waiting import OpenStreams
from app.web.clients import Clients
from app.web.connections import most_connections
from app.web.routes import include

# Streams and long polls of all children in one process; at least half of the connections that the
# system allows it are left for webhooks and for the people of the helpline.
_MOST_WAITING = 2_000


def add_child(app: FastAPI) -> None:
    """Add the routes of the child's page: its own after those whose addresses are words."""
    app.state.clients = Clients(app.state.ground.clock)
    app.state.waiting = OpenStreams(min(_MOST_WAITING, most_connections() // 2))
    include(app, conversations.router)
    include(app, page.router)
