"""Add the child's page and its interface to the application."""

from fastapi import FastAPI

from app.child import conversations, page
from app.web.routes import include


def add_child(app: FastAPI) -> None:
    """Add the routes of the child's page: its own after those whose addresses are words."""
    include(app, conversations.router)
    include(app, page.router)
