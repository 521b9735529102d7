"""Random sequences of calls, as lines of Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.call_sequences.objectives import NAMES
from tests.random_networks.draw import Draw

OPTIMIZERS = ("sgd", "adam", "SGD", "momentum", "Adam", "clipped", "schedule", "tf1")

#: calls, and how often they come
CALLS = (
    *("run", "run", "step", "train", "train", "train", "loss", "loss", "loss"),
    *("compile", "fit", "fit", "fit", "evaluate", "evaluate", "predict", "predict"),
    *("run_batch", "function", "save", "load", "reset", "clear_probes", "freeze"),
    *("check_gradients", "change", "change", "change", "new"),
)


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes
    ----------
    name : str
        The name of a method of `World`.
    arguments : tuple of (str, object)
        Its arguments.
    """

    name: str
    arguments: tuple[tuple[str, Any], ...]

    @property
    def simulator(self) -> int | None:
        """The number of the simulator that is called; None if it is for all."""
        return dict(self.arguments).get("i")

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.arguments)
        return f"world.{self.name}({given})"


def sequence(seed: int, length: int = 10) -> tuple[Call, ...]:
    """Return a sequence of calls of several simulators."""
    draw = Draw(seed)
    base = {
        "seed": draw.integer(0, 2),
        "kind": draw.one_of(["relu", "relu", "lif", "spiking"]),
        "noise": draw.flip(0.2),
        "learning": draw.flip(0.2),
        "python": draw.flip(0.1),
    }
    size = draw.one_of([None, 1, 2])
    n_simulators = draw.integer(1, 3)
    calls = []
    for i in range(n_simulators):
        calls.append(_new(draw, i, size, base))
        if draw.flip(0.6):
            calls.append(_call("compile", i=i, **_arguments(draw, "compile")))
    for _ in range(length):
        name = draw.one_of(CALLS)
        i = draw.integer(0, n_simulators - 1)
        if name == "new":
            calls.append(_new(draw, i, size, base))
        elif name == "change":
            calls.append(_call("change", factor=draw.one_of([0.5, 1.0, 2.0])))
        else:
            calls.append(_call(name, i=i, **_arguments(draw, name)))
    return tuple(calls)


def _call(name: str, **arguments: Any) -> Call:
    return Call(name, tuple(arguments.items()))


def _new(draw: Draw, i: int, size: int | None, base: dict[str, Any]) -> Call:
    """Return the call that makes a simulator: of an equal network, or nearly so."""
    change = draw.one_of(
        [
            {},
            {},
            {},
            {"seed": 5},
            {"tau": 0.005},
            {"neurons": 5},
            {"noise": not base["noise"]},
            {"settings": (("stateful", False),)},
            {"settings": (("learning_phase", True),)},
            {"settings": (("keep_history", False),)},
            {"settings": (("trainable", False),)},
            {"settings": (("lif_smoothing", 0.1),)},
        ]
    )
    return _call("new", i=i, minibatch_size=size, **{**base, **change})


def _arguments(draw: Draw, name: str) -> dict[str, Any]:
    """Return the arguments of a call but for the number of the simulator."""
    steps = draw.one_of([1, 3, 3, 4])
    nodes = draw.one_of(["", "a", "b", "ab", "a"])
    stateful = draw.flip(0.2)
    objective = {
        "steps": steps,
        "nodes": nodes,
        "probes": draw.one_of(["p", "q", "pq"]),
        "objective": draw.one_of(NAMES),
        "by_probe": draw.flip(0.5),
    }
    optimizer = draw.one_of(["", "", "same "]) + draw.one_of(OPTIMIZERS)
    run = {"steps": steps, "nodes": nodes}
    return {
        "run": {**run, "stateful": draw.flip(0.8)},
        "train": {
            **objective,
            "optimizer": optimizer,
            "epochs": draw.integer(1, 2),
            "truncation": draw.one_of([None, None, 2]),
        },
        "loss": {**objective, "training": draw.flip(0.3)},
        "compile": {
            "probes": objective["probes"],
            "objective": objective["objective"],
            "optimizer": optimizer,
            "metric": draw.flip(0.3),
        },
        "fit": {
            **run,
            "epochs": draw.integer(1, 2),
            "stream": draw.flip(0.2),
            "stateful": stateful,
        },
        "evaluate": {**run, "stateful": stateful},
        "predict": {**run, "stateful": stateful},
        "run_batch": {**run, "isolate": draw.flip(0.7)},
        "function": {**run, "training": draw.flip(0.5)},
        "save": {"state": draw.flip(0.5)},
        "load": {"state": draw.flip(0.5)},
        "reset": {
            "seed": draw.one_of([None, None, 3]),
            "trainable": draw.flip(0.5),
            "probes": draw.flip(0.7),
            "processes": draw.flip(0.5),
        },
    }.get(name, {})
