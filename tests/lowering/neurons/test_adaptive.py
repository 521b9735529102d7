"""Neurons with more state than a voltage: adaptation, recovery."""

import nengo
import numpy as np
import pytest

from tests.helpers import assert_matches_nengo, rest_with_everything
from tests.lowering.neurons.populations import (
    SOME_ARE_SILENT,
    add_ensemble,
    drive,
    probe_state,
)

pytestmark = SOME_ARE_SILENT

TYPES = [
    nengo.AdaptiveLIFRate(tau_n=0.02, inc_n=0.1, tau_rc=0.05, amplitude=0.5),
    nengo.AdaptiveLIF(tau_n=0.05, inc_n=0.03, tau_ref=0.004, amplitude=0.5),
    nengo.Izhikevich(
        tau_recovery=0.1, coupling=0.25, reset_voltage=-55, reset_recovery=2
    ),
    nengo.RegularSpiking(nengo.LIFRate(), amplitude=0.1),
    nengo.AdaptiveLIFRate(),
    nengo.AdaptiveLIF(),
    nengo.AdaptiveLIF(min_voltage=-1, inc_n=0.1),
    nengo.Izhikevich(),
    nengo.RegularSpiking(nengo.Tanh(tau_ref=0.005)),
    nengo.RegularSpiking(nengo.AdaptiveLIFRate()),
]


@pytest.mark.parametrize("neuron_type", rest_with_everything(TYPES, 4), ids=str)
def test_one_population(neuron_type):
    with nengo.Network(seed=0) as net:
        ensemble = add_ensemble(drive(), neuron_type)
        probe_state(ensemble, "the ensemble")
        nengo.Probe(ensemble, synapse=0.02)
    assert_matches_nengo(net, steps=60)


def test_populations_of_all_types_and_sizes_together():
    with nengo.Network(seed=0) as net:
        stimulus = drive()
        for i, neuron_type in enumerate([*TYPES, *TYPES[::3]]):
            ensemble = add_ensemble(stimulus, neuron_type, 9 + i)
            probe_state(ensemble, f"population {i}")
    assert_matches_nengo(net, steps=50, dtypes=("float64",), minibatch=(None, 3))


@pytest.mark.parametrize(
    "neuron_type",
    rest_with_everything(
        [
            nengo.AdaptiveLIF(initial_state={"adaptation": nengo.dists.Uniform(0, 1)}),
            nengo.Izhikevich(initial_state={"voltage": nengo.dists.Uniform(-70, -50)}),
            nengo.RegularSpiking(
                nengo.LIFRate(), initial_state={"voltage": nengo.dists.Choice([0.9])}
            ),
        ]
    ),
    ids=lambda t: type(t).__name__,
)
def test_initial_states(neuron_type):
    with nengo.Network(seed=0) as net:
        ensemble = add_ensemble(drive(), neuron_type)
        probe_state(ensemble, "the ensemble")
    assert_matches_nengo(net)


class Tired(nengo.AdaptiveLIF):
    def step(self, dt, J, output, voltage, refractory_time, adaptation):
        super().step(dt, J - 0.5, output, voltage, refractory_time, adaptation)


class Quick(nengo.Izhikevich):
    def step(self, dt, J, output, voltage, recovery):
        super().step(dt, 2 * J, output, voltage, recovery)


def test_subclasses_keep_their_own_step():
    with nengo.Network(seed=0) as net:
        for neuron_type in (Tired(), Quick(), nengo.AdaptiveLIF(), nengo.Izhikevich()):
            add_ensemble(drive(), neuron_type)
    spikes = assert_matches_nengo(net, steps=60)
    assert not np.array_equal(spikes[0], spikes[2])
    assert not np.array_equal(spikes[1], spikes[3])
