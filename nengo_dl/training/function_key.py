"""All that a trace of the model function depends on, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nengo.builder.signal import Signal

from nengo_dl.graph.inputs import Input, Source
from nengo_dl.graph.roles import Role
from nengo_dl.graph.signals import coordinates, initial_elements, runs
from nengo_dl.plan.layout import SignalLayout
from nengo_dl.program.segment import Segment

if TYPE_CHECKING:
    from nengo_dl.training.model_function import ModelFunction


def described(function: ModelFunction) -> list[Any]:
    """Return all that a trace of a function depends on.

    Signals are numbered in the order in which they are met, so that functions of
    different simulators have equal descriptions if they compute the same.
    """
    through_time = function.through_time
    numbers = _Numbers()
    return [
        numbers.layout(function.layout),
        [numbers.segment(part, function.layout) for part in through_time.parts],
        [
            (numbers.output(signal), probe in through_time.last_only)
            for probe, signal in through_time.outputs.items()
        ],
        [numbers.fed(item) for item in function.fed],
        function.step in function.layout.places and numbers.of(function.step),
        through_time.minibatch_size,
        through_time.dtype.name,
        through_time.only,
        through_time.rematerialisation,
        function.jit_compile,
    ]


class _Numbers:
    """Numbers that stand for Signals, and descriptions that use them."""

    def __init__(self) -> None:
        self._numbers: dict[Signal, int] = {}

    def of(self, signal: Signal) -> int:
        """Return the number of a Signal."""
        return self._numbers.setdefault(signal, len(self._numbers))

    def layout(self, of: SignalLayout) -> list[Any]:
        """Describe which Signals lie where."""
        blocks = [
            (b.size, b.kind, b.role.name, b.shape, b.trainable, b.signals)
            for b in of.blocks
        ]
        return [
            [(*block, [self.of(s) for s in signals]) for *block, signals in blocks],
            [(self.of(base), *place) for base, place in of.places.items()],
        ]

    def segment(self, of: Segment, simulation: SignalLayout) -> list[Any]:
        """Describe some operators, and values that the simulation does not hold."""
        updates = {s.base for group in of.plan for op in group.ops for s in op.updates}
        known = [
            None if signal in simulation.places else initial_elements(signal)
            for block in of.layout.blocks
            if block.role is Role.PARAM or block.role.carried
            for signal in block.signals
        ]
        return [
            self.layout(of.layout),
            of.lowerings,
            sorted(map(self.of, updates)),
            known,
        ]

    def output(self, signal: Signal) -> list[Any]:
        """Describe what a Probe sees."""
        places = coordinates(signal) if signal.sparse else None
        return [self.of(signal.base), signal.shape, list(runs(signal)), places]

    def fed(self, item: Input) -> tuple[Any, ...]:
        """Describe an input; the values of a constant are built in."""
        is_constant = item.source is Source.CONSTANT
        values = initial_elements(item.signal) if is_constant else None
        return self.of(item.signal), item.source.name, values
