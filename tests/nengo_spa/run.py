"""Run the test suite that ships with NengoSPA on `nengo_dl.Simulator`.

    python tests/nengo_spa/run.py [--dtype float64|float32] [--unroll N] [--no-jit]
                                  [--full] [--reference] [pytest arguments ...]
    python tests/nengo_spa/run.py --all [pytest arguments ...]

197 tests need a simulator; three of them are slow and need ``--full``. ``--all`` runs
all of them in both precisions, ``--reference`` on ``nengo.Simulator``. What is left
out, and why, is in ``exclusions.py``. Any argument of pytest can be added:
``-k test_bind``, ``--unsupported``, ``-n 0``.
"""

import sys
from pathlib import Path

from exclusions import excluded

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "suites"))

from suite import Suite, main

NENGO_SPA = Suite(
    package="nengo_spa",
    install="'.[tests,nengo-spa]'",
    excluded=excluded,
    # runs the notebooks of NengoSPA's repository, which are not in the package
    ignored=("tests/test_examples.py",),
    full=("--slow",),
    configurations=(("--full",), ("--full", "--dtype", "float32")),
)

if __name__ == "__main__":
    sys.exit(main(NENGO_SPA, __doc__))
