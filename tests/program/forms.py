"""A network as a function through time, fed like a simulator of the network."""

import numpy as np
import tensorflow as tf

from nengo_dl.graph.roles import Role
from nengo_dl.inputs.sources import Sources
from nengo_dl.lowering.values import SignalValues
from nengo_dl.program.compile import compile_through_time

STEPS = 15


class Form:
    """A network through time.

    Call it to get what the probes see, shape (batch, STEPS, ...) each.
    """

    def __init__(self, sim, training=False, probes=None):
        self.sim, self.batch = sim, sim.minibatch_size or 1
        self.form, self.inputs, self.reach = compile_through_time(
            sim._built, sim.model.probes if probes is None else probes, training
        )
        self.params = [tf.convert_to_tensor(v) for v in sim._runner.store.params]
        self.state = sim._runner.store.initial_state
        self.layout = sim._program.layout
        self.series = self._series()

    def _series(self):
        sim, loop = self.sim, self.form.loop
        sources = Sources(
            self.inputs, loop.lowerings, sim._built.order, sim.dt, self.batch, float
        )
        sources.rewind(sim.seed)
        functions, _, error = sources.call_functions(0, STEPS, {})
        assert error is None
        series = {}
        for item in self.inputs:
            if item.lifted and item.signal is not None:
                out = np.zeros((1, STEPS, self.batch, item.signal.size))
                sources.fill(item, range(1, STEPS + 1), out, {}, functions)
                series[item.signal] = tf.constant(out[0].transpose(1, 0, 2))
        return series

    def __call__(self, params=None):
        """Return what the probes see, shape (batch, STEPS, ...) each."""
        layout = self.layout
        blocks = dict(
            zip(layout.of_role(Role.PARAM), params or self.params, strict=True)
        )
        blocks.update(zip(layout.carried(), self.state, strict=True))
        live = SignalValues(layout, blocks, self.batch, tf.float64)
        outputs, _ = self.form(live, self.series, STEPS)
        return list(outputs.values())

    def run(self, jit=True):
        compiled = jit and not self.form.calls_python
        function = tf.function(self, jit_compile=compiled, autograph=False)
        return [values.numpy() for values in function()]
