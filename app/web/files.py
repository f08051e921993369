"""The files of the pages: scripts, styles, pictures and fonts that the build has put there."""

import os
from pathlib import PurePosixPath

from starlette.staticfiles import StaticFiles

# Others lie in the folder for the program itself, or by mistake, and are not found from outside.
KINDS = frozenset({".css", ".js", ".png", ".svg", ".woff2", ".txt"})


class Files(StaticFiles):
    """Serves files of these kinds, and no others."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        if PurePosixPath(path).suffix.lower() not in KINDS:
            return "", None
        return super().lookup_path(path)
