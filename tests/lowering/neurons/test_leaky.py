"""Rectified lines that leak, with and without spikes."""

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.builder.neurons import SimNeurons
from nengo.builder.signal import Signal

from nengo_dl.lowering.neurons.leaky import LowerLeakyReLU, LowerSpikingLeakyReLU
from nengo_dl.lowering.registry import lowering_of
from nengo_dl.neurons import LeakyReLU, SpikingLeakyReLU
from tests.helpers import assert_matches_nengo, rest_with_everything, simulate
from tests.lowering.neurons.populations import add_ensemble, drive, probe_state

TYPES = [
    LeakyReLU(negative_slope=0.1, amplitude=0.2),
    SpikingLeakyReLU(negative_slope=0.8, amplitude=0.1),
    LeakyReLU(),
    LeakyReLU(negative_slope=-1),
    SpikingLeakyReLU(),
    SpikingLeakyReLU(initial_state={"voltage": nengo.dists.Uniform(-1, 1)}),
    nengo.RegularSpiking(LeakyReLU(negative_slope=0.5)),
]


class Doubled(SpikingLeakyReLU):
    def step(self, dt, J, output, voltage):
        super().step(dt, 2 * J, output, voltage)


@pytest.mark.parametrize("neuron_type", rest_with_everything(TYPES, 2), ids=str)
def test_one_population(neuron_type):
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(30, 1, neuron_type=neuron_type)
        nengo.Connection(drive(), ensemble, synapse=None)
        nengo.Probe(ensemble.neurons)
        probe_state(ensemble, "the ensemble")
        nengo.Probe(ensemble, synapse=0.02)
    activity = assert_matches_nengo(net, steps=100)[0]
    assert activity.min() < 0 < activity.max() or neuron_type.negative_slope < 0


def test_populations_of_all_types_sizes_and_parameters_together():
    with nengo.Network(seed=0) as net:
        stimulus = drive()
        for i, neuron_type in enumerate([*TYPES, Doubled(), *TYPES[::2]]):
            ensemble = add_ensemble(stimulus, neuron_type, 9 + i)
            probe_state(ensemble, f"population {i}")
    assert_matches_nengo(net, steps=50)


def test_several_spikes_of_both_signs_in_one_step():
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(
            3,
            1,
            neuron_type=SpikingLeakyReLU(negative_slope=0.5),
            gain=np.ones(3),
            bias=[2500, -600, -4500],
        )
        p = nengo.Probe(ensemble.neurons)
    assert_matches_nengo(net)
    spikes = simulate(net, 20).data[p]
    assert [set(np.unique(column)) for column in spikes.T] == [
        {2000, 3000},
        {-1000, 0},
        {-3000, -2000},
    ]


@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradient_is_the_slope_of_each_side(dtype, jit_compile):
    parameters = {
        "negative_slope": np.array([0.1, 0.3, 0.3, 0, 0.1], dtype),
        "amplitude": np.array(2, dtype),
    }
    lowering = LowerLeakyReLU(None, None, (), parameters, np.dtype(dtype).type(0.001))

    @tf.function(jit_compile=jit_compile, autograph=False)
    def gradient(j):
        with tf.GradientTape() as tape:
            tape.watch(j)
            (rates,) = lowering.step(j)
        return tape.gradient(rates, j)

    currents = tf.constant([[-5.0, -1e30, 1e30, -1, 0]], dtype)
    np.testing.assert_allclose(
        gradient(currents), [[0.2, 0.6, 2, 0, 0.2]], rtol=1e-6, atol=0
    )


def test_run_in_tensorflow_unless_somebody_changed_the_step():
    current, output = Signal(np.zeros(3)), Signal(np.zeros(3))
    for neuron_type, lowering in (
        (LeakyReLU(), LowerLeakyReLU),
        (SpikingLeakyReLU(), LowerSpikingLeakyReLU),
    ):
        assert lowering_of(SimNeurons(neuron_type, current, output)) is lowering
    assert not lowering_of(SimNeurons(Doubled(), current, output)).xla
