"""The live values of a simulation: parameters and state, by block."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from nengo.builder.signal import Signal

from nengo_dl.graph import signals as sig
from nengo_dl.graph.roles import Role
from nengo_dl.inputs.checks import check_eager
from nengo_dl.plan.layout import Block
from nengo_dl.program.program import Program


class StateStore:
    """Own the values that a pure `Program` is called with.

    Parameters
    ----------
    program : Program
        The compiled model.

    Attributes
    ----------
    params : list of tf.Variable, shape (size,)
        The parameter blocks, in the order of the layout.
    state : list of tf.Tensor, shape (batch, size)
        The carried blocks.
    origins : dict of {int: tf.Variable}, shape (size,)
        For carried blocks that an optimizer may change, because they are parameters
        that a learning rule changes too: what the copy of each item begins with.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._layout = program.layout
        self._param_blocks = self._layout.of_role(Role.PARAM)
        self._state_blocks = self._layout.carried()
        with tf.device(program.device):
            self.params = [self._variable(i) for i in self._param_blocks]
            self._initial_state = [self._initial(i) for i in self._state_blocks]
            self.origins = {
                i: self._variable(i)
                for i in self._state_blocks
                if self._layout.blocks[i].trainable
            }
        self._followed = {i: v.numpy() for i, v in self.origins.items()}
        self.state: list[tf.Tensor] = list(self._initial_state)
        self._param_values: list[tf.Tensor] | None = None
        self._changed = False
        #: parameters that the program has no use for, but that were given values
        self._unused: dict[Signal, np.ndarray] = {}

    def is_like(self, other: StateStore) -> bool:
        """Return whether the blocks of another store stand for the same Signals."""
        mine, theirs = (
            [(b.role, b.kind, b.trainable, b.signals) for b in store.kept_blocks]
            for store in (self, other)
        )
        return mine == theirs

    @property
    def kept_blocks(self) -> list[Block]:
        """The blocks of parameters, then those of the state."""
        numbers = (*self._param_blocks, *self._state_blocks)
        return [self._layout.blocks[i] for i in numbers]

    def param_values(self) -> list[tf.Tensor]:
        """Return the values of the parameter blocks, shape (size,) each.

        Reading a variable takes longer than a step of a small model, so what was read
        is kept until a parameter changes.
        """
        if self._param_values is None:
            with tf.device(self._program.device):
                self._param_values = [tf.convert_to_tensor(v) for v in self.params]
        return self._param_values

    @property
    def param_blocks(self) -> list[Block]:
        """The blocks that the parameters stand for."""
        return [self._layout.blocks[i] for i in self._param_blocks]

    @property
    def trained(self) -> list[tuple[Block, tf.Variable]]:
        """The blocks and variables that an optimizer may change."""
        numbers = (*self._param_blocks, *self.origins)
        variables = (*self.params, *self.origins.values())
        return [
            (self._layout.blocks[i], variable)
            for i, variable in zip(numbers, variables, strict=True)
            if variable.trainable
        ]

    @property
    def variables(self) -> list[tf.Variable]:
        """All variables, of parameters and of what learned copies begin with."""
        return [*self.params, *self.origins.values()]

    @property
    def initial_state(self) -> list[tf.Tensor]:
        """The carried blocks as the model was built, shape (batch, size) each."""
        return self.begin(self._initial_state)

    @property
    def fresh_state(self) -> list[tf.Tensor]:
        """The carried blocks as the model was built, but for what it has learned."""
        return self.with_learned(self.initial_state, self.state)

    @property
    def learned(self) -> tuple[bool, ...]:
        """Which of the carried blocks are parameters that learning rules change."""
        blocks = self._layout.blocks
        return tuple(blocks[i].role is Role.ONLINE for i in self._state_blocks)

    @property
    def learns(self) -> bool:
        """Whether learning rules change parameters while the simulation runs."""
        return any(self.learned)

    def with_learned(
        self, state: Sequence[tf.Tensor], learned: Sequence[tf.Tensor]
    ) -> list[tf.Tensor]:
        """Return carried blocks, with what learning rules change from elsewhere.

        Parameters
        ----------
        state, learned : sequence of tf.Tensor, shape (batch, size)
            Carried blocks; those of parameters that learn are taken from ``learned``.
        """
        return [
            new if online else old
            for online, old, new in zip(self.learned, state, learned, strict=True)
        ]

    def begin(
        self,
        state: Sequence[tf.Tensor],
        origins: Sequence[tf.Tensor] | None = None,
    ) -> list[tf.Tensor]:
        """Return carried blocks, with all copies of parameters as they begin.

        Parameters
        ----------
        state : sequence of tf.Tensor, shape (batch, size)
            The carried blocks.
        origins : sequence of tf.Tensor, shape (size,), optional
            What the copies begin with; by default the present `origins`.
        """
        values = self.origins.values() if origins is None else origins
        begins = dict(zip(self.origins, values, strict=True))
        return [
            tf.broadcast_to(begins[i], values.shape) if i in begins else values
            for i, values in zip(self._state_blocks, state, strict=True)
        ]

    def keras_variables(self, names: Mapping[Signal, str]) -> list[Any]:
        """Return `variables` as variables of Keras, which share their storage.

        Parameters
        ----------
        names : mapping of Signal to str
            What parameters are called. A variable is named for all that are in it;
            what is no parameter by Nengo's name, without addresses in memory.
        """
        from nengo_dl.simulation.keras_variables import shared

        blocks = self.param_blocks + [self._layout.blocks[i] for i in self.origins]

        def name(signal: Signal) -> str:
            return names.get(signal) or re.sub(" at 0x[0-9a-fA-F]+", "", signal.name)

        return [
            shared(variable, "+".join(map(name, block.signals)))
            for variable, block in zip(self.variables, blocks, strict=True)
        ]

    def changed(self) -> None:
        """Take note that somebody has changed the variables."""
        self._param_values = None
        self._changed = True
        for i, origin in self.origins.items():
            value = origin.numpy()
            if not np.array_equal(value, self._followed[i]):
                self._followed[i] = value
                at = self._state_blocks.index(i)
                self.state[at] = tf.broadcast_to(origin, self.state[at].shape)

    def follow_learned(self) -> None:
        """Let training begin with what rules have learned where they learn the same."""
        self._follow(
            i
            for i, value in self._followed.items()
            if (self.state[self._state_blocks.index(i)].numpy() != value).any()
        )

    def _follow(self, blocks: Iterable[int]) -> None:
        """Let origins be what the copies of all items are on average."""
        for i in self.origins.keys() & set(blocks):
            copies = self.state[self._state_blocks.index(i)].numpy()
            self._followed[i] = copies.mean(axis=0)
            self.origins[i].assign(self._followed[i])

    def is_initial(self, signal: Signal) -> bool:
        """Return whether nobody can have changed a parameter since it was built."""
        if signal.base in self._unused:
            return False
        block, _ = self._layout.places.get(signal.base, (-1, 0))
        if block in self._state_blocks:
            at = self._state_blocks.index(block)
            return self.state[at] is self._initial_state[at]
        return not self._changed

    def _dtype(self, block: Block) -> np.dtype:
        return np.dtype(
            self._program.dtype.as_numpy_dtype if block.kind == "f" else np.int64
        )

    def _variable(self, i: int) -> tf.Variable:
        block = self._layout.blocks[i]
        return tf.Variable(
            block.initial_values().astype(self._dtype(block)),
            trainable=block.trainable,
            # some optimizers of Keras name variables of theirs after it
            name=block.key.replace("#", "_").replace("/", "."),
        )

    def _initial(self, i: int) -> tf.Tensor:
        block = self._layout.blocks[i]
        values = block.initial_values().astype(self._dtype(block))
        if block.role.batched:
            values = np.tile(values, (self._program.minibatch_size, 1))
        return tf.constant(values)

    def reset(self, params: bool = True, learned: bool = True) -> None:
        """Return to the values that the model was built with.

        Parameters
        ----------
        params : bool
            Whether parameters return too.
        learned : bool
            Whether what learning rules have changed returns too.
        """
        if params:
            self._unused.clear()
            self.changed()
            self._changed = False
            for variable, i in zip(self.params, self._param_blocks, strict=True):
                variable.assign(self._initial(i))
            for i, origin in self.origins.items():
                self._followed[i] = self._layout.blocks[i].initial_values()
                origin.assign(self._followed[i])
        self.state = self.initial_state if learned else self.fresh_state

    def value(self, signal: Signal) -> np.ndarray:
        """Return the current value of a Signal.

        Returns
        -------
        np.ndarray, shape signal.shape, or (batch, *signal.shape) if it is carried
            What no step keeps, and what the program does not need, has its initial
            value. Values of a sparse Signal have shape (nnz,).
        """
        check_eager("Parameters and state cannot be read")
        floating = self._program.dtype.as_numpy_dtype
        dtype = floating if signal.dtype.kind == "f" else signal.dtype
        shape = (sig.size(signal),) if signal.sparse else signal.shape
        block, offset = self._layout.places.get(signal.base, (-1, 0))
        role = self._layout.blocks[block].role if block >= 0 else None
        if role is Role.PARAM:
            flat = self.params[self._param_blocks.index(block)].numpy()
        elif role is not None and role.carried:
            flat = self.state[self._state_blocks.index(block)].numpy()
        elif signal in self._unused:
            return self._unused[signal].astype(dtype).reshape(shape)
        else:
            return sig.initial_elements(signal).astype(dtype).reshape(shape)
        index = np.concatenate(
            [np.arange(offset + a, offset + b) for a, b in sig.runs(signal)]
        )
        return flat[..., index].astype(dtype).reshape((*flat.shape[:-1], *shape))

    def values(self, signals: Iterable[Signal]) -> dict[Signal, np.ndarray]:
        """Return the current values of many base Signals; see `value`.

        A block is copied once, not once for each of its Signals.
        """
        kept = self.snapshot()
        floating = self._program.dtype.as_numpy_dtype
        found = {}
        for signal in signals:
            flat = kept.get(signal)
            if flat is None:
                found[signal] = self.value(signal)
                continue
            shape = (sig.size(signal),) if signal.sparse else signal.shape
            dtype = floating if signal.dtype.kind == "f" else signal.dtype
            found[signal] = flat.astype(dtype).reshape((*flat.shape[:-1], *shape))
        return found

    def batched(self, signal: Signal) -> bool:
        """Return whether each item of the minibatch has a value of its own."""
        block, _ = self._layout.places.get(signal.base, (-1, 0))
        return block in self._state_blocks

    def snapshot(self) -> dict[Signal, np.ndarray]:
        """Return the current values of all that is kept, by base Signal.

        Returns
        -------
        dict of {Signal: np.ndarray}, shape (size,) or (batch, size)
            Parameters have no batch axis.
        """
        kept = {
            signal: flat[..., offset : offset + sig.size(signal)].copy()
            for signal, offset, flat in self._kept(self._flat())
        }
        return {**kept, **self._unused}

    def parameters(self, named: Mapping[str, Signal]) -> dict[Signal, np.ndarray]:
        """Return the current values of parameters, without a batch axis.

        Parameters
        ----------
        named : mapping of str to Signal
            The parameters. Of those that a learning rule changes, the first item's.

        Returns
        -------
        dict of {Signal: np.ndarray}, shape (size,)
        """
        kept = self.snapshot()
        return {
            signal.base: np.ravel(
                kept[signal.base][0] if self.batched(signal) else kept[signal.base]
            )
            for signal in named.values()
            if signal.base in kept
        }

    def restore(self, values: Mapping[Signal, np.ndarray]) -> None:
        """Return to the values of a `snapshot`, or to some of them."""
        flats = {i: flat.copy() for i, flat in self._flat().items()}
        for signal, offset, flat in self._kept(flats):
            if signal in values:
                flat[..., offset : offset + sig.size(signal)] = values[signal]
        self._unused.update(
            (signal, value)
            for signal, value in values.items()
            if self._layout.places.get(signal, (-1, 0))[0] not in flats
        )
        self.changed()
        for variable, i in zip(self.params, self._param_blocks, strict=True):
            variable.assign(flats[i])
        self.state = [tf.constant(flats[i]) for i in self._state_blocks]
        self._follow(self._state_blocks)

    def _flat(self) -> dict[int, np.ndarray]:
        """Return the current values of all blocks that are kept."""
        numbers = (*self._param_blocks, *self._state_blocks)
        tensors = (*self.params, *self.state)
        return {i: t.numpy() for i, t in zip(numbers, tensors, strict=True)}

    def _kept(
        self, flats: Mapping[int, np.ndarray]
    ) -> Iterator[tuple[Signal, int, np.ndarray]]:
        """Yield base Signals, their places in their blocks, and those blocks."""
        for signal, (block, offset) in self._layout.places.items():
            if block in flats:
                yield signal, offset, flats[block]

    def has(self, signal: Signal) -> bool:
        """Return whether the program keeps a value of a Signal."""
        block, _ = self._layout.places.get(signal.base, (-1, 0))
        return block in (*self._param_blocks, *self._state_blocks)

    def set_value(self, signal: Signal, value: np.ndarray) -> None:
        """Change the current value of a Signal; shapes as `value` returns them."""
        block, offset = self._layout.places[signal.base]
        index = np.concatenate(
            [np.arange(offset + a, offset + b) for a, b in sig.runs(signal)]
        )
        if self._layout.blocks[block].role is Role.PARAM:
            self.changed()
            variable = self.params[self._param_blocks.index(block)]
            flat = variable.numpy()
            flat[index] = np.ravel(value)
            variable.assign(flat)
        else:
            at = self._state_blocks.index(block)
            flat = self.state[at].numpy()
            flat[:, index] = np.reshape(value, (-1, index.size))
            self.state[at] = tf.constant(flat)
            self._follow([block])
