"""Run tests that ship with another package on `nengo_dl.Simulator`, through pytest.

What a suite is, its ``run.py`` tells; how simulators get into its tests, ``plugin.py``.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]


@dataclass(frozen=True)
class Suite:
    """The tests of a package, written so that any simulator can be put under them.

    Attributes
    ----------
    package : str
        The package that has the tests.
    install : str
        What pip has to install for them.
    excluded, tolerances : callable
        ``{pattern: reason}`` of what is left out, and ``{pattern: tolerances}``, for a
        simulation of a type.
    ignored : tuple of str
        Files with tests that are not even read, from the folder of the package.
    arguments : tuple of str
        Further arguments of pytest, in each run.
    full : tuple of str
        Arguments that ``--full`` stands for.
    configurations : tuple of tuple of str
        The arguments of each run of ``--all``.
    every_change : tuple of tuple of str
        The arguments of each run of ``--every-change``.
    """

    package: str
    install: str
    excluded: Callable[[str], Mapping[str, str]]
    tolerances: Callable[[str], Mapping[str, str]] = lambda dtype: {}
    ignored: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    full: tuple[str, ...] = ()
    configurations: tuple[tuple[str, ...], ...] = ((),)
    every_change: tuple[tuple[str, ...], ...] = ((),)


def ini(suite: Suite, options: argparse.Namespace) -> str:
    """Return the configuration of pytest."""
    if options.reference:
        return "[pytest]\nnengo_simulator = nengo.Simulator\n"
    lines = ["[pytest]", "nengo_simulator = nengo_dl.Simulator"]
    lines.append("nengo_test_unsupported =")
    for pattern, reason in suite.excluded(options.dtype).items():
        lines += [f"    {pattern}", f"        {shlex.quote(reason)}"]
    lines.append("allclose_tolerances =")
    lines += [f"    {p} {t}" for p, t in suite.tolerances(options.dtype).items()]
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
    suite: Suite, options: argparse.Namespace, rest: list[str], configuration: Path
) -> list[str]:
    """Return the command line of pytest."""
    spec = importlib.util.find_spec(suite.package)
    if spec is None or spec.origin is None:
        raise SystemExit(
            f"{suite.package} is not installed; `pip install {suite.install}` does so"
        )
    args = [sys.executable, "-m", "pytest", "--pyargs", suite.package]
    args += [
        "-p",
        "plugin",
        "-p",
        "workers",
        "-p",
        "no:cacheprovider",
        "-c",
        str(configuration),
    ]
    # node ids are the seeds of these tests, and have to begin with the package's name
    folder = Path(spec.origin).parent
    args += ["--rootdir", str(folder.parent)]
    args += [f"--ignore={folder / path}" for path in suite.ignored]
    args += suite.arguments
    if importlib.util.find_spec("xdist") is not None:
        args += ["-n", "2"]
    if options.full:
        args += suite.full
    return [*args, "--dtype", options.dtype, *rest]


def run(suite: Suite, arguments: list[str], usage: str) -> int:
    """Run a suite in one configuration; return the exit code of pytest."""
    parser = argparse.ArgumentParser(
        description=usage,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="--unroll N and --no-jit are handed on: see suites/plugin.py",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--dtype",
        choices=("float64", "float32"),
        default="float64",
        help="precision of the simulation (default %(default)s)",
    )
    parser.add_argument("--full", action="store_true", help="slow tests too")
    parser.add_argument(
        "--reference",
        action="store_true",
        help="run on nengo.Simulator, with nothing excluded",
    )
    options, rest = parser.parse_known_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "pytest.ini"
        configuration.write_text(ini(suite, options), encoding="utf-8")
        return subprocess.run(
            command(suite, options, rest, configuration), env=environment(), check=False
        ).returncode


def main(suite: Suite, usage: str) -> int:
    """Run a suite, in one configuration or in several; return the worst exit code."""
    arguments = sys.argv[1:]
    choices = {"--all": suite.configurations, "--every-change": suite.every_change}
    chosen = [choice for choice in choices if choice in arguments]
    if not chosen:
        return run(suite, arguments, usage)
    arguments.remove(chosen[0])
    worst = 0
    for configuration in choices[chosen[0]]:
        label = " ".join((suite.package, *configuration))
        print(f"\n--- Tests of {label}", flush=True)
        start = time.monotonic()
        worst = max(worst, run(suite, [*configuration, *arguments], usage))
        print(f"--- {label}: {time.monotonic() - start:.0f} s", flush=True)
    return worst
