"""Time constants, gains and delays as parameters: what of an object trains, and how.

Each is kept as its natural logarithm, which may be any number: so it stays positive
whatever an optimizer does, and one step changes it by the same factor whether it is a
millisecond or a second.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import nengo
import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator
from nengo.builder.processes import SimProcess
from nengo.builder.signal import Signal

from nengo_dl.graph.series import view_of

#: what Signals of attributes are called in ``model.sig``, before the attribute's name
PREFIX = "log_"


class Logarithm(Signal):
    """The natural logarithm of an object's attribute.

    Parameters
    ----------
    attribute : str
        The name of the attribute: ``"tau_rc"``.
    start : float or np.ndarray
        What it is as Nengo has built the object. Greater than 0.
    target : Signal
        What the operator puts out that the attribute belongs to; for a gain, the input
        currents.
    name : str
        The name of the Signal.
    """

    def __init__(
        self, attribute: str, start: float | np.ndarray, target: Signal, name: str
    ) -> None:
        super().__init__(np.log(np.asarray(start, float)), name=name)
        self.attribute = attribute
        self.start = np.asarray(start, float)
        self.target = target

    def value(self, logarithm: np.ndarray) -> np.ndarray:
        """Return the attribute in its own units, in double precision.

        As long as nothing has changed it, it is ``start`` to the last digit.

        Parameters
        ----------
        logarithm : np.ndarray
            The parameter, in the precision of the simulation.
        """
        begin = self.initial_value.astype(logarithm.dtype)
        return self.start * np.exp(logarithm.astype(float) - begin.astype(float))


class TrainedNeurons(SimNeurons):
    """Run neurons some of whose attributes are parameters.

    Parameters
    ----------
    op : SimNeurons
        The operator whose place it takes.
    logarithms : sequence of Logarithm
        Of its attributes.

    Notes
    -----
    1. sets ``[output] + state``
    2. incs ``[]``
    3. reads ``[J, ...] + logarithms``
    4. updates ``[]``
    """

    def __init__(self, op: SimNeurons, logarithms: Sequence[Logarithm]) -> None:
        super().__init__(op.neurons, op.J, op.output, op.state, tag=op.tag)
        self.op, self.logarithms = op, tuple(logarithms)
        self.reads = [*op.reads, *logarithms]


class TrainedSynapse(SimProcess):
    """Run a synapse one of whose attributes is a parameter.

    Parameters
    ----------
    op : SimProcess
        The operator whose place it takes.
    logarithms : sequence of Logarithm
        Of its attributes.

    Notes
    -----
    1. sets, incs, updates: as those of ``op``
    2. reads: those of ``op``, then the logarithms
    """

    def __init__(self, op: SimProcess, logarithms: Sequence[Logarithm]) -> None:
        super().__init__(
            op.process, op.input, op.output, op.t, op.mode, op.state, tag=op.tag
        )
        self.op, self.logarithms = op, tuple(logarithms)
        self.reads = [*op.reads, *logarithms]


class ScaleCurrents(Operator):
    """Multiply the input currents of neurons by a factor, the exponential of a Signal.

    Parameters
    ----------
    unscaled, currents : Signal, shape (n_neurons,)
        The currents without and with the factor.
    logarithm : Logarithm, shape (n_neurons,)
        The logarithm of the factor.

    Notes
    -----
    1. sets ``[currents]``
    2. incs ``[]``
    3. reads ``[unscaled, logarithm]``
    4. updates ``[]``
    """

    def __init__(
        self, unscaled: Signal, currents: Signal, logarithm: Logarithm, tag: str
    ) -> None:
        super().__init__(tag=tag)
        self.sets: list[Signal] = [currents]
        self.incs: list[Signal] = []
        self.updates: list[Signal] = []
        self.reads = [unscaled, logarithm]

    @property
    def currents(self) -> Signal:
        """The currents with the factor."""
        return self.sets[0]

    @property
    def unscaled(self) -> Signal:
        """The currents without the factor."""
        return self.reads[0]

    @property
    def logarithm(self) -> Signal:
        """The logarithm of the factor."""
        return self.reads[1]


def logarithms(signals: Mapping[str, Signal]) -> dict[str, Logarithm]:
    """Return those among the Signals of an object that stand for attributes.

    Parameters
    ----------
    signals : mapping of str to Signal
        What ``model.sig`` has of an object.

    Returns
    -------
    dict of {str: Logarithm}
        By the name of the attribute.
    """
    return {s.attribute: s for s in signals.values() if isinstance(s, Logarithm)}


def with_attributes(
    operators: Sequence[Operator], parameters: Iterable[Signal]
) -> list[Operator]:
    """Let operators read the attributes that are parameters.

    Parameters
    ----------
    operators : sequence of Operator
        The operators of a model.
    parameters : iterable of Signal
        All parameters; those that are no `Logarithm` play no part.

    Returns
    -------
    list of Operator
        The operators themselves if no attribute is a parameter.
    """
    by_target: dict[Signal, list[Logarithm]] = {}
    factors: dict[Signal, Logarithm] = {}
    for signal in parameters:
        if not isinstance(signal, Logarithm):
            continue
        if signal.attribute == "gain":
            factors[signal.target] = signal
        else:
            by_target.setdefault(signal.target, []).append(signal)
    found = [_reading(op, by_target) for op in operators] if by_target else operators
    return _with_factors(list(found), factors) if factors else list(found)


def _reading(op: Operator, by_target: Mapping[Signal, list[Logarithm]]) -> Operator:
    if isinstance(op, SimNeurons) and op.output in by_target:
        return TrainedNeurons(op, by_target[op.output])
    if isinstance(op, SimProcess) and op.output in by_target:
        return TrainedSynapse(op, by_target[op.output])
    return op


def _with_factors(
    operators: list[Operator], factors: Mapping[Signal, Logarithm]
) -> list[Operator]:
    """Let what adds up to input currents add up to currents without their factors."""
    unscaled = {
        currents: Signal(shape=currents.shape, name=f"{currents.name}.unscaled")
        for currents in factors
    }

    def moved(signals: list[Signal]) -> list[Signal]:
        return [
            view_of(s, unscaled[s.base]) if s.base in unscaled else s for s in signals
        ]

    result: list[Operator] = []
    for op in operators:
        if any(s.base in unscaled for s in (*op.sets, *op.incs)):
            op = copy.copy(op)
            op.sets, op.incs = moved(op.sets), moved(op.incs)
        if isinstance(op, SimNeurons) and op.J in factors:
            factor = factors[op.J]
            result.append(ScaleCurrents(unscaled[op.J], op.J, factor, op.tag))
        result.append(op)
    return result


def time_constant(synapse: nengo.LinearFilter) -> float:
    """Return the geometric mean of a filter's time constants (s).

    Parameters
    ----------
    synapse : nengo.LinearFilter
        A filter in continuous time without a pole at 0. Of Lowpass and Alpha it is
        their ``tau``.
    """
    den = np.trim_zeros(synapse.den, "f")
    return float(abs(den[0] / den[-1]) ** (1 / (len(den) - 1)))


def with_time_constant(synapse: nengo.LinearFilter, tau: float) -> nengo.LinearFilter:
    """Return a filter all of whose time constants are longer by the same factor.

    Parameters
    ----------
    synapse : nengo.LinearFilter
        A filter in continuous time; Lowpass and Alpha are such.
    tau : float
        Its `time_constant` from now on (s).

    Returns
    -------
    nengo.LinearFilter
        Of the same class, with the same method of discretization.
    """
    factor = tau / time_constant(synapse)
    num, den = (
        coefficients * factor ** np.arange(len(coefficients) - 1, -1, -1)
        for coefficients in (synapse.num, synapse.den)
    )
    changes = {"num": num, "den": den}
    if hasattr(synapse, "tau"):
        changes["tau"] = tau
    return with_changes(synapse, changes)


def with_values(frozen: Any, values: Mapping[str, float], dt: float) -> Any:
    """Return an equal neuron type or synapse with other values of what can train.

    Parameters
    ----------
    frozen : nengo.neurons.NeuronType or nengo.synapses.Synapse
        What the values are of; as it is if there are none.
    values : mapping of {str: float}
        By name: ``"tau_rc"``, for example.
    dt : float
        Length of a time step (s).
    """
    if not values:
        return frozen
    if "tau" in values:
        return with_time_constant(frozen, values["tau"])
    if "delay" in values:
        return frozen.with_seconds(values["delay"], dt)
    return with_changes(frozen, values)


def with_changes(frozen: Any, changes: Mapping[str, Any]) -> Any:
    """Return an equal neuron type or synapse but for some attributes.

    Parameters
    ----------
    frozen : nengo.params.FrozenObject
        What cannot be changed in place.
    changes : mapping of {str: object}
        The other values, by name.
    """
    state = {**frozen.__getstate__(), **changes}
    # the text of its arguments is kept too
    if "_FrozenObject__argreprs" in state:
        state["_FrozenObject__argreprs"] = None
    new = object.__new__(type(frozen))
    new.__setstate__(state)
    return new
