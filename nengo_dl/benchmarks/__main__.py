"""The table of ``python -m nengo_dl.benchmarks``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from nengo_dl.benchmarks.measure import measure
from nengo_dl.benchmarks.networks import NETWORKS

_HEADER = (
    f"{'network':22s}{'nengo build':>12s}{'build':>8s}{'compile':>9s}"
    f"{'nengo run':>12s}{'run':>10s}{'ratio':>8s}"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the named networks, or all, and print a line for each."""
    parser = argparse.ArgumentParser(
        prog="python -m nengo_dl.benchmarks",
        description="Times (s; runs in ms) and the ratio to nengo.Simulator.",
    )
    parser.add_argument(
        "networks", nargs="*", metavar="NETWORK", help=", ".join(NETWORKS)
    )
    parser.add_argument("--n-steps", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--device", default=None)
    parser.add_argument("--unroll", type=int, default=1)
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.networks) - set(NETWORKS))
    if unknown:
        parser.error(f"unknown {', '.join(unknown)}; choose from {', '.join(NETWORKS)}")

    print(_HEADER)
    for name in options.networks or NETWORKS:
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


if __name__ == "__main__":
    main()
