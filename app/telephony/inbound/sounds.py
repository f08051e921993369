"""The waiting sound: a soft chord that swells and fades, four seconds long, made to loop.

It is computed here, so no rights of others apply: three sine tones (A3, C sharp 4, E4, each
rounded to whole periods of the loop) under a raised cosine, at a fifth of full scale.
"""

import array
import io
import math
import sys
import wave
from functools import lru_cache

SECONDS = 4
_RATE = 8000
_TONES = (220.0, 277.25, 329.75)
_LOUDNESS = 0.2


@lru_cache(maxsize=1)
def waiting_sound() -> bytes:
    """Return the sound as a WAV file: 8 kHz, 16 bit, one channel, 64 kB."""
    count = SECONDS * _RATE
    turn = 2 * math.pi / _RATE
    samples = array.array("h")
    for n in range(count):
        swell = 0.6 - 0.4 * math.cos(2 * math.pi * n / count)
        tone = sum(math.sin(turn * pitch * n) for pitch in _TONES) / len(_TONES)
        samples.append(round(32767 * _LOUDNESS * swell * tone))
    if sys.byteorder == "big":
        samples.byteswap()
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(samples.tobytes())
    return made.getvalue()
