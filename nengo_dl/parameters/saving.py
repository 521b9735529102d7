"""Parameters and state of a simulation as named arrays, and back again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from nengo.builder import Model
from nengo.builder.signal import Signal
from nengo.exceptions import ValidationError

from nengo_dl.graph.signals import size
from nengo_dl.inputs.random_streams import Position
from nengo_dl.parameters import fit, optimizer_slots, signal_names
from nengo_dl.parameters.file_format import Content
from nengo_dl.parameters.fit import Place
from nengo_dl.parameters.optimizer_slots import Slot
from nengo_dl.program.program import Program
from nengo_dl.simulation.runner import Runner

#: names begin with these
_PARAMS, _STATE, _OPTIMIZER = "params/", "state/", "optimizer/"


@dataclass(frozen=True)
class Parts:
    """The parts of a simulation that are saved or loaded.

    Attributes
    ----------
    params : bool
        Encoders, biases and weights, including what learning rules have changed.
    state : bool
        All that is carried from step to step, the time, and the place in each stream of
        random numbers.
    optimizer : keras.optimizers.Optimizer or None
        Whose memory; it is built for the parameters.
    """

    params: bool = True
    state: bool = False
    optimizer: Any = None

    @property
    def sections(self) -> tuple[str, ...]:
        """How the names of these parts begin."""
        chosen = (self.params, self.state, self.optimizer is not None)
        names = (_PARAMS, _STATE, _OPTIMIZER)
        return tuple(name for name, on in zip(names, chosen, strict=True) if on)


class Saving:
    """Take the values of a simulation, or give it others.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    program : Program
        The simulation.
    runner : Runner
        Its values.
    """

    def __init__(self, model: Model, program: Program, runner: Runner) -> None:
        self._program = program
        self._runner = runner
        self._store = runner.store
        named = signal_names.parameters(model)
        self._names = {signal: name for name, signal in named.items()}
        self._params = {f"{_PARAMS}{name}": signal for name, signal in named.items()}
        states = signal_names.states(model, program.layout)
        self._states = {f"{_STATE}{name}": signal for name, signal in states.items()}

    def content(self, parts: Parts, seed: int) -> Content:
        """Return current values by name, as a file takes them.

        Parameters
        ----------
        parts : Parts
            Which.
        seed : int
            The seed of the simulation.

        Raises
        ------
        ValidationError
            If there is nothing to save, or an optimizer cannot be saved by name.
        """
        signals = self._signals(parts)
        if not signals:
            raise ValidationError(
                "There is nothing to save: the model has no encoders, biases or "
                "weights, or it has no top-level network, which gives them names. "
                "Simulate a network",
                attr="save_params",
            )
        facts: dict[str, Any] = {
            "items": {
                name: self._program.minibatch_size
                for name, signal in signals.items()
                if self._store.batched(signal)
            }
        }
        values = self._store.values(signals.values())
        arrays = {name: values[signal] for name, signal in signals.items()}
        if parts.state:
            facts["n_steps"] = self._runner.n_steps
            facts["seed"] = int(seed)
            facts["streams"] = self._runner.positions()
        if parts.optimizer is not None:
            facts["optimizer"] = _kind(parts.optimizer)
            for name, slot in self._slots(parts).items():
                arrays[name] = slot.value().reshape(slot.shape)
        return Content(arrays, facts)

    def load(self, content: Content, parts: Parts) -> int | None:
        """Give the simulation other values: all of them, or none if something is wrong.

        Returns
        -------
        int or None
            The seed of the simulation that was saved, if its state was loaded.

        Raises
        ------
        ValidationError
            If names or shapes are not those of the model.
        """
        facts = content.facts
        signals, slots = self._signals(parts), self._slots(parts)
        self._check_parts(facts, parts)
        places = {name: self._place(signal) for name, signal in signals.items()}
        for name, slot in slots.items():
            places[name] = Place(slot.shape, slot.dtype)
        arrays = fit.fit_all(
            {n: a for n, a in content.arrays.items() if n.startswith(parts.sections)},
            facts.get("items", {}),
            places,
        )
        streams = self._streams(facts) if parts.state else []

        # nothing that was given can be wrong from here on
        self._store.restore({signal: arrays[name] for name, signal in signals.items()})
        optimizer_slots.assign([(slot, arrays[name]) for name, slot in slots.items()])
        if not parts.state:
            return None
        self._runner.go_to(facts["n_steps"], facts["seed"], streams)
        return int(facts["seed"])

    def _signals(self, parts: Parts) -> dict[str, Signal]:
        """Return the Signals to save or load, by name."""
        return {
            **(self._params if parts.params else {}),
            **(self._states if parts.state else {}),
        }

    def _slots(self, parts: Parts) -> dict[str, Slot]:
        """Return the optimizer's variables, cut by Signal, by name."""
        if parts.optimizer is None:
            return {}
        blocks = [block for block, _ in self._store.trained]
        variables = [variable for _, variable in self._store.trained]
        found = optimizer_slots.slots(parts.optimizer, blocks, variables, self._names)
        return {f"{_OPTIMIZER}{name}": slot for name, slot in found.items()}

    def _place(self, signal: Signal) -> Place:
        floating = self._program.dtype.as_numpy_dtype
        return Place(
            (size(signal),) if signal.sparse else signal.shape,
            np.dtype(floating if signal.dtype.kind == "f" else signal.dtype),
            self._program.minibatch_size if self._store.batched(signal) else None,
        )

    def _check_parts(self, facts: Mapping[str, Any], parts: Parts) -> None:
        """Raise an error if a part that is asked for is not in the file at all."""
        if parts.state and "n_steps" not in facts:
            raise ValidationError(
                "The file holds no state. Expected one that was written with "
                "`save_params(path, include_state=True)`; or load without it",
                attr="include_state",
            )
        if parts.optimizer is None:
            return
        saved, given = facts.get("optimizer"), _kind(parts.optimizer)
        if saved is None:
            raise ValidationError(
                "The file holds no optimizer. Expected one that was written with "
                "`save_params(path, optimizer=optimizer)`; or load without it",
                attr="optimizer",
            )
        if saved != given:
            raise ValidationError(
                f"The file holds what an optimizer of type {saved} remembers. Expected "
                f"such a one, got {given}",
                attr="optimizer",
            )

    def _streams(self, facts: Mapping[str, Any]) -> list[list[Position]]:
        """Return how far random numbers have gone, by item and operator."""
        found: list[list[Position]] = facts["streams"]
        here = self._runner.positions()
        if len(found[0]) != len(here[0]):
            raise ValidationError(
                f"The file holds the state of {len(found[0])} random inputs, and the "
                f"simulator has {len(here[0])}. Expected a network of the same "
                "structure; or load without `include_state`",
                attr="include_state",
            )
        if _n_states(found[0]) != _n_states(here[0]):
            raise ValidationError(
                "The file holds random numbers that other operators draw in Python "
                "than in this simulator. Expected the same neuron types and settings, "
                "above all `nengo_random_draws`; or load without `include_state`",
                attr="include_state",
            )
        # all items have gone equally far, but random states are those of one item
        further = [
            [step for step in position if isinstance(step, list)]
            for position in found[0]
        ]
        return [*found, *[further] * (len(here) - len(found))][: len(here)]


def _n_states(positions: list[Position]) -> list[int]:
    """Return how many states of random numbers there are, by operator."""
    return [sum(isinstance(one, dict) for one in position) for position in positions]


def _kind(optimizer: Any) -> str:
    """Return the name of an optimizer's type, and of the rule of one that has such."""
    rule = getattr(optimizer, "rule", None)
    return f"{type(optimizer).__name__}{f' ({rule})' if rule else ''}"
