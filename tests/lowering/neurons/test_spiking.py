import nengo
import numpy as np
import pytest

import nengo_dl
from tests.helpers import (
    assert_matches_nengo,
    configured,
    rest_with_everything,
    simulate,
)
from tests.lowering.neurons.populations import (
    SOME_ARE_SILENT,
    add_ensemble,
    drive,
    probe_state,
)

pytestmark = SOME_ARE_SILENT

SPIKING = [
    nengo.SpikingRectifiedLinear(amplitude=0.1),
    nengo.LIF(tau_rc=0.05, tau_ref=0.0035, amplitude=0.2),
    nengo.SpikingRectifiedLinear(),
    nengo.LIF(),
    nengo.LIF(min_voltage=-1),
    nengo.LIF(min_voltage=-np.inf),
    nengo.LIF(tau_ref=0.0005),
]


@pytest.mark.parametrize("neuron_type", rest_with_everything(SPIKING, 2), ids=str)
def test_spikes_and_state_of_one_population(neuron_type):
    with nengo.Network(seed=0) as net:
        ensemble = add_ensemble(drive(), neuron_type)
        probe_state(ensemble, "the ensemble")
        nengo.Probe(ensemble, synapse=0.02)
    assert_matches_nengo(net, steps=100)


def test_populations_of_all_types_sizes_and_parameters_together():
    with nengo.Network(seed=0) as net:
        stimulus = drive()
        for i, neuron_type in enumerate([*SPIKING, *SPIKING[::3]]):
            ensemble = add_ensemble(stimulus, neuron_type, 9 + i)
            probe_state(ensemble, f"population {i}")
    assert_matches_nengo(net, steps=50)


def test_several_spikes_in_one_step():
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(
            3,
            1,
            neuron_type=nengo.SpikingRectifiedLinear(),
            gain=np.ones(3),
            bias=[2500, 900, -100],
        )
        p = nengo.Probe(ensemble.neurons)
    assert_matches_nengo(net)
    assert set(np.unique(simulate(net, 20).data[p])) == {0, 1000, 2000, 3000}


@pytest.mark.parametrize(
    "neuron_type",
    rest_with_everything(
        [
            nengo.LIF(initial_state={"refractory_time": nengo.dists.Uniform(0, 0.01)}),
            nengo.LIF(initial_state={"voltage": nengo.dists.Choice([0.7])}),
            nengo.SpikingRectifiedLinear(
                initial_state={"voltage": nengo.dists.Uniform(0, 1)}
            ),
        ]
    ),
    ids=str,
)
def test_initial_states(neuron_type):
    with nengo.Network(seed=0) as net:
        ensemble = add_ensemble(drive(), neuron_type)
        probe_state(ensemble, "the ensemble")
    assert_matches_nengo(net)


def test_default_initial_voltages_are_those_of_nengo():
    with nengo.Network(seed=0) as net:
        # nothing drives them, so that the voltages only decay
        for n_neurons in (20, 30):
            ensemble = nengo.Ensemble(
                n_neurons, 1, gain=np.ones(n_neurons), bias=np.zeros(n_neurons)
            )
            nengo.Probe(ensemble.neurons, "voltage")
    assert_matches_nengo(net)


def test_long_spike_trains_are_identical_in_float64():
    with nengo.Network(seed=1) as net:
        a = nengo.Ensemble(50, 2, radius=1.2)
        nengo.Connection(nengo.Node(lambda t: [np.sin(9 * t), np.cos(9 * t)]), a)
        nengo.Connection(a, a, function=lambda x: [x[1], -x[0]], synapse=0.1)
        p = nengo.Probe(a.neurons)
    assert_matches_nengo(net, steps=1500, dtypes=("float64",), minibatch=(None,))
    with configured(net, jit_compile=True):
        spikes = simulate(net, 1500).data[p]
    assert set(np.unique(spikes)) == {0, 1000}


def test_voltages_that_are_reset_when_the_next_step_begins():
    """As in minibatches; calls of any length leave what single items have."""
    spikes = []
    with nengo.Network(seed=0) as net:
        for voltage in (0.7, 1.7, -0.5):
            start = {"voltage": nengo.dists.Choice([voltage])}
            neurons = nengo.LIF(initial_state=start, min_voltage=-0.2)
            ensemble = add_ensemble(drive(), neurons)
            probe_state(ensemble, f"the ensemble that starts at {voltage}")
            spikes.append(nengo.Probe(ensemble.neurons))
    quiet = {"dtype": "float64", "progress_bar": False}
    with (
        nengo_dl.Simulator(net, **quiet) as alone,
        nengo_dl.Simulator(net, minibatch_size=2, **quiet) as together,
    ):
        for n_steps in (1, 1, 30):
            alone.run_steps(n_steps)
            together.run_steps(n_steps)
        for probe in net.probes:
            for item in together.data[probe]:
                assert np.allclose(item, alone.data[probe], 1e-12, 1e-12, True)
        assert all(alone.data[probe].any() for probe in spikes)
