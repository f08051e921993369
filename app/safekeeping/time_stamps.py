"""Time stamps by an authority, after RFC 3161: proof that a document was there at a moment."""

from pathlib import Path

import httpx2
from cryptography import x509
from rfc3161_client import (
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from app.outbox.responses import TryAgain
from app.settings import Settings

# Seconds that one request may take.
_TIMEOUT = 20
_MEDIA_TYPE = "application/timestamp-query"


def _roots(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


async def stamp(settings: Settings, data: bytes) -> bytes:
    """Return the authority's response for some data, after it was verified.

    Raises TryAgain.
    """
    assert settings.anchor_time_stamp_url is not None
    request = TimestampRequestBuilder().data(data).nonce(nonce=True).build()
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=_TIMEOUT) as client:
            answer = await client.post(
                settings.anchor_time_stamp_url,
                content=request.as_bytes(),
                headers={"Content-Type": _MEDIA_TYPE},
            )
    except httpx2.HTTPError as error:
        raise TryAgain(type(error).__name__) from None
    if answer.status_code != 200:
        raise TryAgain(f"status {answer.status_code}")
    if not is_stamped(settings, data, answer.content, nonce=request.nonce):
        raise TryAgain("the time stamp does not verify")
    return answer.content


def is_stamped(settings: Settings, data: bytes, proof: bytes, nonce: int | None = None) -> bool:
    """Return whether a response of the authority is one for this data."""
    assert settings.anchor_time_stamp_certificate is not None
    try:
        response = decode_timestamp_response(proof)
        builder = VerifierBuilder()
        for root in _roots(settings.anchor_time_stamp_certificate):
            builder = builder.add_root_certificate(root)
        if nonce is not None:
            builder = builder.nonce(nonce)
        return bool(builder.build().verify_message(response, data))
    except (ValueError, VerificationError):
        return False
