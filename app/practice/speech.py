"""Speak sentences: a synthesiser for the practice callers and for our own prompts.

eSpeak NG comes as a wheel of its own in the extra `demo`, because its licence (GPL-3) is not ours.
Without it nothing is spoken, and everything else works.
"""

import ctypes
import functools
import io
import threading
import wave

import numpy as np

Sound = np.ndarray[tuple[int], np.dtype[np.int16]]

# Samples per second of everything that the exchange mixes.
RATE = 8000
SILENCE: Sound = np.zeros(0, np.int16)
_SYNCHRONOUS, _UTF8 = 2, 1
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)
# Prompts repeat, so their sound is kept.
_KEPT = 200


class _Engine:
    """The library, which is not safe to use from two threads at once."""

    def __init__(self) -> None:
        import espeakng_loader

        self._library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
        data = str(espeakng_loader.get_data_path()).encode()
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)
        self._parts: list[Sound] = []
        self._lock = threading.Lock()
        # Kept, so that the library can call it for as long as the program runs.
        self._callback = _CALLBACK(self._take)
        self._library.espeak_SetSynthCallback(self._callback)

    def _take(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _: object) -> int:
        if samples and count > 0:
            self._parts.append(np.ctypeslib.as_array(samples, (count,)).astype(np.int16))
        return 0

    def speak(self, words: str, language: str) -> Sound:
        with self._lock:
            self._parts.clear()
            if self._library.espeak_SetVoiceByName(language.encode()) != 0:
                self._library.espeak_SetVoiceByName(b"en")
            text = words.encode()
            self._library.espeak_Synth(text, len(text) + 1, 0, 1, 0, _UTF8, None, None)
            made = np.concatenate(self._parts) if self._parts else SILENCE
        return resampled(made, self._rate)


@functools.cache
def _engine() -> _Engine | None:
    try:
        return _Engine()
    except (ImportError, OSError):
        return None


# Two threads that ask for what is not cached yet would both make it, and the library, which keeps
# its state for the whole process, then ends the process.
_FIRST = threading.Lock()


@functools.lru_cache(_KEPT)
def spoken(words: str, language: str) -> Sound:
    """Return a sentence as sound, 8 kHz. Empty if there is no synthesiser on this machine.

    `language` is a code like `sr` or `en-GB`. A voice that is not there is replaced by English.
    """
    with _FIRST:
        engine = _engine()
    if engine is None:
        return SILENCE
    return engine.speak(words, language.partition("-")[0].lower() or "en")


def resampled(sound: Sound, rate: int) -> Sound:
    """Return a sound of any rate at the rate of the mixer."""
    if rate == RATE or not len(sound):
        return sound
    wanted = np.arange(0, len(sound), rate / RATE)
    # An average over one wanted sample keeps high tones from folding into low ones.
    width = max(1, round(rate / RATE))
    smooth = np.convolve(sound.astype(np.float32), np.full(width, 1 / width), "same")
    made: Sound = np.interp(wanted, np.arange(len(sound)), smooth).astype(np.int16)
    return made


def read_wav(file: bytes) -> Sound:
    """Return what is in a WAV file of 16 bit; nothing for other files."""
    try:
        with wave.open(io.BytesIO(file)) as opened:
            if opened.getsampwidth() != 2:
                return SILENCE
            samples = np.frombuffer(opened.readframes(opened.getnframes()), "<i2")
            channels = opened.getnchannels()
            one = samples.reshape(-1, channels).mean(axis=1).astype(np.int16)
            return resampled(one, opened.getframerate())
    except (wave.Error, EOFError):
        return SILENCE
