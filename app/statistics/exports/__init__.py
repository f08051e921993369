"""Tables as files.

The libraries below have two heaps that keep what is freed: one of Arrow's own, which its Parquet
writer uses whatever pool Python has set, and one for each thread of the C library. The first is
switched off here, before Arrow is loaded; for the second, a command has one thread
(`app/cli/running.py`).
"""

import os

os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
