"""Cases as functions of tensors: values, what Nengo makes of them, and gradients."""

import numpy as np
import tensorflow as tf

from nengo_dl.graph.signals import written
from nengo_dl.lowering.python_call import PythonLowering
from nengo_dl.lowering.registry import redundant
from nengo_dl.lowering.values import SignalValues
from tests.lowering.one_group import bases, call_python, in_nengo, lowered, shape_of


class Run:
    """Some operators of a case, values for their signals, and what Nengo makes of them.

    Parameters
    ----------
    case : Case
        Where operators and values come from.
    count : int
        Number of operators.
    items : int
        Size of the minibatch.
    per_item : str
        Which of the signals that are only read have a value for each item: "none",
        "all", "inputs", that is what no model shares between items, or "equal": all,
        but their values are equal and come once.

    Attributes
    ----------
    values, expected : list of np.ndarray
        Values of `signals` before a step, and behind it.
    given : list of np.ndarray
        ``values``, block by block.
    weights : dict of {str: list of np.ndarray}
        Weights of a sum of all that changes, "all", or of the "outputs" only.
    """

    def __init__(self, case, count, items, per_item):
        self.case, self.items = case, items
        self.operators = case.operators(count)
        self.signals = bases(self.operators)
        self.changed = {s.base for op in self.operators for s in written(op)}
        self.left_alone = {s.base for op in self.operators for s in redundant(op)}
        self.per_item = {
            s
            for s in self.signals
            if s not in self.changed and not s.sparse and per_item != "none"
            if per_item != "inputs" or s.name not in case.shared
        }
        self.lead = dict.fromkeys(self.changed, (items,))
        for s in self.per_item:
            self.lead[s] = (1,) if per_item == "equal" else (items,)
        self.lowerings = {}
        for dtype in ("float32", "float64"):
            self.lowerings[dtype], self.layout = lowered(
                self.operators, self.per_item, items, dtype
            )
        rng = np.random.RandomState(0)
        self.values = self._values(rng)
        self.expected = self.in_nengo(self.values)
        self.given = self.blocks(self.values)
        # first comes what other operators see, then state
        outputs = {written(op)[0].base for op in self.operators if written(op)}
        self.weights = {
            "all": self._weights(self.changed, rng),
            "outputs": self._weights(outputs, rng),
        }

    def in_nengo(self, values):
        """Return the values behind a step."""
        with np.errstate(all="ignore"):
            return in_nengo(self.operators, values, self.items, self.case.prepare)

    def edges(self, numbers):
        """Return values, those of each item where the case has an edge.

        ``numbers`` has two for each item: which edge all that is read has, and which
        all that is changed; None leaves it as it is.
        """
        values = [value.copy() for value in self.values]
        # parts of a warm state depend on each other
        free = self.per_item if self.case.warm else self.per_item | self.changed
        for s, value in zip(self.signals, values, strict=True):
            if s in free and s.name not in self.case.fixed:
                for item, pair in enumerate(numbers):
                    number = pair[s in self.changed]
                    if number is not None:
                        value[item] = self.case.edges[number]
        return values

    def blocks(self, values):
        """Return values of signals, block by block."""
        by_signal = dict(zip(self.signals, values, strict=True))
        return [
            np.concatenate(
                [
                    by_signal[s].reshape((*self.lead.get(s, ()), -1))
                    for s in block.signals
                ],
                axis=-1,
            )
            for block in self.layout.blocks
        ]

    def from_blocks(self, blocks, signal):
        """Return the values of a signal."""
        number, start = self.layout.places[signal]
        shape = shape_of(signal)
        flat = blocks[number][..., start : start + int(np.prod(shape))]
        return flat.reshape((*flat.shape[:-1], *shape))

    def has_small_steps(self, block):
        """Whether derivatives can be taken with respect to a block."""
        names = {s.name for s in self.layout.blocks[block].signals}
        given = self.given[block]
        known = given.size and given.dtype.kind == "f"
        return bool(known and names.isdisjoint(self.case.fixed))

    def is_incremented(self, block):
        """Whether a block begins with a value that its new value depends on."""
        incremented = {s.base for op in self.operators for s in op.incs}
        return not incremented.isdisjoint(self.layout.blocks[block].signals)

    def step(self, blocks, weights, dtype):
        """Return new values, a weighted sum of them, and its gradients."""
        kinds = [block.kind for block in self.layout.blocks]
        floats = [t for t, kind in zip(blocks, kinds, strict=True) if kind == "f"]
        with tf.GradientTape() as tape:
            tape.watch(floats)
            values = SignalValues(
                self.layout, dict(enumerate(blocks)), self.items, tf.as_dtype(dtype)
            )
            lowering = self.lowerings[dtype]
            if isinstance(lowering, PythonLowering):
                call_python(lowering, values)
            else:
                lowering.build_step(values)
            results = [
                values.block(i) if block.role.batched else blocks[i]
                for i, block in enumerate(self.layout.blocks)
            ]
            total = tf.zeros((), dtype)
            for result, weight, block in zip(
                results, weights, self.layout.blocks, strict=True
            ):
                if block.kind == "f" and not self.changed.isdisjoint(block.signals):
                    total += tf.reduce_sum(result * weight)
        slopes = iter(tape.gradient(total, floats, unconnected_gradients="zero"))
        return (
            results,
            total,
            [next(slopes) if kind == "f" else tf.zeros(()) for kind in kinds],
        )

    def _values(self, rng):
        def draw():
            return [
                self.case.values(s, self.lead.get(s, ()), rng) for s in self.signals
            ]

        if not self.case.warm:
            return draw()
        now = [
            np.broadcast_to(s.initial_value, (self.items, *s.shape))
            for s in self.signals
        ]
        for _ in range(self.case.warm):
            values = [
                old if s in self.changed else new
                for s, old, new in zip(self.signals, now, draw(), strict=True)
            ]
            now = self.in_nengo(values)
        return values

    def _weights(self, of, rng):
        """Return weights for values of any scale, zero for other signals."""
        weights = []
        for s, expected in zip(self.signals, self.expected, strict=True):
            shape = (*self.lead.get(s, ()), *shape_of(s))
            scale = np.abs(expected).max(initial=0) or 1
            weights.append((s in of) * rng.uniform(-1, 1, shape) / scale)
        return self.blocks(weights)


class Computation:
    """Several runs as one function, since compiling takes longer than anything else."""

    def __init__(self, runs, dtype):
        self.runs, self.dtype = runs, dtype
        self._plain = tf.function(
            lambda given, weights: [
                run.step(*own, dtype)
                for run, *own in zip(runs, given, weights, strict=True)
            ],
            autograph=False,
        )
        self._compiled = tf.function(
            lambda *args: self._plain(*args), jit_compile=True, autograph=False
        )

    def __call__(self, jit, weights="all", given=None):
        """Return new values, the sum and its gradients for each run.

        ``given`` has the values of each run; those that it has by default.
        """

        def tensor(array):
            return tf.constant(array, self.dtype if array.dtype.kind == "f" else None)

        given = given or [run.given for run in self.runs]
        found = (self._compiled if jit else self._plain)(
            *tf.nest.map_structure(
                tensor, (given, [run.weights[weights] for run in self.runs])
            )
        )
        return tf.nest.map_structure(lambda result: result.numpy(), found)
