import nengo
import numpy as np
import pytest

import nengo_dl
from tests.helpers import (
    assert_close,
    assert_matches_nengo,
    reference,
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


def test_neurons_whose_draws_depend_on_their_rates():
    with nengo.Network(seed=0) as net:
        neuron_type = nengo.PoissonSpiking(nengo.LIFRate(), amplitude=0.1)
        ensemble = add_ensemble(drive(), neuron_type)
        probe_state(ensemble, "the ensemble")
        nengo.Probe(ensemble, synapse=0.02)
    # other items of a minibatch draw other random numbers
    assert_matches_nengo(net, steps=60, minibatch=(None,), nengo_random_draws=True)


class Integrating(nengo.neurons.NeuronType):
    """Fires when the sum of its input reaches a level that rises with each spike."""

    state = {  # noqa: RUF012
        "level": nengo.dists.Choice([0.02]),
        "total": nengo.dists.Uniform(0, 0.01),
    }
    spiking = True

    def __init__(self, rise=0.01, initial_state=None):
        super().__init__(initial_state=initial_state)
        self.rise = rise

    def gain_bias(self, max_rates, intercepts):
        return np.ones_like(max_rates), np.zeros_like(max_rates)

    def max_rates_intercepts(self, gain, bias):
        return np.full_like(gain, 100), np.zeros_like(gain)

    def rates(self, x, gain, bias):
        return np.maximum(0, gain * x + bias)

    def step(self, dt, J, output, level, total):
        total += dt * J
        output[...] = (total > level) / dt
        level[total > level] += self.rise
        total[output > 0] = 0


@pytest.mark.parametrize(
    "initial_state", rest_with_everything([{"level": nengo.dists.Choice([0.05])}, None])
)
def test_neuron_type_of_the_user_with_state(initial_state):
    with nengo.Network(seed=0) as net:
        for rise in (0.01, 0.02):
            neuron_type = Integrating(rise, initial_state)
            ensemble = add_ensemble(drive(), neuron_type, 12)
            nengo.Probe(ensemble.neurons, "level")
            nengo.Probe(ensemble.neurons, "total")
    assert_matches_nengo(net, steps=40)


class HalfLIF(nengo.LIF):
    """Changes the step of a type that has an implementation."""

    def step(self, dt, J, output, voltage, refractory_time):
        super().step(dt, 0.5 * J, output, voltage, refractory_time)


def test_subclass_of_a_known_type_keeps_its_own_step():
    with nengo.Network(seed=0) as net:
        stimulus = drive()
        add_ensemble(stimulus, HalfLIF())
        add_ensemble(stimulus, nengo.LIF())
    assert_matches_nengo(net, steps=60)


def test_populations_of_several_types_together():
    with nengo.Network(seed=0) as net:
        stimulus = drive()
        for i, neuron_type in enumerate(
            [nengo.PoissonSpiking(nengo.LIFRate()), HalfLIF(), Integrating()] * 2
        ):
            ensemble = add_ensemble(stimulus, neuron_type, 9 + i % 4)
            nengo.Connection(ensemble, ensemble, synapse=0.05)
            probe_state(ensemble, f"population {i}")
    assert_matches_nengo(net, steps=50, minibatch=(None,), nengo_random_draws=True)


def test_each_item_of_a_minibatch_draws_its_own_spikes():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(nengo_random_draws=True)
        ensemble = add_ensemble(drive(), nengo.PoissonSpiking(nengo.LIFRate()))
        p = nengo.Probe(ensemble.neurons)
    items = simulate(net, 30, minibatch_size=3).data[p]
    expected = reference(net, 30)
    assert_close(items[0], list(expected.values())[-1])
    assert not np.array_equal(items[0], items[1])
    assert not np.array_equal(items[1], items[2])
    assert np.array_equal(items, simulate(net, 30, minibatch_size=3).data[p])
