"""The documentation site: Markdown pages, built by Sphinx."""

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
# Pages outside of the folder (the licence, the contributing guide) are links to the repository.
suppress_warnings = ["myst.xref_missing"]
