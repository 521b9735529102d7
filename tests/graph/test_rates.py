import nengo
import numpy as np
import pytest
from nengo.builder import Model
from nengo.builder.neurons import SimNeurons

from nengo_dl.graph.rates import with_rates
from nengo_dl.lowering.neurons.rate_equivalents import rate_equivalent
from nengo_dl.neurons import LeakyReLU, SoftLIFRate, SpikingLeakyReLU

LIF = {"tau_rc": 0.03, "tau_ref": 0.004, "amplitude": 0.5}


@pytest.mark.parametrize(
    ("spiking", "rates"),
    [
        (nengo.LIF(**LIF), nengo.LIFRate(**LIF)),
        (
            nengo.AdaptiveLIF(tau_n=0.5, inc_n=0.02, **LIF),
            nengo.AdaptiveLIFRate(tau_n=0.5, inc_n=0.02, **LIF),
        ),
        (
            nengo.SpikingRectifiedLinear(amplitude=2),
            nengo.RectifiedLinear(amplitude=2),
        ),
        (SpikingLeakyReLU(0.2, amplitude=3), LeakyReLU(0.2, amplitude=3)),
    ],
)
def test_equivalents_have_the_same_parameters(spiking, rates):
    found = rate_equivalent(spiking)
    assert type(found) is type(rates)
    assert repr(found) == repr(rates)


def test_smoothing_is_for_lif_only():
    soft = rate_equivalent(nengo.LIF(**LIF), smoothing=0.1)
    assert repr(soft) == repr(SoftLIFRate(sigma=0.1, **LIF))
    relu = rate_equivalent(nengo.SpikingRectifiedLinear(), smoothing=0.1)
    assert type(relu) is nengo.RectifiedLinear


class Own(nengo.LIF):
    """May have another step than LIF."""


@pytest.mark.parametrize(
    "neurons", [nengo.LIFRate(), nengo.Sigmoid(), nengo.Izhikevich(), Own()], ids=str
)
def test_types_without_an_equivalent(neurons):
    assert rate_equivalent(neurons) is None


def built(neuron_type):
    with nengo.Network(seed=0) as net:
        nengo.Probe(nengo.Ensemble(10, 1, neuron_type=neuron_type).neurons)
    model = Model()
    model.build(net)
    return model.operators


def test_operators_keep_their_signals():
    operators = built(nengo.AdaptiveLIF())
    replaced = with_rates(operators, rate_equivalent)
    for old, new in zip(operators, replaced, strict=True):
        if isinstance(old, SimNeurons):
            assert (new.J, new.output, new.tag) == (old.J, old.output, old.tag)
            assert new.state == {"adaptation": old.state["adaptation"]}
            assert "voltage" in old.state
        else:
            assert new is old


@pytest.mark.parametrize(
    "relay", [nengo.RegularSpiking, nengo.StochasticSpiking, nengo.PoissonSpiking]
)
def test_neurons_that_spike_at_given_rates_hand_these_on(relay):
    operators = built(relay(nengo.Tanh(), amplitude=0.5))
    assert len(operators) == len(with_rates(operators, rate_equivalent))
    before, after = (
        [op for op in ops if isinstance(op, SimNeurons)]
        for ops in (operators, with_rates(operators, rate_equivalent))
    )
    (spikes,) = [op for op in before if type(op.neurons) is relay]
    (rates,) = [op for op in after if op.output is spikes.output]
    (base,) = [op for op in after if type(op.neurons) is nengo.Tanh]
    assert rates.J is base.output
    values, out = np.array([-2.0, 0.0, 3.0]), np.zeros(3)
    rates.neurons.step(0.001, values, out)
    assert np.allclose(out, 0.5 * values)
