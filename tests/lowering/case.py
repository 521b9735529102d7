"""Operators of one kind that can run as one, and values for their signals.

They differ in size and parameters where their lowering merges such. Signals are known
by their names.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import nengo
import numpy as np
import scipy.sparse
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import (
    BsrDotInc,
    Copy,
    DotInc,
    Operator,
    SimPyFunc,
    SparseDotInc,
)
from nengo.builder.processes import SimProcess
from nengo.builder.signal import Signal, SignalDict
from scipy import stats

from nengo_dl.graph.draws import DrawnNeurons
from nengo_dl.graph.series import FilterSeries
from nengo_dl.graph.surrogate_neurons import RateGradientNeurons, SurrogateNeurons
from nengo_dl.lowering.neurons.rate_equivalents import rate_equivalent
from nengo_dl.lowering.sampling import KEY_BITS
from nengo_dl.surrogates import Arctan
from tests.lowering.one_group import shape_of

# why no gradient passes, or another than that of the values
SPIKES = "spikes are steps of the voltage, flat nearly everywhere"
DRAWN = "drawn spikes are steps of the rate, flat nearly everywhere"
COUNT = "steps are counted in whole numbers"
CONSTANT = "the result is a constant"
NOTHING = "nothing is computed"
PYTHON = "Python code has no derivative"
SURROGATE = "a surrogate stands in for the derivative"

Draw = Callable[[np.random.RandomState, tuple[int, ...]], np.ndarray]


def between(low: float, high: float) -> Draw:
    return lambda rng, shape: rng.uniform(low, high, shape)


def whole(low: int, high: int) -> Draw:
    return lambda rng, shape: rng.randint(low, high, shape)


def symmetric(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    half = rng.uniform(-0.5, 0.5, shape)
    return half + np.swapaxes(half, -1, -2)


@dataclass(frozen=True)
class Case:
    """Operators of one kind.

    Attributes
    ----------
    make : callable
        ``make(i)`` returns operator number i.
    draw : mapping of str to callable
        ``draw[name](rng, shape)`` returns values for signals of a name; others are
        drawn from -1 to 1.
    shared : collection of str
        Names of what most models share between the items of a minibatch.
    fixed : collection of str
        Names of signals that cannot have any value, such as counts.
    flat : str
        Why what the operators set or increment has no derivative of its own.
    alone : str
        Why they never merge.
    edges : tuple of float
        Values that all other signals may have at once.
    warm : int
        Steps that Nengo runs first, where parts of the state depend on each other.
    prepare : callable
        ``prepare(op, memory)`` is called before Nengo makes its step function.
    slow : bool
        Whether it takes long to compile, so that fewer configurations must do.
    many : int
        How many operators to take where one would do otherwise.
    """

    make: Callable[[int], Operator]
    draw: Mapping[str, Draw] = field(default_factory=dict)
    shared: Collection[str] = ()
    fixed: Collection[str] = ()
    flat: str = ""
    alone: str = ""
    edges: tuple[float, ...] = (0.0, 1.0, -1.0)
    warm: int = 0
    prepare: Callable[[Any, SignalDict], None] = lambda op, memory: None
    slow: bool = False
    many: int = 1

    def operators(self, count: int) -> list[Operator]:
        """Return some operators, but only one if they do not merge."""
        return [self.make(i) for i in range(1 if self.alone else self.many * count)]

    def values(self, signal: Signal, lead: tuple[int, ...], rng: Any) -> np.ndarray:
        """Return random values, such that both precisions start from the same."""
        draw = self.draw.get(signal.name, between(-1, 1))
        drawn = draw(rng, (*lead, *shape_of(signal)))
        rounds = signal.dtype.kind == "f" and signal.name not in self.fixed
        return np.asarray(drawn, np.float32 if rounds else None).astype(signal.dtype)


def signal(name: str, *shape: int, dtype: Any = float) -> Signal:
    return Signal(np.zeros(shape, dtype), name=name)


#: after one step
TIME = signal("time")


def first_time(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    return np.full(shape, 0.001)


# -- neurons

RATE = {"J": between(-3, 5)}
FIRING = {
    "J": between(-10, 40),
    "voltage": between(0, 1),
    "refractory_time": between(0, 0.003),
}
COUNTING = {"J": between(-500, 2600), "voltage": between(0, 1)}
QUADRATIC = {
    "J": between(-40, 30),
    "voltage": between(-70, 40),
    "recovery": between(-20, 0),
}


def population(make_type: Callable, i: int, *state: str) -> SimNeurons:
    """Return neurons; their number, and what ``make_type`` says, depend on i."""
    n = 3 + i
    states = {name: signal(name, n) for name in state}
    return SimNeurons(make_type(i), signal("J", n), signal("output", n), states)


def rate(make_type: Callable, *state: str, flat: str = "") -> dict[str, Case]:
    make = lambda i: population(make_type, i, *state)  # noqa: E731
    return {"rates": Case(make, RATE, flat=flat)}


def spiking(make_type: Callable, draw: Mapping, *state: str) -> dict[str, Case]:
    make = lambda i: population(make_type, i, *state)  # noqa: E731
    return {"spikes": Case(make, draw, flat=SPIKES)}


def surrogate(make_type: Callable, draw: Mapping, *state: str) -> dict[str, Case]:
    def make(i: int) -> Operator:
        return SurrogateNeurons(population(make_type, i, *state), Arctan())

    return {"voltage": Case(make, draw, flat=SURROGATE)}


def rate_gradient(make_type: Callable, draw: Mapping, *state: str) -> Case:
    def make(i: int) -> Operator:
        op = population(make_type, i, *state)
        return RateGradientNeurons(op, rate_equivalent(op.neurons))

    return Case(make, draw, flat=SURROGATE)


def drawn(make_type: Callable, top: float, *key: int, equal: bool = False) -> Case:
    """Neurons that are fed random numbers: one for each, or a key."""

    def make(i: int) -> Operator:
        op = population(make_type, 0 if equal else i)
        return DrawnNeurons(op, signal("draws", *(key or op.J.shape)))

    def prepare(op: Any, memory: SignalDict) -> None:
        op.state_extra = {"rng": FedRandomState(memory[op.draws])}

    low = -top if make_type(0).negative else 0
    draws = whole(0, 2**KEY_BITS) if key else between(0, 1)
    return Case(
        make,
        {"J": between(low, top), "draws": draws},
        fixed=["draws"],
        flat=DRAWN,
        edges=(0.0, 1.0, 1e3),
        prepare=prepare,
        slow=bool(key),
    )


class FedRandomState:
    """Gives Nengo's neuron types the numbers that the lowerings are fed."""

    def __init__(self, draws: np.ndarray) -> None:
        self.draws = draws

    def random_sample(self, size: tuple[int, ...]) -> np.ndarray:
        return self.draws.reshape(size)

    def poisson(self, mean: np.ndarray, size: int) -> np.ndarray:
        """Return the inverse of the distribution at SplitMix64's numbers."""
        key = sum(int(w) << (64 - KEY_BITS * (k + 1)) for k, w in enumerate(self.draws))
        u = []
        for neuron in range(size):
            z = (key + 64 * neuron * 0x9E3779B97F4A7C15) % 2**64
            z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
            z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
            u.append(((z ^ z >> 31) >> 11) * 2.0**-53)
        return stats.poisson.ppf(u, mean)


class OwnNeurons(nengo.LIF):
    """A type of the user's, with a step of its own."""

    def step(self, dt: float, J: Any, output: Any, **state: Any) -> None:
        super().step(dt, 2 * J, output, **state)


# -- processes


class OwnProcess(nengo.Process):
    """A process of the user's, with state."""

    def make_state(self, *args: Any, **kwargs: Any) -> dict[str, np.ndarray]:
        return {"sum": np.zeros(3)}

    def make_step(self, *args: Any) -> Callable:
        total = args[-1]["sum"]

        def step(t: float, x: np.ndarray) -> np.ndarray:
            total[...] += x
            return np.sin(total) + t

        return step


def process(
    make_process: Callable,
    mode: str = "update",
    shape: tuple[int, ...] = (3,),
    has_input: bool = True,
    any_size: bool = False,
    **options: Any,
) -> Case:
    size, *rest = shape

    def make(i: int) -> Operator:
        simulated, shape = make_process(i), ((size + i * any_size), *rest)
        state = simulated.make_state(shape, shape, 0.001, dtype=np.float64)
        return SimProcess(
            simulated,
            signal("input", *shape) if has_input else None,
            signal("output", *shape),
            TIME,
            mode,
            {name: Signal(value, name=name) for name, value in state.items()},
        )

    return Case(make, {"time": first_time}, fixed=["time", "Xi"], warm=4, **options)


def series(synapse: Any, shape: tuple[int, ...] = (3,), any_size: bool = False) -> Case:
    """A filter for all steps; here there is one."""
    stepped = process(lambda i: synapse, "update", shape, any_size=any_size)
    return replace(stepped, make=lambda i: FilterSeries(stepped.make(i)))


# -- products


def product(
    operator: Any, *shapes: tuple[int, ...], names: str = "AXY", args: tuple = ()
) -> Case:
    def make(i: int) -> Operator:
        signals = (signal(n, *s) for n, s in zip(names, shapes, strict=True))
        return operator(*signals, *args)

    return Case(make, shared=names[:1])


#: in no order that slices could follow
VECTORS = [signal("X", 5) for _ in range(10)]


def product_of_shared(i: int) -> DotInc:
    """One of several products of each vector, of some more than of others."""
    vector = VECTORS[i * (2 * (i // 10) + 1) % 10]
    return DotInc(signal("A", 2, 5), vector, signal("Y", 2))


def convolution(operator: Any, transform: Any) -> Case:
    kernel, x, y = transform.kernel_shape, transform.size_in, transform.size_out
    return product(operator, kernel, (x,), (y,), names="WXY", args=(transform,))


def sparse_product(i: int) -> Operator:
    matrix = scipy.sparse.random(4 + i, 5, 0.5, random_state=i, format="csr")
    a = Signal(matrix, name="A")
    return SparseDotInc(a, signal("X", 5), signal("Y", 4 + i))


def block_product(i: int) -> Operator:
    """Several blocks in a row, none in others."""
    indices, indptr = [([0, 1, 1], [0, 2, 3]), ([1, 1], [0, 0, 2])][i % 2]
    a, x, y = signal("A", len(indices), 2, 3), signal("X", 6), signal("Y", 4)
    return BsrDotInc(a, x, y, np.array(indices), np.array(indptr), reshape=False)


def copy(*slices: Any) -> Case:
    return Case(lambda i: Copy(signal("x", 5 + i), signal("y", 6 + i), *slices))


# -- what Python computes


def function(fn: Callable, t: bool, x: bool, has_output: bool = True) -> Case:
    def make(i: int) -> Operator:
        return SimPyFunc(
            signal("output", 2) if has_output else None,
            fn,
            TIME if t else None,
            signal("x", 3) if x else None,
        )

    alone = "functions of the user's keep Nengo's order"
    return Case(make, {"time": first_time}, fixed=["time"], flat=PYTHON, alone=alone)
