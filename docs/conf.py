"""The documentation site: Markdown pages, built by Sphinx."""

import re
from pathlib import Path

from sphinx.application import Sphinx

project = "Helpline"
author = "the helpline's authors"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
html_theme = "furo"
html_title = "Helpline"
html_static_path: list[str] = []
exclude_patterns: list[str] = []
myst_heading_anchors = 4

# Pages at the top of the repository: each is included by a page of the same name in this folder.
_TOP = re.compile(r"(?<=\]\()(?:\.\./)+((?:SECURITY|CONTRIBUTING|CHANGELOG)\.md)")


def lead_to_included(_app: Sphinx, page: str, source: list[str]) -> None:
    """Lead links to the top of the repository to the pages that include those pages."""
    up = "../" * len(Path(page).parts[:-1])
    source[0] = _TOP.sub(rf"{up}\1", source[0])


def setup(app: Sphinx) -> None:
    """Register what happens while the site is built; Sphinx calls this."""
    app.connect("source-read", lead_to_included)
