"""Add the interface of the child's page to the application."""

from fastapi import FastAPI

from app.child import conversations
from app.web.routes import include


def add_child(app: FastAPI) -> None:
    """Add the routes of the child's page."""
    include(app, conversations.router)
