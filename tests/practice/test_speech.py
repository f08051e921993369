"""What the practice callers say is spoken by a library that is not safe in two threads."""

import subprocess
import sys

import pytest

# In a process of its own: the library is there once in each, and what goes wrong ends it.
_AT_ONCE = """
import threading
from app.practice.speech import spoken

together, lengths = threading.Barrier(8), [0] * 8

def say(place):
    together.wait()
    lengths[place] = len(spoken(f"word {place}", "en"))

threads = [threading.Thread(target=say, args=(place,)) for place in range(8)]
for one in threads:
    one.start()
for one in threads:
    one.join()
assert all(lengths), lengths
"""


def test_the_first_sentences_of_a_process_may_be_said_at_once() -> None:
    pytest.importorskip("espeakng_loader")
    said = subprocess.run([sys.executable, "-c", _AT_ONCE], capture_output=True, text=True)
    assert (said.returncode, said.stderr) == (0, "")
