"""Configuration of Sphinx; build with ``tox -e docs``."""

import logging

import nengo_dl

project = "NengoDL"
author = "The NengoDL founders"
copyright = "2026, The NengoDL founders"
version = release = nengo_dl.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "numpydoc",
]
exclude_patterns = ["_build"]
default_role = "py:obj"

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say more: shapes, units
numpydoc_show_class_members = False

intersphinx_mapping = {
    "nengo": ("https://www.nengo.ai/nengo/", None),
    "numpy": ("https://numpy.org/doc/stable/", None),
    "python": ("https://docs.python.org/3/", None),
}
intersphinx_timeout = 5  # s

html_theme = "furo"
html_title = f"NengoDL {release}"
html_static_path = ["_static"]
html_css_files = ["tables.css"]


class _InventoriesAreOptional(logging.Filter):
    """Drop the warning that other projects' inventories cannot be fetched.

    Offline, links to these projects become plain text; every other warning still fails
    a build with ``-W``.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return "inventories" not in str(record.msg)


logging.getLogger("sphinx.sphinx.ext.intersphinx").addFilter(_InventoriesAreOptional())
