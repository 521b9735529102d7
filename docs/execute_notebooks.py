"""Execute the notebooks of ``examples/``, two at a time, for the documentation's build.

    python docs/execute_notebooks.py FOLDER

Sphinx takes what they show from FOLDER, its ``nb_execution_cache_path``. By itself it
executes them while it reads their pages, which are neighbours and mostly read by one
process, one after another.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution

LIMIT = 300  # s, for each cell
NOTEBOOKS = Path(__file__).resolve().parents[1] / "examples"


def execute(path: Path) -> CacheBundleIn:
    """Return a notebook with its outputs; files that it writes are dropped.

    Raises
    ------
    RuntimeError
        If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(NOTEBOOKS / "data", Path(folder, "data"))
        result = single_nb_execution(
            notebook, cwd=folder, timeout=LIMIT, allow_errors=False, meta_override=True
        )
    if result.err is not None:
        raise RuntimeError(f"{path.name} failed:\n{result.exc_string}")
    return CacheBundleIn(notebook, str(path), data={"execution_seconds": result.time})


def main(folder: str) -> None:
    """Execute all notebooks and keep them in ``folder``."""
    cache = get_cache(folder)
    with ProcessPoolExecutor(2) as pool:
        # the last of the alphabet takes longest, and is not left to one process alone
        paths = sorted(NOTEBOOKS.glob("*.ipynb"), reverse=True)
        for bundle in pool.map(execute, paths):
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            name, seconds = Path(bundle.uri).name, bundle.data["execution_seconds"]
            print(f"{name}: {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
