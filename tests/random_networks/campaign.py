"""Compare many random networks with Nengo, more than fit into a test."""

from __future__ import annotations

import argparse
import multiprocessing
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

import tests.conftest  # noqa: F401, the environment that all tests run in
from tests.random_networks.comparison import Result, Verdict, compare
from tests.random_networks.generator import generate
from tests.random_networks.options import Options
from tests.random_networks.program import Program
from tests.random_networks.shrink import shrink

#: networks that one process compares, before its memory is given back: TensorFlow keeps
#: about 25 MB for each that XLA compiles. Starting one costs as much as 3 networks
PER_PROCESS = 40


def main() -> int:
    """Run the campaign and return 1 if a network differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.random_networks")
    parser.add_argument("--from", type=int, default=0, dest="first", help="first seed")
    parser.add_argument("--count", type=int, default=100, help="number of seeds")
    parser.add_argument("--processes", type=int, default=1, help="at the same time")
    parser.add_argument(
        "--xla-every",
        type=int,
        default=4,
        help="XLA compiles one seed in so many, which doubles the time that it takes",
    )
    parser.add_argument("--no-shrink", action="store_true", help="only name failures")
    parser.add_argument("--show", action="store_true", help="print all networks")
    arguments = parser.parse_args()

    seeds = range(arguments.first, arguments.first + arguments.count)
    if arguments.show:
        for seed in seeds:
            print(f"{generate(seed)}# {drawn(seed, arguments.xla_every)}\n")

    found: Counter[Verdict] = Counter()
    failed, diverged = [], 0
    start = time.perf_counter()
    task = partial(
        examine, xla_every=arguments.xla_every, shorten=not arguments.no_shrink
    )
    results = run(seeds, arguments.processes, task)
    for seed, result in zip(seeds, results, strict=True):
        found[result.verdict] += 1
        diverged += result.diverged
        if result.verdict is not Verdict.SAME or result.diverged:
            print(f"{seed}: {result.verdict.name} {result.message}", flush=True)
        if result.verdict is Verdict.DIFFERENT:
            failed.append(seed)
        n = sum(found.values())
        if not n % 10:
            seconds = (time.perf_counter() - start) / n
            print(f"to {seed}: {seconds:.1f} s each", flush=True)

    seconds = (time.perf_counter() - start) / arguments.count
    print(f"\n{arguments.count} networks, {seconds:.2f} s each")
    for verdict in Verdict:
        print(f"{found[verdict]:5} {verdict.name}: {verdict.value}")
    print(f"{diverged:5} of them as far as Nengo came before it failed")
    print(f"failed: {failed}")
    return int(bool(failed))


def run(
    seeds: Sequence[int], processes: int, task: Callable[[int], Result]
) -> Iterator[Result]:
    """Compare the networks of some seeds, in new processes now and then."""
    context = multiprocessing.get_context("spawn")
    size = PER_PROCESS * processes
    for first in range(0, len(seeds), size):
        with ProcessPoolExecutor(processes, context) as pool:
            batch = seeds[first : first + size]
            yield from pool.map(task, batch)


def drawn(seed: int, xla_every: int) -> Options:
    """Return the options of a seed; XLA compiles only one in ``xla_every``."""
    options = Options.of(seed)
    return replace(options, jit_compile=options.jit_compile and not seed % xla_every)


def examine(seed: int, xla_every: int = 4, shorten: bool = True) -> Result:
    """Compare a network; if it differs, describe the smallest one that does."""
    warnings.simplefilter("ignore")
    program, options = generate(seed), drawn(seed, xla_every)
    result = attempt(program, options)
    if result.verdict is Verdict.DIFFERENT and shorten:
        program, options = shrink(program, options, differs)
        message = f"{attempt(program, options).message}\n{program}# {options}\n"
        result = Result(Verdict.DIFFERENT, f"{result.message}\n{message}")
    return result


def attempt(program: Program, options: Options) -> Result:
    """Compare a network; an error in the comparison itself is a difference too."""
    try:
        return compare(program, options)
    except Exception:
        return Result(Verdict.DIFFERENT, traceback.format_exc(limit=-4))


def differs(program: Program, options: Options) -> bool:
    """Whether the network differs from Nengo."""
    return attempt(program, options).verdict is Verdict.DIFFERENT
