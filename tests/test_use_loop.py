"""Networks without a loop over time."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from tests.helpers import assert_close, rest_with_everything

STEPS = 3


def network(use_loop, **settings):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype="float64", use_loop=use_loop, **settings)
        node = nengo.Node([0.5], label="in")
        a = nengo.Ensemble(10, 1, neuron_type=nengo.LIF())
        nengo.Connection(node, a)
        nengo.Connection(a, a, synapse=0.01)
        nengo.Probe(a, synapse=0.01, label="out")
    return net


def outcome(net, jit_compile):
    with net:
        nengo_dl.configure_settings(jit_compile=jit_compile)
    with nengo_dl.Simulator(
        net, minibatch_size=2, unroll_simulation=STEPS, seed=0, progress_bar=False
    ) as sim:
        (probe,) = net.probes
        sim.run_steps(STEPS)
        sim.run_steps(STEPS)
        seen = sim.data[probe]
        rng = np.random.RandomState(0)
        data = {"in": rng.randn(4, STEPS, 1), "out": rng.randn(4, STEPS, 1)}
        losses = sim.train(data, "sgd", n_epochs=2)
        weights = sim.keras_model.get_weights()
        sim.compile("sgd", loss="mse")
        found = sim.evaluate(data["in"], data["out"], verbose=0)
        return [seen, losses, *weights, np.array(found["loss"])]


@pytest.mark.parametrize("jit_compile", rest_with_everything([False, True]))
def test_results_are_those_of_a_loop(jit_compile):
    expected = outcome(network(use_loop=True), jit_compile)
    found = outcome(network(use_loop=False), jit_compile)
    for ours, other in zip(found, expected, strict=True):
        assert_close(ours, other, rtol=1e-10)


def test_other_numbers_of_steps():
    net = network(use_loop=False, jit_compile=False)
    with nengo_dl.Simulator(net, unroll_simulation=STEPS, progress_bar=False) as sim:
        message = r"Got 4 time steps .*use_loop=False; expected 3.*unroll_simulation"
        data = {"in": np.zeros((1, 4, 1)), "out": np.zeros((1, 4, 1))}
        for call in (
            lambda: sim.run_steps(4),
            lambda: sim.run(0.004),
            lambda: sim.predict(data["in"], verbose=0),
            lambda: sim.train(data, "sgd"),
            lambda: sim.loss(data),
        ):
            with pytest.raises(ValidationError, match=message):
                call()
        sim.run_steps(STEPS)
        assert sim.n_steps == STEPS
