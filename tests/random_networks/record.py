"""What the probes of a random network record, in Nengo and here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import keras
import nengo
import numpy as np

import nengo_dl
from tests.helpers import configured
from tests.random_networks.options import Options
from tests.random_networks.program import Program


@dataclass(frozen=True)
class Record:
    """What the probes of one simulation have recorded.

    Attributes
    ----------
    data : list of np.ndarray, shape (n_samples, ...)
        Samples of each probe.
    steps : list of np.ndarray, shape (n_samples,)
        The numbers of the steps in which they were taken.
    n_steps : int
        How many steps there were.
    error : Exception or None
        Why the simulator could not be built or could not go on.
    built : bool
        Whether it could be built.
    predicted : list of np.ndarray, shape (n_steps, ...)
        What ``predict`` returned for each probe; empty if it was not called.
    """

    data: list[np.ndarray]
    steps: list[np.ndarray]
    n_steps: int
    error: Exception | None = None
    built: bool = True
    predicted: list[np.ndarray] = field(default_factory=list)

    @property
    def n_finite(self) -> int:
        """The number of steps before a sample was infinite or no number."""
        ends = [self.n_steps]
        for values, steps in zip(self.data, self.steps, strict=True):
            finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
            ends.extend(steps[~finite][:1] - 1)
        return int(min(ends))


def failed(error: Exception) -> Record:
    """Return the record of a simulator that could not be built."""
    return Record([], [], 0, error, built=False)


class Rounding(nengo.Simulator):
    """Nengo's simulator with larger rounding errors.

    Parameters
    ----------
    network : nengo.Network
        What to simulate.
    error : float
        Standard deviation of the relative error that all state gets in each step.
    draws : int
        Seed of these errors.
    """

    def __init__(
        self, network: nengo.Network, error: float, draws: int, **options: Any
    ) -> None:
        self._error = error
        self._draws = np.random.RandomState(draws)
        super().__init__(network, **options)

    def step(self) -> None:
        """Change what comes from the last step a little, then simulate one more."""
        for signal, array in self.signals.items():
            if signal.sparse or array.dtype.kind != "f" or signal.base is not signal:
                continue
            if self._error and array.flags.writeable:
                change = self._error * self._draws.standard_normal(array.shape)
                # integers are exact, and some are counters
                array *= np.where(array == np.round(array), 1, 1 + change)
        super().step()


def run_nengo(
    program: Program,
    options: Options,
    item: int = 0,
    error: float = 0.0,
    draws: int = 0,
) -> Record:
    """Run a program in Nengo.

    Parameters
    ----------
    item : int
        Number of the batch item that shall come out.
    error, draws
        Rounding errors, see `Rounding`.
    """
    try:
        sim = Rounding(
            program.build(),
            error,
            draws,
            dt=options.dt,
            seed=program.seed + 1 + item,
            optimize=False,
            progress_bar=False,
        )
    except Exception as problem:
        return failed(problem)
    problem = None
    with sim:
        try:
            for _ in range(options.steps):
                sim.step()
        except Exception as raised:
            problem = raised
    data = [_as_arrays(sim.data[probe]) for probe in sim.model.probes]
    return _record(sim, data, problem)


def run_nengo_dl(program: Program, options: Options) -> list[Record]:
    """Run a program here and return the record of each item."""
    net = program.build()
    try:
        with configured(net, **options.settings(program)):
            sim = nengo_dl.Simulator(
                net,
                dt=options.dt,
                dtype="float64",
                minibatch_size=options.minibatch_size,
                unroll_simulation=options.unroll,
                progress_bar=False,
            )
    except Exception as problem:
        return [failed(problem)]
    problem = None
    with sim:
        try:
            predicted = call(sim, options)
        except Exception as raised:
            return [Record([], [], 0, raised)]
        try:
            if options.rehearsal:
                sim.run_steps(options.rehearsal)
                sim.reset()
            for steps in options.parts:
                sim.run_steps(steps)
        except Exception as raised:
            problem = raised
    data = [sim.data[probe] for probe in sim.model.probes]
    if options.minibatch_size is None:
        data = [values[None] for values in data]
    return [
        replace(
            _record(sim, [np.array(values[item]) for values in data], problem),
            predicted=[np.array(values[item]) for values in predicted],
        )
        for item in range(options.minibatch_size or 1)
    ]


def call(sim: nengo_dl.Simulator, options: Options) -> list[np.ndarray]:
    """Make the calls that change nothing; return what ``predict`` did, by probe."""
    probes, steps = sim.model.probes, options.steps
    n_items = options.minibatch_size or 1
    learns = any(c.learning_rule for c in sim.model.toplevel.all_connections)
    found = []
    for name in options.calls:
        if learns:
            sim.reset()  # what rules learn in these calls stays
        if name == "predict":
            outputs = sim.predict(n_steps=steps, verbose=0)
            found = [np.array(outputs[probe]) for probe in probes]
            continue
        shapes = {probe: sim.model.sig[probe]["in"].shape for probe in probes}
        targets = {
            probe: np.zeros((n_items, 3, *shape))
            for probe, shape in list(shapes.items())[:2]
            if len(shape) == 1
        }
        if name == "loss" and targets:
            sim.loss(targets)
        elif targets:
            loss = dict.fromkeys(targets, "mse")
            sim.compile(keras.optimizers.SGD(0.0), loss=loss)
            sim.fit(None, targets, n_steps=3, verbose=0)
    if learns:
        sim.reset()  # Nengo has not made them
    return found


def _as_arrays(samples: np.ndarray) -> np.ndarray:
    """Return samples as numbers: Nengo records sparse matrices as they are."""
    if samples.dtype != object:
        return np.array(samples)
    return np.array([matrix.toarray() for matrix in samples])


def _record(sim: Any, data: list[np.ndarray], error: Exception | None) -> Record:
    """Return a record of simulator's data; check that each sample has its step."""
    steps = []
    for probe, values in zip(sim.model.probes, data, strict=True):
        period = 1 if probe.sample_every is None else probe.sample_every / sim.dt
        numbers = np.arange(1, sim.n_steps + 1)
        steps.append(numbers[numbers % period < 1])
        assert len(values) == len(steps[-1]), f"{probe}: {values.shape}"
    return Record(data, steps, sim.n_steps, error)
