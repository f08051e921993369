"""The engine for translations that the settings name; without one there is no sign of it."""

from app.outbox.translation.base import Engine
from app.outbox.translation.libre import Libre
from app.settings import Settings


def engine_of(settings: Settings) -> Engine | None:
    """Return the engine of this server; None if none is set."""
    if settings.translation_url is None:
        return None
    return Libre(settings.translation_url, settings.translation_key, settings.translation_timeout)
