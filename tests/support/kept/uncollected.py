"""Loaded first in the process from which commands are forked: it collects no garbage.

To look for some in what is loaded takes as long as the loading. A command collects its own again.
"""

import gc

gc.disable()
