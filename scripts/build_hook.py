"""Bundles the scripts and styles of the pages before a wheel is packed."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class AssetsHook(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Run `scripts/assets`; an editable install is served by `scripts/setup.sh`."""
        if version == "standard":
            subprocess.run([sys.executable, Path(self.root) / "scripts/assets"], check=True)
