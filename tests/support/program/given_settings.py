"""Settings with which production starts."""

import base64
import hashlib
import os

import pytest

KEY = "1:" + base64.b64encode(hashlib.sha256(b"a key for tests").digest()).decode()
PASSWORD = "h4Wd9QzRk2TnVb7x"
GOOD = {
    "ENV": "production",
    "SECRET_KEY": "Zq3vT8yLr0WmXk5BdNcJhGfPuAeSi29o7",
    "FIELD_KEYS": KEY,
    "TWILIO_ACCOUNT_SID": "AC1",
    "TWILIO_AUTH_TOKEN": "9b41f7d20e6c83a5d17f4029be58c36a",
    "TWILIO_API_KEY_SID": "SK1",
    "TWILIO_API_KEY_SECRET": "Vn4sTq8ZyPd1LxWc6RkB0mHfJ3gUe9Xa",
    "PUBLIC_URL": "https://helpline.example.org",
    "DATABASE_URL": f"postgresql://helpline:{PASSWORD}@db/helpline?sslmode=verify-full",
    "SCAN_COMMAND": "clamdscan --no-summary -",
    "ANCHOR_FILE": "/mnt/elsewhere/anchors.jsonl",
    "LEAKED_PASSWORDS": "https://passwords.example.org/range",
}


def set_only(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    """Let the environment hold these settings and no other."""
    for name in [name for name in os.environ if name.startswith("HELPLINE_")]:
        monkeypatch.delenv(name)
    for name, value in values.items():
        monkeypatch.setenv(f"HELPLINE_{name}", value)
