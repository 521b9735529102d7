"""Run the test suite that ships with Nengo on `nengo_dl.Simulator`.

    python tests/nengo_core/run.py [--dtype float64|float32] [--unroll N] [--no-jit]
                                   [--full] [--reference] [pytest arguments ...]
    python tests/nengo_core/run.py --all|--every-change [pytest arguments ...]

544 tests need a simulator; ``--full`` adds the slow ones and those of Nengo's old
semantic pointers, 579 in all. ``--all`` runs them in each of the configurations that
have to pass, ``--every-change`` in two that cover most of it in less than half the
time, ``--reference`` on ``nengo.Simulator``. What is left out, and why, is in
``exclusions.py``. Any argument of pytest can be added: ``-k test_ensemble``,
``--unsupported``, ``-n 0``.
"""

import sys
from pathlib import Path

from exclusions import excluded, tolerances

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "suites"))

from suite import Suite, main

NENGO = Suite(
    package="nengo",
    install="'.[tests]'",
    excluded=excluded,
    tolerances=tolerances,
    # a hundred processes that each import TensorFlow
    arguments=("--deselect", "nengo/tests/test_cache.py::test_cache_concurrency"),
    full=("--spa", "--slow"),
    configurations=(
        ("--full",),
        ("--full", "--dtype", "float32"),
        ("--unroll", "5"),
        ("--no-jit",),
    ),
    # the plain graph in 64 bits, and XLA in 32. The slow tests take ten minutes more
    every_change=(("--no-jit",), ("--dtype", "float32")),
)

if __name__ == "__main__":
    sys.exit(main(NENGO, __doc__))
