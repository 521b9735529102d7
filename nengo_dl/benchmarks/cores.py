"""What several cores give: ``benchmarks cores``.

.. code-block:: shell

    python -m nengo_dl.benchmarks cores

Integrators of growing size run in processes with one thread and in processes with as
many as there are cores, in turn. XLA divides single computations among threads where
they are large enough; there is nothing to set.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from nengo_dl.benchmarks.dynamics import integrator
from nengo_dl.benchmarks.machine import machine
from nengo_dl.simulator import Simulator

#: precedes what a process has measured, as JSON
_RESULT = "CORES "
#: neurons of each ensemble
_NEURONS = 100
SIZES = (1_000, 10_000, 100_000, 1_000_000)


def seconds_of_step(n_neurons: int, minibatch_size: int) -> tuple[float, float]:
    """Return what a step of an integrator takes, and what it takes of the processor.

    Parameters
    ----------
    n_neurons : int
        Neurons in all.
    minibatch_size : int
        Items.

    Returns
    -------
    tuple of float
        Medians (s).

    Examples
    --------
    >>> from nengo_dl.benchmarks.cores import seconds_of_step
    >>> min(seconds_of_step(200, 1)) > 0
    True
    """
    net = integrator(n_neurons // _NEURONS, _NEURONS)
    n_steps = max(10, min(1_000, 20_000_000 // (n_neurons * minibatch_size)))
    with Simulator(net, progress_bar=False, minibatch_size=minibatch_size) as sim:
        sim.run_steps(n_steps)
        found = []
        for _ in range(5):
            start = time.perf_counter(), time.process_time()
            sim.run_steps(n_steps)
            taken = time.perf_counter() - start[0], time.process_time() - start[1]
            found.append([seconds / n_steps for seconds in taken])
    wall, processor = (statistics.median(column) for column in zip(*found, strict=True))
    return wall, processor


def main(arguments: Sequence[str]) -> None:
    """Measure all sizes with one thread and with all cores, and print a table.

    Parameters
    ----------
    arguments : sequence of str
        ``cores`` and its options.

    Raises
    ------
    RuntimeError
        If a process ends with an error; its last words are in the message.
    """
    parser = argparse.ArgumentParser(prog="python -m nengo_dl.benchmarks cores")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--minibatch-size", type=int, default=1)
    parser.add_argument("--as-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments[1:])
    if options.as_process:
        found = [seconds_of_step(n, options.minibatch_size) for n in options.sizes]
        print(_RESULT + json.dumps(found), flush=True)
        return
    count = int(machine()["cpu_count"])
    print(f"microseconds of a step, with 1 thread and with {count}")
    print(f"{'neurons':>10s}{'1':>10s}{count:>10d}{'ratio':>8s}{'cores used':>12s}")
    for size in options.sizes:
        (alone, _), (all_cores, processor) = (
            _of_process(threads, size, options.minibatch_size) for threads in (1, count)
        )
        print(
            f"{size:10,d}{alone * 1e6:10.1f}{all_cores * 1e6:10.1f}"
            f"{alone / all_cores:8.2f}{processor / all_cores:12.2f}",
            flush=True,
        )


def _of_process(threads: int, size: int, minibatch_size: int) -> tuple[float, float]:
    """Measure one size in a process with some threads."""
    command = [sys.executable, "-m", "nengo_dl.benchmarks", "cores", "--as-process"]
    command += ["--sizes", str(size), "--minibatch-size", str(minibatch_size)]
    flags = os.environ.get("XLA_FLAGS", "")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
        "XLA_FLAGS": f"{flags} --xla_cpu_multi_thread_eigen={str(threads > 1).lower()}",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(
            f"A process of the benchmark has ended: {done.stderr[-2000:]}"
        )
    wall, processor = json.loads(done.stdout.split(_RESULT)[1])[0]
    return wall, processor
