"""The tables of ``python -m nengo_dl.benchmarks``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from nengo_dl.benchmarks.measure import measure
from nengo_dl.benchmarks.networks import NETWORKS
from nengo_dl.benchmarks.training import TASKS, measure_training

#: what is measured besides networks that run
TRAINING, DIGITS = "training", "digits"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is named, or all networks, and print a line for each."""
    parser = argparse.ArgumentParser(
        prog="python -m nengo_dl.benchmarks",
        description="How fast networks run and are trained, and how well.",
    )
    parser.add_argument(
        "what",
        nargs="*",
        metavar="WHAT",
        help=f"networks that run: {', '.join(NETWORKS)} (all by default); {TRAINING}: "
        "classifiers beside TensorFlow code written by hand; "
        f"{DIGITS}: accuracy on handwritten digits, which takes scikit-learn",
    )
    parser.add_argument("--n-steps", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--device", default=None)
    parser.add_argument("--unroll", type=int, default=1)
    options = parser.parse_args(arguments)
    known = (*NETWORKS, TRAINING, DIGITS)
    unknown = sorted(set(options.what) - set(known))
    if unknown:
        parser.error(f"unknown {', '.join(unknown)}; choose from {', '.join(known)}")

    names = [name for name in options.what or NETWORKS if name in NETWORKS]
    if names:
        _running(names, options)
    if TRAINING in options.what:
        _training(options)
    if DIGITS in options.what:
        _digits()


def _running(names: Iterable[str], options: argparse.Namespace) -> None:
    """Print times (s; runs in ms), and the ratio to `nengo.Simulator`."""
    print(
        f"{'network':22s}{'nengo build':>12s}{'build':>8s}{'compile':>9s}"
        f"{'nengo run':>12s}{'run':>10s}{'ratio':>8s}"
    )
    for name in names:
        result = measure(
            name,
            NETWORKS[name](),
            n_steps=options.n_steps,
            repetitions=options.repetitions,
            dtype=options.dtype,
            device=options.device,
            unroll_simulation=options.unroll,
        )
        print(
            f"{name:22s}{result.nengo_build:12.2f}{result.build:8.2f}"
            f"{result.compile:9.2f}{result.nengo_run * 1e3:12.1f}"
            f"{result.run * 1e3:10.1f}{result.ratio:8.1f}",
            flush=True,
        )


def _training(options: argparse.Namespace) -> None:
    """Print times of a step of optimization (ms), and how much longer than by hand."""
    print(
        f"{'784-128-10':22s}{'first epoch, s':>16s}{'step':>8s}{'by hand':>10s}"
        f"{'ratio':>8s}"
    )
    for name, task in TASKS.items():
        result = measure_training(
            task,
            repetitions=options.repetitions,
            dtype=options.dtype,
            device=options.device,
            unroll_simulation=options.unroll,
        )
        print(
            f"{name:22s}{result.first:16.2f}{result.step * 1e3:8.2f}"
            f"{result.by_hand * 1e3:10.2f}{result.ratio:8.2f}",
            flush=True,
        )


def _digits() -> None:
    """Print shares of test images that are recognised."""
    from nengo_dl.benchmarks.digits import recurrent_classifier, spiking_classifier

    found = spiking_classifier()
    print(f"LIF neurons, rates            {found.rates:.1%}")
    print(f"the same, 100 steps of spikes {found.spikes:.1%}")
    print(f"recurrent, row by row         {recurrent_classifier():.1%}")


if __name__ == "__main__":
    main()
