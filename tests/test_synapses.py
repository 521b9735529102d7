"""Delays, in Nengo and here."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl import Delay


def delayed(synapses, **settings):
    """Return a network that delays a Node's output, its Node and its Probes."""
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False, **settings)
        stimulus = nengo.Node(lambda t: [np.sin(50 * t), t])
        probes = []
        for synapse in synapses:
            node = nengo.Node(size_in=2)
            nengo.Connection(stimulus, node, synapse=synapse)
            probes.append(nengo.Probe(node))
        probes.append(nengo.Probe(stimulus, synapse=synapses[-1]))
    return net, stimulus, probes


def test_delays_are_those_of_nengo():
    synapses = [Delay(1), Delay(3), Delay(seconds=0.003), Delay(seconds=0.0024)]
    net, stimulus, probes = delayed(synapses, dtype="float64")
    with nengo_dl.Simulator(net, progress_bar=False, unroll_simulation=2) as sim:
        sim.run_steps(8)
    with nengo.Simulator(net, progress_bar=False) as reference:
        reference.run_steps(8)
    for probe in probes:
        assert np.array_equal(sim.data[probe], reference.data[probe])
    x = np.stack([stimulus.output(t) for t in sim.trange()])
    assert np.array_equal(sim.data[probes[1]][3:], x[:-3])
    between = 0.6 * x[1:-2] + 0.4 * x[:-3]
    np.testing.assert_allclose(sim.data[probes[3]][3:], between, rtol=1e-12)


def test_each_item_of_a_minibatch_has_its_own():
    net, stimulus, (probe, _) = delayed([Delay(2)])
    x = np.random.RandomState(0).rand(3, 5, 2).astype(np.float32)
    with nengo_dl.Simulator(net, minibatch_size=3, progress_bar=False) as sim:
        given = sim.predict({stimulus: x})[probe]
        sim.run_steps(2, data={stimulus: x[:, :2]})
        sim.run_steps(3, data={stimulus: x[:, 2:]})
        in_parts = sim.data[probe]
    assert np.array_equal(given[:, 2:], x[:, :-2])
    assert np.array_equal(given, in_parts)


def test_filters_values_by_itself():
    x = np.arange(1.0, 5.0)[:, None]
    assert Delay(2).filt(x, dt=0.001, y0=0).ravel().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "either a number of time steps"),
        ({"n_steps": 1, "seconds": 0.1}, "either a number of time steps"),
        ({"n_steps": 0}, "at least 1"),
        ({"n_steps": 0.003}, r"Delay\(seconds"),
        ({"n_steps": True}, "whole number"),
        ({"seconds": "1"}, "a time in seconds"),
        ({"seconds": np.nan}, "finite"),
        ({"seconds": -1}, "greater than 0"),
        ({"seconds": 1e-5}, "at least 1"),
        ({"seconds": 1e9}, "is the time in seconds"),
        ({"n_steps": 5, "longest": 0.002}, "at most 2"),
    ],
)
def test_what_is_no_delay_is_refused(arguments, words):
    with pytest.raises(ValidationError, match=words):
        Delay(**arguments).make_state((1,), (1,), dt=0.001)


@pytest.mark.everything
def test_networks_with_delays_are_exported(tmp_path):
    net, stimulus, _ = delayed([Delay(1), Delay(3)])
    stimulus.output = [0.5, 0.5]
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.export(tmp_path / "delays", format="saved_model")
    assert (tmp_path / "delays" / "saved_model.pb").exists()
