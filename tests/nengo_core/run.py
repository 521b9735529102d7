"""Run the test suite that ships with Nengo on `nengo_dl.Simulator`.

    python tests/nengo_core/run.py [--dtype float64|float32] [--unroll N] [--no-jit]
                                   [--full] [pytest arguments ...]

544 tests need a simulator; ``--full`` adds the slow ones and those of Nengo's old
semantic pointers, 579 in all. What is left out, and why, is in ``exclusions.py``. Any
argument of pytest can be added: ``-k test_ensemble``, ``--unsupported``, ``-n 0``.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from exclusions import excluded, tolerances

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]


def ini(dtype: str) -> str:
    """Return the configuration of pytest."""
    lines = ["[pytest]", "nengo_simulator = nengo_dl.Simulator"]
    lines.append("nengo_test_unsupported =")
    for pattern, reason in excluded(dtype).items():
        lines += [f"    {pattern}", f"        {shlex.quote(reason)}"]
    lines.append("allclose_tolerances =")
    lines += [f"    {pattern} {t}" for pattern, t in tolerances(dtype).items()]
    return "\n".join(lines) + "\n"


def environment() -> dict[str, str]:
    """Return the variables of the environment that the tests run in."""
    path = [str(HERE)]
    if importlib.util.find_spec("nengo_dl") is None:
        path.append(str(CHECKOUT))
    if "PYTHONPATH" in os.environ:
        path.append(os.environ["PYTHONPATH"])
    return {
        **os.environ,
        "MPLBACKEND": "Agg",
        "PYTHONPATH": os.pathsep.join(path),
        # where nengo_dl is installed, the checkout shall not hide it
        "PYTHONSAFEPATH": "1",
    }


def command(
    options: argparse.Namespace, rest: list[str], configuration: Path
) -> list[str]:
    """Return the command line of pytest."""
    spec = importlib.util.find_spec("nengo")
    if spec is None or spec.origin is None:
        raise SystemExit(
            "Nengo is not installed; `pip install nengo-dl[tests]` does so"
        )
    args = [sys.executable, "-m", "pytest", "--pyargs", "nengo"]
    args += ["-p", "plugin", "-p", "no:cacheprovider", "-c", str(configuration)]
    # node ids are the seeds of these tests, and have to begin with `nengo/`
    args += ["--rootdir", str(Path(spec.origin).parents[1])]
    # a hundred processes that each import TensorFlow
    args += ["--deselect", "nengo/tests/test_cache.py::test_cache_concurrency"]
    if importlib.util.find_spec("xdist") is not None:
        args += ["-n", "2"]
    if options.full:
        args += ["--spa", "--slow"]
    return [*args, "--dtype", options.dtype, *rest]


def main() -> int:
    """Run the suite; return the exit code of pytest."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="--unroll N and --no-jit are handed on: see plugin.py",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--dtype",
        choices=("float64", "float32"),
        default="float64",
        help="precision of the simulation (default %(default)s)",
    )
    parser.add_argument(
        "--full", action="store_true", help="slow tests and tests of nengo.spa too"
    )
    options, rest = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "pytest.ini"
        configuration.write_text(ini(options.dtype), encoding="utf-8")
        return subprocess.run(
            command(options, rest, configuration), env=environment(), check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
