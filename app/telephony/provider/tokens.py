"""The token with which a page's telephone connects to the provider."""

from datetime import timedelta

from twilio.jwt.access_token import AccessToken
from twilio.jwt.access_token.grants import VoiceGrant

from app.settings import Settings

# How long a telephone may stay connected with one token; the page asks for the next one in time.
LIVES = timedelta(hours=1)


def mint(settings: Settings, identity: str) -> str:
    """Return a token that lets a page be rung under an identity, and do nothing else."""
    token = AccessToken(
        settings.twilio_account_sid,
        settings.twilio_api_key_sid,
        settings.twilio_api_key_secret,
        identity=identity,
        ttl=int(LIVES.total_seconds()),
    )
    token.add_grant(VoiceGrant(incoming_allow=True))
    return str(token.to_jwt())
