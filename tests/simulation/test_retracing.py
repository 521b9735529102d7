"""TensorFlow's warnings about retracing, which nobody could follow, stay away."""

import logging

import nengo
import numpy as np
import tensorflow as tf

import nengo_dl

ZEROS = np.zeros((2, 2, 1))


def call_all(sim):
    sim.run_steps(2)
    sim.predict(ZEROS, verbose=0)
    sim.predict_on_batch(ZEROS)
    sim.loss({"node": ZEROS, "seen": ZEROS})
    sim.check_gradients(["seen"], n_steps=2, atol=10)
    sim.compile("sgd", loss={"seen": "mse"}, steps_per_execution=2)
    sim.fit(ZEROS, {"seen": ZEROS}, verbose=0)
    sim.evaluate(ZEROS, {"seen": ZEROS}, verbose=0)


def test_many_simulators_one_after_the_other():
    messages = []

    class Handler(logging.Handler):
        def emit(self, record):
            messages.append(record.getMessage())

    handler = Handler()
    tf.get_logger().addHandler(handler)
    try:
        for seed in range(6):
            with nengo.Network(seed=seed) as net:
                nengo_dl.configure_settings(jit_compile=False)
                node, out = nengo.Node([0.0], label="node"), nengo.Node(size_in=1)
                twice = nengo.Node(lambda t, x: 2 * x, size_in=1)
                weights = nengo_dl.dists.Glorot()
                nengo.Connection(node, out, transform=weights, synapse=0.01)
                nengo.Connection(node, twice, synapse=None)
                nengo.Probe(out, label="seen"), nengo.Probe(twice)
            with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
                call_all(sim)
    finally:
        tf.get_logger().removeHandler(handler)
    assert not [text for text in messages if "retracing" in text]
    assert not tf.get_logger().filters
