"""Networks that are trained, and the same written by hand in TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nengo
import numpy as np
import tensorflow as tf

from nengo_dl import config, dists

SIZE_IN, HIDDEN, SIZE_OUT = 784, 128, 10
#: time constants (s) of the synapses on the output and of the recurrent connection
OUTPUT_TAU, RECURRENT_TAU = 0.1, 0.005


def classifier(
    n_steps: int = 1,
    recurrent: bool = False,
    neuron_type: nengo.neurons.NeuronType | None = None,
    seed: int = 0,
    hidden: Sequence[int] = (HIDDEN,),
    **settings: Any,
) -> tuple[nengo.Network, nengo.Node, nengo.Probe]:
    """Return a network of 784, 128 and 10 units, for example, with LIF neurons.

    Parameters
    ----------
    n_steps : int
        For how many time steps it will be run; more than one bring a synapse.
    recurrent : bool
        Whether the last hidden units are connected with each other.
    neuron_type : NeuronType, optional
        Another type of hidden units.
    seed : int
        Of the weights.
    hidden : sequence of int
        Number of units in each hidden layer.
    **settings
        For `nengo_dl.configure_settings`.
    """
    with nengo.Network(seed=seed) as net:
        config.configure_settings(**settings)
        net.config[nengo.Connection].synapse = None
        net.config[nengo.Connection].transform = dists.Glorot()
        node = nengo.Node(np.zeros(SIZE_IN))
        layer = node
        for n_units in hidden:
            units = nengo.Ensemble(
                n_units,
                1,
                neuron_type=neuron_type or nengo.LIF(),
                gain=nengo.dists.Choice([1.0]),
                bias=nengo.dists.Choice([1.0]),
            ).neurons
            nengo.Connection(layer, units)
            layer = units
        if recurrent:
            nengo.Connection(layer, layer, synapse=RECURRENT_TAU)
        output = nengo.Node(size_in=SIZE_OUT)
        nengo.Connection(layer, output)
        probe = nengo.Probe(output, synapse=OUTPUT_TAU if n_steps > 1 else None)
    return net, node, probe


class ByHand:
    """The classifier in rates, as someone would write it who knows XLA well.

    The whole epoch is one compiled function; what needs no loop over time is outside of
    it.

    Parameters
    ----------
    n_steps : int
        Time steps of each item.
    minibatch_size : int
        Items in a minibatch.
    recurrent : bool
        Whether the last hidden units are connected with each other.
    optimizer : keras.optimizers.Optimizer
        What changes the weights.
    hidden : sequence of int
        Number of units in each hidden layer.
    """

    def __init__(
        self,
        n_steps: int,
        minibatch_size: int,
        recurrent: bool,
        optimizer: Any,
        hidden: Sequence[int] = (HIDDEN,),
    ) -> None:
        rng = np.random.RandomState(0)

        def weights(rows: int, columns: int) -> tf.Variable:
            limit = np.sqrt(6 / (rows + columns))
            return tf.Variable(
                rng.uniform(-limit, limit, (rows, columns)).astype(np.float32)
            )

        self.n_steps, self.minibatch_size = n_steps, minibatch_size
        self.recurrent = recurrent
        self.weights = list(map(weights, (SIZE_IN, *hidden), (*hidden, SIZE_OUT)))
        self.biases = [tf.Variable(tf.ones(n_units)) for n_units in hidden]
        self.between = weights(hidden[-1], hidden[-1])
        self.variables = [*self.weights, *self.biases]
        self.variables += [self.between] * recurrent
        self.optimizer = optimizer
        optimizer.build(self.variables)
        self.epoch = tf.function(self._epoch, jit_compile=True, autograph=False)

    def _epoch(self, x: tf.Tensor, y: tf.Tensor, order: tf.Tensor) -> tf.Tensor:
        """Train with all items; return the sum of the losses."""
        batch = self.minibatch_size
        count = x.shape[0] // batch

        def body(i: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            chosen = tf.slice(order, [i * batch], [batch])
            with tf.GradientTape() as tape:
                error = self._outputs(tf.gather(x, chosen)) - tf.gather(y, chosen)
                loss = tf.reduce_mean(error**2)
            gradients = tape.gradient(loss, self.variables)
            self.optimizer.apply_gradients(zip(gradients, self.variables, strict=True))
            return i + 1, total + loss

        return tf.while_loop(lambda i, _: i < count, body, (0, 0.0))[1]

    def _outputs(self, x: tf.Tensor) -> tf.Tensor:
        batch, n_steps = self.minibatch_size, self.n_steps
        current = tf.reshape(x, (batch * n_steps, SIZE_IN)) @ self.weights[0]
        for bias, weights in zip(self.biases, self.weights[1:-1], strict=False):
            current = _rates(current + bias) @ weights
        current += self.biases[-1]
        last = self.weights[-1]
        if not self.recurrent:
            z = tf.reshape(_rates(current) @ last, (batch, n_steps, SIZE_OUT))
            return z if n_steps == 1 else self._filtered(z)
        n_units = last.shape[0]
        rows = _by_step(tf.reshape(current, (batch, n_steps, n_units)))
        keep = _decay(RECURRENT_TAU)

        def step(i: tf.Tensor, seen: tf.Tensor, out: Any) -> tuple:
            rates = _rates(tf.gather(rows, i) + seen @ self.between)
            return i + 1, keep * seen + (1 - keep) * rates, out.write(i, rates)

        out = tf.TensorArray(tf.float32, n_steps, element_shape=(batch, n_units))
        start = (0, tf.zeros((batch, n_units)), out)
        rates = _scan(step, start, n_steps)
        z = tf.reshape(rates, (n_steps * batch, n_units)) @ last
        return self._filtered(_by_step(tf.reshape(z, (n_steps, batch, SIZE_OUT))))

    def _filtered(self, z: tf.Tensor) -> tf.Tensor:
        rows, keep = _by_step(z), _decay(OUTPUT_TAU)

        def step(i: tf.Tensor, y: tf.Tensor, out: Any) -> tuple:
            # as in Nengo, who reads a synapse reads its output of the step before
            new = keep * y + (1 - keep) * tf.gather(rows, i)
            return i + 1, new, out.write(i, y)

        shape = (self.minibatch_size, SIZE_OUT)
        out = tf.TensorArray(tf.float32, self.n_steps, element_shape=shape)
        return _by_step(_scan(step, (0, tf.zeros(shape), out), self.n_steps))


def _scan(step: Any, start: Sequence[Any], n_steps: int) -> tf.Tensor:
    _, _, out = tf.while_loop(
        lambda i, *_: i < n_steps, step, start, maximum_iterations=n_steps
    )
    return out.stack()


def _by_step(values: tf.Tensor) -> tf.Tensor:
    return tf.transpose(values, (1, 0, 2))


def _decay(tau: float) -> float:
    return float(np.exp(-0.001 / tau))


def _rates(
    current: tf.Tensor, tau_rc: float = 0.02, tau_ref: float = 0.002
) -> tf.Tensor:
    """Return the firing rates of LIF neurons."""
    above = current - 1
    fires = above > 0
    # what is not chosen must not be infinite: its gradient would not be a number
    safe = tf.where(fires, above, tf.ones_like(above))
    rates = 1 / (tau_ref + tau_rc * tf.math.log1p(1 / safe))
    return tf.where(fires, rates, tf.zeros_like(rates))
