"""How much the dearest tests try: a part by default, everything where CI has the time.

`TESTS=whole` plays more hours and sequences of random events, lives every day, and tells the
stories that are `nightly`. The rules and the invariants are the same in both.
"""

import os

import pytest

WHOLE = os.environ.get("TESTS") == "whole"
# For a story whose proof another test has already: of the verb, of the rule, or of a like story.
nightly = pytest.mark.skipif(not WHOLE, reason="proven elsewhere, too: with TESTS=whole")
