"""Configuration of Sphinx; build with ``tox -e docs``."""

import logging
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nengo_dl

project = "NengoDL"
author = "The NengoDL founders"
copyright = "2026, The NengoDL founders"
version = release = nengo_dl.__version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "myst_nb",
    "numpydoc",
]
exclude_patterns = ["_build"]
default_role = "py:obj"

autosummary_generate = False  # tables of contents, no pages of their own
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say more: shapes, units
# as they are written: what they become may print paths of this machine
autodoc_preserve_defaults = True
numpydoc_show_class_members = False

intersphinx_mapping = {
    "matplotlib": ("https://matplotlib.org/stable/", None),
    "nengo": ("https://www.nengo.ai/nengo/", None),
    "numpy": ("https://numpy.org/doc/stable/", None),
    "python": ("https://docs.python.org/3/", None),
    # TensorFlow has no inventory of its own, this one is kept by the GPflow project;
    # there is none for Keras
    "tensorflow": (
        "https://www.tensorflow.org/api_docs/python",
        "https://github.com/GPflow/tensorflow-intersphinx/raw/master/tf2_py_objects.inv",
    ),
}
intersphinx_timeout = 5  # s

# the notebooks have no outputs: see _execute_notebooks
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
# TensorFlow's remarks about the machine, which no level of logging silences
nb_output_stderr = "remove"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

# pictures of the page about nengo_dl.plots
plot_formats = [("png", 120)]
plot_html_show_formats = False
plot_html_show_source_link = False

html_theme = "furo"
html_title = f"NengoDL {release}"
# MathJax comes along, so that formulas are shown without a network
_mathjax: Any = find_spec("sphinx-mathjax-offline")
html_static_path = [
    "_static",
    *(f"{folder}/static" for folder in _mathjax.submodule_search_locations),
]
mathjax_path = "mathjax/tex-chtml.js"
html_css_files = ["tables.css", "notebooks.css"]
html_js_files = ["tables.js"]


class _InventoriesAreOptional(logging.Filter):
    """Drop the warning that other projects' inventories cannot be fetched.

    Offline, links to these projects become plain text; every other warning still fails
    a build with ``-W``.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return "inventories" not in str(record.msg)


logging.getLogger("sphinx.sphinx.ext.intersphinx").addFilter(_InventoriesAreOptional())


def _copy_notebooks() -> None:
    """Bring ``examples/*.ipynb`` where Sphinx finds them: below its own folder."""
    here = Path(__file__).parent
    target = here / "examples"
    target.mkdir(exist_ok=True)
    notebooks = {path.name: path for path in here.parent.glob("examples/*.ipynb")}
    for old in target.glob("*.ipynb"):
        if old.name not in notebooks:
            old.unlink()
    for name, path in notebooks.items():
        copy = target / name
        # a file that is as it was stays, so that Sphinx does not read it again
        if not copy.exists() or copy.read_bytes() != path.read_bytes():
            copy.write_bytes(path.read_bytes())


def _copy_data_of_notebooks() -> None:
    """Bring ``examples/data`` beside the notebooks, which read files in it."""
    here = Path(__file__).parent
    source, target = here.parent / "examples" / "data", here / "examples" / "data"
    shutil.copytree(source, target, dirs_exist_ok=True)


_copy_notebooks()
_copy_data_of_notebooks()


def _current_arguments(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: Any, returns: Any
) -> tuple[Any, Any]:
    """Leave out of signatures what takes the arguments of older releases.

    Names of this package for defaults mean nothing to readers: ``...`` is a default
    that the text tells of, and what is made anew for each object is an empty dict.
    """
    if signature is not None:
        signature = signature.replace("*legacy", "*").replace(", **older", "")
        signature = signature.replace("=NOT_GIVEN", "=...").replace("=<factory>", "={}")
    return signature, returns


def _execute_notebooks(app: Any) -> None:
    """Execute the notebooks before Sphinx begins to read pages.

    What they show is kept in the cache of MyST-NB, beside the output folder, until
    their code changes.
    """
    if app.config.nb_execution_mode == "cache":
        program = Path(__file__).with_name("execute_notebooks.py")
        cache = Path(app.outdir).parent / ".jupyter_cache"
        subprocess.run([sys.executable, program, cache], check=True)


def setup(app: Any) -> None:
    """Tell Sphinx about the functions above."""
    app.connect("autodoc-process-signature", _current_arguments)
    app.connect("builder-inited", _execute_notebooks)
