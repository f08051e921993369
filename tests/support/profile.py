"""How much the dearest tests try: a part by default, everything where CI has the time.

`TESTS=whole` plays more hours and sequences of random events, and lives every day. The rules
and the invariants are the same in both.
"""

import os

WHOLE = os.environ.get("TESTS") == "whole"
