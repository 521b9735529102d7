"""A process of its own with two devices: ``test_second_device.py`` starts it.

Prints what training gives on the first device, which TensorFlow takes by default, and
on the second, as JSON.
"""

import json
import os

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import nengo
import numpy as np
import tensorflow as tf

import nengo_dl

rng = np.random.RandomState(0)
X, Y = rng.uniform(size=(20, 3, 4)), rng.uniform(size=(20, 3, 2))

OPTIMIZERS = {
    "Adam": lambda: keras.optimizers.Adam(0.01),
    "name": lambda: "sgd",
    "schedule": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5), momentum=0.9
    ),
    "TensorFlow 1": lambda: tf.compat.v1.train.MomentumOptimizer(0.1, 0.9),
}


def train(sim, node, probe, optimizer):
    data = {node: X, probe: Y}
    sim.train(data, optimizer, n_epochs=2, progress_bar=False)
    return float(sim.loss(data, "mse"))


def fit(sim, node, probe, optimizer, callbacks=()):
    metrics = [keras.metrics.MeanAbsoluteError(), "mse"]
    sim.compile(optimizer, "mse", metrics=metrics)
    history = sim.fit({node: X}, {probe: Y}, epochs=2, verbose=0, callbacks=callbacks)
    measured = sim.evaluate({node: X}, {probe: Y}, verbose=0)
    return [history.history["loss"], [float(v) for v in measured.values()]]


def batch_by_batch(sim, node, probe, optimizer):
    class Callback(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            assert logs["loss"] > 0

    return fit(sim, node, probe, optimizer, [Callback()])


CASES = [(train, name) for name in OPTIMIZERS]
CASES += [(fit, "Adam"), (batch_by_batch, "Adam")]


def trained(device, call, optimizer):
    with nengo.Network(seed=0) as net:
        node = nengo.Node(np.zeros(4))
        hidden = nengo_dl.Layer(keras.layers.Dense(6))(node)
        hidden = nengo_dl.Layer(nengo.LIF())(hidden)
        probe = nengo.Probe(nengo_dl.Layer(keras.layers.Dense(2))(hidden))
    with nengo_dl.Simulator(
        net, minibatch_size=10, seed=0, device=device, progress_bar=False
    ) as sim:
        return call(sim, node, probe, optimizer)


def main():
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    found = {
        f"{call.__name__}, {name}": [
            trained(device, call, OPTIMIZERS[name]()) for device in ("/cpu:0", "/cpu:1")
        ]
        for call, name in CASES
    }
    print("RESULT", json.dumps(found))


if __name__ == "__main__":
    main()
