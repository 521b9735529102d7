"""How time and memory grow with the size of a model: ``benchmarks growth``.

.. code-block:: shell

    python -m nengo_dl.benchmarks growth --json benchmarks/growth.json

One thing grows at a time: ensembles, items of a minibatch, time steps of a run, or
Probes. Each size is measured in a process of its own, which reports its times and its
peak of memory. The exponent of a quantity is the slope of its logarithm over that of
the size: 1 is proportional growth, 0 none, 2 would be quadratic.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import nengo
import numpy as np

from nengo_dl.benchmarks.dynamics import two_ensembles
from nengo_dl.benchmarks.machine import machine, peak_memory
from nengo_dl.benchmarks.random_networks import spaun
from nengo_dl.simulator import Simulator

#: connections for each ensemble in the model of Spaun's size
_CONNECTIONS = 4.5
#: ensembles among which Probes are distributed
_PROBED = 100


@dataclass(frozen=True)
class Size:
    """What one size of a model took.

    Attributes
    ----------
    size : int
        How many ensembles, items, steps or Probes.
    build : float
        Nengo's builder (s), whose growth is not ours.
    plan : float
        The rest of making the simulator (s).
    compile : float
        Trace and compilation, until the first run begins (s).
    run : float
        A run (s), as soon as everything is compiled.
    memory : float
        The peak of memory (MB) above that of the process before the model.
    """

    size: int
    build: float
    plan: float
    compile: float
    run: float
    memory: float


#: what has an exponent: its field, and what pictures call it
QUANTITIES = {
    "plan": "plan (s)",
    "compile": "trace and compilation (s)",
    "run": "run (s)",
    "memory": "memory (MB)",
}


@dataclass(frozen=True)
class Series:
    """What grows, and how far.

    Attributes
    ----------
    label : str
        What is counted.
    sizes : sequence of int
        The sizes, in ascending order.
    network : callable
        Returns the network for a size.
    n_steps : int or None
        Steps of each run; None if they are what grows.
    minibatch : bool
        Whether items of a minibatch are what grows.
    """

    label: str
    sizes: Sequence[int]
    network: Callable[[int], nengo.Network]
    n_steps: int | None = 100
    minibatch: bool = False


def _many_ensembles(n_ensembles: int) -> nengo.Network:
    return spaun(n_ensembles=n_ensembles, n_connections=int(_CONNECTIONS * n_ensembles))


def _many_probes(n_probes: int) -> nengo.Network:
    """Return a network of one size with some Probes, each with a synapse of its own."""
    net = _many_ensembles(_PROBED)
    with net:
        for i in range(n_probes):
            # nothing to solve for
            nengo.Probe(net.ensembles[i % _PROBED].neurons[: 1 + i % 3], synapse=0.01)
    return net


SERIES: Mapping[str, Series] = {
    "ensembles": Series(
        "ensembles of 50 neurons",
        (1_000, 2_000, 5_000, 10_000, 20_000),
        _many_ensembles,
        n_steps=20,
    ),
    "minibatch": Series(
        "items of a minibatch",
        (1, 10, 100, 1_000),
        lambda _: two_ensembles(),
        n_steps=1_000,
        minibatch=True,
    ),
    "steps": Series(
        "time steps of a run",
        (1_000, 10_000, 100_000, 1_000_000),
        lambda _: two_ensembles(),
        n_steps=None,
    ),
    "probes": Series("Probes", (1, 10, 100, 1_000, 10_000), _many_probes),
}


def measure_size(name: str, size: int) -> Size:
    """Build and run a model of one size.

    Parameters
    ----------
    name : str
        One of `SERIES`.
    size : int
        How many of what the series counts.

    Returns
    -------
    Size
        Times and memory.

    Examples
    --------
    >>> from nengo_dl.benchmarks.growth import measure_size
    >>> measure_size("probes", 2).size
    2
    """
    series = SERIES[name]
    n_steps = series.n_steps or size
    net = series.network(size)
    before = peak_memory()
    start = time.perf_counter()
    options: dict[str, Any] = {"minibatch_size": size} if series.minibatch else {}
    with Simulator(net, progress_bar=False, **options) as sim:
        build = float(sim.times["nengo build"])
        plan = time.perf_counter() - start - build
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            sim.run_steps(n_steps)
            seconds.append(time.perf_counter() - start)
            sim.reset()
    run = min(seconds[1:])
    memory = peak_memory() - before
    return Size(size, build, plan, max(seconds[0] - run, 0.0), run, memory)


def exponents(sizes: Sequence[Size], quantity: str) -> tuple[float, float]:
    """Return how a quantity grows: over all sizes, and from the last but one on.

    Parameters
    ----------
    sizes : sequence of Size
        At least two, in ascending order.
    quantity : str
        One of `QUANTITIES`.

    Returns
    -------
    tuple of float
        The slope of the logarithms, by least squares over all sizes; and the largest
        slope between neighbours where it matters, which is where one of the two takes
        at least half of the most.

    Examples
    --------
    >>> from nengo_dl.benchmarks.growth import Size, exponents
    >>> sizes = [Size(n, 0, 0, 0, 2.0 * n, 0) for n in (10, 100, 1000)]
    >>> [round(exponent, 6) for exponent in exponents(sizes, "run")]
    [1.0, 1.0]
    """
    n = np.log([one.size for one in sizes])
    # nothing is faster than a clock can tell
    values = np.log([max(getattr(one, quantity), 1e-6) for one in sizes])
    steepest = max(
        (second - first) / (larger - smaller)
        for (first, second), (smaller, larger) in zip(
            pairwise(values), pairwise(n), strict=True
        )
        if max(first, second) >= values.max() - np.log(2)
    )
    return float(np.polyfit(n, values, 1)[0]), float(steepest)


def main(arguments: Sequence[str]) -> None:
    """Measure the series that are named, or all, and print a table for each.

    Parameters
    ----------
    arguments : sequence of str
        ``growth`` and its options.
    """
    parser = argparse.ArgumentParser(prog="python -m nengo_dl.benchmarks growth")
    parser.add_argument("series", nargs="*", choices=[*SERIES, []], default=[])
    parser.add_argument(
        "--largest", type=int, metavar="N", help="leave out sizes above this one"
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures to a file")
    parser.add_argument("--show", metavar="FILE", help="take them from a file instead")
    parser.add_argument("--plot", metavar="FILE", help="draw them, with matplotlib")
    options = parser.parse_args(arguments[1:])
    if options.show:
        found = _read(options.show)
    else:
        found = {
            name: _measured(name, options.largest)
            for name in options.series or list(SERIES)
        }
    for name, sizes in found.items():
        _print(name, sizes)
    if options.json:
        everything = {name: [asdict(one) for one in found[name]] for name in found}
        text = json.dumps({"machine": machine(), "growth": everything}, indent=1)
        Path(options.json).write_text(text + "\n", encoding="utf-8")
    if options.plot:
        draw(found, options.plot)


def _measured(name: str, largest: int | None) -> list[Size]:
    """Measure the sizes of a series, each in a new process."""
    context = multiprocessing.get_context("spawn")
    found = []
    for size in SERIES[name].sizes:
        if largest is None or size <= largest:
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                found.append(pool.submit(measure_size, name, size).result())
    return found


def _read(path: str) -> dict[str, list[Size]]:
    written = json.loads(Path(path).read_text(encoding="utf-8"))["growth"]
    return {name: [Size(**one) for one in written[name]] for name in written}


def _print(name: str, sizes: Sequence[Size]) -> None:
    heads = ["Nengo's builder (s)", *QUANTITIES.values()]
    print(f"{SERIES[name].label:>25s}" + "".join(f"{head:>27s}" for head in heads))
    for one in sizes:
        values = [one.build, *(getattr(one, quantity) for quantity in QUANTITIES)]
        print(f"{one.size:25,d}" + "".join(f"{value:27.4g}" for value in values))
    if len(sizes) > 1:
        slopes = [exponents(sizes, quantity) for quantity in QUANTITIES]
        texts = [f"{overall:.2f} (at most {last:.2f})" for overall, last in slopes]
        print(f"{'exponent':>25s}{'':27s}" + "".join(f"{text:>27s}" for text in texts))
    print(flush=True)


def draw(found: Mapping[str, Sequence[Size]], path: str | Path) -> None:
    """Draw all series into a file, on logarithmic axes, with their exponents.

    Parameters
    ----------
    found : mapping of str to sequence of Size
        What was measured.
    path : str or Path
        The file; its ending says in which format.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    from nengo_dl.plots.axes import require_matplotlib

    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.6 * len(found)), layout="constrained")
    grid = figure.subplots(len(found), len(QUANTITIES), squeeze=False)
    for row, (name, sizes) in zip(grid, found.items(), strict=True):
        for ax, (quantity, label) in zip(row, QUANTITIES.items(), strict=True):
            n = [one.size for one in sizes]
            values = [max(getattr(one, quantity), 1e-6) for one in sizes]
            ax.loglog(n, values, "o-", color="#d95f02", markersize=4)
            # what would be proportional growth up to the largest size
            ax.loglog(n, [values[-1] * one / n[-1] for one in n], ":", color="#999999")
            if len(sizes) > 1:
                overall, last = exponents(sizes, quantity)
                rounded = round(overall, 2) + 0  # nothing is -0
                ax.set_title(f"exponent {rounded:.2f}, at most {last:.2f}", fontsize=9)
            ax.set_xlabel(SERIES[name].label, fontsize=9)
            ax.set_ylabel(label, fontsize=9)
            ax.tick_params(labelsize=8)
            ax.minorticks_off()
            ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
