"""Execute the notebooks of ``examples/``, two at a time, for the documentation's build.

    python docs/execute_notebooks.py FOLDER

``docs/conf.py`` calls this before Sphinx reads pages; MyST-NB takes what the notebooks
show from FOLDER, its cache. By itself it would execute them while Sphinx reads their
pages, which are neighbours and mostly read by one process, one after another.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
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


def is_kept(cache: JupyterCacheAbstract, path: Path) -> bool:
    """Tell whether the outputs of a notebook's code are in the cache."""
    try:
        cache.match_cache_notebook(nbformat.read(path, as_version=4))
    except KeyError:
        return False
    return True


def main(folder: str) -> None:
    """Execute the notebooks that are not in ``folder``, and keep them there."""
    cache = get_cache(folder)
    with ProcessPoolExecutor(2) as pool:
        # the last of the alphabet takes longest, and is not left to one process alone
        paths = sorted(NOTEBOOKS.glob("*.ipynb"), reverse=True)
        paths = [path for path in paths if not is_kept(cache, path)]
        for bundle in pool.map(execute, paths):
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            name, seconds = Path(bundle.uri).name, bundle.data["execution_seconds"]
            print(f"{name}: {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
