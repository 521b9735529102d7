"""What programs do that use NengoLoihi and NengoDL together."""

import keras
import nengo
import nengo_loihi
import numpy as np
import pytest
from nengo_loihi.neurons import LoihiLIF, LoihiSpikingRectifiedLinear

import nengo_dl

TYPES = [
    LoihiLIF(),
    LoihiLIF(tau_rc=0.031, tau_ref=0.0034, amplitude=0.5, min_voltage=-1),
    LoihiSpikingRectifiedLinear(),
    LoihiSpikingRectifiedLinear(amplitude=0.1),
]


def network(neuron_type):
    with nengo.Network(seed=0) as net:
        net.source = nengo.Node(lambda t: np.sin(30 * t))
        net.ensemble = nengo.Ensemble(
            30, 1, neuron_type=neuron_type, max_rates=nengo.dists.Uniform(20, 90)
        )
        nengo.Connection(net.source, net.ensemble, synapse=None)
        net.spikes = nengo.Probe(net.ensemble.neurons)
        net.output = nengo.Probe(net.ensemble)
    return net


@pytest.mark.parametrize("neuron_type", TYPES, ids=str)
def test_networks_run_on_every_simulator(neuron_type):
    net = network(neuron_type)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(60)
        expected = sim.data[net.spikes]
    with nengo_loihi.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(20)
        assert sim.data[net.output].shape == (20, 1)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        sim.run_steps(60)
        np.testing.assert_allclose(sim.data[net.spikes], expected)
        assert not any("Python" in group.where for group in sim.report().groups)
    assert expected.any()


@pytest.mark.parametrize("neuron_type", TYPES, ids=str)
@pytest.mark.parametrize("smoothing", [None, 0.1])
def test_networks_train_through_the_rates(neuron_type, smoothing):
    net = network(neuron_type)
    with net:
        nengo_dl.configure_settings(lif_smoothing=smoothing, dtype="float64")
        rates = nengo.Probe(net.ensemble.neurons, synapse=None)
    x = np.linspace(-1, 1, 8).reshape(8, 1, 1)
    with nengo_dl.Simulator(net, minibatch_size=4, progress_bar=False) as sim:
        found = sim.run_batch(
            {net.source: x}, {rates: None}, training=True, combine=np.concatenate
        )[rates]
        built = sim.data[net.ensemble]
        expected = neuron_type.rates(x[:, 0] @ built.encoders.T, built.gain, built.bias)
        np.testing.assert_allclose(found[:, 0], expected, rtol=1e-9)
        assert found.any()
        before = [np.array(v) for v in sim.keras_model.trainable_weights]
        sim.compile(keras.optimizers.SGD(1e-3), loss={net.output: "mse"})
        sim.fit(x, {net.output: 0 * x}, epochs=2, verbose=0)
        after = [np.array(v) for v in sim.keras_model.trainable_weights]
        assert all(np.any(a != b) for a, b in zip(after, before, strict=True))
        assert all(np.all(np.isfinite(a)) for a in after)
