import nengo
import numpy as np
import pytest
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Reset
from nengo.builder.signal import Signal

import nengo_dl
from nengo_dl.lowering import registry
from nengo_dl.lowering.neurons.regular import LowerRegularSpiking
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

TYPES = [
    nengo.StochasticSpiking(nengo.AdaptiveLIFRate()),
    nengo.StochasticSpiking(nengo.Tanh(tau_ref=0.0004)),
    nengo.StochasticSpiking(nengo.LIFRate()),
    nengo.StochasticSpiking(nengo.RectifiedLinear(amplitude=90), amplitude=0.3),
    nengo.StochasticSpiking(nengo.Sigmoid()),
]


def small_network():
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(
            20, 1, neuron_type=nengo.StochasticSpiking(nengo.LIFRate())
        )
        nengo.Connection(nengo.Node(0.5), ensemble)
        net.spikes = nengo.Probe(ensemble.neurons, label="spikes")
    return net


@pytest.mark.parametrize(
    "neuron_type",
    rest_with_everything(TYPES, 2),
    ids=lambda t: type(t.base_type).__name__,
)
def test_spikes_and_rates_of_one_population(neuron_type):
    with nengo.Network(seed=0) as net:
        ensemble = add_ensemble(drive(), neuron_type)
        probe_state(ensemble, "the ensemble")
        nengo.Probe(ensemble, synapse=0.02)
    # other items of a minibatch draw other numbers
    assert_matches_nengo(net, steps=60, minibatch=(None, 1))


def test_populations_of_all_types_and_sizes_together():
    with nengo.Network(seed=0) as net:
        stimulus = drive()
        for i, neuron_type in enumerate([*TYPES, *TYPES[:3]]):
            ensemble = add_ensemble(stimulus, neuron_type, 7 + i % 4)
            nengo.Connection(ensemble, ensemble, synapse=0.05)
            probe_state(ensemble, f"population {i}")
    assert_matches_nengo(net, steps=50, minibatch=(None, 1))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        assert not sim._program.calls_python
        groups = [g for g in sim._program.plan if g.name.startswith("DrawnNeurons")]
    # one with negative rates, one without
    assert sorted(len(group.ops) for group in groups) == [2, 6]


def test_several_spikes_in_one_step():
    rates = np.array([2500, 900, 3000.0, 0])
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(
            4,
            1,
            neuron_type=nengo.StochasticSpiking(nengo.RectifiedLinear()),
            gain=np.ones(4),
            bias=rates,
        )
        p = nengo.Probe(ensemble.neurons)
    assert_matches_nengo(net, minibatch=(None,))
    spikes = simulate(net, 30).data[p] / 1000
    low = np.floor(rates / 1000)
    assert np.all((spikes == low) | (spikes == low + (rates % 1000 > 0)))


@pytest.mark.parametrize("jit", [True, False])
def test_items_differ_although_their_rates_are_equal(jit):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=jit)
        neuron_type = nengo.StochasticSpiking(nengo.LIFRate())
        p = nengo.Probe(nengo.Ensemble(20, 1, neuron_type=neuron_type).neurons)
    expected = reference(net, 20)
    spikes = simulate(net, 20, minibatch_size=3).data[p]
    assert_close(spikes[0], next(iter(expected.values())))
    for i in (0, 1):
        assert not np.array_equal(spikes[i], spikes[i + 1])


class Unruly(nengo.RectifiedLinear):
    """A base type of the user's whose rates are negative without a word."""

    def step(self, dt, J, output):
        output[...] = J


def test_negative_rates_of_a_type_that_says_it_has_none():
    with nengo.Network(seed=0) as net:
        add_ensemble(drive(), nengo.StochasticSpiking(Unruly(amplitude=1)))
        net.ensembles[0].gain = np.linspace(500, 3000, 30)
    assert_matches_nengo(net, steps=40, minibatch=(None,))


class Mine(nengo.StochasticSpiking):
    """A subclass of the user's, which may draw other numbers."""


def test_only_what_is_known_to_draw_these_numbers_is_fed_them(monkeypatch):
    def drawing(neuron_type):
        signal, rng = Signal(np.zeros(3)), np.random.RandomState(0)
        return SimNeurons(neuron_type, signal, Signal(np.zeros(3)), {"rng": rng})

    op = drawing(nengo.StochasticSpiking(nengo.LIFRate()))
    assert registry.fed_draws(op).shape == (3,)
    assert registry.fed_draws(op, nengo_only=True).rng is op.state_extra["rng"]
    poisson = drawing(nengo.PoissonSpiking(nengo.LIFRate()))
    assert registry.fed_draws(poisson) is not None
    assert registry.fed_draws(poisson, nengo_only=True) is None
    assert registry.fed_draws(drawing(Mine(nengo.LIFRate()))) is None
    assert registry.fed_draws(Reset(Signal(np.zeros(3)))) is None
    # a lowering of the user's own comes first
    key = (SimNeurons, nengo.StochasticSpiking)
    monkeypatch.setitem(registry._LOWERINGS, key, LowerRegularSpiking)
    assert registry.fed_draws(op) is None


def test_numbers_go_on_over_chunks_and_runs(monkeypatch):
    net = small_network()
    expected = reference(small_network(), 30)["spikes"]
    monkeypatch.setattr("nengo_dl.program.program.MAX_CAPACITY", 8)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        for steps in (1, 10, 1, 18):
            sim.run_steps(steps)
        assert_close(sim.data[net.spikes], expected)


@pytest.mark.parametrize("seed", [None, 77])
def test_reset_begins_anew_whatever_the_seed(seed):
    # in Nengo too, they depend on the ensemble's seed, not on the simulator's
    net = small_network()
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.run_steps(20)
        before = np.array(sim.data[net.spikes])
        sim.reset(seed=seed)
        sim.run_steps(20)
        assert np.array_equal(sim.data[net.spikes], before)
        sim.reset(include_processes=False)
        sim.run_steps(20)
        assert not np.array_equal(sim.data[net.spikes], before)


def test_each_item_of_a_minibatch_draws_its_own_numbers():
    net = small_network()
    items = simulate(net, 30, minibatch_size=3).data[net.spikes]
    assert_close(items[0], simulate(net, 30).data[net.spikes])
    assert_close(items[0], reference(small_network(), 30)["spikes"])
    for i in (0, 1):
        assert not np.array_equal(items[i], items[i + 1])
    # all of them fire at the same rate
    counts = items.sum(axis=(1, 2)) / 1000
    assert np.ptp(counts) < 6 * np.sqrt(counts.mean())


def test_the_model_can_be_simulated_again():
    net = small_network()
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as first:
        first.run_steps(10)
        second = nengo_dl.Simulator(
            None, model=first.model, dtype="float64", progress_bar=False
        )
    # the model is Nengo's own, and its streams are where they were
    with nengo.Simulator(
        None, model=second.model, optimize=False, progress_bar=False
    ) as nengo_sim:
        nengo_sim.run_steps(10)
    with second:
        second.run_steps(10)
        for sim in (second, nengo_sim):
            assert_close(sim.data[net.spikes], first.data[net.spikes])


def test_numbers_of_steps_that_did_not_run_are_given_back():
    with nengo.Network(seed=0) as net:
        ensemble = add_ensemble(drive(), nengo.StochasticSpiking(nengo.LIFRate()))
        spikes = nengo.Probe(ensemble.neurons, label="spikes")
        failing = {7}

        def function(t, x):
            step = round(t / 0.001)
            if step in failing:
                failing.remove(step)
                raise RuntimeError("once")

        node = nengo.Node(function, size_in=1)
        nengo.Connection(ensemble, node, synapse=0.01)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        with pytest.raises(RuntimeError, match="once"):
            sim.run_steps(20)
        assert sim.n_steps == 6
        sim.run_steps(14)
        assert_close(sim.data[spikes], reference(net, 20)["spikes"])
