import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import SimulationError, SimulatorClosed, ValidationError

import nengo_dl
from nengo_dl.lowering.neurons.lif import LowerLIFRate
from tests.helpers import rest_with_everything


def network(neuron_type=None, **settings):
    with nengo.Network(seed=0) as net:
        if settings:
            nengo_dl.configure_settings(**settings)
        net.config[nengo.Ensemble].neuron_type = neuron_type or nengo.LIF()
        net.config[nengo.Ensemble].intercepts = nengo.dists.Uniform(-1, -0.5)
        node = nengo.Node(np.zeros(2), label="stimulus")
        a = nengo.Ensemble(10, 2, label="a")
        b = nengo.Ensemble(9, 1, label="b")
        nengo.Connection(node, a, synapse=None)
        nengo.Connection(a, b, function=lambda x: x[0] * x[1], synapse=0.005)
        nengo.Connection(b, b, synapse=nengo.Alpha(0.005))
        net.p = nengo.Probe(b, synapse=0.005)
        net.q = nengo.Probe(a.neurons)
    return net


def simulator(net, **options):
    return nengo_dl.Simulator(net, progress_bar=False, **options)


@pytest.mark.parametrize("dtype", rest_with_everything(["float32", "float64"]))
@pytest.mark.parametrize(
    "neuron_type, jit_compile",
    rest_with_everything(
        [(nengo.LIF(), True), (nengo.AdaptiveLIF(), False), (nengo.Tanh(), True)],
        together=True,
    ),
    ids=str,
)
def test_gradients_of_whole_networks(dtype, neuron_type, jit_compile):
    net = network(neuron_type, jit_compile=jit_compile)
    with simulator(net, dtype=dtype, minibatch_size=2) as sim:
        found = sim.check_gradients(n_steps=6)
    assert list(found) == [net.p, net.q]
    for figures in found.values():
        assert len(figures["names"]) >= 6
        assert any("encoders" in name for name in figures["names"])
        assert any("stimulus" in name for name in figures["names"])
        np.testing.assert_allclose(
            figures["analytic"], figures["numeric"], rtol=1e-2, atol=1e-2
        )
    assert np.count_nonzero(found[net.p]["numeric"]) >= 5


def test_one_probe_and_given_inputs():
    net = network()
    inputs = {net.nodes[0]: np.full((1, 3, 2), 0.2)}
    with simulator(net, dtype="float64") as sim:
        before = sim.n_steps, sim.signals[sim.model.sig[net.q]["in"]].copy()
        found = sim.check_gradients(net.q, inputs=inputs)
        assert list(found) == [net.q]
        assert sim.n_steps == before[0]
        # what follows behind the probe has no part in it
        others = [i for i, n in enumerate(found[net.q]["names"]) if "b" in n.split(".")]
        assert not np.any(found[net.q]["numeric"][others])


def test_inputs_in_any_order_of_memory():
    # an array that is not in C order has no flat view, and was not moved at all
    net = network(jit_compile=False)
    inputs = np.random.RandomState(0).uniform(size=(2, 3, 2))
    with simulator(net, dtype="float64", minibatch_size=2) as sim:
        found = [
            sim.check_gradients(net.p, inputs={net.nodes[0]: values})[net.p]["numeric"]
            for values in (inputs, np.asfortranarray(inputs))
        ]
    np.testing.assert_allclose(*found)
    assert np.all(found[0])


def test_wrong_gradients_are_found_and_named(monkeypatch):
    step = LowerLIFRate.step

    def wrong(self, j, *state):
        (rates,) = step(self, j, *state)

        @tf.custom_gradient
        def twice(x):
            return tf.identity(x), lambda upstream: 2 * upstream

        return (twice(rates),)

    monkeypatch.setattr(LowerLIFRate, "step", wrong)
    net = network()
    with (
        simulator(net, dtype="float64") as sim,
        pytest.raises(SimulationError, match=r"gradient of .* with respect to .*a"),
    ):
        sim.check_gradients(net.q)


def test_surrogates_are_no_slopes():
    with (
        simulator(network(surrogate="arctan")) as sim,
        pytest.raises(ValidationError, match="surrogate"),
    ):
        sim.check_gradients()


def test_closed_simulators():
    with simulator(network()) as sim:
        pass
    with pytest.raises(SimulatorClosed):
        sim.check_gradients()


@tf.custom_gradient
def tripled(x):
    """A square, whose derivative is wrong."""
    return x * x, lambda upstream: 3 * x * upstream


@pytest.mark.parametrize(
    "function", [tripled, tf.square, None], ids=["tripled", "square", "none"]
)
def test_inputs_are_checked_where_there_are_no_parameters(function):
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = last = nengo.Node([0.5, 0.3], label="stimulus")
        if function is not None:
            last = nengo_dl.TensorNode(function, shape_in=(2,), pass_time=False)
            nengo.Connection(node, last, synapse=None)
        probe = nengo.Probe(last, synapse=0.01)
    with simulator(net) as sim:
        if function is tripled:
            with pytest.raises(SimulationError, match="with respect to <Node 'stimul"):
                sim.check_gradients(n_steps=4)
        else:
            found = sim.check_gradients(n_steps=4)[probe]
            assert list(found["names"]) == [str(node)]
            assert abs(found["analytic"][0]) > 1e-5


def test_something_has_to_be_there_to_check():
    with nengo.Network() as net:
        nengo_dl.configure_settings(trainable=False, jit_compile=False)
        ensemble = nengo.Ensemble(3, 1, neuron_type=nengo.Tanh())
        nengo.Probe(ensemble.neurons)
    with simulator(net) as sim, pytest.raises(ValidationError, match="nothing to tr"):
        sim.check_gradients()
    with (
        simulator(network(inference_only=True, jit_compile=False)) as sim,
        pytest.raises(ValidationError, match="inference_only=False"),
    ):
        sim.check_gradients()
