"""SimTensorNode: ``y = f(t, x)`` for a function of tensors."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import ValidationError

from nengo_dl.graph.draws import Draws
from nengo_dl.graph.tensor_operator import SimTensorNode
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.sampling import KEY_BITS, KEY_WORDS
from nengo_dl.lowering.tensor_nodes.binding import Bound
from nengo_dl.lowering.tensor_nodes.variables import StandIns, value_type
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View

#: output, new averages, new values of what the function remembers, and what layers add
#: to the loss, shape () or one for each row, (rows, 1)
_Result = tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor], tf.Tensor]

#: so many time steps are written one after the other; more become a loop
_UNROLLED = 4


@register(SimTensorNode)
@dataclass(frozen=True)
class LowerTensorNode(Lowering):
    r"""Call a function of tensors: :math:`y \leftarrow f(t, x; w)`.

    Where all time steps are computed at once, they are further items of the batch,
    unless the function could tell the difference: because it knows the time, takes
    averages over the batch in training, or adds something to the loss.

    References
    ----------
    The function is the user's.
    """

    op: SimTensorNode
    t: View | None
    x: View | None
    weights: tuple[View, ...]
    memory: tuple[View, ...]
    random: View | None
    output: View
    added: View | None
    batch: int

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return None: nothing is known about what two functions have in common."""
        return None

    @classmethod
    def compiles(cls, op: Operator) -> bool:
        """Return whether XLA can compile the function, as `bind` has found out."""
        return op.bound.compiles

    @classmethod
    def fed_draws(cls, op: Operator, nengo_only: bool = False) -> Draws | None:
        """Return a key for each random generator in the function's layers, or None.

        All other numbers are computed from these.
        """
        if not op.bound.draws[op.training]:
            return None
        shape = (len(op.bound.seeds) * KEY_WORDS,)

        def sample(rng: np.random.RandomState, n_steps: int) -> np.ndarray:
            return rng.randint(2**KEY_BITS, size=(n_steps, *shape))

        rng = np.random.RandomState(op.bound.seed % 2**32)
        return Draws(rng, shape, sample, nengo=False)

    @property
    def compiled(self) -> bool:
        """Return whether XLA can compile the function, as `bind` has found out."""
        return self.op.bound.compiles

    @property
    def adapts(self) -> tuple[Signal, ...]:
        """Return averages that the function keeps in training."""
        if not self.op.training:
            return ()
        signals = list(self.op.weights.values())
        return tuple(signals[k] for k in self.op.bound.adapted)

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group."""
        (op,) = group.ops
        shape_in = op.function.shape_in
        return cls(
            op,
            context.view([op.t], (1,)) if op.uses_time else None,
            None if op.x is None else context.view([op.x], shape_in),
            tuple(context.view([s], s.shape) for s in op.weights.values()),
            tuple(context.view([s], s.shape) for s in op.memory.values()),
            None if op.random is None else context.view([op.random], op.random.shape),
            context.view([op.output], op.output.shape),
            None if op.added is None else context.view([op.added], op.added.shape),
            context.minibatch_size,
        )

    def build_step(self, values: SignalValues) -> None:
        """Add the computation to the step."""
        rows = values.minibatch_size
        t, x, random = self._inputs(values, rows)
        steps = rows // self.batch
        result = None
        if steps == 1 or not self._tells_steps:
            result = self._whole(values, t, x, random, folded=steps > 1)
        if result is None:
            result = self._step_by_step(values, t, x, random, steps)
        output, adapted, memory, added = result
        values.set(self.output, tf.reshape(output, (output.shape[0], -1)))
        if self.added is not None:
            values.set(self.added, tf.broadcast_to(added, (rows, 1)))
        values.adapted.update(zip(self.adapts, adapted, strict=True))
        for view, value in zip(self.memory, memory, strict=True):
            values.set(view, tf.cast(value, _stored(values, view)))

    @property
    def _tells_steps(self) -> bool:
        """Whether more time steps in one call would make a difference."""
        op = self.op
        more = bool(self.adapts) or self.added is not None
        return op.uses_time or op.bound.tells_steps or more

    def _inputs(
        self, values: SignalValues, rows: int
    ) -> tuple[tf.Tensor | None, tf.Tensor | None, tf.Tensor | None]:
        """Return time, input and random numbers, all with an axis for rows."""

        def read(view: View | None) -> tf.Tensor | None:
            if view is None:
                return None
            value = values.read(view)
            return tf.broadcast_to(value, (rows, *view.shape))

        return read(self.t), read(self.x), read(self.random)

    def _whole(
        self,
        values: SignalValues,
        t: tf.Tensor | None,
        x: tf.Tensor | None,
        random: tf.Tensor | None,
        folded: bool,
    ) -> _Result | None:
        """Call the function once; return None if it does not take so many items."""
        try:
            return self._call(values, t, x, random)
        except ValidationError:
            if not folded:
                raise
            return None

    def _step_by_step(
        self,
        values: SignalValues,
        t: tf.Tensor | None,
        x: tf.Tensor | None,
        random: tf.Tensor | None,
        steps: int,
    ) -> _Result:
        """Call the function for one time step after the other."""
        given = [
            _exchange(tf.reshape(v, (self.batch, steps, *v.shape[1:])))
            for v in (t, x, random)
            if v is not None
        ]
        present = [v is not None for v in (t, x, random)]

        def step(tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
            remaining = iter(tensors)
            arguments = [next(remaining) if there else None for there in present]
            output, adapted, _, added = self._call(values, *arguments)
            return [output, *([] if self.added is None else [added]), *adapted]

        if steps <= _UNROLLED or not given:
            made = [step([v[k] for v in given]) for k in range(steps)]
            results = [tf.stack(column) for column in zip(*made, strict=True)]
        else:
            variables = self.op.bound.weights
            adapted = [variables[k] for k in self.op.bound.adapted[: len(self.adapts)]]
            batch = 1 if self.x is None else self.batch
            signature = [
                tf.TensorSpec((batch, *self.op.function.shape_out), values.dtype),
                *([] if self.added is None else [tf.TensorSpec((), values.dtype)]),
                *(tf.TensorSpec(v.shape, value_type(v, values.dtype)) for v in adapted),
            ]
            results = tf.map_fn(step, given, fn_output_signature=signature)
        output, *adapted = results
        added = tf.zeros(steps, values.dtype) if self.added is None else adapted.pop(0)
        if output.shape[1] != self.batch:
            output = tf.broadcast_to(output, (steps, self.batch, *output.shape[2:]))
        return (
            tf.reshape(_exchange(output), (-1, *output.shape[2:])),
            [
                tf.reduce_mean(value, 0) if value.dtype.is_floating else value[-1]
                for value in adapted
            ],
            [],
            tf.reshape(tf.tile(added, [self.batch]), (-1, 1)),
        )

    def _call(
        self,
        values: SignalValues,
        t: tf.Tensor | None,
        x: tf.Tensor | None,
        random: tf.Tensor | None,
    ) -> _Result:
        """Call the function with what stands in for its variables."""
        op, bound, dtype = self.op, self.op.bound, values.dtype
        kept = [
            *(values.read(view) for view in self.weights),
            *(values.read(view)[0] for view in self.memory),
        ]
        kept = [
            tf.cast(value, value_type(variable, dtype))
            for value, variable in zip(kept, bound.variables, strict=False)
        ]
        stand_ins = StandIns(
            bound.variables,
            [*kept, *_seeds(bound, random)],
            bound.adds_loss or op.function.has_built_layers,
        )
        with stand_ins():
            time = tf.zeros((), dtype) if t is None else tf.reshape(t, (-1,))[0]
            output = op.function(time, x, op.training)
        new = stand_ins.values
        first = len(bound.weights)
        adapted = bound.adapted if self.adapts else ()
        return (
            output,
            [tf.stop_gradient(tf.cast(new[k], kept[k].dtype)) for k in adapted],
            new[first : first + len(bound.memory)],
            _sum(stand_ins.losses, dtype),
        )


def _sum(losses: Sequence[tf.Tensor], dtype: tf.DType) -> tf.Tensor:
    """Return the sum of all elements of some losses, shape ()."""
    if not losses:
        return tf.zeros((), dtype)
    return tf.add_n([tf.cast(tf.reduce_sum(loss), dtype) for loss in losses])


def _exchange(values: tf.Tensor) -> tf.Tensor:
    """Exchange the first two axes, items and steps."""
    return tf.transpose(values, (1, 0, *range(2, values.shape.rank)))


def _seeds(bound: Bound, random: tf.Tensor | None) -> list[tf.Tensor]:
    """Return states of random generators, made of the key that was fed."""
    if random is None:
        return [tf.zeros((2,), value_type(v, tf.float32)) for v in bound.seeds]
    words = tf.reshape(
        tf.cast(random[0], tf.int64), (len(bound.seeds), 2, KEY_WORDS // 2)
    )
    numbers = words[..., 0] * 2**KEY_BITS + words[..., 1]
    return [
        tf.cast(numbers[i], value_type(v, tf.float32))
        for i, v in enumerate(bound.seeds)
    ]


def _stored(values: SignalValues, view: View) -> tf.DType:
    """Return the type that the values of a view are kept in."""
    kind = values.layout.blocks[view.runs[0].block].kind
    return values.dtype if kind == "f" else tf.int64
