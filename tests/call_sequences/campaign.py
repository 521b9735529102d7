"""Try many sequences of calls, more than fit into a test."""

from __future__ import annotations

import argparse
import multiprocessing
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

import tests.conftest  # noqa: F401, the environment that all tests run in
from tests.call_sequences.comparison import compare
from tests.call_sequences.sequence import Call, sequence

#: sequences in one process, before its memory is given back; starting one costs as much
#: processor time as a sequence
PER_PROCESS = 25


def main() -> int:
    """Run the campaign and return 1 if a sequence fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.call_sequences")
    parser.add_argument("--from", type=int, default=0, dest="first", help="first seed")
    parser.add_argument("--count", type=int, default=50, help="number of seeds")
    parser.add_argument("--no-shrink", action="store_true", help="only name failures")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.count)
    start, failed = time.perf_counter(), []
    context = multiprocessing.get_context("spawn")
    for first in range(0, len(seeds), PER_PROCESS):
        with ProcessPoolExecutor(1, context) as pool:
            for seed in seeds[first : first + PER_PROCESS]:
                found = pool.submit(examine, seed, not arguments.no_shrink).result()
                if found:
                    failed.append(seed)
                    print(f"{seed}: {found}\n", flush=True)
        seconds = (time.perf_counter() - start) / (min(first + PER_PROCESS, len(seeds)))
        print(f"to {seeds[first]}: {seconds:.1f} s each", flush=True)
    print(f"{len(seeds)} sequences; failed: {failed}")
    return int(bool(failed))


def examine(seed: int, shorten: bool = True) -> str:
    """Say what is wrong with a sequence, and which calls it takes."""
    warnings.simplefilter("ignore")
    calls = sequence(seed)
    found = attempt(calls)
    if found and shorten:
        calls = shrink(calls, lambda fewer: bool(attempt(fewer)))
        found = attempt(calls)
    return found and "\n".join([found, "world = World(alone=False)", *map(str, calls)])


def attempt(calls: Sequence[Call]) -> str:
    """Compare; an error in the comparison itself is a failure too."""
    try:
        return compare(calls)
    except Exception:
        return traceback.format_exc(limit=-4)


def shrink(
    calls: Sequence[Call], fails: Callable[[Sequence[Call]], bool]
) -> Sequence[Call]:
    """Return as few of the calls as still fail, from the last one on."""
    for k in reversed(range(len(calls))):
        fewer = [*calls[:k], *calls[k + 1 :]]
        if not _orphaned(fewer) and fails(fewer):
            calls = fewer
    return calls


def _orphaned(calls: Sequence[Call]) -> bool:
    """Return whether a simulator is called that was not made."""
    made: set[int | None] = {None}
    for call in calls:
        if call.name == "new":
            made.add(call.simulator)
        elif call.simulator not in made:
            return True
    return False
