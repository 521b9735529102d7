"""Adaptive control: pendulums of unknown weight, each of which learns its own.

A controller pulls a pendulum to a moving target, in proportion to the distance and to
the difference of speeds. That is not enough against gravity, whose strength it does not
know. An ensemble that sees angle and speed learns the missing torque with PES, whose
error is what the controller has to do.

References
----------
T. DeWolf, T. C. Stewart, J.-J. Slotine and C. Eliasmith, "A spiking neural model of
adaptive arm control", *Proceedings of the Royal Society B* 283, 2016.
"""

from __future__ import annotations

import nengo
import numpy as np
import tensorflow as tf

from nengo_dl import config
from nengo_dl.simulator import Simulator
from nengo_dl.tensor_node import TensorNode

#: gains of the controller, of angle and of speed
K_ANGLE, K_SPEED = 20.0, 6.0
LEARNING_RATE, DT = 3e-4, 0.001


def control_network(
    n_neurons: int = 200, learning_rate: float = LEARNING_RATE, seed: int = 0
) -> nengo.Network:
    """Return a pendulum, its controller and the ensemble that learns.

    Parameters
    ----------
    n_neurons : int
        Of the ensemble.
    learning_rate : float
        Of PES; with 0 there is no adaptation.
    seed : int
        Of the ensemble.

    Returns
    -------
    nengo.Network
        With Nodes ``target`` (angle and speed) and ``weight`` to present data to, and a
        Probe ``angle``.

    Examples
    --------
    >>> from nengo_dl.benchmarks.control import control_network
    >>> net = control_network(10)
    >>> net.n_neurons, net.target.size_out, net.weight.size_out
    (10, 2, 1)
    """
    with nengo.Network(seed=seed) as net:
        config.configure_settings(dtype="float32")
        net.config[nengo.Connection].synapse = None
        net.target = nengo.Node([0, 0], label="target")
        net.weight = nengo.Node([0], label="weight")
        state = nengo.Node(size_in=2, label="angle and speed")
        command = nengo.Node(size_in=1, label="command")
        adaptive = nengo.Ensemble(n_neurons, 2, radius=2, label="adaptive")
        torque = nengo.Node(size_in=1, label="torque")
        physics = TensorNode(
            _acceleration, shape_in=(4,), shape_out=(1,), label="physics"
        )
        nengo.Connection(net.target, command, transform=[[K_ANGLE, K_SPEED]])
        nengo.Connection(state, command, transform=[[-K_ANGLE, -K_SPEED]])
        nengo.Connection(command, torque)
        nengo.Connection(state, adaptive)
        learned = nengo.Connection(
            adaptive,
            torque,
            function=lambda x: [0],
            synapse=0.01,
            learning_rule_type=nengo.PES(learning_rate),
        )
        nengo.Connection(command, learned.learning_rule, transform=-1)
        nengo.Connection(torque, physics[0])
        nengo.Connection(net.weight, physics[1])
        nengo.Connection(state, physics[2:])
        # what the pendulum was in the step before, and what has happened since
        nengo.Connection(state, state, transform=[[1, DT], [0, 1]], synapse=0)
        nengo.Connection(physics, state[1], transform=DT, synapse=0)
        net.angle = nengo.Probe(state[0], label="angle")
    return net


def _acceleration(t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Return torque, less that of gravity and friction; shape (batch, 1)."""
    torque, weight, angle, speed = tf.unstack(x, axis=1)
    return (torque - weight * tf.sin(angle) - 0.5 * speed)[:, None]


def adaptive_control(
    seed: int = 0, n_items: int = 100, seconds: float = 8.0, n_neurons: int = 200
) -> dict[str, float]:
    """Measure how far pendulums are from their targets, with adaptation and without.

    Parameters
    ----------
    seed : int
        Of ensemble, weights and targets.
    n_items : int
        How many pendulums run at once, each with its own weight.
    seconds : float
        How long they run; the last quarter counts.
    n_neurons : int
        Neurons that learn.

    Returns
    -------
    dict of {str: float}
        Root mean square of the distance (rad), without adaptation and with it.
    """
    rng = np.random.RandomState(seed)
    weight = rng.uniform(2, 10, size=(n_items, 1, 1))
    times = np.arange(round(seconds / DT)) * DT
    frequency = rng.uniform(0.3, 0.6, size=(n_items, 1)) * 2 * np.pi
    target = np.stack(
        [np.sin(frequency * times), frequency * np.cos(frequency * times)], axis=-1
    )
    found = {}
    for name, rate in (("without learning", 0.0), ("with PES", LEARNING_RATE)):
        net = control_network(n_neurons, rate, seed)
        with Simulator(
            net, dt=DT, minibatch_size=n_items, seed=seed, progress_bar=False
        ) as sim:
            sim.run_steps(
                len(times),
                data={
                    net.target: target,
                    net.weight: np.broadcast_to(weight, (n_items, len(times), 1)),
                },
            )
            distance = sim.data[net.angle][..., 0] - target[..., 0]
        last = distance[:, -len(times) // 4 :]
        found[f"{name} (rad)"] = float(np.sqrt(np.mean(last**2)))
    return found
