"""WAV sound alone, without what a device wrote around it. Pure."""

import io
import wave


def sound_alone(content: bytes) -> bytes:
    """Return the sound without details."""
    made = io.BytesIO()
    with wave.open(io.BytesIO(content), "rb") as source, wave.open(made, "wb") as target:
        target.setnchannels(source.getnchannels())
        target.setsampwidth(source.getsampwidth())
        target.setframerate(source.getframerate())
        target.writeframes(source.readframes(source.getnframes()))
    return made.getvalue()
