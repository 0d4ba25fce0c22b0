"""Sphinx settings of the Core OEM documents."""

project = "Core OEM"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = "Core OEM"
myst_heading_anchors = 3
exclude_patterns = ["_build"]
