import nengo
import numpy as np
import pytest

from tests.helpers import assert_matches_nengo, rest_with_everything
from tests.lowering.neurons.populations import SOME_ARE_SILENT, add_ensemble

pytestmark = SOME_ARE_SILENT

RATES = [
    nengo.RectifiedLinear(),
    nengo.RectifiedLinear(amplitude=0.3),
    nengo.Sigmoid(),
    nengo.Sigmoid(tau_ref=0.01),
    nengo.Tanh(),
    nengo.Tanh(tau_ref=0.004),
    nengo.LIFRate(),
    nengo.LIFRate(tau_rc=0.05, tau_ref=0.004, amplitude=2),
]


@pytest.mark.parametrize(
    "neuron_type", rest_with_everything(RATES[::-2]), ids=lambda t: type(t).__name__
)
def test_one_population(neuron_type):
    with nengo.Network(seed=0) as net:
        add_ensemble(nengo.Node(lambda t: np.sin(100 * t)), neuron_type)
    assert_matches_nengo(net, rtol32=1e-5)


def test_populations_of_all_types_sizes_and_parameters_together():
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(lambda t: np.sin(100 * t))
        for i, neuron_type in enumerate([*RATES, *RATES[::3]]):
            add_ensemble(stimulus, neuron_type, 5 + i)
    assert_matches_nengo(net, rtol32=1e-5)


def test_currents_just_at_the_threshold_of_lif_rates():
    currents = [0, 1 - 1e-9, 1, 1 + 1e-14, 1 + 1e-9, 1 + 1e-3, 2, 1e4, -1e4]
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(
            len(currents),
            1,
            neuron_type=nengo.LIFRate(),
            gain=np.ones(len(currents)),
            bias=currents,
        )
        nengo.Probe(ensemble.neurons)
    assert_matches_nengo(net, steps=2, dtypes=("float64",), minibatch=(None,))


def test_large_currents_do_not_overflow():
    currents = [-1e4, -800.0, 800.0, 1e4]
    with nengo.Network(seed=0) as net:
        for neuron_type in (nengo.Sigmoid(), nengo.Tanh()):
            ensemble = nengo.Ensemble(
                4, 1, neuron_type=neuron_type, gain=np.ones(4), bias=currents
            )
            nengo.Probe(ensemble.neurons)
    with np.errstate(over="ignore"):
        assert_matches_nengo(net, steps=2)
