"""Puts the pages on the application."""

from fastapi import FastAPI


def add_dashboard(app: FastAPI) -> None:
    """Pages, fragments and static files."""
