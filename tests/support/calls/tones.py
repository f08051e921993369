"""Steady tones, by which it is heard who hears whom."""

import numpy as np

from app.practice.speech import RATE, Sound


def tone(hertz: float, seconds: float, loudness: float = 0.3) -> Sound:
    """Return a steady tone. `loudness` is 1 for the loudest that fits."""
    at = np.arange(int(RATE * seconds)) / RATE
    made: Sound = (np.sin(2 * np.pi * hertz * at) * loudness * 32_767).astype(np.int16)
    return made
