"""The platform of the settings."""

from collections.abc import Mapping

from app.settings import Settings
from app.telephony.platforms.base import Platform
from app.telephony.platforms.conference import ConferencePlatform
from app.telephony.platforms.dial import DialPlatform

KINDS: Mapping[str, type[Platform]] = {"twilio": ConferencePlatform, "somleng": DialPlatform}


def platform_of(settings: Settings) -> Platform:
    """Return the telephony platform that the settings choose."""
    return KINDS[settings.telephony_platform](settings)
