"""Simulations whose numbers are bfloat16, which is none of NumPy's own types."""

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import NengoWarning

import nengo_dl
from tests.helpers import rest_with_everything

#: half a unit in the last of 8 bits
ROUNDING = 2.0**-8

NEURONS = [
    nengo.LIF(),
    nengo.LIFRate(),
    nengo.RectifiedLinear(),
    nengo.SpikingRectifiedLinear(),
    nengo.AdaptiveLIF(),
    nengo.Tanh(),
    nengo.StochasticSpiking(nengo.LIFRate()),
]


def network(neurons=None):
    """Return a network with an input ``x``, two ensembles, and a Probe ``p``."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype="bfloat16")
        net.x = nengo.Node([0.5], label="x")
        kind = neurons or nengo.LIFRate(amplitude=0.01)
        net.a = nengo.Ensemble(50, 1, neuron_type=kind, label="a")
        net.b = nengo.Ensemble(50, 1, neuron_type=kind, label="b")
        nengo.Connection(net.x, net.a)
        net.c = nengo.Connection(net.a, net.b)
        net.p = nengo.Probe(net.b, synapse=0.02, label="p")
    return net


@pytest.mark.parametrize(
    "neurons", rest_with_everything(NEURONS, 2), ids=lambda n: type(n).__name__
)
def test_simulations_are_as_close_as_eight_bits_allow(neurons):
    net = network(neurons)
    with nengo.Simulator(net, progress_bar=False) as reference:
        reference.run(0.3)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run(0.3)
    assert sim.data[net.p].dtype.name == "bfloat16"
    ours = sim.data[net.p].astype(float)[200:].mean()
    theirs = reference.data[net.p][200:].mean()
    # a filter with a time constant of 20 steps adds 1/20 of a difference in each step,
    # so that it may stop 20 roundings beside the mean
    assert abs(ours - theirs) < 20 * ROUNDING * max(1, abs(theirs))


def test_what_was_trained_in_mixed_precision_runs(tmp_path):
    net = network()
    x, y = np.ones((8, 20, 1)), np.full((8, 20, 1), 0.25)
    with net:
        nengo_dl.configure_settings(mixed_precision="bfloat16")
    how = {"minibatch_size": 4, "progress_bar": False}
    with nengo_dl.Simulator(net, dtype="float32", seed=0, **how) as sim:
        sim.train({net.x: x, net.p: y}, keras.optimizers.Adam(0.01), 10)
        trained = sim.predict({net.x: x}, verbose=0)[net.p]
        sim.save_params(tmp_path / "fine")
        weights = sim.data[net.c].weights
    with nengo_dl.Simulator(net, seed=1, **how) as sim:
        sim.load_params(tmp_path / "fine")
        found = sim.data[net.c].weights
        np.testing.assert_array_equal(found, weights.astype(found.dtype))
        outputs = sim.predict({net.x: x}, verbose=0)[net.p]
        np.testing.assert_allclose(outputs.astype(float), trained, atol=20 * ROUNDING)
        sim.save_params(tmp_path / "coarse", include_state=True)
        sim.freeze_params(net)
    with nengo_dl.Simulator(net, dtype="float32", seed=2, **how) as sim:
        np.testing.assert_allclose(
            sim.data[net.c].weights, found.astype(float), rtol=4 * ROUNDING
        )
        sim.load_params(tmp_path / "coarse", include_state=True)
        np.testing.assert_array_equal(sim.data[net.c].weights, found.astype("f4"))


@pytest.mark.parametrize("method", ["train", "fit"])
def test_few_bits_are_trained_with_a_warning(method):
    net = network(nengo.RectifiedLinear())
    x, y = np.ones((8, 20, 1)), np.full((8, 20, 1), -0.5)
    with nengo_dl.Simulator(net, minibatch_size=4, progress_bar=False, seed=0) as sim:
        before = sim.loss({net.x: x, net.p: y})
        with pytest.warns(NengoWarning, match="mixed_precision='bfloat16'"):
            if method == "train":
                sim.train({net.x: x, net.p: y}, keras.optimizers.SGD(1e-6), 5)
            else:
                sim.compile(keras.optimizers.SGD(1e-6), loss="mse")
                sim.fit({net.x: x}, {net.p: y}, epochs=5, verbose=0)
        assert sim.loss({net.x: x, net.p: y}) < before


def test_gradients_are_checked():
    with nengo_dl.Simulator(network(nengo.Tanh()), progress_bar=False) as sim:
        sim.check_gradients(atol=0.1, rtol=0.1)


def test_outputs_are_written_into_arrays_of_single_precision():
    net = network()
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        x = np.ones((2, 5, 1))
        own = sim.predict({net.x: x}, verbose=0)[net.p]
        out = np.empty((2, 5, 1), np.float32)
        sim.predict({net.x: x}, out={net.p: out}, verbose=0)
    np.testing.assert_array_equal(out, own.astype(np.float32))
