"""The older command line: ``build --benchmark NAME ... profile ...``."""

from __future__ import annotations

import argparse
import ast
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import nengo

from nengo_dl import neurons
from nengo_dl.benchmarks.dynamics import basal_ganglia, integrator
from nengo_dl.benchmarks.images import mnist
from nengo_dl.benchmarks.learning import pes
from nengo_dl.benchmarks.lmu import lmu
from nengo_dl.benchmarks.profiles import run_profile
from nengo_dl.benchmarks.random_networks import random_network, spaun
from nengo_dl.benchmarks.vectors import cconv, spa_memory

#: networks by the names of their functions
FUNCTIONS: dict[str, Callable[..., nengo.Network]] = {
    function.__name__: function
    for function in (
        basal_ganglia,
        cconv,
        integrator,
        lmu,
        mnist,
        pes,
        random_network,
        spa_memory,
        spaun,
    )
}


def main(arguments: Sequence[str]) -> None:
    """Build a network, then run or train it, and print how long that took.

    Parameters
    ----------
    arguments : sequence of str
        ``build``, its options, ``profile`` and its options; more than one ``profile``
        may follow.
    """
    parser = argparse.ArgumentParser(
        prog="python -m nengo_dl.benchmarks",
        description="Build one of the networks, then run or train it.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_build(commands.add_parser("build", help="make a network"))
    _add_profile(commands.add_parser("profile", help="run or train it"))
    first, *others = _split(arguments)
    options = parser.parse_args(first)
    if not others:
        parser.error("nothing to do with the network; add: profile")
    net = _build(parser, options)
    for part in others:
        _profile(net, parser.parse_args(part))


def _split(arguments: Sequence[str]) -> list[list[str]]:
    """Return the parts that begin with a command."""
    parts: list[list[str]] = [[]]
    for i, argument in enumerate(arguments):
        # after an option, it would be its value
        is_value = i > 0 and arguments[i - 1] in ("--benchmark", "--kwarg")
        if argument == "profile" and not is_value:
            parts.append([])
        parts[-1].append(argument)
    return parts


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--benchmark", choices=FUNCTIONS, required=True)
    parser.add_argument("--dimensions", type=int)
    parser.add_argument("--neurons_per_d", type=int)
    parser.add_argument(
        "--neuron_type",
        type=_neuron_type,
        metavar="NAME",
        help="a type of neurons of Nengo or NengoDL, such as RectifiedLinear",
    )
    parser.add_argument(
        "--kwarg",
        action="append",
        default=[],
        type=_pair,
        metavar="KEY=VALUE",
        help="any other argument of the function that makes the network",
    )


def _add_profile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--train", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--n_steps", type=int, default=150)
    parser.add_argument("--batch_size", type=int, default=1)
    parser.add_argument("--device", default=None)
    parser.add_argument("--unroll", type=int, default=25)
    parser.add_argument(
        "--time-only", action="store_true", help="write no profile for TensorBoard"
    )


def _build(
    parser: argparse.ArgumentParser, options: argparse.Namespace
) -> nengo.Network:
    """Make the network; arguments that it does not take are an error."""
    function = FUNCTIONS[options.benchmark]
    given = {
        name: getattr(options, name)
        for name in ("dimensions", "neurons_per_d", "neuron_type")
        if getattr(options, name) is not None
    }
    given.update(options.kwarg)
    known = inspect.signature(function).parameters
    unknown = sorted(set(given) - set(known))
    if unknown:
        parser.error(
            f"{options.benchmark} takes no {', '.join(unknown)}; "
            f"it takes {', '.join(known)}"
        )
    return function(**given)


def _profile(net: nengo.Network, options: argparse.Namespace) -> None:
    seconds = run_profile(
        net,
        train=options.train,
        n_steps=options.n_steps,
        do_profile=not options.time_only,
        minibatch_size=options.batch_size,
        device=options.device,
        unroll_simulation=options.unroll,
    )
    print(f"Execution time: {seconds:.4f} s", flush=True)


def _neuron_type(name: str) -> nengo.neurons.NeuronType:
    for module in (nengo, neurons):
        found = getattr(module, name, None)
        if isinstance(found, type) and issubclass(found, nengo.neurons.NeuronType):
            return found()
    raise argparse.ArgumentTypeError(f"{name} is no type of neurons; try LIF")


def _pair(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not (key and separator):
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, got {text}")
    try:
        return key, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return key, value
