"""Minibatches of one training or measurement, and the calls that they take."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.signal import Signal

from nengo_dl.graph.inputs import Source
from nengo_dl.inputs.endpoints import TrainingData
from nengo_dl.inputs.memory import as_tensor
from nengo_dl.program.program import Program
from nengo_dl.program.python_errors import as_raised
from nengo_dl.simulation.store import StateStore
from nengo_dl.training.epoch import Epoch
from nengo_dl.training.model_function import Form

#: seconds that one call of compiled code should take: progress is shown between calls
CALL = 0.3


class TrainingRun:
    """Data of one call, as tensors, and the calls of compiled code that it takes."""

    def __init__(
        self,
        program: Program,
        store: StateStore,
        form: Form,
        epoch: Epoch,
        data: TrainingData,
    ) -> None:
        self._batch = program.minibatch_size
        self._dtype = program.dtype
        self._form, self._epoch, self._n_steps = form, epoch, data.n_steps
        self._device = program.device
        self._state = store.initial_state
        self._presented = inputs = data.inputs
        self._warm = epoch.per_call > 1
        self.n_items = data.n_items
        self.n_minibatches = self.n_items // self._batch
        with tf.device(self._device):
            self._items = {
                item.signal: self._tensor(inputs[item.node])
                for item in form.inputs
                if item.node in inputs and item.lifted
            }
            self._targets = {
                p: self._tensor(values) for p, values in data.targets.items()
            }

    def _tensor(self, array: np.ndarray) -> tf.Tensor:
        return as_tensor(array, self._dtype)

    def minibatches(self, order: np.ndarray, one_by_one: bool = False) -> Any:
        """Run all minibatches; yield the losses of some at a time."""
        inputs = self._form.inputs
        alone = one_by_one or any(
            item.source in (Source.PROCESS, Source.DRAWS)
            or (item.source is Source.IN_STEP and item.node in self._presented)
            for item in inputs
            if item.node not in self._presented or not item.lifted
        )
        with tf.device(self._device):
            chosen = tf.constant(order, tf.int32)
            shared = None
            done = 0
            while done < self.n_minibatches:
                count = 1 if alone else self._epoch.per_call
                stop = min(done + count, self.n_minibatches)
                if alone or shared is None:
                    shared = self._shared(order[done * self._batch :][: self._batch])
                begin = time.perf_counter()
                with as_raised():
                    losses = self._epoch(
                        self._items,
                        shared,
                        self._targets,
                        self._state,
                        chosen,
                        done,
                        stop,
                        self._n_steps,
                    ).numpy()
                seconds = (time.perf_counter() - begin) / (stop - done)
                yield losses[done:stop]
                # the first call compiles too, and says nothing about the others
                if self._warm:
                    self._epoch.per_call = max(1, int(CALL / max(seconds, 1e-6)))
                self._warm = True
                done = stop

    def _shared(self, items: np.ndarray) -> dict[Signal, tf.Tensor]:
        """Return inputs that no data are presented for, for the next minibatch."""
        sources = self._form.sources
        own: Mapping[nengo.Node, np.ndarray] = {
            node: array[items] for node, array in self._presented.items()
        }
        self._form.through_time.loop.presented.first_step = 0
        self._form.through_time.loop.presented.values = {
            item.op: own[item.node]
            for item in self._form.inputs
            if item.source is Source.IN_STEP and item.node in own
        }
        functions, _, error = sources.call_functions(0, self._n_steps, own)
        if error is not None:
            raise error
        sources.begin()
        values = {}
        for item in self._form.inputs:
            if item.lifted and item.signal is not None and item.node not in own:
                out = np.zeros(
                    (self._n_steps, self._batch, item.signal.size),
                    self._dtype.as_numpy_dtype,
                )
                sources.fill(item, 0, out, own, functions)
                values[item.signal] = tf.constant(out.transpose(1, 0, 2))
        return values
