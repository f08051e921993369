"""Makes an application once, in the process from which servers are forked.

What it works out from the code alone stays with that process, and each server has it.
"""

import gc

from app.main import make_app
from app.settings import Settings
from app.work import make_ground

_SETTINGS = Settings(
    database_url="postgresql://127.0.0.1:9/none",
    public_url="http://127.0.0.1:9",
    secret_key="practice-secret-key-practice-secret-key",
    field_keys="1:cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY=",
)
make_app(make_ground(_SETTINGS), with_worker=True)
# What is loaded stays: to look through it in each server would copy it for each.
gc.collect()
gc.freeze()
