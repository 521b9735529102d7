"""Pendulums of unknown weight follow a target, and learn what they weigh with PES.

    python examples/adaptive_control.py

A controller pulls in proportion to the distance from the target, which is not enough
against gravity. Neurons that see angle and speed learn the torque that is missing; the
error of the learning rule is what the controller has to do. All pendulums run as one
minibatch, and each learns decoders of its own.
"""

import nengo_dl

import nengo
import numpy as np
import tensorflow as tf

N_ITEMS, SECONDS, DT = 20, 4.0, 0.001
K_ANGLE, K_SPEED = 20, 6  # of the controller


def acceleration(t, x):
    """Return torque less gravity and friction, shape (items, 1)."""
    torque, weight, angle, speed = tf.unstack(x, axis=1)
    return (torque - weight * tf.sin(angle) - 0.5 * speed)[:, None]


with nengo.Network(seed=0) as net:
    net.config[nengo.Connection].synapse = None
    target = nengo.Node([0, 0], label="target")  # angle and speed
    weight = nengo.Node([0], label="weight")
    state = nengo.Node(size_in=2, label="angle and speed")
    command = nengo.Node(size_in=1, label="command")
    torque = nengo.Node(size_in=1, label="torque")
    adaptive = nengo.Ensemble(200, 2, radius=2, label="adaptive")
    physics = nengo_dl.TensorNode(acceleration, shape_in=(4,), shape_out=(1,))

    nengo.Connection(target, command, transform=[[K_ANGLE, K_SPEED]])
    nengo.Connection(state, command, transform=[[-K_ANGLE, -K_SPEED]])
    nengo.Connection(command, torque)
    nengo.Connection(state, adaptive)
    learned = nengo.Connection(
        adaptive,
        torque,
        function=lambda x: [0],  # it says nothing before it has learned
        synapse=0.01,
        learning_rule_type=nengo.PES(3e-4),
    )
    nengo.Connection(command, learned.learning_rule, transform=-1)
    for source, element in ((torque, 0), (weight, 1)):
        nengo.Connection(source, physics[element])
    nengo.Connection(state, physics[2:])
    # synapse=0: what the pendulum was in the step before, and what has happened since
    nengo.Connection(state, state, transform=[[1, DT], [0, 1]], synapse=0)
    nengo.Connection(physics, state[1], transform=DT, synapse=0)
    angle = nengo.Probe(state[0], label="angle")

rng = np.random.RandomState(0)
times = np.arange(round(SECONDS / DT)) * DT
frequency = rng.uniform(0.3, 0.6, size=(N_ITEMS, 1)) * 2 * np.pi
wanted = np.sin(frequency * times)
data = {
    target: np.stack([wanted, frequency * np.cos(frequency * times)], axis=-1),
    weight: rng.uniform(2, 10, size=(N_ITEMS, 1, 1)).repeat(len(times), axis=1),
}
with nengo_dl.Simulator(net, dt=DT, minibatch_size=N_ITEMS) as sim:
    sim.run_steps(len(times), data=data)

distance = np.abs(sim.data[angle][..., 0] - wanted)
first, last = (distance[:, part].mean() for part in (times < 1, times >= SECONDS - 1))
print(
    f"distance from the target: {first:.3f} rad in the first second, {last:.3f} later"
)
assert last < 0.5 * first
